use super::*;
use crate::sim::{CrashPoints, Crashed, at_every_point};
use std::collections::BTreeMap;

const TOPIC: &str = "deposits";

#[derive(Debug)]
enum Stop {
    Crash,
    Sql(rusqlite::Error),
}

impl From<Crashed> for Stop {
    fn from(_: Crashed) -> Self {
        Self::Crash
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// How the writer tells, and whether the reader drops repeats.
#[derive(Clone, Copy)]
struct Ways {
    outbox: bool,
    inbox: bool,
}

/// A bank that deposits 1, 2, 4, 8 and tells of each; a reader that adds up. Three processes, three
/// files; whichever dies, all are opened anew.
struct Processes {
    bank: Connection,
    reader: Connection,
    log: EventLog,
}

fn start(folder: &Path) -> rusqlite::Result<Processes> {
    let bank = open(&folder.join("bank"), Durability::Process)?;
    outbox::create(&bank)?;
    bank.execute_batch("CREATE TABLE IF NOT EXISTS deposits (amount INTEGER PRIMARY KEY) STRICT")?;
    let reader = open(&folder.join("reader"), Durability::Process)?;
    inbox::create(&reader)?;
    reader.execute_batch("CREATE TABLE IF NOT EXISTS seen (amount INTEGER NOT NULL) STRICT")?;
    Ok(Processes { bank, reader, log: EventLog::open(&folder.join("log"), Durability::Process)? })
}

impl Processes {
    fn run(&mut self, ways: Ways, points: &mut CrashPoints) -> Result<(), Stop> {
        for amount in [1_i64, 2, 4, 8] {
            let there = "SELECT count(*) FROM deposits WHERE amount = ?1";
            if self.bank.query_row(there, [amount], |row| row.get::<_, i64>(0))? > 0 {
                continue;
            }
            points.pass("before the change")?;
            let change = self.bank.transaction()?;
            change.execute("INSERT INTO deposits VALUES (?1)", [amount])?;
            points.pass("changed, not committed")?;
            let message = Message::new(format!("d{amount}"), "bank", amount.to_string());
            if ways.outbox {
                outbox::put(&change, TOPIC, &message)?;
                points.pass("put, not committed")?;
            }
            change.commit()?;
            points.pass("committed")?;
            if !ways.outbox {
                self.log.append(TOPIC, &message)?;
            }
        }
        outbox::relay(&mut self.bank, 100, |topic, message| {
            points.pass("before it is published")?;
            self.log.append(topic, message)?;
            points.pass("published, not taken out")?;
            Ok::<_, Stop>(())
        })?;
        for entry in self.log.read(TOPIC, self.log.position("reader", TOPIC)?, 100)? {
            points.pass("read")?;
            let amount: i64 = entry.message.payload.parse().unwrap();
            let mut add = |effect: &rusqlite::Transaction<'_>| {
                effect.execute("INSERT INTO seen VALUES (?1)", [amount])?;
                points.pass("applied, not committed")?;
                Ok::<_, Stop>(())
            };
            if ways.inbox {
                inbox::apply_once(&mut self.reader, "reader", &entry.message.id, add)?;
            } else {
                let effect = self.reader.transaction()?;
                add(&effect)?;
                effect.commit()?;
            }
            points.pass("applied, offset not committed")?;
            self.log.commit("reader", TOPIC, entry.offset + 1)?;
        }
        Ok(())
    }
}

/// How often each deposit was seen, crashing at each point in turn; and entries in the log beyond four.
fn crash_everywhere(ways: Ways) -> (u64, Vec<BTreeMap<i64, u64>>, u64) {
    let (mut seen, mut repeats) = (Vec::new(), 0);
    let points = at_every_point(|points| {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let mut processes = start(folder.path()).unwrap();
            match processes.run(ways, points) {
                Err(Stop::Crash) => {}
                Err(Stop::Sql(error)) => panic!("{error}"),
                Ok(()) => break,
            }
        }
        let Processes { reader, log, .. } = start(folder.path()).unwrap();
        let mut count =
            reader.prepare("SELECT amount, count(*) FROM seen GROUP BY amount").unwrap();
        let rows = count.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        seen.push(rows.map(Result::unwrap).collect());
        repeats += log.len(TOPIC).unwrap().saturating_sub(4);
    });
    (points, seen, repeats)
}

