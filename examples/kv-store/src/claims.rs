//! Block 6: every requirement with what became of it.

use crate::outline;
use crate::scenario::Facts;
use kit::{Claims, human};
use std::time::Duration;

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    functions(claims, facts);
    properties(claims, facts);
    for estimate in outline::estimates() {
        claims.estimate(&estimate);
    }
    trade_offs(claims, facts);
}

fn functions(claims: &mut Claims, facts: &Facts) {
    let (load, carts) = (&facts.load, &facts.parts.carts);
    claims
        .judge(
            "26.FR1",
            load.wrong == 0 && load.hits > 0,
            format!("{} gets as put, {} wrong", human::thousands(load.hits), load.wrong),
        )
        .evidence("block 3; load.rs, message.rs");
    claims
        .met("26.FR2", format!("{} pages over 10 KiB refused", human::thousands(load.refused)))
        .evidence("StoreError::TooLarge in store.rs; tests/serve.rs");
    claims.met("26.FR3", "all nine R and W of N = 3 measured").evidence("block 7, 26.T1");
    let zones = carts.zones.iter().all(|&(_, zones)| zones == 3);
    let fullest = facts.points.iter().find(|row| row.points == 32).map_or(0.0, |row| row.fullest);
    claims
        .met("26.FR4", format!("32 points a node: fullest {fullest:.2} x the mean"))
        .evidence("placement.rs; block 7, 26.T4");
    claims
        .judge("26.FR5", zones, format!("{} carts, each in 3 zones", carts.zones.len()))
        .evidence("--without zones-apart");
    let lost = carts.lost().len();
    claims
        .judge(
            "26.FR6",
            lost == 0 && carts.siblings > 0,
            format!("{} reads with siblings, {lost} writes lost", human::thousands(carts.siblings)),
        )
        .evidence("dotted version vectors; --without vector-clocks");
    let counts = carts.counts;
    claims
        .judge(
            "26.FR7",
            counts.handed > 0,
            format!("{} kept, {} handed over", counts.hinted, counts.handed),
        )
        .evidence("upkeep.rs; --without hinted-handoff, sloppy-quorum");
    claims
        .judge("26.FR8", counts.repaired > 0, format!("{} rows", human::thousands(counts.repaired)))
        .evidence("told in node.rs; --without read-repair");
    claims
        .judge(
            "26.FR9",
            counts.synced > 0,
            format!("{} comparisons, {} rows", counts.compared, counts.synced),
        )
        .evidence("compare in upkeep.rs; --without anti-entropy");
    let join = facts.faults.iter().find(|fault| fault.kind.contains("joins"));
    let joined = join.and_then(|fault| fault.recovered_ms);
    claims
        .judge(
            "26.FR10",
            joined.is_some(),
            format!("a join is known and filled in {joined:?} ms")
                .replace("Some(", "")
                .replace(')', ""),
        )
        .evidence("gossip in upkeep.rs; block 4. Nodes leave by being down: no removal");
    claims
        .wrong_figure(
            "26.FR11",
            format!(
                "a filter helps any table: {} reads spared before a B-tree (redb)",
                human::thousands(load.spared)
            ),
        )
        .evidence("engine.rs; an LSM tree is not built here; --without filter-rebuilt");
    claims
        .met("26.FR12", "a delete is a version without a value, kept for ever")
        .evidence("tests/cluster.rs; no collection of old ones: 26.NFR7");
    claims
        .met("26.FR13", "PING GET SET DEL EXISTS INFO, all else an error")
        .evidence("resp.rs; tests/engine.rs drives both programs");
}

