//! P8: binary fuse filters of 8 bits, built and asked.

use std::sync::Arc;

use archstone_sketch::membership::{BinaryFuse, Filter};
use xorf::Filter as _;

use crate::areas::{Area, Run};
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::distinct_keys;

const OURS: &str = "archstone-sketch BinaryFuse<u8>";
const PEER: &str = "xorf BinaryFuse8";
const ASKED: usize = 1 << 20;

pub(super) fn entries(area: &mut Area) {
    for (name, n) in [("n=100k", 100_000), ("n=1M", 1_000_000)] {
        area.race(format!("sketch.P8/{name}/build"), move |_| build(n));
        area.race(format!("sketch.P8/{name}/contains"), move |_| contains(n));
    }
    area.race("sketch.P8/n=10M/build", |run| build(most(run)));
    area.race("sketch.P8/n=10M/contains", |run| contains(most(run)));
    area.rows("sketch.P8/n=1M/bits", |_| bits(1_000_000));
}

fn most(run: &Run) -> usize {
    if run.quick { 4_000_000 } else { 10_000_000 }
}

fn workload(n: usize) -> String {
    format!("{n} distinct u64 keys")
}

fn build(n: usize) -> Race {
    let keys: Arc<[u64]> = distinct_keys(1, n).into();
    let theirs = Arc::clone(&keys);
    let ours = Runner::steady(OURS, n, keys, |keys| BinaryFuse::<u8>::new(keys).unwrap());
    let peer = Runner::steady(PEER, n, theirs, |keys| xorf::BinaryFuse8::try_from(&keys[..]));
    Race::new(workload(n), ours).beats("xorf", peer, 1.3)
}

fn contains(n: usize) -> Race {
    let keys = distinct_keys(1, n);
    let ours = BinaryFuse::<u8>::new(&keys).unwrap();
    let peer = xorf::BinaryFuse8::try_from(&keys).unwrap();
    let asked: Arc<[u64]> = distinct_keys(2, ASKED).into();
    let state = (ours, Arc::clone(&asked));
    let batch = Runner::steady(format!("{OURS} batch"), ASKED, (state.clone(), Vec::new()), {
        |((filter, keys), found)| {
            let mut hits = 0;
            for keys in keys.chunks(4096) {
                filter.contains_all(keys, found);
                hits += found.iter().filter(|&&found| found).count();
            }
            hits
        }
    });
    let ours = Runner::steady(OURS, ASKED, state, |(filter, keys)| {
        keys.iter().filter(|&key| filter.contains(key)).count()
    });
    let peer = Runner::steady(PEER, ASKED, (peer, asked), |(filter, keys)| {
        keys.iter().filter(|&key| filter.contains(key)).count()
    });
    Race::new(format!("{}, asked for others", workload(n)), ours)
        .beats("xorf", peer, 1.0)
        .beside("own-batch", batch)
}

fn bits(n: usize) -> Vec<Row> {
    let keys = distinct_keys(1, n);
    let bits = |bytes: usize| bytes as f64 * 8.0 / n as f64;
    let ours = Side::new(OURS, bits(BinaryFuse::<u8>::new(&keys).unwrap().bytes()));
    let peer = Side::new(PEER, bits(xorf::BinaryFuse8::try_from(&keys).unwrap().len()));
    let subject =
        |id| Subject::new(id, "bits a key, 1 M keys", Unit::Count, Better::Lower);
    vec![
        subject("sketch.P8/n=1M/bits").limit(ours.clone(), 9.02),
        subject("sketch.P8/n=1M/bits/xorf").against(ours, peer, Some(1.0)),
    ]
}
