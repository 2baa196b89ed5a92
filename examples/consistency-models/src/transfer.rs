//! Two accounts, two clients, one real SQLite file: what each way of asking lets through.
//!
//! Each client has a connection of its own, and the seed decides whose statement comes next: so every
//! interleaving is found by a seed, and found again. An auditor on a third connection looks after
//! every statement.

use kit::invariant::Invariant;
use kit::{Invariants, Safeguards, Seed, Stream};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::Path;

/// What must hold.
pub const SUM: &str = "transfers: the auditor always sees the same sum";
/// See [`SUM`].
pub const FUNDS: &str = "transfers: no account below zero";
/// See [`SUM`].
pub const HOUSEHOLD: &str = "transfers: a couple's two accounts are not below zero together";

/// How a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `BEGIN IMMEDIATE`: one writer at a time, from the first read on.
    Serializable,
    /// `BEGIN DEFERRED`: reads from a snapshot; who writes from an old one is turned back.
    Deferred,
    /// Each statement for itself: read, decide, write.
    Statements,
    /// One statement that reads, checks and writes.
    OneStatement,
}

impl Level {
    /// All, from the strictest.
    pub const ALL: [Self; 4] =
        [Self::Serializable, Self::Deferred, Self::OneStatement, Self::Statements];

    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serializable => "BEGIN IMMEDIATE",
            Self::Deferred => "BEGIN DEFERRED",
            Self::Statements => "read, then write",
            Self::OneStatement => "one UPDATE",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Transfers and withdrawals that went through.
    pub done: u64,
    /// Refused for want of funds.
    pub refused: u64,
    /// Statements that found the database locked, and waited.
    pub waited: u64,
    /// Transactions turned back, to begin again.
    pub aborted: u64,
    /// By how much the sum is wrong in the end: the lost updates.
    pub sum_off: i64,
    /// Withdrawals that the couple's funds did not cover: the write skews.
    pub skews: u64,
    /// Times that an account was seen below zero.
    pub negative: u64,
    /// Statements.
    pub statements: u64,
}

impl Facts {
    /// Adds another run's.
    pub fn add(&mut self, other: Self) {
        self.done += other.done;
        self.refused += other.refused;
        self.waited += other.waited;
        self.aborted += other.aborted;
        self.sum_off += other.sum_off.abs();
        self.skews += other.skews;
        self.negative += other.negative;
        self.statements += other.statements;
    }
}

/// In cents. Accounts 1 and 2 transfer; 3 and 4 are a couple's, and cover each other.
const OPENING: i64 = 10_000;
const STEPS: u8 = 6;

#[derive(Clone, Copy, Debug)]
enum Job {
    /// From, to, how much.
    Transfer(i64, i64, i64),
    /// From one of the couple's, if both together cover it.
    Withdraw(i64, i64),
    /// Into one of the couple's: the funds come back.
    Deposit(i64, i64),
}

struct Client {
    database: Connection,
    level: Level,
    check: bool,
    jobs: Vec<Job>,
    step: u8,
    read: (i64, i64),
}

enum Outcome {
    Went,
    Locked,
    TurnedBack,
}

fn schema(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    // Nothing here is about losing power.
    database.pragma_update(None, "synchronous", "OFF")?;
    database.busy_timeout(std::time::Duration::ZERO)?;
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL) STRICT",
    )?;
    Ok(database)
}

/// Runs `jobs` for each of two clients at `level`.
///
/// # Errors
/// What SQLite says, other than that it is locked.
pub fn run(
    seed: Seed,
    level: Level,
    jobs: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let names = [SUM, FUNDS, HOUSEHOLD].map(|name| invariants.declare(name));
    let folder =
        tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidPath("temporary".into()))?;
    let path = folder.path().join("accounts.sqlite");
    let auditor = schema(&path)?;
    for id in 1..=4 {
        auditor.execute("INSERT INTO accounts VALUES (?1, ?2)", params![id, OPENING])?;
    }
    let mut dice = seed.stream("transfers");
    let level = if on.on("serializable") { level } else { Level::Statements };
    let mut clients = Vec::new();
    for _ in 0..2 {
        let jobs = (0..jobs).map(|_| job(&mut dice)).collect();
        let (database, check) = (schema(&path)?, on.on("funds-check"));
        clients.push(Client { database, level, check, jobs, step: 0, read: (0, 0) });
    }
    let mut facts = Facts::default();
    let mut below = false;
    while clients.iter().any(|client| !client.jobs.is_empty()) {
        let who = dice.below(2) as usize;
        let client = &mut clients[who];
        let Some(&job) = client.jobs.last() else { continue };
        facts.statements += 1;
        let (step, refused) = (client.step, facts.refused);
        let went = client.next(job, &mut facts)?;
        let said = match went {
            Outcome::Went => "",
            Outcome::Locked => ": locked",
            Outcome::TurnedBack => ": turned back",
        };
        let refusal = if facts.refused > refused { ": refused" } else { "" };
        invariants.event(format!("client {who}, {job:?}, step {step}{said}{refusal}"));
        audit(&auditor, names, &mut below, &mut facts, invariants)?;
    }
    facts.sum_off = sum(&auditor, 1, 2)? - 2 * OPENING;
    Ok(facts)
}

fn job(dice: &mut Stream) -> Job {
    let amount = 1_000 + 500 * dice.below(15) as i64;
    let one = dice.below(2) as i64;
    match dice.below(6) {
        0 | 1 => Job::Transfer(1 + one, 2 - one, amount),
        2..5 => Job::Withdraw(3 + one, 2 * amount),
        _ => Job::Deposit(3 + one, 5 * amount),
    }
}

