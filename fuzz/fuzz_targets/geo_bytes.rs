//! Every parser and decoder of geo, and an index of any doubles.
#![no_main]

#[path = "../../crates/geo/tests/common/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_bytes::any_bytes(data));
