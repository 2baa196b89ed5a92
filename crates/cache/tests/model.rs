//! Random histories of every verb against the plainest cache one can write: a vector and a policy
//! in O(n). Contents, weights, answers, causes and their order are equal, the capacity holds after
//! every step, `validate` finds every link whole, and every value leaves exactly once.
//!
//! Over 600 lines: the model, the histories and what is compared read each other at every verb.

use archstone_cache::policy::{
    self, Adaptive, Clock, Fifo, Lfu, Lirs, Lru, S3Fifo, Sieve, TwoQueue, WTinyLfu,
};
use archstone_cache::{Builder, Cause, Insert, Manual, Policy, Reject, Time, sync, unsync};
use core::time::Duration;
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

/// One tick of the wheel, so that what is due goes at the very step it is due.
const TICK: u64 = 1 << 20;
const TTL: Duration = Duration::from_nanos(5 * TICK);

/// A policy over keys, in O(n).
trait Naive: Default {
    /// The limit, and how many slots the cache has reserved.
    fn limits(&mut self, _limit: u64, _room: usize) {}
    /// This key is about to be inserted; others may be evicted for it.
    fn coming(&mut self, _key: u8) {}
    fn insert(&mut self, key: u8);
    fn hit(&mut self, key: u8);
    fn evict(&mut self) -> Option<u8>;
    fn remove(&mut self, key: u8);
}

#[derive(Default)]
struct NaiveLru(Vec<u8>);
impl Naive for NaiveLru {
    fn insert(&mut self, key: u8) {
        self.0.push(key);
    }
    fn hit(&mut self, key: u8) {
        self.remove(key);
        self.insert(key);
    }
    fn evict(&mut self) -> Option<u8> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }
    fn remove(&mut self, key: u8) {
        self.0.retain(|&k| k != key);
    }
}

#[derive(Default)]
struct NaiveFifo(NaiveLru);
impl Naive for NaiveFifo {
    fn insert(&mut self, key: u8) {
        self.0.insert(key);
    }
    fn hit(&mut self, _: u8) {}
    fn evict(&mut self) -> Option<u8> {
        self.0.evict()
    }
    fn remove(&mut self, key: u8) {
        self.0.remove(key);
    }
}

/// Key, count, time of the last use.
#[derive(Default)]
struct NaiveLfu(Vec<(u8, u64, u64)>, u64);
impl Naive for NaiveLfu {
    fn insert(&mut self, key: u8) {
        self.1 += 1;
        self.0.push((key, 1, self.1));
    }
    fn hit(&mut self, key: u8) {
        self.1 += 1;
        let entry = self.0.iter_mut().find(|entry| entry.0 == key).unwrap();
        (entry.1, entry.2) = (entry.1 + 1, self.1);
    }
    fn evict(&mut self) -> Option<u8> {
        let least = self.0.iter().min_by_key(|entry| (entry.1, entry.2))?.0;
        self.remove(least);
        Some(least)
    }
    fn remove(&mut self, key: u8) {
        self.0.retain(|entry| entry.0 != key);
    }
}

/// A queue: what was used goes round once more.
#[derive(Default)]
struct NaiveClock(Vec<(u8, bool)>);
impl Naive for NaiveClock {
    fn insert(&mut self, key: u8) {
        self.0.push((key, false));
    }
    fn hit(&mut self, key: u8) {
        self.0.iter_mut().find(|entry| entry.0 == key).unwrap().1 = true;
    }
    fn evict(&mut self) -> Option<u8> {
        while !self.0.is_empty() {
            match self.0.remove(0) {
                (key, false) => return Some(key),
                (key, true) => self.0.push((key, false)),
            }
        }
        None
    }
    fn remove(&mut self, key: u8) {
        self.0.retain(|entry| entry.0 != key);
    }
}

