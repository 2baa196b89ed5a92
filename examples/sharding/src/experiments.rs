//! Block 7: the document's trade-offs, as experiments.

use crate::gather::Way;
use crate::layout::{SHARDS, skew};
use crate::outline;
use crate::replica::{Mode, Trouble};
use crate::scenario::{Facts, GROWTH};
use crate::scheme::Kind;
use kit::{Table, TradeOff, Value};
use std::time::Duration;

/// All of them.
#[must_use]
pub fn all(facts: &Facts) -> Vec<TradeOff> {
    vec![
        range(facts),
        hash(facts),
        geographic(facts),
        consistent(facts),
        scatter(facts),
        transactions(facts),
        replication(facts),
        federation(facts),
        against(facts),
        hot(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding: finding.into() }
}

fn range(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["scheme", "rows by shard", "newest 10 %", "a range asks"]);
    for kind in [Kind::Range, Kind::Modulo, Kind::Consistent] {
        let row = facts.layout(kind);
        let rows: Vec<String> = row.rows.iter().map(u64::to_string).collect();
        table.row([
            kind.name().into(),
            rows.join(" / ").into(),
            Value::Share(row.newest),
            Value::Num(row.asked),
        ]);
    }
    trade(
        "17.T1",
        "Ranges: what do easy range queries cost?",
        table,
        "Ids that ascend put every new user on the last shard: it takes all inserts while the others idle. A split there moves half of one shard and the next new user is on the newest shard again. Range by a key that does not ascend, or hash.",
    )
}

fn hash(facts: &Facts) -> TradeOff {
    let mut table =
        Table::new(["hashing", "4 to 5", "9 to 10", "19 to 20", "of all keys: 4 to 5", "map"]);
    for (kind, at) in &facts.moves {
        let scheme = crate::scheme::Scheme::new(*kind, GROWTH[0], &facts.input.users, 1, true);
        let share = |nth: usize| Value::Share(at[nth].0);
        let exact = at[0].1.map_or(Value::Missing, Value::Share);
        table.row([
            kind.name().into(),
            share(0),
            share(1),
            share(2),
            exact,
            Value::Bytes(scheme.bytes()),
        ]);
    }
    trade(
        "17.T2",
        "Hashing: how painful is one more shard?",
        table,
        "hash % n keeps 1/(n+1) of the keys where they are when n becomes n+1, so 1 - 1/(n+1) move, the more the larger; equal spans move a half at any n; the rest move 1/(n+1), the ring as much as its points happen to cover and Maglev a little more. Modulo over a fixed number of slots that are given to shards (Redis has 16,384) is the other way out.",
    )
}

fn geographic(facts: &Facts) -> TradeOff {
    let mut table =
        Table::new(["scheme", "mean round trip", "at their nearest", "rows, max/mean", "requests"]);
    for kind in [Kind::Geographic, Kind::Directory, Kind::Consistent] {
        let row = facts.layout(kind);
        table.row([
            kind.name().into(),
            row.trip.into(),
            Value::Share(row.home),
            Value::Num(skew(&row.rows)),
            Value::Num(skew(&row.requests)),
        ]);
    }
    trade(
        "17.T3",
        "Geography: how much is locality worth, and how uneven is it?",
        table,
        "Distance is saved for everybody, and most of the users are in one region: shards by region must be of different sizes, or sharded again within. Who asks for all regions waits for the farthest. When a region is down, GeoMap's own list says who may serve it: data does not leave for where it must not be.",
    )
}

fn consistent(facts: &Facts) -> TradeOff {
    let mut table = Table::new(["scheme", "+1 moves", "bytes moved", "only to the new one", "map"]);
    for row in &facts.parts.layouts {
        let only = row.kind.is_minimal();
        table.row([
            row.kind.name().into(),
            Value::Share(row.share),
            Value::Bytes(row.bytes),
            only.into(),
            Value::Bytes(row.map),
        ]);
    }
    trade(
        "17.T4",
        "Consistent hashing: is the movement minimal, and what is complex?",
        table,
        "A ring with virtual nodes is; the text's own two are not: equal spans are cut anew, and its router is hash % n. Complex is not the ring (a crate) but the move: routers that learn late, writes to both holders, copies that come after newer writes, a fence at the old holder. Each has its switch here.",
    )
}

fn scatter(facts: &Facts) -> TradeOff {
    let mut table = Table::new([
        "shards",
        "one by one, mean",
        "at once, p50",
        "at once, p99",
        "meet a slow one",
    ]);
    for &(shards, serial, p50, p99, slow) in &facts.tail {
        table.row([shards.into(), serial.into(), p50.into(), p99.into(), Value::Share(slow)]);
    }
    trade(
        "17.T5",
        "One question to all shards: one by one or at once?",
        table,
        "One by one adds up, at once waits for the slowest: with many shards nearly every query meets a slow one (Dean and Barroso, The Tail at Scale, 2013). A shard that does not answer is asked at its replica, then left out and named; who is slow is hedged (block 3).",
    )
}

