//! Write-behind and the death of its process, at every point.
//!
//! The process dies; the store, another process, lives on. Lost is what was acknowledged and is not
//! in the store afterwards. The bound is in rows: writes of one row that waits are one.

use crate::Fixed;
use crate::store::{Database, Row};
use archstone_cache::around::{Limits, Store, WriteBehind};
use archstone_cache::policy::Lru;
use archstone_cache::{Builder, Manual};
use kit::invariant::Invariant;
use kit::sim::{CrashPoints, Crashed, at_every_point};
use kit::{Failure, Fault, Invariants, Safeguards, Seed, Time, Zipf};
use std::sync::Arc;
use std::time::Duration;

/// What must hold.
pub const LOSS: &str = "write-behind: a crash loses no more rows than it may hold unstored";
/// See [`LOSS`].
pub const AGE: &str =
    "write-behind: a crash loses no write older than its delay, if the store was there";
/// See [`LOSS`].
pub const OWN: &str = "write-behind: a read sees every acknowledged write";
/// See [`LOSS`].
pub const ORDER: &str = "write-behind: no row in the store goes back";

const KEYS: u32 = 12;
/// Rows that may be unstored.
pub const MAX_DIRTY: usize = 6;
/// How long.
pub const MAX_DELAY: Duration = Duration::from_millis(300);
const BATCH: usize = 4;
/// When the store is away, in the second script.
const AWAY: [Time; 2] = [Time::from_millis(300), Time::from_millis(900)];

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Crashes, each at another point.
    pub crashes: u64,
    /// Rows lost at the worst point, with the store there and with the store away.
    pub rows_lost: [u64; 2],
    /// Acknowledged writes lost at the worst point.
    pub writes_lost: [u64; 2],
    /// The oldest write lost, with the store there.
    pub oldest: Duration,
    /// Writes acknowledged, writes refused, rows stored, batches: of the life without a crash.
    pub acknowledged: u64,
    /// See [`Facts::acknowledged`].
    pub refused: u64,
    /// See [`Facts::acknowledged`].
    pub stored: u64,
    /// See [`Facts::acknowledged`].
    pub batches: u64,
    /// From the store's return until it had everything that was acknowledged before.
    pub caught_up: Option<Duration>,
    /// From a death until the next process acknowledged a write, at most.
    pub taken_again: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Put(u32),
    Get(u32),
}

type Script = Vec<(Time, Op)>;

fn script(seed: Seed, ops: u64) -> Script {
    let mut dice = seed.stream("behind");
    let keys = Zipf::new(KEYS.into(), 0.7).expect("keys");
    let mut at = Time::ZERO;
    let op = |_| {
        at += dice.between(Duration::from_millis(10), Duration::from_millis(70));
        let key = keys.sample(&mut dice) as u32 - 1;
        (at, if dice.chance(0.5) { Op::Put(key) } else { Op::Get(key) })
    };
    (0..ops).map(op).collect()
}

/// One process, until it ends or dies.
struct Life<'a> {
    database: &'a Arc<Database>,
    behind: WriteBehind<u32, Row, Arc<Database>, Lru, Fixed>,
    clock: Arc<Manual>,
    now: Time,
    away: bool,
    dirty_first: bool,
    /// By key: version and time of each acknowledged write.
    acknowledged: Vec<Vec<(u64, Time)>>,
    stored: Vec<u64>,
    /// Requests that were begun.
    begun: usize,
    first: Option<Time>,
    facts: Facts,
}

#[derive(Clone, Copy)]
struct Names {
    loss: Invariant,
    age: Invariant,
    own: Invariant,
    order: Invariant,
}

impl<'a> Life<'a> {
    fn new(database: &'a Arc<Database>, away: bool, on: &Safeguards) -> Result<Self, Failure> {
        let clock = Arc::new(Manual::default());
        let cache = Builder::new(2).policy::<Lru>().hasher(Fixed).shards(1).build_sync()?;
        let most = if on.on("bounded-dirty") { MAX_DIRTY } else { usize::MAX };
        let delay = if on.on("max-delay") { MAX_DELAY } else { Duration::MAX };
        let limits = Limits::new(most)
            .max_delay(delay)
            .batch(BATCH)
            .retry(|attempt| Some(Duration::from_millis(25 << attempt.min(3))))
            .clock(Arc::clone(&clock));
        Ok(Self {
            database,
            behind: WriteBehind::new(cache, Arc::clone(database), limits),
            clock,
            now: Time::ZERO,
            away,
            dirty_first: on.on("dirty-first"),
            acknowledged: vec![Vec::new(); KEYS as usize],
            stored: vec![1; KEYS as usize],
            begun: 0,
            first: None,
            facts: Facts::default(),
        })
    }

