//! A script of fences, fixes, forgetting and expiry out of any bytes.
#![no_main]

#[path = "../../crates/geo/tests/common/any_fixes.rs"]
mod any_fixes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| any_fixes::any_fixes(data));
