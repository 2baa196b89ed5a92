//! P3: one thread. P4: two threads. Reads and writes of a warm cache, no fill on a miss.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use super::one_owner::looks;
use super::peers::{Foyer, Many, MiniMoka, Moka, MutexLru, OursLocked, OursSync, Quick, Ufo};
use crate::areas::Area;
use crate::measure::{Race, Runner, interleave, measured_section};
use crate::row::{Better, Side, Subject, Unit};
use crate::workload::{Rng, distinct_keys, zipf_keys};

const CAPACITY: usize = 100_000;
const OPERATIONS: usize = 1 << 18;

pub(super) fn entries(area: &mut Area) {
    for (name, n) in [("100K", 100_000), ("1M", 1_000_000)] {
        area.race(format!("cache.P3/hit/n={name}"), move |run| {
            let keys: Arc<[u64]> = distinct_keys(1, n).into();
            let looks = looks(&keys);
            let race = Race::new(
                format!("{} hits of {n} entries, uniform, one thread", looks.len()),
                hits::<OursSync>(&keys, &looks),
            )
            .beats("quick_cache", hits::<Quick>(&keys, &looks), 1.4)
            .beside("locked-reads", hits::<OursLocked>(&keys, &looks))
            .beside("TinyUFO", hits::<Ufo>(&keys, &looks));
            if run.quick {
                return race;
            }
            race.beside("moka", hits::<Moka>(&keys, &looks))
                .beside("mini-moka", hits::<MiniMoka>(&keys, &looks))
                .beside("foyer-memory", hits::<Foyer>(&keys, &looks))
        });
    }
    for writes in [0, 5, 25] {
        area.race(format!("cache.P3/writes={writes}%"), move |_| {
            let work = Work::new(writes);
            Race::new(work.name(1), many::<OursSync>(&work, 1))
                .beats("quick_cache", many::<Quick>(&work, 1), 1.3)
                .beside("mutexed-lru", many::<MutexLru>(&work, 1))
                .beside("TinyUFO", many::<Ufo>(&work, 1))
        });
    }
    for (writes, goal) in [(0, 1.25), (5, 1.5), (25, 1.3)] {
        area.race(format!("cache.P4/writes={writes}%"), move |run| {
            let work = Work::new(writes);
            let race = Race::new(work.name(2), many::<OursSync>(&work, 2));
            let race = if writes == 0 {
                race.beats("TinyUFO", many::<Ufo>(&work, 2), goal)
                    .beside("mutexed-lru", many::<MutexLru>(&work, 2))
                    .beside("quick_cache", many::<Quick>(&work, 2))
            } else {
                race.beats("TinyUFO", many::<Ufo>(&work, 2), goal)
                    .beats("mutexed-lru", many::<MutexLru>(&work, 2), goal)
                    .beats("quick_cache", many::<Quick>(&work, 2), goal)
            };
            if run.quick {
                return race;
            }
            race.beside("moka", many::<Moka>(&work, 2))
                .beside("foyer-memory", many::<Foyer>(&work, 2))
                .beside("locked-reads", many::<OursLocked>(&work, 2))
        });
    }
    area.rows("cache.P4/scaling", |run| {
        let work = Work::new(0);
        let mut runners = [many::<OursSync>(&work, 2), many::<OursSync>(&work, 1)];
        let timings = interleave(&mut runners, &run.budget);
        let subject =
            Subject::new("cache.P4/scaling", "reads by two threads", Unit::Ns, Better::Lower);
        let two = Side::new("archstone-cache, two threads", timings[0].best);
        let one = Side::new("floor: archstone-cache, one thread", timings[1].best);
        vec![subject.against(two, one, Some(1.6))]
    });
}

fn hits<C: Many>(keys: &[u64], looks: &Arc<[u64]>) -> Runner {
    let cache = C::new(keys.len() + keys.len() / 4);
    keys.iter().for_each(|&key| cache.keep(key, key));
    let looks = Arc::clone(looks);
    // Peers that refuse or lag behind may miss a few.
    Runner::steady(C::NAME, looks.len(), cache, move |cache| {
        looks.iter().fold(0_u64, |sum, &key| sum.wrapping_add(cache.look(key).unwrap_or(0)))
    })
}

/// What each thread does: keys, and which of them are written (the lowest bit of the pair).
struct Work {
    writes: u64,
    warm: Arc<[u64]>,
    threads: Vec<Arc<[(u64, bool)]>>,
}

impl Work {
    fn new(writes: u64) -> Self {
        let operations = |thread: u64| {
            let mut rng = Rng::new(thread);
            zipf_keys(10 + thread, 0.99, 1_000_000, OPERATIONS)
                .into_iter()
                .map(|key| (key, rng.below(100) < writes))
                .collect()
        };
        Self {
            writes,
            warm: zipf_keys(9, 0.99, 1_000_000, 1 << 20).into(),
            threads: (0..2).map(operations).collect(),
        }
    }

    fn name(&self, threads: usize) -> String {
        format!(
            "Zipf 0.99 over 1 M keys, capacity 100 K, {} % written, {threads} thread(s)",
            self.writes
        )
    }
}

fn run<C: Many>(cache: &C, work: &[(u64, bool)]) -> u64 {
    let mut sum = 0_u64;
    for &(key, write) in work {
        if write {
            cache.keep(key, key);
        } else {
            sum = sum.wrapping_add(cache.look(key).unwrap_or(0));
        }
    }
    sum
}

/// The time from the first start to the last end, over the operations of all threads.
fn many<C: Many>(work: &Work, threads: usize) -> Runner {
    let cache = Arc::new(C::new(CAPACITY));
    for &key in work.warm.iter() {
        if cache.look(key).is_none() {
            cache.keep(key, key);
        }
    }
    let lists: Vec<_> = work.threads[..threads].to_vec();
    Runner::custom(C::NAME, OPERATIONS * threads, move || {
        if let [only] = &lists[..] {
            let start = Instant::now();
            std::hint::black_box(measured_section(|| run(&*cache, only)));
            return start.elapsed();
        }
        let barrier = Barrier::new(lists.len());
        let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
            let workers: Vec<_> = lists
                .iter()
                .map(|list| {
                    let (barrier, cache) = (&barrier, &cache);
                    scope.spawn(move || {
                        barrier.wait();
                        let start = Instant::now();
                        std::hint::black_box(run(&**cache, list));
                        (start, Instant::now())
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
        });
        let start = spans.iter().map(|span| span.0).min().expect("a thread");
        spans.iter().map(|span| span.1).max().expect("a thread") - start
    })
}
