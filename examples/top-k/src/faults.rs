//! A worker that dies, and what its successor can still promise.
//!
//! The log is a list of keys with offsets, as a partition of Kafka is. The worker counts, and
//! every so many events leaves a [`Checkpoint`] on a disk that may tear what is written to it.
//! Time is virtual: one event a millisecond arrives, a dead worker is noticed after
//! [`NOTICED_MS`], and a successor reads [`CATCH_UP`] times faster than events arrive.

use crate::checkpoint::Checkpoint;
use crate::counters::merged;
use crate::exact::Exact;
use crate::field::Field;
use crate::keys::Keys;
use archstone_sketch::Wire;
use archstone_sketch::frequency::SpaceSaving;
use kit::invariant::Invariant;
use kit::{Fault, Invariants, Safeguards, Stream};

/// How long until someone notices that a worker is gone.
pub const NOTICED_MS: u64 = 3_000;
/// How many events a successor reads while one arrives.
pub const CATCH_UP: u64 = 1_000;

/// The names of the invariants checked here, which the safeguards refer to.
pub const RESTARTED: &str = "a restarted worker keeps its bound";
/// See [`RESTARTED`].
pub const LOST: &str = "a lost worker widens the bound by no less than its share";

/// What happened, for the report.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The three faults.
    pub faults: Vec<Fault>,
    /// Whether the restarted worker ended with the very bytes of one that never died.
    pub same_bytes: bool,
    /// The bound of the merged list with all workers, and with one lost.
    pub widened: (u64, u64),
    /// Events of the lost worker.
    pub lost: u64,
}

/// Kills a worker, tears a checkpoint, loses a worker for good.
pub fn run(
    keys: &Keys,
    make: &dyn Fn() -> SpaceSaving<String>,
    dice: &mut Stream,
    safeguards: &Safeguards,
    invariants: &mut Invariants,
) -> Outcome {
    let restarted = invariants.declare(RESTARTED);
    let lost = invariants.declare(LOST);
    let every = (keys.len() / 8).max(1);
    let whole = count(make(), keys, 0..keys.len());

    let mut faults = Vec::new();
    let mut same_bytes = true;
    for torn in [false, true] {
        // Not at a checkpoint and not before the second: there has to be something to lose.
        let killed_at = every * 3 + 1 + dice.below((every * 4) as u64) as usize;
        let (summary, replayed) = killed(
            keys,
            make,
            every,
            killed_at.min(keys.len()),
            torn,
            dice,
            safeguards,
            invariants,
        );
        same_bytes &= summary.encode() == whole.encode();
        check(invariants, restarted, keys, &summary, 0);
        let kind = if torn { "killed, last checkpoint torn" } else { "worker killed mid-stream" };
        let bound = format!("bound {} = {}", whole.floor(), summary.floor());
        faults.push(Fault {
            kind: kind.to_owned(),
            at_ms: killed_at as u64,
            recovered_ms: Some(NOTICED_MS + replayed as u64 / CATCH_UP),
            effect: format!("{replayed} events read again, {bound}"),
        });
    }

    let (fault, widened, gone) = lost_for_good(keys, make, dice, safeguards, invariants, lost);
    faults.push(fault);
    Outcome { faults, same_bytes, widened, lost: gone }
}

/// Runs a worker until `killed_at` and a successor from there on. Returns the final summary and
/// how many events the successor read again.
#[allow(clippy::too_many_arguments, reason = "one scene, told in one place")]
fn killed(
    keys: &Keys,
    make: &dyn Fn() -> SpaceSaving<String>,
    every: usize,
    killed_at: usize,
    torn: bool,
    dice: &mut Stream,
    safeguards: &Safeguards,
    invariants: &mut Invariants,
) -> (SpaceSaving<String>, usize) {
    let mut disk = Vec::new();
    let mut summary = make();
    for offset in (0..killed_at).step_by(every) {
        let end = (offset + every).min(killed_at);
        summary = count(summary, keys, offset..end);
        if end == offset + every {
            invariants.event(format!("checkpoint at offset {end}: {} counters", summary.len()));
            let (offset, events) = (end as u64, summary.total());
            let summaries = vec![(Field::Url, summary.clone())];
            disk.push(Checkpoint { offset, events, summaries }.encode());
        }
    }
    drop(summary);
    invariants.event(format!("worker killed at offset {killed_at}, its memory is gone"));
    if torn {
        tear(&mut disk, dice, invariants);
    }

    let (mut from, mut state) = restored(&disk, safeguards, invariants);
    if !safeguards.on("checkpoint") {
        // The position survives (the broker keeps it), the state was never saved.
        state = None;
        invariants.event("no state was kept: the successor starts empty".to_owned());
    }
    if !safeguards.on("log-offset") {
        from = 0;
        invariants.event("no offset was kept: the successor reads from the start".to_owned());
    }
    invariants.event(format!("successor reads on from offset {from}"));
    let summary = count(state.unwrap_or_else(make), keys, from..keys.len());
    (summary, killed_at.saturating_sub(from))
}

