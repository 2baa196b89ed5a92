//! Items are their canonical bytes.

use archstone_sketch::wire::{Reader, Writer};
use archstone_sketch::{Bounds, Item, Key, ParamError};
use proptest::prelude::*;

fn bytes<Q: Item + ?Sized>(item: &Q) -> Vec<u8> {
    item.with_bytes(<[u8]>::to_vec)
}

#[test]
fn an_item_is_one_item_in_whatever_type_it_comes() {
    assert_eq!(bytes(&7_u8), bytes(&7_i64));
    assert_eq!(bytes(&-1_i8), bytes(&u64::MAX));
    assert_eq!(bytes("Aa"), bytes(&String::from("Aa")));
    assert_eq!(bytes("Aa"), bytes(&b"Aa"[..]));
    assert_eq!(bytes("Aa"), bytes(&&&"Aa"));
    assert_eq!(bytes(&1.5_f32), bytes(&1.5_f64));
    assert_eq!(bytes(&0.0), bytes(&-0.0));
    assert_eq!(bytes(&f64::NAN), bytes(&-f64::NAN));
    assert_eq!(bytes(&true), bytes(&1_u8));
    assert_ne!(bytes(&1_u128), bytes(&1_u64));
    assert_ne!(bytes(&("a", "bc")), bytes(&("ab", "c")));
    assert_ne!(("a", "bc").digest(0), ("ab", "c").digest(0));
    assert_ne!("Aa".digest(0), "BB".digest(0), "equal Java hashes, different items");
    assert_ne!("a".digest(0), "a".digest(1));
    // Types with a shorter way to their digest take it to the same place.
    assert_eq!(1.5_f32.digest(3), 1.5_f64.digest(3));
    assert_eq!((-0.0_f32).digest(3), 0.0_f64.digest(3));
    assert_eq!(true.digest(3), 1_u64.digest(3));
    assert_eq!('A'.digest(3), 65_u8.digest(3));
}

#[test]
fn the_hash_of_an_item_stays_what_it_is() {
    // Sketches are stored: these may never change.
    assert_eq!("".digest(0), 0x2d06_8005_38d3_94c2);
    assert_eq!(42_u64.digest(7), archstone_core::hash::hash_u64(42, 7));
    assert_eq!(1.0_f64.digest(0), archstone_core::hash::hash_u64(0x3ff0_0000_0000_0000, 0));
}

proptest! {
    #[test]
    fn digests_are_of_the_bytes(number: u64, text: String, float: f64, wide: i128) {
        let hash = archstone_core::hash::hash;
        prop_assert_eq!(number.digest(3), hash(&bytes(&number), 3));
        prop_assert_eq!((number as i32).digest(3), hash(&bytes(&(number as i32)), 3));
        prop_assert_eq!(text.digest(3), hash(&bytes(&text), 3));
        prop_assert_eq!(float.digest(3), hash(&bytes(&float), 3));
        prop_assert_eq!(wide.digest(3), hash(&bytes(&wide), 3));
    }

    #[test]
    fn keys_come_back_as_they_were(number: i16, text: String, raw: Vec<u8>, wide: u128) {
        fn back<T: Key + std::fmt::Debug>(item: T) -> Result<(), TestCaseError> {
            let mut out = Writer::new();
            item.write(&mut out);
            let bytes = out.into_vec();
            prop_assert!(bytes.len() >= T::LEAST);
            let mut input = Reader::new(&bytes);
            prop_assert_eq!(T::read(&mut input).unwrap(), item);
            prop_assert!(input.finish().is_ok());
            for len in 0..bytes.len() {
                prop_assert!(T::read(&mut Reader::new(&bytes[..len])).is_err());
            }
            Ok(())
        }
        back(number)?;
        back(wide)?;
        back((text.clone(), number))?;
        back(text)?;
        back(raw)?;
    }
}

#[test]
fn a_key_that_does_not_fit_its_type_is_refused() {
    let mut out = Writer::new();
    300_u64.write(&mut out);
    assert!(u8::read(&mut Reader::new(&out.clone().into_vec())).is_err());
    assert!(String::read(&mut Reader::new(&[1, 0xFF])).is_err());
}

#[test]
fn bounds_and_errors_read_well() {
    let bounds = Bounds { lower: 1.0, estimate: 2.0, upper: 4.0 };
    assert_eq!(bounds.to_string(), "2 (1 to 4)");
    assert!(bounds.contains(4.0) && !bounds.contains(4.1) && !bounds.contains(f64::NAN));
    assert_eq!(Bounds::exact(3.0).width(), 0.0);
    let error = ParamError::Real { what: "eps", value: f64::NAN, min: 0.0, max: 1.0 };
    assert_eq!(error.to_string(), "eps is NaN, it may be 0 to 1");
}
