//! Keyed leases, acquired and released: P1 to P5 and P7.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use archstone_lock::{Clock, Event, LeaseTable, Monotonic, Time};
use keyed_lock::sync::KeyedLock;
use lock_db::{LockManager, LockMode, ResourceId, TxnId};
use lockable::LockPool;

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::memory;
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload::Rng;

const OPERATIONS: usize = 1 << 16;
const KEYS: u64 = 1 << 20;
const TTL: Duration = Duration::from_secs(30);

type Table<K> = LeaseTable<K>;
type Map<V> = dashmap::DashMap<u64, V, ahash::RandomState>;

pub(super) fn entries(area: &mut Area) {
    area.race("lock.P1/K", |_| {
        let keys = drawn();
        Race::new("acquire and release, u64 keys of 2^20, nothing held", ours(Table::new(), &keys))
            .beats("lockable", pool(LockPool::new(), &keys), 3.0)
            .beats("keyed-lock", keyed(KeyedLock::new(), &keys), 2.5)
            .beats("lock-db", manager(LockManager::new(), &keys), 3.0)
            .beats("dashmap", map(Map::default(), &keys), 1.0)
            .beside("8-shards", few_shards(&keys))
    });
    area.race("lock.P1/K/threads=2", |_| {
        let keys = drawn();
        Race::new("the same by two threads", two(OURS, Table::<u64>::new(), &keys, |table, key, now| {
            let lease = table.try_acquire(now, &key, TTL).ok()?;
            table.release(now, lease).ok()
        }))
        .beats("lockable", two("lockable LockPool", LockPool::new(), &keys, |pool, key, _| pool.try_lock(key).map(drop)), 3.0)
        .beats("keyed-lock", two("keyed-lock", KeyedLock::new(), &keys, |locks, key, _| { drop(locks.lock(key)); Some(()) }), 2.5)
        .beats("dashmap", two("DashMap insert and remove", Map::<u64>::default(), &keys, |map, key, _| map_cycle(map, key)), 1.0)
    });
    area.race("lock.P2/H", |_| {
        let keys = drawn();
        // Even keys are held by others, odd ones come and go.
        let odd: Arc<[u64]> = keys.iter().map(|key| key * 2 + 1).collect();
        let held = || (0..KEYS).map(|key| key * 2);
        let table = Table::new();
        held().for_each(|key| assert!(table.try_acquire(Time::ZERO, &key, Duration::from_secs(100_000)).is_ok()));
        let full = Map::default();
        held().for_each(|key| assert_eq!(full.insert(key, key), None));
        let pool_full = Box::leak(Box::new(LockPool::new()));
        held().for_each(|key| std::mem::forget(pool_full.try_lock(key)));
        let keyed_full: &'static KeyedLock<u64> = Box::leak(Box::new(KeyedLock::new()));
        held().for_each(|key| std::mem::forget(keyed_full.lock(key)));
        Race::new("acquire and release, 2^20 others held", ours(table, &odd))
            .beats("lockable", pool(&*pool_full, &odd), 3.0)
            .beats("keyed-lock", keyed(keyed_full, &odd), 2.5)
            .beats("dashmap", map(full, &odd), 1.0 / 1.1)
    });
    area.race("lock.P3/armed", |_| {
        let keys = drawn();
        let forever = cycle("floor: no deadline", Table::new(), &keys, |table, key, now| {
            let lease = table.try_acquire(now, key, Duration::MAX).ok()?;
            table.release(now, lease).ok()
        });
        Race::new("P1 with a deadline armed", ours(Table::new(), &keys)).at_most(1.25, "floor", forever)
    });
    area.race("lock.P3/system-clock", |_| {
        let keys = drawn();
        let clock = Monotonic::new();
        let own = cycle(OURS, (Table::new(), clock), &keys, |(table, clock), key, _| {
            let now = clock.now();
            let lease = table.try_acquire(now, key, TTL).ok()?;
            table.release(now, lease).ok()
        });
        let read = cycle("floor: the caller's clock, and a reading thrown away", (Table::new(), clock), &keys, |(table, clock), key, now| {
            std::hint::black_box(clock.now());
            let lease = table.try_acquire(now, key, TTL).ok()?;
            table.release(now, lease).ok()
        });
        Race::new("P1 with one reading of the clock", own).at_most(1.1, "floor", read)
    });
    area.race("lock.P4", |_| {
        let names: Arc<[String]> = (0..65_536).map(|n| format!("customer-{n:011}")).collect();
        let order: Arc<[u64]> = below(5, 65_536, OPERATIONS);
        let table = (LeaseTable::<String>::new(), names.clone());
        Race::new("20-byte text keys, 65,536 of them", cycle(OURS, table, &order, |(table, names), key, now| {
            let lease = table.try_acquire(now, names[*key as usize].as_str(), TTL).ok()?;
            table.release(now, lease).ok()
        }))
        .beats("lockable", cycle("lockable LockPool", (LockPool::new(), names.clone()), &order, |(pool, names), key, _| pool.try_lock(names[*key as usize].clone()).map(drop)), 3.0)
        .beside("keyed-lock", cycle("keyed-lock", (KeyedLock::new(), names.clone()), &order, |(locks, names), key, _| { drop(locks.lock(names[*key as usize].clone())); Some(()) }))
        .beside("dashmap", cycle("DashMap insert and remove", (dashmap::DashMap::<String, u64, ahash::RandomState>::default(), names), &order, |(map, names), key, _| {
            let name = &names[*key as usize];
            if let dashmap::Entry::Vacant(vacant) = map.entry(name.clone()) {
                vacant.insert(*key);
            }
            map.remove_if(name, |_, by| by == key).map(|_| ())
        }))
    });
    area.rows("lock.P4/busy-allocations", |_| {
        let table = LeaseTable::<String>::new();
        let lease = table.try_acquire(Time::ZERO, "seat:12A", TTL);
        let (refused, used) = memory::used(|| (0..1000).filter(|_| table.try_acquire(Time::ZERO, "seat:12A", TTL).is_err()).count());
        assert_eq!((refused, lease.is_ok()), (1000, true));
        let subject = Subject::new("lock.P4/busy-allocations", "1,000 refused acquires of a text key", Unit::Count, Better::Lower);
        vec![subject.limit(Side::new(OURS, used.allocations as f64), 0.0)]
    });
    area.rows("lock.P5", |_| bytes());
    area.race("lock.P7", |run| {
        let n: usize = if run.quick { 1 << 18 } else { 1 << 20 };
        let ends: Arc<[u64]> = below(7, 1_000_000_000, n);
        let for_heap = ends.clone();
        let table = move || {
            let table = Table::new();
            for (key, end) in ends.iter().enumerate() {
                assert!(table.try_acquire(Time::ZERO, &(key as u64), Duration::from_nanos(end + 1)).is_ok());
            }
            table
        };
        let heap = move || for_heap.iter().enumerate().map(|(key, &end)| Reverse((end, key))).collect::<BinaryHeap<_>>();
        Race::new(format!("{n} leases expire"), Runner::fresh(OURS, n, table, |table| {
            let mut told = Count(0);
            table.advance(Time::from_secs(2), &mut told);
            (told.0, table)
        }))
        .beats("heap", Runner::fresh("BinaryHeap drain, deadlines alone", n, heap, |mut heap| {
            let mut last = 0;
            while let Some(Reverse((end, _))) = heap.pop() {
                last = end;
            }
            (last, heap)
        }), 5.0)
    });
}

