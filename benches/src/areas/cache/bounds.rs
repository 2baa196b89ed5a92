//! P5: bytes an entry. P9: the capacity watched from beside, and the pauses of insertions. P10: what
//! expiry costs.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use archstone_cache::policy::{Adaptive, Lru, S3Fifo, Sieve};
use archstone_cache::{Builder, Manual, Policy, Time, unsync};

use super::one_owner::looks;
use super::peers::{
    Hasher, Hashlink, LruCrate, Many, Moka, One, Ours, OursLru, OursSync, Quick, QuickUnsync,
    Schnellru, hasher,
};
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::{Rng, distinct_keys};

const MILLION: usize = 1_000_000;

pub(super) fn entries(area: &mut Area) {
    area.rows("cache.P5", |_| bytes());
    area.rows("cache.P9", |run| {
        vec![watched(run.quick), pauses::<Adaptive>(), pauses::<S3Fifo>(), pauses::<Lru>()]
    });
    area.race("cache.P10/get", |_| {
        let keys = distinct_keys(1, 100_000);
        let looks = looks(&keys);
        let runner = |name: &str, cache: unsync::Cache<u64, u64, Adaptive, Hasher>| {
            let looks = looks.clone();
            Runner::steady(name, looks.len(), cache, move |cache| {
                let now = Time::from_secs(1);
                looks.iter().fold(0_u64, |sum, key| {
                    sum.wrapping_add(*cache.get_at(key, now).expect("a hit"))
                })
            })
        };
        let fill = |builder: Builder<u64, u64>| {
            let mut cache = builder.hasher(hasher()).build().expect("valid");
            keys.iter().for_each(|&key| cache.insert(key, key).ignore());
            cache
        };
        let ttl =
            Builder::new(125_000).time_to_live(Duration::from_secs(3600)).clock(Manual::default());
        Race::new(
            "hits of 100 K entries, the default policy, caller's time",
            runner("archstone-cache with TTL", fill(ttl)),
        )
        .at_most(1.15, "without", runner("archstone-cache", fill(Builder::new(125_000))))
    });
    area.rows("cache.P10/maintain", |_| {
        let mut cache = Builder::new(MILLION)
            .hasher(hasher())
            .time_to_live(Duration::from_secs(1))
            .clock(Manual::default())
            .build()
            .expect("valid");
        (0..MILLION as u64).for_each(|key| cache.insert(key, key).ignore());
        let mut worst = 0;
        let mut calls = 0;
        while !cache.is_empty() {
            let before = cache.len();
            let looked = cache.maintain_at(10_000, Time::from_secs(5));
            worst = worst.max(looked).max(before - cache.len());
            calls += 1;
        }
        let what = "most entries looked at by a call that may look at 10,000; 1 M have expired";
        let subject = Subject::new("cache.P10/maintain", what, Unit::Count, Better::Lower);
        vec![
            subject
                .limit(Side::new("archstone-cache", worst as f64), 10_000.0)
                .note(format!("{calls} calls")),
        ]
    });
}

