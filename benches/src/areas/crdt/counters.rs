//! C6 and C10: counters, and maps by the last write.

use std::collections::HashMap;

use archstone_crdt::clock::Timestamp;
use archstone_crdt::counter::PnCounter;
use archstone_crdt::map::LwwMap;
use archstone_crdt::{Lattice, ReplicaId};
use crdts::{CmRDT, CvRDT, LWWReg, MVReg, Map, PNCounter};

use super::{Area, OURS, ids};
use crate::measure::{Race, Runner};

const CALLS: usize = 500;
const KEYS: u64 = 10_000;

pub(super) fn add(area: &mut Area) {
    area.race("crdt.C6/merge/n=100", |_| counter_merge(100));
    area.race("crdt.C6/read/n=100", |_| counter_read(100));
    for relation in ["identical", "concurrent"] {
        area.race(format!("crdt.C10/{relation}"), move |_| map_merge(relation));
    }
}

fn ours(n: usize) -> PnCounter {
    let mut counter = PnCounter::new();
    for (i, id) in ids(n).into_iter().enumerate() {
        counter.add(ReplicaId(id), 100 + i as i64).expect("small");
        counter.add(ReplicaId(id), -50 - i as i64).expect("small");
    }
    counter
}

fn of_crdts(n: usize) -> PNCounter<u64> {
    let mut counter = PNCounter::new();
    for (i, id) in ids(n).into_iter().enumerate() {
        counter.apply(counter.inc_many(id, 100 + i as u64));
        counter.apply(counter.dec_many(id, 50 + i as u64));
    }
    counter
}

fn counter_merge(n: usize) -> Race {
    let mine = Runner::steady(OURS, CALLS, (ours(n), ours(n)), |(a, b)| {
        for _ in 0..CALLS {
            std::hint::black_box(a.merge(std::hint::black_box(b)));
        }
    });
    let crdts = Runner::steady("crdts", CALLS, (of_crdts(n), of_crdts(n)), |(a, b)| {
        for _ in 0..CALLS {
            a.merge(std::hint::black_box(&*b).clone());
        }
    });
    Race::new(format!("merge a counter of {n} replicas"), mine).beats("crdts", crdts, 30.0)
}

fn counter_read(n: usize) -> Race {
    let mine = Runner::steady(OURS, CALLS, ours(n), |counter| {
        for _ in 0..CALLS {
            std::hint::black_box(std::hint::black_box(&*counter).value());
        }
    });
    let crdts = Runner::steady("crdts", CALLS, of_crdts(n), |counter| {
        for _ in 0..CALLS {
            std::hint::black_box(std::hint::black_box(&*counter).read());
        }
    });
    Race::new(format!("read a counter of {n} replicas"), mine).beats("crdts", crdts, 10.0)
}

type Plain = HashMap<u64, LWWReg<u64, (u64, u64)>, ahash::RandomState>;

/// Keys 0..10,000; concurrent: each side wrote half of them later.
fn stamp(key: u64, side: u64, relation: &str) -> u64 {
    if relation == "identical" { key + 1 } else { 20_000 + key + ((key + side) % 2) * 50_000 }
}

fn map_merge(relation: &'static str) -> Race {
    let mine = |side| {
        let mut map = LwwMap::<u64, u64>::new();
        for key in 0..KEYS {
            let id = if relation == "identical" { 0 } else { side };
            map.insert(Timestamp::from_u64(stamp(key, side, relation), ReplicaId(id)), key, key * 3);
        }
        map
    };
    let plain = |side| -> Plain {
        (0..KEYS)
            .map(|key| (key, LWWReg { val: key * 3, marker: (stamp(key, side, relation), 0) }))
            .collect()
    };
    let peer = |side: u64| {
        let mut map: Map<u64, MVReg<u64, u64>, u64> = Map::new();
        for key in 0..KEYS {
            let ctx = map.read_ctx().derive_add_ctx(if relation == "identical" { 0 } else { side });
            let op = map.update(key, ctx, |register, ctx| register.write(key * 3, ctx));
            map.apply(op);
        }
        map
    };
    let ours = (mine(0), mine(1));
    let mine = Runner::fresh(OURS, KEYS as usize, {
        let ours = ours.0.clone();
        move || ours.clone()
    }, move |mut a: LwwMap<u64, u64>| {
        a.merge(&ours.1);
        a
    });
    let (a, b) = (plain(0), plain(1));
    let plain = Runner::fresh("floor: HashMap of crdts::LWWReg", KEYS as usize, move || a.clone(), move |mut a: Plain| {
        for (key, register) in &b {
            match a.get_mut(key) {
                Some(ours) => ours.merge(register.clone()),
                None => drop(a.insert(*key, register.clone())),
            }
        }
        a
    });
    let (a, b) = (peer(0), peer(1));
    let crdts = Runner::fresh("crdts::Map", KEYS as usize, move || (a.clone(), b.clone()), |(mut a, b)| {
        a.merge(b);
        a
    });
    Race::new(format!("merge a map of 10,000 keys, {relation}"), mine)
        .at_most(1.0, "HashMap", plain)
        .beats("crdts", crdts, 100.0)
}
