//! A limit a key: P7 to P11.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use archstone_ratelimit::{Gcra, Keyed, Quota, Time, TscClock};

use crate::areas::Area;
use crate::measure::{Race, Runner, interleave};
use crate::memory;
use crate::row::{Better, Side, Subject, Unit};
use crate::workload::Rng;

const OURS: &str = "archstone-ratelimit";
const CHECKS: usize = 1 << 17;
/// High enough that uniform keys always pass.
const QUOTA: Quota = Quota::per_second(1_000_000).with_burst(1_000_000);

type Store<K> = Keyed<K, Gcra, TscClock, ahash::RandomState>;
type Governor<K> = governor::DefaultKeyedRateLimiter<K>;

pub(super) fn entries(area: &mut Area) {
    for (id, keys, goals) in [
        ("ratelimit.P7/n=10k", 10_000_usize, [Some(1.5), Some(3.0), None, None]),
        ("ratelimit.P8/n=1M", 1_000_000, [Some(2.0), None, Some(6.0), Some(1.5)]),
    ] {
        area.race(format!("{id}/own-clock"), move |_| {
            let drawn: Arc<[u64]> = drawn(3, keys as u64);
            let ours = filled(keys);
            let race = Race::new("u64 keys, uniform", checks(OURS, ours, &drawn, |l, key, _| l.check(key).is_allowed()));
            let race = race.beats("governor", checks("governor dashmap", governor(keys), &drawn, |l, key, _| l.check_key(key).is_ok()), goals[0].unwrap_or(1.0));
            let net = rate_net(keys);
            let net = checks("rate-net", net, &drawn, |l, key, _| l.check(rate_net::Key::id(*key)).is_allow());
            match goals[2] {
                Some(goal) => race.beats("rate-net", net, goal),
                None => race.beside("rate-net", net),
            }
        });
        area.race(format!("{id}/caller-time"), move |_| {
            let drawn: Arc<[u64]> = drawn(3, keys as u64);
            let race = Race::new("u64 keys, uniform, caller's time", checks(OURS, filled(keys), &drawn, |l, key, now| l.check_at(now, key, 1).is_allowed()));
            let peer = checks("governor dashmap, own clock", governor(keys), &drawn, |l, key, _| l.check_key(key).is_ok());
            let race = match goals[1] {
                Some(goal) => race.beats("governor", peer, goal),
                None => race.beside("governor", peer),
            };
            let map: hashbrown::HashMap<u64, u64, ahash::RandomState> = (0..keys as u64).map(|key| (key, 1)).collect();
            let floor = checks("hashbrown, one owner", map, &drawn, |map, key, now| {
                let tat = map.get_mut(key).expect("inserted");
                let next = (*tat).max(now.as_nanos()) + 1_000;
                let passes = next - now.as_nanos() <= 1_000_000_000;
                if passes {
                    *tat = next;
                }
                passes
            });
            match goals[3] {
                Some(times) => race.at_most(times, "floor", floor),
                None => race.beside("floor", floor),
            }
        });
    }
    area.rows("ratelimit.P9", |run| {
        let sizes: &[usize] = if run.quick { &[1_000_000] } else { &[100_000, 400_000, 1_000_000] };
        sizes.iter().flat_map(|&keys| bytes(keys)).collect()
    });
    area.race("ratelimit.P10", |_| {
        let names: Arc<[String]> = (0..10_000).map(|n| format!("client-{n:09}")).collect();
        let order: Arc<[u64]> = drawn(4, 10_000);
        let store: Store<String> = Keyed::<String>::builder(Gcra::new(QUOTA)).capacity(10_000).build_with(TscClock::new(), ahash::RandomState::new());
        let theirs: Governor<String> = governor::RateLimiter::keyed(governor_quota());
        for name in names.iter() {
            // At the origin of time, so that none is idle and makes room before all are there.
            let _ = (store.check_at(Time::ZERO, name.as_str(), 1), theirs.check_key(name));
        }
        assert_eq!(store.len(), 10_000, "all keys are there: what follows are hits");
        let hasher = ahash::RandomState::new();
        let floor = (filled(10_000), names.clone());
        Race::new("16-byte text keys, 10 k, all there, own clock", checks(OURS, (store, names.clone()), &order, |(l, names), key, _| l.check(names[*key as usize].as_str()).is_allowed()))
            .beats("governor", checks("governor dashmap", (theirs, names), &order, |(l, names), key, _| l.check_key(&names[*key as usize]).is_ok()), 2.0)
            .at_most(1.2, "floor", checks("u64 keys, and hashing the text", floor, &order, move |(l, names), key, _| {
                let hash = hasher.hash_one(names[*key as usize].as_str());
                std::hint::black_box(hash);
                l.check(key).is_allowed()
            }))
    });
    area.rows("ratelimit.P10/allocations", |_| {
        let names: Vec<String> = (0..10_000).map(|n| format!("client-{n:09}")).collect();
        let store: Store<String> = Keyed::<String>::builder(Gcra::new(QUOTA)).capacity(10_000).build_with(TscClock::new(), ahash::RandomState::new());
        let check = || names.iter().filter(|name| store.check_at(Time::ZERO, name.as_str(), 1).is_allowed()).count();
        let first = check();
        let (again, used) = memory::used(check);
        assert_eq!((first, again), (10_000, 10_000));
        let subject = Subject::new("ratelimit.P10/allocations", "allocations of 10 k hits by text keys", Unit::Count, Better::Lower);
        vec![subject.limit(Side::new(OURS, used.allocations as f64), 0.0)]
    });
    area.race("ratelimit.P11", |_| {
        let known: Arc<[u64]> = drawn(5, 100_000);
        Race::new("all-new keys at a full store", checks(OURS, full_store(), &fresh_keys(), |l, key, _| l.check_at(Time::ZERO, key, 1).is_allowed()))
            .at_most(1.5, "floor", checks("the same store, keys that are there", full_store(), &known, |l, key, _| l.check_at(Time::ZERO, key, 1).is_allowed()))
    });
    area.rows("ratelimit.P11/p99.9", |run| {
        // A client of old among made-up keys, sixteen to one, each of its checks timed alone.
        let known: Arc<[u64]> = drawn(5, 100_000);
        let ours = tail(OURS, full_store(), &known, |l, key| l.check_at(Time::ZERO, &key, 1).is_allowed());
        let eviction = rate_net::Eviction::capacity(100_000);
        let net = rate_net::RateLimiter::builder().per_second(1_000_000).eviction(eviction).build();
        assert!((0..100_000).all(|key| net.check(rate_net::Key::id(key)).is_allow()));
        let theirs = tail("rate-net", net, &known, |l, key| l.check(rate_net::Key::id(key)).is_allow());
        let timing = interleave(&mut [ours, theirs], &run.budget);
        let subject = Subject::new("ratelimit.P11/p99.9", "p99.9 of a known key while a full store is flooded", Unit::Ns, Better::Lower);
        vec![subject.at("rate-net").against(Side::new(OURS, timing[0].best), Side::new("rate-net", timing[1].best), Some(1.0))]
    });
}

