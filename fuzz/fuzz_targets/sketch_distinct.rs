//! Every decoder of a distinct counter.
#![no_main]

#[path = "../../crates/sketch/tests/common/distinct_decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decoders::any_bytes(data));
