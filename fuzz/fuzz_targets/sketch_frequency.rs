//! Every decoder of a counter of frequencies, a window and a decaying sketch.
#![no_main]

#[path = "../../crates/sketch/tests/common/frequency_decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decoders::any_bytes(data));
