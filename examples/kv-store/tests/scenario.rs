//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::{Report, Run, Safeguards, snapshot};
use kv_store::design::DESIGN;
use kv_store::{scenario, trials};
use std::path::Path;

fn run(run: &Run) -> Report {
    scenario::run(run).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    for seed in 1..=20 {
        let records = trials::run(seed, &Safeguards::all(&DESIGN));
        assert_eq!(records.len(), 7);
        for record in records {
            assert!(record.checked > 0, "seed {seed}: {} was never checked", record.name);
            assert_eq!(record.violations, 0, "seed {seed}: {:?}", record.first_seed_event);
        }
    }
}

#[test]
fn every_safeguard_breaks_its_own_invariant_and_shows_a_short_history() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        // With the first seed, so that `--without` shows it at once.
        let records = trials::run(1, &off);
        let broken = records.iter().find(|record| record.name == safeguard.breaks);
        let first = broken.and_then(|record| record.first_seed_event.as_ref());
        let first = first.unwrap_or_else(|| panic!("{} breaks nothing of its own", safeguard.name));
        assert_eq!(first.seed, 1);
        assert!((1..=12).contains(&first.history.len()), "{}: {first:?}", safeguard.name);
    }
}

#[test]
fn the_claims_answer_every_row_and_every_fault_is_over() {
    for seed in 1..=2 {
        let report = run(&Run::test(&DESIGN, seed));
        assert_eq!(report.claims.check_complete(), Ok(()));
        // How fast this machine is under its load decides the rows of `wall`.
        let missed = |row: &&kit::Claim| row.verdict == kit::Verdict::Missed && !row.wall;
        assert!(!report.claims.rows().iter().any(missed), "{:?}", report.claims.rows());
        assert_eq!(report.faults.len(), 5);
        for fault in &report.faults {
            assert!(fault.recovered_ms.is_some(), "seed {seed}: {fault:?}");
        }
    }
}

#[test]
fn the_report_of_seed_1_is_the_snapshot_but_for_what_the_machine_decides() {
    let json = run(&Run::test(&DESIGN, 1)).to_json_masked();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seed-1.json");
    snapshot::check(path, &format!("{json:#}\n"));
}

#[test]
fn two_runs_with_one_seed_differ_in_wall_only() {
    let once = || run(&Run::test(&DESIGN, 7)).to_json_masked();
    assert_eq!(once(), once());
}
