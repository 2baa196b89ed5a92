//! A near level in the process, a remote one beside it, the store behind: and the remote one is lost.
//!
//! Two things are easily forgotten. Whoever asks a level that is away waits for it: so a breaker stops
//! asking. And what was written meanwhile has not reached it: so it is forgotten whole when it returns,
//! before it is believed again.

use crate::Fixed;
use crate::store::{Database, Row};
use archstone_cache::around::{Held, Local, Store, Tier, Tiers};
use archstone_cache::{Builder, Manual};
use kit::breaker::{Breaker, Settings};
use kit::{Arrivals, Failure, Fault, Invariants, Safeguards, Seed, Time, Zipf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What must hold.
pub const FRESH: &str = "levels: no read is older than the last acknowledged write";
/// See [`FRESH`].
pub const WAITS: &str = "levels: few requests wait for a remote level that is away";

/// What a request waits for a level that does not answer.
pub const PATIENCE: Duration = Duration::from_millis(100);
const BREAKER: Settings = Settings {
    failures: 5,
    window: Duration::from_secs(10),
    open_for: Duration::from_secs(1),
    probes: 1,
};
const KEYS: u32 = 200;
const NEAR: Duration = Duration::from_secs(60);
const FAR: Duration = Duration::from_secs(600);

/// It does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A cache elsewhere: in this process for the simulation, or a real Redis.
pub trait Far: Send + Sync {
    /// What it holds at `now`.
    ///
    /// # Errors
    /// It does not answer.
    fn get(&self, key: u32, now: Time) -> Result<Option<Held<Row>>, Gone>;
    /// Takes it unless it has something as new; whether it took it or had the very same.
    ///
    /// # Errors
    /// It does not answer.
    fn offer(&self, key: u32, held: &Held<Row>, now: Time) -> Result<bool, Gone>;
    /// Forgets everything.
    ///
    /// # Errors
    /// It does not answer.
    fn forget(&self) -> Result<(), Gone>;
}

/// The remote level of the simulation.
pub struct Memory {
    held: Mutex<Local<u32, Row>>,
    clock: Arc<Manual>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Memory {
    /// An empty one.
    ///
    /// # Errors
    /// None that can happen.
    pub fn new(clock: &Arc<Manual>) -> Result<Self, Failure> {
        Ok(Self { held: Mutex::new(Self::empty(clock)?), clock: Arc::clone(clock) })
    }

    fn empty(clock: &Arc<Manual>) -> Result<Local<u32, Row>, archstone_cache::BuildError> {
        Local::new(Builder::new(1_000_000).clock(Arc::clone(clock)))
    }
}

impl Far for Memory {
    fn get(&self, key: u32, now: Time) -> Result<Option<Held<Row>>, Gone> {
        Ok(lock(&self.held).get(&key, now))
    }
    fn offer(&self, key: u32, held: &Held<Row>, now: Time) -> Result<bool, Gone> {
        Ok(lock(&self.held).offer(&key, held, now))
    }
    fn forget(&self) -> Result<(), Gone> {
        *lock(&self.held) = Self::empty(&self.clock).map_err(|_| Gone)?;
        Ok(())
    }
}

/// What became of the calls to a remote level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// Calls that it answered.
    pub answered: u64,
    /// Calls that waited in vain.
    pub waited: u64,
    /// Calls that the breaker refused.
    pub refused: u64,
    /// Times that it was forgotten whole.
    pub forgotten: u64,
}

struct State {
    breaker: Breaker,
    /// A write has not reached it.
    missed: bool,
    calls: Calls,
    back: Option<Time>,
}

/// A remote level with what its client needs. A level that does not answer holds nothing.
pub struct Remote {
    far: Box<dyn Far>,
    cut: AtomicBool,
    with_breaker: bool,
    forget_on_return: bool,
    state: Mutex<State>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

impl Remote {
    /// A client of `far`.
    #[must_use]
    pub fn new(far: Box<dyn Far>, on: &Safeguards) -> Self {
        Self {
            far,
            cut: AtomicBool::new(false),
            with_breaker: on.on("breaker"),
            forget_on_return: on.on("forget-on-return"),
            state: Mutex::new(State {
                breaker: Breaker::new(BREAKER),
                missed: false,
                calls: Calls::default(),
                back: None,
            }),
        }
    }

    /// Cuts the network to it, or mends it.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Relaxed);
    }

    /// What became of the calls.
    pub fn calls(&self) -> Calls {
        lock(&self.state).calls
    }

    /// The first answer after it was away.
    pub fn back(&self) -> Option<Time> {
        lock(&self.state).back
    }

    /// The network to it, and what must happen before it is believed again.
    fn reach<T>(
        &self,
        state: &mut State,
        ask: impl FnOnce(&dyn Far) -> Result<T, Gone>,
    ) -> Result<T, Gone> {
        if self.cut.load(Relaxed) {
            return Err(Gone);
        }
        if state.missed && self.forget_on_return {
            self.far.forget()?;
            (state.missed, state.calls.forgotten) = (false, state.calls.forgotten + 1);
        }
        ask(self.far.as_ref())
    }

    fn call<T>(
        &self,
        now: Time,
        writes: bool,
        ask: impl FnOnce(&dyn Far) -> Result<T, Gone>,
    ) -> Option<T> {
        let mut state = lock(&self.state);
        let call = match state.breaker.allow(now) {
            Ok(call) => Some(call),
            Err(_) if self.with_breaker => {
                state.calls.refused += 1;
                state.missed |= writes;
                return None;
            }
            Err(_) => None,
        };
        match self.reach(&mut state, ask) {
            Ok(answer) => {
                if state.calls.waited > 0 && state.back.is_none() {
                    state.back = Some(now);
                }
                state.calls.answered += 1;
                call.into_iter().for_each(|call| state.breaker.succeeded(call));
                Some(answer)
            }
            Err(Gone) => {
                state.calls.waited += 1;
                state.missed |= writes;
                call.into_iter().for_each(|call| state.breaker.failed(call, now));
                None
            }
        }
    }
}

impl Tier<u32, Row> for Remote {
    fn get(&self, key: &u32, now: Time) -> Option<Held<Row>> {
        self.call(now, false, |far| far.get(*key, now)).flatten()
    }

    fn offer(&self, key: &u32, held: &Held<Row>, now: Time) -> bool {
        self.call(now, true, |far| far.offer(*key, held, now)).unwrap_or(false)
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts {
    /// Requests, and those of them while the remote level was away.
    pub requests: u64,
    /// See [`Facts::requests`].
    pub meanwhile: u64,
    /// Loads of the store a second: before, while the remote level is away, after.
    pub loads: [f64; 3],
    /// What became of the calls to it.
    pub calls: Calls,
    /// From its return to its first answer.
    pub back_after: Option<Duration>,
    /// When it is away, and until when.
    pub away: [Time; 2],
}

/// Requests over `seconds`; the remote level is away for the third quarter of it.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    seconds: u64,
    far: Option<Box<dyn Far>>,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> Result<Facts, Failure> {
    let [fresh, waits] = [FRESH, WAITS].map(|name| invariants.declare(name));
    let database = Arc::new(Database::in_memory()?);
    database.fill(0..KEYS)?;
    let clock = Arc::new(Manual::default());
    let far = match far {
        Some(far) => far,
        None => Box::new(Memory::new(&clock)?),
    };
    let remote = Arc::new(Remote::new(far, on));
    let near = Builder::<u32, Held<Row>>::new(20).hasher(Fixed).shards(1).clock(Arc::clone(&clock));
    let tiers = Tiers::new(near, NEAR)?.below(Arc::clone(&remote), FAR);
    let mut dice = seed.stream("levels");
    let keys = Zipf::new(KEYS.into(), 0.8).ok_or("keys")?;
    let away = [Time::from_millis(seconds * 500), Time::from_millis(seconds * 750)];
    let mut acknowledged = vec![1_u64; KEYS as usize];
    let mut facts = Facts { away, ..Facts::default() };
    let mut loads = [0_u64; 3];
    let mut seen = 0;
    for at in Arrivals::poisson(seed.stream("levels times"), 50.0) {
        if at >= Time::from_secs(seconds) {
            break;
        }
        facts.requests += 1;
        clock.set(at);
        let gone = (away[0]..away[1]).contains(&at);
        facts.meanwhile += u64::from(gone);
        remote.cut(gone);
        let key = keys.sample(&mut dice) as u32 - 1;
        if dice.chance(0.15) {
            let row = database.store(&key, Row { version: 0, price: facts.requests as i64 })?;
            tiers.put(key, row.version, row);
            acknowledged[key as usize] = row.version;
            let reached = if gone { ", not at the remote level" } else { "" };
            invariants.event(format!(
                "{} ms: key {key}, version {} written{reached}",
                at.as_millis(),
                row.version
            ));
        } else {
            let source =
                |key: &u32| database.load(key).map(|row| row.map(|row| (row.version, row)));
            let row = tiers.get(&key, source)?.unwrap_or_default();
            let known = acknowledged[key as usize];
            let event = format!("{} ms: key {key}, version {} read", at.as_millis(), row.version);
            invariants.event(event);
            invariants.check(fresh, row.version >= known, || {
                format!("key {key}: read version {}, {known} was acknowledged", row.version)
            });
        }
        let phase = usize::from(at >= away[0]) + usize::from(at >= away[1]);
        let now = database.asked().loads;
        loads[phase] += now - seen;
        seen = now;
        if gone {
            // The failures that open the breaker, then a probe each time that it half-opens.
            let open_for = BREAKER.open_for.as_secs_f64();
            let probes = (at.since(away[0]).as_secs_f64() / open_for).ceil() as u64;
            let most = u64::from(BREAKER.failures) + probes;
            let waited = remote.calls().waited;
            invariants.check(waits, waited <= most, || {
                format!("{waited} calls have waited {PATIENCE:?} each, at most {most} may")
            });
        }
    }
    let lengths = [0.5, 0.25, 0.25].map(|share| seconds as f64 * share);
    facts.loads = [0, 1, 2].map(|phase| loads[phase] as f64 / lengths[phase]);
    facts.calls = remote.calls();
    facts.back_after = remote.back().map(|back| back.since(away[1]));
    Ok(facts)
}

/// The level that is lost, for block 4.
#[must_use]
pub fn fault(facts: &Facts) -> Fault {
    let [before, away, after] = facts.loads.map(kit::human::measure);
    Fault {
        kind: "the remote level is away".to_owned(),
        at_ms: facts.away[0].as_millis(),
        recovered_ms: facts.back_after.map(|span| span.as_millis() as u64),
        effect: format!(
            "loads of the store a second: {before} before, {away} meanwhile, {after} after; {} calls waited, {} refused by the breaker; forgotten whole {} time, for it had missed writes",
            facts.calls.waited, facts.calls.refused, facts.calls.forgotten
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_only_the_breaker_refused_has_not_arrived_either() {
        let clock = Arc::new(Manual::default());
        let far = Box::new(Memory::new(&clock).expect("builds"));
        let remote = Remote::new(far, &Safeguards::all(&crate::design::DESIGN));
        let held = |version| Held {
            version,
            value: Some(Row { version, price: 0 }),
            expires: Time::from_secs(600),
        };
        let at = Time::from_secs;
        assert!(remote.offer(&7, &held(1), at(1)));
        remote.cut(true);
        // Reads alone open the breaker.
        for _ in 0..BREAKER.failures {
            assert_eq!(remote.get(&7, at(2)), None);
        }
        assert!(!remote.offer(&7, &held(2), at(2)));
        assert_eq!(remote.calls().refused, 1);
        remote.cut(false);
        assert_eq!(remote.get(&7, at(9)), None, "it is forgotten whole before it is believed");
        assert_eq!((remote.calls().forgotten, remote.back()), (1, Some(at(9))));
    }
}
