//! The cluster by itself: siblings, deletes, stand-ins, many nodes, nobody there.

use archstone_crdt::clock::VersionVector;
use archstone_crdt::quorum::Quorum;
use kit::{Seed, Time};
use kv_store::cluster::{Call, Cluster, Happening};
use kv_store::config::Config;
use kv_store::message::{Answer, Op};
use kv_store::node::Node;
use std::time::Duration;

fn cluster(config: Config) -> Cluster {
    Cluster::new(config, 0.0, Seed::new(26)).expect("a ring")
}

/// Asks, and waits for the end.
fn ask(cluster: &mut Cluster, node: usize, key: &str, op: Op) -> Call {
    let id = cluster.call(0, node, key.as_bytes(), op);
    while let Some(happening) = cluster.next(Time::MAX) {
        if let Happening::Ended(call) = happening
            && call.id == id
        {
            return *call;
        }
    }
    unreachable!("a client gives up at last")
}

fn get(cluster: &mut Cluster, node: usize, key: &str) -> (Vec<Vec<u8>>, VersionVector) {
    match ask(cluster, node, key, Op::Get).returned {
        Some((_, Answer::Read { mut values, context })) => {
            values.sort();
            (values, context)
        }
        other => panic!("{other:?}"),
    }
}

fn put(
    cluster: &mut Cluster,
    node: usize,
    key: &str,
    context: &VersionVector,
    value: &str,
) -> Option<Answer> {
    let op = Op::Put { context: context.clone(), value: value.into() };
    ask(cluster, node, key, op).returned.map(|(_, answer)| answer)
}

fn wait(cluster: &mut Cluster, ms: u64) {
    let until = cluster.now() + Duration::from_millis(ms);
    while cluster.next(until).is_some() {}
}

#[test]
fn writes_that_did_not_see_each_other_stay_beside_each_other_until_a_reader_merges_them() {
    let mut cluster = cluster(Config::usual());
    let nothing = VersionVector::new();
    assert_eq!(put(&mut cluster, 0, "cart", &nothing, "milk"), Some(Answer::Written));
    assert_eq!(put(&mut cluster, 5, "cart", &nothing, "eggs"), Some(Answer::Written));
    let (values, context) = get(&mut cluster, 3, "cart");
    assert_eq!(values, [b"eggs".to_vec(), b"milk".to_vec()]);
    put(&mut cluster, 7, "cart", &context, "both");
    assert_eq!(get(&mut cluster, 1, "cart").0, [b"both".to_vec()]);
}

#[test]
fn a_deleted_key_does_not_come_back_from_a_replica_that_missed_it() {
    let mut cluster = cluster(Config::usual());
    put(&mut cluster, 0, "k", &VersionVector::new(), "v");
    wait(&mut cluster, 50);
    let holders = cluster.nodes[0].placement().holders(b"k");
    cluster.crash(holders[2]);
    let (_, context) = get(&mut cluster, holders[0], "k");
    let gone = ask(&mut cluster, holders[0], "k", Op::Delete { context }).returned;
    assert!(matches!(gone, Some((_, Answer::Written))), "{gone:?}");
    cluster.restart(holders[2]);
    wait(&mut cluster, 4_000);
    assert_eq!(cluster.agree(), Ok(1), "a version without a value");
    for node in 0..9 {
        assert!(get(&mut cluster, node, "k").0.is_empty(), "node {node}");
    }
}

#[test]
fn a_write_that_no_holder_could_take_reaches_them_and_leaves_its_stand_ins() {
    let mut cluster = cluster(Config::usual());
    let holders = cluster.nodes[0].placement().holders(b"k");
    holders.iter().for_each(|&node| cluster.crash(node));
    let up = (0..9).find(|node| !holders.contains(node)).expect("nine nodes");
    wait(&mut cluster, 2_000);
    assert_eq!(put(&mut cluster, up, "k", &VersionVector::new(), "v"), Some(Answer::Written));
    assert_eq!(get(&mut cluster, up, "k").0, [b"v".to_vec()]);
    holders.iter().for_each(|&node| cluster.restart(node));
    wait(&mut cluster, 4_000);
    assert_eq!(cluster.agree(), Ok(1));
    for (at, node) in cluster.nodes.iter().enumerate() {
        assert_eq!(node.engine.len(), u64::from(holders.contains(&at)), "node {at}");
    }
}

#[test]
fn a_strict_quorum_refuses_what_a_sloppy_one_takes() {
    for (sloppy, taken) in [(true, true), (false, false)] {
        let mut cluster = cluster(Config { sloppy, ..Config::usual() });
        let holders = cluster.nodes[0].placement().holders(b"k");
        holders[..2].iter().for_each(|&node| cluster.crash(node));
        let answer = put(&mut cluster, holders[2], "k", &VersionVector::new(), "v");
        assert_eq!(answer == Some(Answer::Written), taken, "sloppy: {sloppy}, {answer:?}");
    }
}

#[test]
fn fifty_nodes_serve_and_a_fifty_first_joins_and_is_filled() {
    let config = Config { nodes: 50, spare: 1, ..Config::usual() };
    let mut cluster = cluster(config);
    for key in 0..200 {
        let key = format!("key {key}");
        assert_eq!(
            put(&mut cluster, key.len() % 50, &key, &VersionVector::new(), "v"),
            Some(Answer::Written)
        );
    }
    cluster.join(50);
    wait(&mut cluster, 8_000);
    assert!(cluster.nodes.iter().all(|node| node.placement().has(50)), "all have heard of it");
    assert!(!cluster.nodes[50].is_rebuilding());
    assert!(!cluster.nodes[50].engine.is_empty());
    assert_eq!(cluster.agree(), Ok(200));
}

#[test]
fn one_node_alone_is_a_store_and_no_node_is_an_answer_not_a_panic() {
    let quorum = Quorum::new(1, 1, 1).expect("a quorum");
    let config = Config { nodes: 1, zones: 1, quorum, ..Config::usual() };
    let mut cluster = cluster(config);
    assert_eq!(put(&mut cluster, 0, "k", &VersionVector::new(), "v"), Some(Answer::Written));
    assert_eq!(get(&mut cluster, 0, "k").0, [b"v".to_vec()]);
    cluster.crash(0);
    assert_eq!(put(&mut cluster, 0, "k", &VersionVector::new(), "w"), None);
    cluster.wipe(0);
    wait(&mut cluster, 100);
    assert!(get(&mut cluster, 0, "k").0.is_empty(), "the only copy is gone");
    assert!(!cluster.nodes.iter().any(Node::is_rebuilding), "there is nobody to wait for");
}

#[test]
fn what_makes_no_cluster_is_an_error() {
    let quorum = Quorum::new(17, 9, 9).expect("a quorum");
    for config in [Config { quorum, ..Config::usual() }, Config { points: 0, ..Config::usual() }] {
        assert!(Cluster::new(config, 0.0, Seed::new(1)).is_err());
    }
}
