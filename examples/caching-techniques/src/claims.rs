//! Block 6: one row for every line of the source document's section.

use crate::herd::{self, Way};
use crate::outline;
use crate::race;
use crate::scenario::Facts;
use crate::strategy::{Leaves, Strategy};
use crate::tournament::PERCENT;
use archstone_cache::sim::Kind;
use kit::{Claims, Value, human};

/// Answers every row.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    functions(claims, facts);
    properties(claims, facts);
    figures(claims, facts);
    trade_offs(claims, facts);
}

fn functions(claims: &mut Claims, facts: &Facts) {
    let tournament = &facts.tournament;
    let best = |strategy| tournament.ends(strategy).map_or(0.0, |ends| ends.0.hit_rate());
    claims.met("18.FR1", Value::Share(best(Strategy::Aside))).evidence("hits of the best policy");
    claims
        .wrong_figure("18.FR2", "deleted before the commit: a reader puts the old row back")
        .evidence("--without invalidate-last");
    claims
        .wrong_figure("18.FR3", "store first; else a rollback leaves what never was")
        .evidence("--without store-first");
    let behind = &facts.found.behind;
    claims
        .met("18.FR4", format!("{} writes in {} batches", behind.acknowledged, behind.batches))
        .evidence("behind.rs");
    claims
        .met("18.FR5", Value::Share(best(Strategy::ReadThrough)))
        .evidence("and null is kept, too: around::Through");
    let held = tournament.cells.iter().filter(|cell| cell.leaves != Leaves::Expired);
    let most = held.map(|cell| cell.most).max().unwrap_or(0);
    claims
        .judge("18.FR6", most <= tournament.capacity, most)
        .unit("entries at most")
        .evidence("the text's holds one more while it inserts");
    let (buckets, empty, _) = facts.lfu;
    claims
        .wrong_figure("18.FR7", format!("{empty} of {buckets} buckets empty and kept"))
        .evidence("sample.rs");
    let fifo = tournament.cell(Strategy::Aside, Leaves::By(Kind::Fifo));
    let fifo = fifo.map_or(0.0, crate::strategy::Cell::hit_rate);
    claims.met("18.FR8", Value::Share(fifo)).evidence("hits; policy::Fifo");
    let oldest = tournament.of(Strategy::ReadThrough).map(|cell| cell.stalest).max();
    let oldest = oldest.unwrap_or_default();
    claims
        .judge("18.FR9", oldest <= crate::strategy::LIFETIME, oldest)
        .evidence("the oldest stale read; --without lifetime");
    claims
        .judge(
            "18.FR10",
            facts.held(crate::negative::DENIED),
            format!("{} questions spared", human::thousands(facts.negative.spared)),
        )
        .evidence("negative.rs");
    claims
        .wrong_figure("18.FR11", "each request draws, each winner loads; XFetch with a ticket")
        .evidence("--without early-by-load");
    claims
        .met("18.FR12", Value::Share(facts.blows.ring.moved))
        .evidence("keys that move; a stable 64-bit hash, no MD5 in hexadecimal");
    claims.met("18.FR13", "four, and what they do not say").evidence("metrics.rs, block 7");
}

