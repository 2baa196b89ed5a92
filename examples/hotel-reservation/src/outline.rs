//! How what was found is shown: the answer, the drawing, the tables.

use crate::explore::{Anomaly, Row, stopped_by};
use crate::scenario::Facts;
use kit::estimate::units::{DAY, EVENT, ITEM, SECOND};
use kit::money::{Currency, Money};
use kit::report::Wall;
use kit::{Block, Capacity, Estimate, Flow, Latencies, Table, Value, human};

/// Block 2.
pub const DIAGRAM: &str = r"
  guests ──{ searches }──▶ search ──{  offers  }──▶ guests
     │
  {   held   }   1 lease on the nights    busy {   busy   } times
     │           2 CHECK and UNIQUE       a channel refused {  blind   } times
     │           3 one transaction
     ▼           4 version                looks again {  again   } times
  desk: nights + stays ──{   told   }──▶ front desk, {  stale   } too late
     │
  {  sagas   }──▶ hold, charge, confirm ──▶ provider, {  silent  } silent
     ├──▶ {  booked  } booked ──▶ {  changed } cancelled or moved
     └──▶ {  undone  } undone, their nights free
";

/// The answer: the anomalies, and which layers stop each.
#[must_use]
pub fn answer(facts: &Facts) -> Block {
    let mut block = Block::default();
    if let Some(own) = &facts.own {
        let skipped = match own.skipped {
            0 => String::new(),
            n => format!(", {n} lines skipped"),
        };
        block.text(format!("Your stays: {} of {} booked{skipped}.", own.held, own.table.len()));
        if own.table.len() <= 8 {
            block.table(own.table.clone());
        } else {
            block.text("Block 3 has each of them.");
        }
        return block;
    }
    block.text("Layers: 1 lease with fence, 2 constraint, 3 serializable, 4 version. On SQLite:");
    let mut table = Table::new(["what goes wrong", "stopped by", "with none of them", "e.g."]);
    for kind in Anomaly::ALL {
        let none = facts.table[0].cell(kind);
        table.row([
            kind.name().into(),
            stopped_by(&facts.table, kind).into(),
            format!("{} of {} schedules", none.shown, none.run).into(),
            none.first.clone().into(),
        ]);
    }
    block.table(table);
    block
}

/// Block 1: the figures, recomputed.
#[must_use]
pub fn estimates() -> Vec<Estimate> {
    let per_day = EVENT / DAY;
    vec![
        Estimate::new("15.E1", "hotels", "hotels", 50e3 * ITEM).working("given").document("50K hotels"),
        Estimate::new("15.E2", "rows of nights, by room", "items", 10e6 * 365.0 * ITEM)
            .working("10 M rooms x 365 nights, as its room_inventory (room_id, date) has them; by type, 100 times fewer"),
        Estimate::new("15.E3", "bookings that 10 M rooms make", "bookings/day", 10e6 * 0.65 / 3.0 * per_day)
            .working("10 M rooms x 65 % taken / 3 nights; 500,000 a day fill 15 % of them: nobody would overbook")
            .document("500K bookings/day"),
        Estimate::new("15.E4", "peak", "bookings/s", 500e3 * 10.0 * per_day)
            .working("500,000 / 86,400 s x 10")
            .document("60 bookings/s"),
        Estimate::new("15.E5", "1,000 clients through one lock", "s", 1_000.0 * 0.045 * SECOND)
            .working("45 ms each under the lease, one after the other: no policy of 3 attempts in 300 ms outlasts that"),
        Estimate::new("15.E6", "nights written at peak", "writes/s", 500e3 * 10.0 * 3.0 * per_day)
            .working("58 bookings/s x 3 nights"),
    ]
}

/// Block 2: what flowed.
pub fn flow(flow: &mut Flow, facts: &Facts) {
    let load = &facts.load;
    flow.edge("searches", "guests", "search", load.searches, "searches");
    flow.edge("offers", "search", "guests", load.offers, "offers");
    flow.edge("held", "guests", "desk", load.held, "holds");
    flow.edge("busy", "lease", "guests", load.busy, "refusals");
    flow.edge("blind", "channel", "desk", load.channel.1, "refusals");
    flow.edge("again", "desk", "desk", load.changed, "looks");
    flow.edge("told", "desk", "front desk", load.held, "messages");
    flow.edge("stale", "front desk", "guests", load.stale, "refusals");
    flow.edge("sagas", "desk", "saga", load.booked + load.undone, "sagas");
    flow.edge("silent", "provider", "saga", load.unanswered, "answers");
    flow.edge("booked", "saga", "desk", load.booked, "bookings");
    flow.edge("undone", "saga", "desk", load.undone, "bookings");
    flow.edge("changed", "guests", "desk", load.cancelled + load.moved, "changes");
}