/// Full of keys in use for days, so that every new key is looked for, swept for and denied.
fn full_store() -> Store<u64> {
    let quota = Quota::per_day(2).with_burst(1_000_000);
    let store: Store<u64> = Keyed::<u64>::builder(Gcra::new(quota)).capacity(100_000).build_with(TscClock::new(), ahash::RandomState::new());
    for key in 0..300_000 {
        let _ = store.check_at(Time::ZERO, &key, 1);
    }
    store
}

fn fresh_keys() -> Arc<[u64]> {
    (0..CHECKS as u64).map(|n| n + (1 << 40)).collect()
}

/// The thousandth-slowest of the checks of known keys, as if it were a round of one operation.
fn tail<L: 'static>(name: &str, limit: L, known: &Arc<[u64]>, check: impl Fn(&L, u64) -> bool + 'static) -> Runner {
    let (known, fresh) = (known.clone(), fresh_keys());
    let mut took: Vec<u64> = Vec::new();
    Runner::custom(name, 1, move || {
        took.clear();
        for (flood, key) in fresh.chunks(16).zip(known.iter()) {
            for new in flood {
                std::hint::black_box(check(&limit, *new));
            }
            let start = Instant::now();
            std::hint::black_box(check(&limit, *key));
            took.push(start.elapsed().as_nanos() as u64);
        }
        took.sort_unstable();
        Duration::from_nanos(took[took.len() * 999 / 1_000])
    })
}

