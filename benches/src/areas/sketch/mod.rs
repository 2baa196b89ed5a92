//! The sketches, a file a family: its contenders, its workloads, its rows.

mod count_min;
mod distinct;
mod membership;
mod merge;
mod quantiles;
mod top_k;

use super::Area;

pub(super) fn area() -> Area {
    let mut area = Area::new("sketch", CRATES);
    count_min::entries(&mut area);
    top_k::entries(&mut area);
    membership::entries(&mut area);
    distinct::entries(&mut area);
    merge::entries(&mut area);
    quantiles::entries(&mut area);
    area
}

const CRATES: &[&str] = &[
    "ahash",
    "count-min-sketch",
    "datasketches",
    "fastbloom",
    "heavykeeper",
    "hyperloglockless",
    "sbbf-rs-safe",
    "sketches-ddsketch",
    "tdigest",
    "topk",
    "ultraloglog",
    "xorf",
];
