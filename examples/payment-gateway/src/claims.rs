//! Block 6: every row of section 8 with what became of it.

use crate::outline;
use crate::scenario::Facts;
use kit::{Claims, Value, human};
use std::time::Duration;

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    functions(claims, facts);
    qualities(claims, facts);
    figures(claims, facts);
    trade_offs(claims, facts);
    sample(claims, facts);
}

fn functions(claims: &mut Claims, facts: &Facts) {
    let day = &facts.day;
    let all = day.by_method.values().map(|counts| counts.0).sum::<u64>();
    claims
        .judge("8.FR1", all == day.orders, format!("{all} orders by card, wallet, UPI; none open"))
        .evidence("method.rs: three rails that differ in what a second request does");
    claims
        .met("8.FR2", format!("{} refunds, {} chargebacks", day.refunds, day.disputes))
        .evidence("partial ones, too; --without refund-reserve");
    claims
        .met("8.FR3", format!("killed at {} steps: once", facts.found.crashed))
        .evidence("at least once with ids, applied once; exactly-once delivery there is none");
    claims
        .met("8.FR4", "GET and server-sent events")
        .evidence("serve.rs, tests/serve.rs: each change within a tick of its commit");
    claims
        .met("8.FR5", format!("{} sent, signed, in order", human::thousands(day.webhooks)))
        .evidence("--without webhook-order, --without webhook-signature");
}

fn qualities(claims: &mut Claims, facts: &Facts) {
    let rate = facts.day.orders as f64 / facts.busy.as_secs_f64().max(1e-9);
    claims
        .at_least("8.NFR1", rate, 579.0, "tx/s on one core")
        .wall()
        .evidence("with the whole simulation around it; block 8: cores for 10 M and 100 M a day");
    let killed = facts.faults.first().and_then(|fault| fault.recovered_ms).unwrap_or(0);
    claims
        .not_built(
            "8.NFR2",
            "one process; a kill is over in 0.5 s, but a lost machine needs a replica",
        )
        .evidence(&format!("block 4: all that a kill held up is done {killed} ms after it"));
    let reply = facts.day.latency.percentiles("reply").map_or(u64::MAX, |p| p.max);
    claims
        .at_most("8.NFR3", reply as f64 / 1e9, 2.0, "s")
        .evidence("the slowest reply: after 1.9 s it is 202, and the outcome follows");
    claims
        .met("8.NFR4", "no double charge on nasty days, nor at any crash")
        .evidence("--without idempotency, durable-key, write-ahead, query-before-retry");
    claims
        .met("8.NFR5", "what was accepted is there: WAL, synchronous = FULL in --serve")
        .evidence("a second disk is not built; the audit log's chain shows a missing line");
    claims
        .not_built("8.NFR6", "its rules for data are kept; an audit by people is no program's")
        .evidence("block 7, 8.T6; vault.rs, audit.rs, tests/parts.rs");
}

fn figures(claims: &mut Claims, facts: &Facts) {
    for estimate in outline::estimates() {
        claims.estimate(&estimate);
    }
    let usual = facts.weather.get(1).map(|row| &row.1);
    let share =
        usual.map_or(0.0, |day| day.captured as f64 / (day.captured + day.failed).max(1) as f64);
    claims.met("8.E5", Value::Share(share)).evidence(
        "of 60 orders; the generator declines 12 %, so it is an assumption, as in the text",
    );
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    claims.met("8.T1", "a log, fed by the outbox").evidence("block 7");
    claims
        .judge("8.T2", facts.window.before && facts.window.after, "kept 24 h to the second")
        .evidence("block 7; in the database, so a restart forgets nothing");
    claims
        .wrong_figure("8.T3", "what is unknown must not be failed: it is asked after")
        .evidence("--without unknown-is-not-failed; block 7");
    claims
        .wrong_figure("8.T4", "no bottleneck (a key an order), and no protection")
        .evidence("block 7");
    claims.met("8.T5", "without faults a card has no query and no retry").evidence("block 7");
    claims.met("8.T6", "tokens, no CVV, sealed").evidence("--without sealed-vault; block 7");
}

fn sample(claims: &mut Claims, facts: &Facts) {
    let text = facts.dual.get(2).map(|row| row.1).unwrap_or_default();
    claims
        .wrong_figure("8.S1", format!("{} of {} crashes loses the event", text.lost, text.killed))
        .evidence("dual.rs; --without outbox");
    let lock = facts.locks[0];
    claims
        .wrong_figure("8.S2", format!("{} charges of one order", lock.charges))
        .evidence("sample.rs: it deletes the next owner's lock");
    let median = facts.day.latency.percentiles("outcome, card").map_or(0, |p| p.p50);
    let median = human::duration(Duration::from_nanos(median));
    claims
        .wrong_figure("8.S3", format!("a card takes {median}: nearly all get the error"))
        .evidence("block 7, 8.S3");
    claims
        .wrong_figure("8.S4", "a connection a payment for as long as a bank thinks")
        .evidence("block 7, 8.S4; worker.rs: no transaction is open while anybody is asked");
    claims
        .wrong_figure("8.S5", format!("{} of them refused here", facts.day.mismatches))
        .evidence("--without fingerprint");
}
