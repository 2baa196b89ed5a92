//! The sliding window counter.

use crate::algorithm::sealed::{Rule, State};
use crate::algorithm::{ONE, RULE_WORDS};
use crate::exact::Scale;
use crate::shared::VersionedCell;
use crate::verdict::{Reason, Standing};
use crate::{Algorithm, Denial, Grant, Quota, Refund, Time, Verdict};
use core::time::Duration;

/// The sliding window counter with `S` sub-windows: nearly the exact log, in `S + 2` words.
///
/// The window of the quota's period is cut into `S` parts, each counted. What lies in the window
/// is the parts wholly in it plus, of the oldest part, the share still in it: it is taken to have
/// come evenly. `S = 1` is the well-known form with the previous and the current window.
///
/// **Bound.** The decision is that of an exact [`SlidingLog`](crate::SlidingLog) whose window is
/// between `W - W/S` and `W + W/S` long. With [`conservative`](Self::conservative) the oldest part
/// counts whole: then the window is `W` to `W + W/S` long and no window of length `W` ever admits
/// more than the limit.
///
/// The limit is the amount of the rate; the burst is not used. All arithmetic is exact rational. A
/// clock that steps back is taken to stand still. A promise for a later instant is not possible,
/// so `reserve` passes at once or not at all. O(S).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlidingCounter<const S: usize = 8> {
    /// Parts a nanosecond.
    scale: Scale,
    amount: u64,
    period: u64,
    limit: u64,
    whole: bool,
}

/// The counts of a [`SlidingCounter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts<const S: usize> {
    /// The part that `current` counts.
    at: u64,
    current: u64,
    /// Part `p` is at `p % S`, for the `S` parts before `at`.
    past: [u64; S],
}

impl<const S: usize> Default for Counts<S> {
    fn default() -> Self {
        Self { at: 0, current: 0, past: [0; S] }
    }
}

impl<const S: usize> State for Counts<S> {
    type Cell = VersionedCell<Self>;
    const WORDS: usize = S + 2;
    #[inline(always)]
    fn read(mut word: impl FnMut(usize) -> u64) -> Self {
        Self { at: word(0), current: word(1), past: core::array::from_fn(|part| word(part + 2)) }
    }
    #[inline(always)]
    fn write(&self, mut word: impl FnMut(usize, u64)) {
        word(0, self.at);
        word(1, self.current);
        for (part, count) in self.past.iter().enumerate() {
            word(part + 2, *count);
        }
    }
}

impl<const S: usize> Counts<S> {
    /// The state as seen from part `at`.
    #[inline(always)]
    fn advanced(&self, at: u64) -> Self {
        let mut next = *self;
        if at <= self.at {
            return next;
        }
        let skipped = at - self.at;
        if skipped > S as u64 {
            next.past = [0; S];
        } else {
            next.past[(self.at % S as u64) as usize] = self.current;
            for part in 1..skipped {
                next.past[((self.at + part) % S as u64) as usize] = 0;
            }
        }
        next.current = 0;
        next.at = at;
        next
    }

    /// The count of part `part`, which may be the current one or a later one.
    fn count(&self, part: u64) -> u64 {
        match part.checked_sub(self.at) {
            Some(0) => self.current,
            Some(_) => 0,
            None if self.at - part <= S as u64 => self.past[(part % S as u64) as usize],
            None => 0,
        }
    }

    /// The count of the oldest part that reaches into the window that ends in `at`.
    #[inline(always)]
    fn oldest(&self) -> u64 {
        self.past[(self.at % S as u64) as usize]
    }

    /// The counts of all other parts.
    #[inline(always)]
    fn rest(&self) -> u64 {
        let all = self.past.iter().fold(self.current, |sum, count| sum.saturating_add(*count));
        if all == u64::MAX { all } else { all - self.oldest() }
    }
}

/// Where `now` lies in its part: `past / den` of it are over.
#[derive(Clone, Copy)]
struct Place {
    part: u64,
    past: u64,
    den: u64,
}

