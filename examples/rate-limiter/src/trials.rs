//! Every guarantee on a small stream made to break it, event by event: quick enough to run for
//! twenty seeds and every safeguard, small enough that the history of a break can be read.

use crate::answer;
use crate::fleet::{self, Cut, Outage, Scheme, Setup, TOGETHER};
use crate::gate::{Caller, Decision, Dimension, Gate, Limits};
use crate::sample;
use crate::store::{Memory, Store};
use crate::traffic::worst_window;
use archstone_ratelimit::redis::{When, fixed_window, sliding_log, token_bucket};
use archstone_ratelimit::{
    Gcra, LeakyBucket, Local, Quota, Rate, Shaper, SlidingLog, Time, TokenBucket,
};
use kit::invariant::{Record, merge};
use kit::{Invariants, Safeguards, Seed, Stream};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Invariants that the safeguards refer to.
pub const KEEPS_RATE: &str = "who keeps the rate always passes";
/// See [`KEEPS_RATE`].
pub const WINDOW: &str = "no window admits more than was promised";
/// See [`KEEPS_RATE`].
pub const SMOOTH: &str = "what a queue lets out is never faster than its rate";
/// See [`KEEPS_RATE`].
pub const ENDS: &str = "every key of the store has an end";
/// See [`KEEPS_RATE`].
pub const FREE: &str = "what is denied costs nothing";
/// See [`KEEPS_RATE`].
pub const TIER: &str = "a change of tier keeps what was used";
/// See [`KEEPS_RATE`].
pub const WAIT: &str = "who waits as told passes";
/// See [`KEEPS_RATE`].
pub const AWAY: &str = "a store that is away does not open the gate";
/// See [`KEEPS_RATE`].
pub const CACHE: &str = "the cache of denials changes no decision";

/// See [`KEEPS_RATE`].
pub const THREADS: &str = "threads that race get the limit together, no more and no less";

/// One guarantee, one stream made to break it.
type Trial = fn(&mut Stream, &Safeguards, &mut Invariants);

/// Runs every trial with `seed`; the records of all of them.
#[must_use]
pub fn run(seed: u64, safeguards: &Safeguards) -> Vec<Record> {
    let trials: [(&str, Trial); 17] = [
        ("token bucket", token),
        ("leaky bucket", leaky),
        ("queue", queue),
        ("log", log),
        ("same instant", same_instant),
        ("slow rate", slow_rate),
        ("skewed servers", skewed_servers),
        ("wall clock", wall_clock),
        ("dying server", dying_server),
        ("raised limit", raised_limit),
        ("dimensions", dimensions),
        ("tiers", tiers),
        ("threads", threads),
        ("waits", waits),
        ("store away", store_away),
        ("cut leases", |d, s, i| cut(Scheme::Leased, d, s, i)),
        ("cut gossip", |d, s, i| cut(Scheme::Gossiped, d, s, i)),
    ];
    let mut records = Vec::new();
    for (name, trial) in trials {
        let mut invariants = Invariants::new(seed);
        trial(&mut Seed::new(seed).child("trials").stream(name), safeguards, &mut invariants);
        merge(&mut records, invariants.into_records());
    }
    records
}

fn nanos(seconds: u64) -> u64 {
    seconds * 1_000_000_000
}

/// A client that takes each token the moment it is there, polled in between.
fn token(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(KEEPS_RATE);
    let rate = *dice.pick(&[10_u32, 20, 25, 40, 50]).expect("some");
    let mut ours = Local::new(TokenBucket::new(Quota::per_second(rate).with_burst(1)));
    let mut samples = sample::TokenBucket::new(1, f64::from(rate));
    let exact = safeguards.on("exact-arithmetic");
    let mut take = |at: u64| match exact {
        true => ours.check_at(Time::from_nanos(at), 1).is_allowed(),
        false => samples.allow_request(at),
    };
    let interval = nanos(1) / u64::from(rate);
    for n in 0..200 {
        let due = n * interval;
        let passes = take(due);
        invariants.event(format!("{} ms: token {n} is due, {}", due / 1_000_000, said(passes)));
        invariants.check(holds, passes, || format!("{rate} a second: token {n} is refused"));
        let mut polls: Vec<u64> = (0..5).map(|_| due + 1 + dice.below(interval - 1)).collect();
        polls.sort_unstable();
        for at in polls {
            take(at);
        }
    }
}

const fn said(passes: bool) -> &'static str {
    if passes { "passes" } else { "denied" }
}

