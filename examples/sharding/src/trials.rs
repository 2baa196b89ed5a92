//! Every promise, attacked: what the run, the tests and `kit::ablate` all drive. A function of input,
//! seed, size and safeguards.

use crate::input::Input;
use crate::replica::{Mode, Trouble};
use crate::{federation, gather, hot, layout, replica, reshard, restore, schema, transfer};
use kit::invariant::{Record, merge};
use kit::{Invariants, Safeguards, Seed};
use std::sync::OnceLock;

/// How much is run.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Users.
    pub users: usize,
    /// Operations of clients while a shard is added.
    pub operations: u64,
    /// Milliseconds of writes before a primary dies.
    pub millis: u64,
    /// Questions to all shards, for each way.
    pub queries: u64,
    /// Likes.
    pub likes: u64,
    /// Transfers at random.
    pub jobs: u64,
    /// Requests between two steps of the schema change.
    pub requests: u64,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Size = Size {
    users: 400,
    operations: 1_500,
    millis: 400,
    queries: 300,
    likes: 3_000,
    jobs: 60,
    requests: 8,
};

/// What was found, part by part; a part that was not run is empty.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The rows under each scheme.
    pub layouts: Vec<layout::Layout>,
    /// One shard more.
    pub reshard: reshard::Facts,
    /// Primaries that die.
    pub replicas: Vec<replica::Facts>,
    /// A shard that is lost.
    pub restore: restore::Facts,
    /// One question to all.
    pub gather: Vec<gather::Facts>,
    /// A hot key.
    pub hot: hot::Facts,
    /// Sagas.
    pub transfer: transfer::Facts,
    /// A schema change.
    pub schema: schema::Facts,
    /// Four databases by function.
    pub federation: federation::Facts,
}

/// The safeguards of each part.
const LAYOUT: &[&str] = &["consistent-hashing"];
const RESHARD: &[&str] = &["dual-reads", "dual-writes", "newer-wins", "range-fence"];
const REPLICA: &[&str] = &["semi-sync", "most-advanced"];
const GATHER: &[&str] = &["partial-mark"];
const HOT: &[&str] = &["all-parts"];
const TRANSFER: &[&str] = &["saga-compensation", "once-only"];
const SCHEMA: &[&str] = &["expand-first", "backfill-first", "both-shapes"];
const FEDERATION: &[&str] = &["breaker", "degraded-mark", "orphan-relay"];

/// Runs everything with `seed` at quick size on the shipped input; the records.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(nasa(), seed, on, QUICK, true).0
}

/// The same, but only the parts that have a safeguard that is off: the others cannot tell.
#[must_use]
pub fn ablated(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(nasa(), seed, on, QUICK, false).0
}

/// The shipped input, read once.
#[must_use]
pub fn nasa() -> &'static Input {
    static NASA: OnceLock<Input> = OnceLock::new();
    NASA.get_or_init(Input::nasa)
}

/// Runs everything (or, unless `all`, the parts that have a safeguard that is off) with `seed`; the
/// records, and what was found.
///
/// # Panics
/// When SQLite fails: it has a temporary folder of its own.
#[must_use]
pub fn run_sized(
    input: &Input,
    seed: u64,
    on: &Safeguards,
    size: Size,
    all: bool,
) -> (Vec<Record>, Parts) {
    let (mut records, mut parts) = (Vec::new(), Parts::default());
    let root = Seed::new(seed).child("trials");
    let input = input.sized(size.users, root);
    let mut part =
        |names: &[&str], run: &mut dyn FnMut(&mut Invariants) -> rusqlite::Result<()>| {
            if all || names.iter().any(|name| !on.on(name)) {
                let mut invariants = Invariants::new(seed);
                run(&mut invariants).expect("SQLite in a temporary folder");
                merge(&mut records, invariants.into_records());
            }
        };
    part(LAYOUT, &mut |invariants| {
        parts.layouts = layout::run(&input, seed, on, invariants)?;
        Ok(())
    });
    part(RESHARD, &mut |invariants| {
        parts.reshard = reshard::run(&input.users, seed, size.operations, on, invariants)?;
        Ok(())
    });
    part(REPLICA, &mut |invariants| {
        for mode in [Mode::Async, Mode::SemiSync, Mode::All] {
            for trouble in [Trouble::Calm, Trouble::NearCut] {
                let facts = replica::run(root, mode, trouble, size.millis, on, invariants)?;
                parts.replicas.push(facts);
            }
        }
        Ok(())
    });
    part(&[], &mut |invariants| {
        parts.restore = restore::run(root, size.users as u64, invariants)?;
        Ok(())
    });
    part(GATHER, &mut |invariants| {
        parts.gather = gather::run(&input.users, root, size.queries, on, invariants)?;
        Ok(())
    });
    part(HOT, &mut |invariants| {
        parts.hot = hot::run(root, size.likes, on, invariants)?;
        Ok(())
    });
    part(TRANSFER, &mut |invariants| {
        parts.transfer = transfer::run(root, size.jobs, on, invariants)?;
        Ok(())
    });
    part(SCHEMA, &mut |invariants| {
        parts.schema = schema::run(root, size.requests, on, invariants)?;
        Ok(())
    });
    part(FEDERATION, &mut |invariants| {
        parts.federation = federation::run(root, on, invariants)?;
        Ok(())
    });
    (records, parts)
}
