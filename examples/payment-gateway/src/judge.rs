//! What must hold, and how it is seen: against the provider's truth, the log, and what clients saw.

use crate::io::Stop;
use crate::method::Kind;
use crate::state::Status;
use crate::world::World;
use crate::{audit, ledger};
use kit::Invariants;
use kit::invariant::Invariant;
use kit::money::Currency;
use std::collections::{BTreeMap, BTreeSet};

/// What must hold; the safeguards refer to these.
pub const ONCE: &str = "no order is charged twice";
/// See [`ONCE`].
pub const LOST: &str = "no payment is lost: gateway, provider and client agree in the end";
/// See [`ONCE`].
pub const LEDGER: &str = "the ledger balances, and with the provider to the cent";
/// See [`ONCE`].
pub const SAME: &str = "one key, one answer";
/// See [`ONCE`].
pub const KEY: &str = "a key names one request";
/// See [`ONCE`].
pub const REFUNDS: &str = "never more is refunded than was taken";
/// See [`ONCE`].
pub const EVENTS: &str = "every change is in the log, and nothing else";
/// See [`ONCE`].
pub const SALES: &str = "a consumer counts every event once";
/// See [`ONCE`].
pub const ARROWS: &str = "a payment moves along the arrows only";
/// See [`ONCE`].
pub const HOOKS: &str = "a merchant hears of each payment's changes in order, and of all";
/// See [`ONCE`].
pub const FORGED: &str = "a merchant believes the gateway only";
/// See [`ONCE`].
pub const AUDIT: &str = "the audit log is whole";

/// The invariants of a world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    pub(crate) once: Invariant,
    pub(crate) lost: Invariant,
    pub(crate) ledger: Invariant,
    pub(crate) same: Invariant,
    pub(crate) key: Invariant,
    pub(crate) refunds: Invariant,
    pub(crate) events: Invariant,
    pub(crate) sales: Invariant,
    pub(crate) arrows: Invariant,
    pub(crate) hooks: Invariant,
    pub(crate) forged: Invariant,
    pub(crate) audit: Invariant,
}

impl Names {
    pub(crate) fn declare(invariants: &mut Invariants) -> Self {
        let mut name = |name| invariants.declare(name);
        Self {
            once: name(ONCE),
            refunds: name(REFUNDS),
            key: name(KEY),
            ledger: name(LEDGER),
            same: name(SAME),
            events: name(EVENTS),
            sales: name(SALES),
            arrows: name(ARROWS),
            hooks: name(HOOKS),
            forged: name(FORGED),
            audit: name(AUDIT),
            lost: name(LOST),
        }
    }
}

