//! The sliding window log.

use crate::algorithm::sealed::{Rule, State};
use crate::algorithm::{ONE, RULE_WORDS};
use crate::shared::VersionedCell;
use crate::verdict::{Reason, Standing};
use crate::{Algorithm, Denial, Grant, Quota, Refund, Time, Verdict};
use core::time::Duration;

/// The sliding window log: exact, at the price of remembering `N` instants.
///
/// Passes when what has passed in `(now - period, now]`, and the cost, are at most the amount of
/// the rate; the burst is not used. The log is a ring of `N` entries in the state itself; requests
/// of one nanosecond share an entry, whatever their number and cost. When `N` entries lie in the
/// window the next is denied ([`Reason::Overflow`]) until the oldest leaves: memory is bounded and
/// the limit never loosened. With unit costs and `N` at least the amount, that never happens.
///
/// A check is O(1) amortised for one owner; shared by threads it copies the log, O(N), so keep `N`
/// at a few hundred there. `16 N + 24` bytes of state. A clock that steps back is taken to stand
/// still. A promise for a later instant is not possible, so `reserve` passes at once or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingLog<const N: usize> {
    amount: u64,
    period: u64,
    limit: u64,
}

/// The ring of a [`SlidingLog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log<const N: usize> {
    head: u64,
    len: u64,
    /// The costs of all entries.
    total: u64,
    /// Instant and cost.
    entries: [(u64, u64); N],
}

impl<const N: usize> Default for Log<N> {
    fn default() -> Self {
        Self { head: 0, len: 0, total: 0, entries: [(0, 0); N] }
    }
}

impl<const N: usize> State for Log<N> {
    type Cell = VersionedCell<Self>;
    const WORDS: usize = 2 * N + 3;
    fn read(mut word: impl FnMut(usize) -> u64) -> Self {
        let entries = core::array::from_fn(|at| (word(2 * at + 3), word(2 * at + 4)));
        // A copy that races a writer is thrown away, but must not index out of the ring before.
        let (head, len) = (word(0) % N as u64, word(1).min(N as u64));
        Self { head, len, total: word(2), entries }
    }
    fn write(&self, mut word: impl FnMut(usize, u64)) {
        word(0, self.head);
        word(1, self.len);
        word(2, self.total);
        for (at, (time, cost)) in self.entries.iter().enumerate() {
            word(2 * at + 3, *time);
            word(2 * at + 4, *cost);
        }
    }
}

impl<const N: usize> Log<N> {
    /// The place of the entry `nth` from the oldest.
    fn place(&self, nth: u64) -> usize {
        ((self.head + nth) % N as u64) as usize
    }

    fn entry(&self, nth: u64) -> (u64, u64) {
        self.entries[self.place(nth)]
    }

    /// The latest instant of the log; time does not run back from there.
    fn newest(&self) -> u64 {
        if self.len == 0 { 0 } else { self.entry(self.len - 1).0 }
    }

    /// How many entries have left the window at `now`, and what they cost.
    fn gone(&self, now: u64, period: u64) -> (u64, u64) {
        let (mut count, mut cost) = (0, 0_u64);
        while count < self.len && now.saturating_sub(self.entry(count).0) >= period {
            cost = cost.saturating_add(self.entry(count).1);
            count += 1;
        }
        (count, cost)
    }

    fn push(&mut self, now: u64, cost: u64) {
        if self.len > 0 && self.newest() == now {
            let place = self.place(self.len - 1);
            self.entries[place].1 = self.entries[place].1.saturating_add(cost);
        } else {
            let place = self.place(self.len);
            self.entries[place] = (now, cost);
            self.len += 1;
        }
        self.total = self.total.saturating_add(cost);
    }

    fn drop_oldest(&mut self, count: u64, cost: u64) {
        self.head = (self.head + count) % N as u64;
        self.len -= count;
        self.total = if self.len == 0 { 0 } else { self.total.saturating_sub(cost) };
    }
}

/// What a check found.
struct View {
    /// The instant it stands for: not before the newest entry.
    now: u64,
    gone: u64,
    gone_cost: u64,
    live: u64,
}

impl<const N: usize> SlidingLog<N> {
    /// The rule of `quota`: its amount in any window of its period.
    #[must_use]
    pub const fn new(quota: Quota) -> Self {
        const { assert!(N > 0, "a log has at least one entry") };
        let [amount, period, burst] = quota.to_words();
        let limit = if burst == 0 {
            0
        } else if amount > Quota::MAX_BURST {
            Quota::MAX_BURST
        } else {
            amount
        };
        Self { amount, period, limit }
    }

    fn view(&self, log: &Log<N>, now: Time) -> View {
        let now = now.as_nanos().max(log.newest());
        let (gone, gone_cost) = log.gone(now, self.period);
        let live = if gone == log.len { 0 } else { log.total.saturating_sub(gone_cost) };
        View { now, gone, gone_cost, live }
    }

