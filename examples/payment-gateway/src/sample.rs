//! The text's lock, as its sample code has it, beside the registry of `archstone-lock`: one timeline.
//!
//! `SET lock NX EX 300` before, `DEL lock` in `finally`, with no look at whose it is. A charge that
//! stalls for six minutes: the lock runs out, a second request takes it, the first one's `finally`
//! deletes the second one's lock, and a third walks in.

use archstone_lock::idem::{Begin, Registry};
use kit::Time;
use std::time::Duration;

/// What the three requests did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Charges of the one order.
    pub charges: u64,
    /// Requests inside the lock at once, at most.
    pub inside: u64,
    /// Requests turned back.
    pub refused: u64,
}

const TTL: Duration = Duration::from_secs(300);
/// A begins and stalls until 360 s; B comes at 301 s and takes 120 s; C comes at 361 s.
const COMES: [u64; 3] = [0, 301, 361];
const LEAVES: [u64; 3] = [360, 421, 481];

/// The sample code.
#[must_use]
pub fn text() -> Outcome {
    let mut outcome = Outcome::default();
    let mut lock: Option<u64> = None;
    let mut inside: Vec<usize> = Vec::new();
    for second in 0..600 {
        if lock.is_some_and(|until| until <= second) {
            lock = None;
        }
        let leaves = LEAVES.iter().position(|&at| at == second);
        if let Some(who) = leaves.filter(|who| inside.contains(who)) {
            inside.retain(|&other| other != who);
            // finally { redisTemplate.delete(lockKey); }
            lock = None;
        }
        if let Some(who) = COMES.iter().position(|&at| at == second) {
            if lock.is_none() {
                lock = Some(second + TTL.as_secs());
                inside.push(who);
                outcome.charges += 1;
            } else {
                outcome.refused += 1;
            }
        }
        outcome.inside = outcome.inside.max(inside.len() as u64);
    }
    outcome
}

/// The registry: a run is a token, a late one is refused, and who takes over is told to look first.
#[must_use]
pub fn registry() -> Outcome {
    let keys: Registry<String, u64> = Registry::new(Duration::from_secs(86_400));
    let mut outcome = Outcome::default();
    let mut runs = [None; 3];
    for second in 0..600 {
        let now = Time::from_secs(second);
        let leaves = LEAVES.iter().position(|&at| at == second);
        if let Some(run) = leaves.and_then(|who| runs[who].take()) {
            // A's is gone: it changes nothing of B's.
            let _ = keys.complete(now, run, 1);
        }
        if let Some(who) = COMES.iter().position(|&at| at == second) {
            match keys.begin(now, "order", 7, TTL) {
                Begin::Run(run) => {
                    // A second attempt asks the provider before it charges: it finds the first one's.
                    outcome.charges += u64::from(run.attempt() == 1);
                    runs[who] = Some(run);
                }
                _ => outcome.refused += 1,
            }
        }
        let inside = runs.iter().flatten().filter(|run| run.until() > now).count();
        outcome.inside = outcome.inside.max(inside as u64);
    }
    outcome
}
