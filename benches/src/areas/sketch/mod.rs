//! The sketches, a file a family: its contenders, its workloads, its rows.

mod count_min;
mod filters;
mod fuse;
mod top_k;

use super::Area;

pub(super) fn area() -> Area {
    let mut area = Area::new("sketch", &["datasketches", "heavykeeper", "topk", "fastbloom", "sbbf-rs-safe", "xorf", "ahash"]);
    count_min::entries(&mut area);
    filters::entries(&mut area);
    fuse::entries(&mut area);
    top_k::entries(&mut area);
    area
}
