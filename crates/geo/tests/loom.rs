//! Every interleaving of moves, removals and questions of the shared index.
//!
//! `RUSTFLAGS="--cfg archstone_loom" cargo test -p archstone-geo --test loom`
#![cfg(archstone_loom)]

use archstone_core::shim::{Arc, thread};
use archstone_geo::{LatLng, Meters, SharedIndex, Time};
use std::hash::{BuildHasherDefault, Hasher};

/// Keys choose their shard: bit 40 of the hash is the key's lowest.
#[derive(Default)]
struct ByKey(u64);

impl Hasher for ByKey {
    fn finish(&self) -> u64 {
        self.0 << 40 | self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

type Index = SharedIndex<u64, BuildHasherDefault<ByKey>>;

/// Every interleaving with at most two preemptions (Musuvathi and Qadeer), of which there are at
/// least `least`: a model whose threads never meet has one.
fn model(least: usize, body: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.max_branches = 100_000;
    // Not of loom: it lives through all of them.
    let seen = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = seen.clone();
    builder.check(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        body();
    });
    let seen = seen.load(std::sync::atomic::Ordering::Relaxed);
    println!("{seen} interleavings");
    assert!(seen >= least, "{seen} interleavings, expected {least} or more");
}

fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).unwrap()
}

fn index() -> Arc<Index> {
    Arc::new(Index::with_shards(2, BuildHasherDefault::default()))
}

#[test]
fn one_that_crosses_the_earth_during_a_question_comes_exactly_once() {
    model(2, || {
        let index = index();
        index.upsert(0, at(10.0, 10.0));
        index.upsert(1, at(10.0, 10.1));
        let other = index.clone();
        let mover = thread::spawn(move || {
            other.upsert(0, at(-10.0, -170.0));
            other.upsert(1, at(-10.0, -169.9));
        });
        let mut seen: Vec<u64> =
            index.within(at(10.0, 10.0), Meters(2.1e7)).iter().map(|hit| hit.0).collect();
        seen.sort_unstable();
        assert_eq!(seen, [0, 1]);
        let near = index.nearest(at(-10.0, -170.0), 2);
        assert!(near.len() == 2 && near[0].0 != near[1].0 && near[0].1 <= near[1].1);
        mover.join().unwrap();
        index.validate();
    });
}

#[test]
fn of_two_threads_that_put_or_take_one_key_each_sees_the_others_step_or_none() {
    model(2, || {
        let index = index();
        index.upsert(1, at(0.0, 0.0));
        let other = index.clone();
        let remover = thread::spawn(move || other.remove(&1));
        let before = index.upsert(1, at(1.0, 1.0));
        let removed = remover.join().unwrap();
        // Put first: it saw the old place, and what was taken out is the new one; or the other way.
        let there = index.position(&1);
        match before {
            Some(_) => assert!(removed == Some(at(1.0, 1.0)) && there.is_none()),
            None => assert!(removed == Some(at(0.0, 0.0)) && there == Some(at(1.0, 1.0))),
        }
        index.validate();
    });
}

#[test]
fn one_that_is_renewed_in_time_is_not_expired() {
    model(2, || {
        let index = index();
        index.upsert_until(1, at(0.0, 0.0), Time::from_secs(1));
        let other = index.clone();
        let renewer = thread::spawn(move || other.upsert_until(1, at(0.0, 0.0), Time::MAX));
        let expired = index.expire(Time::from_secs(1));
        let renewed = renewer.join().unwrap();
        // Expired first: the renewal put it in anew. Otherwise it found it there.
        assert_eq!(expired == 1, renewed.is_none());
        assert_eq!(index.len(), 1);
    });
}