#[test]
fn whatever_step_is_the_last_every_deposit_is_seen_exactly_once() {
    let (points, seen, repeats) = crash_everywhere(Ways { outbox: true, inbox: true });
    assert_eq!(points, 4 * 9);
    let once: BTreeMap<i64, u64> = [1, 2, 4, 8].map(|amount| (amount, 1)).into();
    assert!(seen.iter().all(|run| *run == once), "{seen:?}");
    assert_eq!(repeats, 4, "who died between publishing and taking out published again");
}

#[test]
fn committing_and_then_publishing_loses_an_event_at_one_point_of_each_deposit() {
    let (_, seen, repeats) = crash_everywhere(Ways { outbox: false, inbox: true });
    assert_eq!(seen.iter().filter(|run| run.len() < 4).count(), 4);
    assert_eq!(repeats, 0);
}

#[test]
fn a_reader_that_keeps_no_ids_counts_twice_what_comes_twice() {
    let (_, seen, _) = crash_everywhere(Ways { outbox: true, inbox: false });
    let twice = seen.iter().filter(|run| run.values().any(|&n| n == 2)).count();
    assert_eq!(twice, 8, "published again, or read again, at each of four deposits");
}

#[test]
fn what_is_in_the_log_cannot_be_changed_and_a_consumer_never_goes_back() {
    let mut log = EventLog::in_memory().unwrap();
    assert!(log.is_empty("a").unwrap());
    assert_eq!(log.append("a", &Message::new("1", "k", "x")).unwrap(), 0);
    assert_eq!(log.append("b", &Message::new("2", "k", "y")).unwrap(), 0);
    assert_eq!(log.append("a", &Message::new("1", "k", "x")).unwrap(), 1, "a log keeps repeats");
    for change in ["UPDATE log SET payload = 'z'", "DELETE FROM log"] {
        assert!(log.database.execute(change, []).unwrap_err().to_string().contains("append-only"));
    }
    log.commit("c", "a", 2).unwrap();
    log.commit("c", "a", 1).unwrap();
    assert_eq!((log.position("c", "a").unwrap(), log.position("c", "b").unwrap()), (2, 0));
    assert_eq!(log.read("a", 1, 9).unwrap()[0].message, Message::new("1", "k", "x"));
    assert_eq!(log.read("a", u64::MAX, usize::MAX).unwrap(), []);
}

#[test]
fn a_message_of_a_change_that_is_rolled_back_was_never_there() {
    let mut bank = Connection::open_in_memory().unwrap();
    outbox::create(&bank).unwrap();
    let change = bank.transaction().unwrap();
    outbox::put(&change, TOPIC, &Message::new("1", "k", "x")).unwrap();
    assert!(
        outbox::put(&change, TOPIC, &Message::new("1", "k", "y")).is_err(),
        "an id is given once"
    );
    drop(change);
    assert_eq!(outbox::waiting(&bank).unwrap(), 0);
    inbox::create(&bank).unwrap();
    let refused = inbox::apply_once(&mut bank, "c", "1", |_| Err::<(), _>(Stop::Crash));
    assert!(matches!(refused, Err(Stop::Crash)));
    let done = inbox::apply_once(&mut bank, "c", "1", |_| Ok::<_, Stop>(()));
    assert!(matches!(done, Ok(Some(()))), "an id whose effect failed is free");
    let again = inbox::apply_once(&mut bank, "c", "1", |_| Ok::<_, Stop>(()));
    assert!(matches!(again, Ok(None)));
}
