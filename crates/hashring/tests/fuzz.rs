//! The bodies of the fuzz targets on seeded bytes, so that they run without libFuzzer too.

#[path = "common/any_history.rs"]
mod body;

use archstone_core::hash::mix;

fn bytes(seed: u64, len: u64) -> Vec<u8> {
    (0..len).map(|i| mix(seed << 32 | i) as u8).collect()
}

#[test]
fn histories_of_any_bytes() {
    (0..400).for_each(|seed| body::any_history(&bytes(seed, seed % 300)));
}

#[test]
fn slots_and_redirections_of_any_bytes() {
    for seed in 0..2_000 {
        body::any_slots(&bytes(seed, seed % 200));
        // Text near what is read, with a byte changed.
        let mut near = format!("MOVED {} host:{}", seed * 17, seed * 91).into_bytes();
        body::any_slots(&near);
        let at = mix(seed) as usize % near.len();
        near[at] = b" :{}-0M"[mix(!seed) as usize % 7];
        body::any_slots(&near);
    }
}
