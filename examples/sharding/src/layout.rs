//! The same rows on real databases under each scheme: how even, who is asked, what one more shard
//! moves.

use crate::database::{Database, Folder, key, position};
use crate::input::{Input, User};
use crate::places;
use crate::scheme::{Kind, Scheme};
use kit::{Invariants, Safeguards};
use std::time::Duration;

/// What must hold.
pub const PLACED: &str = "every row is on exactly the shard that its scheme names";
/// See [`PLACED`].
pub const MINIMAL: &str = "one more shard: rows move to it and between no others";
/// See [`PLACED`].
pub const FOUND: &str = "a range query finds all its rows on the shards it asks";

/// Shards before one more comes.
pub const SHARDS: usize = 4;

/// What a scheme did.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Which.
    pub kind: Kind,
    /// Rows of each shard.
    pub rows: Vec<u64>,
    /// Requests of the log that each shard served.
    pub requests: Vec<u64>,
    /// Of the newest tenth of the users, the share on one shard.
    pub newest: f64,
    /// Shards that a query for a hundredth of the ids asks, on average.
    pub asked: f64,
    /// Rows that one more shard moved.
    pub moved: u64,
    /// Their share of all.
    pub share: f64,
    /// The share of all keys that it had to be, where that is known.
    pub exact: Option<f64>,
    /// Bytes of names and numbers that were moved.
    pub bytes: u64,
    /// Mean round trip from a user's country to its row.
    pub trip: Duration,
    /// Users whose row is at their nearest data centre.
    pub home: f64,
    /// Bytes of the map.
    pub map: u64,
    /// Rows read and written.
    pub touched: u64,
}

/// The largest of these beside their mean.
#[must_use]
pub fn skew(loads: &[u64]) -> f64 {
    let total: u64 = loads.iter().sum();
    let most = loads.iter().copied().max().unwrap_or(0);
    most as f64 * loads.len() as f64 / total.max(1) as f64
}

