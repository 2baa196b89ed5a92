//! Redis keys, redirections and histories of a slot map.
#![no_main]

#[path = "../../crates/hashring/tests/common/any_history.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::any_slots(data));
