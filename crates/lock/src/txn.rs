//! A lock manager for transactions: two-phase locking with wound-wait, wait-die, no-wait or deadlock
//! detection.
//!
//! Age is the order of `begin`. Under the age policies (Rosenkrantz, Stearns and Lewis 1978) every
//! wait goes one way, from older to younger (wait-die) or from younger to older (wound-wait), so no
//! circle can form. Under detection the wait graph is searched from the one who is about to wait,
//! and the youngest of the circle dies.
//!
//! Upgrades from shared to exclusive are the trap: one that jumps the queue makes those in it wait
//! for somebody of the wrong age. Under the age policies an upgrade is granted to the only holder
//! (all who wait wait for it already) and aborts otherwise; under detection it waits at the head of
//! the queue, and of two upgraders the younger dies.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hash};
use hashbrown::HashMap;

/// What happens when a lock is held by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Wait, in order of arrival; of a circle the youngest dies. Fewest aborts; a search a wait.
    Detect,
    /// An older one aborts younger holders, a younger one waits. Older ones never wait for younger.
    WoundWait,
    /// An older one waits, a younger one dies. Nobody is aborted while it holds what it asked for.
    WaitDie,
    /// Nobody waits: busy means abort. Simplest, for short transactions that are cheap to retry.
    NoWait,
}

/// Shared or exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// With other readers.
    Shared,
    /// Alone.
    Exclusive,
}

/// A transaction, by its age: the smaller began earlier. To retry, begin again; to keep its age (so
/// that it does not starve under the age policies) use [`LockManager::begin_again`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txn {
    age: u64,
    slot: u32,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It is held.
    Granted,
    /// It waits; an [`Event`] will tell.
    Wait,
    /// The request aborted the transaction (wait-die, no-wait, an upgrade under an age policy): its
    /// locks are gone.
    Die,
    /// The transaction was the youngest of a circle that its request closed; its locks are gone.
    Deadlock,
    /// The transaction had been aborted, or ended, before.
    Aborted,
    /// It waits for another lock already.
    Waiting,
}

/// Why a transaction was not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCommitted {
    /// It had been aborted, or ended: undo its work.
    Aborted,
    /// It waits for a lock.
    Waiting,
}

impl core::fmt::Display for NotCommitted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Aborted => "the transaction was aborted",
            Self::Waiting => "the transaction waits for a lock",
        })
    }
}

impl core::error::Error for NotCommitted {}

/// What happened to another transaction than the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<K> {
    /// An older one took its locks; it is aborted.
    Wounded(Txn),
    /// It was the youngest of a circle; it is aborted.
    Deadlock(Txn),
    /// It has the lock that it waited for.
    Granted(Txn, K),
}

/// Locks of transactions. One owner: put it under a mutex to share it, all calls are short.
///
/// A request costs O(holders + waiters of the key), and under [`Policy::Detect`], when it waits, a
/// search over the transactions that can be reached from it. Memory: 64 bytes or so a transaction,
/// as much a key that is locked, 16 a lock; a free key costs nothing.
///
/// ```
/// use archstone_lock::txn::{Access::Exclusive, Event, LockManager, Policy, Verdict};
///
/// let mut locks = LockManager::<&str>::new(Policy::Detect);
/// let (one, two) = (locks.begin(), locks.begin());
/// assert_eq!(locks.lock(one, "a", Exclusive), Verdict::Granted);
/// assert_eq!(locks.lock(two, "b", Exclusive), Verdict::Granted);
/// assert_eq!(locks.lock(one, "b", Exclusive), Verdict::Wait);
/// assert_eq!(locks.lock(two, "a", Exclusive), Verdict::Deadlock); // two is the younger
/// assert_eq!(locks.events(), [Event::Granted(one, "b")]);
/// ```
#[derive(Debug)]
pub struct LockManager<K, S = ahash::RandomState> {
    policy: Policy,
    next_age: u64,
    txns: Vec<State<K>>,
    free: Vec<u32>,
    keys: HashMap<K, Entry, S>,
    /// With what they are ordered by.
    events: Vec<(Order, Event<K>)>,
    /// Requests that have waited so far.
    asked: u64,
    /// Marks of the searches so far.
    search: u64,
    stack: Vec<u32>,
}

