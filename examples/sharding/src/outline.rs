//! How what was found is shown: the answer, the drawing, the tables.

use crate::database::{Folder, Row, key, position};
use crate::gather::Way;
use crate::input::Input;
use crate::layout::{Layout, SHARDS, skew};
use crate::replica::{Mode, Trouble};
use crate::scenario::{Facts, GROWTH};
use crate::scheme::Kind;
use kit::estimate::units::{BYTE, ITEM, ONE};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Failure, Fault, Flow, Latencies, Table, Value, chart, human};
use std::time::{Duration, Instant};

/// Block 2.
pub const DIAGRAM: &str = r"
  users of a log ──{   rows   }──▶ router ──▶ range, hash, region, table, ring
                                    │
     4 databases, one file each ◀───┤ ──{  moved   }──▶ the 5th, one more shard
     clients meanwhile ─────────────┤ ──{ clients  }──▶ old and new holder
     {  asks    } ◀── scatter ──────┤
                                    ▼
  shard: primary ──{ shipped  }──▶ 2 replicas      hot key ─{   hot    }─▶ parts
  transfer: debit ─{   saga   }──▶ credit        schema ──{  schema  }─▶ shards
  federation: page ─{  calls   }─▶ users, orders, inventory, analytics
                     {  orphans } orders of what is gone, found
";

impl Facts {
    /// What a scheme did.
    ///
    /// # Panics
    /// When it was not laid out.
    #[must_use]
    pub fn layout(&self, kind: Kind) -> &Layout {
        self.parts.layouts.iter().find(|row| row.kind == kind).expect("it is laid out")
    }

    /// What a primary's death did.
    ///
    /// # Panics
    /// When it was not tried.
    #[must_use]
    pub fn replica(&self, mode: Mode, trouble: Trouble) -> &crate::replica::Facts {
        let nth = [Mode::Async, Mode::SemiSync, Mode::All].iter().position(|&m| m == mode);
        let nth = 2 * nth.unwrap_or(0) + usize::from(trouble == Trouble::NearCut);
        &self.parts.replicas[nth]
    }

    /// What a way to ask all shards did.
    ///
    /// # Panics
    /// When it was not tried.
    #[must_use]
    pub fn gather(&self, way: Way) -> &crate::gather::Facts {
        self.parts.gather.iter().find(|row| row.way == way).expect("it was asked")
    }
}

/// The answer: the same rows under each scheme.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    let input = &facts.input;
    let whose = if facts.own { "your log" } else { "a real log" };
    let reshard = &facts.parts.reshard;
    block.text(format!(
        "{} users ({} of {whose}) on {SHARDS} databases, then on {}. Skew is max/mean.",
        human::thousands(input.users.len() as u64),
        human::thousands(input.real as u64),
        SHARDS + 1,
    ));
    let columns =
        ["scheme", "rows", "requests", "newest 10 %", "range asks", "+1 moves", "exactly"];
    let mut table = Table::new(columns);
    for row in &facts.parts.layouts {
        table.row([
            row.kind.name().into(),
            Value::Num(skew(&row.rows)),
            Value::Num(skew(&row.requests)),
            Value::Share(row.newest),
            Value::Num(row.asked),
            Value::Share(row.share),
            row.exact.map_or(Value::Missing, Value::Share),
        ]);
    }
    block.table(table);
    block.text(format!(
        "Online: {} reads, {} failed, {} stale; {} rows moved in {}.",
        human::thousands(reshard.reads),
        reshard.failed,
        reshard.stale,
        human::thousands(reshard.copied),
        human::duration(reshard.took),
    ));
    block
}

/// Block 1: the figures, recomputed.
#[must_use]
pub fn estimates(facts: &Facts) -> Vec<Estimate> {
    vec![
        Estimate::new("17.E2", "hash(123) % 4", "", 3.0 * ONE)
            .working("123 = 30 x 4 + 3 and 456 = 114 x 4 + 0: right if the hash of a number is itself, which keeps every pattern of the ids")
            .document("3"),
        Estimate::new("17.E3", "widest span beside the mean", "x", 251.0 / 250.0 * ONE)
            .working("0-250 are 251 positions, 751-999 are 249: even to 0.4 %")
            .document("1 x"),
        Estimate::new("17.E4", "copies of a row", "x", 3.0 * ONE)
            .working("1 primary + 2 replicas; logs and backups come on top")
            .document("3 x"),
        Estimate::new(
            "17.E5",
            "100 M rows of this table with its index",
            "GB",
            100e6 * ITEM * (facts.row_bytes * BYTE / ITEM),
        )
        .working("bytes of a row as SQLite's file has them: memory of one machine, so rows alone are no reason to shard"),
    ]
}

