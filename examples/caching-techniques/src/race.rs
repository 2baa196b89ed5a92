//! Cache-aside and write-through while others ask and write: the interleavings that the usual code
//! gets wrong, each made to happen.
//!
//! Hooks of the store run a second client's whole request while the first one's load has read and not
//! answered, before its commit, or between its commit and its answer. The store is a file with a
//! reader's connection of its own, so what is not committed is not seen.

use crate::Fixed;
use crate::store::{Between, Database, Row, StoreError};
use archstone_cache::Builder;
use archstone_cache::around::{CacheAside, Lives, Store, Through};
use archstone_cache::load::{LoadError, Loading};
use kit::{Failure, Invariants, Safeguards, Seed};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What must hold.
pub const THROUGH: &str = "write-through: no read that begins after an acknowledgement is older";
/// See [`THROUGH`].
pub const ASIDE: &str = "cache-aside: no read that begins after an acknowledgement is older";
/// See [`THROUGH`].
pub const COMMITTED: &str = "nobody reads what the store has not committed";

/// The lower half of the keys is cached by write-through, the upper one aside.
const KEYS: u32 = 8;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Reads.
    pub reads: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Writes that the store rolled back.
    pub refused: u64,
    /// Requests that came between another one's steps.
    pub between: u64,
    /// Loads that the cache did not keep, because the key was changed meanwhile.
    pub overtaken: u64,
}

#[derive(Default)]
struct Book {
    acknowledged: [u64; KEYS as usize],
    /// What became of a price: whether it is known to be committed.
    prices: HashMap<i64, bool>,
    next_price: i64,
    facts: Facts,
    said: Vec<Said>,
}

enum Said {
    Event(String),
    Read { key: u32, floor: u64, row: Row, committed: bool },
}

struct World {
    database: Arc<Database>,
    through: Through<u32, Row, Arc<Database>, archstone_cache::policy::Lru, Fixed>,
    aside: CacheAside<u32, Option<Row>, archstone_cache::policy::Lru, Fixed>,
    guarded_fill: bool,
    store_first: bool,
    invalidate_last: bool,
    book: Mutex<Book>,
}

