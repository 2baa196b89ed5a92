//! The whole run at quick scale: seeds, safeguards, the table, claims, the snapshot.

use hotel_reservation::booking::{jittered_policy, text_policy};
use hotel_reservation::design::DESIGN;
use hotel_reservation::engine::Sqlite;
use hotel_reservation::explore::{Anomaly, Schedules, stopped_by};
use hotel_reservation::layers::TableLeases;
use hotel_reservation::scenario::{self, tabulate};
use hotel_reservation::{contention, experiments, world};
use kit::{Report, Run, Safeguards, Seed, contract};

fn report(seed: u64) -> Report {
    scenario::run(&Run::test(&DESIGN, seed)).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    let count = contract::holds(&DESIGN, 1..=20, world::run);
    assert!(count >= 8, "{count} invariants");
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        let broken = (1..=20).find(|&seed| {
            let records = world::run(seed, &off);
            records.iter().any(|r| r.violations > 0 && r.name == safeguard.breaks)
        });
        assert!(broken.is_some(), "{} breaks nothing of its own", safeguard.name);
    }
}

#[test]
fn the_first_seed_shows_what_each_safeguard_is_for() {
    contract::breaks_at_once(&DESIGN, world::run);
}

/// The whole table, over all schedules: what each layer is the only one for.
#[test]
fn each_layer_is_the_only_one_that_stops_something() {
    let mut db = Sqlite::new(2, false).expect("a file");
    let run = Run::test(&DESIGN, 1);
    let rows = tabulate(&mut db, &mut TableLeases::default(), Schedules::All, &run).expect("runs");
    let by = |kind| stopped_by(&rows, kind);
    assert_eq!(by(Anomaly::DoubleBooking), "1 or 2 or 3 or 4");
    assert_eq!(by(Anomaly::Phantom), "1 or 2 or 3");
    assert_eq!(by(Anomaly::StaleHolder), "1 or 3 or 4");
    assert_eq!(by(Anomaly::ChargedInVain), "1");
    assert_eq!(by(Anomaly::BlindWriter), "2");
    assert_eq!(by(Anomaly::WriteSkew), "3");
    assert_eq!(by(Anomaly::LostEdit), "4");
    // A lease without its fence, and a fence that only writes look at.
    assert!(rows[1].stops(Anomaly::StaleHolder));
    assert!(!rows[16].stops(Anomaly::StaleHolder) && !rows[17].stops(Anomaly::StaleHolder));
    for kind in Anomaly::ALL {
        assert!(!rows[0].stops(kind) && rows[15].stops(kind), "{kind}");
        assert!(rows[0].cell(kind).run < 300, "{kind}");
    }
    // Switch 3 taken by its word means nothing in SQLite.
    let mut db = Sqlite::new(2, true).expect("a file");
    let rows = tabulate(&mut db, &mut TableLeases::default(), Schedules::All, &run).expect("runs");
    assert_eq!(experiments::changes(&rows)[2], 0);
}

#[test]
fn a_thousand_clients_get_one_room_once_and_forty_rooms_forty_times_at_most() {
    let on = Safeguards::all(&DESIGN);
    for seed in 1..=5 {
        for rooms in [1, 40] {
            for policy in [text_policy(), jittered_policy()] {
                let crowd = contention::run(Seed::new(seed), 1_000, rooms, policy, false, &on);
                let crowd = crowd.expect("memory");
                assert!(crowd.held >= 1 && crowd.held as i64 <= rooms, "{crowd:?}");
                assert_eq!(crowd.oversold, 0);
                assert_eq!(crowd.held + crowd.full + crowd.in_progress, 1_000);
            }
        }
    }
}

#[test]
fn the_claims_answer_every_row_and_every_fault_is_over() {
    for seed in 1..=2 {
        let report = report(seed);
        assert!(contract::answers_and_recovers(&report) >= 5);
    }
}

#[test]
fn the_report_of_seed_1_is_the_snapshot_but_for_what_the_machine_decides() {
    contract::is_the_snapshot(env!("CARGO_MANIFEST_DIR"), &report(1));
}

#[test]
fn two_runs_with_one_seed_differ_in_wall_only() {
    assert_eq!(report(7).to_json_masked(), report(7).to_json_masked());
}