fn properties(claims: &mut Claims, facts: &Facts) {
    let levels = facts.found.parts.levels;
    claims
        .judge(
            "18.NFR1",
            facts.held(crate::levels::FRESH),
            format!("{} requests answered with a level away", levels.meanwhile),
        )
        .evidence("block 4; levels.rs");
    let refused = facts.found.parts.race.refused;
    let seen = if facts.held(race::COMMITTED) { "none" } else { "some" };
    claims
        .wrong_figure("18.NFR2", "not cache first; two writes at once leave the older one")
        .evidence(&format!("race.rs: {refused} rolled back, {seen} seen"));
    let [cache, _, store] = crate::strategy::COST;
    let times = (store + cache).as_secs_f64() / cache.as_secs_f64();
    claims.met("18.NFR3", times).unit("times write-through's speed").evidence("costs assumed");
    claims
        .wrong_figure("18.NFR4", "empty after a restart: denies every row")
        .evidence("--without seed-filter, --without filter-first");
    let of = |way| facts.herd.1.iter().find(|known| known.0 == way).map_or(0, |way| way.1.loads);
    claims
        .wrong_figure(
            "18.NFR5",
            format!("{} loads of {} needed", of(Way::Linear), facts.herd.0.needed()),
        )
        .evidence("single-flight and XFetch do it");
    let (ring, modulo) = (facts.blows.ring.moved, facts.blows.modulo.moved);
    claims
        .judge("18.NFR6", ring <= modulo && facts.held(crate::nodes::MOVED), Value::Share(ring))
        .evidence(&format!("of the keys move; by modulo {}", human::percent(modulo)));
    let best = facts.curves.iter().map(|curves| {
        let last = curves.chart.series.len() - 1;
        let ratios = (0..last).flat_map(|nth| (0..PERCENT.len()).map(move |at| (nth, at)));
        ratios.map(|(nth, at)| curves.ratio(nth, at)).fold(0.0, f64::max)
    });
    let reached = best.filter(|ratio| *ratio >= 0.8).count();
    claims
        .wrong_figure("18.NFR7", format!("{reached} of {} traces can", facts.curves.len()))
        .evidence("block 7: the first request of a key misses");
    let full = facts
        .measured
        .get(2)
        .map_or(0.0, |measured| measured.held as f64 / measured.capacity.max(1) as f64);
    claims
        .wrong_figure("18.NFR8", Value::Share(full))
        .evidence("a warm cache is full; headroom is the process's");
    claims.wrong_figure("18.NFR9", "when full, the miss rate by another name").evidence("block 7");
    let most =
        facts.measured.iter().map(crate::metrics::Measured::text_ttl_rate).fold(0.0, f64::max);
    claims
        .wrong_figure("18.NFR10", most)
        .unit("hits/set, no rate")
        .evidence("block 7; evictions lower it as well");
}

fn figures(claims: &mut Claims, facts: &Facts) {
    for estimate in outline::estimates() {
        // Measured below.
        if estimate.id != "18.E3" {
            claims.estimate(&estimate);
        }
    }
    let heaviest = facts.blows.ring.heaviest;
    claims
        .at_most("18.E3", heaviest, 1.5, "times its share")
        .evidence("the heaviest of 8 nodes; 1/sqrt(150) is 8 %");
    claims.met("18.E4", "O(1), amortised").evidence("crate's policy::Lfu, a list of counts");
    claims
        .met("18.E5", u64::from(facts.negative.hashes))
        .unit("probes")
        .evidence("whatever the number of rows");
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let raced = facts.found.parts.race;
    let fresh = facts.held(race::THROUGH) && facts.held(race::ASIDE);
    let stale = if fresh { "none" } else { "some" };
    claims
        .judge("18.T1", fresh, format!("{} reads raced, {stale} stale", raced.reads))
        .evidence("a load that was overtaken is not kept");
    let cell = |strategy| facts.tournament.cell(strategy, Leaves::By(Kind::Lru));
    let loads = |strategy| cell(strategy).map_or(0, |cell| cell.asked.loads);
    claims
        .met(
            "18.T2",
            format!("{} loads, aside {}", loads(Strategy::WriteThrough), loads(Strategy::Aside)),
        )
        .evidence("block 7");
    let behind = &facts.found.behind;
    let worst = behind.rows_lost[0].max(behind.rows_lost[1]);
    claims
        .at_most("18.T3", worst as f64, crate::behind::MAX_DIRTY as f64, "rows lost at worst")
        .evidence(&format!("{} deaths, behind.rs", behind.crashes));
    let stale = cell(Strategy::ReadThrough).map_or(0, |cell| cell.stale);
    claims.met("18.T4", stale).unit("stale reads").evidence("writes past it; block 7");
    claims.met("18.T5", "eleven and TTL alone, beside Belady's bound").evidence("block 3");
    let flight = facts.herd.1.iter().find(|way| way.0 == Way::Flight(1));
    let loads = flight.map_or(0, |way| way.1.loads);
    claims
        .judge("18.T6", loads as f64 <= facts.herd.0.needed() && facts.held(herd::ONE), loads)
        .unit("loads by single-flight")
        .evidence(herd::ONE);
    let rate = facts.negative.false_positives as f64 / facts.negative.absent.max(1) as f64;
    claims
        .judge("18.T7", rate <= facts.negative.expected * 2.0 + 0.001, Value::Share(rate))
        .evidence("of the absent let through");
    let whole = facts.blows.ring.recovered(&facts.blows.calm);
    claims
        .judge("18.T8", whole.is_some(), whole.unwrap_or_default())
        .evidence("until the store is asked as before, a node lost");
}
