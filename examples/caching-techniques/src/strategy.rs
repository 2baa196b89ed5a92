//! One strategy by one policy before the store, asked in virtual time.

use crate::Fixed;
use crate::store::{Asked, Database, Row};
use crate::trace::Workload;
use archstone_cache::around::{CacheAside, Limits, Lives, Store, Through, WriteBehind};
use archstone_cache::load::Loading;
use archstone_cache::policy::{self, Policy};
use archstone_cache::sim::{Kind, Outcome, Trace, TraceError, optimum};
use archstone_cache::{Builder, Manual, Stats};
use kit::{Failure, Invariants, Latencies, Time};
use std::sync::Arc;
use std::time::Duration;

/// What must hold of every cell.
pub const CAPACITY: &str = "no cache ever holds more than its capacity";
/// See [`CAPACITY`].
pub const BOUND: &str = "no policy hits more often than Belady's bound";
/// See [`CAPACITY`].
pub const FRESH: &str = "aside, write-through and write-behind never read what a write replaced";
/// See [`CAPACITY`].
pub const AGE: &str = "read-through: nothing is read past its lifetime";

/// Lifetime of every entry: the text's hour.
pub const LIFETIME: Duration = Duration::from_secs(3_600);
/// Requests a second: the trace's 76,118 requests then take two hours, two lifetimes.
pub const RATE: f64 = 10.0;
/// Rows that write-behind may hold unstored.
pub const MAX_DIRTY: usize = 64;
/// How long it may.
pub const MAX_DELAY: Duration = Duration::from_secs(10);

/// What a look into the cache, a read and a write of the store take: an assumption, for latencies in
/// virtual time (a remote cache and a database in one data centre).
pub const COST: [Duration; 3] =
    [Duration::from_micros(500), Duration::from_millis(5), Duration::from_millis(8)];

/// Who asks the store, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The caller asks the store and fills the cache; a write removes the entry.
    Aside,
    /// The cache asks the store; writes go past it, so what it holds may be old.
    ReadThrough,
    /// The cache asks the store and writes to it, store first.
    WriteThrough,
    /// The cache takes writes and stores them later.
    WriteBehind,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Aside, Self::ReadThrough, Self::WriteThrough, Self::WriteBehind];

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aside => "cache-aside",
            Self::ReadThrough => "read-through",
            Self::WriteThrough => "write-through",
            Self::WriteBehind => "write-behind",
        }
    }

    /// The most reads that any policy can answer from a cache of `capacity` (Belady 1966). The trace
    /// is that of the versions: a write makes a new one, which a strategy that keeps what it writes
    /// has at once, and the old one is never asked for again. Read-through serves any version.
    ///
    /// # Errors
    /// When there are more versions than can be numbered.
    pub fn bound(self, load: &Workload, capacity: usize) -> Result<Outcome, TraceError> {
        let mut versions = vec![0_u64; load.distinct];
        let mut asked = Vec::with_capacity(load.requests.len());
        for &(key, write) in &load.requests {
            let version = &mut versions[key as usize];
            match (self, write) {
                (Self::ReadThrough, true) => continue,
                (Self::Aside, true) => {
                    *version += 1;
                    continue;
                }
                (_, true) => *version += 1,
                (_, false) => {}
            }
            asked.push(u64::from(key) | *version << 32);
        }
        Ok(optimum(&Trace::from_keys(asked)?, capacity as u64))
    }
}

/// Which entries leave: a policy, or none but their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// By a policy of the crate.
    By(Kind),
    /// By their lifetime alone: the cache is as large as it gets.
    Expired,
}

impl Leaves {
    /// Every policy, and the lifetime alone.
    pub fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.iter().map(|&kind| Self::By(kind)).chain([Self::Expired])
    }

    /// What it is called in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::By(kind) => kind.name(),
            Self::Expired => "TTL alone",
        }
    }
}

/// What one strategy by one policy did.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The strategy.
    pub strategy: Strategy,
    /// The policy.
    pub leaves: Leaves,
    /// Reads, and those answered without the store.
    pub reads: u64,
    /// See [`Cell::reads`].
    pub hits: u64,
    /// What the store was asked.
    pub asked: Asked,
    /// Reads of a version that had been replaced.
    pub stale: u64,
    /// How long ago, at most.
    pub stalest: Duration,
    /// The most acknowledged rows that a crash would have lost at any instant.
    pub at_risk: usize,
    /// Rows that were lost by the crash at the end.
    pub lost: u64,
    /// Writes refused because too many were unstored.
    pub refused: u64,
    /// What the cache counted.
    pub stats: Stats,
    /// The most entries it held.
    pub most: usize,
    /// Latencies by operation.
    pub latency: Latencies,
}

