//! How many keys each scheme moves when an eleventh node joins ten, and when the fifth of them
//! leaves: `hash % n` beside the placements.

use archstone_hashring::{
    Anchor, Dx, Hashed, Jump, Key, Level, Locate, Maglev, Memento, MultiProbe, NodeId, NodeIx,
    Numbered, Rendezvous, Resize, Ring, Skeleton, Table, Weight, WeightedRendezvous,
};

const KEYS: u64 = 200_000;

/// Shares, in per cent, of the keys that move at all, and of those that need not.
struct Moved {
    all: f64,
    stray: f64,
}

fn moved(
    old: impl Fn(Hashed) -> u32,
    new: impl Fn(Hashed) -> u32,
    must: impl Fn(u32, u32) -> bool,
) -> Moved {
    let (mut all, mut stray) = (0_u64, 0_u64);
    for key in (0..KEYS).map(|i| i.hashed(0)) {
        let (before, after) = (old(key), new(key));
        all += u64::from(before != after);
        stray += u64::from(before != after && !must(before, after));
    }
    let share = |keys: u64| keys as f64 / KEYS as f64 * 100.0;
    Moved { all: share(all), stray: share(stray) }
}

fn between(old: &impl Locate, new: &impl Locate, changed: NodeIx) -> Moved {
    let owner = |p: Option<NodeIx>| p.map_or(u32::MAX, |node| node.0);
    moved(
        |key| owner(old.locate(key)),
        |key| owner(new.locate(key)),
        |before, after| before == changed.0 || after == changed.0,
    )
}

fn row(name: &str, join: &Moved, leave: Option<&Moved>) {
    let leave = leave.map_or("      only the last can".into(), |leave| {
        format!("{:>9.2} % {:>9.2} %", leave.all, leave.stray)
    });
    println!("{name:<22} {:>8.2} % {:>9.2} %   {leave}", join.all, join.stray);
}

/// A placement whose members come and go, seen as `view`.
fn named<P: Resize + Clone, V: Locate>(name: &str, empty: P, view: impl Fn(&P) -> V) {
    let mut ten = empty;
    for i in 0..10 {
        ten.add(NodeId::of(&format!("node-{i}")), Weight::ONE).expect("a new node");
    }
    let mut eleven = ten.clone();
    let joined = eleven.add(NodeId::of("node-10"), Weight::ONE).expect("a new node");
    let mut nine = ten.clone();
    nine.remove(NodeIx(4)).expect("a member");
    let join = between(&view(&ten), &view(&eleven), joined);
    row(name, &join, Some(&between(&view(&ten), &view(&nine), NodeIx(4))));
}

fn placement<P: Resize + Locate + Clone>(name: &str, empty: P) {
    named(name, empty, P::clone);
}

fn main() {
    println!("ten nodes: at least 9.09 % of the keys move when one joins, 10 % when one leaves\n");
    println!(
        "{:<22} {:>10} {:>11}   {:>11} {:>11}",
        "scheme", "join", "needlessly", "leave", "needlessly"
    );
    let modulo = |n: u64| move |key: Hashed| (key.0 % n) as u32;
    let join = moved(modulo(10), modulo(11), |_, after| after == 10);
    row("hash % n", &join, Some(&moved(modulo(10), modulo(9), |before, _| before == 9)));
    row("jump", &between(&Jump::new(10), &Jump::new(11), NodeIx(10)), None);
    row("level", &between(&Level::new(10), &Level::new(11), NodeIx(10)), None);
    placement("memento", Numbered::new(Memento::new(0)));
    placement("anchor", Numbered::new(Anchor::with_capacity(20).expect("a size")));
    placement("dx", Numbered::new(Dx::with_capacity(16).expect("a size")));
    placement("skeleton", Numbered::new(Skeleton::with_capacity(16).expect("a size")));
    placement("rendezvous", Rendezvous::new());
    placement("weighted rendezvous", WeightedRendezvous::new());
    placement("multi-probe", MultiProbe::new());
    placement("ring, 160 points", Ring::new());
    placement("maglev, 65,537 slots", Maglev::new());
    let compiled = |ring: &Ring| Table::compile(ring, 14).expect("a size");
    named("ring in 16,384 slots", Ring::new(), compiled);
}
