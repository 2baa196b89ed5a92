//! Real servers, when there are some: `cargo test -p hotel-reservation --all-features --test engine`.
#![cfg(all(feature = "postgres", feature = "redis"))]

use hotel_reservation::design::DESIGN;
use hotel_reservation::engine::Sqlite;
use hotel_reservation::explore::{Anomaly, Schedules};
use hotel_reservation::layers::TableLeases;
use hotel_reservation::outline;
use hotel_reservation::postgres::Postgres;
use hotel_reservation::redis_leases::RedisLeases;
use hotel_reservation::scenario::tabulate;
use kit::program::{Program, text};
use kit::{Run, Seed};

fn some(count: u64) -> Schedules {
    Schedules::Some(count, Seed::new(15).stream("schedules"))
}

#[test]
fn postgres_stops_what_sqlite_stops_in_every_combination() {
    let Some(engine) = testkit::require("postgres") else { return };
    let run = Run::test(&DESIGN, 1);
    let mut there = Postgres::connect(&engine.url(), 2).expect("it answers");
    let there = tabulate(&mut there, &mut TableLeases::default(), some(60), &run).expect("it runs");
    let mut here = Sqlite::new(2, false).expect("a file");
    let here = tabulate(&mut here, &mut TableLeases::default(), some(60), &run).expect("it runs");
    assert_eq!(outline::differ(&here, &there), [""; 0], "SQLite and PostgreSQL differ");
    for kind in Anomaly::ALL {
        assert!(!there[0].stops(kind), "{kind} is not seen with no layer on");
        assert!(there[15].stops(kind), "{kind} gets through all four");
    }
}

#[test]
fn a_lease_in_redis_stops_what_the_table_stops() {
    let Some(engine) = testkit::require("redis") else { return };
    let run = Run::test(&DESIGN, 1);
    let mut leases = RedisLeases::connect(&engine.url()).expect("it answers");
    let mut db = Sqlite::new(2, false).expect("a file");
    let there = tabulate(&mut db, &mut leases, some(60), &run).expect("it runs");
    let mut db = Sqlite::new(2, false).expect("a file");
    let here = tabulate(&mut db, &mut TableLeases::default(), some(60), &run).expect("it runs");
    assert_eq!(outline::differ(&here, &there), [""; 0], "the table and Redis differ");
    assert!(!there[16].stops(Anomaly::StaleHolder), "without its fence nothing stops it");
    assert!(there[1].stops(Anomaly::StaleHolder));
}

#[test]
fn the_program_takes_both_and_says_when_one_does_not_answer() {
    let (Some(db), Some(leases)) = (testkit::require("postgres"), testkit::require("redis")) else {
        return;
    };
    let program = Program(env!("CARGO_BIN_EXE_hotel-reservation"));
    let (db, leases) = (db.url(), leases.url());
    let args = ["--scale", "quick", "--backend", db.as_str(), "--backend", leases.as_str()];
    let out = program.run(&args, "");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let report = text(&out.stdout);
    assert!(report.contains("The same on PostgreSQL, lease in Redis"), "{report}");
    let cases: &[(&[&str], &str)] = &[
        (&["--scale", "quick", "--backend", "redis://127.0.0.1:1/"], "redis://127.0.0.1:1/"),
        (
            &["--scale", "quick", "--backend", "postgres://x@127.0.0.1:1/x"],
            "postgres://x@127.0.0.1:1/x",
        ),
    ];
    program.refuses(cases, "");
}
