//! The store that machines share: the crate's Redis scripts, carried to a real server or decided
//! here by the same arithmetic.

use archstone_ratelimit::Time;
use archstone_ratelimit::redis::{Call, Outcome};
use kit::Failure;
use std::collections::{HashMap, VecDeque};
use std::fmt::Debug;

/// Whoever decides calls: one atomic step each.
pub trait Store: Debug + Send {
    /// Runs the call's script.
    ///
    /// # Errors
    /// When the store cannot be reached or answers what no script answers.
    fn call(&mut self, call: &Call) -> Result<Outcome, Failure>;
    /// The store forgets everything: a restart without persistence.
    ///
    /// # Errors
    /// As [`Store::call`].
    fn forget(&mut self) -> Result<(), Failure>;
}

/// The semantics of the scripts, in this process. `tests/engine.rs` compares every reply with a
/// real server's.
#[derive(Debug, Default)]
pub struct Memory {
    keys: HashMap<String, Entry>,
    /// The server's clock, in microseconds.
    now: u64,
    /// Calls so far.
    pub calls: u64,
}

#[derive(Debug)]
struct Entry {
    value: Value,
    /// When the key ends by the server's clock, in milliseconds.
    ends: u64,
}

/// What the scripts keep, as text in Redis.
#[derive(Clone, Debug)]
enum Value {
    Arrival { tat: u64, rem: u64, den: u64 },
    Bucket { level: u64, at: u64, period: u64 },
    Window { window: u64, used: u64 },
    Counter { window: u64, cur: u64, prev: u64 },
    Log { entries: VecDeque<(u64, u64)>, used: u64 },
}

/// A key told the time lives this much longer, see the scripts.
const GRACE_MS: u64 = 60_000;

impl Memory {
    /// Sets the server's clock.
    pub fn set_time(&mut self, now: Time) {
        self.now = now.as_nanos() / 1_000;
    }

    /// Keys whose life has no end.
    #[must_use]
    pub fn immortal(&self) -> usize {
        self.keys.values().filter(|entry| entry.ends == u64::MAX).count()
    }

