//! Numbered placements: growth, removals down to one and back, balance at every load, independence.

use archstone_core::hash::mix;
use archstone_hashring::{
    Anchor, Buckets, Candidates, Dx, Hashed, Jump, Key, Level, Locate, Memento, MultiProbe, NodeId,
    NodeIx, PlacementError, Rendezvous, Resize, Skeleton, Weight,
};

fn keys(count: u64) -> Vec<Hashed> {
    (0..count).map(|i| i.hashed(0)).collect()
}

/// Adds one member at a time up to 4,096: a key moves to the new one or not at all.
fn grows<P: Locate>(mut placement: P, count: u64, mut add: impl FnMut(&mut P, u64) -> NodeIx) {
    let keys = keys(count);
    assert_eq!(placement.locate(keys[0]), None);
    let mut owners = vec![NodeIx(0); keys.len()];
    for n in 1..=4_096 {
        let new = add(&mut placement, n);
        assert_eq!(placement.len() as u64, n);
        let mut moved = 0;
        for (key, owner) in keys.iter().zip(&mut owners) {
            let now = placement.locate(*key).unwrap();
            assert!(now == *owner || now == new, "{n} buckets");
            moved += u64::from(now != *owner);
            *owner = now;
        }
        // Ten times its share: never by chance, at once if keys pile up. One point a node has an
        // arc of log n times the mean, hence the margin.
        assert!(moved <= 40 + count * 30 / n, "{moved} keys moved to bucket {n}");
    }
}

fn grow<B: Buckets>(buckets: &mut B, _: u64) -> NodeIx {
    buckets.grow().unwrap()
}

#[test]
fn every_growth_up_to_4096_moves_keys_to_the_new_bucket_only() {
    grows(Jump::new(0), 2_000, grow);
    grows(Level::new(0), 2_000, grow);
    grows(Memento::new(0), 2_000, grow);
    grows(Anchor::with_capacity(4_096).unwrap(), 2_000, grow);
    grows(Dx::with_capacity(4_096).unwrap(), 2_000, grow);
    grows(Skeleton::with_capacity(4_096).unwrap(), 500, grow);
    let named = |n| NodeId(mix(n));
    grows(MultiProbe::new(), 2_000, |p, n| p.add(named(n), Weight::ONE).unwrap());
    grows(Rendezvous::new(), 100, |p, n| p.add(named(n), Weight::ONE).unwrap());
}

#[test]
fn only_the_last_bucket_of_jump_and_level_can_go() {
    fn check(mut buckets: impl Buckets) {
        let (seven, last) = (NodeIx(7), NodeIx(9));
        assert_eq!(buckets.retire(seven), Err(PlacementError::NotLast { node: seven, last }));
        let past = NodeIx(10);
        assert_eq!(buckets.retire(past), Err(PlacementError::Unknown { node: past }));
        buckets.retire(last).unwrap();
        assert_eq!((buckets.len(), buckets.is_live(last)), (9, false));
    }
    check(Jump::new(10));
    check(Level::new(10));
    assert!(Jump::new(u32::MAX).grow().is_err() && Level::new(u32::MAX).grow().is_err());
    assert!(Level::new(0).retire(NodeIx(0)).is_err());
    assert_eq!(Level::new(1).locate(Hashed(u64::MAX)), Some(NodeIx(0)));
}

/// Removes buckets in random order down to one, and adds them back: at each step the same owners.
fn down_and_back<B: Buckets + Clone>(full: &B, history_matters: bool) {
    let keys = keys(400);
    let mut buckets = full.clone();
    let mut steps = Vec::new();
    let owners = |buckets: &B| -> Vec<NodeIx> {
        keys.iter().map(|&key| buckets.locate(key).unwrap()).collect()
    };
    let mut random = 7;
    while buckets.len() > 1 {
        random = mix(random);
        let gone = NodeIx((random % u64::from(buckets.end())) as u32);
        if !buckets.is_live(gone) {
            assert!(buckets.retire(gone).is_err());
            continue;
        }
        let before = owners(&buckets);
        buckets.retire(gone).unwrap();
        let after = owners(&buckets);
        for (old, new) in before.iter().zip(&after) {
            assert!(old == new || *old == gone, "a key of another bucket moved");
            assert!(buckets.is_live(*new));
        }
        steps.push((gone, before));
    }
    let last = owners(&buckets)[0];
    let mut none = buckets.clone();
    none.retire(last).unwrap();
    assert_eq!((none.locate(keys[0]), none.len()), (None, 0));
    assert!(none.candidates(keys[0]).next().is_none());
    while let Some((gone, before)) = steps.pop() {
        let back = buckets.grow().unwrap();
        if history_matters {
            assert_eq!((back, owners(&buckets)), (gone, before), "the last removed comes first");
        }
    }
    assert_eq!(owners(&buckets), owners(full), "all are back");
}

