//! Block 7: the document's trade-offs, as experiments.

use crate::anomaly::Anomaly;
use crate::bingo::Row;
use crate::outline;
use crate::scenario::Facts;
use archstone_crdt::quorum::Quorum;
use kit::{Table, TradeOff, Value, human};

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        consistency(facts),
        latency(facts),
        availability(facts),
        tolerance(facts),
        complexity(facts),
        money(facts),
        spectrum(facts),
        cap(),
        conflicts(facts),
        quorums(),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

fn consistency(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["model", "stale reads", "stalest", "a client goes back in"]);
    for row in &facts.bingo.rows {
        let at = Anomaly::ALL.iter().position(|&kind| kind == Anomaly::BackwardsRead);
        let back = row.cells[at.unwrap_or(0)].0;
        let back = format!("{back} of {} seeds", facts.bingo.seeds.1);
        table.row([
            row.model.name.into(),
            Value::Share(row.stale_share()),
            row.stalest().into(),
            back.into(),
        ]);
    }
    trade(
        "20.T1",
        "\"Immediate\" against \"delayed\": how stale is a read?",
        table,
        "Delayed has no upper limit: a cut adds its whole length. Between the two lies causal: as stale, but no client ever goes back, wherever it moves.",
    )
}

fn latency(facts: &Facts) -> TradeOff {
    trade(
        "20.T2",
        "What does each model cost in time, availability and staleness?",
        outline::costs(facts),
        "Strong pays round trips to a majority, not \"high latency\" as such: near the leader a write takes 30 ms, at the far end of the line three times that. Weak ones answer within the doorstep.",
    )
}

fn availability(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["model", "small side", "large side", "no cut"]);
    for row in &facts.bingo.rows {
        table.row([
            row.model.name.into(),
            Value::Share(row.share(0)),
            Value::Share(row.share(1)),
            Value::Share(row.share(2)),
        ]);
    }
    trade(
        "20.T3",
        "Who is answered during a cut, within 600 ms?",
        table,
        "\"Can't tolerate partitions\" is wrong: the side with the majority goes on, after an election when the leader was on the other. The side without is refused, and that is what keeps both right. Causal sessions that moved across the cut wait for what they have seen.",
    )
}

fn tolerance(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["fault", "whole again after", "meanwhile"]);
    for fault in &facts.faults {
        let after = fault.recovered_ms.map_or("never".into(), |ms| format!("{ms} ms"));
        table.row([fault.kind.as_str().into(), after.into(), fault.effect.as_str().into()]);
    }
    trade(
        "20.T4",
        "\"Poor\" against \"good\" tolerance: what does each do in a cut, and after it?",
        table,
        "All of them tolerate it: none is wrong afterwards. They differ in who is answered meanwhile, and in how long reads differ.",
    )
}

fn complexity(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["model", "messages/call", "a client carries", "the program must"]);
    for row in &facts.bingo.rows {
        let (carries, must) = match row.model.slug {
            "log" => ("nothing", "retry with the same id"),
            "log-local-reads" => ("nothing", "expect the past from a deposed leader"),
            "quorum" => ("nothing", "never read and then write"),
            "quorum-no-repair" => ("nothing", "expect to see a value come and go"),
            "causal" => ("a version vector", "merge concurrent writes itself"),
            "crdt" => ("nothing", "find a type whose merge is right"),
            _ => ("the latest stamp", "accept that concurrent writes are lost"),
        };
        let each = row.messages as f64 / row.calls.max(1) as f64;
        table.row([row.model.name.into(), each.into(), carries.into(), must.into()]);
    }
    trade(
        "20.T5",
        "\"Lower\" against \"higher\" complexity: for whom?",
        table,
        "Messages include heartbeats and gossip at this low load. What a weak model saves inside the store comes back as a line in the last column, in every program that uses it.",
    )
}

fn money(facts: &Facts) -> TradeOff {
    let columns =
        ["a client asks by", "done", "refused", "waits", "turned back", "sum off by", "skews"];
    let mut table = Table::new(columns);
    for (level, sum, _) in &facts.levels {
        table.row([
            level.name().into(),
            sum.done.into(),
            sum.refused.into(),
            sum.waited.into(),
            sum.aborted.into(),
            (sum.sum_off as u64).into(),
            sum.skews.into(),
        ]);
    }
    trade(
        "20.T6",
        "Two clients, two accounts, one real SQLite file: what does each way of asking let through?",
        table,
        "Sum off by is in cents, lost updates; a skew is a withdrawal that the couple's funds did not cover. SQLite's own isolation is serializable: a transaction that wrote from an old snapshot is turned back (SQLITE_BUSY_SNAPSHOT). What breaks is the program that reads outside of it. The text's FOR UPDATE in argument order deadlocks for A to B beside B to A where locks are by row: lock in the order of ids, or be ready to retry.",
    )
}