/// A full bucket: polled often it must leak one a second, left alone as many as the seconds.
fn leaky(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    const ROOM: u64 = 8;
    let holds = invariants.declare(KEEPS_RATE);
    let mut ours = Local::new(LeakyBucket::new(Quota::per_second(1).with_burst(ROOM)));
    let mut samples = sample::LeakyBucket::new(ROOM as usize, 1.0);
    samples.keeps_fractions = safeguards.on("leak-fractions");
    samples.leaks_all = safeguards.on("leak-all");
    let real = samples.keeps_fractions && samples.leaks_all;
    let mut pour = |at: u64| match real {
        true => ours.check_at(Time::from_nanos(at), 1).is_allowed(),
        false => samples.allow_request(at),
    };
    for _ in 0..ROOM {
        pour(0);
    }
    let mut now = 0;
    for _ in 0..40 {
        let gap = 1 + dice.below(ROOM);
        let polled = dice.chance(0.5);
        // Polls that are refused, since the bucket is full until its next second.
        if polled {
            for tenth in 1..10 {
                pour(nanos(now) + tenth * 100_000_000);
            }
        }
        now += if polled { 1 } else { gap };
        let leaked = if polled { 1 } else { gap };
        let passed = (0..leaked).filter(|_| pour(nanos(now))).count() as u64;
        let how = if polled { "polled ten times" } else { "left alone" };
        invariants.event(format!("{now} s: {how}, {leaked} should have leaked, {passed} pass"));
        invariants.check(holds, passed == leaked, || format!("{passed} of {leaked} pass"));
    }
}

/// Bursts into a queue: what comes out must come at its rate.
fn queue(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(SMOOTH);
    let rate = 2 + dice.below(20) as u32;
    let shaper = Shaper::new(Rate::per_second(rate), 30);
    let interval = Duration::from_secs(1) / rate;
    let (mut now, mut last) = (Time::ZERO, None);
    for n in 0..150 {
        if dice.chance(0.1) {
            now += Duration::from_millis(dice.below(3_000));
        }
        let Ok(departure) = shaper.offer_at(now, 1) else { continue };
        // The sample's "queue" is a counter: whatever is let in goes on at once.
        let leaves = if safeguards.on("departures") { departure.at } else { now };
        let (came, went) = (now.as_millis(), leaves.as_millis());
        invariants.event(format!("request {n}: comes at {came} ms, leaves at {went} ms"));
        // Nanoseconds round up, so two departures may be one short.
        let apart = last.map_or(interval, |last| leaves.since(last)) + Duration::from_nanos(1);
        invariants.check(holds, apart >= interval, || {
            format!("leaves {apart:?} after the one before, the rate is one in {interval:?}")
        });
        last = Some(leaves);
    }
}

/// A client that sends one every `window / limit`: the window never holds more than the limit.
fn log(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(KEEPS_RATE);
    let limit = 2 + dice.below(14);
    let gap = 1 + dice.below(900);
    let window = Duration::from_millis(gap * limit);
    let rate = Rate::new(limit, window).expect("a small rate");
    let mut ours = Local::new(SlidingLog::<16>::new(Quota::new(rate)));
    let mut samples = sample::SlidingWindowLog::new(limit as usize, gap * limit);
    for n in 0..4 * limit {
        let passes = match safeguards.on("half-open") {
            true => ours.check_at(Time::from_millis(n * gap), 1).is_allowed(),
            false => samples.allow_request(n * gap),
        };
        invariants.event(format!("{} ms: {}", n * gap, said(passes)));
        invariants.check(holds, passes, || {
            format!("{limit} in {} ms, one every {gap} ms: refused", gap * limit)
        });
    }
}

/// Many requests of one millisecond.
fn same_instant(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WINDOW);
    let (limit, ms) = (2 + dice.below(20), dice.below(100_000) + 10_000);
    let quota = Quota::new(Rate::new(limit, Duration::from_secs(10)).expect("a rate"));
    let mut store = Memory::default();
    let mut samples = sample::SlidingWindowRedis::default();
    let mut passed = 0;
    for n in 0..3 * limit {
        let passes = if safeguards.on("unique-entries") {
            let when = When::Caller(Time::from_millis(ms));
            let call = sliding_log("user", &quota, 1, when).expect("a small quota");
            store.call(&call).is_ok_and(|outcome| outcome.allowed)
        } else {
            samples.allow_request(ms, limit as usize, 10_000)
        };
        passed += u64::from(passes);
        invariants.event(format!("request {n} at {ms} ms: {}, {passed} so far", said(passes)));
        invariants.check(holds, passed <= limit, || format!("{passed} pass a limit of {limit}"));
    }
}

