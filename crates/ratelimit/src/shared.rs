//! State that threads share, without locks.
//!
//! Invariants, each kept by every path and driven by `tests/loom.rs`:
//! 1. A check that passes has replaced exactly the state it read: one successful compare-exchange
//!    on a word that names that state.
//! 2. A verdict is of one rule: the rule's version is the same before its words were read and
//!    after the state was (a sequence lock whose write side also freezes the state and puts back
//!    another one, so that a check under the old rule cannot land on a state of the new one).
//! 3. A denied check writes nothing.

use crate::algorithm::sealed::State;
use crate::algorithm::{RULE_WORDS, carry};
use crate::{Algorithm, Carry, Denial, Grant, Quota, Verdict};
use alloc::boxed::Box;
use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use archstone_core::shim::hint::spin_loop;
use core::fmt::Debug;
use core::marker::PhantomData;
use core::time::Duration;

/// The word of a state that is being moved to another rule.
const FROZEN: u64 = u64::MAX;

/// One state, many threads.
pub trait Cell<S>: Debug + Send + Sync {
    /// A cell that holds `state`.
    fn new(state: S) -> Self;

    /// The state, or `None` while it is frozen.
    fn load(&self) -> Option<S>;

    /// Runs `step` on the state until its result could be stored, or it says not to store it.
    /// `None` while the state is frozen.
    fn update<R>(&self, step: impl FnMut(&mut S) -> (bool, R)) -> Option<R>;

    /// Takes the state out and makes every update fail until [`thaw`](Self::thaw).
    fn freeze(&self) -> S;

    /// Puts a state back in the place of `old`, the frozen one, and makes sure that it differs.
    fn thaw(&self, old: S, new: S);
}

/// A state of one word.
#[derive(Debug)]
pub struct WordCell(AtomicU64);

impl Cell<u64> for WordCell {
    fn new(state: u64) -> Self {
        Self(AtomicU64::new(state))
    }

    #[inline(always)]
    fn load(&self) -> Option<u64> {
        let word = self.0.load(Ordering::Acquire);
        (word != FROZEN).then_some(word)
    }

    #[inline(always)]
    fn update<R>(&self, mut step: impl FnMut(&mut u64) -> (bool, R)) -> Option<R> {
        let mut seen = self.0.load(Ordering::Acquire);
        loop {
            if seen == FROZEN {
                return None;
            }
            let mut word = seen;
            let (store, result) = step(&mut word);
            if !store {
                return Some(result);
            }
            let swap =
                self.0.compare_exchange_weak(seen, word, Ordering::AcqRel, Ordering::Acquire);
            match swap {
                Ok(_) => return Some(result),
                Err(other) => seen = other,
            }
        }
    }

    fn freeze(&self) -> u64 {
        self.0.swap(FROZEN, Ordering::AcqRel)
    }

    fn thaw(&self, old: u64, new: u64) {
        // A check under the old rule that read `old` must fail on what it finds here. The next
        // word is one tick or one unit more in use: towards denial.
        let word = match new.min(FROZEN - 1) {
            same if same == old && old == FROZEN - 1 => old - 1,
            same if same == old => old + 1,
            other => other,
        };
        self.0.store(word, Ordering::Release);
    }
}

/// Buffers of a [`VersionedCell`]: one holds the state, the others are for writers. Progress is
/// lock-free as long as fewer than the rest are stopped in the middle of a write.
const BUFFERS: usize = 8;
const FROZEN_BIT: u64 = 8;
const VERSION_STEP: u64 = 16;

/// A state of several words.
///
/// A writer fills a buffer of its own and then swings `control` to it, which is the one
/// compare-exchange that counts; a reader copies the buffer that `control` names and looks whether
/// it still does. `control` carries a version of 60 bits, so it never returns to an old value.
#[derive(Debug)]
pub struct VersionedCell<S> {
    /// Version, frozen bit, index of the buffer that holds the state.
    control: AtomicU64,
    /// Which buffers are held: by the state or by a writer.
    held: [AtomicBool; BUFFERS],
    words: Box<[AtomicU64]>,
    state: PhantomData<fn() -> S>,
}

impl<S: State> VersionedCell<S> {
    fn copy(&self, control: u64) -> S {
        let start = (control % BUFFERS as u64) as usize * S::WORDS;
        S::read(|word| self.words[start + word].load(Ordering::Relaxed))
    }

    fn fill(&self, buffer: usize, state: &S) {
        // Who reads one of these words in a buffer that it thinks still holds the state must then
        // see that `control` has moved on.
        fence(Ordering::Release);
        let start = buffer * S::WORDS;
        state.write(|word, value| self.words[start + word].store(value, Ordering::Relaxed));
    }

