//! Block 7: the trade-offs as experiments.

use crate::carts;
use crate::config::{Config, Rules, zone};
use crate::load::Trace;
use crate::placement::Placement;
use crate::scenario::Facts;
use crate::trials::QUICK;
use archstone_crdt::sync::{Keys, MerkleSync, Reconcile, reconcile};
use archstone_hashring::Plan;
use archstone_sketch::membership::Bloom;
use kit::{Failure, Run, Seed, Table, TradeOff, Value, human};
use std::time::Duration;

/// A ring with so many points a node.
#[derive(Clone, Copy, Debug)]
pub struct Points {
    /// Points a node.
    pub points: u32,
    /// Keys of the fullest node over the mean.
    pub fullest: f64,
    /// Copies that have another holder once a tenth node joined.
    pub moved: f64,
    /// What the plan of the ring says (without zones).
    pub planned: f64,
    /// Bytes of the ring.
    pub bytes: u64,
}

/// Nine nodes, and a tenth.
///
/// # Errors
/// When a ring cannot be made.
pub fn points() -> Result<Vec<Points>, Failure> {
    const KEYS: u32 = 20_000;
    let mut rows = Vec::new();
    for points in [1, 8, 32, 160] {
        let ring = |nodes: usize, apart: bool| -> Result<Placement, Failure> {
            let mut placement = Placement::new(3, points, apart)?;
            for node in 0..nodes {
                placement.join(node, zone(node, 3))?;
            }
            Ok(placement)
        };
        let (nine, ten) = (ring(9, true)?, ring(10, true)?);
        let (mut held, mut moved) = ([0_u32; 9], 0_u32);
        for key in 0..KEYS {
            let key = key.to_le_bytes();
            let (before, after) = (nine.holders(&key), ten.holders(&key));
            before.iter().for_each(|&node| held[node] += 1);
            moved += after.iter().filter(|node| !before.contains(node)).count() as u32;
        }
        let (old, new) = (ring(9, false)?, ring(10, false)?);
        let plan = Plan::new(old.ring(), new.ring(), 3)?;
        let share = |first: u64, last: u64| (last - first) as f64 / 2_f64.powi(64);
        let planned: f64 = plan.map(|step| share(step.keys.first, step.keys.last)).sum();
        rows.push(Points {
            points,
            fullest: f64::from(*held.iter().max().unwrap_or(&0)) * 9.0 / f64::from(3 * KEYS),
            moved: f64::from(moved) / f64::from(3 * KEYS),
            planned: planned / 3.0,
            bytes: nine.ring().heap_bytes() as u64,
        });
    }
    Ok(rows)
}

/// The same shoppers and troubles with some of the repairs.
#[derive(Clone, Debug)]
pub struct Repairs {
    /// In words.
    pub name: &'static str,
    /// What was found.
    pub outcome: carts::Outcome,
}

/// Which repairs a store needs, and what siblings and stand-ins are for.
///
/// # Errors
/// When the configuration makes no cluster.
pub fn repairs(seed: Seed) -> Result<Vec<Repairs>, Failure> {
    let none = Rules { hints: false, read_repair: false, anti_entropy: false, ..Rules::ALL };
    let hints = Rules { hints: true, ..none };
    let two = Rules { read_repair: true, ..hints };
    let merkle = Rules { anti_entropy: true, ..none };
    let lww = Rules { vector_clocks: false, ..Rules::ALL };
    let sloppy = Config::usual();
    let all = [
        ("none of the three", Config { rules: none, ..sloppy }),
        ("hinted handoff", Config { rules: hints, ..sloppy }),
        ("... and read repair", Config { rules: two, ..sloppy }),
        ("Merkle comparison alone", Config { rules: merkle, ..sloppy }),
        ("all three", sloppy),
        ("all three, strict", Config { sloppy: false, ..sloppy }),
        ("all three, last write wins", Config { rules: lww, ..sloppy }),
    ];
    let mut rows = Vec::new();
    for (name, config) in all {
        let troubles = carts::attack(seed, config.nodes, config.zones);
        // A node that lost its disk is filled by comparison only: without it, it must not wait.
        let rebuild_first = config.rules.anti_entropy;
        let rules = Rules { rebuild_first, ..config.rules };
        let config = Config { rules, ..config };
        let outcome = carts::run(config, QUICK.carts, troubles, 0.005, seed)?;
        rows.push(Repairs { name, outcome });
    }
    Ok(rows)
}

/// What a comparison of 10,000 rows costs.
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    /// Rows that one side lacks.
    pub differ: u64,
    /// Bytes of both directions.
    pub merkle: u64,
    /// Messages.
    pub rounds: u32,
}

/// Rows that are compared.
pub const COMPARED: u64 = 10_000;

