//! A second process places alike, whatever the order in which it is told of the members.

use archstone_core::hash::{hash_u64, mix};
use archstone_hashring::{
    Cluster, Key, Locate, Maglev, MultiProbe, Rendezvous, Resize, Ring, Weight, WeightedRendezvous,
};
use std::process::Command;

const ORDER: &str = "ARCHSTONE_HASHRING_TEST_ORDER";

/// The owners' names, of many keys, in one number.
fn digest<P: Locate + Resize>(empty: P, weights: bool, order: u64) -> u64 {
    let mut names: Vec<String> = (0..40).map(|i| format!("10.0.0.{i}")).collect();
    names.sort_by_key(|name| name.as_str().hashed(order));
    let mut cluster = Cluster::new(empty);
    for name in names {
        let weight = if weights { name.len() as f64 - 7.0 } else { 1.0 };
        cluster.join(name, Weight::new(weight).unwrap()).unwrap();
    }
    (0..20_000_u64)
        .fold(0, |sum, key| hash_u64(sum ^ cluster.owner(&key).unwrap().as_str().hashed(0).0, 0))
}

fn all(order: u64) -> [u64; 5] {
    [
        digest(Ring::new(), true, order),
        digest(Rendezvous::new(), false, order),
        digest(WeightedRendezvous::new(), true, order),
        digest(Maglev::new(), true, order),
        digest(MultiProbe::new(), false, order),
    ]
}

#[test]
fn another_process_agrees_after_shuffled_joins() {
    if let Ok(order) = std::env::var(ORDER) {
        println!("digests {:?}", all(order.parse().expect("a number")));
        return;
    }
    let here = format!("digests {:?}", all(1));
    for order in [2, mix(3)] {
        let child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "another_process_agrees_after_shuffled_joins", "--nocapture"])
            .env(ORDER, order.to_string())
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && text.contains(&here), "{here} is not in {text}");
    }
}
