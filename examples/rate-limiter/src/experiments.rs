//! Block 7: the document's trade-offs and its defaults, as experiments.

use crate::field::{Kind, Played, counter};
use crate::fleet::Scheme;
use crate::gate::{Caller, Decision, Dimension, Gate, Limits, TIERS};
use crate::scenario::{Facts, Replay};
use crate::traffic::{LIMIT, Shape, WINDOW, worst_window};
use archstone_ratelimit::{Quota, Rate, Shaper};
use kit::plot::{Chart, Line};
use kit::{Arrivals, Failure, Latencies, Run, Seed, Table, Time, TradeOff, Value, human};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// All of them.
#[must_use]
pub fn all(facts: &Facts, seed: Seed) -> Vec<TradeOff> {
    vec![
        burst(facts),
        queue(facts),
        edge(facts),
        parts(facts),
        sharing(facts),
        cut(facts),
        addresses(facts),
        plans(facts),
        fairness(facts, seed),
        use_cases(facts),
    ]
}

fn trade(id: &str, question: &str, table: Table, finding: impl Into<String>) -> TradeOff {
    TradeOff { id: id.to_owned(), question: question.to_owned(), table, finding: finding.into() }
}

fn of(facts: &Facts, shape: Shape) -> &Replay {
    let found = facts.shapes.iter().find(|(other, _)| *other == shape);
    &found.expect("every shape is replayed").1
}

/// How large a burst?
fn burst(facts: &Facts) -> TradeOff {
    let flash = of(facts, Shape::Flash);
    let columns =
        ["burst, of the limit", "log: denied", "of it wrongly", "flash: worst minute", "bound"];
    let mut table = Table::new(columns);
    for share in [10_u64, 20, 50, 100] {
        let with = |quota: Quota| {
            let part = u128::from(quota.rate().amount()) * u128::from(share) / 100;
            Quota::new(quota.rate()).with_burst((part as u64).max(1))
        };
        let play = |quota: Quota, replay: &Replay, keys: usize| {
            Kind::Token.play(with(quota), &replay.events, keys, Time::ZERO)
        };
        let minute = Quota::per_minute(LIMIT);
        let (Some(log), Some(attack)) =
            (play(facts.quota, &facts.replay, facts.log.clients.len()), play(minute, flash, 1))
        else {
            continue;
        };
        table.row([
            Value::Share(share as f64 / 100.0),
            log.denied().into(),
            log.wrong(&facts.replay.exact).1.into(),
            attack.worst(&flash.events, WINDOW).into(),
            (u64::from(LIMIT) + with(minute).burst()).into(),
        ]);
    }
    trade(
        "22.T1",
        "Token bucket: how many tokens may it hold?",
        table,
        "\"100 a minute\" as a bucket of 100 passes nearly 200 in a minute, no better than the \
         fixed window that the document blames for it: the bound of any window is burst + rate x \
         window. A small bucket keeps the rate and turns away browsers, which come in bursts.",
    )
}

/// Meter or queue?
fn queue(facts: &Facts) -> TradeOff {
    let flash = of(facts, Shape::Flash);
    let columns =
        ["flash crowd", "passed", "most in a second", "delay p50", "delay p99", "longest"];
    let mut table = Table::new(columns);
    let second = Duration::from_secs(1);
    let mut row = |name: String, passed: &[Option<Time>]| {
        let mut delays = Latencies::default();
        for (event, at) in flash.events.iter().zip(passed) {
            if let Some(at) = at {
                delays.record("delay", at.since(event.at));
            }
        }
        let (n, p50, p99, max) =
            delays.percentiles("delay").map_or((0, 0, 0, 0), |p| (p.n, p.p50, p.p99, p.max));
        let span = |nanos| Value::Span(Duration::from_nanos(nanos));
        let most = worst_window(passed.iter().flatten().map(|at| (0, *at)), second);
        table.row([name.into(), n.into(), most.into(), span(p50), span(p99), span(max)]);
    };
    if let Some(meter) = flash.of(Kind::Leaky) {
        row("as a meter".to_owned(), &meter.passed);
    }
    for room in [10_u64, 100, 1_000] {
        let shaper = Shaper::new(Rate::per_minute(LIMIT), room);
        let offer = |event: &crate::traffic::Event| shaper.offer_at(event.at, 1).ok().map(|d| d.at);
        let passed: Vec<_> = flash.events.iter().map(offer).collect();
        row(format!("as a queue of {room}"), &passed);
    }
    trade(
        "22.T2",
        "Leaky bucket: a meter that denies, or a queue that delays?",
        table,
        "The sample code is neither: it stores time stamps and processes nothing. As a queue its \
         output is even to the nanosecond and the price is the delay, room / rate at the most. A longer \
         queue lets no more out: what it takes in besides is what waits at the end, minutes late.",
    )
}