fn properties(claims: &mut Claims, facts: &Facts) {
    let carts = &facts.parts.carts;
    let refused = carts.writes.iter().filter(|w| w.could && !w.acknowledged).count();
    claims
        .judge(
            "26.NFR1",
            refused == 0,
            format!(
                "{} writes under faults, {refused} refused in reach of W",
                human::thousands(carts.writes.len() as u64)
            ),
        )
        .evidence("trials.rs; --without sloppy-quorum");
    let strict = facts.stale.iter().filter(|row| row.quorum.is_strict());
    let (reads, stale) = strict.fold((0, 0), |(r, s), row| (r + row.reads, s + row.stale));
    claims
        .judge(
            "26.NFR2",
            stale == 0,
            format!("{} reads of strict quorums, {stale} stale", human::thousands(reads)),
        )
        .evidence("but not \"strong\": 26.T8; and not with stand-ins: 26.T2");
    let worst = |latency: &kit::Latencies| latency.iter().map(|(_, p)| p.p999).max().unwrap_or(0);
    let p999 = worst(&facts.load.latency).max(worst(&carts.latency));
    claims
        .at_most("26.NFR3", p999 as f64 / 1e6, 300.0, "ms")
        .evidence("virtual, the slowest kind of call, faults included; block 3");
    let moved = facts
        .points
        .iter()
        .find(|row| row.points == 160)
        .map_or((0.0, 0.0), |row| (row.moved, row.planned));
    claims
        .judge(
            "26.NFR4",
            (moved.1 - 0.1).abs() < 0.03,
            format!(
                "tenth node: {} planned, {} with zones",
                human::percent(moved.1),
                human::percent(moved.0)
            ),
        )
        .evidence("block 7, 26.T4");
    claims.met("26.NFR5", "6 and 9 here, 50 in a test").evidence("tests/cluster.rs");
    let failed = facts.faults.iter().filter(|fault| fault.recovered_ms.is_none()).count();
    claims
        .judge(
            "26.NFR6",
            failed == 0,
            format!("{} faults, {failed} not recovered from", facts.faults.len()),
        )
        .evidence("block 4");
    claims
        .judge(
            "26.NFR7",
            carts.agreed.is_some(),
            carts.agreed.map_or_else(
                || "not within 30 s".to_owned(),
                |span| format!("{} after the last fault", human::duration(span)),
            ),
        )
        .evidence("block 5; tombstones stay, so a deleted key cannot come back");
    let load = &facts.load;
    let calls = load.requests + 2 * load.puts;
    let rate = calls as f64 / load.spent.max(Duration::from_nanos(1)).as_secs_f64();
    claims
        .judge("26.NFR8", 100_000.0 / (0.6 * rate) <= 50.0, rate)
        .unit("ops/s")
        .wall()
        .evidence("nine nodes on one core; met when 50 cores, 60 % busy, do it: block 8");
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let of = |r: u32, w: u32| facts.stale.iter().find(|m| m.quorum.r() == r && m.quorum.w() == w);
    let share = |r, w| human::percent(of(r, w).map_or(0.0, crate::stale::Measured::share));
    claims
        .met("26.T1", format!("stale: R=W=1 {}, R=W=2 {}", share(1, 1), share(2, 2)))
        .evidence("block 7");
    claims.met("26.T2", "sloppy takes writes that strict refuses").evidence("block 7");
    let lost = facts.repairs.iter().find(|row| row.name.contains("last write"));
    let lost = lost.map_or(0, |row| row.outcome.lost().len());
    claims
        .judge("26.T3", lost > 0, format!("last write wins lost {lost} writes"))
        .evidence("block 7");
    let ends = facts.points.first().zip(facts.points.last());
    claims
        .judge(
            "26.T4",
            ends.is_some_and(|(one, many)| one.fullest > many.fullest),
            ends.map_or_else(String::new, |(one, many)| {
                format!(
                    "fullest {:.2} x the mean with 1 point, {:.2} x with 160",
                    one.fullest, many.fullest
                )
            }),
        )
        .evidence("block 7");
    claims.met("26.T5", "each repairs what the others cannot").evidence("block 7");
    let few = facts.bytes.iter().find(|row| row.differ == 1).map_or(0, |row| row.merkle);
    let many = facts.bytes.last().map_or(0, |row| row.merkle);
    claims
        .judge(
            "26.T6",
            few < many,
            format!(
                "1 of 10,000 rows differs: {}; 1,000: {}",
                human::bytes(few),
                human::bytes(many)
            ),
        )
        .evidence("block 7");
    claims
        .met(
            "26.T7",
            format!("a full node's filters: {}", human::bytes(outline::filter_of_a_full_node())),
        )
        .evidence("block 7");
    let row = |name: &str| facts.settings.iter().find(|row| row.name == name);
    let (with, without) = (row("R=2 W=2"), row("R=2 W=2, no read repair"));
    claims
        .wrong_figure(
            "26.T8",
            match (with, without) {
                (Some(with), Some(without)) => format!(
                    "{} of {} registers with read repair, {} of {} without; never compare-and-swap",
                    with.explained.0, with.explained.1, without.explained.0, without.explained.1
                ),
                _ => "see block 7".to_owned(),
            },
        )
        .evidence("stale.rs, registers.rs; checked by kit::check");
    claims
        .met("26.T9", "the same calls, the same answers, two rates")
        .evidence("--backend redis://; tests/engine.rs");
}