impl<const S: usize> SlidingCounter<S> {
    /// The rule of `quota`: its amount in any window of its period.
    #[must_use]
    pub const fn new(quota: Quota) -> Self {
        const { assert!(S > 0, "a window has at least one part") };
        let [amount, period, burst] = quota.to_words();
        let limit = if burst == 0 {
            0
        } else if amount > Quota::MAX_BURST {
            Quota::MAX_BURST
        } else {
            amount
        };
        Self { scale: Scale::new(S as u128, period), amount, period, limit, whole: false }
    }

    /// The same, but the oldest part counts whole: no window admits more than the limit.
    #[must_use]
    pub const fn conservative(self) -> Self {
        Self { whole: true, ..self }
    }

    #[inline(always)]
    fn place(&self, state: &Counts<S>, now: Time) -> Place {
        let part = self.scale.tick_of_windows(now).floor;
        let (past, den) = self.scale.rest(now, part);
        // A clock that steps back stands at the start of the newest part.
        if part < state.at {
            Place { part: state.at, past: 0, den }
        } else {
            Place { part, past, den }
        }
    }

    /// Units of room; the second is whether `cost` fits.
    #[inline(always)]
    fn fits(&self, state: &Counts<S>, place: Place, cost: u64) -> bool {
        let Some(room) = self.limit.checked_sub(state.rest()) else { return false };
        let Some(room) = room.checked_sub(cost) else { return false };
        let oldest = state.oldest();
        if self.whole {
            return oldest <= room;
        }
        let share = u128::from(oldest) * u128::from(place.den - place.past);
        share <= u128::from(room) * u128::from(place.den)
    }

    fn room(&self, state: &Counts<S>, place: Place) -> u64 {
        let left = self.limit.saturating_sub(state.rest());
        let oldest = u128::from(state.oldest());
        let share = if self.whole {
            oldest
        } else {
            (oldest * u128::from(place.den - place.past)).div_ceil(u128::from(place.den))
        };
        left.saturating_sub(u64::try_from(share).unwrap_or(u64::MAX))
    }

    /// The first instant at which `cost` fits, if nothing comes before; it is within the limit.
    fn passes(&self, state: &Counts<S>, place: Place, cost: u64) -> Time {
        for step in 0..=S as u64 {
            let part = place.part.saturating_add(step);
            let seen = state.advanced(part);
            let Some(room) = self.limit.checked_sub(seen.rest()) else { continue };
            let Some(room) = room.checked_sub(cost) else { continue };
            let oldest = seen.oldest();
            if oldest <= room {
                let past = if step == 0 { place.past } else { 0 };
                return self.scale.first_part(part, past);
            }
            if self.whole {
                continue;
            }
            let share = u128::from(room) * u128::from(place.den) / u128::from(oldest);
            // The oldest is over the room, so the share is below `den`.
            let past = place.den - share as u64;
            if past < place.den {
                return self.scale.first_part(part, past);
            }
        }
        self.scale.first(place.part.saturating_add(S as u64 + 1))
    }

    fn denial(&self, state: &Counts<S>, now: Time, place: Place, cost: u64) -> Denial {
        let pass =
            if cost > self.limit { None } else { Some(self.passes(state, place, cost).as_nanos()) };
        let full = self.scale.first(self.full(state)).max(now);
        let standing = Standing::nanos(now, self.room(state, place), full);
        Denial { cost, pass, reason: Reason::Quota, standing }
    }

    /// The part from which nothing of the state is in the window.
    #[inline(always)]
    fn full(&self, state: &Counts<S>) -> u64 {
        state.at.saturating_add(S as u64 + 1)
    }

    #[inline(always)]
    fn grant(&self, state: &Counts<S>, now: Time, place: Place, cost: u64) -> Grant {
        let room = self.room(state, place);
        let standing = Standing { now, scale: self.scale, unit: 1, room, full: self.full(state) };
        Grant { cost, mark: place.part, before: 0, held: 0, standing }
    }
}