struct Count(usize);

impl Extend<Event> for Count {
    fn extend<T: IntoIterator<Item = Event>>(&mut self, events: T) {
        self.0 += events.into_iter().count();
    }
}

fn drawn() -> Arc<[u64]> {
    below(3, KEYS, OPERATIONS)
}

fn below(seed: u64, n: u64, len: usize) -> Arc<[u64]> {
    let mut rng = Rng::new(seed);
    (0..len).map(|_| rng.below(n)).collect()
}

/// One thread, the caller's clock, 20 ns a step.
fn cycle<L: 'static>(name: &str, lock: L, keys: &Arc<[u64]>, turn: impl Fn(&L, &u64, Time) -> Option<()> + 'static) -> Runner {
    let keys = keys.clone();
    Runner::steady(name, keys.len(), (lock, Time::from_secs(1)), move |(lock, now)| {
        let mut done = 0;
        for key in keys.iter() {
            *now += Duration::from_nanos(20);
            done += usize::from(turn(lock, key, *now).is_some());
        }
        assert_eq!(done, keys.len());
    })
}

/// Two threads at disjoint halves of the keys, so that nothing is refused.
fn two<L: Send + Sync + 'static>(name: &str, lock: L, keys: &Arc<[u64]>, turn: impl Fn(&L, u64, Time) -> Option<()> + Copy + Send + 'static) -> Runner {
    let (lock, keys) = (Arc::new(lock), keys.clone());
    Runner::custom(name, keys.len() * 2, move || {
        let gate = Arc::new(std::sync::Barrier::new(2));
        let threads: Vec<_> = (0..2).map(|half| {
            let (lock, keys, gate) = (lock.clone(), keys.clone(), gate.clone());
            std::thread::spawn(move || {
                gate.wait();
                let start = std::time::Instant::now();
                for key in keys.iter() {
                    std::hint::black_box(turn(&lock, key * 2 + half, Time::from_secs(1)));
                }
                start.elapsed()
            })
        }).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).max().expect("two")
    })
}

