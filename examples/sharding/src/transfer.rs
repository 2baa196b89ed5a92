//! Money from a row on one shard to a row on another: a saga, whatever dies in between.
//!
//! There is no transaction over two databases, so each step is one of its own shard's, with the saga's
//! number beside it: done once however often it is asked for, undone for good once it is undone. The
//! coordinator keeps its reports in a database of its own before it obeys the next command.

use crate::database::{Database, Folder};
use archstone_lock::protocol::saga::{Command, Outcome, Report, Saga};
use kit::invariant::Invariant;
use kit::sim::{CrashPoints, Crashed, at_every_point};
use kit::{Fault, Invariants, Safeguards, Seed, Stream};
use rusqlite::{OptionalExtension, params};

/// What must hold.
pub const CONSERVED: &str = "transfers: the money on all shards and under way is what it was";
/// See [`CONSERVED`].
pub const WHOLE: &str = "transfers: a saga that is over has moved all of it or nothing";

/// Shards.
pub const SHARDS: usize = 4;
const ACCOUNTS: i64 = 40;
/// In cents.
const OPENING: i64 = 10_000;
/// Every tenth account is closed: nothing can be paid in.
const CLOSED: i64 = 10;
/// Milliseconds until a dead coordinator is started again.
const RESTART: u64 = 500;

const SHARD: &str = "
    CREATE TABLE accounts (
        id      INTEGER PRIMARY KEY,
        balance INTEGER NOT NULL CHECK (balance >= 0),
        open    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE steps (
        saga INTEGER NOT NULL,
        step INTEGER NOT NULL,
        done INTEGER NOT NULL, -- 0: it is undone, or must never be done
        PRIMARY KEY (saga, step)
    ) STRICT, WITHOUT ROWID;
";
const COORDINATOR: &str = "
    CREATE TABLE reports (
        nth     INTEGER PRIMARY KEY,
        saga    INTEGER NOT NULL,
        command INTEGER NOT NULL,
        step    INTEGER NOT NULL,
        outcome INTEGER NOT NULL
    ) STRICT;
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Debit,
    Credit,
}

/// What is to be moved.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    saga: i64,
    from: i64,
    to: i64,
    amount: i64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Transfers that went through.
    pub committed: u64,
    /// Transfers that were undone.
    pub compensated: u64,
    /// Crashes of the coordinator.
    pub crashes: u64,
    /// Places of one transfer at which it died.
    pub points: u64,
    /// Steps whose answer was lost.
    pub unknown: u64,
    /// Requests that came when their saga was over, and did nothing.
    pub late: u64,
    /// The most that was under way, in cents, when the coordinator died.
    pub under_way: i64,
    /// Commands obeyed.
    pub commands: u64,
    /// Statements that SQLite ran.
    pub statements: u64,
    /// A coordinator that dies between debit and credit.
    pub fault: Option<Fault>,
}

struct Bank<'a> {
    shards: Vec<Database>,
    log: Database,
    compensates: bool,
    once: bool,
    draw: Stream,
    /// Share of the steps whose answer is lost.
    silent: f64,
    delayed: Vec<(Transfer, Step)>,
    facts: Facts,
    names: [Invariant; 2],
    invariants: &'a mut Invariants,
}

enum Stop {
    Crash(Crashed),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Crashed> for Stop {
    fn from(crash: Crashed) -> Self {
        Self::Crash(crash)
    }
}

/// One transfer that succeeds and one that is refused, each with a crash at every point; then `jobs`
/// at random.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    jobs: u64,
    on: &Safeguards,
    invariants: &mut Invariants,
) -> rusqlite::Result<Facts> {
    let names = [CONSERVED, WHOLE].map(|name| invariants.declare(name));
    let folder = Folder::new()?;
    let open = |shard| folder.database(&format!("bank-{shard}"), SHARD);
    let mut bank = Bank {
        shards: (0..SHARDS).map(open).collect::<Result<_, _>>()?,
        log: folder.database("coordinator", COORDINATOR)?,
        compensates: on.on("saga-compensation"),
        once: on.on("once-only"),
        draw: seed.stream("transfers"),
        silent: 0.0,
        delayed: Vec::new(),
        facts: Facts::default(),
        names,
        invariants,
    };
    for id in 0..ACCOUNTS {
        let open = id % CLOSED != CLOSED - 1;
        let sql = bank.shards[shard_of(id)].sql();
        sql.execute("INSERT INTO accounts VALUES (?1, ?2, ?3)", params![id, OPENING, open])?;
    }
    let (mut saga, mut failed) = (0, None);
    for (from, to) in [(0, 1), (2, 9)] {
        bank.facts.points += at_every_point(|points| {
            saga += 1;
            let transfer = Transfer { saga, from, to, amount: 300 };
            if let Err(error) = bank.finish(transfer, points) {
                failed = Some(error);
            }
        });
    }
    if let Some(error) = failed {
        return Err(error);
    }
    bank.silent = 0.1;
    for _ in 0..jobs {
        saga += 1;
        let from = bank.draw.below(ACCOUNTS as u64) as i64;
        let to = (from + 1 + bank.draw.below(ACCOUNTS as u64 - 1) as i64) % ACCOUNTS;
        let amount = 100 + bank.draw.below(6_000) as i64;
        let crash = bank.draw.below(30);
        let transfer = Transfer { saga, from, to, amount };
        bank.finish(transfer, &mut CrashPoints::at(crash))?;
    }
    // What the network held back arrives when all is over.
    for (transfer, step) in std::mem::take(&mut bank.delayed) {
        bank.invariants.event(format!("{step:?} of transfer {} comes late", transfer.saga));
        bank.attempt(transfer, step)?;
        bank.facts.late += 1;
        bank.audit(None)?;
    }
    Ok(bank.facts)
}

