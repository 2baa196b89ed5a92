//! Frequency sketches on parameters, weights and bytes that nobody means well with.
#![cfg(feature = "frequency")]

mod common;

use archstone_sketch::frequency::{
    CountMin, CountSketch, Counter, Exact, FrequentItems, HeavyKeeper, LossyCounting,
    SetSpaceSaving, SpaceSaving,
};
use archstone_sketch::{Item, Merge, ParamError, TopK, Wire};
use testkit::alloc::{Counting, measure};

#[global_allocator]
static ALLOC: Counting = Counting;

const REALS: [f64; 10] = [
    0.0,
    -0.0,
    -1.0,
    2.0,
    5e-324,
    f64::MAX,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    1.0 + f64::EPSILON,
];

#[test]
fn every_senseless_parameter_is_an_error_that_names_it() {
    for bad in REALS {
        assert!(CountMin::<u32>::with_error(bad, 0.01).is_err(), "eps {bad}");
        assert!(CountMin::<u32>::with_error(0.01, bad).is_err(), "delta {bad}");
        assert!(CountMin::<u32>::for_stream(bad, 0.01, u64::MAX).is_err(), "eps {bad}");
        assert!(SpaceSaving::<u64>::with_error(bad).is_err(), "eps {bad}");
        assert!(LossyCounting::<u64>::with_error(bad).is_err(), "eps {bad}");
    }
    for bad in [0, usize::MAX] {
        assert!(CountMin::<u32>::new(4, bad as u64).is_err());
        assert!(CountMin::<u32>::new(bad as u32, 64).is_err());
        assert!(CountMin::<u32>::lines(bad as u64).is_err());
        assert!(SpaceSaving::<u64>::new(bad).is_err());
        assert!(SetSpaceSaving::<u64>::new(bad).is_err());
        assert!(TopK::<u64>::new(bad).is_err());
        assert!(TopK::<u64>::with_memory(bad, 1 << 20).is_err());
        assert!(TopK::<u64>::certain(bad, 1 << 20).is_err());
    }
    assert!(SetSpaceSaving::<u64>::with_memory(0).is_err());
    assert!(TopK::<u64>::with_memory(10, 0).is_err());
    for bad in [0, u32::MAX] {
        assert!(CountSketch::new(bad, 64).is_err() && CountSketch::new(3, bad.into()).is_err());
        assert!(HeavyKeeper::<u64>::new(bad as usize, 4, 64).is_err());
        assert!(HeavyKeeper::<u64>::new(10, bad, 64).is_err());
        assert!(HeavyKeeper::<u64>::new(10, 4, bad).is_err());
    }
    assert!(CountSketch::new(4, 64).is_err(), "an even number of rows has no median");
    for bad in [0, 1, 2, 27, u8::MAX] {
        assert!(FrequentItems::<u64>::new(bad).is_err());
    }
    let error = CountMin::<u32>::with_error(0.0, 0.01).unwrap_err();
    assert!(matches!(error, ParamError::Real { what: "eps", value: 0.0, .. }));
    assert_eq!(TopK::<u64>::new(0).unwrap_err().to_string(), "k is 0, it may be 1 to 1048576");
}

#[test]
fn the_smallest_of_each_sketch_works() {
    let mut cm = CountMin::<u32>::new(1, 1).unwrap();
    cm.add(&1_u64);
    cm.add(&2_u64);
    assert_eq!(cm.count(&3_u64), 2);
    let cm = CountMin::<u32>::with_error(1.0, 1.0).unwrap();
    assert_eq!((cm.width(), cm.depth()), (4, 1));
    let mut ss = SpaceSaving::<u64>::new(1).unwrap();
    assert_eq!(ss.add(&1), None);
    assert_eq!(ss.add(&2), Some(1));
    assert_eq!((ss.top(9)[0].count, ss.top(9)[0].error), (2, 1));
    let mut lossy = LossyCounting::<u64>::with_error(1.0).unwrap();
    lossy.add(&1);
    assert_eq!(lossy.len(), 0, "with eps = 1 nothing has to be kept");
    assert!(ss.top(0).is_empty());
}