/// What an edge lets through.
fn edge(facts: &Facts) -> TradeOff {
    let edge = of(facts, Shape::Edge);
    let mut table =
        Table::new(["edge attack", "offered", "passed", "worst minute", "of the limit"]);
    for kind in [
        Kind::Fixed,
        Kind::Calendar,
        Kind::Interval,
        Kind::Token,
        Kind::Counter1,
        Kind::Counter8,
        Kind::Log,
    ] {
        let Some(played) = edge.of(kind) else { continue };
        let worst = played.worst(&edge.events, WINDOW);
        table.row([
            kind.name().into(),
            played.passed.len().into(),
            played.admitted().into(),
            worst.into(),
            format!("{:.2}x", worst as f64 / f64::from(LIMIT)).into(),
        ]);
    }
    trade(
        "22.T3",
        "Fixed window: 100 just before the edge and 100 just after it?",
        table,
        "All 200 pass, as the document says, every time, and so they do where a bucket is refilled \
         in whole periods. Two counters instead of one stop it, for 24 bytes a client. A bucket \
         stops it too, since it is empty when the second half comes; after a pause it passes as \
         much, see 22.T1.",
    )
}

/// How many parts of a window?
fn parts(facts: &Facts) -> TradeOff {
    let columns = ["sliding window", "wrongly let in", "wrongly kept out", "worst", "state"];
    let mut table = Table::new(columns);
    let (keys, events) = (facts.log.clients.len(), &facts.replay.events);
    let mut row = |name: String, played: Option<Played>| {
        let Some(played) = played else { return };
        let (let_in, kept_out) = played.wrong(&facts.replay.exact);
        let rate = facts.quota.rate();
        let worst = played.worst(events, rate.period()) as f64 / rate.amount().max(1) as f64;
        table.row([
            name.into(),
            let_in.into(),
            kept_out.into(),
            format!("{worst:.2}x").into(),
            Value::Bytes(played.state as u64),
        ]);
    };
    row("1 part (two windows)".to_owned(), counter::<1>(facts.quota, events, keys));
    row("2 parts".to_owned(), counter::<2>(facts.quota, events, keys));
    row("4 parts".to_owned(), counter::<4>(facts.quota, events, keys));
    row("8 parts".to_owned(), counter::<8>(facts.quota, events, keys));
    row("16 parts".to_owned(), counter::<16>(facts.quota, events, keys));
    row("8 parts, the oldest whole".to_owned(), facts.replay.of(Kind::CounterSafe).cloned());
    row("the log itself".to_owned(), facts.replay.of(Kind::Log).cloned());
    trade(
        "22.T4",
        "Sliding window: how near to the exact log, for how many bytes?",
        table,
        "The heading of the sample code says counter and its script keeps a log. With S parts the \
         decision is that of an exact log whose window is off by at most 1/S; counting the oldest \
         part whole, no window ever has one too many (what it lets in and the log does not is what \
         the log, having let in others, has no room for).",
    )
}

