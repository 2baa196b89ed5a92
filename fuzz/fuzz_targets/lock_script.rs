//! The reader of scenario scripts.
#![no_main]

#[path = "../../crates/lock/tests/common/script.rs"]
mod script;

libfuzzer_sys::fuzz_target!(|text: &str| script::any_text(text));