/// One token in some hours, asked for every ten minutes of a day.
fn slow_rate(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WINDOW);
    let hours = 2 + dice.below(6);
    let quota = Quota::new(Rate::new(1, Duration::from_secs(hours * 3_600)).expect("a rate"));
    let mut store = Memory::default();
    let mut samples = sample::DistributedTokenBucket::default();
    let mut passed = 0;
    for at in (0..86_400).step_by(600) {
        let passes = if safeguards.on("debt-expiry") {
            store.set_time(Time::from_secs(at));
            let call = token_bucket("user", &quota, 1, When::Server).expect("a small quota");
            store.call(&call).is_ok_and(|outcome| outcome.allowed)
        } else {
            samples.allow_request(at as f64, 1.0, 1.0 / (hours * 3_600) as f64)
        };
        passed += u64::from(passes);
        if passes {
            invariants.event(format!("{} min: passes, {passed} so far", at / 60));
        }
        let most = 1 + at / (hours * 3_600);
        invariants.check(holds, passed <= most, || {
            format!("one in {hours} h: {passed} pass in {} min", at / 60)
        });
    }
}

/// Two servers whose clocks differ; the fast one joins after half a minute.
fn skewed_servers(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WINDOW);
    let quota = Quota::per_minute(60).with_burst(10);
    let fast = Duration::from_secs(15 + dice.below(60));
    let mut store = Memory::default();
    let mut passed = Vec::new();
    for n in 0..600_u64 {
        let now = Time::from_secs(1_000) + Duration::from_millis(200 * n + dice.below(100));
        let server = if n < 150 { 0 } else { dice.below(2) };
        let clock = if server == 1 { now + fast } else { now };
        let when = if safeguards.on("server-time") { When::Server } else { When::Caller(clock) };
        store.set_time(now);
        let call = token_bucket("user", &quota, 1, when).expect("a small quota");
        if store.call(&call).is_ok_and(|outcome| outcome.allowed) {
            passed.push((0, now));
            let seconds = now.as_millis() - 1_000_000;
            invariants.event(format!("{seconds} ms: server {server} lets one through"));
            check_window(invariants, holds, &passed, 70);
        }
    }
}

/// The wall clock is set forward while a limiter runs.
fn wall_clock(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WINDOW);
    let mut limit = Local::new(Gcra::new(Quota::per_minute(60).with_burst(10)));
    let step = Duration::from_secs(20 + dice.below(3_600));
    let at = Time::from_secs(1_015 + dice.below(30));
    let mut passed = Vec::new();
    for n in 0..600_u64 {
        let now = Time::from_secs(1_000) + Duration::from_millis(200 * n);
        let wall = if now >= at { now + step } else { now };
        let reads = if safeguards.on("monotonic-clock") { now } else { wall };
        if limit.check_at(reads, 1).is_allowed() {
            passed.push((0, now));
            invariants.event(format!("{} ms: passes", now.as_millis() - 1_000_000));
            check_window(invariants, holds, &passed, 70);
        }
    }
}

/// No more than `most` in the minute that ends with the last one.
fn check_window(
    invariants: &mut Invariants,
    holds: kit::invariant::Invariant,
    passed: &[(u32, Time)],
    most: u64,
) {
    let recent = &passed[passed.len().saturating_sub(200)..];
    let worst = worst_window(recent.iter().copied(), fleet::MINUTE);
    invariants.check(holds, worst <= most, || {
        format!("{worst} in a minute; burst 10 and 60 a minute allow {most}")
    });
}

/// App servers die in the middle of their work.
fn dying_server(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(ENDS);
    let quota = Quota::per_minute(5);
    let mut store = Memory::default();
    let mut samples = sample::DistributedRateLimiter::default();
    let atomic = safeguards.on("expire-with-count");
    for second in 0..1_200 {
        // Never in the first minute, so that the history shows a server at work.
        let dies = second > 60 && dice.chance(0.4);
        if atomic {
            store.set_time(Time::from_secs(second));
            let call = fixed_window("user", &quota, 1, When::Server).expect("a small quota");
            let _ = store.call(&call);
        } else {
            samples.check_rate_limit("user", 5, 60, second, dies);
        }
        let how = if dies { "the server dies after its first command" } else { "asks" };
        invariants.event(format!("{second} s: {how}"));
        let immortal = match atomic {
            true => store.immortal(),
            false => {
                samples.keys.values().filter(|(count, end)| *count > 0 && end.is_none()).count()
            }
        };
        invariants.check(holds, immortal == 0, || format!("{immortal} key has no time to live"));
    }
    // An hour later nothing may be left.
    store.set_time(Time::from_secs(1_200 + 3_600));
    samples.check_rate_limit("other", 5, 60, 1_200 + 3_600, false);
    let left = if atomic { store.len() } else { samples.keys.len() - 1 };
    invariants.event("an hour later".to_owned());
    invariants.check(holds, left == 0, || format!("{left} keys are still there"));
}

