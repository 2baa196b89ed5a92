//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::{Report, Run, Scale, contract};
use top_k::design::DESIGN;
use top_k::follow::Follow;
use top_k::{Options, scenario, trials};

fn run(run: &Run) -> Report {
    let options = Options::default();
    let mut follow = Follow::new(run, &options).expect("nothing to open");
    scenario::run(run, &options, &mut follow).expect("the shipped log")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    contract::holds(&DESIGN, 1..=20, trials::run);
}

#[test]
fn the_whole_run_holds_for_several_seeds() {
    for seed in 1..=5 {
        let report = run(&Run::test(&DESIGN, seed));
        assert!(report.all_held(), "seed {seed}: {:?}", report.invariants);
        assert!(report.invariants.iter().all(|record| record.checked > 0));
        assert_eq!(report.claims.check_complete(), Ok(()));
    }
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds() {
    let ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    for (ablation, safeguard) in ablations.iter().zip(DESIGN.safeguards) {
        assert_eq!(ablation.broke.as_deref(), Some(safeguard.breaks), "{}", safeguard.name);
    }
}

#[test]
fn a_run_without_a_safeguard_shows_the_break_with_its_seed_and_a_short_history() {
    for safeguard in DESIGN.safeguards {
        let report = run(&Run::test(&DESIGN, 1).without(safeguard.name));
        contract::shows_how(safeguard, &report.invariants);
    }
}

#[test]
fn the_claims_answer_every_row_of_the_source_document() {
    assert_eq!(run(&Run::test(&DESIGN, 1)).claims.check_complete(), Ok(()));
}

#[test]
fn the_report_of_seed_1_is_the_snapshot_but_for_what_the_machine_decides() {
    contract::is_the_snapshot(
        env!("CARGO_MANIFEST_DIR"),
        &run(&Run::test(&DESIGN, 1).with_scale(Scale::Quick)),
    );
}

#[test]
fn two_runs_with_one_seed_differ_in_wall_only() {
    let once = || run(&Run::test(&DESIGN, 7)).to_json_masked();
    assert_eq!(once(), once());
}