impl Cell {
    /// Reads answered without the store.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        self.hits as f64 / self.reads.max(1) as f64
    }
}

enum Service<P: Policy> {
    Aside(CacheAside<u32, Option<Row>, P, Fixed>),
    Through(Through<u32, Row, Arc<Database>, P, Fixed>),
    Behind(WriteBehind<u32, Row, Arc<Database>, P, Fixed>),
}

/// What is asked of a cell.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The requests.
    pub load: &'a Workload,
    /// Entries.
    pub capacity: usize,
    /// Whether entries have a lifetime.
    pub lifetime: Option<Duration>,
}

/// Plays `setup` through one strategy and one policy.
///
/// # Errors
/// What SQLite says.
pub fn play(
    strategy: Strategy,
    leaves: Leaves,
    setup: Setup<'_>,
    database: &Arc<Database>,
    invariants: &mut Invariants,
) -> Result<Cell, Failure> {
    let go = Go { strategy, leaves, setup, database };
    match leaves {
        Leaves::By(Kind::S3Fifo) => go.play::<policy::S3Fifo>(invariants),
        Leaves::By(Kind::Sieve) => go.play::<policy::Sieve>(invariants),
        Leaves::By(Kind::Clock) => go.play::<policy::Clock>(invariants),
        Leaves::By(Kind::Lru) | Leaves::Expired => go.play::<policy::Lru>(invariants),
        Leaves::By(Kind::Lfu) => go.play::<policy::Lfu>(invariants),
        Leaves::By(Kind::Fifo) => go.play::<policy::Fifo>(invariants),
        Leaves::By(Kind::TwoQueue) => go.play::<policy::TwoQueue>(invariants),
        Leaves::By(Kind::Arc) => go.play::<policy::Arc>(invariants),
        Leaves::By(Kind::Lirs) => go.play::<policy::Lirs>(invariants),
        Leaves::By(Kind::WTinyLfu) => go.play::<policy::WTinyLfu>(invariants),
        Leaves::By(_) => go.play::<policy::Adaptive>(invariants),
    }
}

struct Go<'a> {
    strategy: Strategy,
    leaves: Leaves,
    setup: Setup<'a>,
    database: &'a Arc<Database>,
}