    /// The next process: it knows what the store knows.
    fn after(mut self, died: &Self) -> Result<Self, Failure> {
        for key in 0..KEYS {
            let version = self.database.look(key)?.map_or(0, |row| row.version);
            self.stored[key as usize] = version;
            self.acknowledged[key as usize] = vec![(version, died.now)];
        }
        self.set(died.now);
        (self.now, self.begun) = (died.now, died.begun);
        Ok(self)
    }

    /// Lives through what is left of `script`.
    fn live(
        &mut self,
        script: &Script,
        points: &mut CrashPoints,
        names: Names,
        invariants: &mut Invariants,
    ) -> Result<(), Crashed> {
        while let Some(&(at, op)) = script.get(self.begun) {
            self.begun += 1;
            self.until(at, points, names, invariants)?;
            match op {
                Op::Put(key) => self.put(key, points, invariants)?,
                Op::Get(key) => self.get(key, names, invariants),
            }
        }
        Ok(())
    }

    fn set(&mut self, now: Time) {
        self.now = now;
        self.clock.set(now);
        self.database.set_away(self.away && (AWAY[0]..AWAY[1]).contains(&now));
    }

    /// The timer: batches when they are due.
    fn until(
        &mut self,
        at: Time,
        points: &mut CrashPoints,
        names: Names,
        invariants: &mut Invariants,
    ) -> Result<(), Crashed> {
        while let Some(due) = self.behind.next_due().filter(|&due| due <= at) {
            self.set(due.max(self.now));
            // When one is due, what else waits goes with it.
            if !self.drain(true, points, names, invariants)? {
                break;
            }
        }
        self.set(at.max(self.now));
        // A full batch is due at once.
        self.drain(false, points, names, invariants).map(drop)
    }

    /// Stores what is due, or all that waits; whether anything was tried.
    fn drain(
        &mut self,
        all: bool,
        points: &mut CrashPoints,
        names: Names,
        invariants: &mut Invariants,
    ) -> Result<bool, Crashed> {
        let mut tried = false;
        while let Some(batch) = self.behind.take(all) {
            tried = true;
            points.pass("a batch is taken")?;
            let rows: Vec<_> = batch.writes().to_vec();
            if self.database.store_batch(&rows).is_err() {
                batch.refused();
                continue;
            }
            invariants.event(format!("{}: {} rows stored", ms(self.now), rows.len()));
            for (key, row) in &rows {
                let (version, known) =
                    (row.map_or(0, |row| row.version), &mut self.stored[*key as usize]);
                invariants.check(names.order, version > *known, || {
                    format!("key {key} goes from version {known} to {version}")
                });
                *known = version;
            }
            self.facts.batches += 1;
            self.facts.stored += rows.len() as u64;
            points.pass("the batch is committed, the cache does not know yet")?;
            batch.stored();
        }
        if self.away && self.now >= AWAY[1] && self.facts.caught_up.is_none() && self.is_level() {
            self.facts.caught_up = Some(self.now.since(AWAY[1]));
        }
        Ok(tried)
    }

    /// Whether the store has all that was acknowledged before it returned.
    fn is_level(&self) -> bool {
        let before = |writes: &Vec<(u64, Time)>| {
            writes.iter().rev().find(|write| write.1 < AWAY[1]).map_or(0, |write| write.0)
        };
        self.acknowledged.iter().zip(&self.stored).all(|(writes, stored)| before(writes) <= *stored)
    }

    fn put(
        &mut self,
        key: u32,
        points: &mut CrashPoints,
        invariants: &mut Invariants,
    ) -> Result<(), Crashed> {
        let writes = &mut self.acknowledged[key as usize];
        let version = writes.last().map_or(2, |write| write.0 + 1);
        points.pass("before a write")?;
        let taken = self.behind.put(key, Row { version, price: version as i64 }).is_ok();
        points.pass("taken, not acknowledged yet")?;
        if taken {
            writes.push((version, self.now));
            self.first = self.first.or(Some(self.now));
            self.facts.acknowledged += 1;
            let waiting = self.behind.dirty();
            let said = format!("key {key}, version {version} acknowledged");
            invariants.event(format!("{}: {said}, {waiting} unstored", ms(self.now)));
        } else {
            self.facts.refused += 1;
            invariants.event(format!("{}: key {key} refused, full", ms(self.now)));
        }
        points.pass("acknowledged")
    }

    fn get(&mut self, key: u32, names: Names, invariants: &mut Invariants) {
        let row = if self.dirty_first {
            self.behind.get(&key)
        } else {
            // As the text: the cache, then the store; what waits is in neither once it is evicted.
            self.behind.loading().try_get_or_load(key, |key| self.database.load(key))
        };
        // With the store away a miss fails, which is no stale answer.
        let Ok(row) = row else { return };
        let version = row.map_or(0, |row| row.version);
        let known = self.acknowledged[key as usize].last().map_or(1, |write| write.0);
        invariants.event(format!("{}: key {key} read, version {version}", ms(self.now)));
        invariants.check(names.own, version >= known, || {
            format!("key {key}: read version {version}, {known} was acknowledged")
        });
    }

