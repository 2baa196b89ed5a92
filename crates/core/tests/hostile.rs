//! The cursor on bytes that nobody meant for it.

use archstone_core::bytes::{Reader, Why, Writer};
use proptest::prelude::*;

#[path = "common/any_bytes.rs"]
mod any_bytes;

proptest! {
    #[test]
    fn varints_round_trip_and_have_one_encoding(value: u64, tail: Vec<u8>) {
        let mut out = Writer::new();
        out.varint(value);
        out.bytes(&tail);
        let bytes = out.into_vec();
        let mut input = Reader::new(&bytes);
        prop_assert_eq!(input.varint("value").unwrap(), value);
        let used = input.position();
        prop_assert_eq!(input.bytes(tail.len(), "tail").unwrap(), &tail[..]);
        // The same value one byte longer is refused.
        let mut longer = bytes[..used].to_vec();
        *longer.last_mut().unwrap() |= 0x80;
        longer.push(0);
        prop_assert!(Reader::new(&longer).varint("value").is_err());
    }

    #[test]
    fn any_bytes_give_values_or_errors_inside_them(bytes: Vec<u8>) {
        any_bytes::any_bytes(&bytes);
    }
}

#[test]
fn a_count_that_the_input_cannot_hold_is_refused_before_it_is_reserved() {
    let mut out = Writer::new();
    out.varint(u64::MAX);
    let bytes = out.into_vec();
    let error = Reader::new(&bytes).count(16, "items").unwrap_err();
    assert_eq!(error.why, Why::Truncated { needed: u64::MAX, left: 0 });
    assert_eq!(error.to_string(), format!("items at byte 0: needs {} bytes, 0 are left", u64::MAX));
}

#[test]
fn eleven_bytes_of_varint_are_refused() {
    assert!(Reader::new(&[0xff; 11]).varint("x").is_err());
    assert!(
        Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2])
            .varint("x")
            .is_err()
    );
    let max = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(Reader::new(&max).varint("x"), Ok(u64::MAX));
}