impl Go<'_> {
    fn service<P: Policy>(
        &self,
        clock: &Arc<Manual>,
        capacity: usize,
    ) -> Result<Service<P>, Failure> {
        let builder = Builder::<u32, Option<Row>>::new(capacity)
            .policy::<P>()
            .hasher(Fixed)
            .clock(Arc::clone(clock))
            .shards(1)
            .stats();
        let timed = |builder: Builder<u32, Option<Row>, P, Fixed>| match self.setup.lifetime {
            Some(lifetime) => builder.time_to_live(lifetime),
            None => builder,
        };
        let lives = Lives { present: self.setup.lifetime, absent: self.setup.lifetime };
        let store = Arc::clone(self.database);
        Ok(match self.strategy {
            Strategy::Aside => Service::Aside(CacheAside::new(timed(builder).build_sync()?)),
            Strategy::ReadThrough | Strategy::WriteThrough => {
                Service::Through(Through::new(builder, lives, store)?)
            }
            Strategy::WriteBehind => {
                let limits = Limits::new(MAX_DIRTY).max_delay(MAX_DELAY).batch(32);
                let limits = limits.clock(Arc::clone(clock));
                let cache = timed(builder).build_sync()?;
                Service::Behind(WriteBehind::new(cache, store, limits))
            }
        })
    }

    fn play<P: Policy>(&self, invariants: &mut Invariants) -> Result<Cell, Failure> {
        let [capacity_held, fresh, age] =
            [CAPACITY, FRESH, AGE].map(|name| invariants.declare(name));
        let (load, database) = (self.setup.load, self.database);
        let capacity = match self.leaves {
            Leaves::By(_) => self.setup.capacity,
            Leaves::Expired => load.distinct,
        };
        database.reset()?;
        let clock = Arc::new(Manual::default());
        let service = self.service::<P>(&clock, capacity)?;
        // The version that was acknowledged last, and when; every row begins at 1.
        let mut acknowledged = vec![(1_u64, Time::ZERO); load.distinct];
        let mut cell = Cell {
            strategy: self.strategy,
            leaves: self.leaves,
            reads: 0,
            hits: 0,
            asked: Asked::default(),
            stale: 0,
            stalest: Duration::ZERO,
            at_risk: 0,
            lost: 0,
            refused: 0,
            stats: Stats::default(),
            most: 0,
            latency: Latencies::default(),
        };
        let (mut slow_reads, mut held) = (0, 0);
        for (&(key, write), &now) in load.requests.iter().zip(&load.at) {
            clock.set(now);
            if let Service::Behind(behind) = &service {
                // Stored when it was due, and what else waits with it; no request waits for that.
                while behind.next_due().is_some_and(|due| due <= now) {
                    behind.flush().map_err(|unflushed| unflushed.to_string())?;
                }
            }
            let known = &mut acknowledged[key as usize];
            if write {
                let row = Row { version: known.0 + 1, price: now.as_nanos() as i64 };
                if service.write(key, row, self.strategy, database)? {
                    *known = (row.version, now);
                } else {
                    cell.refused += 1;
                }
                if let Service::Behind(behind) = &service {
                    cell.at_risk = cell.at_risk.max(behind.dirty());
                }
            } else {
                let before = database.asked().loads;
                let row = service.read(key, database)?.unwrap_or_default();
                let hit = database.asked().loads == before;
                cell.reads += 1;
                cell.hits += u64::from(hit);
                slow_reads += u64::from(!hit);
                let stale = row.version < known.0;
                if stale {
                    cell.stale += 1;
                    cell.stalest = cell.stalest.max(now.since(known.1));
                }
                if self.strategy == Strategy::ReadThrough {
                    let holds = !stale || now.since(known.1) <= LIFETIME;
                    invariants.check(age, holds, || {
                        format!("key {key}: a version replaced {:?} ago", now.since(known.1))
                    });
                } else {
                    invariants.check(fresh, !stale, || {
                        let name = self.strategy.name();
                        format!("{name}: key {key} read {}, acknowledged {}", row.version, known.0)
                    });
                }
            }
            let len = service.cache_len();
            cell.most = cell.most.max(len);
            held += u64::from(len <= capacity);
        }
        let requests = load.requests.len() as u64;
        invariants.held(capacity_held, held.saturating_sub(1));
        invariants.check(capacity_held, held == requests, || {
            format!("{} of {capacity} entries in {}", cell.most, self.leaves.name())
        });
        cell.stats = service.stats();
        // The process dies: what it had not stored is gone.
        drop(service);
        for (key, known) in acknowledged.iter().enumerate().filter(|(_, known)| known.0 > 1) {
            let stored = database.look(key as u32)?.map_or(0, |row| row.version);
            cell.lost += u64::from(stored < known.0);
        }
        cell.asked = database.asked();
        cell.time(slow_reads, requests - cell.reads);
        Ok(cell)
    }
}

impl Cell {
    /// Latencies by the costs assumed.
    fn time(&mut self, slow_reads: u64, writes: u64) {
        let [cache, read, write] = COST;
        let name = self.strategy.name();
        let reading = format!("{name}: read");
        self.latency.record_n(&reading, cache, self.reads - slow_reads);
        self.latency.record_n(&reading, cache + read + cache, slow_reads);
        let span = match self.strategy {
            Strategy::Aside | Strategy::WriteThrough => write + cache,
            Strategy::ReadThrough => write,
            Strategy::WriteBehind => cache,
        };
        self.latency.record_n(&format!("{name}: write"), span, writes);
    }
}

impl<P: Policy> Service<P> {
    fn read(&self, key: u32, database: &Arc<Database>) -> Result<Option<Row>, Failure> {
        Ok(match self {
            Self::Aside(aside) => aside.get(key, |key| database.load(key))?,
            Self::Through(through) => through.get(&key)?,
            Self::Behind(behind) => behind.get(&key)?,
        })
    }

    /// `false` when it was refused because too many writes are unstored.
    fn write(
        &self,
        key: u32,
        row: Row,
        strategy: Strategy,
        database: &Arc<Database>,
    ) -> Result<bool, Failure> {
        match self {
            Self::Aside(aside) => aside.change(key, || database.store(&key, row)).map(drop)?,
            Self::Through(_) if strategy == Strategy::ReadThrough => {
                database.store(&key, row).map(drop)?;
            }
            Self::Through(through) => through.put(key, row).map(drop)?,
            Self::Behind(behind) => return Ok(behind.put(key, row).is_ok()),
        }
        Ok(true)
    }

    fn loading(&self) -> &Loading<u32, Option<Row>, P, Fixed> {
        match self {
            Self::Aside(aside) => aside.loading(),
            Self::Through(through) => through.loading(),
            Self::Behind(behind) => behind.loading(),
        }
    }

    fn cache_len(&self) -> usize {
        self.loading().cache().len()
    }

    fn stats(&self) -> Stats {
        self.loading().cache().stats()
    }
}
