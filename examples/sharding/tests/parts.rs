//! What the parts must show beside their invariants.

use kit::{Invariants, Safeguards, Seed};
use sharding::design::DESIGN;
use sharding::gather::{self, Way};
use sharding::layout::{self, SHARDS};
use sharding::replica::{self, Mode, Trouble};
use sharding::scheme::Kind;
use sharding::{draw, federation, hot, reshard, schema, transfer, trials};
use std::time::Duration;

fn all() -> Safeguards {
    Safeguards::all(&DESIGN)
}

#[test]
fn a_second_copy_and_a_hedge_do_what_they_are_for() {
    let users = &trials::nasa().sized(300, Seed::new(1)).users;
    let mut invariants = Invariants::new(1);
    let rows = gather::run(users, Seed::new(1), 2_000, &all(), &mut invariants).unwrap();
    let of = |way: Way| rows.iter().find(|row| row.way == way).unwrap();
    let p99 = |way: Way| of(way).latency.percentiles(way.name()).unwrap().p99;
    // A primary of four is down in 8 of 100 queries; a shard with both copies in 1 of 100.
    assert_eq!(of(Way::Serial).failed, of(Way::Parallel).failed);
    assert!((120..240).contains(&of(Way::Parallel).failed), "{}", of(Way::Parallel).failed);
    assert!((8..50).contains(&of(Way::NextCopy).failed), "{}", of(Way::NextCopy).failed);
    assert_eq!(of(Way::Partial).failed, 0);
    assert_eq!(of(Way::Partial).partial, of(Way::NextCopy).failed);
    assert!(p99(Way::Hedged) < p99(Way::Partial), "a hedge does not wait for the timeout");
    let p50 = |way: Way| of(way).latency.percentiles(way.name()).unwrap().p50;
    assert!(2 * p50(Way::Parallel) < p50(Way::Serial));
    let tail = gather::tail(Seed::new(1), 2_000);
    assert!(tail.windows(2).all(|pair| pair[0].1 < pair[1].1 && pair[0].4 < pair[1].4));
}

#[test]
fn a_hot_key_is_found_and_its_shard_is_relieved() {
    let facts = hot::run(Seed::new(1), 20_000, &all(), &mut Invariants::new(1)).unwrap();
    assert!(facts.split.iter().any(|&(post, _, parts)| post == 1 && parts == 4), "{facts:?}");
    assert!(facts.after < facts.before && facts.reads_spread < facts.reads_alone, "{facts:?}");
    assert!(facts.asked > 1.0);
}

#[test]
fn a_replica_that_was_ahead_of_the_new_primary_takes_its_statements_back() {
    let off = all().without("most-advanced");
    let mut invariants = Invariants::new(1);
    let (mode, trouble) = (Mode::SemiSync, Trouble::NearCut);
    let facts = replica::run(Seed::new(1), mode, trouble, 400, &off, &mut invariants).unwrap();
    assert!(facts.taken_back > 50 && facts.lost > 50, "{facts:?}");
    let same = invariants.records().iter().find(|record| record.name == replica::SAME).unwrap();
    assert_eq!((same.checked, same.violations), (1, 0));
}

#[test]
fn a_write_waits_for_the_copies_that_it_asks_for() {
    let p50 = |mode: Mode, trouble| {
        let mut invariants = Invariants::new(1);
        let facts = replica::run(Seed::new(1), mode, trouble, 600, &all(), &mut invariants);
        let name = format!("write, {}", mode.name());
        Duration::from_nanos(facts.unwrap().latency.percentiles(&name).unwrap().p50)
    };
    let ms = Duration::from_millis;
    assert_eq!(p50(Mode::Async, Trouble::Calm), Duration::ZERO);
    assert!((ms(2)..ms(5)).contains(&p50(Mode::SemiSync, Trouble::Calm)));
    assert!((ms(24)..ms(30)).contains(&p50(Mode::All, Trouble::Calm)));
}

