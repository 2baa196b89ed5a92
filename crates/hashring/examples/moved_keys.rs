//! How many keys each scheme moves when an eleventh node joins ten: `hash % n` beside the placements.

use archstone_hashring::{
    Hashed, Jump, Key, Locate, Maglev, NodeId, Rendezvous, Resize, Ring, Weight,
};

const KEYS: u64 = 200_000;

/// Share of the keys that move, and share that moves between two nodes that stayed.
fn moved(old: impl Fn(Hashed) -> u32, new: impl Fn(Hashed) -> u32, joined: u32) -> (f64, f64) {
    let (mut moved, mut stray) = (0_u64, 0_u64);
    for key in (0..KEYS).map(|i| i.hashed(0)) {
        let (before, after) = (old(key), new(key));
        moved += u64::from(before != after);
        stray += u64::from(before != after && after != joined);
    }
    (moved as f64 / KEYS as f64 * 100.0, stray as f64 / KEYS as f64 * 100.0)
}

fn grown<P: Locate + Resize + Clone>(empty: P) -> (P, P, u32) {
    let mut old = empty;
    for i in 0..10 {
        old.add(NodeId::of(&format!("node-{i}")), Weight::ONE).expect("a new node");
    }
    let mut new = old.clone();
    let joined = new.add(NodeId::of("node-10"), Weight::ONE).expect("a new node");
    (old, new, joined.0)
}

fn row(name: &str, (moved, stray): (f64, f64)) {
    println!("{name:<22} {moved:>8.2} % {stray:>12.2} %");
}

fn placement(name: &str, (old, new, joined): (impl Locate, impl Locate, u32)) {
    let owner =
        |p: &dyn Fn(Hashed) -> Option<archstone_hashring::NodeIx>, key| p(key).map_or(0, |n| n.0);
    row(name, moved(|k| owner(&|k| old.locate(k), k), |k| owner(&|k| new.locate(k), k), joined));
}

fn main() {
    println!("10 nodes become 11; at least 1/11 = 9.09 % of the keys must move\n");
    println!("{:<22} {:>10} {:>14}", "scheme", "moved", "for nothing");
    row("hash % n", moved(|k| (k.0 % 10) as u32, |k| (k.0 % 11) as u32, 10));
    placement("jump", (Jump::new(10), Jump::new(11), 10));
    placement("rendezvous", grown(Rendezvous::new()));
    placement("ring, 160 points", grown(Ring::new()));
    placement("maglev, 65,537 slots", grown(Maglev::new()));
}