#[derive(Default)]
struct NaiveSieve(Vec<(u8, bool)>, Option<u8>);
impl NaiveSieve {
    fn at(&self, key: u8) -> usize {
        self.0.iter().position(|entry| entry.0 == key).unwrap()
    }
}
impl Naive for NaiveSieve {
    fn insert(&mut self, key: u8) {
        self.0.push((key, false));
    }
    fn hit(&mut self, key: u8) {
        let at = self.at(key);
        self.0[at].1 = true;
    }
    fn evict(&mut self) -> Option<u8> {
        while !self.0.is_empty() {
            let at = self.1.map_or(0, |hand| self.at(hand));
            let (key, used) = self.0[at];
            self.1 = self.0.get(at + 1).map(|entry| entry.0);
            self.0[at].1 = false;
            if !used {
                self.0.remove(at);
                return Some(key);
            }
        }
        None
    }
    fn remove(&mut self, key: u8) {
        if self.1 == Some(key) {
            self.1 = self.0.get(self.at(key) + 1).map(|entry| entry.0);
        }
        self.0.retain(|entry| entry.0 != key);
    }
}

/// Lists of keys, the oldest first; a naive policy is told what keys weigh before it is told of them.
fn cut(list: &mut Vec<u8>, key: u8) -> bool {
    let before = list.len();
    list.retain(|&k| k != key);
    list.len() < before
}

