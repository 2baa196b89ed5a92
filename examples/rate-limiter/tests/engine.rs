//! A real Redis, when there is one: `cargo test -p rate-limiter --features redis`.
#![cfg(feature = "redis")]

use archstone_ratelimit::redis::{self as scripts, Call, Part, When};
use archstone_ratelimit::{Manual, OnOutage, Quota, Rate, Time};
use rate_limiter::gate::{Caller, Decision, Dimension, Gate, Limits};
use rate_limiter::redis_store::{RedisStore, decide};
use rate_limiter::sample;
use rate_limiter::serve::{Gateway, Server};
use rate_limiter::store::Memory;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Random calls of every script at random times, back and forth, on a server and in process.
#[test]
fn the_scripts_in_process_reply_as_on_a_real_server() {
    let Some(engine) = testkit::require("redis") else { return };
    let mut real = RedisStore::connect(&engine.url(), "same").expect("it answers");
    let mut here = Memory::default();
    let mut dice = kit::Seed::new(22).stream("calls");
    let rates = [(1, 1), (10, 10), (7, 13), (100, 60), (1_000, 3_600), (50_000, 60), (1, 86_400)];
    let quotas: Vec<Quota> = rates
        .iter()
        .map(|&(n, s)| Quota::new(Rate::new(n, Duration::from_secs(s)).expect("a rate")))
        .collect();
    let mut now = 1_000_000_000_000_u64;
    let mut last = vec![now; quotas.len()];
    for n in 0..6_000 {
        let at = dice.below(quotas.len() as u64) as usize;
        let period = quotas[at].rate().period().as_micros() as u64;
        now = match dice.below(20) {
            // The caller's clock may step back.
            0 => now - dice.below(5_000_000),
            1 => now + dice.below(90_000_000),
            2 => now.next_multiple_of(60_000_000) - dice.below(2),
            // To the microsecond one window after a call of the same quota, and just before that.
            3 => last[at] + period,
            4 => last[at] + period - 1,
            5..=9 => now,
            _ => now + dice.below(200_000),
        };
        last[at] = now;
        let when = When::Caller(Time::from_micros(now));
        let burst = 1 + dice.below(3 * quotas[at].burst());
        let quota = if dice.chance(0.5) { quotas[at] } else { quotas[at].with_burst(burst) };
        let cost = if dice.chance(0.7) { 1 } else { dice.below(quota.burst() + 3) };
        let key = |kind: &str| format!("{kind}:{at}");
        let call: Call = match n % 6 {
            0 => scripts::gcra(&key("gcra"), &quota, cost, when),
            1 => scripts::token_bucket(&key("bucket"), &quota, cost, when),
            2 => scripts::fixed_window(&key("window"), &quota, cost, when),
            3 => scripts::sliding_counter(&key("counter"), &quota, cost, when),
            4 => scripts::sliding_log(&key("log"), &quota, cost, when),
            _ => {
                // One key may come twice.
                let mut key = |_| format!("part:{}", dice.below(4));
                let keys: Vec<String> = (0..3).map(&mut key).collect();
                let parts: Vec<_> = keys
                    .iter()
                    .map(|key| Part { key, quota: &quota, cost: dice.below(3) })
                    .collect();
                scripts::compound(&parts, when)
            }
        }
        .expect("numbers that fit");
        let there = real.reply(&call).expect("the script runs");
        let mine = here.reply(&call);
        assert_eq!(mine, there, "call {n}: {} {:?} {:?}", call.script.name, call.keys, call.args);
    }
}

#[test]
fn the_samples_scripts_have_their_errors_on_a_real_server() {
    let Some(engine) = testkit::require("redis") else { return };
    let client = redis::Client::open(engine.url()).expect("a URL");
    let mut connection = client.get_connection().expect("it answers");
    // 100 requests of one millisecond against a limit of 10.
    let mut passed = 0;
    for _ in 0..100 {
        let mut eval = redis::cmd("EVAL");
        eval.arg(sample::SLIDING_WINDOW_LUA).arg(1).arg("window");
        let reply: i64 =
            eval.arg(1_000_000).arg(990_000).arg(10).arg(10).query(&mut connection).expect("runs");
        passed += reply;
    }
    assert_eq!(passed, 100, "they collapse into one member");
    let mut ours = RedisStore::connect(&engine.url(), "ours").expect("it answers");
    let quota = Quota::new(Rate::new(10, Duration::from_secs(10)).expect("a rate"));
    let when = When::Caller(Time::from_millis(1_000_000));
    let call = scripts::sliding_log("window", &quota, 1, when).expect("fits");
    let ours = (0..100).filter(|_| ours.reply(&call).expect("runs")[0] == 1).count();
    assert_eq!(ours, 10);

    // One in two hours: the key lives for one.
    let bucket = |connection: &mut redis::Connection, key: &str, now: &str| -> i64 {
        let mut eval = redis::cmd("EVAL");
        eval.arg(sample::TOKEN_BUCKET_LUA).arg(1).arg(key).arg(1).arg(1.0 / 7_200.0).arg(now);
        eval.query(connection).expect("runs")
    };
    assert_eq!(bucket(&mut connection, "slow", "1000000"), 1);
    let ttl: i64 = redis::cmd("TTL").arg("slow").query(&mut connection).expect("runs");
    assert!((3_590..=3_600).contains(&ttl), "{ttl} s for a debt of 7,200 s");
    // A denial on a key without a life of its own leaves one without an end.
    let () = redis::cmd("HSET")
        .arg("denied")
        .arg(&["tokens", "0", "last_refill", "1000000"])
        .query(&mut connection)
        .expect("runs");
    assert_eq!(bucket(&mut connection, "denied", "1000000"), 0);
    let ttl: i64 = redis::cmd("TTL").arg("denied").query(&mut connection).expect("runs");
    assert_eq!(ttl, -1);
}