fn spectrum(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["model", "registers", "counter", "set", "free of all five"]);
    let seeds = facts.bingo.seeds.1;
    for row in &facts.bingo.rows {
        let of = |n: u64, all: u64| Value::from(format!("{n} of {all}"));
        let free = |row: &Row| Anomaly::ALL.iter().all(|&kind| row.free_of(kind));
        table.row([
            row.model.name.into(),
            of(row.explained[0], row.registers),
            of(row.explained[1], seeds),
            of(row.explained[2], seeds),
            free(row).into(),
        ]);
    }
    trade(
        "20.T7",
        "Histories that one order explains (linearizable), by object: where is each model on the line?",
        table,
        "A quorum register with read repair explains every register and not the counter or the set: they must read and then write, and a register cannot make two clients agree on who was first. \"Linearizable (ACID)\" mixes two things: linearizable is about one object in real time, serializable about transactions over many. PostgreSQL's default is read committed, neither of the two.",
    )
}

fn cap() -> TradeOff {
    let mut table =
        Table::new(["while a cut lasts", "consistent", "available to all", "who does so"]);
    let rows = [
        ("refuse on the side without a majority", "yes", "no", "log, quorum register"),
        ("answer everywhere", "no", "yes", "causal, eventual"),
        ("both", "no", "no", "nobody: the theorem"),
        ("there is no cut", "yes", "yes", "all: then latency decides"),
    ];
    for (what, consistent, available, who) in rows {
        table.row([what.into(), consistent.into(), available.into(), who.into()]);
    }
    trade(
        "20.T8",
        "CAP: which two of three?",
        table,
        "None: a network that can be cut is not a choice, so \"CA\" names no distributed system (one node is not cut, nor is it available when it stops). The choice is, during a cut, between linearizable and answering at every node that is up; else between latency and consistency (PACELC). Products are not CP or AP either: Cassandra at QUORUM refuses, Redis with replicas loses acknowledged writes, DynamoDB has both kinds of read.",
    )
}

fn conflicts(facts: &Facts) -> TradeOff {
    let clocks = &facts.parts.clocks;
    let mut table = Table::new(["a version that came is", "times", "here", "the text"]);
    table.row(["newer".into(), clocks.newer.into(), "replaces".into(), "replaces".into()]);
    table.row(["older".into(), clocks.older.into(), "dropped".into(), "dropped".into()]);
    table.row(["the same".into(), clocks.equal.into(), "dropped".into(), "conflict".into()]);
    table.row(["concurrent".into(), clocks.concurrent.into(), "kept".into(), "conflict".into()]);
    let share = clocks.equal as f64 / clocks.text.max(1) as f64;
    trade(
        "20.FR11",
        "Concurrent or equal: how many conflicts does the text's isConcurrent make up?",
        table,
        format!(
            "{} of what it calls concurrent is one write that came twice. Neither before the other is two cases, and only one of them is a conflict.",
            human::percent(share)
        ),
    )
}

fn quorums() -> TradeOff {
    let columns = ["R", "W", "meet", "stale read, no repair", "reads survive", "writes survive"];
    let mut table = Table::new(columns);
    for (r, w) in [(1, 1), (2, 2), (1, 5), (3, 3), (2, 4), (5, 1)] {
        let quorum = Quorum::new(5, r, w).expect("of five");
        let lost = |n: u32| Value::from(format!("any {n} lost"));
        table.row([
            r.into(),
            w.into(),
            quorum.is_strict().into(),
            Value::Share(quorum.stale_probability()),
            lost(quorum.tolerates_read()),
            lost(quorum.tolerates_write()),
        ]);
    }
    trade(
        "20.FR1",
        "Five copies: which R and W?",
        table,
        "R + W > N makes quorums meet, which is needed and not enough: without read repair a write that is under way is seen by one reader and not by the next (the row \"no read repair\" above).",
    )
}