    /// Rows, writes, and the age of the oldest that are not in the store.
    fn lost(&self) -> Result<(u64, u64, Duration), Failure> {
        let (mut rows, mut lost, mut oldest) = (0, 0, Duration::ZERO);
        for (key, writes) in self.acknowledged.iter().enumerate() {
            let stored = self.database.look(key as u32)?.map_or(0, |row| row.version);
            let gone: Vec<_> = writes.iter().filter(|write| write.0 > stored).collect();
            rows += u64::from(!gone.is_empty());
            lost += gone.len() as u64;
            oldest = gone.iter().map(|write| self.now.since(write.1)).fold(oldest, Duration::max);
        }
        Ok((rows, lost, oldest))
    }
}

fn ms(at: Time) -> String {
    format!("{} ms", at.as_millis())
}

/// Two scripts of `ops` requests, the store there and the store away for a while; a life without a
/// crash, then one for each point, dying there.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    ops: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> Result<Facts, Failure> {
    let names = Names {
        loss: invariants.declare(LOSS),
        age: invariants.declare(AGE),
        own: invariants.declare(OWN),
        order: invariants.declare(ORDER),
    };
    let database = Arc::new(Database::in_memory()?);
    database.fill(0..KEYS)?;
    let mut facts = Facts::default();
    let script = script(seed, ops);
    for (nth, away) in [false, true].into_iter().enumerate() {
        let mut failure = None;
        facts.crashes += at_every_point(|points| {
            if failure.is_some() {
                return;
            }
            let mut died = || -> Result<(), Failure> {
                database.set_away(false);
                database.reset()?;
                let mut life = Life::new(&database, away, on)?;
                let crash = life.live(&script, points, names, invariants).err();
                database.set_away(false);
                let (rows, writes, oldest) = life.lost()?;
                let place = crash.map_or("the end", |crash| crash.name);
                invariants.event(format!("{}: the process dies, {place}", ms(life.now)));
                invariants.check(names.loss, rows <= MAX_DIRTY as u64, || {
                    format!("{rows} rows lost, at most {MAX_DIRTY} may be")
                });
                facts.rows_lost[nth] = facts.rows_lost[nth].max(rows);
                facts.writes_lost[nth] = facts.writes_lost[nth].max(writes);
                if !away {
                    invariants.check(names.age, oldest <= MAX_DELAY, || {
                        format!("a write of {} ms ago is lost", oldest.as_millis())
                    });
                    facts.oldest = facts.oldest.max(oldest);
                }
                if crash.is_some() {
                    let mut next = Life::new(&database, away, on)?.after(&life)?;
                    let died = life.now;
                    drop(life);
                    let lived = next.live(&script, &mut CrashPoints::never(), names, invariants);
                    let waited = next.first.map(|first| first.since(died));
                    facts.taken_again = facts.taken_again.max(waited);
                    database.set_away(false);
                    return Ok(lived?);
                }
                facts.acknowledged += life.facts.acknowledged;
                facts.refused += life.facts.refused;
                facts.stored += life.facts.stored;
                facts.batches += life.facts.batches;
                facts.caught_up = facts.caught_up.max(life.facts.caught_up);
                Ok(())
            };
            failure = died().err();
        });
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    Ok(facts)
}

/// The crash and the store that is away, for block 4.
#[must_use]
pub fn faults(facts: &Facts) -> Vec<Fault> {
    let away = AWAY[1].since(AWAY[0]).as_millis() as u64;
    vec![
        Fault {
            kind: "write-behind: the process dies, at every point".to_owned(),
            at_ms: 0,
            recovered_ms: facts.taken_again.map(|span| span.as_millis() as u64),
            effect: format!(
                "{} deaths: at worst {} rows ({} writes) lost of {MAX_DIRTY} that may be; {} and {} with the store away. The next process takes the next write",
                facts.crashes,
                facts.rows_lost[0],
                facts.writes_lost[0],
                facts.rows_lost[1],
                facts.writes_lost[1],
            ),
        },
        Fault {
            kind: format!("write-behind: the store is away for {away} ms"),
            at_ms: AWAY[0].as_millis(),
            recovered_ms: facts.caught_up.map(|span| span.as_millis() as u64),
            effect: format!(
                "{} writes taken, {} refused when {MAX_DIRTY} rows waited; then all stored in {} batches",
                facts.acknowledged, facts.refused, facts.batches
            ),
        },
    ]
}
