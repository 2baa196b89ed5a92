//! Block 6: every row of section 20 with what became of it.

use crate::anomaly::Anomaly;
use crate::outline;
use crate::scenario::Facts;
use crate::transfer::Level;
use kit::{Claims, Value, human};
use std::time::Duration;

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    strong(claims, facts);
    eventual(claims, facts);
    properties(claims, facts);
    figures(claims);
    trade_offs(claims, facts);
}

fn strong(claims: &mut Claims, facts: &Facts) {
    let (log, quorum) = (facts.bingo.row("log"), facts.bingo.row("quorum"));
    let stale = |row: &crate::bingo::Row| row.stale.iter().filter(|&&age| age > 0).count();
    let reads = human::thousands((log.stale.len() + quorum.stale.len()) as u64);
    claims
        .judge("20.FR1", stale(log) + stale(quorum) == 0, format!("{reads} reads, none stale"))
        .evidence("block 3; --without confirm-reads, --without quorums-meet");
    claims
        .judge("20.FR2", log.free_of(Anomaly::StaleRead), "log and quorum register: none")
        .evidence("block 3; tests/anomaly.rs shows that the checker sees one");
    let seeds = facts.bingo.seeds.1;
    let all =
        log.explained == [log.registers, seeds, seeds] && quorum.explained[0] == quorum.registers;
    claims
        .judge(
            "20.FR3",
            all,
            "an order explains every object of the log, every register of the quorum",
        )
        .evidence("block 7, 20.T7");
    claims
        .wrong_figure(
            "20.FR4",
            "consensus makes it linearizable; ACID by itself does not (isolation levels)",
        )
        .evidence("log.rs, quorum.rs: a register needs no consensus");
    let level = |level: Level| {
        facts.levels.iter().find(|row| row.0 == level).map_or_else(Default::default, |row| row.1)
    };
    let safe = level(Level::Serializable);
    let naive = level(Level::Statements);
    claims
        .wrong_figure(
            "20.FR5",
            format!(
                "sum off by {}, {} skews; the text has no funds check and can deadlock",
                safe.sum_off, safe.skews
            ),
        )
        .evidence("--without funds-check; block 7, 20.T6");
    claims
        .judge("20.FR6", safe.sum_off == 0, format!("read, then write: off by {}", naive.sum_off))
        .evidence("the auditor of transfer.rs; --without serializable");
}

fn eventual(claims: &mut Claims, facts: &Facts) {
    let agreed = facts.faults.iter().all(|fault| fault.recovered_ms.is_some());
    claims
        .judge("20.FR7", agreed, "replicas agree after every cut")
        .evidence("block 4; equal counts are no proof: every row is compared");
    let lww = facts.bingo.row("lww");
    claims.met("20.FR8", Value::Share(lww.stale_share())).evidence("of LWW's reads; block 3");
    claims
        .wrong_figure(
            "20.FR9",
            "write, then send: a crash between loses the like; sent twice counts twice",
        )
        .evidence("--without outbox, --without idempotent-apply");
    claims
        .wrong_figure("20.FR10", "at one millisecond each replica keeps its own: they never agree")
        .evidence("--without deterministic-ties, --without hybrid-clock");
    claims
        .wrong_figure(
            "20.FR11",
            format!(
                "{} equal clocks would be conflicts",
                human::thousands(facts.parts.clocks.equal)
            ),
        )
        .evidence("--without equal-is-equal; block 7, 20.FR11");
    let crdt = facts.bingo.row("crdt");
    claims
        .judge("20.FR12", crdt.free_of(Anomaly::LostUpdate), "CRDT: no addition lost in any seed")
        .evidence("--without own-entries; reads may still be old");
    claims
        .met("20.FR13", "broadcast, and gossip every 80 ms for what was lost")
        .evidence("eventual.rs");
}

fn properties(claims: &mut Claims, facts: &Facts) {
    let (log, quorum, lww) =
        (facts.bingo.row("log"), facts.bingo.row("quorum"), facts.bingo.row("lww"));
    let free = Anomaly::ALL.iter().all(|&kind| log.free_of(kind));
    let skew = quorum.free_of(Anomaly::WriteSkew);
    let said = "the log with whole commands: none; linearizable registers still lose updates";
    if free && !skew {
        claims.wrong_figure("20.NFR1", said)
    } else {
        claims.judge("20.NFR1", free, said)
    }
    .evidence("row \"quorum register\" of the answer");
    let p50 = |row: &crate::bingo::Row, name: &str| {
        let p = row.latency.percentiles(name).map_or(0, |p| p.p50);
        Duration::from_nanos(p)
    };
    claims
        .judge("20.NFR2", p50(log, "write") > p50(lww, "write"), p50(log, "write"))
        .evidence("median write of the log, from any node");
    claims
        .wrong_figure(
            "20.NFR3",
            format!("the majority's side answers {}", human::percent(log.share(1))),
        )
        .evidence("block 7, 20.T3");
    let each = |row: &crate::bingo::Row| row.messages as f64 / row.calls.max(1) as f64;
    claims
        .met("20.NFR4", Value::Num(each(log)))
        .unit("messages/call")
        .evidence("one order is one leader's bandwidth; batching is not built");
    claims
        .judge("20.NFR5", p50(lww, "write") < p50(log, "write"), p50(lww, "write"))
        .evidence("median write of LWW: the doorstep");
    claims
        .judge("20.NFR6", lww.share(0) >= 0.99, Value::Share(lww.share(0)))
        .evidence("answered on the small side of a cut");
    let lost = Anomaly::ALL.iter().position(|&kind| kind == Anomaly::LostUpdate).unwrap_or(0);
    claims
        .met("20.NFR7", format!("LWW loses updates in {} seeds", lww.cells[lost].0))
        .evidence("the answer; causal too: order is no merge");
    claims.met("20.NFR8", "one more duty for the program a step").evidence("block 7, 20.T5");
}

fn figures(claims: &mut Claims) {
    for estimate in outline::estimates() {
        if ["20.E1", "20.E2"].contains(&estimate.id.as_str()) {
            claims.estimate(&estimate);
        }
    }
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let row = |slug: &str| facts.bingo.row(slug);
    claims
        .met("20.T1", format!("stalest read: log 0, LWW {}", human::duration(row("lww").stalest())))
        .evidence("block 7");
    claims.met("20.T2", "round trips to a majority against none").evidence("block 7");
    claims.wrong_figure("20.T3", "lower on the side without a majority only").evidence("block 7");
    claims
        .wrong_figure("20.T4", "both tolerate a cut: neither is wrong afterwards")
        .evidence("block 4, block 7");
    claims.met("20.T5", "moves from the store into each program").evidence("block 7");
    claims.met("20.T6", "the same accounts at four levels").evidence("block 7");
    claims
        .wrong_figure("20.T7", "PostgreSQL's default is read committed; DynamoDB reads either way")
        .evidence("block 7");
    claims
        .wrong_figure("20.T8", "no choice of two: during a cut, linearizable or available")
        .evidence("block 7");
    let safe = facts.parts.transfer;
    claims
        .met("20.R1", format!("{} transfers, {} refused, none wrong", safe.done, safe.refused))
        .evidence("transfer.rs; seats and stock: designs 10, 15, 27, 45");
    claims
        .met(
            "20.R2",
            format!("{} likes, all there once", human::thousands(facts.parts.likes.likes)),
        )
        .evidence("likes.rs");
}