/// A client that was refused often is given a higher limit within the same window.
fn raised_limit(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(FREE);
    let (low, refused) = (5 + dice.below(20), 10 + dice.below(50));
    let high = 2 * low;
    let mut store = Memory::default();
    let mut samples = sample::DistributedRateLimiter::default();
    let mut ask = |limit: u64| match safeguards.on("denied-free") {
        true => {
            let quota = Quota::per_minute(limit as u32);
            let when = When::Caller(Time::from_secs(6_000));
            let call = fixed_window("user", &quota, 1, when).expect("a small quota");
            store.call(&call).is_ok_and(|outcome| outcome.allowed)
        }
        false => samples.check_rate_limit("user", limit as i64, 60, 6_000, false),
    };
    let before = (0..low + refused).filter(|_| ask(low)).count() as u64;
    invariants.event(format!("limit {low}: {before} of {} pass", low + refused));
    let after = (0..high).filter(|_| ask(high)).count() as u64;
    invariants.event(format!("limit raised to {high}: {after} more pass"));
    invariants.check(holds, before + after == high, || {
        format!("{} of {high} pass: what was denied was counted", before + after)
    });
}

/// One user from few addresses: the address denies, and the user must not pay for it.
fn dimensions(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(FREE);
    let limits = Limits { ip: Quota::per_minute(5), ..Limits::default() };
    let gate = Gate::new(limits, 64).guarded(safeguards.on("all-or-nothing"), true);
    let now = Time::from_secs(1_000);
    let mut passed = 0;
    for _ in 0..60 {
        let from = dice.below(4) as u8;
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, from));
        let caller = Caller { user: Some("ann"), tier: 2, api_key: Some("key"), address };
        let decision = gate.decide(now, &caller, 1);
        passed += u64::from(decision.passes());
        let said = match decision {
            Decision::Pass => "passes".to_owned(),
            Decision::Blocked { by, .. } => format!("blocked by {by}"),
        };
        invariants.event(format!("ann from 10.0.0.{from}: {said}"));
        for standing in gate.standing(now, &caller) {
            let used = standing.quota.burst() - standing.remaining;
            let right = standing.dimension == Dimension::Ip || used == passed;
            invariants.check(holds, right, || {
                format!("{passed} passed, {} was charged {used}", standing.dimension)
            });
        }
    }
}

/// A user who changes plan back and forth at one instant.
fn tiers(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(TIER);
    let open = Limits { ip: Limits::none(), user: Limits::none(), ..Limits::default() };
    let gate = Gate::new(open, 64).guarded(true, safeguards.on("tier-keeps-debt"));
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let now = Time::from_secs(1_000);
    let mut used = 0;
    for round in 0..60 {
        let user = ["ann", "bob", "cat", "dan", "eve"][round / 12];
        used = if round % 12 == 0 { 0 } else { used };
        let tier = dice.below(3) as u8;
        let asks = 20 + dice.below(200);
        let caller = Caller { user: Some(user), tier, api_key: None, address };
        let passed = (0..asks).filter(|_| gate.decide(now, &caller, 1).passes()).count() as u64;
        let limit = open.tiers[usize::from(tier)].burst();
        let right = asks.min(limit.saturating_sub(used));
        used += passed;
        let name = crate::gate::TIERS[usize::from(tier)];
        invariants
            .event(format!("{user}, {name}: asks {asks} times, {passed} pass, {used} in all"));
        invariants.check(holds, passed == right, || {
            format!("{passed} pass as {name}; {right} were left of {limit}")
        });
    }
}

/// Four threads at one gate at one instant: who passes is a race, how many is not.
fn threads(dice: &mut Stream, _: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(THREADS);
    let limit = 50 + dice.below(200);
    let limits = Limits { ip: Quota::per_minute(limit as u32), ..Limits::default() };
    let gate = Gate::new(limits, 64);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let caller = Caller { user: Some("ann"), tier: 2, api_key: Some("key"), address };
    let now = Time::from_secs(1_000);
    let ask = || (0..limit).filter(|_| gate.decide(now, &caller, 1).passes()).count() as u64;
    let raced: u64 = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    // One that lost a race may have been denied for a moment, so the rest is asked for afterwards;
    // the sum does not depend on how the race went, which the history must not either.
    let passed = raced + ask();
    invariants.event(format!("limit {limit}: four threads ask {limit} times each, {passed} pass"));
    invariants.check(holds, raced <= limit && passed == limit, || {
        format!("{passed} pass a limit of {limit}")
    });
    for standing in gate.standing(now, &caller) {
        let used = standing.quota.burst() - standing.remaining;
        invariants.check(holds, used == limit, || {
            format!("{limit} passed, {} was charged {used}", standing.dimension)
        });
    }
}

