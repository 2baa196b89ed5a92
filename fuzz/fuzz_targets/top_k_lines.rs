//! The log of design 23, any bytes.
#![no_main]

#[path = "../../examples/top-k/tests/common/any_log.rs"]
mod any_log;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_log::any_bytes(data));
