//! Every decoder of a quantile sketch.
#![no_main]

#[path = "../../crates/sketch/tests/common/quantile_decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decoders::any_bytes(data));