    /// Keys that have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.values().filter(|entry| entry.ends > self.now / 1_000).count()
    }

    /// Whether no key is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The reply of the call's script.
    pub fn reply(&mut self, call: &Call) -> Vec<i64> {
        self.calls += 1;
        let numbers: Vec<u64> = call.args[1..].iter().filter_map(|a| a.parse().ok()).collect();
        let (now, grace) = match call.args[0].parse() {
            Ok(now) => (now, GRACE_MS),
            Err(_) => (self.now, 0),
        };
        let (key, n) = (call.keys[0].as_str(), numbers.as_slice());
        match (call.script.name, n) {
            ("gcra", &[inc, inc_rem, tol, tol_rem, den, spend]) => {
                let part = Arrival { inc, inc_rem, tol, tol_rem, den };
                self.gcra(key, now, grace, part, spend == 1)
            }
            ("compound", [spend, parts @ ..]) => {
                let parts: Vec<_> = parts.chunks_exact(5).map(Arrival::of).collect();
                self.compound(&call.keys, now, grace, &parts, *spend == 1)
            }
            ("token_bucket", &[count, period, burst, cost, spend]) => {
                self.bucket(key, now, grace, [count, period, burst, cost], spend == 1)
            }
            ("fixed_window", &[limit, period, cost, spend]) => {
                self.window(key, now, grace, [limit, period, cost], spend == 1)
            }
            ("sliding_counter", &[limit, period, cost, spend]) => {
                self.counter(key, now, grace, [limit, period, cost], spend == 1)
            }
            ("sliding_log", &[limit, period, cost, spend]) => {
                self.log(key, now, grace, [limit, period, cost], spend == 1)
            }
            (name, _) => unreachable!("no script {name} of {} numbers", n.len()),
        }
    }

    fn get(&mut self, key: &str) -> Option<&mut Value> {
        let now = self.now / 1_000;
        if self.keys.get(key).is_some_and(|entry| entry.ends <= now) {
            self.keys.remove(key);
        }
        self.keys.get_mut(key).map(|entry| &mut entry.value)
    }

    fn set(&mut self, key: &str, value: Value, ttl_ms: u64) {
        let ends = self.now / 1_000 + ttl_ms;
        self.keys.insert(key.to_owned(), Entry { value, ends });
    }

    /// The arrival time of a key as seen at `now` under the denominator `den`.
    fn arrival(&mut self, key: &str, now: u64) -> Option<Seen> {
        match self.get(key) {
            Some(&mut Value::Arrival { tat, rem, den }) if tat >= now => Some((tat, rem, den)),
            _ => None,
        }
    }

    fn gcra(&mut self, key: &str, now: u64, grace: u64, part: Arrival, spend: bool) -> Vec<i64> {
        let Arrival { inc, inc_rem, tol, tol_rem, den } = part;
        let (mut tat, mut rem) = (now, 0);
        if let Some(&mut Value::Arrival { tat: a, rem: b, den: d }) = self.get(key) {
            // A fraction of another denominator rounds up, against the caller.
            let (a, b) = if d != den && b > 0 { (a + 1, 0) } else { (a, b) };
            if a >= now {
                (tat, rem) = (a, b);
            }
        }
        let (new, new_rem) = part.after(tat, rem);
        let limit = now + tol;
        let allowed = (new, new_rem) <= (limit, tol_rem);
        if allowed {
            (tat, rem) = (new, new_rem);
            if spend && (inc > 0 || inc_rem > 0) {
                let ttl = (tat - now + 1).div_ceil(1_000) + grace;
                self.set(key, Value::Arrival { tat, rem, den }, ttl);
            }
        }
        let (slack, slack_rem) = part.slack(now, (tat, rem));
        let wait = if allowed { 0 } else { new - limit + u64::from(new_rem > tol_rem) };
        vec![i64::from(allowed), slack, slack_rem, signed(wait)]
    }

    fn compound(
        &mut self,
        keys: &[String],
        now: u64,
        grace: u64,
        parts: &[Arrival],
        spend: bool,
    ) -> Vec<i64> {
        // The state of each part's key before the call, and after the parts so far.
        let (mut before, mut after) = (Vec::new(), Vec::<(&str, Seen)>::new());
        let (mut blocker, mut longest) = (0, -1);
        for (at, (key, part)) in keys.iter().zip(parts).enumerate() {
            let fresh = self.arrival(key, now).unwrap_or((now, 0, part.den));
            let seen = after.iter().rev().find(|(k, _)| k == key).map(|(_, state)| *state);
            let (tat, rem) = part.read(seen.unwrap_or(fresh));
            let (new, new_rem) = part.after(tat, rem);
            let limit = now + part.tol;
            if (new, new_rem) > (limit, part.tol_rem) {
                let wait = signed(new) - signed(limit) + i64::from(new_rem > part.tol_rem);
                if wait > longest {
                    (blocker, longest) = (at as i64 + 1, wait);
                }
            }
            before.push(fresh);
            after.push((key, (new, new_rem, part.den)));
        }
        let allowed = blocker == 0;
        let mut reply = vec![i64::from(allowed), blocker, longest.max(0)];
        for (at, (key, part)) in keys.iter().zip(parts).enumerate() {
            let last = after.iter().rev().find(|(k, _)| k == key).map(|(_, state)| *state);
            let stands = last.filter(|_| allowed).unwrap_or(before[at]);
            let (slack, slack_rem) = part.slack(now, part.read(stands));
            reply.extend([slack, slack_rem]);
        }
        if allowed && spend {
            for (key, (tat, rem, den)) in after {
                if tat >= now {
                    let ttl = (tat - now + 1).div_ceil(1_000) + grace;
                    self.set(key, Value::Arrival { tat, rem, den }, ttl);
                }
            }
        }
        reply
    }

    fn bucket(&mut self, key: &str, now: u64, grace: u64, n: [u64; 4], spend: bool) -> Vec<i64> {
        let [count, period, burst, cost] = n;
        let (full, need) = (burst * period, cost * period);
        let (mut level, mut at) = (full, now);
        if let Some(&mut Value::Bucket { level: kept, at: then, period: old }) = self.get(key) {
            at = now.max(then);
            level = kept;
            if old != period {
                level = (u128::from(kept) * u128::from(period) / u128::from(old)) as u64;
            }
            let elapsed = at - then;
            let room = full.saturating_sub(level);
            level = if elapsed >= room.div_ceil(count) { full } else { level + elapsed * count };
        }
        let allowed = need <= level;
        if allowed {
            level -= need;
            if spend && need > 0 {
                let micros = (full - level) as f64 / count as f64 + (at - now) as f64;
                let ttl = (micros / 1_000.0).ceil() as u64 + 1 + grace;
                self.set(key, Value::Bucket { level, at, period }, ttl);
            }
        }
        let wait = if allowed { 0 } else { (need - level).div_ceil(count) + (at - now) };
        vec![i64::from(allowed), signed(level / period), signed(level % period), signed(wait)]
    }

    fn window(&mut self, key: &str, now: u64, grace: u64, n: [u64; 3], spend: bool) -> Vec<i64> {
        let [limit, period, cost] = n;
        let (mut window, mut used) = (now / period, 0);
        if let Some(&mut Value::Window { window: old, used: before }) = self.get(key) {
            // A clock that stepped back stays in the newest window it has seen.
            if old >= window {
                (window, used) = (old, before);
            }
        }
        let reset = (window + 1) * period - now;
        let allowed = used + cost <= limit;
        if allowed {
            used += cost;
            if spend && cost > 0 {
                let ttl = reset.div_ceil(1_000) + 1 + grace;
                self.set(key, Value::Window { window, used }, ttl);
            }
        }
        let wait = if allowed { 0 } else { reset };
        let left = limit.saturating_sub(used);
        vec![i64::from(allowed), signed(left), signed(wait), signed(reset)]
    }

    fn counter(&mut self, key: &str, now: u64, grace: u64, n: [u64; 3], spend: bool) -> Vec<i64> {
        let [limit, period, cost] = n;
        let (mut window, mut cur, mut prev, mut now) = (now / period, 0, 0, now);
        if let Some(&mut Value::Counter { window: old, cur: c, prev: p }) = self.get(key) {
            if old >= window {
                if old > window {
                    (window, now) = (old, old * period);
                }
                (cur, prev) = (c, p);
            } else if old + 1 == window {
                prev = c;
            }
        }
        let into = now - window * period;
        // prev * (period - into) + (cur + cost) * period <= limit * period, in 128 bits.
        let fits = |prev: u64, cur: u64, into: u64| {
            let wide = u128::from;
            wide(prev) * wide(period - into) + (wide(cur) + wide(cost)) * wide(period)
                <= wide(limit) * wide(period)
        };
        let allowed = fits(prev, cur, into);
        if allowed {
            cur += cost;
            if spend && cost > 0 {
                let ttl = (2 * period - into).div_ceil(1_000) + 1 + grace;
                self.set(key, Value::Counter { window, cur, prev }, ttl);
            }
        }
        let admits = |after: u64| match into + after {
            i if i >= 2 * period => cost <= limit,
            i if i >= period => fits(cur, 0, i - period),
            i => fits(prev, cur, i),
        };
        let mut wait = 0;
        if !allowed && cost <= limit {
            // Two stretches in which admission only gets easier; search the one with the answer.
            let (mut low, mut high) = (0, period - into);
            if !admits(high - 1) {
                (low, high) = (high - 1, 2 * period - into);
            }
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if admits(middle) { high = middle } else { low = middle }
            }
            wait = high;
        }
        let weight = prev as f64 * (period - into) as f64 / period as f64;
        let left = (limit as f64 - cur as f64 - weight).floor().max(0.0) as i64;
        vec![i64::from(allowed), left, signed(wait), signed(period - into)]
    }

    fn log(&mut self, key: &str, now: u64, grace: u64, n: [u64; 3], spend: bool) -> Vec<i64> {
        let [limit, period, cost] = n;
        let (mut entries, mut used) = match self.get(key) {
            Some(Value::Log { entries, used }) => (std::mem::take(entries), *used),
            _ => (VecDeque::new(), 0),
        };
        let now = entries.back().map_or(now, |newest| now.max(newest.0));
        while entries.front().is_some_and(|oldest| oldest.0 + period <= now) {
            used -= entries.pop_front().map_or(0, |oldest| oldest.1);
        }
        let allowed = used + cost <= limit;
        let mut ends = self.keys.get(key).map(|entry| entry.ends);
        if allowed && cost > 0 && spend {
            entries.push_back((now, cost));
            ends = Some(self.now / 1_000 + period.div_ceil(1_000) + 1 + grace);
        }
        let after = if allowed { used + cost } else { used };
        let reset = entries.back().map_or(0, |newest| newest.0 + period - now);
        let mut wait = 0;
        if !allowed && cost <= limit {
            let (mut free, mut oldest) = (limit - used, entries.iter());
            while let Some((at, weight)) = oldest.next().filter(|_| free < cost) {
                (free, wait) = (free + weight, at + period - now);
            }
        }
        let used = if spend { after } else { used };
        match (entries.is_empty(), ends) {
            (false, Some(ends)) => {
                let value = Value::Log { entries, used };
                self.keys.insert(key.to_owned(), Entry { value, ends });
            }
            _ => drop(self.keys.remove(key)),
        }
        vec![i64::from(allowed), signed(limit) - signed(after), signed(wait), signed(reset)]
    }
}

