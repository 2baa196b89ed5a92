//! Stays: P6.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use archstone_lock::{LeaseTable, Mode, Span, Time};
use lock_db::{KeyRange, LockManager, LockMode, ResourceId, TxnId};

use super::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::workload::Rng;

const ROOMS: u64 = 10_000;
const TTL: Duration = Duration::from_secs(600);

type Map<K, V> = dashmap::DashMap<K, V, ahash::RandomState>;

#[derive(Clone, Copy)]
struct Stay {
    room: u64,
    lo: i64,
    hi: i64,
}

pub(super) fn entries(area: &mut Area) {
    area.race("lock.P6/nights", |run| {
        let stays = stays(if run.quick { 100_000 } else { 200_000 });
        Race::new(format!("{} stays of 1 to 7 nights, 10,000 rooms, 365 nights", stays.len()), booked(&stays))
            .beats("dashmap-nights", tried("DashMap key a night, rolled back", &stays, Map::default, |map: &Map<(u64, i64), u32>, n, stay| by_night(map, n, stay)), 2.5)
            .beats("dashmap-btree", tried("DashMap room to BTreeMap of stays", &stays, Map::default, |map: &Map<u64, BTreeMap<i64, i64>>, _, stay| by_tree(map, stay)), 2.0)
            .beats("lock-db", tried("lock-db ranges", &stays, LockManager::new, by_scan), 5.0)
            .beside("dashmap-bits", tried("DashMap room to bits, no lease", &stays, Map::default, |map: &Map<u64, [u64; 6]>, _, stay| by_bits(map, stay)))
    });
    area.race("lock.P6/one-space", |_| {
        // Ten thousand ranges that all fit, spread over one space.
        let mut rng = Rng::new(12);
        let mut stays: Vec<Stay> = (0..10_000).map(|n| Stay { room: 0, lo: n * 1_000_000, hi: n * 1_000_000 + 500 }).collect();
        for i in (1..stays.len()).rev() {
            stays.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let stays: Arc<[Stay]> = stays.into();
        Race::new("10,000 ranges in one space", booked(&stays))
            .beats("lock-db", tried("lock-db ranges", &stays, LockManager::new, by_scan), 100.0)
            .beside("dashmap-btree", tried("DashMap space to BTreeMap", &stays, Map::default, |map: &Map<u64, BTreeMap<i64, i64>>, _, stay| by_tree(map, stay)))
    });
}

fn stays(n: usize) -> Arc<[Stay]> {
    let mut rng = Rng::new(11);
    let stay = |_| {
        let lo = rng.below(358) as i64;
        Stay { room: rng.below(ROOMS), lo, hi: lo + 1 + rng.below(7) as i64 }
    };
    (0..n).map(stay).collect()
}

/// The table as in use: a lease a stay, with fence, deadline and token.
fn booked(stays: &Arc<[Stay]>) -> Runner {
    tried(OURS, stays, LeaseTable::<u64>::new, |table, _, stay| {
        table.try_acquire_part(Time::from_secs(1), &stay.room, Span::new(stay.lo, stay.hi), Mode::Exclusive, TTL).is_ok()
    })
}

fn tried<L: 'static>(name: &str, stays: &Arc<[Stay]>, new: impl Fn() -> L + 'static, attempt: impl Fn(&L, usize, Stay) -> bool + 'static) -> Runner {
    let stays = stays.clone();
    Runner::fresh(name, stays.len(), new, move |lock| {
        let had = stays.iter().enumerate().filter(|(n, stay)| attempt(&lock, *n, **stay)).count();
        assert!(had * 2 > stays.len());
        lock
    })
}

fn by_night(map: &Map<(u64, i64), u32>, n: usize, stay: Stay) -> bool {
    for night in stay.lo..stay.hi {
        let free = match map.entry((stay.room, night)) {
            dashmap::Entry::Vacant(vacant) => {
                vacant.insert(n as u32);
                true
            }
            dashmap::Entry::Occupied(_) => false,
        };
        if !free {
            for night in stay.lo..night {
                map.remove(&(stay.room, night));
            }
            return false;
        }
    }
    true
}

fn by_tree(map: &Map<u64, BTreeMap<i64, i64>>, stay: Stay) -> bool {
    let mut room = map.entry(stay.room).or_default();
    let free = room.range(..stay.hi).next_back().is_none_or(|(_, &end)| end <= stay.lo);
    if free {
        room.insert(stay.lo, stay.hi);
    }
    free
}

fn by_bits(map: &Map<u64, [u64; 6]>, stay: Stay) -> bool {
    let mut room = map.entry(stay.room).or_default();
    let mut nights = stay.lo as usize..stay.hi as usize;
    let free = nights.clone().all(|night| room[night / 64] >> (night % 64) & 1 == 0);
    if free {
        nights.by_ref().for_each(|night| room[night / 64] |= 1 << (night % 64));
    }
    free
}

fn by_scan(locks: &LockManager, n: usize, stay: Stay) -> bool {
    let Some(nights) = KeyRange::new(stay.lo as u64, stay.hi as u64 - 1) else { return false };
    locks.try_acquire_range(TxnId::new(n as u64), ResourceId::new(stay.room), nights, LockMode::Exclusive).is_ok()
}
