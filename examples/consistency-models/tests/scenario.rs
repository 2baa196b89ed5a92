//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use consistency_models::design::DESIGN;
use consistency_models::{scenario, trials};
use kit::{Report, Run, Safeguards, Scale, contract};

fn run(run: &Run) -> Report {
    scenario::run(run).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    let count = contract::holds(&DESIGN, 1..=20, trials::run);
    assert!(count >= 12, "{count} invariants");
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        let broken = (1..=20).find_map(|seed| {
            let records = trials::run(seed, &off);
            let broken: Vec<_> =
                records.into_iter().filter(|r| r.violations > 0).map(|r| r.name).collect();
            (!broken.is_empty()).then_some(broken)
        });
        let broken = broken.unwrap_or_default();
        assert!(
            broken.iter().any(|name| name == safeguard.breaks),
            "{}: {broken:?}",
            safeguard.name
        );
    }
}

#[test]
fn a_run_without_a_safeguard_shows_the_break_with_its_seed_and_a_short_history() {
    contract::breaks_at_once(&DESIGN, trials::run);
}

#[test]
fn the_strong_rows_are_clean_and_the_weak_ones_show_what_they_are_known_for() {
    use consistency_models::anomaly::Anomaly::{
        BackwardsRead, EffectFirst, LostUpdate, StaleRead, WriteSkew,
    };
    let bingo = consistency_models::bingo::play(1, 40, &kit::Progress::silent());
    let expected = [
        ("log", &[][..]),
        ("log-local-reads", &[StaleRead]),
        ("quorum", &[LostUpdate, WriteSkew]),
        ("quorum-no-repair", &[BackwardsRead, LostUpdate, WriteSkew]),
        ("causal", &[StaleRead, LostUpdate, WriteSkew]),
        ("crdt", &[StaleRead, BackwardsRead, EffectFirst, WriteSkew]),
        ("lww", &[StaleRead, BackwardsRead, EffectFirst, LostUpdate, WriteSkew]),
    ];
    for (slug, shown) in expected {
        for kind in shown {
            assert!(!bingo.row(slug).free_of(*kind), "{slug} does not show {kind:?}");
        }
    }
    for (slug, kinds) in [
        ("log", &[StaleRead, BackwardsRead, EffectFirst, LostUpdate, WriteSkew][..]),
        ("quorum", &[StaleRead, BackwardsRead, EffectFirst]),
        ("causal", &[BackwardsRead, EffectFirst]),
        ("crdt", &[LostUpdate]),
    ] {
        for kind in kinds {
            assert!(bingo.row(slug).free_of(*kind), "{slug} shows {kind:?}");
        }
    }
    // Why a quorum is enough for a register, and not for the others.
    let quorum = bingo.row("quorum");
    assert_eq!(quorum.explained[0], quorum.registers);
    assert!(quorum.explained[1] < 40 && quorum.explained[2] < 40, "{:?}", quorum.explained);
    let log = bingo.row("log");
    assert_eq!(log.explained, [log.registers, 40, 40]);
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
