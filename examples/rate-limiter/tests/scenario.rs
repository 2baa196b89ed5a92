//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::{Report, Run, Safeguards, contract};
use rate_limiter::design::DESIGN;
use rate_limiter::{Options, sample, scenario, trials};

fn run(run: &Run) -> Report {
    scenario::run(run, &Options::default()).expect("the shipped log")
}

#[test]
fn every_guarantee_holds_and_is_checked_for_twenty_seeds() {
    contract::holds(&DESIGN, 1..=20, trials::run);
}

#[test]
fn the_whole_run_holds_for_several_seeds_and_answers_every_row_of_the_source() {
    for seed in 1..=6 {
        let report = run(&Run::test(&DESIGN, seed));
        assert!(report.all_held(), "seed {seed}: {:?}", report.invariants);
        assert!(report.invariants.iter().all(|record| record.checked > 0));
        assert_eq!(report.claims.check_complete(), Ok(()));
    }
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds() {
    let ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    assert_eq!(ablations.len(), DESIGN.safeguards.len());
    for (ablation, safeguard) in ablations.iter().zip(DESIGN.safeguards) {
        assert_eq!(ablation.broke.as_deref(), Some(safeguard.breaks), "{}", safeguard.name);
    }
}

#[test]
fn every_safeguard_breaks_its_invariant_at_most_seeds_and_no_other() {
    for safeguard in DESIGN.safeguards {
        let without = Safeguards::all(&DESIGN).without(safeguard.name);
        let broken = (1..=20).filter(|&seed| {
            let records = trials::run(seed, &without);
            let broken: Vec<_> = records.iter().filter(|record| record.violations > 0).collect();
            for record in &broken {
                assert_eq!(record.name, safeguard.breaks, "{} at seed {seed}", safeguard.name);
            }
            !broken.is_empty()
        });
        assert!(broken.count() >= 18, "{}", safeguard.name);
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
fn every_error_of_the_sample_code_has_its_safeguard() {
    for (safeguard, class) in sample::ERRORS {
        let found = DESIGN.safeguard(safeguard).unwrap_or_else(|| panic!("{safeguard} of {class}"));
        assert!(found.what.contains("sample"), "{safeguard}: {}", found.what);
    }
    let of_sample = DESIGN.safeguards.iter().filter(|s| s.what.contains("sample")).count();
    assert_eq!(of_sample, sample::ERRORS.len());
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
