//! The byte cursor that every decoder reads with.
#![no_main]

#[path = "../../crates/core/tests/common/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_bytes::any_bytes(data));
