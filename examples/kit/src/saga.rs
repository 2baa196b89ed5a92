//! Drives sagas (feature `saga`): the machine is `archstone-lock`'s, the log a table of SQLite, the
//! time the caller's.
//!
//! Each saga has a row before its first command is obeyed, and each report is appended before the
//! next. So a driver that is dropped at any point ([`CrashPoints`]) leaves what [`Driver::recover`]
//! needs: a step whose report is missing is queried, an undo is repeated.
//!
//! ```
//! use kit::Time;
//! use kit::saga::{Command, Driver, Next, Outcome, Steps};
//! use kit::sim::CrashPoints;
//!
//! let steps = Steps::new(["hold", "charge", "confirm"], None)?;
//! let db = rusqlite::Connection::open_in_memory()?;
//! let mut driver = Driver::recover(&steps, &db)?; // none are open yet
//! driver.begin(&db, 7)?;
//! let mut obey = |_id, command| match command {
//!     Command::Do("charge") => Outcome::Failed,
//!     _ => Outcome::Done,
//! };
//! let mut now = Time::ZERO;
//! while let Next::At(at) = driver.step(&db, 7, now, &mut CrashPoints::never(), &mut obey)? {
//!     now = at;
//! }
//! assert_eq!(driver.ended(&db, 7)?, Some(kit::saga::End::Compensated));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::sim::{CrashPoints, Crashed};
use archstone_core::Time;
use archstone_lock::protocol::saga::{BadSteps, NotAsked, Report, Run, Saga};
pub use archstone_lock::protocol::saga::{Command, Outcome};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The tables. A saga is one row; its log is what was reported, in order.
pub const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS saga (
  id INTEGER PRIMARY KEY, ended TEXT CHECK (ended IN ('committed', 'compensated'))) STRICT;
CREATE TABLE IF NOT EXISTS saga_log (
  saga INTEGER NOT NULL, nth INTEGER NOT NULL, verb TEXT NOT NULL, step TEXT NOT NULL,
  outcome TEXT NOT NULL, PRIMARY KEY (saga, nth)) STRICT, WITHOUT ROWID";

/// The first wait after a command whose outcome is not known, doubled each time.
const WAIT: Duration = Duration::from_secs(1);
/// The longest such wait.
const LONGEST: Duration = Duration::from_secs(64);

/// The steps of every saga of one kind, in their order.
#[derive(Clone, Debug)]
pub struct Steps {
    names: Vec<&'static str>,
    saga: Saga<&'static str>,
}

impl Steps {
    /// The steps; after `pivot` is done nothing is undone any more.
    ///
    /// # Errors
    /// [`BadSteps`]: none, one twice, no such pivot.
    pub fn new(
        names: impl Into<Vec<&'static str>>,
        pivot: Option<&'static str>,
    ) -> Result<Self, BadSteps> {
        let names = names.into();
        let saga = Saga::new(names.clone())?;
        let saga = match pivot {
            Some(step) => saga.with_pivot(&step)?,
            None => saga,
        };
        Ok(Self { names, saga })
    }

    fn step(&self, name: &str) -> Result<&'static str, SagaError> {
        let found = self.names.iter().find(|step| **step == name);
        found.copied().ok_or_else(|| SagaError::Log(format!("a step {name:?}")))
    }
}

/// When a saga is to be stepped again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At this time: now, or later after an outcome that is not known.
    At(Time),
    /// It is over.
    Over(End),
}

/// How a saga ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All steps are done.
    Committed,
    /// All that may have happened is undone.
    Compensated,
}

impl End {
    const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Compensated => "compensated",
        }
    }
}

/// Why a step was not made.
#[derive(Debug)]
#[non_exhaustive]
pub enum SagaError {
    /// The process died here: drop the driver, and recover.
    Crashed(Crashed),
    /// No such saga is open.
    NotOpen(u64),
    /// The log holds what no saga of these steps writes.
    Log(String),
    /// What SQLite says.
    Store(rusqlite::Error),
}

impl fmt::Display for SagaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed(crashed) => crashed.fmt(f),
            Self::NotOpen(id) => write!(f, "no open saga {id}"),
            Self::Log(what) => write!(f, "the log holds {what}, which no such saga writes"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl Error for SagaError {}

impl From<Crashed> for SagaError {
    fn from(crashed: Crashed) -> Self {
        Self::Crashed(crashed)
    }
}

impl From<rusqlite::Error> for SagaError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl From<NotAsked> for SagaError {
    fn from(_: NotAsked) -> Self {
        Self::Log("a report on what was not asked for".to_owned())
    }
}

/// The sagas under way. What it holds is in the store too: drop it and recover at any time.
#[derive(Debug)]
pub struct Driver<'a> {
    steps: &'a Steps,
    open: BTreeMap<u64, (Run<'a, &'static str>, u64)>,
}