fn payment_of(reference: &str) -> i64 {
    let number = reference.strip_prefix("pay_").and_then(|rest| rest.split('/').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The provider has just executed what is past `before`: is any of it money taken, or given, twice?
pub(crate) fn executed(world: &mut World<'_>, before: usize) -> Result<(), Stop> {
    let fresh = world.provider.done()[before..].to_vec();
    for done in fresh.into_iter().filter(|done| done.approved) {
        let twice = |kind: Kind| {
            let same = |d: &&crate::provider::Done| {
                d.approved && d.kind == kind && d.reference == done.reference
            };
            // A repeat comes within a minute, so within the last few hundred.
            world.provider.done().iter().rev().take(400).filter(same).count()
        };
        let times = twice(done.kind);
        let names = world.names;
        let what = || format!("{} was executed {times} times", done.reference);
        let invariant = if done.kind == Kind::Refund { names.refunds } else { names.once };
        world.invariants.check(invariant, times == 1, what);
        if matches!(done.kind, Kind::Authorise | Kind::Sale) {
            // Two payments for one order are two charges, too.
            let Some(own) = world.order_of(payment_of(&done.reference))? else { continue };
            // Of one order in a small world; in a large one that is asked at the end.
            if world.orders.len() > 64 {
                continue;
            }
            let mut others = BTreeSet::new();
            for other in world.provider.done() {
                if other.approved && matches!(other.kind, Kind::Authorise | Kind::Sale) {
                    others.insert(payment_of(&other.reference));
                }
            }
            others.remove(&payment_of(&done.reference));
            let mut same = Vec::new();
            for other in others {
                if world.order_of(other)?.as_ref() == Some(&own) {
                    same.push(other);
                }
            }
            world.invariants.check(names.once, same.is_empty(), || {
                format!("{} of {} is charged by pay_{same:?} and {}", own.1, own.0, done.reference)
            });
        }
    }
    Ok(())
}

/// Nothing is left to happen: everybody must agree.
pub(crate) fn end(world: &mut World<'_>) -> Result<(), Stop> {
    let names = world.names;
    let Some(gateway) = world.gateway.take() else { return Ok(()) };
    let database = gateway.database();
    // What the provider did, by payment: held, taken, given back, let go.
    let mut truth: BTreeMap<i64, [i64; 4]> = BTreeMap::new();
    for done in world.provider.done().iter().filter(|done| done.approved) {
        let sums = truth.entry(payment_of(&done.reference)).or_default();
        match done.kind {
            Kind::Authorise => sums[0] += done.amount,
            Kind::Capture | Kind::Sale => sums[1] += done.amount,
            Kind::Refund => sums[2] += done.amount,
            Kind::Void => sums[3] += done.amount,
        }
    }
    let mut by_order: BTreeMap<(String, String), Vec<i64>> = BTreeMap::new();
    let mut sales: BTreeMap<String, i64> = BTreeMap::new();
    let mut receivable: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut events = BTreeSet::new();
    let mut select = database.prepare(
        "SELECT payment, merchant, key, method, amount, currency, status, refunded, version
         FROM payments ORDER BY payment",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let (payment, amount, refunded): (i64, i64, i64) = (row.get(0)?, row.get(4)?, row.get(7)?);
        let (merchant, key, method): (String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?);
        let status = Status::named(&row.get::<_, String>(6)?).unwrap_or(Status::Pending);
        let version: u64 = row.get(8)?;
        let [held, taken, given, let_go] = truth.remove(&payment).unwrap_or_default();
        let disputed = if status == Status::ChargedBack { amount } else { 0 };
        let right = match status {
            Status::Pending | Status::Authorised => false,
            Status::Failed => taken == 0 && held == let_go,
            Status::Captured | Status::ChargedBack => taken == amount && given == refunded,
            Status::Refunded => taken == amount && given == amount && refunded == amount,
        };
        world.invariants.check(names.lost, right, || {
            format!("pay_{payment} of {amount} is {status}; the provider held {held}, took {taken}, gave back {given}, let go {let_go}")
        });
        let within = given <= taken && refunded <= amount;
        world.invariants.check(names.refunds, within, || {
            format!("pay_{payment}: {given} of {taken} given back")
        });
        if taken > 0 {
            by_order.entry((merchant.clone(), key)).or_default().push(payment);
        }
        *sales.entry(merchant).or_default() += match status {
            Status::Captured | Status::Refunded => amount - refunded,
            _ => 0,
        };
        let currency: String = row.get(5)?;
        *receivable.entry((format!("provider:{method}"), currency)).or_default() +=
            taken - given - disputed;
        events.extend((1..=version).map(|n| format!("pay_{payment}/{n}")));
        let heard = world.taken.get(&payment).copied().unwrap_or(0);
        world.invariants.check(names.hooks, heard == version, || {
            format!("of pay_{payment} the merchant heard {heard} of {version} changes")
        });
    }
    for (order, payments) in by_order {
        world.invariants.check(names.once, payments.len() == 1, || {
            format!("{} of {} is charged by pay_{payments:?}", order.1, order.0)
        });
    }
    for (payment, sums) in truth {
        world.invariants.check(names.lost, false, || {
            format!("the provider knows a pay_{payment} that we do not: {sums:?}")
        });
    }
    for (nth, order) in world.orders.iter().enumerate() {
        let settled = order.told.is_some();
        world.invariants.check(names.lost, settled, || {
            let accepted = if order.accepted { "accepted" } else { "not accepted" };
            format!("order {nth} ({accepted}) was never told how it went")
        });
    }
    let (unbalanced, off) = ledger::trial_balance(database)?;
    world.invariants.check(names.ledger, (unbalanced, off) == (0, 0), || {
        format!("{unbalanced} transfers do not add up, all together are off by {off}")
    });
    for ((account, currency), expected) in receivable {
        let currency = Currency::new(&currency).unwrap_or(Currency::USD);
        let kept = ledger::balance(database, &account, currency)?;
        world.invariants.check(names.ledger, kept == expected, || {
            format!("{account} {currency}: the ledger says {kept}, the provider owes {expected}")
        });
    }
    logged(world, &events)?;
    for (merchant, expected) in sales {
        let kept = "SELECT coalesce(sum(taken), 0) FROM sales WHERE merchant = ?1";
        let kept: i64 = database.query_row(kept, [&merchant], |row| row.get(0))?;
        world.invariants.check(names.sales, kept == expected, || {
            format!("{merchant}: the consumer counts {kept}, the payments add up to {expected}")
        });
    }
    let audited = audit::verify(database)?;
    world
        .invariants
        .check(names.audit, audited.is_ok(), || format!("line {audited:?} was changed"));
    world.facts.audited = audited.unwrap_or(0);
    let refunds = "SELECT count(*) FROM operations WHERE kind = 'refund' AND state = 'done'";
    world.facts.refunds = database.query_row(refunds, [], |row| row.get(0))?;
    Ok(())
}

/// The log against the payments; and the arrows, in the order of the log.
fn logged(world: &mut World<'_>, expected: &BTreeSet<String>) -> Result<(), Stop> {
    let names = world.names;
    let entries = world.log_ids()?;
    world.facts.events = entries.len() as u64;
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<String, Status> = BTreeMap::new();
    for entry in entries {
        let message = entry.message;
        if !seen.insert(message.id.clone()) {
            continue;
        }
        let event: serde_json::Value = serde_json::from_str(&message.payload).unwrap_or_default();
        let status = event["status"].as_str().and_then(Status::named).unwrap_or(Status::Pending);
        let before = last.insert(message.key.clone(), status);
        // A partial refund is a change without a step.
        let good =
            before.map_or(status == Status::Pending, |was| was == status || was.may_become(status));
        world
            .invariants
            .check(names.arrows, good, || format!("{}: {before:?} to {status:?}", message.id));
    }
    let (missing, extra) = (expected.difference(&seen).next(), seen.difference(expected).next());
    world.invariants.check(names.events, missing.is_none(), || {
        format!("{} is not in the log", missing.map_or("", String::as_str))
    });
    world.invariants.check(names.events, extra.is_none(), || {
        format!("{} is in the log and never happened", extra.map_or("", String::as_str))
    });
    Ok(())
}
