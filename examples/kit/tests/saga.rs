//! The saga driver on a real SQLite file: a crash at every point of every way a saga can go.
#![cfg(feature = "saga")]

use kit::Time;
use kit::saga::{Command, Driver, End, Next, Outcome, SagaError, Steps};
use kit::sim::{CrashPoints, at_every_point};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};

const STEPS: [&str; 3] = ["hold", "charge", "confirm"];

/// What a service does the first time it is told to do a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Done,
    Failed,
    /// It happens, and the answer is lost.
    Lost,
    /// It does not happen, and nobody is told.
    Dropped,
    /// It happens, nobody is told, and it cannot be asked.
    Mute,
}

const WAYS: [Way; 5] = [Way::Done, Way::Failed, Way::Lost, Way::Dropped, Way::Mute];

/// The other side, which outlives the crash: doing twice is as once, an undo wins for ever.
#[derive(Default)]
struct Services {
    done: BTreeSet<&'static str>,
    undone: BTreeSet<&'static str>,
    effects: BTreeMap<&'static str, i64>,
}

impl Services {
    fn obey(&mut self, ways: [Way; 3], command: Command<&'static str>) -> Outcome {
        let way = |step: &str| ways[STEPS.iter().position(|s| *s == step).expect("a step")];
        match command {
            Command::Do(step) => {
                assert!(!self.undone.contains(step), "{step} is done after it was undone");
                let happens = !matches!(way(step), Way::Failed | Way::Dropped);
                if happens && self.done.insert(step) {
                    *self.effects.entry(step).or_default() += 1;
                }
                match way(step) {
                    Way::Done => Outcome::Done,
                    Way::Failed => Outcome::Failed,
                    Way::Lost | Way::Dropped | Way::Mute => Outcome::Unknown,
                }
            }
            Command::Query(step) if way(step) == Way::Mute => Outcome::Unknown,
            Command::Query(step) if self.done.contains(step) => Outcome::Done,
            Command::Query(_) => Outcome::Failed,
            Command::Undo(step) => {
                if self.undone.insert(step) && self.done.contains(step) {
                    *self.effects.entry(step).or_default() -= 1;
                }
                Outcome::Done
            }
            Command::Committed | Command::Compensated => panic!("nothing to obey"),
        }
    }
}

/// Runs one saga to its end through at most one crash; how it ended, whether it crashed, and what
/// the services hold.
fn run(ways: [Way; 3], points: &mut CrashPoints) -> (End, bool, Services) {
    let steps = Steps::new(STEPS, None).expect("three steps");
    let folder = tempfile::tempdir().expect("a folder");
    let open = || {
        let db = Connection::open(folder.path().join("saga.sqlite")).expect("a file");
        // The process dies here, not the machine.
        db.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY").expect("known");
        db
    };
    let (mut db, mut services, mut now) = (open(), Services::default(), Time::ZERO);
    let mut crashed = false;
    let mut driver = Driver::recover(&steps, &db).expect("empty");
    driver.begin(&db, 7).expect("new");
    for _ in 0..100 {
        let mut obey = |_id, command| services.obey(ways, command);
        match driver.step(&db, 7, now, points, &mut obey) {
            Ok(Next::At(at)) => {
                assert!(at >= now);
                now = at;
            }
            Ok(Next::Over(end)) => return (end, crashed, services),
            Err(SagaError::Crashed(_)) => {
                crashed = true;
                db = open();
                driver = Driver::recover(&steps, &db).expect("its own log");
                if let Some(end) = driver.ended(&db, 7).expect("readable") {
                    return (end, crashed, services);
                }
                assert_eq!(driver.open().collect::<Vec<_>>(), [7]);
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("{ways:?} does not end");
}

#[test]
fn all_steps_or_none_through_a_crash_at_every_point_of_every_way() {
    let mut crashes = 0;
    for first in WAYS {
        for second in WAYS {
            for third in WAYS {
                let ways = [first, second, third];
                crashes += at_every_point(|points| {
                    let (end, crashed, services) = run(ways, points);
                    let wanted = i64::from(end == End::Committed);
                    for step in STEPS {
                        let effects = services.effects.get(step).copied().unwrap_or(0);
                        assert_eq!(effects, wanted, "{ways:?}, {step}, {end:?}");
                    }
                    // A step that the crash kept from beginning is asked after, and has not happened.
                    if !crashed && ways.iter().all(|way| matches!(way, Way::Done | Way::Lost)) {
                        assert_eq!(end, End::Committed, "{ways:?}");
                    }
                    if ways.contains(&Way::Failed) || ways.contains(&Way::Dropped) {
                        assert_eq!(end, End::Compensated, "{ways:?}");
                    }
                });
            }
        }
    }
    assert!(crashes > 1_000, "{crashes} points");
}

#[test]
fn an_outcome_that_is_not_known_is_asked_after_later_and_later() {
    let steps = Steps::new(["hold", "print"], Some("hold")).expect("two steps");
    let db = Connection::open_in_memory().expect("memory");
    let mut driver = Driver::recover(&steps, &db).expect("empty");
    driver.begin(&db, 1).expect("new");
    let (mut now, mut waits) = (Time::ZERO, Vec::new());
    for nth in 0..14 {
        // Past the pivot: tried until it is done.
        let mut obey = |_id, command| match command {
            Command::Do("hold") => Outcome::Done,
            _ if nth < 13 => Outcome::Unknown,
            _ => Outcome::Done,
        };
        match driver.step(&db, 1, now, &mut CrashPoints::never(), &mut obey).expect("no crash") {
            Next::At(at) => {
                waits.push(at.since(now).as_secs());
                now = at;
            }
            Next::Over(end) => assert_eq!((nth, end), (13, End::Committed)),
        }
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert_eq!((waits[0], waits[1], waits.last()), (0, 2, Some(&64)));
}

#[test]
fn what_is_not_of_these_steps_is_an_error_and_not_a_guess() {
    let steps = Steps::new(STEPS, None).expect("three steps");
    let db = Connection::open_in_memory().expect("memory");
    let mut driver = Driver::recover(&steps, &db).expect("empty");
    driver.begin(&db, 1).expect("new");
    assert!(driver.begin(&db, 1).is_err(), "an id twice");
    let mut obey = |_id, _command| Outcome::Done;
    let mut never = CrashPoints::never();
    let step = driver.step(&db, 9, Time::ZERO, &mut never, &mut obey);
    assert!(matches!(step, Err(SagaError::NotOpen(9))));
    for row in ["'do', 'sing', 'done'", "'skip', 'hold', 'done'", "'do', 'hold', 'perhaps'"] {
        db.execute_batch(&format!(
            "DELETE FROM saga_log; INSERT INTO saga_log VALUES (1, 0, {row})"
        ))
        .expect("a row");
        let recovered = Driver::recover(&steps, &db);
        assert!(matches!(recovered, Err(SagaError::Log(_))), "{row}");
    }
    assert!(Steps::new(["a", "a"], None).is_err() && Steps::new(["a"], Some("b")).is_err());
}