impl<'a> Driver<'a> {
    /// Every saga of the store that has not ended, as its log left it. Makes the tables.
    ///
    /// # Errors
    /// [`SagaError::Log`] when the log is not of these steps; what SQLite says.
    pub fn recover(steps: &'a Steps, db: &Connection) -> Result<Self, SagaError> {
        db.execute_batch(SCHEMA)?;
        let mut driver = Self { steps, open: BTreeMap::new() };
        let mut ids = db.prepare("SELECT id FROM saga WHERE ended IS NULL ORDER BY id")?;
        let ids: Vec<u64> = ids.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in ids {
            let log = driver.log(db, id)?;
            let written = log.len() as u64;
            driver.open.insert(id, (steps.saga.recover(log)?, written));
        }
        Ok(driver)
    }

    fn log(&self, db: &Connection, id: u64) -> Result<Vec<Report<&'static str>>, SagaError> {
        let select = "SELECT verb, step, outcome FROM saga_log WHERE saga = ?1 ORDER BY nth";
        let mut select = db.prepare_cached(select)?;
        let text = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows: Vec<(String, String, String)> =
            select.query_map([id], text)?.collect::<Result<_, _>>()?;
        let report = |(verb, step, outcome): &(String, String, String)| {
            let step = self.steps.step(step)?;
            let command = match verb.as_str() {
                "do" => Command::Do(step),
                "query" => Command::Query(step),
                "undo" => Command::Undo(step),
                other => return Err(SagaError::Log(format!("the verb {other:?}"))),
            };
            let outcome = match outcome.as_str() {
                "done" => Outcome::Done,
                "failed" => Outcome::Failed,
                "unknown" => Outcome::Unknown,
                other => return Err(SagaError::Log(format!("the outcome {other:?}"))),
            };
            Ok(Report { command, outcome })
        };
        rows.iter().map(report).collect()
    }

    /// A new saga: its row is written before anything is done. Call it in the transaction that
    /// writes the saga's input.
    ///
    /// # Errors
    /// What SQLite says: the id is taken.
    pub fn begin(&mut self, db: &Connection, id: u64) -> Result<(), SagaError> {
        db.prepare_cached("INSERT INTO saga (id) VALUES (?1)")?.execute([id])?;
        self.open.insert(id, (self.steps.saga.start(), 0));
        Ok(())
    }

    /// The sagas under way.
    pub fn open(&self) -> impl Iterator<Item = u64> + '_ {
        self.open.keys().copied()
    }

    /// What `id` is about to be told, while it is open.
    #[must_use]
    pub fn command(&self, id: u64) -> Option<Command<&'static str>> {
        self.open.get(&id).map(|(run, _)| run.command())
    }

    /// How `id` ended, if it has.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn ended(&self, db: &Connection, id: u64) -> Result<Option<End>, SagaError> {
        let select = "SELECT ended FROM saga WHERE id = ?1";
        let ended =
            db.prepare_cached(select)?.query_row([id], |row| row.get::<_, Option<String>>(0));
        Ok(match ended.optional()?.flatten().as_deref() {
            Some("committed") => Some(End::Committed),
            Some(_) => Some(End::Compensated),
            None => None,
        })
    }

    /// Obeys one command of `id` through `obey`, appends what came of it, and says when to come
    /// again. Three crash points a command: before it, after it and before its report, after its
    /// report.
    ///
    /// # Errors
    /// [`SagaError`]. After any but `NotOpen` drop the driver and recover.
    pub fn step(
        &mut self,
        db: &Connection,
        id: u64,
        now: Time,
        points: &mut CrashPoints,
        obey: &mut impl FnMut(u64, Command<&'static str>) -> Outcome,
    ) -> Result<Next, SagaError> {
        let (run, written) = self.open.get_mut(&id).ok_or(SagaError::NotOpen(id))?;
        let command = run.command();
        points.pass("before the command")?;
        let outcome = obey(id, command);
        points.pass("after the command, before its report")?;
        let report = run.report(command, outcome)?;
        append(db, id, *written, report)?;
        *written += 1;
        let end = match run.command() {
            Command::Committed => End::Committed,
            Command::Compensated => End::Compensated,
            _ => {
                points.pass("after the report")?;
                return Ok(Next::At(now + wait(outcome, run.attempt())));
            }
        };
        let update = "UPDATE saga SET ended = ?2 WHERE id = ?1";
        db.prepare_cached(update)?.execute(params![id, end.name()])?;
        self.open.remove(&id);
        points.pass("after the end")?;
        Ok(Next::Over(end))
    }
}

/// Whoever does not know waits before asking again; what is done or failed goes on at once.
fn wait(outcome: Outcome, attempt: u32) -> Duration {
    if outcome == Outcome::Done || (outcome == Outcome::Failed && attempt <= 1) {
        return Duration::ZERO;
    }
    let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    WAIT.saturating_mul(factor).min(LONGEST)
}

fn append(
    db: &Connection,
    id: u64,
    nth: u64,
    report: Report<&'static str>,
) -> Result<(), SagaError> {
    let (verb, step) = match report.command {
        Command::Do(step) => ("do", step),
        Command::Query(step) => ("query", step),
        Command::Undo(step) => ("undo", step),
        Command::Committed | Command::Compensated => return Err(NotAsked.into()),
    };
    let outcome = match report.outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Unknown => "unknown",
    };
    let insert = "INSERT INTO saga_log VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(insert)?.execute(params![id, nth, verb, step, outcome])?;
    Ok(())
}