    fn read(&self) -> Option<(u64, S)> {
        loop {
            let control = self.control.load(Ordering::Acquire);
            if control & FROZEN_BIT != 0 {
                return None;
            }
            let state = self.copy(control);
            fence(Ordering::Acquire);
            if self.control.load(Ordering::Relaxed) == control {
                return Some((control, state));
            }
            spin_loop();
        }
    }

    /// A buffer that nobody holds. It is looked at before it is taken: the exchange that fails on
    /// the one of the state would be a locked instruction for nothing.
    fn claim(&self) -> Option<usize> {
        self.held.iter().position(|held| {
            !held.load(Ordering::Relaxed)
                && held.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_ok()
        })
    }
}

impl<S: State> Cell<S> for VersionedCell<S> {
    fn new(state: S) -> Self {
        let cell = Self {
            control: AtomicU64::new(0),
            held: core::array::from_fn(|buffer| AtomicBool::new(buffer == 0)),
            words: (0..BUFFERS * S::WORDS).map(|_| AtomicU64::new(0)).collect(),
            state: PhantomData,
        };
        cell.fill(0, &state);
        cell
    }

    fn load(&self) -> Option<S> {
        self.read().map(|(_, state)| state)
    }

    fn update<R>(&self, mut step: impl FnMut(&mut S) -> (bool, R)) -> Option<R> {
        loop {
            let (control, mut state) = self.read()?;
            let (store, result) = step(&mut state);
            if !store {
                return Some(result);
            }
            let Some(buffer) = self.claim() else {
                spin_loop();
                continue;
            };
            self.fill(buffer, &state);
            let base = control / VERSION_STEP * VERSION_STEP;
            let next = base.wrapping_add(VERSION_STEP) | buffer as u64;
            let swap =
                self.control.compare_exchange(control, next, Ordering::AcqRel, Ordering::Relaxed);
            let free = if swap.is_ok() { (control % BUFFERS as u64) as usize } else { buffer };
            self.held[free].store(false, Ordering::Release);
            if swap.is_ok() {
                return Some(result);
            }
        }
    }

    fn freeze(&self) -> S {
        let mut control = self.control.load(Ordering::Acquire);
        loop {
            let frozen = control.wrapping_add(VERSION_STEP) | FROZEN_BIT;
            let swap =
                self.control.compare_exchange(control, frozen, Ordering::AcqRel, Ordering::Acquire);
            match swap {
                Ok(_) => return self.copy(control),
                Err(other) => control = other,
            }
        }
    }

    fn thaw(&self, _: S, new: S) {
        let control = self.control.load(Ordering::Relaxed);
        self.fill((control % BUFFERS as u64) as usize, &new);
        self.control.store(control.wrapping_add(VERSION_STEP) & !FROZEN_BIT, Ordering::Release);
    }
}

/// Where a shared limit keeps its rule: [`Fixed`] or [`Tunable`]. Sealed.
pub trait RuleCell<A: Algorithm>: Debug + Send + Sync + Sealed {
    /// A cell that holds `rule`.
    fn new(rule: A) -> Self;
    /// The rule as it is now.
    fn rule(&self) -> A;
    /// Runs `step` on the rule and a state of it until its result could be stored, or it says not
    /// to store it.
    fn run<R>(
        &self,
        cell: &<A::State as State>::Cell,
        step: impl FnMut(&A, &mut A::State) -> (bool, R),
    ) -> R;
}

/// Seals [`RuleCell`].
pub trait Sealed {}

/// A rule that only the owner of the limit may change: a check reads it as a plain value. The
/// default.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<A>(A);

impl<A> Sealed for Fixed<A> {}

impl<A: Algorithm> RuleCell<A> for Fixed<A> {
    fn new(rule: A) -> Self {
        Self(rule)
    }
    #[inline(always)]
    fn rule(&self) -> A {
        self.0
    }
    #[inline(always)]
    fn run<R>(
        &self,
        cell: &<A::State as State>::Cell,
        mut step: impl FnMut(&A, &mut A::State) -> (bool, R),
    ) -> R {
        loop {
            // Only who owns the limit freezes its state, so this is the only turn.
            if let Some(result) = cell.update(|state| step(&self.0, state)) {
                return result;
            }
        }
    }
}

/// A rule that may change while others check, at the price of some 4 ns a check: its words are
/// atomics under a sequence lock.
#[derive(Debug)]
pub struct Tunable<A> {
    /// Odd while the rule changes.
    version: AtomicU64,
    words: [AtomicU64; RULE_WORDS],
    algorithm: PhantomData<fn() -> A>,
}

impl<A> Sealed for Tunable<A> {}

impl<A: Algorithm> RuleCell<A> for Tunable<A> {
    fn new(rule: A) -> Self {
        let words = rule.to_words().map(AtomicU64::new);
        Self { version: AtomicU64::new(0), words, algorithm: PhantomData }
    }

