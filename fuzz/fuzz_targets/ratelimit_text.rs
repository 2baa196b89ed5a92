//! The parsers of HTTP fields and of quotas.
#![no_main]

#[path = "../../crates/ratelimit/tests/common/any_text.rs"]
mod any_text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_text::any_bytes(data));