/// Who shares the limit how?
fn sharing(facts: &Facts) -> TradeOff {
    let fleet = &facts.fleet;
    let limit = fleet.setup.limit;
    let columns =
        ["4 nodes, one limit", "a minute", "worst", "others denied", "calls/req", "p50", "p99"];
    let mut table = Table::new(columns);
    let from = Time::from_secs(60);
    let end = Time::ZERO + fleet.length;
    let mut row = |name: &str, outcome: &crate::fleet::Outcome, scheme: Scheme| {
        let got = outcome.got(&fleet.requests, 0, from, end) as f64;
        let added = outcome.added.percentiles(scheme.name());
        let span = |nanos: Option<u64>| Value::Span(Duration::from_nanos(nanos.unwrap_or(0)));
        table.row([
            name.into(),
            ((got * 60.0 / end.since(from).as_secs_f64()).round() as u64).into(),
            outcome.worst(&fleet.requests, 0).into(),
            Value::Share(outcome.honest_denied(&fleet.requests)),
            format!("{:.2}", outcome.calls_a_request()).into(),
            span(added.map(|p| p.p50)),
            span(added.map(|p| p.p99)),
        ]);
    };
    for (scheme, outcome) in &fleet.outcomes {
        row(scheme.name(), outcome, *scheme);
        if *scheme == Scheme::Bucket {
            row("  without deny cache", &fleet.uncached, *scheme);
        }
    }
    trade(
        "22.T5",
        "Distributed: who shares the limit with whom?",
        table,
        format!(
            "{} a minute are allowed and one tenant asks for three times that, the other {} \
             for less than they may. One store is exact and every request waits for it (a cache of \
             denials spares it the refused); leases and gossip cost no wait, and leases follow the \
             demand of some seconds ago. A fixed part for each node turns honest tenants away \
             where the balancer is uneven; no sharing is no limit.",
            human::thousands(limit.into()),
            fleet.setup.tenants - 1
        ),
    )
}

/// Half of the nodes cut off.
fn cut(facts: &Facts) -> TradeOff {
    let limit = facts.wrong.limit;
    let columns =
        ["2 of 4 nodes cut off", "before", "cut", "after", "worst", "over", "others denied"];
    let mut table = Table::new(columns);
    for row in &facts.wrong.cut {
        let [before, meanwhile, after] = row.a_minute.map(|n| Value::Int(n.round() as u64));
        let over = (row.worst as f64 / f64::from(limit) - 1.0).max(0.0);
        table.row([
            row.name.as_str().into(),
            before,
            meanwhile,
            after,
            row.worst.into(),
            Value::Share(over),
            Value::Share(row.honest_denied),
        ]);
    }
    trade(
        "22.NFR4",
        "And when the network is cut?",
        table,
        format!(
            "Requests of the greedy tenant that pass a minute ({} are allowed, and a burst of a \
             tenth, so a whole store has up to 10 % over), the worst minute and how far it is over. \
             Fail open admits whatever the far side asks for; gossip without shares knows its own \
             half only, up to twice the limit. With shares the limit holds but for what was on its \
             way when the cut came; with leases but for what is declared safe, a twentieth a node.",
            human::thousands(limit.into())
        ),
    )
}

/// IP 100 and user 1,000.
fn addresses(facts: &Facts) -> TradeOff {
    const ASKED: u64 = 2_000;
    const MINUTES: u64 = 10;
    let limits = facts.limits;
    let columns = [
        "one user from",
        "asks a minute",
        "passes a minute",
        "blocked by ip",
        "by user",
        "by tier",
    ];
    let mut table = Table::new(columns);
    for addresses in [1_u64, 2, 5, 10, 20] {
        // A plan that is no limit, so that the minute's limits are seen alone.
        let gate = Gate::new(Limits { tiers: [Limits::none(); 3], ..limits }, 256);
        let (mut passed, mut blocked) = (0, [0_u64; 5]);
        for n in 0..ASKED * MINUTES {
            let at = Time::from_nanos(n * 60_000_000_000 / ASKED);
            let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, (n % addresses) as u8));
            let caller = Caller { user: Some("ann"), tier: 2, api_key: Some("key"), address };
            // The bursts are gone after some minutes: the last one is what lasts.
            let counts = n >= ASKED * (MINUTES - 1);
            match gate.decide(at, &caller, 1) {
                Decision::Pass => passed += u64::from(counts),
                Decision::Blocked { by, .. } => blocked[by as usize] += u64::from(counts),
            }
        }
        let s = if addresses == 1 { "" } else { "es" };
        table.row([
            format!("{addresses} address{s}").into(),
            ASKED.into(),
            passed.into(),
            blocked[Dimension::Ip as usize].into(),
            blocked[Dimension::User as usize].into(),
            blocked[Dimension::Tier as usize].into(),
        ]);
    }
    trade(
        "22.FR12",
        "Can a user reach 1,000 a minute when an address has 100?",
        table,
        "Not from fewer than ten addresses: as shipped, the limit of the address makes that of the \
         user unreachable, and whoever shares an address shares its 100. Limit by address those \
         who show no key, or set it above the user's: --set ip=2000/min.",
    )
}

