//! Sketches through serde, in a format with sequences for bytes.
#![cfg(all(feature = "serde", feature = "frequency", feature = "window"))]

use archstone_sketch::frequency::{CountMin, Exact, LossyCounting};
use archstone_sketch::window::Windowed;
use archstone_sketch::{TopK, Wire};

#[test]
fn a_sketch_goes_through_json_and_back() {
    let mut top = TopK::<String>::with_memory(3, 4096).unwrap();
    let mut cm = CountMin::<u64>::new(3, 8).unwrap();
    let mut lossy = LossyCounting::<u32>::with_error(0.1).unwrap();
    let mut ring = Windowed::new(10, 3, Exact::<u64>::new()).unwrap();
    for i in 0..100_u64 {
        top.add(format!("w{}", i % 9).as_str());
        cm.add(&i);
        lossy.add(&(i as u32 % 3));
        ring.at(i).unwrap().add(&i);
    }
    macro_rules! back {
        ($sketch:expr, $type:ty) => {
            let text = serde_json::to_string(&$sketch).unwrap();
            let copy: $type = serde_json::from_str(&text).unwrap();
            assert_eq!(copy.encode(), $sketch.encode());
        };
    }
    back!(top, TopK<String>);
    back!(cm, CountMin<u64>);
    back!(lossy, LossyCounting<u32>);
    back!(ring, Windowed<Exact<u64>>);
}

#[test]
fn bytes_that_are_no_sketch_are_an_error() {
    for text in ["[]", "[16]", "[256]", "\"x\"", "null", "[1,2,3]"] {
        assert!(serde_json::from_str::<CountMin<u32>>(text).is_err(), "{text}");
    }
}