/// The pseudo-code of the paper, `p` in fractions.
#[derive(Default)]
struct NaiveArc {
    once: Vec<u8>,
    often: Vec<u8>,
    once_gone: Vec<u8>,
    often_gone: Vec<u8>,
    p: f64,
    limit: usize,
    /// 1 or 2: the ghost list of the key that is about to come.
    coming: usize,
    room: usize,
}
impl NaiveArc {
    fn trim(&mut self, coming: usize) {
        while self.once.len() + self.once_gone.len() + coming > self.limit
            && !self.once_gone.is_empty()
        {
            self.once_gone.remove(0);
        }
        while self.once.len()
            + self.once_gone.len()
            + self.often.len()
            + self.often_gone.len()
            + coming
            > 2 * self.limit
            && !self.often_gone.is_empty()
        {
            self.often_gone.remove(0);
        }
    }
    fn add_ghost(&mut self, key: u8, often: bool) {
        if self.once_gone.contains(&key) || self.often_gone.contains(&key) {
            return;
        }
        while self.once_gone.len() + self.often_gone.len() > self.room {
            let longer = self.often_gone.len() > self.once_gone.len();
            let (list, other) = if longer {
                (&mut self.often_gone, &mut self.once_gone)
            } else {
                (&mut self.once_gone, &mut self.often_gone)
            };
            if list.is_empty() {
                other.remove(0)
            } else {
                list.remove(0)
            };
        }
        if often { self.often_gone.push(key) } else { self.once_gone.push(key) }
    }
}
impl Naive for NaiveArc {
    fn limits(&mut self, limit: u64, room: usize) {
        (self.limit, self.room) = (limit as usize, room);
        self.p = self.p.min(limit as f64);
        self.trim(0);
    }
    fn coming(&mut self, key: u8) {
        let (once, often) = (self.once_gone.len() as f64, self.often_gone.len() as f64);
        self.coming = 0;
        if self.once_gone.contains(&key) {
            self.p = (self.p + (often / once).max(1.0)).min(self.limit as f64);
            self.coming = 1;
        } else if self.often_gone.contains(&key) {
            self.p = (self.p - (once / often).max(1.0)).max(0.0);
            self.coming = 2;
        }
    }
    fn insert(&mut self, key: u8) {
        if cut(&mut self.once_gone, key) || cut(&mut self.often_gone, key) {
            self.often.push(key);
        } else {
            self.once.push(key);
        }
        self.coming = 0;
        self.trim(0);
    }
    fn hit(&mut self, key: u8) {
        self.remove(key);
        self.often.push(key);
    }
    fn evict(&mut self) -> Option<u8> {
        if self.coming == 0 {
            if self.once.len() >= self.limit && self.once_gone.is_empty() {
                return (!self.once.is_empty()).then(|| self.once.remove(0));
            }
            self.trim(1);
        }
        let once = self.once.len() as f64;
        let first = once > 0.0 && (once > self.p || (once >= self.p && self.coming == 2));
        let often = if first { false } else { !self.often.is_empty() };
        let list = if often { &mut self.often } else { &mut self.once };
        let key = (!list.is_empty()).then(|| list.remove(0))?;
        self.add_ghost(key, often);
        Some(key)
    }
    fn remove(&mut self, key: u8) {
        let _ = cut(&mut self.once, key) || cut(&mut self.often, key);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Is {
    Lir,
    Waits,
    Gone,
}

/// One stack with marks, bottom first.
#[derive(Default)]
struct NaiveLirs {
    stack: Vec<(u8, Is)>,
    queue: Vec<u8>,
    gone: Vec<u8>,
    limit: usize,
    room: usize,
}
impl NaiveLirs {
    fn lirs(&self) -> usize {
        self.stack.iter().filter(|entry| entry.1 == Is::Lir).count()
    }
    fn most_lirs(&self) -> usize {
        self.limit.saturating_sub((self.limit / 100).max(1))
    }
    fn unstack(&mut self, key: u8) -> Option<Is> {
        let at = self.stack.iter().position(|entry| entry.0 == key)?;
        Some(self.stack.remove(at).1)
    }
    fn prune(&mut self) {
        while self.stack.first().is_some_and(|bottom| bottom.1 != Is::Lir) {
            let key = self.stack.remove(0).0;
            cut(&mut self.gone, key);
        }
    }
    fn settle(&mut self) {
        while self.lirs() > self.most_lirs() {
            self.prune();
            let key = self.stack.remove(0).0;
            self.queue.push(key);
        }
        self.prune();
        while self.stack.len() > 2 * self.limit && !self.gone.is_empty() {
            let key = self.gone.remove(0);
            self.unstack(key);
        }
    }
}
impl Naive for NaiveLirs {
    fn limits(&mut self, limit: u64, room: usize) {
        (self.limit, self.room) = (limit as usize, room);
    }
    fn insert(&mut self, key: u8) {
        let ghost = cut(&mut self.gone, key);
        self.unstack(key);
        if ghost || self.lirs() < self.most_lirs() {
            self.stack.push((key, Is::Lir));
        } else {
            self.stack.push((key, Is::Waits));
            self.queue.push(key);
        }
        self.settle();
    }
    fn hit(&mut self, key: u8) {
        match self.unstack(key) {
            Some(Is::Lir) => {
                self.stack.push((key, Is::Lir));
                self.prune();
            }
            Some(_) => {
                cut(&mut self.queue, key);
                self.stack.push((key, Is::Lir));
                self.settle();
            }
            None => {
                cut(&mut self.queue, key);
                self.queue.push(key);
                self.stack.push((key, Is::Waits));
                self.settle();
            }
        }
    }
    fn evict(&mut self) -> Option<u8> {
        if self.queue.is_empty() {
            self.prune();
            let key = self.stack.first()?.0;
            self.remove(key);
            return Some(key);
        }
        let key = self.queue.remove(0);
        if let Some(at) = self.stack.iter().position(|entry| entry.0 == key) {
            while self.gone.len() >= self.room && !self.gone.is_empty() {
                let oldest = self.gone.remove(0);
                self.unstack(oldest);
            }
            let at = self.stack.iter().position(|entry| entry.0 == key).unwrap_or(at);
            if self.room == 0 {
                self.stack.remove(at);
            } else {
                self.stack[at].1 = Is::Gone;
                self.gone.push(key);
            }
        }
        Some(key)
    }
    fn remove(&mut self, key: u8) {
        let was = self.unstack(key);
        cut(&mut self.queue, key);
        if was == Some(Is::Lir) {
            self.prune();
        }
    }
}

/// A value: its serial number and what it weighs.
type Value = (u64, u64);
type Left = Vec<(u8, Value, Cause)>;

struct Held {
    key: u8,
    value: Value,
    units: u64,
    deadline: u64,
    pins: u32,
}

struct Model<N> {
    held: Vec<Held>,
    policy: N,
    limit: u64,
    target: u64,
    now: u64,
    expires: bool,
    left: Left,
}

impl<N: Naive> Model<N> {
    fn used(&self) -> u64 {
        self.held.iter().map(|held| held.units).sum()
    }
    fn at(&self, key: u8) -> Option<usize> {
        self.held.iter().position(|held| held.key == key)
    }
    fn take(&mut self, key: u8, out_of_policy: bool) -> Held {
        let at = self.at(key).unwrap();
        if self.held[at].pins == 0 && !out_of_policy {
            self.policy.remove(key);
        }
        self.held.remove(at)
    }
    fn evict(&mut self) -> bool {
        let Some(key) = self.policy.evict() else { return false };
        let held = self.take(key, true);
        self.left.push((key, held.value, Cause::Evicted));
        true
    }
    fn expire(&mut self) {
        while let Some(held) = self.held.iter().find(|held| held.deadline <= self.now) {
            let held = self.take(held.key, false);
            self.left.push((held.key, held.value, Cause::Expired));
        }
    }
    fn shrink(&mut self, most: usize) {
        for _ in 0..most {
            if self.used() <= self.target || !self.evict() {
                break;
            }
        }
        self.limit = self.used().max(self.target);
    }
    fn insert(&mut self, key: u8, value: Value) -> Insert<u8, Value> {
        let units = value.1;
        if self.target < self.limit {
            self.shrink(2);
        }
        let old = self.at(key);
        if units > self.limit || self.limit == 0 {
            if old.is_some() {
                let held = self.take(key, false);
                self.left.push((key, held.value, Cause::Replaced));
            }
            let why = match self.limit {
                0 => Reject::ZeroCapacity,
                limit => Reject::TooHeavy { weight: units, limit },
            };
            return Insert::Rejected { key, value, why };
        }
        let deadline = if self.expires { self.now + TTL.as_nanos() as u64 } else { u64::MAX };
        let mut replaced = None;
        if let Some(at) = old {
            let held = &mut self.held[at];
            if held.units == units {
                let was = std::mem::replace(&mut held.value, value);
                held.deadline = deadline;
                if held.pins == 0 {
                    self.policy.hit(key);
                }
                self.left.push((key, was, Cause::Replaced));
                return Insert::Replaced(was);
            }
            replaced = Some(self.take(key, false));
        }
        self.policy.coming(key);
        while self.used() + units > self.limit && units > 0 {
            if !self.evict() {
                if let Some(was) = replaced {
                    self.left.push((key, was.value, Cause::Replaced));
                }
                return Insert::Rejected { key, value, why: Reject::Pinned };
            }
        }
        let pins = replaced.as_ref().map_or(0, |was| was.pins);
        self.held.push(Held { key, value, units, deadline, pins });
        if pins == 0 {
            self.policy.insert(key);
        }
        match replaced {
            Some(was) => {
                self.left.push((key, was.value, Cause::Replaced));
                Insert::Replaced(was.value)
            }
            None => Insert::New,
        }
    }
    fn reweigh(&mut self, key: u8) -> bool {
        let Some(at) = self.at(key) else { return false };
        let (old, units, pins) = (self.held[at].units, self.held[at].value.1, self.held[at].pins);
        if old == units {
            return true;
        }
        if pins == 0 {
            self.policy.remove(key);
        }
        let mut fits = units <= old || units <= self.limit;
        while fits && units > old && self.used() - old + units > self.limit {
            fits = self.evict();
        }
        let at = self.at(key).unwrap();
        if !fits {
            let held = self.held.remove(at);
            self.left.push((key, held.value, Cause::Evicted));
            return false;
        }
        self.held[at].units = units;
        if pins == 0 {
            self.policy.insert(key);
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Op {
    Get(u8),
    Peek(u8),
    Insert(u8, u64),
    Change(u8, u64),
    Reweigh(u8),
    Remove(u8),
    RemoveIfOdd(u8),
    Pin(u8),
    Unpin(u8),
    Pop,
    Resize(u64),
    RetainOdd,
    Clear,
    Wait(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = || 0..12_u8;
    let op = prop_oneof![
        12 => key().prop_map(Op::Get),
        2 => key().prop_map(Op::Peek),
        16 => (key(), 0..5_u64).prop_map(|(key, weight)| Op::Insert(key, weight)),
        1 => (key(), 0..40_u64).prop_map(|(key, weight)| Op::Insert(key, weight)),
        2 => (key(), 0..9_u64).prop_map(|(key, weight)| Op::Change(key, weight)),
        2 => key().prop_map(Op::Reweigh),
        3 => key().prop_map(Op::Remove),
        1 => key().prop_map(Op::RemoveIfOdd),
        2 => key().prop_map(Op::Pin),
        2 => key().prop_map(Op::Unpin),
        1 => Just(Op::Pop),
        1 => (0..30_u64).prop_map(Op::Resize),
        1 => Just(Op::RetainOdd),
        1 => Just(Op::Clear),
        3 => (0..7_u64).prop_map(Op::Wait),
    ];
    prop::collection::vec(op, 1..120)
}

fn listen(left: &Arc<Mutex<Left>>) -> impl Fn(&u8, &Value, Cause) + Send + Sync + 'static {
    let left = Arc::clone(left);
    move |&key, &value, cause| left.lock().unwrap().push((key, value, cause))
}

fn builder(
    limit: u64,
    weighted: bool,
    expires: bool,
    clock: &Arc<Manual>,
    left: Option<&Arc<Mutex<Left>>>,
) -> Builder<u8, Value> {
    let mut builder = if weighted {
        Builder::weighted(limit, |_: &u8, value: &Value| value.1)
    } else {
        Builder::new(limit as usize)
    };
    if expires {
        builder = builder.time_to_live(TTL);
    }
    builder = builder.clock(Arc::clone(clock));
    match left {
        Some(left) => builder.on_removal(listen(left)),
        None => builder,
    }
}

/// What an order that nobody promises is compared by.
fn sorted(mut left: Left) -> Left {
    left.sort_unstable_by_key(|entry| (entry.0, entry.1, entry.2 as u8));
    left
}

/// Unheard, and where nothing is weighed or expires, insertions take their short way.
fn follow<N: Naive, P: Policy>(limit: u64, [weighted, expires, heard]: [bool; 3], ops: &[Op]) {
    let (clock, left) = (Arc::new(Manual::default()), Arc::new(Mutex::new(Vec::new())));
    let mut cache: unsync::Cache<u8, Value, P> =
        builder(limit, weighted, expires, &clock, heard.then_some(&left))
            .policy::<P>()
            .build()
            .unwrap();
    let mut model = Model {
        held: Vec::new(),
        policy: N::default(),
        limit,
        target: limit,
        now: 0,
        expires,
        left: Vec::new(),
    };
    let heard_all = heard;
    model.policy.limits(limit, room(limit));
    for (serial, op) in ops.iter().enumerate() {
        let serial = serial as u64;
        let mut in_order = true;
        match *op {
            Op::Get(key) => {
                let expected = model.at(key).map(|at| model.held[at].value);
                if let Some(at) = model.at(key).filter(|&at| model.held[at].pins == 0) {
                    model.policy.hit(model.held[at].key);
                }
                assert_eq!(cache.get(&key).copied(), expected);
            }
            Op::Peek(key) => {
                let expected = model.at(key).map(|at| model.held[at].value);
                assert_eq!(cache.peek(&key).copied(), expected);
                assert_eq!(cache.contains_key(&key), expected.is_some());
                let deadline = model.at(key).map(|at| Time::from_nanos(model.held[at].deadline));
                assert_eq!(cache.deadline(&key), deadline);
            }
            Op::Insert(key, weight) => {
                let value = (serial, if weighted { weight } else { 1 });
                assert_eq!(cache.insert(key, value), model.insert(key, value), "step {serial}");
            }
            Op::Change(key, weight) => {
                if let Some(at) = model.at(key) {
                    model.held[at].value.1 = if weighted { weight } else { 1 };
                    if model.held[at].pins == 0 {
                        model.policy.hit(key);
                    }
                    cache.get_mut(&key).unwrap().1 = model.held[at].value.1;
                }
            }
            Op::Reweigh(key) => assert_eq!(cache.reweigh(&key), model.reweigh(key)),
            Op::Remove(key) => {
                let expected = model.at(key).map(|_| model.take(key, false).value);
                model.left.extend(expected.map(|value| (key, value, Cause::Removed)));
                assert_eq!(cache.remove(&key), expected.map(|value| (key, value)));
            }
            Op::RemoveIfOdd(key) => {
                let odd = model.at(key).is_some_and(|at| model.held[at].value.0 % 2 == 1);
                let expected = odd.then(|| model.take(key, false).value);
                model.left.extend(expected.map(|value| (key, value, Cause::Removed)));
                let removed = cache.remove_if(&key, |_, value| value.0 % 2 == 1);
                assert_eq!(removed, expected.map(|value| (key, value)));
            }
            Op::Pin(key) => {
                let at = model.at(key);
                if let Some(at) = at {
                    model.held[at].pins += 1;
                    if model.held[at].pins == 1 {
                        model.policy.remove(key);
                    }
                }
                assert_eq!(cache.pin(&key), at.is_some());
            }
            Op::Unpin(key) => {
                let at = model.at(key).filter(|&at| model.held[at].pins > 0);
                if let Some(at) = at {
                    model.held[at].pins -= 1;
                    if model.held[at].pins == 0 {
                        model.policy.insert(key);
                    }
                }
                assert_eq!(cache.unpin(&key), at.is_some());
            }
            Op::Pop => {
                let before = model.left.len();
                model.evict();
                let expected = model.left.get(before).map(|left| (left.0, left.1));
                assert_eq!(cache.pop(), expected);
            }
            Op::Resize(to) => {
                cache.resize(to);
                model.target = to;
                model.policy.limits(to, room(to));
                model.shrink(1024);
            }
            Op::RetainOdd => {
                in_order = false;
                cache.retain(|_, value| value.0 % 2 == 1);
                let even = model.held.iter().filter(|held| held.value.0 % 2 == 0);
                for key in even.map(|held| held.key).collect::<Vec<_>>() {
                    let held = model.take(key, false);
                    model.left.push((key, held.value, Cause::Removed));
                }
            }
            Op::Clear => {
                in_order = false;
                cache.clear();
                for held in std::mem::take(&mut model.held) {
                    if held.pins == 0 {
                        model.policy.remove(held.key);
                    }
                    model.left.push((held.key, held.value, Cause::Removed));
                }
            }
            Op::Wait(ticks) => {
                in_order = false;
                model.now = clock.advance(Duration::from_nanos(ticks * TICK)).as_nanos();
                model.expire();
                model.shrink(1024);
                assert!(cache.maintain(1000) < 1000);
                if let Some(first) = model.held.iter().map(|held| held.deadline).min() {
                    let next = cache.next_deadline();
                    assert_eq!(next.is_some(), expires);
                    assert!(next.is_none_or(|next| next <= Time::from_nanos(first)));
                }
            }
        }
        cache.validate();
        assert_eq!(cache.capacity(), model.limit);
        assert_eq!(cache.weight(), model.used());
        assert!(cache.weight() <= cache.capacity());
        let mut held: Vec<(u8, Value)> = cache.iter().map(|(&key, &value)| (key, value)).collect();
        held.sort_unstable();
        let mut expected: Vec<(u8, Value)> =
            model.held.iter().map(|held| (held.key, held.value)).collect();
        expected.sort_unstable();
        assert_eq!((held, cache.len()), (expected, model.held.len()), "step {serial}: {op:?}");
        let (heard, expected) =
            (std::mem::take(&mut *left.lock().unwrap()), std::mem::take(&mut model.left));
        if !heard_all {
            continue;
        }
        if in_order {
            assert_eq!(heard, expected, "step {serial}: {op:?}");
        } else {
            assert_eq!(sorted(heard), sorted(expected), "step {serial}: {op:?}");
        }
    }
}

/// Slots do not bound the ghosts of the naive policies: there are fewer keys than slots at first.
fn room(_: u64) -> usize {
    16
}

/// For policies without a naive twin, and for shards: every value leaves once or is there, and the
/// capacity holds.
fn conserve(
    cache: &sync::Cache<u8, Value, impl Policy>,
    left: &Mutex<Left>,
    heard: bool,
    ops: &[Op],
    clock: &Manual,
) {
    let mut inserted: Vec<Value> = Vec::new();
    for (serial, op) in ops.iter().enumerate() {
        let serial = serial as u64;
        match *op {
            Op::Get(key) => drop(cache.get(&key)),
            Op::Peek(key) => assert_eq!(cache.peek(&key).is_some(), cache.contains_key(&key)),
            Op::Insert(key, weight) | Op::Change(key, weight) => {
                let value = (serial, weight);
                if cache.insert(key, value).is_held() {
                    inserted.push(value);
                    assert_eq!(cache.peek(&key), Some(value));
                } else {
                    assert_eq!(cache.peek(&key), None, "a stale value stayed");
                }
            }
            Op::Reweigh(key) => assert_eq!(cache.reweigh(&key), cache.contains_key(&key)),
            Op::Remove(key) | Op::RemoveIfOdd(key) => drop(cache.remove(&key)),
            Op::Pin(key) => drop(cache.pin(&key)),
            Op::Unpin(key) => drop(cache.unpin(&key)),
            Op::Pop | Op::RetainOdd => cache.retain(|_, value| value.0 % 2 == 1),
            Op::Resize(to) => cache.resize(to),
            Op::Clear => cache.clear(),
            Op::Wait(ticks) => {
                clock.advance(Duration::from_nanos(ticks * TICK));
                cache.maintain(usize::MAX);
            }
        }
        cache.validate_alone();
        assert!(cache.weight() <= cache.capacity());
        let mut all: Vec<Value> = left.lock().unwrap().iter().map(|left| left.1).collect();
        cache.for_each(|_, &value| all.push(value));
        all.sort_unstable();
        if !heard {
            assert!(all.iter().all(|value| inserted.contains(value)));
            continue;
        }
        assert_eq!(all, inserted, "step {serial}: {op:?}");
    }
}

/// A policy that remembers who left forgets it when all is cleared; the model clears entry by entry.
fn without_clear(ops: Vec<Op>) -> Vec<Op> {
    ops.into_iter().filter(|op| !matches!(op, Op::Clear)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn lru(limit in 0..30_u64, with: [bool; 3], ops in ops()) {
        follow::<NaiveLru, Lru>(limit, with, &ops);
    }

    #[test]
    fn fifo(limit in 0..30_u64, with: [bool; 3], ops in ops()) {
        follow::<NaiveFifo, Fifo>(limit, with, &ops);
    }

    #[test]
    fn lfu(limit in 0..30_u64, with: [bool; 3], ops in ops()) {
        follow::<NaiveLfu, Lfu>(limit, with, &ops);
    }

    #[test]
    fn clock(limit in 0..30_u64, with: [bool; 3], ops in ops()) {
        follow::<NaiveClock, Clock>(limit, with, &ops);
    }

    #[test]
    fn sieve(limit in 0..30_u64, with: [bool; 3], ops in ops()) {
        follow::<NaiveSieve, Sieve>(limit, with, &ops);
    }

    #[test]
    fn arc(limit in 0..30_u64, heard: bool, expires: bool, ops in ops()) {
        follow::<NaiveArc, policy::Arc>(limit, [false, expires, heard], &without_clear(ops));
    }

    #[test]
    fn lirs(limit in 0..30_u64, heard: bool, expires: bool, ops in ops()) {
        follow::<NaiveLirs, Lirs>(limit, [false, expires, heard], &without_clear(ops));
    }

    #[test]
    fn sync_keeps_every_value_until_it_is_heard_of(
        limit in 0..30_u64, with: [bool; 3], shards in 1..5_usize, which in 0..9_u8, ops in ops()
    ) {
        let [weighted, expires, heard] = with;
        let (clock, left) = (Arc::new(Manual::default()), Arc::new(Mutex::new(Vec::new())));
        let left_or_none = heard.then_some(&left);
        let all = || builder(limit, weighted, expires, &clock, left_or_none).shards(shards);
        macro_rules! keep {
            ($($number:literal => $policy:ty),*) => { match which {
                $($number => {
                    let cache = all().policy::<$policy>().build_sync().unwrap();
                    conserve(&cache, &left, heard, &ops, &clock);
                })*
                _ => unreachable!(),
            } };
        }
        keep!(0 => Lru, 1 => S3Fifo, 2 => Adaptive, 3 => TwoQueue, 4 => policy::Arc, 5 => Lirs,
            6 => WTinyLfu, 7 => Lfu, 8 => Sieve);
    }
}
