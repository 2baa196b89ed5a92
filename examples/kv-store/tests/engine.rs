//! Real programs, when they are there: redis-cli and redis-benchmark speak to our server, and with
//! `--features redis` the recorded load runs on a real Redis too.

use kit::Seed;
use kv_store::config::Config;
use kv_store::serve::Server;
use kv_store::store::Store;
use std::net::SocketAddr;
use std::process::{Command, Output};

fn server() -> Server {
    let config = Config { compare: 36_000, ..Config::usual() };
    let store = Store::new(config, Seed::new(26)).expect("a ring");
    Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), store).expect("a port")
}

/// Runs a client program against the server; `None`, said aloud, when it is not installed.
fn client(program: &str, server: &Server, args: &[&str]) -> Option<Output> {
    let port = server.address.port().to_string();
    match Command::new(program).args(["-h", "127.0.0.1", "-p", &port]).args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            // They come with the server.
            testkit::skip("redis", &format!("{program}: {error}"));
            None
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn redis_cli_sets_gets_and_is_told_what_there_is_not() {
    let server = server();
    let said =
        |args: &[&str]| client("redis-cli", &server, args).map(|output| text(&output.stdout));
    let Some(pong) = said(&["PING"]) else { return };
    assert_eq!(pong, "PONG\n");
    let answers = [
        (&["SET", "greeting", "hello world"][..], "OK\n"),
        (&["GET", "greeting"], "hello world\n"),
        (&["EXISTS", "greeting", "other"], "1\n"),
        (&["DEL", "greeting"], "1\n"),
        (&["GET", "greeting"], "\n"),
    ];
    for (args, answer) in answers {
        assert_eq!(said(args).as_deref(), Some(answer), "{args:?}");
    }
    let info = said(&["INFO"]).unwrap_or_default();
    assert!(info.contains("copies_n:3") && info.contains("node8:zone=2"), "{info}");
    for args in [
        &["CONFIG", "GET", "save"][..],
        &["COMMAND"],
        &["SET", "k", "v", "EX", "3"],
        &["HGET", "h", "f"],
    ] {
        let error = said(args).unwrap_or_default();
        assert!(error.starts_with("ERR "), "{args:?}: {error}");
    }
}

#[test]
fn redis_benchmark_starts_and_ends_with_and_without_pipelines() {
    let server = server();
    for args in [
        &["-n", "2000", "-c", "10"][..],
        &["-n", "2000", "-c", "4", "-P", "16", "-d", "500", "-r", "300"],
    ] {
        let args: Vec<&str> = args.iter().copied().chain(["-t", "ping,set,get", "--csv"]).collect();
        let Some(output) = client("redis-benchmark", &server, &args) else { return };
        let (said, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{said}{errors}");
        for name in ["\"PING_INLINE\"", "\"PING_MBULK\"", "\"SET\"", "\"GET\""] {
            assert!(said.contains(name), "{name}: {said}{errors}");
        }
    }
}

#[cfg(feature = "redis")]
#[test]
fn the_recorded_load_is_answered_alike_by_a_real_redis() {
    let Some(engine) = testkit::require("redis") else { return };
    let trace = kv_store::load::trace(2_000).expect("it is part of the program");
    let race =
        kv_store::redis_load::race(&engine.url(), Seed::new(1), &trace).expect("both answer");
    // Each request, and a SET after each miss.
    assert!(race.calls > 2_000, "{race:?}");
    assert_eq!(race.differ, 0);
}

#[cfg(feature = "redis")]
#[test]
fn the_whole_run_shows_both_rates() {
    let Some(engine) = testkit::require("redis") else { return };
    let out = Command::new(env!("CARGO_BIN_EXE_kv-store"))
        .args(["--scale", "quick", "--json", "--backend", &engine.url()])
        .output()
        .expect("it runs");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    assert!(json["wall"]["notes"]["Redis over TCP"].as_u64() > Some(0), "{}", json["wall"]);
}
