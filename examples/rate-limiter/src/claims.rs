//! Block 6: every row of section 22 with what became of it.

use crate::experiments;
use crate::field::Kind;
use crate::fleet::Scheme;
use crate::scenario::Facts;
use crate::traffic::{LIMIT, Shape, WINDOW};
use kit::{Claims, Value, human};

/// Answers every row of the source list.
pub fn fill(claims: &mut Claims, facts: &Facts) {
    algorithms(claims, facts);
    shared(claims, facts);
    gate(claims, facts);
    demands(claims, facts);
    for estimate in crate::outline::estimates() {
        claims.estimate(&estimate);
    }
    trade_offs(claims, facts);
}

fn algorithms(claims: &mut Claims, facts: &Facts) {
    let events = human::thousands(facts.replay.events.len() as u64);
    let (clients, s) = {
        let clients = facts.log.clients.len() as u64;
        (human::thousands(clients), human::plural(clients))
    };
    claims
        .met("22.FR1", format!("{events} requests of {clients} client{s}, 12 algorithms"))
        .evidence("block 3");
    let denied = |kind: Kind| facts.replay.of(kind).map_or(0, crate::field::Played::denied);
    let said = |kind: Kind, what: &str| {
        format!("{} denied of {events}; {what}", human::thousands(denied(kind)))
    };
    claims
        .wrong_figure("22.FR2", said(Kind::Token, "the sample's doubles refuse who keeps the rate"))
        .evidence("--without exact-arithmetic");
    claims
        .wrong_figure(
            "22.FR3",
            said(
                Kind::Queue,
                "the sample never leaks when polled, else half, and processes nothing",
            ),
        )
        .evidence("--without leak-fractions, leak-all, departures");
    claims
        .wrong_figure("22.FR4", said(Kind::Fixed, "the sample's wall clock reopens windows"))
        .evidence("--without monotonic-clock");
    claims
        .wrong_figure("22.FR5", said(Kind::Log, "the sample keeps what is one window old"))
        .evidence("--without half-open");
    claims
        .wrong_figure(
            "22.FR6",
            said(Kind::Counter8, "the sample's script is a log that loses equal milliseconds"),
        )
        .evidence("--without unique-entries");
    claims
        .met("22.FR7", "429 with application/problem+json naming the policy")
        .evidence("serve.rs, tests/serve.rs");
}

fn shared(claims: &mut Claims, facts: &Facts) {
    let calls = |scheme: Scheme| {
        let found = facts.fleet.outcomes.iter().find(|(other, _)| *other == scheme);
        found.map_or(0, |(_, outcome)| outcome.calls)
    };
    claims
        .wrong_figure(
            "22.FR8",
            format!(
                "{} calls, one script each; the sample's INCR and EXPIRE leave keys for ever",
                human::thousands(calls(Scheme::Counter))
            ),
        )
        .evidence("--without expire-with-count, denied-free");
    claims
        .wrong_figure(
            "22.FR9",
            format!(
                "{} calls; the sample forgets debts of over an hour and trusts every clock",
                human::thousands(calls(Scheme::Bucket))
            ),
        )
        .evidence("--without debt-expiry, server-time");
}

fn gate(claims: &mut Claims, facts: &Facts) {
    let load = &facts.load;
    let passed =
        |tier: usize| human::percent(load.tiers[tier].1 as f64 / load.tiers[tier].0.max(1) as f64);
    claims
        .met(
            "22.FR10",
            format!("passed: free {}, basic {}, premium {}", passed(0), passed(1), passed(2)),
        )
        .evidence("gate.rs, --without tier-keeps-debt");
    claims
        .judge("22.FR11", crate::gate::tier("no such tier") == 0, "tier 0 is free")
        .evidence("gate.rs, tests/serve.rs");
    claims
        .wrong_figure("22.FR12", "IP 100 makes user 1,000 unreachable from under ten addresses")
        .evidence("block 7");
    let blocked: Vec<String> =
        load.by_dimension().map(|(by, n)| format!("{by} {}", human::thousands(n))).collect();
    claims
        .met("22.FR13", format!("blocked by {}", blocked.join(", ")))
        .evidence("the longest wait of all that deny");
    claims
        .met("22.FR14", "RateLimit, RateLimit-Policy and X-RateLimit, Reset in Unix seconds")
        .evidence("answer.rs, tests/serve.rs");
    claims
        .wrong_figure("22.FR15", "a weighted request is denied with some left; 0 means retry now")
        .evidence("--without honest-wait");
}

fn demands(claims: &mut Claims, facts: &Facts) {
    let edge = facts.shapes.iter().find(|(shape, _)| *shape == Shape::Edge);
    let safe =
        edge.and_then(|(_, edge)| Some(edge.of(Kind::CounterSafe)?.worst(&edge.events, WINDOW)));
    claims
        .at_most("22.NFR1", safe.unwrap_or(0) as f64, f64::from(LIMIT), "in the worst minute")
        .evidence("edge attack, counter of 8 parts, safe");
    claims
        .met("22.NFR2", "a limit for each user; a global one alone is not fair")
        .evidence("block 7");
    let passed = facts.load.passed as f64 / facts.load.length.as_secs_f64().max(1e-9) * 60.0;
    claims
        .at_most("22.NFR3", passed.round(), 50_000.0, "a minute reach the upstream")
        .evidence("load.rs; --without fail-closed");
    let exact = facts.fleet.outcomes.iter().find(|(scheme, _)| *scheme == Scheme::Bucket);
    let worst = exact.map_or(0, |(_, outcome)| outcome.worst(&facts.fleet.requests, 0));
    let most = u64::from(facts.fleet.setup.limit) + facts.fleet.setup.quota().burst();
    claims
        .at_most("22.NFR4", worst as f64, most as f64, "in the worst minute of 4 nodes")
        .evidence("limit and burst; leased and gossiped beside it");
    claims
        .met("22.NFR5", "six scripts, one atomic step each, equal in process and on a server")
        .evidence("store.rs, tests/engine.rs");
    claims
        .at_least("22.NFR6", 1e9 / facts.load.nanos().max(1e-3), 833.0, "decisions/s")
        .wall()
        .evidence("one core, five limits each; four threads race in trials.rs");
}

fn trade_offs(claims: &mut Claims, facts: &Facts) {
    let worst = |kind: Kind| experiments::worst_of_shapes(facts, kind);
    let state = |kind: Kind| facts.replay.of(kind).map_or(0, |played| played.state as u64);
    claims
        .met("22.T1", format!("bursts, up to {} in a minute of {LIMIT}", worst(Kind::Token)))
        .evidence("8 B a client");
    claims.met("22.T2", "smooth as a queue, at the price of room / rate").evidence("block 7");
    claims
        .met(
            "22.T3",
            format!("{} in a minute of {LIMIT}; no simpler than GCRA", worst(Kind::Fixed)),
        )
        .evidence("block 7");
    claims
        .met("22.T4", Value::Bytes(state(Kind::Log)))
        .evidence("the log; 80 B with eight parts and one in hundreds wrong");
    let cut = facts.wrong.cut.iter().find(|row| row.name.ends_with("open"));
    claims
        .met(
            "22.T5",
            format!(
                "cut in two and failing open it passes {} a minute of {}",
                human::thousands(cut.map_or(0.0, |row| row.a_minute[1]).round() as u64),
                human::thousands(facts.wrong.limit.into())
            ),
        )
        .evidence("block 4: the dependency, measured");
}
