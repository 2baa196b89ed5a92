//! Block 6: every row of section 15 with what became of it.

use crate::contention::Outcome;
use crate::explore::{Anomaly, stopped_by};
use crate::outline;
use crate::overbook;
use crate::scenario::Facts;
use kit::{Claims, Value, human};
use std::time::Duration;

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    requirements(claims, facts);
    qualities(claims, facts);
    for estimate in outline::estimates() {
        claims.estimate(&estimate);
    }
    trade_offs(claims, facts);
    flow(claims, facts);
}

fn requirements(claims: &mut Claims, facts: &Facts) {
    let load = &facts.load;
    let count = |n: u64| human::thousands(n);
    claims
        .met("15.FR1", format!("{} searches, {} offers", count(load.searches), count(load.offers)))
        .evidence("search.rs; what it shows may be gone, the booking looks again");
    let none = facts.crowds.iter().all(|(_, outcome)| outcome.oversold == 0);
    claims
        .judge(
            "15.FR2",
            none,
            format!("{} bookings, no night beyond its limit", count(load.booked)),
        )
        .evidence("block 5; --without constraint");
    claims
        .met("15.FR3", format!("{} holds of 10 min, {} ran out", count(load.held), load.expired))
        .evidence("desk.rs; --without live-hold");
    claims
        .met("15.FR4", format!("{} cancelled, {} moved", load.cancelled, load.moved))
        .evidence("--without atomic-change, --without free-once");
    let (name, terms, curve) = &facts.overbook[1];
    let best = overbook::best(curve);
    claims
        .met(
            "15.FR5",
            format!("limit {} of {} rooms at no-shows of {name}", best.limit, terms.rooms),
        )
        .evidence("overbook.rs; block 7, 15.T4");
}

fn qualities(claims: &mut Claims, facts: &Facts) {
    let load = &facts.load;
    let rate = (load.booked + load.undone) as f64 / facts.busy[0].as_secs_f64().max(1e-9);
    claims
        .at_least("15.NFR1", rate, 58.0, "bookings/s")
        .wall()
        .evidence("one core, audit included; the peak of 500 K a day is 58/s");
    claims.not_built(
        "15.NFR2",
        "one process: availability is its database's; block 4 has what each loss costs",
    );
    let p99 = load.latency.percentiles("book, until answered").map_or(0, |p| p.p99);
    claims
        .at_most("15.NFR3", p99 as f64 / 1e6, 1_000.0, "ms")
        .evidence("p99 from choice to hold, in virtual time; quick runs have more sleepers");
    claims
        .judge("15.NFR4", facts.table[15].stops(Anomaly::DoubleBooking), "all layers on: none")
        .evidence("counters, stays and money agree after every event: block 5");
    let all = Anomaly::ALL.iter().all(|&kind| facts.table[15].stops(kind));
    claims
        .judge("15.NFR5", all, "all seven anomalies are stopped by the four together")
        .evidence("block 3: 1, 2, 3 and 4 are each the only layer that stops one of them");
}

fn crowd<'a>(facts: &'a Facts, name: &str, rooms: i64) -> &'a Outcome {
    let found = facts.crowds.iter().find(|(own, o)| *own == name && o.rooms == rooms);
    &found.unwrap_or(&facts.crowds[0]).1
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    claims
        .wrong_figure(
            "15.T1",
            "30 s ends a dead holder's lock, and a slow one's: it needs the fence",
        )
        .evidence("block 3, rows 1--- with and without; --without fence");
    claims
        .met(
            "15.T2",
            format!(
                "write skew is stopped by {} alone",
                stopped_by(&facts.table, Anomaly::WriteSkew)
            ),
        )
        .evidence("--without serializable; the cost is in block 7");
    let [text, ours] = facts.both;
    claims
        .wrong_figure(
            "15.T3",
            format!("not coarser: {text} of 1,000 overlapping pairs both get it, by night {ours}"),
        )
        .evidence("block 7; --without night-lock");
    let shares: Vec<f64> = facts
        .overbook
        .iter()
        .map(|(_, terms, curve)| overbook::best(curve).limit as f64 / terms.rooms as f64 - 1.0)
        .collect();
    let (least, most) = (
        shares.iter().copied().fold(f64::INFINITY, f64::min),
        shares.iter().copied().fold(0.0, f64::max),
    );
    let within = shares.iter().filter(|share| (0.05..=0.1).contains(*share)).count();
    claims
        .wrong_figure(
            "15.T4",
            format!(
                "{} to {} by no-shows, terms and demand; {within} of {} cases in 5-10 %",
                human::percent(least),
                human::percent(most),
                shares.len()
            ),
        )
        .evidence("block 7");
    let p99 = facts.load.latency.percentiles("book, until answered").map_or(0, |p| p.p99);
    claims
        .judge("15.T5", p99 < 30_000_000_000, Value::Span(Duration::from_nanos(p99)))
        .evidence("p99 of a booking; whoever takes longer is what the fence is for");
}

fn flow(claims: &mut Claims, facts: &Facts) {
    claims
        .wrong_figure("15.F1", "15-17 and 16-18 are two keys: both are granted night 16")
        .evidence("--without night-lock");
    let (outside, inside) =
        (crowd(facts, "jitter x3", 40), crowd(facts, "jitter x3, pays inside", 40));
    claims
        .wrong_figure(
            "15.F2",
            format!("40 rooms, 1,000 clients: {} held; paid outside {}", inside.held, outside.held),
        )
        .evidence("and a rollback refunds nobody: row \"charged in vain\"");
    let text = crowd(facts, "fixed 100 ms x3 (text)", 40);
    let many = crowd(facts, "jitter x8, up to 8 s", 40);
    claims
        .wrong_figure(
            "15.F3",
            format!("{} of 40 rooms are sold; with 8 jittered attempts {}", text.held, many.held),
        )
        .evidence("block 7, 15.T1");
    claims
        .met(
            "15.F4",
            format!("{} told so, {} while rooms were free", text.in_progress, text.in_vain),
        )
        .evidence("contention.rs, 40 rooms");
    claims
        .met("15.F5", "a lease names its grant: a late release frees nobody else's")
        .evidence("archstone-lock; redis/lua/release.lua");
    claims
        .met("15.F6", "N rooms a booking: the counter moves by N, on every night or none")
        .evidence("desk.rs, hold");
    claims
        .judge(
            "15.F7",
            facts.load.forms.1 > 0,
            format!("{} looks repeated, {} forms refused", facts.load.changed, facts.load.forms.1),
        )
        .evidence("--without version");
}