#[test]
fn counters_stop_at_their_maximum_and_say_so() {
    let mut cm = CountMin::<u32>::new(4, 64).unwrap();
    cm.add_n("x", u64::MAX);
    cm.add_n("x", u64::MAX);
    assert_eq!((cm.count("x"), cm.total()), (u32::MAX, u64::MAX));
    assert_eq!(cm.bounds("x").upper, f64::INFINITY);
    // A cell that overflows by a little stays full, it does not begin again.
    let mut nearly = CountMin::<u32>::new(4, 64).unwrap();
    nearly.add_n("x", u64::from(u32::MAX) - 1);
    nearly.add_n("x", 3);
    assert_eq!((nearly.count("x"), nearly.total()), (u32::MAX, u64::from(u32::MAX) + 2));
    let mut ss = SpaceSaving::<u64>::new(2).unwrap();
    let mut set = SetSpaceSaving::<u64>::new(8).unwrap();
    let mut fi = FrequentItems::<u64>::new(3).unwrap();
    let mut lossy = LossyCounting::<u64>::with_error(0.1).unwrap();
    let mut exact = Exact::<u64>::new();
    let mut keeper = HeavyKeeper::<u64>::new(2, 2, 2).unwrap();
    let mut signed = CountSketch::new(3, 2).unwrap();
    for item in [1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1] {
        ss.add_n(&item, u64::MAX);
        set.add_n(&item, u64::MAX);
        fi.add_n(&item, u64::MAX);
        lossy.add_n(&item, u64::MAX);
        exact.add_n(&item, u64::MAX);
        keeper.add_n(&item, u64::MAX);
        signed.add_n(&item, i64::MIN);
        signed.add_n(&item, i64::MAX);
    }
    assert!(keeper.count(&1) <= u64::from(u32::MAX));
    assert!(signed.bounds(&1).width().is_finite());
    assert_eq!(ss.top(1)[0].count, u64::MAX);
    assert_eq!(set.top(1)[0].count, u64::MAX);
    assert_eq!(exact.count(&1), u64::MAX);
    assert_eq!(fi.total(), u64::MAX);
    assert_eq!(lossy.total(), u64::MAX);
    let (ours, theirs) = (set.clone(), ss.clone());
    set.merge(&ours).unwrap();
    ss.merge(&theirs).unwrap();
}

#[test]
fn merged_tables_stop_at_their_maximum_cell_by_cell() {
    fn check<C: Counter>(make: impl Fn() -> CountMin<C>) {
        let (mut a, mut b) = (make(), make());
        for item in 0..200_u64 {
            a.add_n(&item, item);
            b.add_n(&item, if item % 3 == 0 { C::MAX.get() - 40 } else { item });
        }
        let apart: Vec<[u64; 2]> =
            (0..200_u64).map(|i| [&a, &b].map(|s| s.count(&i).get())).collect();
        a.merge(&b).unwrap();
        for (item, [ours, theirs]) in (0..200_u64).zip(apart) {
            // Cell by cell the sum is at least that of the two estimates; it never wraps below it.
            let merged = a.count(&item).get();
            assert!(merged >= ours.saturating_add(theirs).min(C::MAX.get()), "{item}: {merged}");
        }
        assert!((0..200_u64).any(|item| a.count(&item) == C::MAX));
    }
    check(|| CountMin::<u32>::new(4, 1 << 10).unwrap());
    check(|| CountMin::<u32>::new(3, 1 << 10).unwrap().conservative());
    check(|| CountMin::<u32>::lines(1 << 7).unwrap());
    check(|| CountMin::<u64>::new(4, 1 << 10).unwrap());
    check(|| CountMin::<u64>::lines(1 << 7).unwrap());
}

#[test]
fn weight_zero_leaves_no_trace() {
    let mut ss = SpaceSaving::<u64>::new(2).unwrap();
    let mut set = SetSpaceSaving::<u64>::new(8).unwrap();
    let mut fi = FrequentItems::<u64>::new(3).unwrap();
    let mut lossy = LossyCounting::<u64>::with_error(0.1).unwrap();
    let mut exact = Exact::<u64>::new();
    ss.add_n(&1, 0);
    set.add_n(&1, 0);
    fi.add_n(&1, 0);
    lossy.add_n(&1, 0);
    exact.add_n(&1, 0);
    assert_eq!([ss.len(), set.len(), fi.len(), lossy.len(), exact.len()], [0; 5]);
}

#[test]
fn odd_items_are_items() {
    let mut top = TopK::<String>::new(3).unwrap();
    let long = "x".repeat(1 << 20);
    top.add("");
    top.add("");
    top.add(long.as_str());
    assert_eq!(top.bounds("").estimate, 2.0);
    assert_eq!(top.bounds(long.as_str()).estimate, 1.0);
    assert_eq!(top.bounds("never").estimate, 0.0);
    let mut cm = CountMin::<u32>::with_error(0.001, 0.01).unwrap();
    for x in [f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, 5e-324] {
        cm.add(&x);
    }
    assert_eq!((cm.count(&f64::NAN), cm.count(&0.0), cm.count(&f64::INFINITY)), (2, 2, 1));
}

