//! The whole run at quick scale: seeds, safeguards, claims, the snapshot.

use kit::Safeguards;
use payment_gateway::design::DESIGN;
use payment_gateway::trials;

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    for seed in 1..=20 {
        let records = trials::run(seed, &Safeguards::all(&DESIGN));
        assert!(records.len() >= 15, "{} invariants", records.len());
        for record in records {
            assert!(record.checked > 0, "seed {seed}: {} was never checked", record.name);
            assert_eq!(record.violations, 0, "seed {seed}: {:#?}", record.first_seed_event);
        }
    }
}

#[test]
fn every_safeguard_breaks_its_own_invariant_at_seed_1_and_shows_the_history() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        let records = trials::run(1, &off);
        let broken: Vec<_> =
            records.iter().filter(|r| r.violations > 0).map(|r| r.name.as_str()).collect();
        let own = records.iter().find(|record| record.name == safeguard.breaks);
        let first = own.and_then(|record| record.first_seed_event.as_ref());
        let first = first.unwrap_or_else(|| panic!("{}: broke {broken:?}", safeguard.name));
        assert_eq!(first.seed, 1);
        assert!((1..=12).contains(&first.history.len()), "{}: {first:?}", safeguard.name);
    }
}
