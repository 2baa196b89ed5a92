//! "Publish to Kafka with a transactional producer; commit DB and Kafka atomically": what the text's code
//! does, and three other ways, each killed at each of its steps.
//!
//! Kafka's transaction covers Kafka. `dbConnection.execute` inside it commits by itself, at once, and
//! whatever happens between that and `commitTransaction` leaves one without the other.

use crate::io::Stop;
use kit::sim::{CrashPoints, at_every_point};
use kit::store::{EventLog, Message, outbox};
use rusqlite::Connection;

/// A way to change and to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The change is committed, then the message is sent.
    DatabaseFirst,
    /// The message is sent, then the change is committed.
    LogFirst,
    /// The text's: both inside the producer's transaction.
    Text,
    /// The message is in the change's transaction; a relay sends it.
    Outbox,
}

/// What the crashes left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Steps at which the process was killed.
    pub killed: u64,
    /// Changes that nobody heard of.
    pub lost: u64,
    /// Messages of changes that never were.
    pub phantom: u64,
    /// Messages that came twice: a consumer drops them.
    pub repeated: u64,
}

impl Way {
    /// All.
    pub const ALL: [Self; 4] = [Self::DatabaseFirst, Self::LogFirst, Self::Text, Self::Outbox];

    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DatabaseFirst => "commit, then publish",
            Self::LogFirst => "publish, then commit",
            Self::Text => "the text's transaction",
            Self::Outbox => "outbox and relay",
        }
    }
}

fn change(
    way: Way,
    database: &mut Connection,
    log: &mut EventLog,
    points: &mut CrashPoints,
) -> Result<(), Stop> {
    let message = Message::new("pay_1/2", "pay_1", "captured");
    points.pass("begin")?;
    match way {
        Way::DatabaseFirst => {
            database.execute("UPDATE payment SET status = 'captured'", [])?;
            points.pass("committed")?;
            log.append("payments", &message)?;
        }
        Way::LogFirst => {
            log.append("payments", &message)?;
            points.pass("published")?;
            database.execute("UPDATE payment SET status = 'captured'", [])?;
        }
        Way::Text => {
            // producer.send: held by the broker, seen by nobody until commitTransaction.
            let held = message;
            points.pass("sent, not committed")?;
            database.execute("UPDATE payment SET status = 'captured'", [])?;
            points.pass("database committed, Kafka not")?;
            log.append("payments", &held)?;
        }
        Way::Outbox => {
            let both = database.transaction()?;
            both.execute("UPDATE payment SET status = 'captured'", [])?;
            outbox::put(&both, "payments", &message)?;
            points.pass("written, not committed")?;
            both.commit()?;
            points.pass("committed")?;
            relay(database, log, points)?;
        }
    }
    points.pass("end")?;
    Ok(())
}

fn relay(
    database: &mut Connection,
    log: &mut EventLog,
    points: &mut CrashPoints,
) -> Result<(), Stop> {
    outbox::relay(database, 10, |topic, message| {
        log.append(topic, message)?;
        points.pass("published, not taken out")?;
        Ok::<_, Stop>(())
    })
    .map(drop)
}

/// Kills `way` at each of its steps.
///
/// # Errors
/// What SQLite says.
pub fn killed_everywhere(way: Way) -> Result<Outcome, Stop> {
    let mut outcome = Outcome::default();
    let mut went = Ok(());
    at_every_point(|points| {
        let mut run = || -> Result<(), Stop> {
            let mut database = Connection::open_in_memory()?;
            let mut log = EventLog::in_memory()?;
            outbox::create(&database)?;
            database.execute_batch(
                "CREATE TABLE payment (status TEXT); INSERT INTO payment VALUES ('pending')",
            )?;
            match change(way, &mut database, &mut log, points) {
                Err(Stop::Crashed(_)) => outcome.killed += 1,
                other => other?,
            }
            // The process is started again. Only the outbox knows that there is something to do.
            relay(&mut database, &mut log, &mut CrashPoints::never())?;
            let select = "SELECT count(*) FROM payment WHERE status = 'captured'";
            let changed: u64 = database.query_row(select, [], |row| row.get(0))?;
            let told = log.len("payments")?;
            outcome.lost += u64::from(changed == 1 && told == 0);
            outcome.phantom += u64::from(changed == 0 && told > 0);
            outcome.repeated += u64::from(told > 1);
            Ok(())
        };
        if let Err(error) = run() {
            went = Err(error);
        }
    });
    went.map(|()| outcome)
}