/// The newest checkpoint that can be read: offset and state.
fn restored(
    disk: &[Vec<u8>],
    safeguards: &Safeguards,
    invariants: &mut Invariants,
) -> (usize, Option<SpaceSaving<String>>) {
    for bytes in disk.iter().rev() {
        let read = match safeguards.on("checksum") {
            true => Checkpoint::decode(bytes),
            false => Checkpoint::decode_trusting(bytes),
        };
        match read {
            Ok(checkpoint) => {
                let state = checkpoint.summaries.into_iter().next();
                return (checkpoint.offset as usize, state.map(|(_, summary)| summary));
            }
            Err(why) => invariants.event(format!("checkpoint refused: {why}")),
        }
    }
    (0, None)
}

/// A write that did not finish: a byte of the newest checkpoint's offset is an older one's. What
/// is left still parses, so only the checksum can tell.
fn tear(disk: &mut [Vec<u8>], dice: &mut Stream, invariants: &mut Invariants) {
    let Some(newest) = disk.last_mut() else { return };
    // Byte 2 is the low byte of the offset: seven bits of the number and one that says "more".
    let bit = dice.below(7);
    newest[2] ^= 1 << bit;
    invariants.event(format!("the newest checkpoint is torn: bit {bit} of its offset is wrong"));
}

fn lost_for_good(
    keys: &Keys,
    make: &dyn Fn() -> SpaceSaving<String>,
    dice: &mut Stream,
    safeguards: &Safeguards,
    invariants: &mut Invariants,
    lost: Invariant,
) -> (Fault, (u64, u64), u64) {
    const WORKERS: usize = 4;
    let each = keys.len().div_ceil(WORKERS);
    let share = |worker: usize| worker * each..((worker + 1) * each).min(keys.len());
    let parts: Vec<_> = (0..WORKERS).map(|worker| count(make(), keys, share(worker))).collect();
    let bound =
        |summary: &Option<SpaceSaving<String>>| summary.as_ref().map_or(0, SpaceSaving::floor);
    let all = bound(&merged(parts.clone()));

    let gone = dice.below(WORKERS as u64) as usize;
    let events = parts[gone].total();
    let rest = parts.into_iter().enumerate().filter(|&(worker, _)| worker != gone);
    let rest = merged(rest.map(|(_, part)| part));
    invariants.event(format!("worker {gone} and its disk are gone: {events} events"));
    // Any key may have had all of them: the only thing that is sure about what nobody counted.
    let widen = if safeguards.on("lost-share") { events } else { 0 };
    invariants
        .event(format!("lists of the other {} merged, bound widened by {widen}", WORKERS - 1));
    let with_loss = bound(&rest) + widen;
    if let Some(rest) = rest {
        check(invariants, lost, keys, &rest, widen);
    }
    let fault = Fault {
        kind: format!("worker {gone} of {WORKERS} lost for good"),
        at_ms: keys.len() as u64,
        recovered_ms: None,
        effect: format!("bound {all} → {with_loss}: its {events} events are in it"),
    };
    (fault, (all, with_loss), events)
}

fn count(
    mut summary: SpaceSaving<String>,
    keys: &Keys,
    part: std::ops::Range<usize>,
) -> SpaceSaving<String> {
    for key in keys.range(part) {
        summary.add(key);
    }
    summary
}

/// `lower <= truth <= upper + widened` for every distinct key of the log.
fn check(
    invariants: &mut Invariants,
    invariant: Invariant,
    keys: &Keys,
    summary: &SpaceSaving<String>,
    widened: u64,
) {
    let mut exact = Exact::new(usize::MAX);
    keys.iter().for_each(|key| exact.add(key));
    for (key, truth) in exact.iter() {
        let bounds = summary.bounds(key);
        let (lower, upper) = (bounds.lower as u64, bounds.upper as u64 + widened);
        invariants.check(invariant, (lower..=upper).contains(&truth), || {
            format!("{key} was seen {truth} times, the summary says {lower} to {upper}")
        });
    }
}