impl Store for Memory {
    fn call(&mut self, call: &Call) -> Result<Outcome, Failure> {
        let reply = self.reply(call);
        Ok(call.decode(&reply)?)
    }

    fn forget(&mut self) -> Result<(), Failure> {
        self.keys.clear();
        Ok(())
    }
}

/// One GCRA limit as the scripts take it: cost and burst as times, in microseconds and a rest.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    inc: u64,
    inc_rem: u64,
    tol: u64,
    tol_rem: u64,
    den: u64,
}

impl Arrival {
    fn of(n: &[u64]) -> Self {
        Self { inc: n[0], inc_rem: n[1], tol: n[2], tol_rem: n[3], den: n[4] }
    }

    fn after(&self, tat: u64, rem: u64) -> (u64, u64) {
        let (new, rest) = (tat + self.inc, rem + self.inc_rem);
        if rest >= self.den { (new + 1, rest - self.den) } else { (new, rest) }
    }

    /// A state under this part's denominator: a fraction of another rounds up, against the caller.
    const fn read(&self, (tat, rem, den): Seen) -> (u64, u64) {
        if den != self.den && rem > 0 { (tat + 1, 0) } else { (tat, rem) }
    }

    /// What is left of the tolerance.
    fn slack(&self, now: u64, (tat, rem): (u64, u64)) -> (i64, i64) {
        let (slack, rest) =
            (signed(now + self.tol) - signed(tat), signed(self.tol_rem) - signed(rem));
        if rest < 0 { (slack - 1, rest + signed(self.den)) } else { (slack, rest) }
    }
}

/// An arrival time: whole microseconds, the rest, and its denominator.
type Seen = (u64, u64, u64);

/// Everything here stays below 2^53, as in the scripts.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