    /// What `cost` meets: nothing, or the instant from which it passes, and why.
    fn meets(&self, log: &Log<N>, view: &View, cost: u64) -> Result<(), (Option<u64>, Reason)> {
        if cost > self.limit {
            return Err((None, Reason::Quota));
        }
        let over = view.live.saturating_add(cost).saturating_sub(self.limit);
        if over > 0 {
            let (mut nth, mut freed) = (view.gone, 0_u64);
            while nth < log.len {
                let (at, cost) = log.entry(nth);
                freed = freed.saturating_add(cost);
                if freed >= over {
                    return Err((Some(at.saturating_add(self.period)), Reason::Quota));
                }
                nth += 1;
            }
            return Err((None, Reason::Quota));
        }
        if view.gone == 0 && log.len == N as u64 && log.newest() != view.now {
            return Err((Some(log.entry(0).0.saturating_add(self.period)), Reason::Overflow));
        }
        Ok(())
    }

    fn standing(&self, log: &Log<N>, now: Time, live: u64) -> Standing {
        let room = self.limit.saturating_sub(live);
        let full = if live == 0 { 0 } else { log.newest().saturating_add(self.period) };
        Standing::nanos(now, room, Time::from_nanos(full).max(now))
    }

    fn enter(&self, log: &mut Log<N>, view: &View, now: Time, cost: u64) -> Grant {
        log.drop_oldest(view.gone, view.gone_cost);
        log.push(view.now, cost);
        let standing = self.standing(log, now, log.total);
        Grant { cost, mark: view.now, before: 0, held: 0, standing }
    }
}

impl<const N: usize> Rule for SlidingLog<N> {
    fn to_words(self) -> [u64; RULE_WORDS] {
        [self.amount, self.period, self.limit, 0, 0, 0, 0, 0]
    }
    fn from_words([amount, period, limit, ..]: [u64; RULE_WORDS]) -> Self {
        Self { amount, period, limit }
    }
}

impl<const N: usize> Algorithm for SlidingLog<N> {
    type State = Log<N>;

    fn with_quota(&self, quota: Quota) -> Self {
        Self::new(quota)
    }

    fn quota(&self) -> Quota {
        Quota::from_words([self.amount, self.period, self.limit])
    }

    fn check(&self, log: &mut Log<N>, now: Time, cost: u64) -> Verdict {
        if cost == 0 {
            return self.peek(log, now, 0);
        }
        let view = self.view(log, now);
        match self.meets(log, &view, cost) {
            Ok(()) => Verdict::Allow(self.enter(log, &view, now, cost)),
            Err(_) => self.peek(log, now, cost),
        }
    }

    fn peek(&self, log: &Log<N>, now: Time, cost: u64) -> Verdict {
        let view = self.view(log, now);
        match if cost == 0 { Ok(()) } else { self.meets(log, &view, cost) } {
            Ok(()) => {
                let standing = self.standing(log, now, view.live.saturating_add(cost));
                Verdict::Allow(Grant { cost, mark: view.now, before: 0, held: 0, standing })
            }
            Err((pass, reason)) => {
                let standing = self.standing(log, now, view.live);
                Verdict::Deny(Denial { cost, pass, reason, standing })
            }
        }
    }

    fn reserve(
        &self,
        log: &mut Log<N>,
        now: Time,
        cost: u64,
        _: Duration,
    ) -> Result<(Grant, Time), Denial> {
        self.check(log, now, cost).ok().map(|grant| (grant, now))
    }

    fn charge(&self, log: &mut Log<N>, now: Time, cost: u64) -> Grant {
        let mut view = self.view(log, now);
        if cost == 0 {
            let standing = self.standing(log, now, view.live);
            return Grant { cost, mark: view.now, before: 0, held: 0, standing };
        }
        if view.gone == 0 && log.len == N as u64 && log.newest() != view.now {
            // No room for an instant of its own: the newest takes the cost, and moves to now, so
            // that all of it leaves later than it should, never sooner.
            let place = log.place(log.len - 1);
            log.entries[place].0 = view.now;
            view.gone = 0;
        }
        self.enter(log, &view, now, cost)
    }

    fn refund(&self, log: &mut Log<N>, _: Time, grant: &Grant, units: u64, _: u64) -> Refund {
        let wanted = units.min(grant.cost);
        for nth in (0..log.len).rev() {
            let place = log.place(nth);
            let (at, cost) = log.entries[place];
            if at == grant.mark {
                let given = wanted.min(cost);
                log.entries[place].1 -= given;
                log.total = log.total.saturating_sub(given);
                return Refund { units: given, ticks: given };
            }
            if at < grant.mark {
                break;
            }
        }
        Refund::default()
    }

    fn is_idle(&self, log: &Log<N>, now: Time) -> bool {
        log.len == 0 || now.as_nanos().saturating_sub(log.newest()) >= self.period
    }

    fn used(&self, log: &Log<N>, now: Time) -> u128 {
        u128::from(self.view(log, now).live) * ONE
    }

    fn with_used(&self, now: Time, used: u128) -> Log<N> {
        let mut log = Log::default();
        let cost = u64::try_from(used.div_ceil(ONE)).unwrap_or(u64::MAX);
        if cost > 0 {
            log.push(now.as_nanos(), cost);
        }
        log
    }

    fn moved(&self, log: &Log<N>, from: Time, to: Time) -> Log<N> {
        let mut next = *log;
        for (at, _) in &mut next.entries {
            let age = from.as_nanos().saturating_sub(*at);
            *at = to.as_nanos().saturating_sub(age);
        }
        next
    }
}
