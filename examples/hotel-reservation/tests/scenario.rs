//! The whole run at quick scale: seeds, safeguards.

use hotel_reservation::design::DESIGN;
use hotel_reservation::world;
use kit::Safeguards;

#[test]
fn every_invariant_holds_and_is_checked_for_twenty_seeds() {
    for seed in 1..=20 {
        let records = world::run(seed, &Safeguards::all(&DESIGN));
        assert!(records.len() >= 8, "{} invariants", records.len());
        for record in records {
            assert!(record.checked > 0, "seed {seed}: {} was never checked", record.name);
            assert_eq!(record.violations, 0, "seed {seed}: {:?}", record.first_seed_event);
        }
    }
}

#[test]
fn every_safeguard_breaks_its_own_invariant_within_twenty_seeds() {
    for safeguard in DESIGN.safeguards {
        let off = Safeguards::all(&DESIGN).without(safeguard.name);
        let broken = (1..=20).find_map(|seed| {
            let records = world::run(seed, &off);
            let own = records.iter().any(|r| r.violations > 0 && r.name == safeguard.breaks);
            own.then_some(seed)
        });
        println!("{}: {broken:?}", safeguard.name);
        assert!(broken.is_some(), "{} breaks nothing of its own", safeguard.name);
    }
}

#[test]
fn a_quick_run_in_words() {
    let on = Safeguards::all(&DESIGN);
    let (records, facts) = world::run_sized(1, &on, world::QUICK).expect("memory");
    println!("{facts:#?}");
    for r in records { println!("{} {} {}", r.name, r.checked, r.violations); }
}
