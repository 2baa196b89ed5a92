//! Every decoder of a counter of frequencies, a window and a decaying sketch on any bytes: what the
//! stable test and the fuzz target run.
#![allow(unreachable_pub, reason = "each of the two uses its part")]

use archstone_sketch::frequency::{
    CountMin, CountSketch, Exact, FrequentItems, HeavyKeeper, LossyCounting, SetSpaceSaving,
    SpaceSaving, TopK,
};
use archstone_sketch::window::{Decayed, Windowed};
use archstone_sketch::wire::datasketches::{DsCountMin, DsItem};
use archstone_sketch::{Bounds, Merge, Wire};

/// How many decoders there are.
pub const DECODERS: u8 = 17;

/// Chooses a decoder by the first byte and gives it the rest. What comes out must write itself
/// down again in the same bytes, take in more, take in itself, and answer in order.
pub fn any_bytes(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    match choice % DECODERS {
        0 => wire(bytes, |s: &mut CountMin<u32>| {
            s.add_n("x", 3);
            assert!(s.count("x") >= 3);
            ordered(s.bounds("x"));
        }),
        1 => wire(bytes, |s: &mut CountMin<u64>| {
            s.add_n("x", u64::MAX);
            assert_eq!(s.count("x"), u64::MAX);
        }),
        2 => wire(bytes, |s: &mut CountSketch| {
            s.add_n("x", -3);
            ordered(s.bounds("x"));
            assert!(s.second_moment() >= 0.0);
        }),
        3 => wire(bytes, |s: &mut SpaceSaving<String>| {
            s.add("x");
            assert!(s.get("x").is_some());
            s.top(3).into_iter().for_each(|hit| assert!(hit.error <= hit.count));
        }),
        4 => wire(bytes, |s: &mut SpaceSaving<u64>| {
            s.add_n(&7, u64::MAX);
        }),
        5 => wire(bytes, |s: &mut SetSpaceSaving<String>| {
            (0..20).for_each(|_| drop(s.add("x")));
            s.iter().for_each(|hit| assert!(hit.error <= hit.count && hit.count > 0));
        }),
        6 => wire(bytes, |s: &mut SetSpaceSaving<u64>| {
            for i in 0..20 {
                s.add(&i);
            }
            assert!(s.top(usize::MAX).len() <= s.capacity());
        }),
        7 => wire(bytes, |s: &mut TopK<String>| {
            s.add("x");
            assert!(s.top().len() <= s.k());
            ordered(s.bounds("x"));
        }),
        8 => wire(bytes, |s: &mut LossyCounting<u64>| {
            (0..20).for_each(|i| s.add(&(i % 3)));
            ordered(s.bounds(&1));
        }),
        9 => wire(bytes, |s: &mut FrequentItems<String>| {
            s.add("x");
            ordered(s.bounds("x"));
        }),
        10 => wire(bytes, |s: &mut Exact<(u32, String)>| {
            let item = (1, String::from("x"));
            let before = s.count(&item);
            s.add(&item);
            assert_eq!(s.count(&item), before.saturating_add(1));
        }),
        11 => wire(bytes, |s: &mut HeavyKeeper<String>| {
            s.add("x");
            assert!(s.top().len() <= 1 << 20);
        }),
        12 => wire(bytes, |s: &mut Windowed<Exact<u64>>| {
            let _ = (s.at(41).map(|pane| pane.add(&1)), s.over(41, 3).map(|sum| sum.total()));
        }),
        13 => wire(bytes, |s: &mut Decayed<SpaceSaving<u64>>| {
            let _ = s.add(500, &1, 1.0);
            assert!(s.total(500) >= 0.0);
        }),
        14 => frequent_items::<String>(bytes, &"x".to_owned()),
        15 => frequent_items::<i64>(bytes, &7),
        _ => {
            if let Ok(mut read) = DsCountMin::from_datasketches(bytes, 9001) {
                // Bytes that the format does not use may be anything: the second image is ours.
                let image = read.to_datasketches();
                let again = DsCountMin::from_datasketches(&image, 9001);
                let again = again.expect("what is written is read");
                assert_eq!(again.to_datasketches(), image, "one image for one sketch");
                let _ = read.add("x", 3.0);
                let _ = (read.count("x"), read.bounds("x"), read.relative_error());
                let other = read.clone();
                read.merge(&other).expect("the same shape");
            }
        }
    }
}

fn wire<S: Wire + Merge>(bytes: &[u8], go_on: impl Fn(&mut S)) {
    if let Ok(mut read) = S::decode(bytes) {
        assert_eq!(read.encode(), bytes, "one value has one encoding");
        go_on(&mut read);
        let again = S::decode(&read.encode()).expect("what is written is read");
        read.merge(&again).expect("the same shape");
        go_on(&mut read);
    }
}

fn frequent_items<T: DsItem>(bytes: &[u8], item: &T) {
    if let Ok(mut read) = FrequentItems::<T>::from_datasketches(bytes) {
        read.add(item);
        ordered(read.bounds(item));
        let image = read.to_datasketches();
        let again = FrequentItems::<T>::from_datasketches(&image).expect("what is written is read");
        assert_eq!(again.total(), read.total());
        read.merge(&again).expect("the same shape");
    }
}

fn ordered(bounds: Bounds) {
    let Bounds { lower, estimate, upper } = bounds;
    assert!(lower <= estimate && estimate <= upper, "{bounds}");
}