impl<const S: usize> Rule for SlidingCounter<S> {
    #[inline(always)]
    fn to_words(self) -> [u64; RULE_WORDS] {
        let [a, b, c, d] = self.scale.to_words();
        [a, b, c, d, self.amount, self.period, self.limit, u64::from(self.whole)]
    }
    #[inline(always)]
    fn from_words([a, b, c, d, amount, period, limit, whole]: [u64; RULE_WORDS]) -> Self {
        let scale = Scale::from_words([a, b, c, d]);
        Self { scale, amount, period, limit, whole: whole != 0 }
    }
}

impl<const S: usize> Algorithm for SlidingCounter<S> {
    type State = Counts<S>;

    fn with_quota(&self, quota: Quota) -> Self {
        Self { whole: self.whole, ..Self::new(quota) }
    }

    fn quota(&self) -> Quota {
        Quota::from_words([self.amount, self.period, self.limit])
    }

    #[inline(always)]
    fn check(&self, state: &mut Counts<S>, now: Time, cost: u64) -> Verdict {
        let place = self.place(state, now);
        let mut seen = state.advanced(place.part);
        if cost == 0 {
            return Verdict::Allow(self.grant(&seen, now, place, 0));
        }
        if !self.fits(&seen, place, cost) {
            return Verdict::Deny(self.denial(&seen, now, place, cost));
        }
        seen.current += cost;
        *state = seen;
        Verdict::Allow(self.grant(&seen, now, place, cost))
    }

    fn reserve(
        &self,
        state: &mut Counts<S>,
        now: Time,
        cost: u64,
        _: Duration,
    ) -> Result<(Grant, Time), Denial> {
        self.check(state, now, cost).ok().map(|grant| (grant, now))
    }

    fn charge(&self, state: &mut Counts<S>, now: Time, cost: u64) -> Grant {
        let place = self.place(state, now);
        let mut seen = state.advanced(place.part);
        seen.current = seen.current.saturating_add(cost);
        if cost != 0 {
            *state = seen;
        }
        self.grant(&seen, now, place, cost)
    }

    fn refund(&self, state: &mut Counts<S>, _: Time, grant: &Grant, units: u64, _: u64) -> Refund {
        let wanted = units.min(grant.cost);
        let had = state.count(grant.mark);
        let given = wanted.min(had);
        if grant.mark == state.at {
            state.current -= given;
        } else if given > 0 {
            state.past[(grant.mark % S as u64) as usize] -= given;
        }
        Refund { units: given, ticks: given }
    }

    fn is_idle(&self, state: &Counts<S>, now: Time) -> bool {
        self.scale.tick_of_windows(now).floor >= self.full(state)
    }

    fn used(&self, state: &Counts<S>, now: Time) -> u128 {
        let place = self.place(state, now);
        let seen = state.advanced(place.part);
        let oldest = u128::from(seen.oldest());
        let share = if self.whole {
            oldest * ONE
        } else {
            // At most 2^64 * 2^64: a part of the share in whole units, the rest in the fraction.
            let product = oldest * u128::from(place.den - place.past);
            let den = u128::from(place.den);
            (product / den) * ONE + ((product % den) * ONE).div_ceil(den)
        };
        u128::from(seen.rest()) * ONE + share
    }

    fn with_used(&self, now: Time, used: u128) -> Counts<S> {
        let current = u64::try_from(used.div_ceil(ONE)).unwrap_or(u64::MAX);
        Counts { at: self.scale.tick_of_windows(now).floor, current, past: [0; S] }
    }

    fn moved(&self, state: &Counts<S>, from: Time, to: Time) -> Counts<S> {
        let seen = state.advanced(self.place(state, from).part);
        let target = self.scale.tick(to).floor;
        let later =
            self.scale.rest(to, target).0 > self.scale.rest(from, self.scale.tick(from).floor).0;
        let mut next = Counts {
            at: target.saturating_add(u64::from(later)),
            current: seen.current,
            past: [0; S],
        };
        for age in 1..=S as u64 {
            if let (Some(old), Some(new)) = (seen.at.checked_sub(age), next.at.checked_sub(age)) {
                next.past[(new % S as u64) as usize] = seen.count(old);
            }
        }
        next
    }
}