/// The table of combinations.
#[must_use]
pub fn combinations(rows: &[Row]) -> Table {
    let columns = std::iter::once("layers").chain(Anomaly::ALL.iter().map(|kind| kind.short()));
    let mut table = Table::new(columns);
    for row in rows {
        let cell = |kind: &Anomaly| match row.cell(*kind) {
            cell if cell.shown == 0 => Value::from("no"),
            cell => Value::from(format!("{}/{}", cell.shown, cell.run)),
        };
        let cells = Anomaly::ALL.iter().map(cell);
        table.row(std::iter::once(Value::from(row.layers.name())).chain(cells));
    }
    table
}

/// Block 3.
#[must_use]
pub fn load(facts: &Facts) -> Block {
    let mut block = Block::default();
    if let Some(own) = &facts.own {
        block.text("Your stays, searched for and booked in their order:").table(own.table.clone());
    }
    let load = &facts.load;
    let count = |n: u64| human::thousands(n);
    block.text(format!(
        "{} guests in groups: {} searches over hotels around real places, {} nights held, {} times full, {} times BOOKING_IN_PROGRESS. {} bookings ({} room nights), {} undone, {} holds run out, {} cancelled, {} moved, {} moves refused. Earned: {}.",
        count(facts.guests),
        count(load.searches),
        count(load.held),
        count(load.full),
        count(load.in_progress),
        count(load.booked),
        count(load.room_nights),
        count(load.undone),
        count(load.expired),
        count(load.cancelled),
        count(load.moved),
        count(load.not_moved),
        Money::new(load.earned, Currency::EUR),
    ));
    block.text(format!(
        "Meanwhile {} answers of the provider never came and {} charges were called off while under way; the process died {} times; a channel manager sold {} and was refused {}; of the forms {} were saved and {} refused.",
        count(load.unanswered),
        count(load.late),
        count(load.deaths),
        count(load.channel.0),
        count(load.channel.1),
        count(load.forms.0),
        count(load.forms.1),
    ));
    block.text(format!(
        "Every combination on SQLite, lease in the {}: schedules that show the anomaly, of {}. A hyphen is a layer that is off.",
        facts.leases,
        if facts.all_schedules { "all that there are" } else { "a sample" },
    ));
    block.table(combinations(&facts.table));
    if let Some(server) = &facts.server {
        block.text(format!("The same on {}, lease in {}:", server.name, server.leases));
        block.table(combinations(&server.rows));
        let differ = differ(&facts.table, &server.rows);
        block.text(if differ.is_empty() {
            "No cell differs from SQLite's in whether it stops the anomaly.".to_owned()
        } else {
            format!("Cells that differ from SQLite's: {}.", differ.join(", "))
        });
    }
    block
}

/// Where two tables disagree on whether something gets through.
#[must_use]
pub fn differ(here: &[Row], there: &[Row]) -> Vec<String> {
    let mut found = Vec::new();
    for (a, b) in here.iter().zip(there) {
        for kind in Anomaly::ALL {
            if a.stops(kind) != b.stops(kind) {
                found.push(format!("{kind} at {}", a.layers.name()));
            }
        }
    }
    found
}

/// Block 3: virtual latencies.
pub fn latency(latency: &mut Latencies, facts: &Facts) {
    latency.merge(&facts.load.latency);
}

/// Rates and the capacity plan.
pub fn wall(wall: &mut Wall, facts: &Facts) {
    wall.events = facts.load.events;
    wall.busy = facts.busy[0];
    let rate = |count: u64, at: usize| count as f64 / facts.busy[at].as_secs_f64().max(1e-9);
    let plan = |component: &str, per_core: f64, needed: f64, unit: &str, engine: &str| Capacity {
        component: component.to_owned(),
        per_core,
        needed,
        unit: unit.to_owned(),
        engine: engine.to_owned(),
        utilisation: 0.6,
    };
    let load = &facts.load;
    wall.capacity = vec![
        plan(
            "bookings, search to saga's end, audited",
            rate(load.booked + load.undone, 0),
            58.0,
            "bookings/s",
            "PostgreSQL, a primary and two replicas",
        ),
        plan(
            "searches with live availability",
            rate(facts.searched, 1),
            5_800.0,
            "searches/s",
            "replicas, or an index of free nights",
        ),
    ];
}