/// Two sides that differ in some rows.
///
/// # Errors
/// Those of the comparison.
pub fn bytes(seed: Seed) -> Result<Vec<Bytes>, Failure> {
    let mut random = seed.stream("rows");
    let all: Vec<u64> = (0..COMPARED).map(|_| random.next_u64()).collect();
    let mut rows = Vec::new();
    for differ in [0, 1, 10, 100, 1_000] {
        let mut a = MerkleSync::new(Keys::new(all.iter().copied(), 7));
        let mut b = MerkleSync::new(Keys::new(all.iter().copied().skip(differ as usize), 7));
        reconcile(&mut a, &mut b)?;
        if b.difference().we_lack.len() as u64 != differ {
            return Err(
                format!("{differ} rows differ, not {}", b.difference().we_lack.len()).into()
            );
        }
        let (ours, theirs) = (a.cost(), b.cost());
        let (merkle, rounds) = (ours.sent + theirs.sent, ours.rounds + theirs.rounds);
        rows.push(Bytes { differ, merkle, rounds });
    }
    Ok(rows)
}

/// A Bloom filter of 10,000 keys.
#[derive(Clone, Copy, Debug)]
pub struct Filters {
    /// Asked for.
    pub fpr: f64,
    /// Bits a key.
    pub bits: f64,
    /// Of 50,000 keys that are not there, those that it did not know.
    pub vain: f64,
}

/// Three sizes.
///
/// # Errors
/// When a filter cannot be made.
pub fn filters() -> Result<Vec<Filters>, Failure> {
    let mut rows = Vec::new();
    for fpr in [0.1, 0.01, 0.001] {
        let mut filter = Bloom::new(10_000, fpr)?;
        (0..10_000_u64).for_each(|key| {
            filter.insert(&key);
        });
        let vain = (10_000..60_000_u64).filter(|key| filter.contains(key)).count();
        rows.push(Filters { fpr, bits: filter.bits() as f64 / 1e4, vain: vain as f64 / 5e4 });
    }
    Ok(rows)
}

/// The same calls on our own server and on a real Redis, both over TCP.
#[derive(Clone, Copy, Debug)]
pub struct Race {
    /// Calls of each.
    pub calls: u64,
    /// Answers that were not the same.
    pub differ: u64,
    /// What each took.
    pub ours: Duration,
    /// See `ours`.
    pub redis: Duration,
}

/// `None` without `--backend redis://...`.
///
/// # Errors
/// When a server is not reached.
#[cfg(feature = "redis")]
pub fn race(run: &Run, trace: &Trace) -> Result<Option<Race>, Failure> {
    run.backend("redis").map(|url| crate::redis_load::race(url, run.random(), trace)).transpose()
}

/// `None`: there is nothing to race against.
///
/// # Errors
/// None.
#[cfg(not(feature = "redis"))]
pub fn race(_: &Run, _: &Trace) -> Result<Option<Race>, Failure> {
    Ok(None)
}

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        r_and_w(facts),
        strict(facts),
        siblings(facts),
        virtual_nodes(facts),
        three(facts),
        merkle(facts),
        filter(facts),
        one_order(facts),
        beside(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

fn r_and_w(facts: &Facts) -> TradeOff {
    let mut table =
        Table::new(["R", "W", "R + W > N", "stale", "random sets", "read p99", "write p99"]);
    for row in &facts.stale {
        table.row([
            row.quorum.r().into(),
            row.quorum.w().into(),
            row.quorum.is_strict().into(),
            Value::Share(row.share()),
            Value::Share(row.quorum.stale_probability()),
            row.p99("read").into(),
            row.p99("write").into(),
        ]);
    }
    trade(
        "26.T1",
        "N = 3: what do R and W cost, and how often does a read right after a write miss it?",
        table,
        "A strict quorum never misses. \"Random sets\" is C(N-W, R) / C(N, R), as if each read asked any R copies and the rest of the write stood still: neither is so, the write goes on to all N.",
    )
}

fn repair_row<'a>(facts: &'a Facts, name: &str) -> Option<&'a carts::Outcome> {
    facts.repairs.iter().find(|row| row.name == name).map(|row| &row.outcome)
}

fn strict(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["quorum", "writes", "not acknowledged", "lost", "write p99"]);
    for (name, shown) in [("all three", "sloppy"), ("all three, strict", "strict")] {
        let Some(outcome) = repair_row(facts, name) else { continue };
        let p99 = outcome.latency.percentiles("write").map(|p| Duration::from_nanos(p.p99));
        table.row([
            shown.into(),
            outcome.writes.len().into(),
            (outcome.writes.len() as u64 - outcome.acknowledged()).into(),
            outcome.lost().len().into(),
            p99.into(),
        ]);
    }
    trade(
        "26.T2",
        "Sloppy or strict: what do writers get while nodes are cut off?",
        table,
        "Sloppy takes the writes, and its R + W > N promises nothing while somebody stands in. A store chooses one for each kind of data: a cart, a balance.",
    )
}

fn siblings(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["versions", "writes done", "lost", "reads with siblings"]);
    for (name, shown) in
        [("all three", "vector clocks"), ("all three, last write wins", "last write wins")]
    {
        let Some(outcome) = repair_row(facts, name) else { continue };
        table.row([
            shown.into(),
            outcome.acknowledged().into(),
            outcome.lost().len().into(),
            Value::Share(outcome.siblings as f64 / outcome.reads.max(1) as f64),
        ]);
    }
    trade(
        "26.T3",
        "Twelve shoppers, ten carts: what does each rule for concurrent writes lose?",
        table,
        "With clocks the reader merges, and nothing acknowledged is lost. Last write wins needs no merge and loses what it had not read; fine for a cache, not for a cart.",
    )
}

