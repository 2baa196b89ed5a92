//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::sim::CrashPoints;
use kit::{Invariants, Report, Run, Seed, Verdict, contract};
use payment_gateway::design::DESIGN;
use payment_gateway::rules::Rules;
use payment_gateway::world::{self, Setup};
use payment_gateway::{scenario, trials};

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    let count = contract::holds(&DESIGN, 1..=20, trials::run);
    assert!(count >= 15, "{count} invariants");
}

#[test]
fn every_safeguard_breaks_its_own_invariant_at_seed_1_and_shows_the_history() {
    contract::breaks_at_once(&DESIGN, trials::run);
}

#[test]
fn a_crash_at_every_step_on_a_real_file_is_like_one_in_memory() {
    // Closed and opened anew at each crash, as a process leaves it.
    for nth in (0..400).step_by(37) {
        let folder = tempfile::tempdir().expect("a folder");
        let seed = Seed::new(3).child("file");
        let at = Setup { points: CrashPoints::at(nth), ..trials::setup(seed, 3, Rules::ALL) };
        let on_file = Setup { file: Some(folder.path().join("gateway")), ..at.clone() };
        let both = [at, on_file].map(|setup| {
            let mut invariants = Invariants::new(3);
            let facts = world::run(setup, &mut invariants).expect("SQLite");
            assert!(invariants.all_held(), "{:#?}", invariants.records());
            (facts.steps, facts.crashes, facts.captured, facts.events, facts.audited)
        });
        assert_eq!(both[0], both[1], "point {nth}");
    }
}

fn once() -> Report {
    scenario::run(&Run::test(&DESIGN, 1)).expect("nothing to open")
}

#[test]
fn the_report_of_seed_1_is_the_snapshot_with_every_claim_answered_and_every_fault_over() {
    let report = once();
    // A busy machine's rate, in an unoptimised test, is no verdict.
    let missed: Vec<_> =
        report.claims.stable().into_iter().filter(|row| row.verdict == Verdict::Missed).collect();
    assert!(missed.is_empty(), "{missed:?}");
    assert!(report.all_held());
    assert_eq!(contract::answers_and_recovers(&report), 4);
    assert!(
        report.ablations.iter().all(|ablation| ablation.broke.is_some()),
        "{:?}",
        report.ablations
    );
    contract::is_the_snapshot(env!("CARGO_MANIFEST_DIR"), &report);
    assert_eq!(
        report.to_json_masked(),
        once().to_json_masked(),
        "two runs with one seed differ in wall only"
    );
}