/// Keys below `keys`, uniform; the stores hash them with seeds of their own.
fn drawn(seed: u64, keys: u64) -> Arc<[u64]> {
    let mut rng = Rng::new(seed);
    (0..CHECKS).map(|_| rng.below(keys)).collect()
}

fn filled(keys: usize) -> Store<u64> {
    let store = Keyed::<u64>::builder(Gcra::new(QUOTA)).capacity(keys).build_with(TscClock::new(), ahash::RandomState::new());
    for key in 0..keys as u64 {
        let _ = store.check_at(Time::ZERO, &key, 1);
    }
    store
}

fn governor_quota() -> governor::Quota {
    governor::Quota::per_second(NonZeroU32::new(1_000_000).expect("not zero"))
}

fn governor(keys: usize) -> Governor<u64> {
    let limits = governor::RateLimiter::keyed(governor_quota());
    for key in 0..keys as u64 {
        let _ = limits.check_key(&key);
    }
    limits
}

fn rate_net(keys: usize) -> rate_net::RateLimiter {
    let limits = rate_net::RateLimiter::per_second(1_000_000);
    for key in 0..keys as u64 {
        let _ = limits.check(rate_net::Key::id(key));
    }
    limits
}

fn checks<L: 'static>(name: &str, limit: L, keys: &Arc<[u64]>, check: impl Fn(&mut L, &u64, Time) -> bool + 'static) -> Runner {
    let keys = keys.clone();
    Runner::steady(name, keys.len(), (limit, Time::from_secs(1)), move |(limit, now)| {
        let mut passed = 0_u64;
        for key in keys.iter() {
            *now += Duration::from_nanos(20);
            passed += u64::from(check(limit, key, *now));
        }
        passed
    })
}

/// Live bytes a key after each has come once, at any size from a tenth of the last on.
fn bytes(keys: usize) -> Vec<crate::row::Row> {
    let spread = |n: u64| ahash::RandomState::with_seeds(1, 2, 3, 4).hash_one(n);
    let each = |used: memory::Used| used.live as f64 / keys as f64;
    let (_ours, used) = memory::used(|| {
        let store: Store<u64> = Keyed::<u64>::builder(Gcra::new(QUOTA)).capacity(keys).build_with(TscClock::new(), ahash::RandomState::new());
        (0..keys as u64).for_each(|n| assert!(store.check_at(Time::ZERO, &spread(n), 1).is_allowed()));
        store
    });
    let ours = each(used);
    drop(_ours);
    let (limits, used) = memory::used(|| {
        let limits: Governor<u64> = governor::RateLimiter::keyed(governor_quota());
        (0..keys as u64).for_each(|n| assert!(limits.check_key(&spread(n)).is_ok()));
        limits
    });
    let governor = each(used);
    drop(limits);
    let subject = Subject::new(&format!("ratelimit.P9/n={keys}"), "bytes a u64 key", Unit::Bytes, Better::Lower);
    vec![
        subject.at("limit").limit(Side::new(OURS, ours), 20.0),
        subject.at("governor").against(Side::new(OURS, ours), Side::new("governor dashmap", governor), None),
    ]
}