fn filled<B: Buckets>(mut buckets: B, n: u32) -> B {
    for _ in 0..n {
        buckets.grow().unwrap();
    }
    buckets
}

#[test]
fn removals_down_to_one_and_back_are_the_identity() {
    down_and_back(&filled(Anchor::with_capacity(60).unwrap(), 60), true);
    down_and_back(&filled(Anchor::with_capacity(200).unwrap(), 60), true);
    down_and_back(&filled(Memento::new(0), 60), true);
    down_and_back(&filled(Memento::new(60), 0), true);
    down_and_back(&filled(Dx::with_capacity(60).unwrap(), 60), false);
    down_and_back(&filled(Skeleton::with_capacity(64).unwrap(), 64), false);
}

/// Chi-square of the live buckets, in standard deviations from its mean.
fn deviation(counts: &[f64]) -> f64 {
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let chi: f64 = counts.iter().map(|count| (count - mean).powi(2) / mean).sum();
    let freedom = (counts.len() - 1) as f64;
    (chi - freedom) / (2.0 * freedom).sqrt()
}

fn balance(buckets: &impl Buckets) -> f64 {
    let mut counts = vec![0.0; buckets.end() as usize];
    for key in keys(200_000) {
        counts[buckets.locate(key).unwrap().index()] += 1.0;
    }
    let live = (0..).zip(counts).filter(|&(i, _)| buckets.is_live(NodeIx(i)));
    let live: Vec<f64> = live.map(|(_, count)| count).collect();
    assert_eq!(live.len(), buckets.len());
    deviation(&live)
}

#[test]
fn balance_is_at_the_limit_whatever_was_removed() {
    fn check<B: Buckets>(name: &str, mut buckets: B) {
        let mut random = 3;
        for left in [200, 160, 100, 20] {
            while buckets.len() > left {
                random = mix(random);
                let _ = buckets.retire(NodeIx((random % 200) as u32));
            }
            let off = balance(&buckets);
            assert!(off.abs() < 5.0, "{name} with {left} of 200: {off:.1}");
        }
    }
    check("anchor", filled(Anchor::with_capacity(200).unwrap(), 200));
    check("anchor, twice the capacity", filled(Anchor::with_capacity(400).unwrap(), 200));
    check("memento", Memento::new(200));
    check("dx", filled(Dx::with_capacity(256).unwrap(), 200));
    check("skeleton", filled(Skeleton::with_capacity(256).unwrap(), 200));
}

#[test]
fn level_is_even_for_every_size_and_for_sequential_ids() {
    let sizes = [2, 3, 5, 10, 11, 50, 100, 127, 128, 129, 300, 1_000, 1_025];
    for n in sizes {
        let off = balance(&Level::new(n));
        assert!(off.abs() < 5.0, "{n}: {off:.1}");
    }
}