/// Runs `requests` requests.
///
/// # Errors
/// What SQLite says, other than what is injected.
pub fn run(
    seed: Seed,
    requests: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> Result<Facts, Failure> {
    // The first one that breaks is shown, and this one says most.
    let committed_only = invariants.declare(COMMITTED);
    let fresh = [THROUGH, ASIDE].map(|name| invariants.declare(name));
    let folder = tempfile::tempdir()?;
    let database = Arc::new(Database::open(&folder.path().join("items.sqlite"))?);
    database.fill(0..KEYS)?;
    let builder = || {
        let builder = Builder::<u32, Option<Row>>::new(2).policy::<archstone_cache::policy::Lru>();
        builder.hasher(Fixed).shards(1)
    };
    let mut book = Book { acknowledged: [1; KEYS as usize], ..Book::default() };
    book.prices.extend((0..KEYS).map(|key| (i64::from(key) * 10, true)));
    book.next_price = 1_000;
    let world = Arc::new(World {
        through: Through::new(builder(), Lives::default(), Arc::clone(&database))?,
        aside: CacheAside::new(builder().build_sync()?),
        database,
        guarded_fill: on.on("guarded-fill"),
        store_first: on.on("store-first"),
        invalidate_last: on.on("invalidate-last"),
        book: Mutex::new(book),
    });
    let mut dice = seed.stream("races");
    for _ in 0..requests {
        let key = dice.below(KEYS.into()) as u32;
        let other = Arc::clone(&world);
        if dice.chance(0.6) {
            if dice.chance(0.5) {
                let hook = move || other.comes_between(|world| world.write(key));
                world.database.between(Between::LoadAndAnswer, hook);
            }
            world.read(key)?;
        } else {
            match dice.below(5) {
                0 | 1 => {
                    let hook = move || other.comes_between(|world| world.read(key));
                    world.database.between(Between::WriteAndCommit, hook);
                    world.database.refuse(dice.below(2));
                }
                2 | 3 => {
                    let hook = move || other.comes_between(|world| world.write(key));
                    world.database.between(Between::CommitAndAnswer, hook);
                }
                _ => world.database.refuse(1),
            }
            world.write(key)?;
        }
        world.database.forget_hook();
        world.database.refuse(0);
        for said in std::mem::take(&mut world.book().said) {
            let Said::Read { key, floor, row, committed } = said else {
                let Said::Event(event) = said else { continue };
                invariants.event(event);
                continue;
            };
            invariants.event(format!("key {key} read: version {}, {}", row.version, row.price));
            let fresh = if key < KEYS / 2 { fresh[0] } else { fresh[1] };
            invariants.check(fresh, row.version >= floor, || {
                format!("key {key}: read version {}, {floor} was acknowledged", row.version)
            });
            invariants.check(committed_only, committed, || {
                format!("key {key}: read {}, which was never committed", row.price)
            });
        }
    }
    let mut facts = world.book().facts;
    let overtaken = |stats: archstone_cache::load::LoadStats| stats.overtaken;
    facts.overtaken = overtaken(world.through.loading().load_stats())
        + overtaken(world.aside.loading().load_stats());
    Ok(facts)
}

type Here = Loading<u32, Option<Row>, archstone_cache::policy::Lru, Fixed>;

impl World {
    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, event: String) {
        self.book().said.push(Said::Event(event));
    }

    fn comes_between(&self, request: impl FnOnce(&Self) -> Result<(), Failure>) {
        self.book().facts.between += 1;
        self.say("meanwhile, another client:".to_owned());
        if let Err(error) = request(self) {
            self.say(format!("it failed: {error}"));
        }
        self.say("the first one goes on".to_owned());
    }

    fn cache(&self, key: u32) -> &Here {
        if key < KEYS / 2 { self.through.loading() } else { self.aside.loading() }
    }

    fn read(&self, key: u32) -> Result<(), Failure> {
        let floor = self.book().acknowledged[key as usize];
        self.say(format!("key {key}: a read begins"));
        let row = if !self.guarded_fill {
            // As the text: look, ask, set.
            match self.cache(key).get(&key) {
                Some(row) => row,
                None => {
                    let row = self.database.load(&key)?;
                    self.cache(key).insert(key, row).ignore();
                    row
                }
            }
        } else if key < KEYS / 2 {
            self.through.get(&key)?
        } else {
            let row: Result<_, LoadError<StoreError>> =
                self.aside.get(key, |key| self.database.load(key));
            row?
        };
        let row = row.unwrap_or_default();
        let visible = self.database.look(key)?.is_some_and(|stored| stored.price == row.price);
        let mut book = self.book();
        let known = book.prices.entry(row.price).or_insert(false);
        *known |= visible;
        let committed = *known;
        book.facts.reads += 1;
        book.said.push(Said::Read { key, floor, row, committed });
        Ok(())
    }

    fn write(&self, key: u32) -> Result<(), Failure> {
        let (price, next) = {
            let mut book = self.book();
            book.next_price += 1;
            (book.next_price, book.acknowledged[key as usize] + 1)
        };
        self.say(format!("key {key}: a write of {price} begins"));
        let (row, database) = (Row { version: 0, price }, &self.database);
        let stored = if key < KEYS / 2 {
            if self.store_first {
                self.through.put(key, row)
            } else {
                // As the text: the cache, then the database.
                let row = Some(Row { version: next, price });
                self.cache(key).insert(key, row).ignore();
                database.store(&key, Row { version: 0, price })
            }
        } else if self.invalidate_last {
            self.aside.change(key, || database.store(&key, row))
        } else {
            // As the text: deleted within the transaction, so before its commit.
            let _ = self.aside.loading().remove(&key);
            database.store(&key, row)
        };
        let mut book = self.book();
        match stored {
            Ok(row) => {
                book.facts.writes += 1;
                book.prices.insert(price, true);
                let known = &mut book.acknowledged[key as usize];
                *known = row.version.max(*known);
                let event = format!("key {key}: {price} is version {}, acknowledged", row.version);
                book.said.push(Said::Event(event));
            }
            Err(StoreError::Refused) => {
                book.facts.refused += 1;
                book.said.push(Said::Event(format!("key {key}: {price} is refused")));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
