//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use caching_techniques::design::DESIGN;
use caching_techniques::herd::Way;
use caching_techniques::strategy::{Leaves, Strategy};
use caching_techniques::{Options, scenario, trials};
use kit::{Report, Run, Safeguards, Scale, contract};

fn run(run: &Run) -> Report {
    scenario::run(run, &Options::default()).expect("nothing to open")
}

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    let count = contract::holds(&DESIGN, 1..=20, trials::run);
    assert!(count >= 16, "{count} invariants");
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds_and_shows_how() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        let broken = (1..=20).find_map(|seed| {
            let records = trials::run(seed, &off);
            records
                .into_iter()
                .find(|record| record.name == safeguard.breaks && record.violations > 0)
        });
        let broken = broken.unwrap_or_else(|| panic!("{} breaks nothing", safeguard.name));
        let first = broken.first_seed_event.expect("it broke");
        assert!((1..=12).contains(&first.history.len()), "{}: {first:?}", safeguard.name);
    }
}

#[test]
fn the_claims_answer_every_row_and_every_fault_is_over() {
    for seed in 1..=3 {
        let report = run(&Run::test(&DESIGN, seed));
        assert!(report.all_held(), "{:?}", report.invariants);
        assert_eq!(report.claims.count(kit::Verdict::Missed), 0, "{:#?}", report.claims.rows());
        assert!(contract::answers_and_recovers(&report) >= 6);
        for ablation in &report.ablations {
            assert!(ablation.broke.is_some(), "seed {seed}: {ablation:?}");
        }
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

#[test]
fn the_strategies_are_what_they_are_known_for() {
    use caching_techniques::tournament;
    let trace = caching_techniques::trace::Shipped::Web.read(6_000).expect("shipped");
    let load = trace.workload(kit::Seed::new(3), 10.0, 0.1);
    let writes = load.requests.len() as u64 - load.reads();
    let mut invariants = kit::Invariants::new(3);
    let played = tournament::run(load, 300, true, || {}, &mut invariants).expect("plays");
    assert!(invariants.all_held(), "{:?}", invariants.records());
    assert_eq!(played.cells.len(), 4 * 12);
    for cell in &played.cells {
        let name = (cell.strategy, cell.leaves);
        assert_eq!(cell.hits + cell.asked.loads, cell.reads, "{name:?}");
        match cell.strategy {
            Strategy::WriteBehind => {
                assert!(cell.at_risk > 0 && cell.at_risk <= 64, "{name:?}");
                assert!(cell.asked.transactions < writes / 5, "batches: {name:?}");
                assert!(cell.asked.writes + cell.lost < writes, "coalesced: {name:?}");
                assert!(cell.lost > 0 && cell.lost <= cell.at_risk as u64, "{name:?}");
            }
            _ => {
                assert_eq!((cell.at_risk, cell.lost), (0, 0), "{name:?}");
                assert_eq!((cell.asked.writes, cell.asked.transactions), (writes, writes));
            }
        }
        assert_eq!(cell.stale > 0, cell.strategy == Strategy::ReadThrough, "{name:?}");
    }
    // What a write throws away cannot be hit.
    let bound = |strategy| played.bound(strategy);
    assert!(bound(Strategy::Aside) < bound(Strategy::ReadThrough));
    assert!(bound(Strategy::Aside) < bound(Strategy::WriteThrough));
    // The lifetime alone is no bound.
    let alone = played.cell(Strategy::Aside, Leaves::Expired).expect("played");
    assert!(alone.most > 600, "{}", alone.most);
}

#[test]
fn a_lost_node_costs_loads_on_the_ring_and_more_by_modulo_and_a_wipe_most() {
    let load = trials::workload(kit::Seed::new(5), 2_000, 20_000, 10.0);
    let mut invariants = kit::Invariants::new(5);
    let blows = caching_techniques::faults::blows(&load, 800, &mut invariants).expect("plays");
    assert!(invariants.all_held(), "{:?}", invariants.records());
    let (ring, calm) = blows.ring.just_after(&blows.calm);
    let (modulo, _) = blows.modulo.just_after(&blows.modulo_calm);
    let (wiped, _) = blows.wiped.just_after(&blows.calm);
    assert!(calm + 0.02 < ring && ring + 0.1 < modulo && modulo <= wiped + 0.05);
}

#[test]
fn deaths_lose_rows_and_never_more_than_may_be_unstored() {
    let on = Safeguards::all(&DESIGN);
    let found = trials::run_sized(1, &on, trials::QUICK).expect("a SQLite of its own");
    for (rows, writes) in found.behind.rows_lost.iter().zip(found.behind.writes_lost) {
        assert!(*rows > 0 && *rows <= 6 && writes >= *rows, "{:?}", found.behind);
    }
}

#[test]
fn the_ways_of_the_herd_keep_their_order_over_seeds() {
    use std::time::Duration;
    let setup = caching_techniques::herd::Setup {
        rate: 50.0,
        lifetime: Duration::from_secs(20),
        takes: Duration::from_millis(300),
        length: Duration::from_secs(90),
    };
    for seed in 1..=5 {
        let loads = Way::ALL.map(|way| {
            caching_techniques::herd::play(way, setup, kit::Seed::new(seed)).expect("plays").loads
        });
        let [nothing, lock, flight, eight, xfetch, linear] = loads;
        let needed = setup.needed() as u64;
        assert_eq!((flight, lock), (needed, needed), "seed {seed}");
        assert!(eight > flight && eight <= 8 * flight, "seed {seed}: {eight}");
        assert!(xfetch <= needed + 1 && nothing > 5 * needed, "seed {seed}: {loads:?}");
        assert!(linear > 10 * needed, "seed {seed}: {linear}");
    }
}