#[test]
fn the_second_candidate_is_independent_of_the_first() {
    fn check(name: &str, buckets: &impl Buckets) {
        let n = buckets.end() as usize;
        let mut pairs = vec![0.0; n * n];
        for key in keys(200_000) {
            let mut two = buckets.candidates(key);
            let (first, second) = (two.next().unwrap(), two.next().unwrap());
            pairs[first.index() * n + second.index()] += 1.0;
        }
        let live = |i: usize| buckets.is_live(NodeIx(i as u32));
        let pairs = pairs
            .into_iter()
            .enumerate()
            .filter(|&(i, _)| i / n != i % n && live(i / n) && live(i % n));
        let off = deviation(&pairs.map(|(_, count)| count).collect::<Vec<_>>());
        assert!(off.abs() < 5.0, "{name}: {off:.1}");
    }
    check("level", &Level::new(13));
    check("jump", &Jump::new(13));
    check("anchor", &filled(Anchor::with_capacity(26).unwrap(), 13));
    check("dx", &filled(Dx::with_capacity(26).unwrap(), 13));
    let mut memento = Memento::new(16);
    for gone in [3, 9, 11] {
        memento.retire(NodeIx(gone)).unwrap();
    }
    check("memento", &memento);
    check("skeleton", &filled(Skeleton::with_capacity(16).unwrap(), 13));
}

#[test]
fn where_keys_go_when_a_node_leaves_is_everywhere() {
    fn check<B: Buckets + Clone>(name: &str, full: &B) {
        let gone = NodeIx(5);
        let mut less = full.clone();
        less.retire(gone).unwrap();
        let mut counts = vec![0.0; full.end() as usize];
        for key in keys(400_000) {
            if full.locate(key) == Some(gone) {
                counts[less.locate(key).unwrap().index()] += 1.0;
            }
        }
        let live = (0..).zip(counts).filter(|&(i, _)| less.is_live(NodeIx(i)));
        let off = deviation(&live.map(|(_, count)| count).collect::<Vec<_>>());
        assert!(off.abs() < 5.0, "{name}: {off:.1}");
    }
    check("anchor", &filled(Anchor::with_capacity(40).unwrap(), 20));
    check("dx", &filled(Dx::with_capacity(40).unwrap(), 20));
    check("memento", &Memento::new(20));
    check("skeleton", &filled(Skeleton::with_capacity(64).unwrap(), 40));
}

#[test]
fn capacities_out_of_range_are_refused() {
    for bad in [0, (1 << 24) + 1, u32::MAX] {
        assert!(Anchor::with_capacity(bad).is_err() && Dx::with_capacity(bad).is_err());
        assert!(Skeleton::with_capacity(bad).is_err());
    }
    assert_eq!(Skeleton::with_capacity(1 << 24).unwrap().capacity(), 1 << 24);
    let mut one = Dx::with_capacity(1).unwrap();
    one.grow().unwrap();
    assert!(matches!(one.grow(), Err(PlacementError::Full { wanted: 2, limit: 1, .. })));
    let mut one = filled(Anchor::with_capacity(1).unwrap(), 1);
    assert!(one.grow().is_err());
    one.retire(NodeIx(0)).unwrap();
    assert!(one.retire(NodeIx(0)).is_err() && one.retire(NodeIx(9)).is_err());
    // One slot live of a million: found all the same.
    let mut sparse = Dx::with_capacity(1 << 20).unwrap();
    sparse.grow().unwrap();
    assert!(keys(100).iter().all(|&key| sparse.locate(key) == Some(NodeIx(0))));
    assert!(MultiProbe::with_probes(0).is_err() && MultiProbe::with_probes(33).is_err());
}

/// The fullest node over the mean, averaged over sets of names: one set of ten has its luck.
#[test]
fn multi_probe_balances_as_it_says() {
    let keys = keys(200_000);
    for (n, sets, limit) in [(10_u64, 20, 1.08), (100, 5, 1.13), (1_000, 1, 1.30)] {
        let peaks = (0..sets).map(|set| {
            let mut circle = MultiProbe::new();
            for i in 0..n {
                let name = format!("{set}.0.{}.{}", i / 250, i % 250);
                circle.add(NodeId::of(&name), Weight::ONE).unwrap();
            }
            let mut counts = vec![0.0_f64; n as usize];
            for &key in &keys {
                counts[circle.locate(key).unwrap().index()] += 1.0;
            }
            counts.iter().copied().fold(0.0, f64::max) / (keys.len() as f64 / n as f64)
        });
        let peak = peaks.sum::<f64>() / sets as f64;
        assert!(peak < limit, "{n}: {peak:.3}");
    }
}
