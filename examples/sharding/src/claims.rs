//! Block 6: every row of section 17 with what became of it.

use crate::experiments::{even, failed, lost};
use crate::gather::Way;
use crate::layout::{SHARDS, skew};
use crate::outline;
use crate::replica::Mode;
use crate::scenario::Facts;
use crate::scheme::Kind;
use kit::{Claims, Value, human};
use std::time::Duration;

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    strategies(claims, facts);
    sample(claims, facts);
    challenges(claims, facts);
    federation(claims, facts);
    properties(claims, facts);
    figures(claims, facts);
    trade_offs(claims, facts);
    advice(claims, facts);
}

fn strategies(claims: &mut Claims, facts: &Facts) {
    let rows = human::thousands(facts.input.users.len() as u64);
    claims
        .met("17.FR1", format!("{rows} rows, each where its range says"))
        .evidence("scheme.rs; block 5");
    claims.met("17.FR2", format!("{rows} rows, each where its hash says")).evidence("scheme.rs");
    let home = facts.layout(Kind::Geographic).home;
    claims
        .judge("17.FR3", home > 0.999, format!("{} at their nearest centre", human::percent(home)))
        .evidence("places.rs: distance over the sphere");
    let spans = facts.layout(Kind::EqualSpans);
    claims
        .wrong_figure("17.FR4", format!("cut anew for a 5th, {} move", human::percent(spans.share)))
        .evidence("a ring needs virtual nodes: the answer, row \"equal spans\"");
}

fn sample(claims: &mut Claims, facts: &Facts) {
    let modulo = facts.layout(Kind::Modulo);
    claims
        .wrong_figure("17.FR5", format!("that is hash % n: {} move", human::percent(modulo.share)))
        .evidence("--without consistent-hashing");
    let reshard = &facts.parts.reshard;
    let reads = human::thousands(reshard.reads);
    claims
        .judge("17.FR6", reshard.failed == 0, format!("{reads} reads by key, all found"))
        .evidence("reshard.rs, while a shard was added");
    let p50 = |way: Way| {
        let at = facts.gather(way).latency.percentiles(way.name());
        Duration::from_nanos(at.map_or(0, |p| p.p50))
    };
    claims.met("17.FR7", p50(Way::Serial)).evidence("median over 4 shards; block 3");
    claims
        .wrong_figure(
            "17.FR8",
            format!("one copy down: {} fail", human::percent(failed(facts, Way::Parallel))),
        )
        .evidence("and it runs in the JVM's common pool; block 3");
    let hedged = facts.gather(Way::Hedged);
    claims
        .judge(
            "17.FR9",
            hedged.failed == 0,
            format!("{} of {} partial, and say so", hedged.partial, hedged.queries),
        )
        .evidence("gather.rs; --without partial-mark");
}

fn challenges(claims: &mut Claims, facts: &Facts) {
    let transfer = &facts.parts.transfer;
    let crashes = human::thousands(transfer.crashes);
    claims
        .met("17.FR10", format!("{crashes} crashes, no cent lost or made"))
        .evidence("transfer.rs; --without saga-compensation, --without once-only");
    let reshard = &facts.parts.reshard;
    claims
        .judge(
            "17.FR11",
            reshard.failed + reshard.stale == 0,
            format!("{} rows under load, no read failed", human::thousands(reshard.copied)),
        )
        .evidence("reshard.rs; --without dual-reads, dual-writes, newer-wins, range-fence");
    let schema = &facts.parts.schema;
    claims
        .judge(
            "17.FR12",
            schema.wrong == 0,
            format!("{} requests while both ran", human::thousands(schema.mixed)),
        )
        .evidence("schema.rs: expand, backfill, deploy, contract");
}

fn federation(claims: &mut Claims, facts: &Facts) {
    let federation = &facts.parts.federation;
    let pages = human::thousands(federation.pages);
    claims.met("17.FR13", "4 databases, 7 tables").evidence("federation.rs");
    claims.met("17.FR14", format!("{pages} pages")).evidence("federation.rs");
    let calls = human::thousands(federation.calls);
    claims.met("17.FR15", format!("{calls} calls, names in one")).evidence("block 7, 17.T8");
    let copies = facts.parts.replicas.len();
    claims
        .met("17.FR16", format!("{copies} primaries died, all were replaced"))
        .evidence("replica.rs; block 4");
    claims
        .wrong_figure("17.FR17", format!("{} pages would have lied", federation.degraded))
        .evidence("an empty list says \"no orders\"; --without degraded-mark");
}