fn virtual_nodes(facts: &Facts) -> TradeOff {
    let columns = ["points a node", "fullest / mean", "moved by a join", "planned", "ring"];
    let mut table = Table::new(columns);
    for row in &facts.points {
        table.row([
            row.points.into(),
            row.fullest.into(),
            Value::Share(row.moved),
            Value::Share(row.planned),
            Value::Bytes(row.bytes),
        ]);
    }
    trade(
        "26.T4",
        "Nine nodes in three zones, and a tenth: what do virtual nodes buy?",
        table,
        "A tenth of all copies is the least that a fair tenth node takes. With zones it takes less: it shares its own zone's third with three others, a twelfth; zones should grow together. \"Planned\" is the ring's plan without zones.",
    )
}

fn three(facts: &Facts) -> TradeOff {
    let columns =
        ["repairs", "replicas agree after", "writes lost", "rows by hint", "by read", "by Merkle"];
    let mut table = Table::new(columns);
    for Repairs { name, outcome } in &facts.repairs {
        table.row([
            (*name).into(),
            outcome.agreed.map_or_else(|| Value::from("not in 30 s"), Value::from),
            outcome.lost().len().into(),
            outcome.counts.handed.into(),
            outcome.counts.repaired.into(),
            outcome.counts.synced.into(),
        ]);
    }
    trade(
        "26.T5",
        "The same troubles: which of the three repairs does a store need?",
        table,
        "Hints bring back what was taken for others, and only they can: holders compare with holders. Comparison fills a lost disk, and only it can. Read repair makes hot keys right at once, and strict reads monotonic.",
    )
}

fn merkle(facts: &Facts) -> TradeOff {
    let mut table =
        Table::new(["rows that differ", "Merkle", "rounds", "all digests", "all rows of 1 KB"]);
    for row in &facts.bytes {
        table.row([
            row.differ.into(),
            Value::Bytes(row.merkle),
            row.rounds.into(),
            Value::Bytes(8 * COMPARED),
            Value::Bytes(1_000 * COMPARED),
        ]);
    }
    trade(
        "26.T6",
        "Two nodes share 10,000 rows: what does finding the difference cost?",
        table,
        "Bytes grow with the difference until sending every digest is cheaper: a node that lost its disk should be streamed to, not compared with.",
    )
}

fn filter(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["false", "bits a key", "reads in vain"]);
    table.row(["no filter".into(), 0_u32.into(), Value::Share(1.0)]);
    for row in &facts.filters {
        table.row([Value::Share(row.fpr), row.bits.into(), Value::Share(row.vain)]);
    }
    trade(
        "26.T7",
        "Of reads for keys that are not there, how many reach the table?",
        table,
        format!(
            "In the recorded load the filters of 1 % answered {} of {} reads by themselves.",
            human::thousands(facts.load.spared),
            human::thousands(facts.load.asked),
        ),
    )
}

fn one_order(facts: &Facts) -> TradeOff {
    let mut table = Table::new([
        "setting",
        "reads",
        "stale",
        "going back",
        "linearizable registers",
        "refused",
    ]);
    for row in &facts.settings {
        table.row([
            row.name.into(),
            row.reads.into(),
            row.stale.into(),
            row.back.into(),
            format!("{} of {}", row.explained.0, row.explained.1).into(),
            row.refused.into(),
        ]);
    }
    trade(
        "26.T8",
        "Registers with one writer each, under cuts, stops, lost disks: is each linearizable?",
        table,
        "R + W > N alone is not: a write under way is seen by one reader and not by the next, unless the read stores it first. R = 1 has nothing to compare, so W = 3 does not help it. With many writers siblings come back in any case: a register of quorums is no compare-and-swap.",
    )
}

fn beside(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["store", "calls", "copies", "calls/s"]).wall("calls/s");
    let rate = |calls: u64, span: Duration| calls as f64 / span.as_secs_f64().max(1e-9);
    let load = &facts.load;
    let calls = load.requests + 2 * load.puts;
    table.row([
        "ours, in process".into(),
        calls.into(),
        3_u32.into(),
        rate(calls, load.spent).into(),
    ]);
    match &facts.redis {
        Some(race) => {
            table.row([
                "ours, RESP over TCP".into(),
                race.calls.into(),
                3_u32.into(),
                rate(race.calls, race.ours).into(),
            ]);
            table.row([
                "Redis over TCP".into(),
                race.calls.into(),
                1_u32.into(),
                rate(race.calls, race.redis).into(),
            ]);
        }
        None => {
            table.row([
                "Redis: --backend redis://".into(),
                Value::Missing,
                1_u32.into(),
                Value::Missing,
            ]);
        }
    }
    trade(
        "26.T9",
        "The same recorded calls on a real Redis: what do quorums and versions cost?",
        table,
        "Nine nodes on one core, three copies in a B-tree each, versions and two rounds a write, against one thread and one hash table. Redis answers faster and loses what its one machine loses.",
    )
}
