//! One question to all shards: one after the other or at once, and what a dead shard does to it.
//!
//! The queries run on real databases; how long a shard takes, and whether it is up, is drawn, and
//! time is virtual.

use crate::database::{Database, Folder};
use crate::input::User;
use crate::layout::SHARDS;
use crate::scheme::{Kind, Scheme};
use archstone_hashring::NodeIx;
use archstone_hashring::sharding::{Gather, Need};
use kit::sim::Events;
use kit::{Invariants, Latencies, Safeguards, Seed, Stream, Time};
use std::time::Duration;

/// What must hold.
pub const HONEST: &str = "scatter-gather: an answer that lacks a shard says so";

/// How the shards are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The text's loop: one shard after the other, the first failure is the query's.
    Serial,
    /// The text's parallel stream: the first failure is the query's.
    Parallel,
    /// At once; a shard that fails is asked again at its replica.
    NextCopy,
    /// The same, and what is missing in the end is said.
    Partial,
    /// The same, and who has not answered after 8 ms is asked at its replica besides.
    Hedged,
}

impl Way {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::Serial, Self::Parallel, Self::NextCopy, Self::Partial, Self::Hedged];

    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial (the text's)",
            Self::Parallel => "parallel (the text's)",
            Self::NextCopy => "parallel, next copy",
            Self::Partial => "… partial answers",
            Self::Hedged => "… hedged at 8 ms",
        }
    }
}

/// What one way did.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which.
    pub way: Way,
    /// Queries.
    pub queries: u64,
    /// Without an answer.
    pub failed: u64,
    /// Answered without some shard, and marked.
    pub partial: u64,
    /// Questions to shards.
    pub asks: u64,
    /// Latency by the way's name.
    pub latency: Latencies,
}

const DOWN: Duration = Duration::from_millis(50);
const HEDGE: Duration = Duration::from_millis(8);
const DEADLINE: Duration = Duration::from_millis(120);

/// How long a copy takes, and whether it answers, this time.
#[derive(Clone, Copy, Debug)]
struct Fate {
    took: Duration,
    up: bool,
}

/// A copy's time: two milliseconds, a little more, and one time in a hundred forty more.
fn time(draw: &mut Stream) -> Duration {
    let slow = if draw.chance(0.01) { 40.0 } else { 0.0 };
    Duration::from_secs_f64((2.0 + draw.exponential() + slow) / 1e3)
}

/// The fates of all copies in one query: a primary is down one time in fifty, a replica too, and one
/// shard with both one time in a hundred.
fn fates(draw: &mut Stream) -> [[Fate; 2]; SHARDS] {
    let lost = if draw.chance(0.01) { draw.below(SHARDS as u64) } else { u64::MAX };
    std::array::from_fn(|shard| {
        std::array::from_fn(|_| {
            let (took, up) = (time(draw), !draw.chance(0.02) && shard as u64 != lost);
            Fate { took: if up { took } else { DOWN }, up }
        })
    })
}

enum Event {
    Answer { part: usize, copy: usize, ok: bool },
    Hedge(usize),
    Deadline,
}

