//! The Redis scripts on a real server, decision by decision beside exact models.
//!
//! Times are the caller's, in whole microseconds, so nothing sleeps. Keys expire by the server's own
//! clock, which is why a script that is told the time lets them live a minute longer.

use archstone_ratelimit::redis::{self as scripts, Call, Outcome, Part, When};
use archstone_ratelimit::{Quota, Rate, Time};
use core::time::Duration;
use redis::{Commands, Connection};
use sha1::Digest;

fn server() -> Option<(testkit::engine::Engine, Connection)> {
    let engine = testkit::engine::require("redis")?;
    let client = redis::Client::open(engine.url()).expect("a valid address");
    let connection = client.get_connection().expect("a server that is ready");
    Some((engine, connection))
}

fn reply(connection: &mut Connection, call: &Call) -> Vec<i64> {
    let mut command = redis::cmd("EVAL");
    command.arg(call.script.text).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
    command.query(connection).expect("the script runs")
}

fn run(connection: &mut Connection, call: &Call) -> Outcome {
    call.decode(&reply(connection, call)).expect("a reply of the right shape")
}

fn quota(count: u64, period: Duration, burst: u64) -> Quota {
    Quota::new(Rate::new(count, period).expect("a rate")).with_burst(burst)
}

/// SplitMix64 from a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        archstone_core::hash::mix(self.0) % n
    }
}

/// Instants around the edges of `period` microseconds, growing, with repeats.
fn instants(seed: u64, period: u64, n: usize) -> Vec<u64> {
    let mut random = Random(seed);
    let mut now = 1_700_000_000_000_000;
    (0..n)
        .map(|_| {
            now += match random.below(8) {
                0 | 1 => 0,
                2 => 1,
                3 => period - now % period,
                4 => (period - now % period) - 1,
                5 => random.below(2 * period),
                _ => random.below(period / 4 + 1),
            };
            now
        })
        .collect()
}

const QUOTAS: [(u64, u64, u64); 6] = [
    (10, 10_000_000, 10),
    (3, 10_000_000, 3),
    (7, 13_000_000, 7),
    (1_000, 3_600_000_000, 50),
    (1, 86_400_000_000, 5),
    (999_983, 60_000_000, 100_000),
];

/// Exact GCRA: times in units of 1/count microseconds.
#[derive(Clone, Copy)]
struct Model {
    count: i128,
    period: i128,
    burst: i128,
    tat: i128,
}

impl Model {
    fn check(&mut self, now_us: u64, cost: u64) -> (bool, u64, u64) {
        let (now, cost) = (i128::from(now_us) * self.count, i128::from(cost));
        let tat = self.tat.max(now);
        let (new, limit) = (tat + cost * self.period, now + self.burst * self.period);
        let allowed = new <= limit;
        if allowed {
            self.tat = new;
        }
        let tat = if allowed { new } else { tat };
        let remaining = (limit - tat).max(0) / self.period;
        let wait = if allowed { 0 } else { (new - limit + self.count - 1) / self.count };
        (allowed, remaining as u64, wait as u64)
    }
}

#[test]
fn gcra_and_the_token_bucket_decide_as_exact_arithmetic_does() {
    let Some((_engine, mut connection)) = server() else { return };
    for (i, (count, period, burst)) in QUOTAS.into_iter().enumerate() {
        let quota = quota(count, Duration::from_micros(period), burst);
        let (count, period) = (i128::from(count), i128::from(period));
        let mut model = Model { count, period, burst: burst.into(), tat: 0 };
        let mut random = Random(i as u64);
        for now in instants(i as u64, period as u64, 600) {
            let cost = if random.below(4) == 0 { random.below(burst + 2) } else { 1 };
            let when = When::Caller(Time::from_micros(now));
            let (allowed, remaining, wait) = model.check(now, cost);
            for call in [
                scripts::gcra(&format!("gcra:{i}"), &quota, cost, when).unwrap(),
                scripts::token_bucket(&format!("bucket:{i}"), &quota, cost, when).unwrap(),
            ] {
                let outcome = run(&mut connection, &call);
                let context = format!("{} of quota {i} at {now}, cost {cost}", call.script.name);
                assert_eq!(outcome.allowed, allowed, "{context}");
                assert_eq!(outcome.remaining, remaining, "{context}");
                let expected = (cost <= burst).then_some(Duration::from_micros(wait));
                assert_eq!(outcome.retry_after, expected, "{context}");
            }
        }
    }
}

