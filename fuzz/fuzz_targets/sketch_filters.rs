//! Every decoder of a filter, a sample and a signature.
#![no_main]

#[path = "../../crates/sketch/tests/common/filter_decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|data: &[u8]| decoders::any_bytes(data));
