//! Vectors of published rules: what every history reads, in every order of merging.

mod common;

use archstone_crdt::clock::itc::Stamp;
use archstone_crdt::clock::{HybridClock, Timestamp};
use common::subject::Subject;
use common::{History, Oracle, id};
use core::time::Duration;
use serde::Deserialize;
use serde_json::Value;

fn data(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn histories() -> Vec<History> {
    let scenarios = testkit::golden::jsonl::<History>(data("scenarios.jsonl"));
    scenarios.chain(testkit::golden::jsonl(data("causal_histories.jsonl.gz"))).collect()
}

/// Replays the histories of one type; how many there were.
fn replay<S: Subject>() {
    let mut rows = 0;
    for history in histories().iter().filter(|history| history.kind == S::KIND) {
        let mut replicas = vec![S::default(); history.replicas];
        let mut oracle = Oracle::new(history.replicas);
        for step in &history.log {
            oracle.step(step);
            if step.op == "merge" {
                let other = replicas[step.from].clone();
                replicas[step.at].merge(&other);
            } else {
                replicas[step.at].apply(id(step.at), step);
            }
            replicas[step.at].check();
        }
        let name = &history.name;
        for (at, replica) in replicas.iter().enumerate() {
            assert_eq!(replica.read(), history.reads[at], "{name} {}: replica {at}", S::KIND);
            assert_eq!(oracle.read(S::KIND, at), history.reads[at], "the model, {name}");
        }
        for rotation in 0..history.replicas {
            for backwards in [false, true] {
                let mut order: Vec<_> = (0..history.replicas).collect();
                order.rotate_left(rotation);
                if backwards {
                    order.reverse();
                }
                let mut all = S::default();
                for &at in &order {
                    all.merge(&replicas[at]);
                }
                assert_eq!(all.read(), history.merged, "{name} {}: {order:?}", S::KIND);
            }
        }
        assert_eq!(oracle.merged(S::KIND), history.merged, "the model, {name}");
        rows += 1;
    }
    assert!(rows >= 150, "{}: {rows} histories", S::KIND);
}

#[test]
fn every_history_reads_as_its_rule_says_in_every_order_of_merging() {
    every_type!(replay);
}

#[derive(Deserialize)]
struct HlcEvent {
    node: usize,
    pt: u64,
    msg: Option<(u64, u16)>,
    l: u64,
    c: u16,
}

#[test]
fn the_hybrid_clock_gives_the_papers_stamps() {
    let mut events = 0;
    for run in testkit::golden::jsonl::<Vec<HlcEvent>>(data("hlc.jsonl.gz")) {
        let clocks: Vec<_> =
            (0..3).map(|i| HybridClock::new(id(i), Duration::from_secs(9))).collect();
        for event in run {
            let clock = &clocks[event.node];
            let stamp = match event.msg {
                None => clock.stamp(event.pt),
                Some((l, c)) => clock.observe(event.pt, Timestamp::new(l, c, id(7))),
            };
            assert_eq!(stamp, Ok(Timestamp::new(event.l, event.c, id(event.node))));
            events += 1;
        }
    }
    assert_eq!(events, 1_200);
}

#[test]
fn interval_tree_clocks_are_the_papers_text_at_every_step() {
    let mut steps = 0;
    for run in testkit::golden::jsonl::<Vec<Value>>(data("itc.jsonl.gz")) {
        let mut stamps = vec![Stamp::seed()];
        for row in run {
            let at = |name: &str| row[name].as_u64().unwrap() as usize;
            let text = |name: &str| row[name].as_str().unwrap();
            match row["op"].as_str().unwrap() {
                "fork" => {
                    let right = stamps[at("at")].fork().unwrap();
                    assert_eq!(stamps[at("at")].to_string(), text("left"));
                    assert_eq!(right.to_string(), text("right"));
                    stamps.push(right);
                }
                "event" => {
                    stamps[at("at")].event().unwrap();
                    assert_eq!(stamps[at("at")].to_string(), text("result"));
                }
                "message" => {
                    let message = stamps[at("from")].message();
                    stamps[at("to")].receive(&message).unwrap();
                    assert_eq!(stamps[at("to")].to_string(), text("result"));
                }
                "join_retire" => {
                    let other = stamps[at("other")].clone();
                    stamps[at("at")].join(other).unwrap();
                    assert_eq!(stamps[at("at")].to_string(), text("result"));
                    stamps.remove(at("other"));
                }
                "leq" => {
                    assert_eq!(stamps[at("a")].leq(&stamps[at("b")]), row["result"]);
                }
                other => panic!("no step {other}"),
            }
            steps += 1;
        }
    }
    assert_eq!(steps, 1_000);
}

#[derive(Deserialize)]
struct TreeRun {
    ops: Vec<(u64, usize, i64, i64)>,
    parent: std::collections::BTreeMap<String, i64>,
}

#[test]
fn moves_in_any_order_make_the_golden_tree() {
    use archstone_crdt::tree::MoveTree;
    let mut runs = 0;
    for run in testkit::golden::jsonl::<TreeRun>(data("move_tree.jsonl.gz")) {
        // Actors in the order of their ids.
        let actor = |i: usize| archstone_crdt::ReplicaId(i as u64);
        let mut tree = MoveTree::new();
        for &(lamport, by, parent, child) in &run.ops {
            tree.place(Timestamp::from_u64(lamport, actor(by)), child, parent);
        }
        let parents: std::collections::BTreeMap<String, i64> =
            tree.iter().map(|(child, parent)| (child.to_string(), *parent)).collect();
        assert_eq!(parents, run.parent);
        runs += 1;
    }
    assert_eq!(runs, 150);
}