/// Lays the users out under every scheme, and adds a shard.
///
/// # Errors
/// What SQLite says.
pub fn run(
    input: &Input,
    seed: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Vec<Layout>> {
    let rings = on.on("consistent-hashing");
    let one = |kind| scheme(input, kind, seed, rings, invariants);
    Kind::LAID_OUT.into_iter().map(one).collect()
}

fn scheme(
    input: &Input,
    kind: Kind,
    seed: u64,
    rings: bool,
    invariants: &mut Invariants,
) -> rusqlite::Result<Layout> {
    let [placed, minimal, found] = [PLACED, MINIMAL, FOUND].map(|name| invariants.declare(name));
    let users = &input.users;
    let folder = Folder::new()?;
    let open = |shard| folder.shard(&format!("shard-{shard}"));
    let mut shards: Vec<Database> = (0..SHARDS).map(open).collect::<Result<_, _>>()?;
    let before = Scheme::new(kind, SHARDS, users, seed, rings);
    let mut of: Vec<Vec<&User>> = vec![Vec::new(); SHARDS];
    for user in users {
        of[before.shard_of(user)].push(user);
    }
    for (shard, rows) in shards.iter().zip(&of) {
        shard.load(rows.iter().copied(), seed)?;
    }
    let mut check = |scheme: &Scheme, shards: &[Database], when: &str| -> rusqlite::Result<()> {
        invariants.event(format!("{}: {} rows, {when}", kind.name(), users.len()));
        let wrong = misplaced(users, scheme, shards)?;
        invariants.held(placed, users.len() as u64 - 1);
        invariants.check(placed, wrong.is_none(), || wrong.unwrap_or_default());
        Ok(())
    };
    check(&before, &shards, "laid out")?;

    let after = before.grown(users);
    shards.push(open(SHARDS)?);
    let (mut moved, mut bytes, mut astray) = (0, 0, None);
    for from in 0..SHARDS {
        let leaving: Vec<&User> =
            of[from].iter().copied().filter(|user| after.shard_of(user) != from).collect();
        for to in 0..shards.len() {
            let going = leaving.iter().copied().filter(|user| after.shard_of(user) == to);
            let going: Vec<&User> = going.collect();
            let Some(first) = going.first() else { continue };
            if to != SHARDS && astray.is_none() {
                astray = Some(format!("user {} moves from shard {from} to {to}", first.id));
            }
            bytes += hand_on(&going, &shards[from], &shards[to], seed)?;
            moved += going.len() as u64;
        }
    }
    check(&after, &shards, "one shard more")?;
    // What promises it is held to it; the text calls all of its hashing consistent.
    if kind.is_minimal() {
        invariants.check(minimal, astray.is_none(), || {
            format!("{}: {}", kind.name(), astray.unwrap_or_default())
        });
    }

    let (asked, questions, complete) = ranges(users, &after, &shards)?;
    invariants.held(found, questions - 1);
    invariants.check(found, complete.is_none(), || complete.unwrap_or_default());
    let mut requests = vec![0; SHARDS];
    for &id in &input.requests {
        requests[before.shard_of(&users[id as usize - 1])] += 1;
    }
    let tenth = &users[users.len() - users.len().div_ceil(10)..];
    let mut newest = [0_u64; SHARDS];
    tenth.iter().for_each(|user| newest[before.shard_of(user)] += 1);
    let trips = users.iter().map(|user| places::round_trip(&user.area, before.shard_of(user)));
    let regions = places::regions(SHARDS);
    let home = users.iter().filter(|user| {
        let near = regions.route(&user.area, |_| true).map(|routed| *routed.node);
        near == Ok(before.shard_of(user))
    });
    let share = moved as f64 / users.len() as f64;
    Ok(Layout {
        kind,
        rows: of.iter().map(|rows| rows.len() as u64).collect(),
        requests,
        newest: newest.iter().copied().max().unwrap_or(0) as f64 / tenth.len() as f64,
        asked,
        moved,
        share,
        exact: before.share_moved(&after),
        bytes,
        trip: trips.sum::<Duration>() / users.len() as u32,
        home: home.count() as f64 / users.len() as f64,
        map: before.bytes(),
        touched: users.len() as u64 + 3 * moved,
    })
}

/// Moves rows from one database to another: read, write, delete; their bytes.
fn hand_on(going: &[&User], from: &Database, to: &Database, seed: u64) -> rusqlite::Result<u64> {
    let mut bytes = 0;
    to.transaction(|to| {
        for user in going {
            let Some(row) = from.get(user.id)? else { continue };
            bytes += (row.user.name.len() + row.user.area.len() + 4 * 8) as u64;
            to.put(&row, position(key(user.id, seed)), false)?;
        }
        Ok(())
    })?;
    // After the copy is there: in between a row is twice, which is why a reshard under load needs
    // more than this.
    from.transaction(|from| going.iter().try_for_each(|user| from.delete(user.id)))?;
    Ok(bytes)
}

/// The first row that is not where it belongs, or not there, or there twice.
///
/// # Errors
/// What SQLite says.
pub fn misplaced(
    users: &[User],
    scheme: &Scheme,
    shards: &[Database],
) -> rusqlite::Result<Option<String>> {
    let mut seen = 0;
    for (shard, database) in shards.iter().enumerate() {
        for id in database.ids()? {
            seen += 1;
            let named = users.get(id as usize - 1).map(|user| scheme.shard_of(user));
            if named != Some(shard) {
                return Ok(Some(format!("user {id} is on shard {shard}, not on {named:?}")));
            }
        }
    }
    let all = users.len();
    Ok((seen != all).then(|| format!("{seen} rows on all shards, not {all}")))
}

/// Twenty queries for a hundredth of the ids each: shards asked on average, how many queries, and the
/// first that did not find all.
fn ranges(
    users: &[User],
    scheme: &Scheme,
    shards: &[Database],
) -> rusqlite::Result<(f64, u64, Option<String>)> {
    let (all, wide) = (users.len() as u64, (users.len() as u64 / 100).max(1));
    let (mut asked, mut wrong) = (0, None);
    for nth in 0..20 {
        let first = 1 + (all - wide) * nth / 20;
        let last = first + wide - 1;
        let mut found = 0;
        for shard in scheme.holding(first, last) {
            asked += 1;
            found += shards[shard].count_between(first, last)?;
        }
        if found != wide && wrong.is_none() {
            let name = scheme.kind().name();
            wrong = Some(format!("{name}: {found} of ids {first} to {last}, not {wide}"));
        }
    }
    Ok((asked as f64 / 20.0, 20, wrong))
}

/// What one more shard moves by a way of hashing: of these users, and of all keys.
pub type Moves = (Kind, Vec<(f64, Option<f64>)>);

/// What one more shard moves by each way of hashing, for `users` and several numbers of shards:
/// name, the share at each number, the exact one.
#[must_use]
pub fn moves(users: &[User], seed: u64, shards: &[usize]) -> Vec<Moves> {
    let one = |kind, n| {
        let before = Scheme::new(kind, n, users, seed, true);
        let after = before.grown(users);
        let moved = users.iter().filter(|user| before.shard_of(user) != after.shard_of(user));
        (moved.count() as f64 / users.len() as f64, before.share_moved(&after))
    };
    let row = |kind| (kind, shards.iter().map(|&n| one(kind, n)).collect());
    Kind::HASHED.into_iter().map(row).collect()
}