    fn rule(&self) -> A {
        loop {
            let version = self.version.load(Ordering::Acquire);
            let rule = self.torn();
            fence(Ordering::Acquire);
            if version % 2 == 0 && self.version.load(Ordering::Relaxed) == version {
                return rule;
            }
            spin_loop();
        }
    }

    #[inline(always)]
    fn run<R>(
        &self,
        cell: &<A::State as State>::Cell,
        mut step: impl FnMut(&A, &mut A::State) -> (bool, R),
    ) -> R {
        loop {
            let version = self.version.load(Ordering::Acquire);
            // Maybe words of two rules: not used before the version is looked at again.
            let rule = A::hot(|word| self.words[word].load(Ordering::Relaxed));
            let done = cell.update(|state| {
                // The state was read (acquire) after the rule: if the version still stands, the
                // rule is whole and the state is one of it, and a change that begins now makes the
                // exchange fail.
                fence(Ordering::Acquire);
                if version % 2 != 0 || self.version.load(Ordering::Relaxed) != version {
                    return (false, None);
                }
                let (store, result) = step(&rule, state);
                (store, Some(result))
            });
            if let Some(Some(result)) = done {
                return result;
            }
            spin_loop();
        }
    }
}

impl<A: Algorithm> Tunable<A> {
    /// The words as they stand, maybe of two rules while one changes.
    fn torn(&self) -> A {
        A::from_words(core::array::from_fn(|word| self.words[word].load(Ordering::Relaxed)))
    }

    /// Puts `change` of the rule in its place, alone.
    fn replace(&self, change: impl FnOnce(A) -> A) {
        let version = loop {
            let seen = self.version.load(Ordering::Relaxed);
            let free = seen % 2 == 0;
            let swap = |to| {
                self.version.compare_exchange_weak(seen, to, Ordering::AcqRel, Ordering::Relaxed)
            };
            if free && swap(seen.wrapping_add(1)).is_ok() {
                break seen;
            }
            spin_loop();
        };
        fence(Ordering::Release);
        let rule = change(self.torn());
        for (word, value) in self.words.iter().zip(rule.to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }
}

/// A limit that threads share by reference, with the caller's time.
///
/// Checks are lock-free: one compare-exchange when they pass, no write at all when they are
/// denied. Who owns the limit may change its quota; to change it while others check, make it with
/// [`tunable`](Shared::tunable).
///
/// ```
/// use archstone_ratelimit::{Gcra, Quota, Shared, Time};
///
/// let limit = Shared::new(Gcra::new(Quota::per_second(2)));
/// let now = Time::from_millis(5);
/// let passed: usize = std::thread::scope(|scope| {
///     let check = || usize::from(limit.check_at(now, 1).is_allowed());
///     let threads: Vec<_> = (0..4).map(|_| scope.spawn(check)).collect();
///     threads.into_iter().map(|thread| thread.join().unwrap()).sum()
/// });
/// assert_eq!(passed, 2);
/// ```
#[derive(Debug)]
pub struct Shared<A: Algorithm, R = Fixed<A>> {
    /// The one line that checks write.
    cell: CachePadded<<A::State as State>::Cell>,
    rule: R,
    /// Ticks that refunds have set out to give back, and [`VOID`] for each change of the quota.
    giving_back: AtomicU64,
    /// The same, of refunds that are done. A grant notes this one before it is made and is held
    /// against the other when it is given back: every refund that came between is in the
    /// difference, maybe one too many, never one too few.
    given_back: AtomicU64,
    algorithm: PhantomData<fn() -> A>,
}

/// Added to what has been given back when the quota changes: grants from before are in other
/// ticks and cannot be given back.
pub(crate) const VOID: u64 = 1 << 62;

impl<A: Algorithm> Shared<A> {
    /// A limit that was never used.
    #[must_use]
    pub fn new(rule: A) -> Self {
        Self::with_cell(rule)
    }

    /// Changes the quota; `how` says what becomes of what was used. Grants made before cannot be
    /// given back after.
    pub fn set_quota_at(&mut self, now: Time, quota: Quota, how: Carry) {
        let (old, new) = (self.rule.0, self.rule.0.with_quota(quota));
        // Nobody else is there, so the state is put in place as it is.
        let state = self.cell.freeze();
        self.cell = CachePadded::new(Cell::new(carry(&old, &new, &state, now, how)));
        self.giving_back.fetch_add(VOID, Ordering::Relaxed);
        self.given_back.fetch_add(VOID, Ordering::Relaxed);
        self.rule = Fixed(new);
    }
}

impl<A: Algorithm> Shared<A, Tunable<A>> {
    /// A limit that was never used, whose quota may change while others check.
    #[must_use]
    pub fn tunable(rule: A) -> Self {
        Self::with_cell(rule)
    }