/// Block 2: what flowed.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let parts = &facts.parts;
    let rows: u64 = parts.layouts.iter().map(|row| row.touched).sum();
    flow.edge("rows", "log", "router", rows, "rows");
    let moved = parts.layouts.iter().map(|row| row.moved).sum::<u64>() + parts.reshard.copied;
    flow.edge("moved", "router", "fifth", moved, "rows");
    let clients = parts.reshard.reads + parts.reshard.writes;
    flow.edge("clients", "clients", "holders", clients, "operations");
    flow.edge("asks", "router", "shards", parts.gather.iter().map(|g| g.asks).sum(), "queries");
    let shipped = parts.replicas.iter().map(|r| r.statements).sum();
    flow.edge("shipped", "primary", "replicas", shipped, "statements");
    flow.edge("hot", "hot key", "parts", parts.hot.likes, "likes");
    flow.edge("saga", "debit", "credit", parts.transfer.commands, "commands");
    let schema = &parts.schema;
    let requests = schema.reads.iter().chain(&schema.writes).sum();
    flow.edge("schema", "servers", "shards", requests, "requests");
    flow.edge("calls", "page", "services", parts.federation.calls, "calls");
    flow.edge("orphans", "orders", "users", parts.federation.orphans.iter().sum(), "orders");
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    block.text(format!(
        "What one more shard moves, {} to {}, of all keys:",
        GROWTH[0],
        GROWTH[0] + 1
    ));
    let bars: Vec<_> = facts
        .moves
        .iter()
        .map(|(kind, at)| (kind.name().to_owned(), at[0].1.unwrap_or(at[0].0)))
        .map(|(name, share)| (name, share, Value::Share(share)))
        .collect();
    block.lines(chart::bars(&bars, 76));

    block.text("\nOne question to all shards; a copy is down one time in fifty, one shard with both copies one time in a hundred. Time is virtual, queries are real:");
    block.table(gathered(facts));
    block.text(
        "A primary dies under 600 writes a second; a near replica 1 ms away, a far one 12 ms:",
    );
    block.table(promoted(facts));

    let reshard = &facts.parts.reshard;
    block.text(format!(
        "A shard more under load: {} reads ({} asked a second shard) and {} writes ({} went to two, {} were refused by who had handed over) while {} ranges moved; {} copied rows found a newer one; {} move begun again.",
        human::thousands(reshard.reads),
        human::thousands(reshard.second),
        human::thousands(reshard.writes),
        human::thousands(reshard.doubled),
        human::thousands(reshard.refused),
        human::thousands(reshard.moves),
        human::thousands(reshard.older),
        reshard.again,
    ));
    let transfer = &facts.parts.transfer;
    block.text(format!(
        "Transfers between shards: {} went through, {} were undone; the coordinator died {} times, at all {} places; {} answers were lost, {} requests came when all was over and did nothing.",
        human::thousands(transfer.committed),
        human::thousands(transfer.compensated),
        human::thousands(transfer.crashes),
        transfer.points,
        human::thousands(transfer.unknown),
        human::thousands(transfer.late),
    ));
    let schema = &facts.parts.schema;
    block.text(format!(
        "Schema change: {} steps, {} rows filled; {} requests by the old program and {} by the new, {} while both ran; {} wrong.",
        schema.steps,
        schema.filled,
        human::thousands(schema.reads[0] + schema.writes[0]),
        human::thousands(schema.reads[1] + schema.writes[1]),
        human::thousands(schema.mixed),
        schema.wrong,
    ));
    let federation = &facts.parts.federation;
    block.text(format!(
        "Federation: {} pages, {} calls, {} timed out, {} refused at once by a breaker; {} pages said that their orders are missing, {} showed copied names. {} orders named a user that is gone and {} a product; after the relay {} and {}.",
        human::thousands(federation.pages),
        human::thousands(federation.calls),
        federation.timeouts,
        federation.refused,
        federation.degraded,
        federation.copied,
        federation.orphans[0],
        federation.orphans[1],
        federation.left[0],
        federation.left[1],
    ));
    block
}

/// Ways to ask all shards, side by side.
#[must_use]
pub fn gathered(facts: &Facts) -> Table {
    let mut table = Table::new(["asked", "p50", "p99", "failed", "partial", "asks a query"]);
    for row in &facts.parts.gather {
        let at = row.latency.percentiles(row.way.name());
        let span = |nanos: Option<u64>| Value::from(nanos.map(Duration::from_nanos));
        let share = |n: u64| Value::Share(n as f64 / row.queries as f64);
        table.row([
            row.way.name().into(),
            span(at.map(|p| p.p50)),
            span(at.map(|p| p.p99)),
            share(row.failed),
            share(row.partial),
            Value::Num(row.asks as f64 / row.queries as f64),
        ]);
    }
    table
}

