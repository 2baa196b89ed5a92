//! Clocks, counters, sets, maps and reconciliation beside the published crates.

mod clocks;
mod counters;
mod reconcile;
mod sets;
mod stamps;

use super::Area;

const OURS: &str = "archstone-crdt";

pub(super) fn area() -> Area {
    let crates = &["crdts", "vclock", "uhlc", "hlc-gen", "itc", "riblt", "postcard"];
    let mut area = Area::new("crdt", crates);
    clocks::add(&mut area);
    stamps::add(&mut area);
    counters::add(&mut area);
    sets::add(&mut area);
    reconcile::add(&mut area);
    area
}

/// Ids of replicas, spread over 64 bits.
fn ids(n: usize) -> Vec<u64> {
    crate::workload::distinct_keys(9, n)
}
