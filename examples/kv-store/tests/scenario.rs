//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::{Report, Run, contract};
use kv_store::design::DESIGN;
use kv_store::{scenario, trials};

fn run(run: &Run) -> Report {
    scenario::run(run).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    assert_eq!(contract::holds(&DESIGN, 1..=20, trials::run), 7);
}

#[test]
fn every_safeguard_breaks_its_own_invariant_and_shows_a_short_history() {
    contract::breaks_at_once(&DESIGN, trials::run);
}

#[test]
fn the_claims_answer_every_row_and_every_fault_is_over() {
    for seed in 1..=2 {
        let report = run(&Run::test(&DESIGN, seed));
        // How fast this machine is under its load decides the rows of `wall`.
        let missed = |row: &&kit::Claim| row.verdict == kit::Verdict::Missed && !row.wall;
        assert!(!report.claims.rows().iter().any(missed), "{:?}", report.claims.rows());
        assert_eq!(contract::answers_and_recovers(&report), 5);
    }
}

#[test]
fn the_report_of_seed_1_is_the_snapshot_but_for_what_the_machine_decides() {
    contract::is_the_snapshot(env!("CARGO_MANIFEST_DIR"), &run(&Run::test(&DESIGN, 1)));
}

#[test]
fn two_runs_with_one_seed_differ_in_wall_only() {
    let once = || run(&Run::test(&DESIGN, 7)).to_json_masked();
    assert_eq!(once(), once());
}
