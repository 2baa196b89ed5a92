//! Placement beside the published crates: a file a family.
//!
//! Text keys cost each contender its own hash, as its users pay it. Where a peer hashes with std's
//! SipHash under random keys, the keys are fixed so that runs repeat; the algorithm is the same.

mod buckets;
mod change;
mod many;
mod replicas;
mod ring;

use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::sync::Arc;

use archstone_hashring::{Hashed, Locate, NodeId, NodeIx, Ring, Weight};
use pingora_ketama::Bucket;

use super::{Area, Run};
use crate::measure::Runner;
use crate::workload;

const OURS: &str = "archstone-hashring";

const PEERS: &[&str] = &[
    "pingora-ketama",
    "hash-rings",
    "hashring",
    "power-consistent-hash",
    "fliphash",
    "jumpconsistenthash",
    "anchorhash",
    "hrw-hash",
    "mpchash",
    "maglev",
];

pub(super) fn area() -> Area {
    let mut area = Area::new("hashring", PEERS);
    ring::entries(&mut area);
    buckets::entries(&mut area);
    many::entries(&mut area);
    replicas::entries(&mut area);
    change::entries(&mut area);
    area
}

type Sip = BuildHasherDefault<DefaultHasher>;

fn name(i: usize) -> String {
    format!("10.{}.{}.{}:80", i / 62_500, i / 250 % 250, i % 250)
}

fn address(i: usize) -> SocketAddr {
    name(i).parse().expect("an address")
}

fn nodes(n: usize) -> impl Iterator<Item = (NodeId, Weight)> {
    (0..n).map(|i| (NodeId::of(&name(i)), Weight::ONE))
}

fn ours(n: usize) -> Ring {
    Ring::new().build(nodes(n)).expect("a ring")
}

fn buckets(n: usize) -> Vec<Bucket> {
    (0..n).map(|i| Bucket::new(address(i), 1)).collect()
}

/// 21-byte text keys in random order.
fn texts(run: &Run) -> Arc<[String]> {
    let count = if run.quick { 1 << 17 } else { 1 << 20 };
    workload::distinct_keys(1, count).iter().map(|key| format!("user:{key:016x}")).collect()
}

fn numbers(run: &Run) -> Arc<[u64]> {
    workload::distinct_keys(2, if run.quick { 1 << 17 } else { 1 << 20 }).into()
}

fn by_text<S: 'static>(
    name: &str,
    keys: &Arc<[String]>,
    state: S,
    find: impl Fn(&S, &str) -> usize + 'static,
) -> Runner {
    let state = (state, Arc::clone(keys));
    Runner::steady(name, keys.len(), state, move |(state, keys)| {
        keys.iter().fold(0_usize, |sum, key| sum.wrapping_add(find(state, key)))
    })
}

fn by_number<S: 'static>(
    name: &str,
    keys: &Arc<[u64]>,
    state: S,
    find: impl Fn(&S, u64) -> usize + 'static,
) -> Runner {
    let state = (state, Arc::clone(keys));
    Runner::steady(name, keys.len(), state, move |(state, keys)| {
        keys.iter().fold(0_usize, |sum, &key| sum.wrapping_add(find(state, key)))
    })
}

fn owner(placement: &impl Locate, key: Hashed) -> usize {
    placement.locate(key).map_or(0, NodeIx::index)
}