const fn shard_of(account: i64) -> usize {
    account as usize % SHARDS
}

impl Transfer {
    const fn place(self, step: Step) -> (i64, i64) {
        match step {
            Step::Debit => (self.from, -self.amount),
            Step::Credit => (self.to, self.amount),
        }
    }
}

impl Bank<'_> {
    /// Runs a transfer; a coordinator that dies is started again and reads its log.
    fn finish(&mut self, transfer: Transfer, points: &mut CrashPoints) -> rusqlite::Result<()> {
        self.invariants.event(format!("{transfer:?}"));
        loop {
            match self.coordinate(transfer, points) {
                Ok(()) => break,
                Err(Stop::Sql(error)) => return Err(error),
                Err(Stop::Crash(crash)) => {
                    self.invariants.event(format!("transfer {}: {crash}", transfer.saga));
                    self.facts.crashes += 1;
                    let open = self.audit(Some(transfer))?;
                    self.facts.under_way = self.facts.under_way.max(open);
                    // The worst moment: the money has left one shard and reached none.
                    if open > 0 && self.facts.fault.is_none() {
                        self.facts.fault = Some(Fault {
                            kind: "transfer: the coordinator dies after the debit".to_owned(),
                            at_ms: self.facts.commands,
                            recovered_ms: None,
                            effect: format!("{open} cents under way; its log is read again"),
                        });
                    }
                }
            }
        }
        // A command takes a millisecond, a restart RESTART.
        let commands = self.facts.commands;
        if let Some(fault) = self.facts.fault.as_mut().filter(|f| f.recovered_ms.is_none()) {
            fault.recovered_ms = Some(RESTART + commands - fault.at_ms);
        }
        self.audit(None)?;
        self.whole(transfer)
    }

    fn coordinate(&mut self, transfer: Transfer, points: &mut CrashPoints) -> Result<(), Stop> {
        let saga = Saga::new([Step::Debit, Step::Credit]).expect("two steps");
        let log = self.reports(transfer.saga)?;
        let mut run = match log.is_empty() {
            true if points.passed() == 0 => saga.start(),
            _ => saga.recover(log).expect("its own log"),
        };
        while !run.is_over() {
            let command = run.command();
            points.pass("before a command is obeyed")?;
            let outcome = self.obey(transfer, command)?;
            points.pass("after it, before the report is kept")?;
            let report = run.report(command, outcome).expect("it was asked");
            self.keep(transfer.saga, report)?;
            points.pass("after the report is kept")?;
            let said = format!("transfer {}: {command:?} is {outcome:?}", transfer.saga);
            self.invariants.event(said);
        }
        let committed = run.command() == Command::Committed;
        self.facts.committed += u64::from(committed);
        self.facts.compensated += u64::from(!committed);
        Ok(())
    }

    fn obey(&mut self, transfer: Transfer, command: Command<Step>) -> rusqlite::Result<Outcome> {
        self.facts.commands += 1;
        match command {
            Command::Do(step) => {
                if !self.draw.chance(self.silent) {
                    return self.attempt(transfer, step);
                }
                self.facts.unknown += 1;
                // It got there and the answer did not, or it is still on its way.
                if self.draw.chance(0.5) {
                    self.attempt(transfer, step)?;
                } else {
                    self.delayed.push((transfer, step));
                }
                Ok(Outcome::Unknown)
            }
            Command::Query(step) => self.query(transfer, step),
            Command::Undo(step) if self.compensates => self.undo(transfer, step),
            // The text: "use Saga pattern". This is what it is without its second half.
            Command::Undo(_) => Ok(Outcome::Done),
            Command::Committed | Command::Compensated => Ok(Outcome::Done),
        }
    }

    /// What a shard does: the change and the mark that it was made are one transaction.
    fn attempt(&mut self, transfer: Transfer, step: Step) -> rusqlite::Result<Outcome> {
        let (account, change) = transfer.place(step);
        let once = self.once;
        self.facts.statements += 4;
        self.shards[shard_of(account)].transaction(|shard| {
            if once && let Some(done) = mark(shard, transfer.saga, step)? {
                return Ok(if done { Outcome::Done } else { Outcome::Failed });
            }
            let sql = "UPDATE accounts SET balance = balance + ?2
                       WHERE id = ?1 AND balance + ?2 >= 0 AND (open = 1 OR ?2 < 0)";
            let changed = shard.sql().prepare_cached(sql)?.execute([account, change])?;
            set_mark(shard, transfer.saga, step, changed > 0)?;
            Ok(if changed > 0 { Outcome::Done } else { Outcome::Failed })
        })
    }

    /// Whether it was done; if not, it never will be.
    fn query(&mut self, transfer: Transfer, step: Step) -> rusqlite::Result<Outcome> {
        let (account, _) = transfer.place(step);
        self.facts.statements += 2;
        self.shards[shard_of(account)].transaction(|shard| {
            if mark(shard, transfer.saga, step)? == Some(true) {
                return Ok(Outcome::Done);
            }
            set_mark(shard, transfer.saga, step, false)?;
            Ok(Outcome::Failed)
        })
    }

    fn undo(&mut self, transfer: Transfer, step: Step) -> rusqlite::Result<Outcome> {
        let (account, change) = transfer.place(step);
        let once = self.once;
        self.facts.statements += 3;
        self.shards[shard_of(account)].transaction(|shard| {
            if !once || mark(shard, transfer.saga, step)? == Some(true) {
                let sql = "UPDATE accounts SET balance = balance - ?2 WHERE id = ?1";
                shard.sql().prepare_cached(sql)?.execute([account, change])?;
            }
            set_mark(shard, transfer.saga, step, false)?;
            Ok(Outcome::Done)
        })
    }

    fn reports(&self, saga: i64) -> rusqlite::Result<Vec<Report<Step>>> {
        let sql = "SELECT command, step, outcome FROM reports WHERE saga = ?1 ORDER BY nth";
        let mut query = self.log.sql().prepare_cached(sql)?;
        let report = |row: &rusqlite::Row<'_>| {
            let step = if row.get::<_, i64>(1)? == 0 { Step::Debit } else { Step::Credit };
            let command = match row.get::<_, i64>(0)? {
                0 => Command::Do(step),
                1 => Command::Query(step),
                _ => Command::Undo(step),
            };
            let outcome = match row.get::<_, i64>(2)? {
                0 => Outcome::Done,
                1 => Outcome::Failed,
                _ => Outcome::Unknown,
            };
            Ok(Report { command, outcome })
        };
        query.query_map([saga], report)?.collect()
    }

    fn keep(&mut self, saga: i64, report: Report<Step>) -> rusqlite::Result<()> {
        let (command, step) = match report.command {
            Command::Do(step) => (0, step),
            Command::Query(step) => (1, step),
            Command::Undo(step) => (2, step),
            Command::Committed | Command::Compensated => return Ok(()),
        };
        let outcome = match report.outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Unknown => 2,
        };
        self.facts.statements += 1;
        let sql = "INSERT INTO reports (saga, command, step, outcome) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.log.sql().prepare_cached(sql)?;
        insert.execute([saga, command, step as i64, outcome]).map(drop)
    }

    /// Adds up all shards and what is under way; how much that is.
    fn audit(&mut self, open: Option<Transfer>) -> rusqlite::Result<i64> {
        let mut sum = 0;
        for shard in &self.shards {
            let sql = "SELECT sum(balance) FROM accounts";
            sum += shard.sql().prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))?;
        }
        let mut under_way = 0;
        if let Some(transfer) = open {
            let (debited, credited) = self.marks(transfer)?;
            under_way = transfer.amount * (i64::from(debited) - i64::from(credited));
        }
        let all = ACCOUNTS * OPENING;
        self.invariants.check(self.names[0], sum + under_way == all, || {
            format!("{sum} cents on the shards and {under_way} under way, not {all}")
        });
        Ok(under_way)
    }

    fn marks(&self, transfer: Transfer) -> rusqlite::Result<(bool, bool)> {
        let of = |step, account| {
            let found = mark(&self.shards[shard_of(account)], transfer.saga, step)?;
            Ok::<_, rusqlite::Error>(found == Some(true))
        };
        Ok((of(Step::Debit, transfer.from)?, of(Step::Credit, transfer.to)?))
    }

    fn whole(&mut self, transfer: Transfer) -> rusqlite::Result<()> {
        let (debited, credited) = self.marks(transfer)?;
        self.invariants.check(self.names[1], debited == credited, || {
            format!("transfer {}: debited {debited}, credited {credited}", transfer.saga)
        });
        Ok(())
    }
}

fn mark(shard: &Database, saga: i64, step: Step) -> rusqlite::Result<Option<bool>> {
    let sql = "SELECT done FROM steps WHERE saga = ?1 AND step = ?2";
    let mut query = shard.sql().prepare_cached(sql)?;
    query.query_row([saga, step as i64], |row| row.get(0)).optional()
}

fn set_mark(shard: &Database, saga: i64, step: Step, done: bool) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO steps VALUES (?1, ?2, ?3)";
    shard.sql().prepare_cached(sql)?.execute(params![saga, step as i64, done]).map(drop)
}
