//! Against the real engines; each test skips aloud where its engine is not installed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use testkit::{Engine, require};

fn ask(engine: &Engine, question: &str) -> String {
    let mut stream = TcpStream::connect(engine.addr()).expect("the engine listens");
    stream.write_all(question.as_bytes()).expect("it takes the question");
    let mut answer = [0; 256];
    let n = stream.read(&mut answer).expect("it answers");
    String::from_utf8_lossy(&answer[..n]).into_owned()
}

fn psql(engine: &Engine, sql: &str) -> String {
    let out =
        Command::new("psql").args([&engine.url(), "-XAtqc", sql]).output().expect("psql runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

#[test]
fn redis_stores_and_two_of_them_do_not_share() {
    let Some(one) = require("redis") else { return };
    let Some(two) = require("redis") else { return };
    assert_eq!(ask(&one, "SET k v\r\n"), "+OK\r\n");
    assert_eq!(ask(&one, "GET k\r\n"), "$1\r\nv\r\n");
    assert_eq!(ask(&two, "GET k\r\n"), "$-1\r\n");
}

#[test]
fn postgres_runs_as_an_unprivileged_user_and_answers_sql() {
    let Some(engine) = require("postgres") else { return };
    assert_eq!(
        psql(&engine, "create table t(x int); insert into t values (41); select x + 1 from t"),
        "42"
    );
    assert_eq!(
        psql(&engine, "show data_directory"),
        engine.dir().join("data").to_str().expect("utf-8")
    );
}

#[test]
fn postgres_has_the_hll_extension_when_it_is_promised() {
    let Some(engine) = require("hll") else { return };
    let sql =
        "create extension hll; select hll_cardinality(hll_add(hll_empty(), hll_hash_integer(1)))";
    assert_eq!(psql(&engine, sql), "1");
}

#[test]
fn nats_greets_with_jetstream_on() {
    let Some(engine) = require("nats") else { return };
    let info = ask(&engine, "");
    assert!(info.starts_with("INFO {"), "{info}");
    assert!(engine.log().contains("JetStream"), "{}", engine.log());
}

#[test]
fn dropping_an_engine_ends_the_server_and_removes_its_folder() {
    for name in ["redis", "nats", "postgres"] {
        let Some(engine) = require(name) else { continue };
        let (addr, dir) = (engine.addr(), engine.dir().to_path_buf());
        drop(engine);
        assert!(TcpStream::connect(addr).is_err(), "{name} still listens on {addr}");
        assert!(!dir.exists(), "{} is still there", dir.display());
    }
}

/// The test below starts this binary again as a child that it kills.
const CHILD: &str = "ARCHSTONE_TESTKIT_CHILD";

#[test]
fn a_killed_test_leaves_no_engine_behind() {
    if std::env::var_os(CHILD).is_some() {
        let Some(engine) = require("redis") else { return };
        println!("port {} {}", engine.addr().port(), engine.dir().display());
        std::io::stdout().flush().expect("the parent reads");
        loop {
            std::thread::park();
        }
    }
    let Some(probe) = require("redis") else { return };
    drop(probe);
    let this = std::env::current_exe().expect("this binary");
    let mut child = Command::new(this)
        .args(["a_killed_test_leaves_no_engine_behind", "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let out = std::io::BufReader::new(child.stdout.take().expect("piped"));
    let line = std::io::BufRead::lines(out).map_while(Result::ok).find(|l| l.contains("port "));
    let line = line.expect("the child starts an engine");
    let (port, dir) =
        line.split_once("port ").and_then(|l| l.1.split_once(' ')).expect("port and folder");
    let (port, dir) = (port.parse::<u16>().expect("a port"), std::path::PathBuf::from(dir));
    child.kill().expect("SIGKILL");
    child.wait().expect("it is dead");
    let gone = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        TcpStream::connect(("127.0.0.1", port)).is_err() && !dir.exists()
    });
    assert!(gone, "the engine of a killed test is still on {port} or in {}", dir.display());
}

#[test]
#[should_panic(expected = "no engine is called \"oracle\"")]
fn an_unknown_engine_is_a_mistake_and_not_a_skip() {
    let _ = require("oracle");
}