/// A client of weighted requests that waits as `Retry-After` says.
fn waits(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WAIT);
    let quota = Quota::per_minute(20 + dice.below(70) as u32);
    let limits = Limits { ip: quota, ..Limits::default() };
    let gate = Gate::new(limits, 64);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let caller = Caller { user: None, tier: 0, api_key: None, address };
    let mut now = Time::from_secs(1_000);
    for _ in 0..60 {
        now += Duration::from_millis(dice.below(400));
        let cost = 1 + dice.below(10);
        let Decision::Blocked { by, wait } = gate.decide(now, &caller, cost) else {
            invariants.event(format!("{} ms: a cost of {cost} passes", now.as_millis()));
            continue;
        };
        let standing = gate.standing(now, &caller);
        let left = standing.iter().find(|s| s.dimension == by).map_or(0, |s| s.remaining);
        let told =
            answer::retry_after(wait.unwrap_or_default(), left, safeguards.on("honest-wait"));
        let seconds: u64 = told.and_then(|(_, text)| text.parse().ok()).unwrap_or(0);
        let ms = now.as_millis();
        invariants
            .event(format!("{ms} ms: a cost of {cost} is denied, {left} left, wait {seconds} s"));
        now += Duration::from_secs(seconds);
        let passes = gate.decide(now, &caller, cost).passes();
        invariants.event(format!("{} ms: again, {}", now.as_millis(), said(passes)));
        invariants.check(holds, passes, || format!("told to wait {seconds} s, then denied again"));
    }
}

/// The store is away for a while, and the same without a cache of denials.
fn store_away(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let (away, same) = (invariants.declare(AWAY), invariants.declare(CACHE));
    let (from, length) = (30 + dice.below(30), 10 + dice.below(30));
    let from = Time::from_secs(from);
    let until = from + Duration::from_secs(length);
    let outage = if safeguards.on("fail-closed") { Outage::Closed } else { Outage::Open };
    let cut = Some(Cut { first: 0, from, until });
    let setup = Setup { cut, outage, ..Setup::new(2, 2, 60) };
    let seed = Seed::new(dice.next_u64());
    let requests = fleet::requests(&setup, Duration::from_secs(120), seed);
    let mut unseen: Invariants = Invariants::new(0);
    let mut run = |setup: &Setup| {
        let mut stores = || Ok(Box::new(Memory::default()) as Box<dyn Store>);
        fleet::run(Scheme::Bucket, setup, &requests, seed, &mut stores, &mut unseen)
            .expect("a store in memory")
    };
    let cached = run(&setup);
    let plain = run(&Setup { deny_cache: false, ..setup });
    let mut during = 0;
    for (request, passed) in requests.iter().zip(&cached.passed) {
        if setup.is_cut(request.node, request.at) {
            during += u64::from(*passed);
            let ms = request.at.as_millis();
            invariants.event(format!("{ms} ms: the store is away, {}", said(*passed)));
            invariants
                .check(away, during == 0, || format!("{during} passed that nobody could decide"));
        }
    }
    for (at, (cached, plain)) in cached.passed.iter().zip(&plain.passed).enumerate() {
        invariants.check(same, cached == plain || setup.outage == Outage::Open, || {
            format!("request {at}: with the cache {}, without {}", said(*cached), said(*plain))
        });
    }
}

/// A fleet cut in two for a while.
fn cut(scheme: Scheme, dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let from = Time::from_secs(50 + dice.below(20));
    let until = from + Duration::from_secs(60 + dice.below(30));
    let setup = Setup {
        cut: Some(Cut { first: 1 + dice.below(2) as usize, from, until }),
        lease_expiry: safeguards.on("lease-expiry"),
        gossip_share: safeguards.on("gossip-share"),
        ..Setup::new(3, 1, 120)
    };
    let seed = Seed::new(dice.next_u64());
    let requests = fleet::requests(&setup, Duration::from_secs(200), seed);
    let mut stores = || Ok(Box::new(Memory::default()) as Box<dyn Store>);
    invariants.declare(TOGETHER);
    fleet::run(scheme, &setup, &requests, seed, &mut stores, invariants).expect("no store at all");
}