/// Asks `queries` questions in every way.
///
/// # Errors
/// What SQLite says.
pub fn run(
    users: &[User],
    seed: Seed,
    queries: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Vec<Facts>> {
    let folder = Folder::new()?;
    // Each question looks at every row: so many are enough to see who is missing.
    let users = &users[..users.len().min(2_000)];
    let scheme = Scheme::new(Kind::Consistent, SHARDS, users, 0, true);
    let mut copies: Vec<[Database; 2]> = Vec::new();
    for shard in 0..SHARDS {
        let primary = folder.shard(&format!("primary-{shard}"))?;
        primary.load(users.iter().filter(|user| scheme.shard_of(user) == shard), 0)?;
        let path = folder.path(&format!("replica-{shard}"));
        primary.sql().execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
        copies.push([primary, Database::open(&path)?]);
    }
    let mut visits: Vec<u64> = users.iter().map(|user| user.visits).collect();
    visits.sort_unstable();
    let marked = on.on("partial-mark");
    let one = |way| ask_all(way, &copies, &visits, seed, queries, marked, invariants);
    Way::ALL.into_iter().map(one).collect()
}

fn ask_all(
    way: Way,
    copies: &[[Database; 2]],
    visits: &[u64],
    seed: Seed,
    queries: u64,
    marked: bool,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let honest = invariants.declare(HONEST);
    // The same fates for every way.
    let mut draw = seed.stream("gather");
    let mut facts =
        Facts { way, queries, failed: 0, partial: 0, asks: 0, latency: Latencies::default() };
    for query in 0..queries {
        let fates = fates(&mut draw);
        let least = *draw.pick(visits).expect("there are users");
        let (answer, took) = match way {
            Way::Serial => serial(copies, least, &fates, &mut facts)?,
            _ => at_once(way, copies, least, &fates, &mut facts)?,
        };
        facts.latency.record(way.name(), took);
        let Some((sum, missing)) = answer else {
            facts.failed += 1;
            continue;
        };
        // Who reads the answer sees the mark, not the list of shards.
        let complete = missing.is_empty() || !marked;
        facts.partial += u64::from(!complete);
        let below = visits.partition_point(|&n| n < least);
        let truth = (visits.len() - below) as u64;
        invariants.event(format!("query {query}: {sum} users, without shards {missing:?}"));
        invariants.check(honest, !complete || sum == truth, || {
            format!("{sum} users with {least} visits or more, as if complete, of {truth}")
        });
    }
    Ok(facts)
}

type Answer = (Option<(u64, Vec<usize>)>, Duration);

fn serial(
    copies: &[[Database; 2]],
    least: u64,
    fates: &[[Fate; 2]; SHARDS],
    facts: &mut Facts,
) -> rusqlite::Result<Answer> {
    let (mut sum, mut took) = (0, Duration::ZERO);
    for (shard, fate) in copies.iter().zip(fates) {
        facts.asks += 1;
        took += fate[0].took;
        if !fate[0].up {
            return Ok((None, took));
        }
        sum += shard[0].busy(least)?.0;
    }
    Ok((Some((sum, Vec::new())), took))
}

fn at_once(
    way: Way,
    copies: &[[Database; 2]],
    least: u64,
    fates: &[[Fate; 2]; SHARDS],
    facts: &mut Facts,
) -> rusqlite::Result<Answer> {
    let tries: u32 = if way == Way::Parallel { 1 } else { 2 };
    let nodes = |shard: usize| (0..tries).map(move |copy| NodeIx(2 * shard as u32 + copy));
    let mut gather: Gather<u64> = Gather::of_parts((0..SHARDS).map(nodes));
    let mut events = Events::new();
    events.at(Time::ZERO + DEADLINE, Event::Deadline);
    let mut pending = 0;
    loop {
        while let Some(ask) = gather.next_ask() {
            let fate = fates[ask.part][ask.copy];
            (facts.asks, pending) = (facts.asks + 1, pending + 1);
            events.after(fate.took, Event::Answer { part: ask.part, copy: ask.copy, ok: fate.up });
            if way == Way::Hedged && ask.copy == 0 {
                events.after(HEDGE, Event::Hedge(ask.part));
            }
        }
        // When nobody is left to ask there is no use in waiting.
        if gather.is_complete() || pending == 0 {
            break;
        }
        match events.next() {
            Some((_, Event::Answer { part, copy, ok })) => {
                pending -= 1;
                if ok {
                    gather.answer(part, copies[part][copy].busy(least)?.0);
                } else {
                    gather.retry(part);
                }
            }
            Some((_, Event::Hedge(part))) => drop(gather.retry(part)),
            Some((_, Event::Deadline)) | None => break,
        }
    }
    let took = events.now().since(Time::ZERO);
    let need = match way {
        Way::Partial | Way::Hedged => Need::AtLeast(1),
        _ => Need::All,
    };
    let Ok(gathered) = gather.close(need) else { return Ok((None, took)) };
    let missing = gathered.missing().collect();
    Ok((Some((gathered.answers().sum(), missing)), took))
}

/// What the slowest shard does as shards grow in number: shards, mean of asking one after the other,
/// median and p99 of asking at once, share of the queries that meet a slow shard.
#[must_use]
pub fn tail(seed: Seed, queries: u64) -> Vec<(usize, Duration, Duration, Duration, f64)> {
    let row = |shards: usize| {
        let mut draw = seed.stream("tail");
        let (mut sum, mut slow) = (Duration::ZERO, 0);
        let mut latency = Latencies::default();
        for _ in 0..queries {
            let times: Vec<Duration> = (0..shards).map(|_| time(&mut draw)).collect();
            let most = times.iter().copied().max().unwrap_or_default();
            sum += times.iter().sum::<Duration>();
            slow += u64::from(most > Duration::from_millis(40));
            latency.record("all", most);
        }
        let at = latency.percentiles("all").expect("there are queries");
        let span = Duration::from_nanos;
        (shards, sum / queries as u32, span(at.p50), span(at.p99), slow as f64 / queries as f64)
    };
    [1, 4, 16, 64].into_iter().map(row).collect()
}