/// Each prefix, each flipped bit and a few random bytes: an error or a sketch that can go on, in at
/// most 64 times the input and 4 KiB.
fn survives<S: Wire>(name: &str, image: &[u8], mut use_it: impl FnMut(&mut S)) {
    let again = S::decode(image).unwrap_or_else(|e| panic!("{name}: {e}")).encode();
    assert_eq!(again, image, "{name}: one value, one encoding");
    let mut longer = image.to_vec();
    longer.push(0);
    assert!(S::decode(&longer).is_err(), "{name}: trailing bytes are refused");
    for len in 0..image.len() {
        assert!(checked::<S>(name, &image[..len]).is_none(), "{name}: {len} bytes are too few");
    }
    for bit in 0..image.len() * 8 {
        let mut bad = image.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Some(mut sketch) = checked::<S>(name, &bad) {
            use_it(&mut sketch);
            assert!(S::decode(&sketch.encode()).is_ok(), "{name}: bit {bit}");
        }
    }
    for seed in 0..2000 {
        let mut bad = image.to_vec();
        for step in 0..3 {
            let random = common::mix(seed * 3 + step);
            let at = random as usize % bad.len();
            bad[at] = [0xFF, 0x80, 0x7F, (random >> 40) as u8][(random >> 32) as usize % 4];
        }
        if let Some(mut sketch) = checked::<S>(name, &bad) {
            use_it(&mut sketch);
        }
    }
}

fn checked<S: Wire>(name: &str, bytes: &[u8]) -> Option<S> {
    let (sketch, used) = measure(|| S::decode(bytes));
    let limit = 64 * bytes.len() as i64 + 4096;
    assert!(used.peak <= limit, "{name}: {} bytes for an input of {}", used.peak, bytes.len());
    sketch.ok()
}

#[test]
fn decoders_survive_every_truncation_and_flip() {
    let stream = common::zipf(400, 60, 1.0, 1);
    for cm in [
        CountMin::<u32>::new(2, 16).unwrap(),
        CountMin::new(4, 8).unwrap().conservative(),
        CountMin::lines(2).unwrap(),
        CountMin::lines(1).unwrap().conservative(),
    ] {
        let mut cm = cm;
        cm.add_all(&stream);
        survives::<CountMin<u32>>("count-min", &cm.encode(), |s| s.add_n(&1_u64, 1));
    }
    let mut cm = CountMin::<u64>::new(3, 8).unwrap();
    cm.add_all(&stream);
    survives::<CountMin<u64>>("count-min 64", &cm.encode(), |s| s.add_n(&1_u64, 1));
    assert_eq!(<u32 as Counter>::MAX, u32::MAX);

    let mut ss = SpaceSaving::<u64>::new(20).unwrap();
    let mut words = SpaceSaving::<String>::new(20).unwrap();
    let mut set = SetSpaceSaving::<u64>::new(24).unwrap();
    let mut set_words = SetSpaceSaving::<String>::new(24).unwrap().unbiased();
    let mut lossy = LossyCounting::<u64>::with_error(0.05).unwrap();
    let mut fi = FrequentItems::<String>::new(4).unwrap();
    let mut exact = Exact::<(u32, String)>::new();
    let mut top = TopK::<u64>::with_memory(5, 4096).unwrap();
    let mut certain = TopK::<u64>::certain(5, 4096).unwrap();
    let mut keeper = HeavyKeeper::<String>::new(5, 2, 12).unwrap();
    let mut signed = CountSketch::new(3, 16).unwrap();
    for item in &stream {
        let word = format!("w{item}");
        ss.add(item);
        words.add(word.as_str());
        set.add(item);
        set_words.add(word.as_str());
        lossy.add(item);
        fi.add(word.as_str());
        exact.add(&(*item as u32, word));
        top.add(item);
        certain.add(item);
        keeper.add(format!("w{item}").as_str());
        signed.add_n(item, if item % 2 == 0 { 5 } else { -5 });
    }
    survives::<HeavyKeeper<String>>("heavy keeper", &keeper.encode(), |s| {
        s.add_n("w2", 9);
    });
    survives::<CountSketch>("count sketch", &signed.encode(), |s| s.add_n("w2", -9));
    survives::<SpaceSaving<u64>>("space-saving", &ss.encode(), |s| {
        s.add_n(&1, 9);
    });
    survives::<SpaceSaving<String>>("space-saving words", &words.encode(), |s| {
        s.add("w3");
    });
    survives::<SetSpaceSaving<u64>>("set space-saving", &set.encode(), |s| {
        s.add_n(&1, 9);
    });
    survives::<SetSpaceSaving<String>>("unbiased", &set_words.encode(), |s| {
        s.add("w3");
    });
    survives::<LossyCounting<u64>>("lossy counting", &lossy.encode(), |s| s.add_n(&1, 9));
    survives::<FrequentItems<String>>("frequent items", &fi.encode(), |s| s.add_n("w2", 9));
    survives::<Exact<(u32, String)>>("exact", &exact.encode(), |s| s.add(&(1, String::new())));
    survives::<TopK<u64>>("top-k", &top.encode(), |s| {
        s.add_n(&1, 9);
    });
    survives::<TopK<u64>>("top-k certain", &certain.encode(), |s| {
        s.add_n(&1, 9);
    });
}