/// What a plan comes to.
fn plans(facts: &Facts) -> TradeOff {
    let limits = facts.limits;
    let columns =
        ["tier", "an hour", "lasting a minute", "at once", "user's minute reached", "of global"];
    let mut table = Table::new(columns);
    let per_minute =
        |quota: Quota| quota.rate().amount() as f64 * 60.0 / quota.rate().period().as_secs_f64();
    for (name, quota) in TIERS.iter().zip(limits.tiers) {
        let lasting = per_minute(quota);
        let at_once = quota.burst().min(limits.user.burst()).min(limits.ip.burst());
        let reached = if quota.burst() > limits.user.burst() {
            let minutes = quota.burst() as f64 / (per_minute(limits.user) - lasting).max(1.0);
            format!("for {minutes:.0} min")
        } else {
            "never".to_owned()
        };
        table.row([
            (*name).into(),
            quota.rate().amount().into(),
            lasting.into(),
            at_once.into(),
            reached.into(),
            format!("{} users", human::number((per_minute(limits.global) / lasting).round()))
                .into(),
        ]);
    }
    trade(
        "22.FR10",
        "What do tiers by the hour and limits by the minute come to together?",
        table,
        "Whichever is lower rules: no tier lasts at 1,000 a minute, so the user's minute only cuts \
         the bursts of premium. A change of tier keeps what was used; the sample's key holds the \
         tier, so a change is a fresh allowance.",
    )
}

/// One abuser among honest users.
fn fairness(facts: &Facts, seed: Seed) -> TradeOff {
    const HONEST: u64 = 400;
    let columns = ["limits", "honest: passed", "abuser: passed", "abuser's share of the upstream"];
    let mut table = Table::new(columns);
    let open = Limits { tiers: [Limits::none(); 3], ip: Limits::none(), ..facts.limits };
    let none = Limits::none();
    let cases = [
        ("none but global", Limits { user: none, api_key: none, ..open }),
        ("user and global", open),
    ];
    let names: Vec<String> = (0..=HONEST).map(|user| format!("user-{user}")).collect();
    // 40,000 a minute from the honest, 100,000 from one: nearly three times the global limit.
    let rate = 140_000.0 / 60.0;
    for (name, limits) in cases {
        let gate = Gate::new(limits, 1_024);
        let mut dice = seed.child("fairness").stream("users");
        let times = Arrivals::poisson(seed.child("fairness").stream("times"), rate);
        let mut counts = [(0_u64, 0_u64); 2];
        for at in times.take_while(|at| *at < Time::from_secs(180)) {
            let abuser = dice.chance(100.0 / 140.0);
            let user = if abuser { 0 } else { 1 + dice.below(HONEST) };
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | user as u32));
            let caller =
                Caller { user: Some(&names[user as usize]), tier: 2, api_key: None, address };
            let passes = gate.decide(at, &caller, 1).passes();
            // After the first minute's bursts.
            if at >= Time::from_secs(60) {
                let count = &mut counts[usize::from(abuser)];
                *count = (count.0 + 1, count.1 + u64::from(passes));
            }
        }
        let [(honest, served), (_, taken)] = counts;
        table.row([
            name.into(),
            Value::Share(served as f64 / honest.max(1) as f64),
            taken.into(),
            Value::Share(taken as f64 / (taken + served).max(1) as f64),
        ]);
    }
    trade(
        "22.NFR2",
        "Is a global limit fair?",
        table,
        "It protects the upstream and nobody else: whoever asks most gets most. Fairness needs a \
         limit for each, checked before the global one is charged.",
    )
}

