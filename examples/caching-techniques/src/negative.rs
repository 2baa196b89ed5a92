//! What does not exist: a Bloom filter before the store, across a restart of its process.
//!
//! The filter is kept in the store together with the number of the last row that it knows. After a
//! restart the rows after that are added before the filter denies anything.

use crate::Fixed;
use crate::store::{Between, Database, Row};
use archstone_cache::Builder;
use archstone_cache::around::{self, Guard, Lives, Store, Through};
use archstone_cache::policy::Lru;
use archstone_sketch::Wire;
use archstone_sketch::membership::{AtomicBloom, Bloom, Filter as _};
use kit::{Failure, Invariants, Safeguards, Seed};
use std::path::Path;
use std::sync::Arc;

/// What must hold.
pub const DENIED: &str = "negative cache: no row that exists is denied, also after a restart";
/// See [`DENIED`].
pub const RATE: &str = "negative cache: false positives stay within the filter's rate";

/// The text's rate.
pub const FALSE_POSITIVES: f64 = 0.01;

/// How much.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Rows that are there when the filter is kept.
    pub rows: u32,
    /// Rows made after that, before the process dies.
    pub made: u32,
    /// Look-ups of rows that are not there; as many of rows that are.
    pub asked: u32,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Look-ups of what is not there.
    pub absent: u64,
    /// Those that the filter let through.
    pub false_positives: u64,
    /// The rate at which it should.
    pub expected: f64,
    /// Bytes of the filter, probes of a look-up.
    pub bytes: usize,
    /// See [`Facts::bytes`].
    pub hashes: u32,
    /// Rows of the tail that were added at the restart.
    pub caught_up: u64,
    /// An empty filter, the text's, after the restart: rows that it denies, and absent ones that it
    /// lets through.
    pub empty: [u64; 2],
    /// Questions that the store was spared.
    pub spared: u64,
}

/// The filter as the cache knows it.
struct Known(Arc<AtomicBloom>);

impl around::Filter<u32> for Known {
    fn may_contain(&self, key: &u32) -> bool {
        self.0.contains(key)
    }
    fn insert(&self, key: &u32) {
        self.0.insert(key);
    }
}

type Users = Through<u32, Row, Arc<Database>, Lru, Fixed>;

/// The `n`-th key: an odd factor makes them all different, and those that are there are spread among
/// those that are not.
#[must_use]
pub const fn key(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761)
}

fn users(database: &Arc<Database>, guard: &Arc<Guard<u32>>) -> Result<Users, Failure> {
    let builder = Builder::new(100).policy::<Lru>().hasher(Fixed).shards(1);
    let users = Through::new(builder, Lives::default(), Arc::clone(database))?;
    Ok(users.guarded(Arc::clone(guard)))
}

/// A process: its cache, its guard with the filter in it, and the rows that were added at its start.
struct Process {
    users: Users,
    guard: Arc<Guard<u32>>,
    bloom: Arc<AtomicBloom>,
    caught_up: u64,
}

/// A process begins: the filter that was kept, and what was made since.
fn begin(database: &Arc<Database>, capacity: u64, seeded: bool) -> Result<Process, Failure> {
    let (mut bloom, mut upto) = (Bloom::new(capacity, FALSE_POSITIVES)?, 0);
    let mut caught_up = 0;
    // Without this the filter is new and empty, and answers at once: as the text's does.
    if seeded {
        if let Some((bytes, known)) = database.kept_filter()? {
            (bloom, upto) = (Bloom::decode(&bytes)?, known);
        }
        let (tail, _) = database.made_after(upto)?;
        caught_up = tail.len() as u64;
        tail.iter().for_each(|key| {
            bloom.insert(key);
        });
    }
    let bloom = Arc::new(AtomicBloom::from(bloom));
    let guard = Arc::new(Guard::new(Known(Arc::clone(&bloom)), capacity));
    guard.seeded();
    Ok(Process { users: users(database, &guard)?, guard, bloom, caught_up })
}

/// Two processes, one after the other, over the file `path`.
///
/// # Errors
/// What SQLite says.
pub fn run(
    path: &Path,
    seed: Seed,
    setup: Setup,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> Result<Facts, Failure> {
    let [denied, rate] = [DENIED, RATE].map(|name| invariants.declare(name));
    let Setup { rows, made, asked } = setup;
    let capacity = u64::from(rows) + u64::from(made);
    let mut facts = Facts::default();
    {
        let database = Arc::new(Database::open(path)?);
        database.fill((0..rows).map(key))?;
        let Process { users, guard, bloom, .. } = begin(&database, capacity, true)?;
        let (_, last) = database.made_after(0)?;
        database.keep_filter(&bloom.snapshot().encode(), last)?;
        for n in rows..rows + made {
            let key = key(n);
            // Another client asks for it when it is there and its maker does not know yet.
            let seen = Arc::new(std::sync::Mutex::new(None));
            let (into, other) = (Arc::clone(&seen), users.clone());
            database.between(Between::CommitAndAnswer, move || {
                if let (Ok(row), Ok(mut into)) = (other.get(&key), into.lock()) {
                    *into = Some(row);
                }
            });
            let row = Row { version: 1, price: n.into() };
            if on.on("filter-first") {
                users.put(key, row)?;
            } else {
                // As the text: the database, then the filter.
                database.store(&key, row)?;
                guard.add(&key);
            }
            let seen = seen.lock().map_or(None, |seen| *seen);
            invariants.event(format!("row {key} is made; another client asks meanwhile"));
            invariants.check(denied, seen != Some(None), || {
                format!("row {key} is committed and is denied")
            });
        }
    }
    // The process has died: its filter and its cache are gone, the file is there.
    let database = Arc::new(Database::open(path)?);
    let Process { users, guard, bloom, caught_up } =
        begin(&database, capacity, on.on("seed-filter"))?;
    facts.caught_up = caught_up;
    invariants.event(format!("restarted: {caught_up} rows added to the filter that was kept"));
    let mut dice = seed.stream("look-ups");
    for _ in 0..asked {
        let there = key(dice.below(capacity) as u32);
        let row = users.get(&there)?;
        invariants.event(format!("row {there} is asked for"));
        invariants.check(denied, row.is_some(), || format!("row {there} exists and is denied"));
    }
    let (loads, before) = (database.asked().loads, guard.denied());
    for n in 0..asked {
        // Never made; each is asked for once, so that no entry of the cache answers.
        users.get(&key(capacity as u32 + n))?;
    }
    facts.absent = asked.into();
    facts.false_positives = database.asked().loads - loads;
    facts.spared = guard.denied() - before;
    let shape = bloom.snapshot();
    facts.expected = shape.fpr_with(capacity);
    (facts.bytes, facts.hashes) = (shape.bytes(), shape.hashes());
    let text = begin(&database, capacity, false)?;
    let denies = |n: &u32| text.guard.denies(&key(*n));
    let rows = rows + made;
    facts.empty[0] = (0..rows).filter(denies).count() as u64;
    facts.empty[1] = (rows..rows + asked).filter(|n| !denies(n)).count() as u64;
    let (p, n) = (facts.expected, f64::from(asked));
    // Five standard deviations: one run in three million passes by chance.
    let most = n * p + 5.0 * (n * p * (1.0 - p)).sqrt() + 1.0;
    invariants.check(rate, facts.false_positives as f64 <= most, || {
        format!("{} of {asked} let through, at most {most:.0} expected", facts.false_positives)
    });
    Ok(facts)
}