#[test]
fn the_gate_in_redis_is_all_or_nothing_and_names_the_blocker() {
    let Some(engine) = testkit::require("redis") else { return };
    let store = Mutex::new(RedisStore::connect(&engine.url(), "gate").expect("it answers"));
    let mut limits = Limits::default();
    limits.set("ip=3/hour").expect("a limit");
    let from = |last: u8| Caller {
        user: Some("ann"),
        tier: 0,
        api_key: Some("key"),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
    };
    let standing = |last: u8| decide(&store, &limits, &from(last)).expect("it answers");
    let ask = |last: u8| standing(last).0;
    // Three of an hour's, of which each tells what is left.
    for left in [2, 1, 0] {
        let (decision, standing) = standing(1);
        assert!(decision.passes());
        let ip = standing.iter().find(|s| s.dimension == Dimension::Ip).expect("it applies");
        assert_eq!(ip.remaining, left);
        assert!(ip.more_in.expect("some is used") <= Duration::from_secs(1_200));
        let tier = standing.iter().find(|s| s.dimension == Dimension::Tier).expect("it applies");
        assert_eq!(tier.remaining, 97 + left);
    }
    for _ in 0..150 {
        let Decision::Blocked { by, wait } = ask(1) else { panic!("a fourth passed") };
        assert_eq!(by, Dimension::Ip);
        let wait = wait.expect("an end");
        assert!(
            wait > Duration::from_secs(1_100) && wait <= Duration::from_secs(1_200),
            "{wait:?}"
        );
    }
    // Had the 150 been charged, nothing of the free tier's 100 would be left.
    let passed = (2..=200).filter(|&last| ask(last).passes()).count();
    assert!((97..=98).contains(&passed), "{passed} of the 97 that were left");
}

#[test]
fn a_store_that_goes_away_is_503_or_passes_as_told() {
    let Some(engine) = testkit::require("redis") else { return };
    let url = engine.url();
    let gateway = |on_outage| {
        let store = RedisStore::connect(&url, "away").expect("it answers");
        let gateway = Gateway {
            gate: Gate::new(Limits::default(), 64),
            shared: Some(Mutex::new(store)),
            on_outage,
            clock: Arc::new(Manual::new(Time::ZERO)),
            upstream: None,
            trust_forwarded: false,
            honest: true,
        };
        Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), gateway).expect("a port")
    };
    let (open, closed) = (gateway(OnOutage::FailOpen), gateway(OnOutage::FailClosed));
    let answer = |server: &Server| {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        let request = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    };
    let told = answer(&open).to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 200"));
    // What is left is told as the store has it.
    assert!(told.contains("\r\nratelimit: \"ip\";r=99;t=1, \"global\";r=49999;t=1\r\n"), "{told}");
    assert!(told.contains("\r\nx-ratelimit-remaining: 99\r\n"), "{told}");
    assert!(answer(&closed).starts_with("HTTP/1.1 200"));
    drop(engine);
    assert!(answer(&open).starts_with("HTTP/1.1 200"), "fail open");
    let refused = answer(&closed);
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.contains("temporary-reduced-capacity"), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("retry-after: 1"), "{refused}");
}

#[test]
fn the_whole_run_on_a_real_redis_decides_as_in_process() {
    let Some(engine) = testkit::require("redis") else { return };
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_rate-limiter"))
        .args(["--scale", "quick", "--json", "--backend", &engine.url()])
        .output()
        .expect("it runs");
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    let invariants = json["invariants"].as_array().expect("a list");
    let same =
        invariants.iter().find(|i| i["name"].as_str().is_some_and(|n| n.contains("real Redis")));
    let same = same.expect("it is checked");
    assert!(same["checked"].as_u64() > Some(10_000), "{same}");
    assert_eq!(same["violations"], 0, "{same}");
    assert!(json["wall"]["latency"]["redis, token_bucket"]["n"].as_u64() > Some(1_000));
}

#[test]
fn a_redis_that_is_not_there_is_an_error_that_names_it() {
    let error = RedisStore::connect("redis://127.0.0.1:1/", "").expect_err("nobody listens");
    assert!(error.to_string().contains("redis://127.0.0.1:1/"), "{error}");
}