#[test]
fn a_decoded_sketch_goes_on_as_the_original_would() {
    // The tantivy bug: a decoded sketch that answered right and then counted no further.
    let stream = common::zipf(6000, 3000, 0.9, 9);
    let (first, rest) = stream.split_at(2500);
    macro_rules! go_on {
        ($make:expr) => {{
            let mut plain = $make;
            for item in first {
                let _ = plain.add(item);
            }
            let mut copy = Wire::decode(&plain.encode()).unwrap();
            assert_eq!(plain.encode(), Wire::encode(&copy));
            std::mem::swap(&mut plain, &mut copy);
            for item in rest {
                let _ = (plain.add(item), copy.add(item));
            }
            assert_eq!(plain.encode(), copy.encode(), stringify!($make));
        }};
    }
    #[allow(clippy::let_unit_value, reason = "one macro for adders with and without an answer")]
    {
        go_on!(SpaceSaving::<u64>::new(100).unwrap());
        go_on!(SetSpaceSaving::<u64>::new(100).unwrap());
        go_on!(SetSpaceSaving::<u64>::new(100).unwrap().unbiased().with_seed(5));
        go_on!(TopK::<u64>::with_memory(10, 8192).unwrap());
        go_on!(CountMin::<u32>::new(3, 512).unwrap().conservative());
        go_on!(CountMin::<u32>::lines(64).unwrap());
        go_on!(LossyCounting::<u64>::with_error(0.01).unwrap());
        go_on!(FrequentItems::<u64>::new(6).unwrap());
        go_on!(Exact::<u64>::new());
        go_on!(HeavyKeeper::<u64>::new(20, 3, 64).unwrap());
        go_on!(CountSketch::new(5, 64).unwrap());
    }
}

#[test]
fn a_hit_allocates_nothing() {
    let mut top = TopK::<String>::with_memory(10, 1 << 16).unwrap();
    top.add("/index.html");
    let (_, used) = measure(|| {
        for _ in 0..1000 {
            top.add("/index.html");
        }
    });
    assert_eq!(used.allocations, 0);
}

#[test]
fn states_that_no_stream_leads_to_are_refused() {
    let mut certain = SpaceSaving::<u64>::new(8).unwrap();
    certain.add_n(&0x0102_0304_0506_0708, 2);
    certain.add(&0x1112_1314_1516_1718);
    let mut image = certain.encode();
    let end = image.len() - 8;
    image[end..].copy_from_slice(&0x0102_0304_0506_0708_u64.to_le_bytes());
    assert_eq!(SpaceSaving::<u64>::decode(&image).unwrap_err().what, "item", "twice");

    // One set: each slot is a count, an error (a byte both) and the item.
    let mut set = SetSpaceSaving::<u64>::new(8).unwrap();
    (0..8).for_each(|item| assert_eq!(set.add_n(&item, 10 + item), None));
    let mut image = set.encode();
    let last = image.len() - 10;
    image[last] = 99;
    assert_eq!(SetSpaceSaving::<u64>::decode(&image).unwrap_err().what, "counts");
    // An item of another set with the same tag.
    let mut sets = SetSpaceSaving::<u64>::new(64).unwrap();
    sets.add(&1);
    let place = |item: u64| (item.digest(0) >> 61, (item.digest(0) as u8).max(2));
    let (home, tag) = place(1);
    let other = (2..).find(|&i| place(i).1 == tag && place(i).0 != home).unwrap();
    let image = sets.encode();
    let at = image.windows(8).rposition(|w| w == 1_u64.to_le_bytes()).unwrap();
    let mut moved = image;
    moved[at..at + 8].copy_from_slice(&other.to_le_bytes());
    assert_eq!(SetSpaceSaving::<u64>::decode(&moved).unwrap_err().what, "item", "elsewhere");
}