/// Kind, then age or arrival.
type Order = (u8, u64);

#[derive(Debug)]
struct State<K> {
    age: u64,
    /// Which request to wait its latest was.
    asked: u64,
    live: bool,
    held: Vec<K>,
    waits_for: Option<K>,
    /// The last search that has met it, and from where.
    seen: u64,
    via: u32,
}

#[derive(Debug, Default)]
struct Entry {
    holders: Vec<Hold>,
    queue: VecDeque<Hold>,
}

#[derive(Clone, Copy, Debug)]
struct Hold {
    slot: u32,
    exclusive: bool,
}

impl Hold {
    const fn conflicts(self, other: Self) -> bool {
        self.slot != other.slot && (self.exclusive || other.exclusive)
    }
}

impl<K: Hash + Eq + Clone, S: BuildHasher + Default> LockManager<K, S> {
    /// No transaction.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let (txns, free, events, stack) = Default::default();
        Self {
            policy,
            next_age: 1,
            txns,
            free,
            keys: HashMap::default(),
            events,
            asked: 0,
            search: 0,
            stack,
        }
    }

    /// A transaction younger than all before.
    pub fn begin(&mut self) -> Txn {
        let age = self.next_age;
        self.next_age += 1;
        self.enter(age)
    }

    /// The next try of a transaction that was aborted, as old as before: it gets its turn.
    ///
    /// `None` while the earlier try is still live.
    pub fn begin_again(&mut self, aborted: Txn) -> Option<Txn> {
        let live = self.txns.iter().any(|state| state.live && state.age == aborted.age);
        if live || aborted.age >= self.next_age { None } else { Some(self.enter(aborted.age)) }
    }

    fn enter(&mut self, age: u64) -> Txn {
        let (held, waits_for) = (Vec::new(), None);
        let state = State { age, asked: 0, live: true, held, waits_for, seen: 0, via: 0 };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.txns[slot as usize] = state;
                slot
            }
            None => {
                self.txns.push(state);
                (self.txns.len() - 1) as u32
            }
        };
        Txn { age, slot }
    }

    /// Whether the transaction runs: neither ended nor aborted.
    #[must_use]
    pub fn is_live(&self, txn: Txn) -> bool {
        self.txns.get(txn.slot as usize).is_some_and(|state| state.live && state.age == txn.age)
    }

    /// Whether the transaction waits for a lock.
    #[must_use]
    pub fn is_waiting(&self, txn: Txn) -> bool {
        self.is_live(txn) && self.txns[txn.slot as usize].waits_for.is_some()
    }

    /// What happened to others since the last call: wounds, then deadlocks, then grants; each by age,
    /// grants by arrival where waiting is in order of arrival.
    pub fn events(&mut self) -> Vec<Event<K>> {
        let mut events = core::mem::take(&mut self.events);
        events.sort_by_key(|event| event.0);
        events.into_iter().map(|event| event.1).collect()
    }

    /// Asks for `key`.
    pub fn lock(&mut self, txn: Txn, key: K, access: Access) -> Verdict {
        if !self.is_live(txn) {
            return Verdict::Aborted;
        }
        if self.txns[txn.slot as usize].waits_for.is_some() {
            return Verdict::Waiting;
        }
        let me = Hold { slot: txn.slot, exclusive: access == Access::Exclusive };
        let entry = self.keys.entry(key.clone()).or_default();
        let mine = entry.holders.iter().position(|hold| hold.slot == me.slot);
        if let Some(at) = mine {
            if entry.holders[at].exclusive || !me.exclusive {
                return Verdict::Granted;
            }
            if entry.holders.len() == 1 {
                entry.holders[at].exclusive = true;
                return Verdict::Granted;
            }
        } else if entry.queue.is_empty() && !entry.holders.iter().any(|hold| hold.conflicts(me)) {
            entry.holders.push(me);
            self.txns[txn.slot as usize].held.push(key);
            return Verdict::Granted;
        }
        let upgrade = mine.is_some();
        match self.policy {
            Policy::NoWait => self.die(txn, Verdict::Die),
            Policy::WaitDie | Policy::WoundWait if upgrade => self.die(txn, Verdict::Die),
            Policy::WaitDie => self.wait_or_die(txn, key, me),
            Policy::WoundWait => self.wound_or_wait(txn, key, me),
            Policy::Detect => self.wait_and_search(txn, key, me, upgrade),
        }
    }

    fn die(&mut self, txn: Txn, verdict: Verdict) -> Verdict {
        self.end(txn.slot);
        verdict
    }

    fn wait_or_die(&mut self, txn: Txn, key: K, me: Hold) -> Verdict {
        let entry = &self.keys[&key];
        let mut others = entry.holders.iter().chain(&entry.queue).filter(|hold| hold.conflicts(me));
        if others.any(|hold| self.txns[hold.slot as usize].age < txn.age) {
            return self.die(txn, Verdict::Die);
        }
        self.wait(&key, me, |_| false)
    }

    fn wound_or_wait(&mut self, txn: Txn, key: K, me: Hold) -> Verdict {
        let entry = &self.keys[&key];
        let younger =
            |hold: &&Hold| hold.conflicts(me) && self.txns[hold.slot as usize].age > txn.age;
        let mut wounded: Vec<u32> =
            entry.holders.iter().filter(younger).map(|hold| hold.slot).collect();
        wounded.sort_unstable();
        // It waits before the wounds, by age, so that what they free comes to whom it is due.
        let ages: Vec<u64> =
            entry.queue.iter().map(|hold| self.txns[hold.slot as usize].age).collect();
        let place = ages.iter().position(|&age| age > txn.age).unwrap_or(ages.len());
        let mut at = 0;
        let verdict = self.wait(&key, me, |_| {
            at += 1;
            at > place
        });
        for slot in wounded {
            let wounded = Txn { age: self.txns[slot as usize].age, slot };
            self.events.push(((0, wounded.age), Event::Wounded(wounded)));
            self.end(slot);
        }
        self.settle(txn, key, verdict)
    }

    fn wait_and_search(&mut self, txn: Txn, key: K, me: Hold, upgrade: bool) -> Verdict {
        let mut verdict = self.wait(&key, me, |_| upgrade);
        // One request can close several circles: until none is left.
        while self.is_live(txn) && self.txns[txn.slot as usize].waits_for.is_some() {
            let Some(victim) = self.youngest_of_circle(txn.slot) else { break };
            if victim == txn.slot {
                return self.die(txn, Verdict::Deadlock);
            }
            let age = self.txns[victim as usize].age;
            self.events.push(((1, age), Event::Deadlock(Txn { age, slot: victim })));
            self.end(victim);
            verdict = Verdict::Wait;
        }
        self.settle(txn, key, verdict)
    }

    /// A request that was granted while it was being made is answered, not told.
    fn settle(&mut self, txn: Txn, key: K, verdict: Verdict) -> Verdict {
        if self.txns[txn.slot as usize].waits_for.is_some() {
            return verdict;
        }
        self.events.retain(|event| event.1 != Event::Granted(txn, key.clone()));
        Verdict::Granted
    }

    /// Puts `me` into the queue before the first that `before` says.
    fn wait(&mut self, key: &K, me: Hold, mut before: impl FnMut(&Hold) -> bool) -> Verdict {
        if let Some(entry) = self.keys.get_mut(key) {
            let at = entry.queue.iter().position(&mut before).unwrap_or(entry.queue.len());
            entry.queue.insert(at, me);
            self.asked += 1;
            let state = &mut self.txns[me.slot as usize];
            (state.asked, state.waits_for) = (self.asked, Some(key.clone()));
        }
        self.grant(key);
        Verdict::Wait
    }

    /// Ends well: all locks are free for others.
    ///
    /// # Errors
    /// [`NotCommitted`]; then nothing has changed.
    pub fn commit(&mut self, txn: Txn) -> Result<(), NotCommitted> {
        if !self.is_live(txn) {
            return Err(NotCommitted::Aborted);
        }
        if self.txns[txn.slot as usize].waits_for.is_some() {
            return Err(NotCommitted::Waiting);
        }
        self.end(txn.slot);
        Ok(())
    }

    /// Ends badly, also while it waits: all locks are free for others. Whether it was live.
    pub fn abort(&mut self, txn: Txn) -> bool {
        let live = self.is_live(txn);
        if live {
            self.end(txn.slot);
        }
        live
    }

    fn end(&mut self, slot: u32) {
        let state = &mut self.txns[slot as usize];
        state.live = false;
        let mut keys = core::mem::take(&mut state.held);
        keys.extend(state.waits_for.take());
        self.free.push(slot);
        for key in &keys {
            if let Some(entry) = self.keys.get_mut(key) {
                entry.holders.retain(|hold| hold.slot != slot);
                entry.queue.retain(|hold| hold.slot != slot);
            }
        }
        for key in &keys {
            self.grant(key);
        }
    }

    /// Grants from the front of the queue while it goes.
    fn grant(&mut self, key: &K) {
        let Some(entry) = self.keys.get_mut(key) else { return };
        while let Some(&next) = entry.queue.front() {
            if entry.holders.iter().any(|hold| hold.conflicts(next)) {
                break;
            }
            entry.queue.pop_front();
            let state = &mut self.txns[next.slot as usize];
            state.waits_for = None;
            match entry.holders.iter_mut().find(|hold| hold.slot == next.slot) {
                Some(hold) => hold.exclusive = true,
                None => {
                    entry.holders.push(next);
                    state.held.push(key.clone());
                }
            }
            let order = if self.policy == Policy::WoundWait { state.age } else { state.asked };
            let txn = Txn { age: state.age, slot: next.slot };
            self.events.push(((2, order), Event::Granted(txn, key.clone())));
        }
        if entry.holders.is_empty() && entry.queue.is_empty() {
            self.keys.remove(key);
        }
    }

    /// A depth-first search from `start` over who waits for whom; the youngest of the first circle
    /// through `start`. Only new waits close circles, so only those through it can be there.
    fn youngest_of_circle(&mut self, start: u32) -> Option<u32> {
        self.search += 1;
        self.stack.clear();
        self.stack.push(start);
        while let Some(slot) = self.stack.pop() {
            let Some(key) = &self.txns[slot as usize].waits_for else { continue };
            let entry = &self.keys[key];
            let Some(place) = entry.queue.iter().position(|hold| hold.slot == slot) else {
                continue;
            };
            let me = entry.queue[place];
            for hold in entry.holders.iter().chain(entry.queue.iter().take(place)) {
                if !hold.conflicts(me) {
                    continue;
                }
                if hold.slot == start {
                    return Some(youngest(&self.txns, start, slot));
                }
                let next = &mut self.txns[hold.slot as usize];
                if next.seen != self.search {
                    (next.seen, next.via) = (self.search, slot);
                    self.stack.push(hold.slot);
                }
            }
        }
        None
    }

    /// Panics when an invariant does not hold; for tests.
    #[doc(hidden)]
    pub fn audit(&mut self) {
        for (key, entry) in &self.keys {
            assert!(
                !entry.holders.is_empty() || !entry.queue.is_empty(),
                "a free key costs nothing"
            );
            for (n, a) in entry.holders.iter().enumerate() {
                assert!(
                    self.txns[a.slot as usize].live
                        && self.txns[a.slot as usize].held.contains(key)
                );
                assert!(
                    entry.holders[..n].iter().all(|b| !a.conflicts(*b)),
                    "nobody shares with a writer"
                );
            }
            for waiter in &entry.queue {
                assert!(self.txns[waiter.slot as usize].waits_for.as_ref() == Some(key));
            }
            let front = entry.queue.front();
            let runs =
                front.is_some_and(|next| !entry.holders.iter().any(|hold| hold.conflicts(*next)));
            assert!(!runs, "the front of a queue waits for a holder");
        }
        let live = self.txns.iter().filter(|state| state.live).count();
        assert_eq!(live + self.free.len(), self.txns.len(), "what ended makes room");
        for slot in 0..self.txns.len() as u32 {
            if self.txns[slot as usize].live {
                assert_eq!(self.youngest_of_circle(slot), None, "no circle (I8)");
            }
        }
    }
}

/// The youngest on the way that a search took from `start` to `last`.
fn youngest<K>(txns: &[State<K>], start: u32, last: u32) -> u32 {
    let (mut at, mut youngest) = (last, last);
    while at != start {
        at = txns[at as usize].via;
        if txns[at as usize].age > txns[youngest as usize].age {
            youngest = at;
        }
    }
    youngest
}