    /// Changes the quota; `how` says what becomes of what was used. Checks wait for it, some 100
    /// ns. Grants made before cannot be given back after. A state that would be the same word under
    /// both quotas is set one tick towards denial, so that no check of the old one lands on it.
    pub fn set_quota_at(&self, now: Time, quota: Quota, how: Carry) {
        self.rule.replace(|old| {
            let new = old.with_quota(quota);
            self.move_state(now, &old, &new, how);
            new
        });
    }
}

impl<A: Algorithm, R: RuleCell<A>> Shared<A, R> {
    pub(crate) fn with_cell(rule: A) -> Self {
        Self {
            cell: CachePadded::new(Cell::new(A::State::default())),
            rule: R::new(rule),
            giving_back: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            algorithm: PhantomData,
        }
    }

    /// The rule as it is now.
    #[must_use]
    pub fn rule(&self) -> A {
        self.rule.rule()
    }

    /// The quota as it is now.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.rule().quota()
    }

    /// Charges `cost` if it may pass at `now`.
    #[inline(always)]
    pub fn check_at(&self, now: Time, cost: u64) -> Verdict {
        let before = self.given_back.load(Ordering::Acquire);
        let verdict = self.run(|rule, state| {
            let verdict = rule.check(state, now, cost);
            (verdict.is_allowed() && cost != 0, verdict)
        });
        verdict.given_back(before)
    }

    /// What [`check_at`](Self::check_at) would answer.
    #[inline(always)]
    pub fn peek_at(&self, now: Time, cost: u64) -> Verdict {
        self.run(|rule, state| (false, rule.peek(state, now, cost)))
    }

    /// How long until more units pass at once than do at `now`: see [`Algorithm::more_after`].
    #[must_use]
    pub fn more_after_at(&self, now: Time) -> Duration {
        self.run(|rule, state| (false, rule.more_after(state, now)))
    }

    /// Charges as much of `most` as may pass at `now`, maybe nothing: see [`Grant::cost`].
    pub fn take_up_to_at(&self, now: Time, most: u64) -> Grant {
        let before = self.given_back.load(Ordering::Acquire);
        let grant = self.run(|rule, state| {
            let grant = rule.take_up_to(state, now, most);
            (grant.cost != 0, grant)
        });
        Grant { before, ..grant }
    }

    /// Charges `cost` now if it may pass within `max_wait`, and says when.
    ///
    /// # Errors
    /// The denial with the wait that would have been needed.
    pub fn reserve_at(
        &self,
        now: Time,
        cost: u64,
        max_wait: Duration,
    ) -> Result<(Grant, Time), Denial> {
        let before = self.given_back.load(Ordering::Acquire);
        let booked = self.run(|rule, state| {
            let booked = rule.reserve(state, now, cost, max_wait);
            (booked.is_ok() && cost != 0, booked)
        });
        booked.map(|(grant, ready)| (Grant { before, ..grant }, ready))
    }

    /// Charges `cost` whether or not there is room: for a cost known after the work. What is over
    /// the quota is a debt that later checks wait out.
    pub fn charge_at(&self, now: Time, cost: u64) -> Grant {
        let before = self.given_back.load(Ordering::Acquire);
        let grant = self.run(|rule, state| (cost != 0, rule.charge(state, now, cost)));
        Grant { before, ..grant }
    }

    /// Gives back up to `units` of `grant`, as far as it has not drained, and says how many.
    /// Giving one grant back twice gives back what others took: see
    /// [`Reservation`](crate::Reservation) for a guard that cannot.
    pub fn refund_at(&self, now: Time, grant: &Grant, units: u64) -> u64 {
        let mut announced = 0_u64;
        let done = self.run(|rule, state| {
            let since = self.giving_back.load(Ordering::Relaxed).wrapping_sub(announced);
            let since = since.saturating_sub(grant.before);
            if since >= VOID {
                return (false, crate::Refund::default());
            }
            let refund = rule.refund(state, now, grant, units, since);
            if refund.ticks != 0 {
                self.giving_back.fetch_add(refund.ticks, Ordering::Relaxed);
                announced = announced.wrapping_add(refund.ticks);
            }
            (refund.ticks != 0, refund)
        });
        self.given_back.fetch_add(announced, Ordering::Release);
        done.units
    }

    /// Makes the state one of the rule `new`. No two at a time.
    fn move_state(&self, now: Time, old: &A, new: &A, how: Carry) {
        self.giving_back.fetch_add(VOID, Ordering::Relaxed);
        let state = self.cell.freeze();
        self.cell.thaw(state, carry(old, new, &state, now, how));
        self.given_back.fetch_add(VOID, Ordering::Release);
    }

    #[inline(always)]
    fn run<T>(&self, step: impl FnMut(&A, &mut A::State) -> (bool, T)) -> T {
        self.rule.run(&self.cell, step)
    }
}
