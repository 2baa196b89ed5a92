//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::{Report, Run, Safeguards, Scale, contract};
use sharding::design::DESIGN;
use sharding::replica::{Mode, Trouble};
use sharding::{scenario, trials};

fn run(run: &Run) -> Report {
    scenario::run(run).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    let count = contract::holds(&DESIGN, 1..=20, trials::run);
    assert!(count >= 16, "{count} invariants");
}

#[test]
fn every_safeguard_breaks_its_own_invariant_with_the_first_seed_and_a_short_history() {
    contract::breaks_at_once(&DESIGN, trials::ablated);
}

#[test]
fn asynchronous_copies_lose_what_the_others_do_not() {
    let on = Safeguards::all(&DESIGN);
    let (mut lost, mut waited) = (0, 0);
    for seed in 1..=10 {
        let (_, parts) = trials::run_sized(trials::nasa(), seed, &on, trials::QUICK, true);
        for row in &parts.replicas {
            match row.mode {
                Mode::Async => lost += row.lost,
                Mode::SemiSync | Mode::All => assert_eq!(row.lost, 0, "seed {seed}"),
            }
            assert!(row.acked > 0 && row.recovered.is_some(), "seed {seed}: {row:?}");
            if row.mode == Mode::All && row.trouble == Trouble::NearCut {
                waited += row.waiting;
            }
        }
    }
    assert!(lost > 0, "an asynchronous copy never lost anything");
    assert!(waited > 500, "{waited} writes waited for a copy that is cut off");
}

#[test]
fn the_claims_answer_every_row_and_every_fault_is_over() {
    for seed in 1..=3 {
        let report = run(&Run::test(&DESIGN, seed));
        assert_eq!(report.claims.count(kit::Verdict::Missed), 0, "{:?}", report.claims.rows());
        assert!(contract::answers_and_recovers(&report) >= 8);
    }
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