/// The three window algorithms on admitted (time, cost) pairs, by definition.
fn window_model(
    kind: &str,
    admitted: &[(u64, u64)],
    now: u64,
    limit: u64,
    period: u64,
    cost: u64,
) -> bool {
    let sum = |from: u64, to: u64| -> u128 {
        admitted.iter().filter(|(t, _)| (from..=to).contains(t)).map(|&(_, c)| u128::from(c)).sum()
    };
    let (limit, cost, start) = (u128::from(limit), u128::from(cost), now - now % period);
    match kind {
        "fixed_window" => sum(start, now) + cost <= limit,
        "sliding_log" => sum(now - period + 1, now) + cost <= limit,
        _ => {
            let (prev, cur) = (sum(start - period, start - 1), sum(start, now));
            let period = u128::from(period);
            prev * (period - u128::from(now) % period) + (cur + cost) * period <= limit * period
        }
    }
}

#[test]
fn the_windows_decide_as_their_definitions_do_and_wait_honestly() {
    let Some((_engine, mut connection)) = server() else { return };
    type Make = fn(&str, &Quota, u64, When) -> Result<Call, scripts::CallError>;
    let forms: [Make; 3] = [scripts::fixed_window, scripts::sliding_counter, scripts::sliding_log];
    for (i, (limit, period, burst)) in QUOTAS.into_iter().enumerate() {
        let quota = quota(limit, Duration::from_micros(period), burst);
        for make in forms {
            let (mut admitted, mut random) = (Vec::new(), Random(i as u64));
            for now in instants(i as u64, period, 250) {
                let cost = if random.below(4) == 0 { random.below(limit + 2) } else { 1 };
                let when = When::Caller(Time::from_micros(now));
                let kind = make("", &quota, cost, when).unwrap().script.name;
                let call = make(&format!("{kind}:{i}"), &quota, cost, when).unwrap();
                let expected = window_model(kind, &admitted, now, limit, period, cost);
                let outcome = run(&mut connection, &call);
                let context = format!("{kind} of quota {i} at {now}, cost {cost}");
                assert_eq!(outcome.allowed, expected, "{context}");
                match outcome.retry_after {
                    _ if expected => admitted.push((now, cost)),
                    None => assert!(cost > limit, "{context}"),
                    Some(wait) => {
                        let wait = wait.as_micros() as u64;
                        assert!(
                            window_model(kind, &admitted, now + wait, limit, period, cost),
                            "{context}"
                        );
                        assert!(
                            !window_model(kind, &admitted, now + wait - 1, limit, period, cost),
                            "{context}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn compound_calls_charge_all_or_nothing_and_name_the_blocker() {
    let Some((_engine, mut connection)) = server() else { return };
    let (user, address) =
        (quota(10, Duration::from_secs(60), 10), quota(3, Duration::from_secs(60), 3));
    let at = |now: u64| When::Caller(Time::from_secs(1_700_000_000 + now));
    let mut ask = |user_key: &str, address_key: &str, now| {
        let parts = [
            Part { key: user_key, quota: &user, cost: 1 },
            Part { key: address_key, quota: &address, cost: 1 },
        ];
        run(&mut connection, &scripts::compound(&parts, at(now)).unwrap())
    };
    for _ in 0..3 {
        assert!(ask("{c}:u1", "{c}:a1", 0).allowed);
    }
    let denied = ask("{c}:u1", "{c}:a1", 0);
    assert_eq!((denied.allowed, denied.blocked_by), (false, Some(1)));
    assert_eq!(denied.retry_after, Some(Duration::from_secs(20)));
    // The user was not charged for the refusals: seven more from other addresses, not an eighth.
    for i in 0..7 {
        assert!(ask("{c}:u1", &format!("{{c}}:b{i}"), 0).allowed, "request {i}");
    }
    assert_eq!(ask("{c}:u1", "{c}:b9", 0).blocked_by, Some(0));
    // The same key twice is charged twice: two of three, and two more do not fit.
    let part = Part { key: "{c}:same", quota: &address, cost: 1 };
    let twice = scripts::compound(&[part, part], at(0)).unwrap();
    assert!(run(&mut connection, &twice).allowed);
    let denied = run(&mut connection, &twice);
    assert_eq!((denied.allowed, denied.blocked_by), (false, Some(1)));
    assert!(run(&mut connection, &scripts::compound(&[part], at(0)).unwrap()).allowed);
}

/// Three parts, two of them one key under two quotas: after each decision the script tells of every
/// part what the exact model does, whether it passed or not.
#[test]
fn a_compound_tells_how_each_part_stands() {
    let Some((_engine, mut connection)) = server() else { return };
    let mut passed = [0, 0];
    for (i, pair) in QUOTAS.windows(2).enumerate() {
        let [(n, p, b), (n2, p2, b2)] = [pair[0], pair[1]];
        let quotas =
            [quota(n, Duration::from_micros(p), b), quota(n2, Duration::from_micros(p2), b2)];
        let model = |(count, period, burst): (u64, u64, u64)| {
            let (count, period, burst) = (count.into(), period.into(), burst.into());
            Model { count, period, burst, tat: 0 }
        };
        let mut models = [model(pair[0]), model(pair[1])];
        let keys = [format!("{{s{i}}}:a"), format!("{{s{i}}}:b")];
        let mut random = Random(40 + i as u64);
        for now in instants(i as u64, p, 300) {
            let costs = [random.below(b / 2 + 2), 1];
            let part = |at: usize| Part { key: &keys[at], quota: &quotas[at], cost: costs[at] };
            let when = When::Caller(Time::from_micros(now));
            let call = scripts::compound(&[part(0), part(1)], when).unwrap();
            let reply = reply(&mut connection, &call);
            let outcome = call.decode(&reply).unwrap();
            let before = models.each_ref().map(|model| model.tat);
            let fits = [0, 1].map(|at| models[at].check(now, costs[at]).0);
            if fits != [true; 2] {
                models[0].tat = before[0];
                models[1].tat = before[1];
            }
            assert_eq!(outcome.allowed, fits == [true; 2], "quotas {i} at {now}");
            passed[usize::from(outcome.allowed)] += 1;
            let standings = call.standings(&reply).unwrap();
            assert_eq!(outcome.remaining, standings.iter().map(|s| s.remaining).min().unwrap());
            for (model, standing) in models.into_iter().zip(standings) {
                // A look moves a copy on.
                let look = |at: u64| {
                    let mut model = model;
                    model.check(at, 0).1
                };
                let remaining = look(now);
                assert_eq!(standing.remaining, remaining, "quotas {i} at {now}");
                // One more passes after that wait and not a microsecond sooner.
                if remaining == model.burst as u64 {
                    assert_eq!(standing.more_after, Duration::ZERO);
                } else {
                    let wait = standing.more_after.as_micros() as u64;
                    assert!(wait > 0 && look(now + wait) > remaining, "quotas {i} at {now}");
                    assert_eq!(look(now + wait - 1), remaining, "quotas {i} at {now}");
                }
                let full = standing.reset_after.as_micros() as u64;
                let used = |at: u64| model.tat > i128::from(at) * model.count;
                assert!(!used(now + full) && (full == 0 || used(now + full - 1)));
            }
        }
    }
    assert!(passed.iter().all(|n| *n > 100), "{passed:?}: both kinds are to be seen");
}

/// One key twice, under two quotas: both parts tell of it with all that was charged.
#[test]
fn a_key_that_comes_twice_stands_in_both_parts_with_both_charges() {
    let Some((_engine, mut connection)) = server() else { return };
    let (narrow, wide) =
        (quota(3, Duration::from_secs(9), 3), quota(10, Duration::from_secs(30), 10));
    let part = |quota, cost| Part { key: "{t}", quota, cost };
    let now = When::Caller(Time::from_secs(1_700_000_000));
    let call = scripts::compound(&[part(&wide, 2), part(&narrow, 1)], now).unwrap();
    let passed = reply(&mut connection, &call);
    let left = |reply: &[i64]| -> Vec<u64> {
        call.standings(reply).unwrap().iter().map(|standing| standing.remaining).collect()
    };
    assert!(call.decode(&passed).unwrap().allowed);
    assert_eq!(left(&passed), [7, 0]);
    let denied = reply(&mut connection, &call);
    assert_eq!(call.decode(&denied).unwrap().blocked_by, Some(1));
    assert_eq!(left(&denied), [7, 0], "a denial charges nothing");
}

/// The usual sliding-window script stores requests under their millisecond, so that a hundred in
/// one millisecond are one: 100 of 100 pass a limit of 10.
#[test]
fn requests_in_the_same_instant_are_counted_apart() {
    let Some((_engine, mut connection)) = server() else { return };
    let quota = quota(10, Duration::from_secs(60), 10);
    let when = When::Caller(Time::from_secs(1_700_000_000));
    let passed = (0..100)
        .filter(|_| {
            run(&mut connection, &scripts::sliding_log("same", &quota, 1, when).unwrap()).allowed
        })
        .count();
    assert_eq!(passed, 10);
}

/// The usual token bucket forgets a debt after a fixed hour: one in two hours becomes one an hour.
#[test]
fn the_time_to_live_never_forgets_a_debt_and_nothing_lives_for_ever() {
    let Some((_engine, mut connection)) = server() else { return };
    let slow = quota(1, Duration::from_secs(7_200), 1);
    let calls = [
        scripts::gcra("slow:gcra", &slow, 1, When::Server).unwrap(),
        scripts::token_bucket("slow:bucket", &slow, 1, When::Server).unwrap(),
        scripts::sliding_log("slow:log", &slow, 1, When::Server).unwrap(),
        scripts::fixed_window("slow:fixed", &slow, 1, When::Server).unwrap(),
        scripts::sliding_counter("slow:counter", &slow, 1, When::Server).unwrap(),
    ];
    for call in &calls {
        let _ = run(&mut connection, call);
        // A denial must not strip or forget the time to live.
        assert!(!run(&mut connection, call).allowed, "{}", call.script.name);
        for key in &call.keys {
            let ttl: i64 = connection.pttl(key).unwrap();
            assert!(ttl > 0, "{key} lives for {ttl} ms: for ever, or not at all");
            if call.script.name != "fixed_window" {
                assert!(ttl > 7_199_000, "{key} is forgotten after {ttl} ms");
            }
        }
    }
}

/// Application servers whose clocks differ: the earlier one must not drive the bucket below zero or
/// give the elapsed time back twice.
#[test]
fn a_clock_that_steps_back_grants_nothing() {
    let Some((_engine, mut connection)) = server() else { return };
    let quota = quota(10, Duration::from_secs(10), 10);
    type Make = fn(&str, &Quota, u64, When) -> Result<Call, scripts::CallError>;
    let forms: [Make; 5] = [
        scripts::gcra,
        scripts::token_bucket,
        scripts::fixed_window,
        scripts::sliding_counter,
        scripts::sliding_log,
    ];
    for (i, make) in forms.into_iter().enumerate() {
        let mut passed = 0;
        for step in 0..60 {
            let offset = if step % 2 == 0 { 500 } else { 0 };
            let when = When::Caller(Time::from_secs(1_700_000_000 + offset));
            let call = make(&format!("back:{i}"), &quota, 1, when).unwrap();
            passed += u32::from(run(&mut connection, &call).allowed);
        }
        assert_eq!(passed, 10, "form {i}");
    }
}

/// While a clock is back, a bucket stands still: what is in it passes, and nothing is refilled.
#[test]
fn a_bucket_whose_clock_steps_back_gives_what_it_has() {
    let Some((_engine, mut connection)) = server() else { return };
    let quota = quota(10, Duration::from_secs(10), 10);
    let mut left = |secs: u64| {
        let when = When::Caller(Time::from_secs(1_700_000_000 + secs));
        let call = scripts::token_bucket("still", &quota, 1, when).unwrap();
        let outcome = run(&mut connection, &call);
        (outcome.allowed, outcome.remaining)
    };
    assert_eq!(left(500), (true, 9));
    assert_eq!(left(0), (true, 8));
    assert_eq!(left(499), (true, 7));
    assert_eq!(left(501), (true, 7));
}

/// The share of the last window is one part in 8.64e10 over what is left, which doubles do not see:
/// both products are about 5.8e16, where neighbours are 8 apart.
#[test]
fn the_counter_sees_a_difference_that_doubles_do_not() {
    let Some((_engine, mut connection)) = server() else { return };
    let (limit, day) = (1_000_003, 86_400_000_000_u64);
    let quota = quota(limit, Duration::from_micros(day), limit);
    let midnight = 20_000 * day;
    let mut pass = |key: &str, at: u64, cost| {
        let when = When::Caller(Time::from_micros(at));
        let call = scripts::sliding_counter(key, &quota, cost, when).unwrap();
        run(&mut connection, &call).allowed
    };
    // limit * overlap = (limit - cost) * day + 1
    let (overlap, cost) = (57_777_666_667, 331_278);
    for key in ["early", "late"] {
        assert!(pass(key, midnight - 1, limit));
    }
    assert!(!pass("early", midnight + day - overlap, cost));
    assert!(pass("late", midnight + day - overlap + 1, cost));
}

#[test]
fn the_server_knows_the_scripts_by_their_sha1() {
    for script in scripts::ALL {
        let digest = sha1::Sha1::digest(script.text.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(script.sha1, hex, "{}", script.name);
    }
    let Some((_engine, mut connection)) = server() else { return };
    for script in scripts::ALL {
        let sha1: String =
            redis::cmd("SCRIPT").arg("LOAD").arg(script.text).query(&mut connection).unwrap();
        assert_eq!(sha1, script.sha1);
    }
    let call =
        scripts::gcra("by-sha", &quota(5, Duration::from_secs(1), 5), 1, When::Server).unwrap();
    let mut command = redis::cmd("EVALSHA");
    command.arg(call.script.sha1).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
    let reply: Vec<i64> = command.query(&mut connection).unwrap();
    assert_eq!(call.decode(&reply).unwrap().remaining, 4);
}

#[test]
fn what_lua_cannot_count_exactly_is_refused_with_the_number() {
    let day = Duration::from_secs(86_400);
    let wide = quota(1, day, 1 << 40);
    let error = scripts::token_bucket("k", &wide, 1, When::Server).unwrap_err();
    assert!(error.to_string().contains("over 2^53"), "{error}");
    let fine = quota(7, Duration::from_nanos(1_500), 7);
    assert!(scripts::gcra("k", &fine, 1, When::Server).is_err());
    assert!(scripts::compound(&[], When::Server).is_err());
}

#[test]
fn replies_of_another_shape_are_typed_errors() {
    let call = scripts::gcra("k", &quota(5, Duration::from_secs(1), 5), 1, When::Server).unwrap();
    for bad in [&[][..], &[1], &[1, 2, 3], &[2, 0, 0, 0], &[-1, 0, 0, 0], &[1, 2, 3, 4, 5]] {
        assert!(call.decode(bad).is_err(), "{bad:?}");
    }
    let extreme = call.decode(&[1, i64::MIN, i64::MAX, i64::MIN]).unwrap();
    assert_eq!(extreme.remaining, 0);
    assert!(call.standings(&[1, 2, 3, 4]).unwrap().is_empty(), "one limit is no compound");
    let quota = quota(5, Duration::from_secs(1), 5);
    let part = Part { key: "k", quota: &quota, cost: 1 };
    let call = scripts::compound(&[part, part], When::Server).unwrap();
    for bad in [&[][..], &[1, 0, 0], &[1, 0, 0, 5, 5, 5], &[0, 3, 9, 1, 1, 1, 1], &[2; 7]] {
        assert!(call.decode(bad).is_err(), "{bad:?}");
    }
    let extreme = [1, 0, 0, i64::MAX, i64::MAX, i64::MIN, i64::MIN];
    let standings = call.standings(&extreme).unwrap();
    assert_eq!((standings[0].more_after, standings[1].remaining), (Duration::ZERO, 0));
    assert_eq!(standings[1].reset_after, Duration::from_secs(1));
}