fn sum(database: &Connection, a: i64, b: i64) -> rusqlite::Result<i64> {
    let sum = "SELECT sum(balance) FROM accounts WHERE id IN (?1, ?2)";
    database.prepare_cached(sum)?.query_row(params![a, b], |row| row.get(0))
}

fn audit(
    auditor: &Connection,
    [same, funds, household]: [Invariant; 3],
    below: &mut bool,
    facts: &mut Facts,
    invariants: &mut Invariants,
) -> rusqlite::Result<()> {
    let total = sum(auditor, 1, 2)?;
    invariants.check(same, total == 2 * OPENING, || format!("the sum is {total} cents"));
    let least = "SELECT min(balance) FROM accounts WHERE id < 3";
    let least: i64 = auditor.prepare_cached(least)?.query_row([], |row| row.get(0))?;
    facts.negative += u64::from(least < 0);
    invariants.check(funds, least >= 0, || format!("an account is at {least} cents"));
    let couple = sum(auditor, 3, 4)?;
    invariants.check(household, couple >= 0, || format!("the couple is at {couple} cents"));
    facts.skews += u64::from(couple < 0 && !*below);
    *below = couple < 0;
    Ok(())
}

impl Client {
    /// The next statement of the job; the job is done after the last.
    fn next(&mut self, job: Job, facts: &mut Facts) -> rusqlite::Result<Outcome> {
        match self.statement(job) {
            Ok(enough) => {
                self.step += 1;
                if !enough || self.step == STEPS {
                    if !enough && self.level != Level::OneStatement {
                        self.rollback()?;
                    }
                    (self.step, facts.done, facts.refused) =
                        (0, facts.done + u64::from(enough), facts.refused + u64::from(!enough));
                    self.jobs.pop();
                }
                Ok(Outcome::Went)
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                if self.level == Level::Deferred && self.step > 0 {
                    // It holds an old snapshot: waiting would not help.
                    self.rollback()?;
                    self.step = 0;
                    facts.aborted += 1;
                    return Ok(Outcome::TurnedBack);
                }
                facts.waited += 1;
                Ok(Outcome::Locked)
            }
            Err(error) => Err(error),
        }
    }

    fn rollback(&self) -> rusqlite::Result<()> {
        if self.database.is_autocommit() { Ok(()) } else { self.database.execute_batch("ROLLBACK") }
    }

    /// Executes step `self.step`; `false` when there are no funds.
    fn statement(&mut self, job: Job) -> rusqlite::Result<bool> {
        if self.level == Level::OneStatement {
            self.step = STEPS - 1;
            return self.at_once(job);
        }
        let begin = match self.level {
            Level::Serializable => "BEGIN IMMEDIATE",
            Level::Deferred => "BEGIN DEFERRED",
            Level::Statements | Level::OneStatement => "",
        };
        // Whom it reads second: the one it pays, or the other one of the couple.
        let (from, other, amount) = match job {
            Job::Transfer(from, to, amount) => (from, to, amount),
            Job::Withdraw(from, amount) => (from, 7 - from, amount),
            Job::Deposit(to, amount) => (to, 7 - to, -amount),
        };
        match self.step {
            0 => self.database.execute_batch(begin)?,
            1 => self.read.0 = self.balance(from)?,
            2 => {
                self.read.1 = self.balance(other)?;
                let funds = match job {
                    Job::Transfer(..) => self.read.0,
                    Job::Withdraw(..) | Job::Deposit(..) => self.read.0 + self.read.1,
                };
                // The text has no such line.
                if self.check && funds < amount {
                    return Ok(false);
                }
            }
            3 => self.set(from, self.read.0 - amount)?,
            4 if matches!(job, Job::Transfer(..)) => self.set(other, self.read.1 + amount)?,
            4 => {}
            _ if self.database.is_autocommit() => {}
            _ => self.database.execute_batch("COMMIT")?,
        }
        Ok(true)
    }

    fn balance(&self, id: i64) -> rusqlite::Result<i64> {
        let query = "SELECT balance FROM accounts WHERE id = ?1";
        let found = self.database.prepare_cached(query)?.query_row([id], |row| row.get(0));
        found.optional().map(Option::unwrap_or_default)
    }

    fn set(&self, id: i64, balance: i64) -> rusqlite::Result<()> {
        let update = "UPDATE accounts SET balance = ?2 WHERE id = ?1";
        self.database.prepare_cached(update)?.execute(params![id, balance]).map(drop)
    }

    /// Check and change in one statement, which SQLite runs alone.
    fn at_once(&self, job: Job) -> rusqlite::Result<bool> {
        let (from, to, amount, funds) = match job {
            Job::Transfer(from, to, amount) => (from, to, amount, from),
            Job::Withdraw(from, amount) => (from, 0, amount, 7 - from),
            Job::Deposit(to, amount) => (to, 0, -amount, 7 - to),
        };
        let update = "UPDATE accounts
             SET balance = balance + CASE id WHEN ?1 THEN -?3 ELSE ?3 END
             WHERE id IN (?1, ?2)
               AND (SELECT sum(balance) FROM accounts WHERE id IN (?1, ?4)) >= ?5";
        let needed = if self.check { amount } else { i64::MIN };
        let mut update = self.database.prepare_cached(update)?;
        Ok(update.execute(params![from, to, amount, funds, needed])? > 0)
    }
}