/// Ways to acknowledge, side by side.
#[must_use]
pub fn promoted(facts: &Facts) -> Table {
    let columns =
        ["acknowledged by", "near replica", "p50", "p99", "acked", "lost", "oldest", "waiting"];
    let mut table = Table::new(columns);
    for row in &facts.parts.replicas {
        let at = row.latency.percentiles(&format!("write, {}", row.mode.name()));
        let span = |nanos: Option<u64>| Value::from(nanos.map(Duration::from_nanos));
        let near = if row.trouble == Trouble::Calm { "up" } else { "cut off" };
        table.row([
            row.mode.name().into(),
            near.into(),
            span(at.map(|p| p.p50)),
            span(at.map(|p| p.p99)),
            row.acked.into(),
            row.lost.into(),
            row.oldest.into(),
            row.waiting.into(),
        ]);
    }
    table
}

/// Block 3: virtual latencies.
pub fn latency(latency: &mut Latencies, facts: &Facts) {
    let parts = &facts.parts;
    latency.merge(&parts.reshard.latency);
    for row in &parts.gather {
        latency.merge(&row.latency);
    }
    for row in parts.replicas.iter().filter(|row| row.trouble == Trouble::Calm) {
        latency.merge(&row.latency);
    }
    latency.merge(&parts.federation.latency);
}

/// Block 4.
#[must_use]
pub fn faults(facts: &Facts) -> Vec<Fault> {
    let parts = &facts.parts;
    let mut faults = Vec::new();
    let millis = |span: Duration| span.as_millis() as u64;
    for row in parts.replicas.iter().filter(|row| row.mode != Mode::All) {
        let near = if row.trouble == Trouble::Calm { "" } else { ", its near replica cut off" };
        faults.push(Fault {
            kind: format!("a primary dies{near} ({})", row.mode.name()),
            at_ms: millis(row.crashed),
            recovered_ms: row.recovered.map(millis),
            effect: format!("{} of {} acknowledged writes lost", row.lost, row.acked),
        });
    }
    let restore = &parts.restore;
    faults.push(Fault {
        kind: "a shard is lost with all its copies".to_owned(),
        at_ms: restore.at.as_millis(),
        recovered_ms: Some(millis(restore.took)),
        effect: format!(
            "its keys unanswered meanwhile; backup of {} rows, {} statements replayed, the last {} lost",
            human::thousands(restore.backup),
            human::thousands(restore.replayed),
            restore.lost
        ),
    });
    faults.extend(parts.reshard.fault.clone());
    faults.extend(parts.transfer.fault.clone());
    faults.extend(parts.federation.faults.clone());
    faults
}

/// Bytes of a row in its file; the machine's time to write, read and move so many rows.
///
/// # Errors
/// What SQLite says.
pub fn measure(input: &Input, seed: u64) -> Result<(f64, [Duration; 3], u64), Failure> {
    let folder = Folder::new()?;
    let (one, two) = (folder.shard("timed-1")?, folder.shard("timed-2")?);
    let users: Vec<_> = input.users.iter().take(20_000).collect();
    let began = Instant::now();
    one.load(users.iter().copied(), seed)?;
    let wrote = began.elapsed();
    let pragma = |name: &str| one.sql().query_row(&format!("PRAGMA {name}"), [], |r| r.get(0));
    let bytes: (u64, u64) = (pragma("page_count")?, pragma("page_size")?);
    let began = Instant::now();
    for user in &users {
        std::hint::black_box(one.get(user.id)?);
    }
    let read = began.elapsed();
    let began = Instant::now();
    two.transaction(|two| {
        for user in &users {
            let row = one.get(user.id)?.unwrap_or(Row { user: (*user).clone(), version: 1 });
            two.copy_in(&row, position(key(user.id, seed)), true)?;
        }
        Ok(())
    })?;
    one.transaction(|one| users.iter().try_for_each(|user| one.delete(user.id)))?;
    let moved = began.elapsed();
    let timed = users.len() as u64;
    Ok(((bytes.0 * bytes.1) as f64 / timed as f64, [wrote, read, moved], timed))
}

/// Rates and the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    let parts = &facts.parts;
    wall.events = parts.layouts.iter().map(|row| row.touched).sum::<u64>()
        + parts.reshard.statements
        + parts.replicas.iter().map(|row| row.statements).sum::<u64>()
        + parts.restore.statements
        + parts.gather.iter().map(|row| row.asks).sum::<u64>()
        + parts.hot.likes
        + parts.transfer.statements
        + parts.schema.statements
        + parts.federation.statements;
    wall.busy = facts.spent;
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let rate = |span: Duration| facts.timed as f64 / span.as_secs_f64().max(1e-9);
    let [wrote, read, moved] = facts.busy;
    // 100 M rows, each read once and written a tenth as often in a busy hour.
    wall.capacity = vec![
        plan("reads by key", rate(read), 1e8 / 3_600.0, "reads/s", "PostgreSQL, a replica each"),
        plan("writes in bulk", rate(wrote), 1e7 / 3_600.0, "writes/s", "Citus or Vitess shards"),
        plan(
            "a fifth moved in an hour",
            rate(moved),
            2e7 / 3_600.0,
            "rows/s",
            "VReplication, logical replication",
        ),
    ];
}
