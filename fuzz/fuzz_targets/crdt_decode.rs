//! Every decoder of replicated states, and the messages of reconciliation.
#![no_main]

#[path = "../../crates/crdt/tests/common/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    any_bytes::decode_all(data);
    any_bytes::reconcile_all(data);
});
