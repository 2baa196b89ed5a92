//! What the tests of every design ask of its trials and its report: `tests/scenario.rs`.
//!
//! They panic with what was found, so they belong in tests and nowhere else.

use crate::design::{Design, Safeguard};
use crate::invariant::Record;
use crate::report::Report;
use crate::run::Safeguards;
use std::path::Path;

/// With every safeguard on, each invariant is checked and none breaks, whatever the seed; the fewest
/// invariants that a seed had.
pub fn holds(
    design: &'static Design,
    seeds: impl IntoIterator<Item = u64>,
    mut trials: impl FnMut(u64, &Safeguards) -> Vec<Record>,
) -> usize {
    let on = Safeguards::all(design);
    let of_seed = |seed| {
        let records = trials(seed, &on);
        for record in &records {
            assert!(record.checked > 0, "seed {seed}: {} was never checked", record.name);
            assert_eq!(record.violations, 0, "seed {seed}: {:?}", record.first_seed_event);
        }
        records.len()
    };
    seeds.into_iter().map(of_seed).min().expect("a seed")
}

/// Without any one safeguard the first seed breaks its own invariant, so that `--without` shows it at
/// once, and a short history says how.
pub fn breaks_at_once(
    design: &'static Design,
    mut trials: impl FnMut(u64, &Safeguards) -> Vec<Record>,
) {
    for safeguard in design.safeguards {
        shows_how(safeguard, &trials(1, &Safeguards::all(design).without(safeguard.name)));
    }
}

/// `records` of seed 1 without `safeguard` name its invariant as broken, with a short history.
pub fn shows_how(safeguard: &Safeguard, records: &[Record]) {
    let own = records.iter().find(|record| record.name == safeguard.breaks);
    let first = own.and_then(|record| record.first_seed_event.as_ref());
    let broken = || records.iter().filter(|r| r.violations > 0).map(|r| &r.name);
    let first = first.unwrap_or_else(|| {
        panic!("{} does not break its own: {:?}", safeguard.name, broken().collect::<Vec<_>>())
    });
    assert_eq!(first.seed, 1);
    assert!((1..=12).contains(&first.history.len()), "{}: {first:?}", safeguard.name);
}

/// Every row of the source is answered and every fault is over; how many faults.
pub fn answers_and_recovers(report: &Report) -> usize {
    assert_eq!(report.claims.check_complete(), Ok(()));
    for fault in &report.faults {
        assert!(fault.recovered_ms.is_some(), "{fault:?}");
    }
    report.faults.len()
}

/// The report is `tests/seed-1.json` of the design at `manifest` (`env!("CARGO_MANIFEST_DIR")`), but
/// for what the machine decides.
pub fn is_the_snapshot(manifest: &str, report: &Report) {
    let path = Path::new(manifest).join("tests/seed-1.json");
    crate::snapshot::check(path, &format!("{:#}\n", report.to_json_masked()));
}
