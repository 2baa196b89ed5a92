//! Code of the user's that panics, at every call: the structure is whole after each, and nothing is
//! dropped twice.

mod common;

use archstone_cache::policy::{self, Adaptive, Lfu, Lirs, Lru, S3Fifo, TwoQueue, WTinyLfu};
use archstone_cache::{Builder, Manual, Policy};
use core::time::Duration;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

thread_local! {
    /// Calls of code of the user's until one panics.
    static FUSE: Cell<i64> = const { Cell::new(-1) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn burn() {
    FUSE.set(FUSE.get() - 1);
    assert!(FUSE.get() != 0, "burnt");
}

/// A key or value of which every use may panic.
struct Fragile(u64);

impl Fragile {
    fn new(n: u64) -> Self {
        LIVE.set(LIVE.get() + 1);
        Self(n)
    }
}
impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}
impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}
impl Eq for Fragile {}
impl Clone for Fragile {
    fn clone(&self) -> Self {
        burn();
        Self::new(self.0)
    }
}
impl Drop for Fragile {
    fn drop(&mut self) {
        LIVE.set(LIVE.get() - 1);
        if !std::thread::panicking() {
            burn();
        }
    }
}

/// Thousands of panics that are meant need no message.
fn quiet_about_fuses() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>().is_none_or(|text| *text != "burnt") {
                usual(info);
            }
        }));
    });
}

/// Every call of `Hash`, `Eq`, `Clone`, `Drop`, weigher, expiry and listener panics once, the
/// structure is whole after each, and nothing is dropped twice.
fn panics_everywhere<P: Policy>() {
    quiet_about_fuses();
    {
        for fuse in 1..400 {
            LIVE.set(0);
            let clock = Arc::new(Manual::default());
            let builder = || {
                Builder::weighted(9, |_: &Fragile, value: &Fragile| {
                    burn();
                    value.0 % 4
                })
                .policy::<P>()
                .expiry(|_, value| {
                    burn();
                    Some(Duration::from_secs(value.0))
                })
                .on_removal(|_, _, _| burn())
                .clock(Arc::clone(&clock))
            };
            let mut one = builder().build().unwrap();
            let many = builder().shards(2).build_sync().unwrap();
            FUSE.set(fuse);
            let mut random = common::Rng(fuse as u64);
            for _ in 0..40 {
                let (key, value) = (random.below(8), random.below(100));
                let verb = random.below(7);
                let one_ref = AssertUnwindSafe(&mut one);
                let _ = catch_unwind(move || {
                    let one = one_ref;
                    let one = one.0;
                    match verb {
                        0 | 1 => one.insert(Fragile::new(key), Fragile::new(value)).ignore(),
                        2 => drop(one.get(&Fragile::new(key)).map(|value| value.0)),
                        3 => drop(one.remove(&Fragile::new(key))),
                        4 => one.retain(|key, _| {
                            burn();
                            key.0 % 3 > 0
                        }),
                        5 => drop(one.reweigh(&Fragile::new(key))),
                        _ => drop(one.maintain(2)),
                    }
                });
                let many_ref = AssertUnwindSafe(&many);
                let _ = catch_unwind(move || {
                    let many = many_ref;
                    let many = many.0;
                    match verb {
                        0 | 1 => many.insert(Fragile::new(key), Fragile::new(value)).ignore(),
                        2 => drop(many.get(&Fragile::new(key))),
                        3 => drop(many.remove(&Fragile::new(key))),
                        4 => many.clear(),
                        5 => drop(many.reweigh(&Fragile::new(key))),
                        _ => drop(many.maintain(2)),
                    }
                });
                clock.advance(Duration::from_secs(3));
                one.validate();
                many.validate_alone();
            }
            FUSE.set(-1);
            drop((one, many));
            // What a panic interrupted may have been leaked, never dropped twice.
            assert!(LIVE.get() >= 0, "dropped twice");
        }
    }
}

#[test]
fn a_panic_in_code_of_the_users_leaves_a_whole_structure() {
    panics_everywhere::<Lru>();
    panics_everywhere::<Lfu>();
    panics_everywhere::<S3Fifo>();
    panics_everywhere::<Adaptive>();
    panics_everywhere::<TwoQueue>();
    panics_everywhere::<policy::Arc>();
    panics_everywhere::<Lirs>();
    panics_everywhere::<WTinyLfu>();
}
