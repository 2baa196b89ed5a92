//! Histories of members, leases and handoffs.
#![no_main]

#[path = "../../crates/hashring/tests/common/any_history.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::any_history(data));
