//! The sketches, a file a family: its contenders, its workloads, its rows.

mod count_min;
mod top_k;

use super::Area;

pub(super) fn area() -> Area {
    let mut area = Area::new("sketch", &["datasketches", "heavykeeper", "topk", "ahash"]);
    count_min::entries(&mut area);
    top_k::entries(&mut area);
    area
}