fn ours(table: Table<u64>, keys: &Arc<[u64]>) -> Runner {
    cycle(OURS, table, keys, |table, key, now| {
        let lease = table.try_acquire(now, key, TTL).ok()?;
        table.release(now, lease).ok()
    })
}

/// As many shards as the map has on two cores: fewer lines in use at once.
fn few_shards(keys: &Arc<[u64]>) -> Runner {
    cycle("the same table with 8 shards", LeaseTable::<u64>::builder().shards(8).build(), keys, |table, key, now| {
        let lease = table.try_acquire(now, key, TTL).ok()?;
        table.release(now, lease).ok()
    })
}

fn pool(pool: impl std::borrow::Borrow<LockPool<u64>> + 'static, keys: &Arc<[u64]>) -> Runner {
    cycle("lockable LockPool", pool, keys, |pool, key, _| {
        drop(pool.borrow().blocking_lock(*key));
        Some(())
    })
}

fn keyed(locks: impl std::borrow::Borrow<KeyedLock<u64>> + 'static, keys: &Arc<[u64]>) -> Runner {
    cycle("keyed-lock", locks, keys, |locks, key, _| {
        drop(locks.borrow().lock(*key));
        Some(())
    })
}

fn manager(locks: LockManager, keys: &Arc<[u64]>) -> Runner {
    cycle("lock-db", locks, keys, |locks, key, _| {
        let (txn, key) = (TxnId::new(1), ResourceId::new(*key));
        locks.try_acquire(txn, key, LockMode::Exclusive).ok()?;
        locks.release(txn, key).ok()
    })
}

fn map_cycle(map: &Map<u64>, key: u64) -> Option<()> {
    if let dashmap::Entry::Vacant(vacant) = map.entry(key) {
        vacant.insert(key);
    }
    map.remove_if(&key, |_, by| *by == key).map(|_| ())
}

fn map(map: Map<u64>, keys: &Arc<[u64]>) -> Runner {
    cycle("DashMap insert and remove, no fence, no expiry", map, keys, |map, key, _| map_cycle(map, *key))
}

fn bytes() -> Vec<Row> {
    const N: u64 = 1 << 20;
    let each = |used: memory::Used| used.live as f64 / N as f64;
    let (table, used) = memory::used(|| {
        let table = Table::new();
        (0..N).for_each(|key| assert!(table.try_acquire(Time::ZERO, &key, TTL).is_ok()));
        table
    });
    let ours = each(used);
    drop(table);
    let (pool, used) = memory::used(|| {
        let pool = Box::leak(Box::new(LockPool::new()));
        (0..N).for_each(|key| std::mem::forget(pool.try_lock(key)));
    });
    let (_pool, lockable) = (pool, each(used));
    let (_, used) = memory::used(|| {
        let locks: &'static KeyedLock<u64> = Box::leak(Box::new(KeyedLock::new()));
        (0..N).for_each(|key| std::mem::forget(locks.lock(key)));
    });
    let keyed = each(used);
    let subject = Subject::new("lock.P5", "bytes a held u64 lease, 2^20 held", Unit::Bytes, Better::Lower);
    vec![
        subject.at("limit").limit(Side::new(OURS, ours), 72.0),
        subject.at("lockable").against(Side::new(OURS, ours), Side::new("lockable LockPool", lockable), None),
        subject.at("keyed-lock").against(Side::new(OURS, ours), Side::new("keyed-lock", keyed), None),
    ]
}