fn transactions(facts: &Facts) -> TradeOff {
    let transfer = &facts.parts.transfer;
    let mut table = Table::new(["", "value"]);
    let ended = transfer.committed + transfer.compensated;
    table.row(["transfers that went through".into(), transfer.committed.into()]);
    table.row([
        "undone (no funds, account closed, answer lost)".into(),
        transfer.compensated.into(),
    ]);
    let each = transfer.commands as f64 / ended.max(1) as f64;
    table.row(["commands a transfer".into(), Value::Num(each)]);
    let most = Value::Int(transfer.under_way.unsigned_abs());
    table.row(["most under way when the coordinator died, cents".into(), most]);
    table.row(["crash places of two transfers, each tried".into(), transfer.points.into()]);
    trade(
        "17.T6",
        "Transactions over shards: what does a saga keep, and what not?",
        table,
        "Nothing is lost or made, at any crash. But it is not isolated: between debit and credit the sum over the shards is short by what is under way, and whoever adds up must know. Two-phase commit hides that and waits for a dead coordinator with its rows locked.",
    )
}

fn replication(facts: &Facts) -> TradeOff {
    trade(
        "17.T7",
        "Three copies: what do they buy?",
        outline::promoted(facts),
        "Three times the storage buys availability; whether it buys durability depends on when a write is acknowledged. Asynchronous copies lose the last milliseconds of lag; one acknowledged copy loses nothing as long as the furthest is promoted; all three make every write as slow as the farthest and stop when one is cut off.",
    )
}

fn federation(facts: &Facts) -> TradeOff {
    let federation = &facts.parts.federation;
    let mut table = Table::new(["", "value"]);
    let span = |name: &str| {
        let at = federation.latency.percentiles(name);
        Value::from(at.map(|p| Duration::from_nanos(p.p99)))
    };
    table.row(["page, calm, p99".into(), span("page, calm")]);
    table.row(["page, orders away, p99".into(), span("page, orders away")]);
    let each = federation.calls as f64 / federation.pages.max(1) as f64;
    table.row(["calls a page".into(), Value::Num(each)]);
    let names = federation.one_by_one as f64 / federation.pages.max(1) as f64;
    table.row(["calls for names alone, one by one".into(), Value::Num(names)]);
    table.row(["calls that waited for a dead service".into(), federation.timeouts.into()]);
    table.row(["calls that a breaker spared".into(), federation.refused.into()]);
    trade(
        "17.T8",
        "Functions apart: what does a page cost, and what a dead service?",
        table,
        "A page is three calls instead of one join, and the names come in one call, not in one each. A dead service takes its part of the page and nothing else, if somebody stops asking: the breaker. The empty list of the sample says \"no orders\" to who has some.",
    )
}

fn against(facts: &Facts) -> TradeOff {
    let federation = &facts.parts.federation;
    let mut table = Table::new(["what the database kept", "broken", "after the relay"]);
    table.row([
        "orders name users that exist".into(),
        federation.orphans[0].into(),
        federation.left[0].into(),
    ]);
    table.row([
        "orders name products that exist".into(),
        federation.orphans[1].into(),
        federation.left[1].into(),
    ]);
    table.row([
        "copied names are the names".into(),
        federation.renamed.into(),
        federation.renamed.into(),
    ]);
    trade(
        "17.T9",
        "No joins: who keeps references whole?",
        table,
        "Nobody, unless told: the service that deletes writes whom to tell in the same transaction (an outbox), a relay tells, and a sweep through the APIs counts what is left. A copied name is no error but a decision: an order shows what was bought, so it stays.",
    )
}

fn hot(facts: &Facts) -> TradeOff {
    let hot = &facts.parts.hot;
    let mut table = Table::new(["", "one row", "split"]);
    table.row([
        "busiest shard of 4, writes, max/mean".into(),
        Value::Num(hot.before),
        Value::Num(hot.after),
    ]);
    table.row([
        "busiest shard, reads, max/mean".into(),
        Value::Num(hot.reads_alone),
        Value::Num(hot.reads_spread),
    ]);
    table.row([
        "shards that a read of the counter asks".into(),
        Value::Num(1.0),
        Value::Num(hot.asked),
    ]);
    table.row(["keys split".into(), Value::Int(0), hot.split.len().into()]);
    table.row(["memory to find them".into(), Value::Missing, Value::Bytes(hot.sketch)]);
    trade(
        "17.T11",
        "A key that is hot by itself: does any scheme help?",
        table,
        "None: one key is on one shard under all of them. Found by Space-Saving, its counter becomes a row on each of several shards, written in turn and read as the sum; a hot row that is read is copied instead (HotKeys). What was counted before stays where it was.",
    )
}

/// What the claims repeat.
#[must_use]
pub fn lost(facts: &Facts, mode: Mode) -> u64 {
    [Trouble::Calm, Trouble::NearCut].iter().map(|&t| facts.replica(mode, t).lost).sum()
}

/// Share of the queries that got no answer.
#[must_use]
pub fn failed(facts: &Facts, way: Way) -> f64 {
    let row = facts.gather(way);
    row.failed as f64 / row.queries.max(1) as f64
}

/// How even a scheme's rows should be: three deviations above the mean for random keys.
#[must_use]
pub fn even(facts: &Facts) -> f64 {
    let mean = facts.input.users.len() as f64 / SHARDS as f64;
    1.0 + 3.0 * (1.0 / mean).sqrt()
}