/// The document's table, measured.
fn use_cases(facts: &Facts) -> TradeOff {
    let columns = ["algorithm", "document: use, pro, con", "measured here"];
    let mut table = Table::new(columns);
    let worst = |kind: Kind| worst_of_shapes(facts, kind);
    let state = |kind: Kind| facts.replay.of(kind).map_or(0, |p| p.state);
    let wrong = |kind: Kind| {
        facts.replay.of(kind).map_or((0, 0), |played| played.wrong(&facts.replay.exact))
    };
    let flash = of(facts, Shape::Flash);
    let queue = flash.of(Kind::Queue);
    let longest = queue.and_then(|queue| {
        let pairs = flash.events.iter().zip(&queue.passed);
        pairs.filter_map(|(event, at)| Some(at.as_ref()?.since(event.at))).max()
    });
    let of_scheme = |scheme: Scheme| {
        let found = facts.fleet.outcomes.iter().find(|(other, _)| *other == scheme);
        let outcome = &found.expect("every scheme is run").1;
        (outcome.worst(&facts.fleet.requests, 0), outcome.calls_a_request())
    };
    let rows = [
        (
            "token bucket",
            "API gateways; bursts; memory per user",
            format!("{} B; up to {} in a minute of 100", state(Kind::Token), worst(Kind::Token)),
        ),
        (
            "leaky bucket",
            "shaping; smooth output; queue latency",
            format!(
                "{} B; even to the ns; waits up to {}",
                state(Kind::Queue),
                human::duration(longest.unwrap_or_default())
            ),
        ),
        (
            "fixed window",
            "basic limits; simple; burst at edges",
            format!("{} B; up to {} in a minute of 100", state(Kind::Fixed), worst(Kind::Fixed)),
        ),
        (
            "sliding log",
            "fair limiting; accurate; more memory",
            format!("{} B; none wrong", state(Kind::Log)),
        ),
        (
            "sliding counter",
            "(the same row)",
            format!(
                "{} B; {} wrong of {}",
                state(Kind::Counter8),
                wrong(Kind::Counter8).0 + wrong(Kind::Counter8).1,
                human::thousands(facts.replay.events.len() as u64)
            ),
        ),
        (
            "distributed",
            "multi-server; consistent; Redis",
            format!(
                "{} in the worst minute of {}; {:.2} calls a request",
                human::thousands(of_scheme(Scheme::Bucket).0),
                human::thousands(facts.fleet.setup.limit.into()),
                of_scheme(Scheme::Bucket).1
            ),
        ),
        (
            "  leased",
            "(not in the document)",
            format!(
                "{} in the worst minute; {:.2} calls a request",
                human::thousands(of_scheme(Scheme::Leased).0),
                of_scheme(Scheme::Leased).1
            ),
        ),
    ];
    for (algorithm, document, measured) in rows {
        table.row([algorithm.into(), document.into(), measured.into()]);
    }
    trade(
        "22.T1 to T5",
        "The document's table of use cases, measured",
        table,
        "Take GCRA with a burst you mean, not one as large as the limit; a sliding counter of eight \
         parts where \"so many in any minute\" is the contract; a queue where the upstream wants an \
         even flow; leases when one store is too far.",
    )
}

/// The most of 100 that an algorithm lets through in a minute, over all shapes.
#[must_use]
pub fn worst_of_shapes(facts: &Facts, kind: Kind) -> u64 {
    let worst =
        |(_, replay): &(Shape, Replay)| Some(replay.of(kind)?.worst(&replay.events, WINDOW));
    facts.shapes.iter().filter_map(worst).max().unwrap_or(0)
}

/// `--svg DIR`: what passed of the flash crowd in time, and what each algorithm decided wrongly.
///
/// # Errors
/// When a chart cannot be written.
pub fn draw(run: &Run, facts: &Facts) -> Result<(), Failure> {
    const PARTS: usize = 120;
    if let Some(path) = run.svg("admitted") {
        let (flash, length) = (of(facts, Shape::Flash), Shape::Flash.length());
        let minutes = length.as_secs_f64() / 60.0 / PARTS as f64;
        let kinds =
            [Kind::Log, Kind::Counter8, Kind::Counter1, Kind::Fixed, Kind::Token, Kind::Queue];
        let lines = kinds.into_iter().filter_map(|kind| {
            let counts = flash.of(kind)?.in_time(length, PARTS);
            let points = counts.into_iter().enumerate();
            let points = points.map(|(at, n)| (at as f64 * minutes, n / minutes));
            Some(Line::new(kind.name(), points.collect::<Vec<_>>()))
        });
        let lines: Vec<_> = lines.collect();
        let title = "What passes of a flash crowd, limit 100 a minute";
        Chart::new(title, "minutes", "passed a minute").lines(path, &lines)?;
    }
    if let Some(path) = run.svg("wrong") {
        let bars = facts.replay.played.iter().map(|played| {
            let (let_in, kept_out) = played.wrong(&facts.replay.exact);
            (played.kind.name().to_owned(), (let_in + kept_out) as f64)
        });
        let bars: Vec<_> = bars.collect();
        let title = format!("{}: decisions an exact log decides otherwise", facts.log.title);
        Chart::new(&title, "", "requests").with_size(1_200, 450).bars(path, &bars)?;
    }
    Ok(())
}