/// Live heap after 1.1 M insertions into a capacity of 1 M, over what is held.
fn bytes() -> Vec<Row> {
    let what = "bytes an entry, u64 to u64, 1.1 M inserted into a capacity of 1 M";
    let keys = distinct_keys(1, MILLION + MILLION / 10);
    let one = |put: &mut dyn FnMut(u64)| keys.iter().for_each(|&key| put(key));
    type Fill<'a> = &'a dyn Fn(&mut dyn FnMut(u64));
    fn of<C: One>(fill: Fill<'_>) -> Side {
        let (_cache, used) = memory::used(|| {
            let mut cache = C::new(MILLION);
            fill(&mut |key| cache.keep(key, key));
            cache
        });
        Side::new(C::NAME, used.live as f64 / MILLION as f64)
    }
    fn of_many<C: Many>(fill: Fill<'_>) -> Side {
        let (_cache, used) = memory::used(|| {
            let cache = C::new(MILLION);
            fill(&mut |key| cache.keep(key, key));
            cache
        });
        Side::new(C::NAME, used.live as f64 / MILLION as f64)
    }
    let subject =
        |id: &str| Subject::new(&format!("cache.P5/{id}"), what, Unit::Bytes, Better::Lower);
    let with_ttl = |ttl: bool| {
        let (_cache, used) = memory::used(|| {
            let mut builder =
                Builder::new(MILLION).policy::<Lru>().hasher(hasher()).clock(Manual::default());
            if ttl {
                builder = builder.time_to_live(Duration::from_secs(60));
            }
            let mut cache = builder.build().expect("valid");
            one(&mut |key| cache.insert(key, key).ignore());
            cache
        });
        used.live as f64 / MILLION as f64
    };
    let ours = of::<OursLru>(&one);
    vec![
        subject("LRU").limit(ours.clone(), 36.0),
        subject("SIEVE").limit(of::<Ours<Sieve>>(&one), 40.0),
        subject("S3-FIFO").limit(of::<Ours<S3Fifo>>(&one), 40.0),
        subject("Adaptive").information(of::<Ours<Adaptive>>(&one)),
        subject("sync").limit(of_many::<OursSync>(&one), 44.0),
        subject("more-with-TTL")
            .limit(Side::new("archstone-cache LRU", with_ttl(true) - with_ttl(false)), 8.0),
        subject("LRU/schnellru").against(ours.clone(), of::<Schnellru>(&one), None),
        subject("LRU/hashlink").against(ours.clone(), of::<Hashlink>(&one), None),
        subject("LRU/lru").against(ours, of::<LruCrate>(&one), None),
        subject("S3-FIFO/quick_cache").against(
            of::<Ours<S3Fifo>>(&one),
            of::<QuickUnsync>(&one),
            None,
        ),
        subject("sync/quick_cache").against(
            of_many::<OursSync>(&one),
            of_many::<Quick>(&one),
            None,
        ),
        subject("sync/moka").against(of_many::<OursSync>(&one), of_many::<Moka>(&one), None),
    ]
}

/// Two threads insert, this one looks at `len` and `weight` all the time.
fn watched(quick: bool) -> Row {
    const CAPACITY: usize = 10_000;
    let cache = <OursSync as Many>::new(CAPACITY);
    let (done, rounds) = (AtomicBool::new(false), if quick { 300_000 } else { 3_000_000 });
    let (most, looks) = thread::scope(|scope| {
        let workers: Vec<_> = (0..2)
            .map(|thread| {
                let cache = &cache;
                scope.spawn(move || {
                    let mut rng = Rng::new(thread);
                    for _ in 0..rounds {
                        let key = rng.below(40_000);
                        if rng.below(8) == 0 {
                            let _ = cache.remove(&key);
                        } else {
                            cache.insert(key, key).ignore();
                        }
                    }
                })
            })
            .collect();
        let watcher = scope.spawn(|| {
            let (mut most, mut looks) = (0, 0_u64);
            while !done.load(Relaxed) {
                most = most.max(cache.len()).max(cache.weight() as usize);
                looks += 1;
            }
            (most, looks)
        });
        workers.into_iter().for_each(|worker| worker.join().expect("no panic"));
        done.store(true, Relaxed);
        watcher.join().expect("no panic")
    });
    let what = "most entries ever seen in a capacity of 10,000 by a watcher beside two writers";
    Subject::new("cache.P9/capacity", what, Unit::Count, Better::Lower)
        .limit(Side::new("archstone-cache", most as f64), CAPACITY as f64)
        .note(format!("{looks} looks"))
}

/// The 99.99th percentile of an insertion into a full cache over the median.
fn pauses<P: Policy>() -> Row
where
    Ours<P>: One,
{
    let mut cache = Ours::<P>::new(100_000);
    let keys = distinct_keys(5, 1_100_000);
    let mut nanos: Vec<u64> = keys
        .iter()
        .map(|&key| {
            let start = Instant::now();
            cache.keep(key, key);
            start.elapsed().as_nanos() as u64
        })
        .skip(100_000)
        .collect();
    nanos.sort_unstable();
    let (median, tail) = (nanos[nanos.len() / 2], nanos[nanos.len() / 10_000 * 9_999]);
    let what = "p99.99 of an insertion that evicts, over the median";
    Subject::new(&format!("cache.P9/pause/{}", P::NAME), what, Unit::Ratio, Better::Lower)
        .limit(Side::new(<Ours<P> as One>::NAME, tail as f64 / median as f64), 20.0)
        .note(format!("median {median} ns, p99.99 {tail} ns, clock reading included"))
}
