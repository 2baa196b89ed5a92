//! P16: the summaries of 64 workers made into one; nanoseconds a merge.

use archstone_sketch::distinct::{DsHll, DsHllUnion, HllType};
use archstone_sketch::frequency::{SetSpaceSaving, SpaceSaving};
use archstone_sketch::{CountMin, Merge};
use datasketches::countmin::CountMinSketch;
use datasketches::frequencies::FrequentItemsSketch;
use datasketches::hll::{HllSketch, HllType as PeerType, HllUnion};

use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::workload::zipf_keys;

const WORKERS: usize = 64;
const EVENTS: usize = 1 << 15;
const GOAL: f64 = 2.0;
const LG: u8 = 14;
const SLOTS: usize = 1024;

pub(super) fn entries(area: &mut Area) {
    area.race("sketch.P16/count-min", |_| {
        let ours = merger(
            "archstone-sketch CountMin u32",
            || CountMin::<u32>::new(4, 1 << 16).unwrap(),
            |sketch, key| sketch.add(&key),
            |all, one| all.merge(one).unwrap(),
        );
        let peer = merger(
            "datasketches CountMin u32",
            || CountMinSketch::<u32>::new(4, 1 << 16).unwrap(),
            |sketch, key| sketch.update(key),
            |all, one| all.merge(one).unwrap(),
        );
        Race::new("64 tables of 4 x 2^16", ours).beats("datasketches", peer, GOAL)
    });
    area.race("sketch.P16/hll", |_| {
        let ours = union(
            "archstone-sketch DsHll",
            || DsHll::new(LG, HllType::Eight).unwrap(),
            |sketch, key| sketch.add(&key),
            || DsHllUnion::new(LG).unwrap(),
            |all, one| all.add(one),
        );
        let peer = union(
            "datasketches HLL8",
            || HllSketch::new(LG, PeerType::Hll8).unwrap(),
            |sketch, key| sketch.update(key),
            || HllUnion::new(LG).unwrap(),
            |all, one| all.update(one),
        );
        Race::new("64 sketches of 2^14 registers", ours).beats("datasketches", peer, GOAL)
    });
    // What `TopK` counts with, and the summary whose bounds hold always, as the peer's do.
    area.race("sketch.P16/top-k", |_| {
        let ours = merger(
            "archstone-sketch SetSpaceSaving 1024",
            || SetSpaceSaving::<u64>::new(SLOTS).unwrap(),
            |sketch, key| {
                sketch.add(&key);
            },
            |all, one| all.merge(one).unwrap(),
        );
        Race::new(TOP_K, ours).beats("datasketches", frequent_items(), GOAL)
    });
    area.race("sketch.P16/top-k-certain", |_| {
        let ours = merger(
            "archstone-sketch SpaceSaving 1024",
            || SpaceSaving::<u64>::new(SLOTS).unwrap(),
            |sketch, key| {
                sketch.add(&key);
            },
            |all, one| all.merge(one).unwrap(),
        );
        Race::new(TOP_K, ours).beats("datasketches", frequent_items(), GOAL)
    });
}

const TOP_K: &str = "64 summaries of 1024 slots";

fn frequent_items() -> Runner {
    merger(
        "datasketches FrequentItems 1024",
        || FrequentItemsSketch::<u64>::new(SLOTS).unwrap(),
        |sketch, key| sketch.update(key),
        |all, one| all.merge(one),
    )
}

/// All into the first.
fn merger<S: 'static>(
    name: &str,
    new: fn() -> S,
    add: fn(&mut S, u64),
    merge: fn(&mut S, &S),
) -> Runner {
    union(name, new, add, new, merge)
}

/// All into an empty union.
fn union<S: 'static, U: 'static>(
    name: &str,
    new: fn() -> S,
    add: fn(&mut S, u64),
    empty: fn() -> U,
    merge: fn(&mut U, &S),
) -> Runner {
    let worker = |seed| {
        let mut sketch = new();
        zipf_keys(seed, 1.1, 1 << 20, EVENTS).into_iter().for_each(|key| add(&mut sketch, key));
        sketch
    };
    let workers: Vec<S> = (0..WORKERS as u64).map(worker).collect();
    Runner::fresh(name, WORKERS, empty, move |mut all| {
        workers.iter().for_each(|one| merge(&mut all, one));
        all
    })
}