fn properties(claims: &mut Claims, facts: &Facts) {
    let (range, ring) = (facts.layout(Kind::Range), facts.layout(Kind::Consistent));
    claims
        .judge(
            "17.NFR1",
            range.asked < ring.asked,
            format!("{} shards against {}", human::number(range.asked), human::number(ring.asked)),
        )
        .evidence("asked for a hundredth of the ids, 5 shards");
    let modulo = skew(&facts.layout(Kind::Modulo).rows);
    claims.at_most("17.NFR2", modulo, even(facts), "max/mean").evidence("rows; 3 deviations");
    let geographic = facts.layout(Kind::Geographic);
    claims
        .judge("17.NFR3", geographic.trip < ring.trip, geographic.trip)
        .evidence("mean round trip; the ring's is in block 7, 17.T3");
    claims
        .judge(
            "17.NFR4",
            (ring.share - 1.0 / (SHARDS + 1) as f64).abs() < 0.06,
            Value::Share(ring.share),
        )
        .evidence("1/5 and what 160 points a node are off it");
    let restore = &facts.parts.restore;
    claims
        .wrong_figure("17.NFR5", format!("unavailable, not lost: {} of the rows", restore.lost))
        .evidence("restore.rs: rows after the last archived segment; a primary alone: 17.T7");
    let degraded = facts.parts.federation.degraded;
    claims
        .met("17.NFR6", format!("{degraded} pages without orders, none without the rest"))
        .evidence("federation.rs");
}

fn figures(claims: &mut Claims, facts: &Facts) {
    claims
        .wrong_figure("17.E1", "1,000,000 and 2,000,000 are on two shards each")
        .evidence("RangeMap: each range ends before the next begins, and the last has no end");
    for estimate in outline::estimates(facts) {
        claims.estimate(&estimate);
    }
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let range = facts.layout(Kind::Range);
    claims
        .met("17.T1", format!("{} of new users on the last", human::percent(range.newest)))
        .evidence("block 7");
    let share = |kind| human::percent(facts.layout(kind).share);
    claims.met("17.T2", format!("{} move", share(Kind::Modulo))).evidence("block 7");
    let geographic = skew(&facts.layout(Kind::Geographic).rows);
    claims.met("17.T3", Value::Num(geographic)).unit("max/mean").evidence("rows; block 7");
    claims.met("17.T4", "four rules of the move, a switch each").evidence("block 7; reshard.rs");
    claims
        .met(
            "17.T5",
            format!(
                "without an answer {} / {}",
                human::percent(failed(facts, Way::Serial)),
                human::percent(failed(facts, Way::Parallel))
            ),
        )
        .evidence("next copy, partial and hedged besides; block 7");
    claims.met("17.T6", "atomic at every crash, not isolated").evidence("block 7");
    claims
        .met(
            "17.T7",
            format!(
                "lost: asynchronous {}, semi-synchronous {}",
                lost(facts, Mode::Async),
                lost(facts, Mode::SemiSync)
            ),
        )
        .evidence("acknowledged writes, two crashes each; block 7");
    claims.met("17.T8", "a dead service costs its part of the page").evidence("block 7");
    let orphans = facts.parts.federation.orphans;
    claims
        .met("17.T9", format!("{} orphans", orphans[0] + orphans[1]))
        .evidence("before the relay ran; block 7");
    claims
        .met("17.T10", "rows of one table; tables of four services")
        .evidence("the answer, block 2");
    claims
        .wrong_figure("17.T11", "but for a hot key, which no scheme spreads")
        .evidence("hot.rs; block 7");
    claims
        .wrong_figure("17.T12", "by the shard key as ever; over databases through two APIs")
        .evidence("federation.rs joins every page");
    claims.met("17.T13", "14 rules for shards, 3 for services").evidence("--help lists them");
    claims
        .wrong_figure("17.T14", "one does not rule out the other: a service's table is sharded")
        .evidence("17.R1, 17.R2");
}

fn advice(claims: &mut Claims, facts: &Facts) {
    let bytes = 100e6 * facts.row_bytes;
    claims
        .wrong_figure("17.R1", format!("100 M rows are {}", human::bytes(bytes as u64)))
        .evidence("write rate, size of backups and of outages decide; block 1, block 8");
    claims
        .met("17.R2", "when teams are apart: it costs three calls a page")
        .evidence("block 7, 17.T8 and 17.T9");
}