#[test]
fn a_reshard_meets_late_routers_doubled_writes_and_a_dead_copier() {
    let users = &trials::nasa().sized(400, Seed::new(1)).users;
    let facts = reshard::run(users, 1, 1_500, &all(), &mut Invariants::new(1)).unwrap();
    assert!(facts.second > 20 && facts.doubled > 20 && facts.refused > 0, "{facts:?}");
    assert!(facts.older > 0 && facts.again == 1 && facts.fault.is_some(), "{facts:?}");
    assert!((50..120).contains(&facts.copied), "a fifth of 400 rows: {}", facts.copied);
}

#[test]
fn ranges_of_many_batches_arrive_whole_although_the_copier_dies() {
    let users = &trials::nasa().sized(20_000, Seed::new(1)).users;
    let mut invariants = Invariants::new(1);
    let facts = reshard::run(users, 1, 1, &all(), &mut invariants).unwrap();
    assert!(invariants.all_held(), "{:?}", invariants.records());
    assert!(facts.copied > 3_000 && facts.again == 1, "{facts:?}");
}

#[test]
fn nothing_is_paid_into_a_closed_account() {
    // Two commands and their six places to die, then three with the undo and their nine.
    let facts = transfer::run(Seed::new(1), 0, &all(), &mut Invariants::new(1)).unwrap();
    assert_eq!(facts.points, 15);
    assert!(facts.compensated >= 10, "{facts:?}");
}

#[test]
fn transfers_meet_crashes_lost_answers_and_late_requests() {
    let facts = transfer::run(Seed::new(1), 400, &all(), &mut Invariants::new(1)).unwrap();
    assert!(facts.committed > 150 && facts.compensated > 20, "{facts:?}");
    assert!(facts.crashes > 40 && facts.unknown > 20 && facts.late > 5, "{facts:?}");
    assert!(facts.under_way > 0 && facts.fault.is_some());
}

#[test]
fn old_and_new_programs_run_side_by_side_and_every_row_is_filled() {
    let facts = schema::run(Seed::new(1), 40, &all(), &mut Invariants::new(1)).unwrap();
    assert!(facts.mixed > 50 && facts.filled > 0 && facts.wrong == 0, "{facts:?}");
    assert!(facts.reads.iter().chain(&facts.writes).all(|&n| n > 100), "{facts:?}");
}

#[test]
fn an_outage_opens_a_breaker_and_ends() {
    let facts = federation::run(Seed::new(1), &all(), &mut Invariants::new(1)).unwrap();
    assert!(facts.opened >= 2 && facts.refused > 5 * facts.timeouts, "{facts:?}");
    assert!(facts.orphans[0] > 0 && facts.left[0] == 0);
    // Three seconds of pages and what comes until the breaker has closed, not the rest of the run.
    assert!((200..330).contains(&facts.degraded), "{}", facts.degraded);
    for fault in &facts.faults {
        assert!(fault.recovered_ms.is_some_and(|ms| ms < 1_500), "{fault:?}");
    }
}

#[test]
fn one_more_shard_moves_what_the_document_says_and_what_it_does_not() {
    let input = trials::nasa().sized(2_000, Seed::new(1));
    let rows = layout::run(&input, 1, &all(), &mut Invariants::new(1)).unwrap();
    let share = |kind| rows.iter().find(|row| row.kind == kind).unwrap().share;
    assert!((0.76..0.84).contains(&share(Kind::Modulo)), "4/5");
    assert!((0.46..0.54).contains(&share(Kind::EqualSpans)), "1/2");
    assert!((0.14..0.26).contains(&share(Kind::Consistent)), "1/5, by the points");
    assert!((share(Kind::Directory) - 0.2).abs() < 1e-9);
    let range = rows.iter().find(|row| row.kind == Kind::Range).unwrap();
    assert!(range.newest == 1.0 && range.asked < 1.5 && range.rows.len() == SHARDS);
}

#[test]
fn the_ring_is_drawn_point_by_point() {
    let svg = draw::ring_svg();
    let (old, new) = (sharding::scheme::ring(4), sharding::scheme::ring(5));
    let moves = archstone_hashring::Plan::new(&old, &new, 1).unwrap().count();
    let paths = svg.matches("<path").count();
    assert_eq!(paths, old.point_count() + new.point_count() + moves);
    assert!(svg.ends_with("</svg>\n"));
}
