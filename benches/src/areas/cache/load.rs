//! P11: single flight. What a miss that loads costs above an insertion, beside peers; and how many
//! loads there are when many ask at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use archstone_cache::Builder;
use archstone_cache::load::Loading;
use archstone_cache::policy::{Adaptive, Fifo};

use super::peers::{Hasher, Many, Moka, OursLocked, Quick, hasher};
use crate::areas::Area;
use crate::measure::{Budget, Race, Runner, interleave};
use crate::row::{Better, Row, Side, Subject, Unit};

const CAPACITY: usize = 10_000;
/// Twice the capacity, in a circle: first in, first out never hits.
const KEYS: u64 = 2 * CAPACITY as u64;
const LIMIT_NANOS: f64 = 60.0;

type Ours = Loading<u64, u64, Adaptive, Hasher>;

/// A cache that loads once for all.
trait Loads: Send + Sync + 'static {
    const NAME: &'static str;
    fn new(capacity: usize) -> Self;
    fn obtain(&self, key: u64, load: impl FnOnce() -> u64) -> u64;
}

impl Loads for Ours {
    const NAME: &'static str = "archstone-cache Loading";
    fn new(capacity: usize) -> Self {
        Self::new(<OursLocked as Many>::new(capacity))
    }
    fn obtain(&self, key: u64, load: impl FnOnce() -> u64) -> u64 {
        self.get_or_load(key, |_| load())
    }
}

impl Loads for Quick {
    const NAME: &'static str = "quick_cache sync";
    fn new(capacity: usize) -> Self {
        <Self as Many>::new(capacity)
    }
    fn obtain(&self, key: u64, load: impl FnOnce() -> u64) -> u64 {
        self.get_or_insert_with(&key, || Ok::<_, std::convert::Infallible>(load()))
            .expect("infallible")
    }
}

impl Loads for Moka {
    const NAME: &'static str = "moka sync";
    fn new(capacity: usize) -> Self {
        <Self as Many>::new(capacity)
    }
    fn obtain(&self, key: u64, load: impl FnOnce() -> u64) -> u64 {
        self.get_with(key, load)
    }
}

pub(super) fn entries(area: &mut Area) {
    area.rows("cache.P11/overhead", |run| vec![overhead(run.quick)]);
    area.race("cache.P11/parts", |_| {
        let [load, insert] = parts();
        Race::new("what P11/overhead takes the difference of", load).beside("insert", insert)
    });
    area.race("cache.P11/miss", |_| {
        Race::new(
            "get or load of keys never seen before, a full cache of 16 K entries",
            misses::<Ours>(),
        )
        .beats("quick_cache", misses::<Quick>(), 1.0)
        .beats("moka", misses::<Moka>(), 1.0)
    });
    area.rows("cache.P11/waiters", |_| waiters());
}

/// Every key is new, and for each another leaves.
fn misses<L: Loads>() -> Runner {
    const N: usize = 1 << 14;
    let (cache, mut keys) = (L::new(N), 0..);
    let mut some = move |cache: &L, n| {
        let keys = keys.by_ref().take(n);
        keys.fold(0_u64, |sum, key: u64| sum.wrapping_add(cache.obtain(key, || key)))
    };
    some(&cache, 3 * N);
    Runner::steady(L::NAME, N, cache, move |cache| some(cache, N))
}

/// A miss that loads less a plain insertion of the same key into an equal cache.
fn overhead(quick: bool) -> Row {
    let time = Duration::from_millis(if quick { 600 } else { 3000 });
    let budget = Budget { min_rounds: 5, max_rounds: 400, time };
    let timings = interleave(&mut parts(), &budget);
    let (load, insert) = (timings[0].best, timings[1].best);
    let what = "ns that a miss that loads takes more than an insertion, nobody waiting";
    let subject = Subject::new("cache.P11/overhead", what, Unit::Ns, Better::Lower);
    let side = Side::new("archstone-cache Loading", (load - insert).max(0.0));
    subject
        .limit(side, LIMIT_NANOS)
        .note(format!("{load:.0} ns and {insert:.0} ns, the look included"))
}

/// The two sides of that difference.
fn parts() -> [Runner; 2] {
    let build = || {
        let builder = Builder::new(CAPACITY).policy::<Fifo>().hasher(hasher());
        builder.shards(1).build_sync().expect("valid")
    };
    let loading = Loading::new(build());
    let load = Runner::steady("get_or_load", KEYS as usize, loading, |cache| {
        (0..KEYS).fold(0_u64, |sum, key| sum.wrapping_add(cache.get_or_load(key, |key| *key)))
    });
    let insert = Runner::steady("insert", KEYS as usize, build(), |cache| {
        (0..KEYS).for_each(|key| cache.insert(key, key).ignore());
    });
    [load, insert]
}

/// The most loads of one key when eight threads ask at once; the load lasts until all have had time
/// to ask.
fn most_loads<L: Loads>() -> u64 {
    const THREADS: usize = 8;
    let cache = L::new(1000);
    let worst = (0..40_u64).map(|key| {
        let (loads, barrier) = (AtomicU64::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    cache.obtain(key, || {
                        loads.fetch_add(1, Relaxed);
                        let start = Instant::now();
                        while start.elapsed() < Duration::from_micros(300) {
                            thread::yield_now();
                        }
                        key
                    });
                });
            }
        });
        loads.into_inner()
    });
    worst.max().unwrap_or(0)
}

fn waiters() -> Vec<Row> {
    let what = "most loads of a key for which 8 threads ask at once, 40 keys";
    let subject = Subject::new("cache.P11/waiters", what, Unit::Count, Better::Lower);
    let ours = || Side::new(Ours::NAME, most_loads::<Ours>() as f64);
    let peer = |name: &str, loads: u64| Side::new(name, loads as f64);
    vec![
        subject.clone().limit(ours(), 1.0),
        subject.at("quick_cache").against(
            ours(),
            peer(<Quick as Loads>::NAME, most_loads::<Quick>()),
            None,
        ),
        subject.at("moka").against(ours(), peer(<Moka as Loads>::NAME, most_loads::<Moka>()), None),
    ]
}
