//! Windows, decay and shards: against plain models, at the edges of time, and across threads.
#![cfg(all(feature = "window", feature = "frequency"))]

mod common;

use std::collections::BTreeMap;

use archstone_sketch::frequency::{CountMin, Exact, SetSpaceSaving, SpaceSaving};
use archstone_sketch::window::{Decayed, Sharded, Windowed};
use archstone_sketch::{Merge, TopK, Wire};
use proptest::prelude::*;

fn exact_ring(pane: u64, panes: usize) -> Windowed<Exact<u64>> {
    Windowed::new(pane, panes, Exact::new()).unwrap()
}

proptest! {
    #[test]
    fn a_window_holds_exactly_the_events_of_its_panes(
        events in prop::collection::vec((0_u64..500, 0_u64..8), 0..200),
        pane in 1_u64..40, panes in 1_usize..8, ask in 0_u64..600, over in 0_usize..12,
    ) {
        let mut ring = exact_ring(pane, panes);
        // The model: an event counts if its pane was not too old when it came.
        let (mut kept, mut newest, mut late): (Vec<(u64, u64)>, u64, u64) = (Vec::new(), 0, 0);
        for &(time, item) in &events {
            let number = time / pane;
            if number + panes as u64 <= newest {
                late += 1;
                prop_assert!(ring.at(time).is_none());
                continue;
            }
            newest = newest.max(number);
            kept.push((number, item));
            ring.at(time).unwrap().add(&item);
        }
        let last = ask / pane;
        let in_window = |number: u64| {
            number + panes as u64 > newest && number <= last && last - number < over as u64
        };
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, item) in kept {
            if in_window(number) {
                *counts.entry(item).or_insert(0) += 1;
            }
        }
        let sketch = ring.over(ask, over).unwrap();
        prop_assert_eq!(sketch.len(), counts.len());
        prop_assert!(counts.iter().all(|(item, &n)| sketch.count(item) == n));
        prop_assert_eq!(ring.late(), late);
        let copy = Windowed::<Exact<u64>>::decode(&ring.encode()).unwrap();
        prop_assert_eq!(copy.encode(), ring.encode());
        prop_assert_eq!(copy.over(ask, over).unwrap().total(), sketch.total());
    }

    #[test]
    fn merged_windows_are_the_window_of_the_joined_stream(
        events in prop::collection::vec((0_u64..300, 0_u64..8, any::<bool>()), 0..150),
        pane in 1_u64..40, panes in 1_usize..8,
    ) {
        // In the order of time nothing is late on one side only.
        let mut events = events;
        events.sort_unstable();
        let (mut a, mut b, mut both) = (exact_ring(pane, panes), exact_ring(pane, panes), exact_ring(pane, panes));
        for &(time, item, left) in &events {
            both.at(time).unwrap().add(&item);
            if left { &mut a } else { &mut b }.at(time).unwrap().add(&item);
        }
        a.merge(&b).unwrap();
        for ask in [0, 100, 299, 1000] {
            let (ours, theirs) = (a.over(ask, panes).unwrap(), both.over(ask, panes).unwrap());
            prop_assert_eq!(ours.total(), theirs.total());
            prop_assert!(theirs.iter().all(|h| ours.count(h.item) == h.count));
        }
    }

    #[test]
    fn decayed_sums_are_those_of_doubles(
        events in prop::collection::vec((0_u64..100_000, 0_u64..6, 0.0_f64..100.0), 1..100),
        half_life in 1_u64..5000, later in 0_u64..20_000,
    ) {
        let mut top = Decayed::half_life(half_life, TopK::<u64>::new(8).unwrap()).unwrap();
        let mut certain = Decayed::half_life(half_life, SpaceSaving::<u64>::new(8).unwrap()).unwrap();
        let mut cm = Decayed::half_life(half_life, CountMin::<u64>::new(4, 1024).unwrap()).unwrap();
        for (time, item, weight) in &events {
            top.add(*time, item, *weight).unwrap();
            certain.add(*time, item, *weight).unwrap();
            cm.add(*time, item, *weight).unwrap();
        }
        let now = events.iter().map(|e| e.0).max().unwrap() + later;
        let weigh = |time: u64, w: f64| w * (-((now - time) as f64) / half_life as f64).exp2();
        let total: f64 = events.iter().map(|e| weigh(e.0, e.2)).sum();
        // Below 2^-1000 of an event doubles end.
        prop_assert!((top.total(now) - total).abs() <= 1e-9 * total + f64::MIN_POSITIVE);
        for item in 0..6 {
            let truth: f64 =
                events.iter().filter(|e| e.1 == item).map(|e| weigh(e.0, e.2)).sum();
            // One unit of 2^-16 for each event and each halving, at the scale of the landmark.
            let slack = 2.0 * 100.0 / 65_536.0 + 1e-9 * truth;
            for bounds in [
                top.scaled(now, top.sketch().bounds(&item)),
                certain.scaled(now, certain.sketch().bounds(&item)),
                cm.scaled(now, cm.sketch().bounds(&item)),
            ] {
                prop_assert!((bounds.estimate - truth).abs() <= slack, "{bounds} {truth}");
            }
        }
        let copy = Decayed::<TopK<u64>>::decode(&top.encode()).unwrap();
        prop_assert_eq!(copy.encode(), top.encode());
    }

    #[test]
    fn decay_does_not_depend_on_the_order_and_merges(
        events in prop::collection::vec((0_u64..3000, 0_u64..6), 1..80), seed: u64,
    ) {
        let fill = |events: &[(u64, u64)]| {
            let mut sketch = Decayed::half_life(100, TopK::<u64>::new(8).unwrap()).unwrap();
            events.iter().for_each(|(time, item)| sketch.add(*time, item, 1.0).unwrap());
            sketch
        };
        let mut shuffled = events.clone();
        shuffled.sort_by_key(|&(time, item)| common::mix(time ^ item ^ seed));
        let one = fill(&events);
        let (left, right) = shuffled.split_at(shuffled.len() / 2);
        let mut two = fill(left);
        two.merge(&fill(right)).unwrap();
        for sketch in [fill(&shuffled), two] {
            for item in 0..6 {
                let (a, b) = (one.scaled(3000, one.sketch().bounds(&item)),
                    sketch.scaled(3000, sketch.sketch().bounds(&item)));
                prop_assert!((a.estimate - b.estimate).abs() < 0.01, "{a} {b}");
            }
        }
    }
}

#[test]
fn panes_end_exactly_on_their_boundary() {
    let mut ring = exact_ring(300, 2);
    ring.at(299).unwrap().add(&1);
    ring.at(300).unwrap().add(&2);
    assert_eq!(ring.over(599, 1).unwrap().count(&1), 0);
    assert_eq!(ring.over(599, 2).unwrap().total(), 2);
    assert_eq!(ring.over(600, 2).unwrap().total(), 1);
    assert_eq!(ring.pane(0).unwrap().total(), 1);
    assert!(ring.pane(600).is_none());
}

#[test]
fn a_jump_forward_empties_the_ring_and_the_end_of_time_is_a_time() {
    let mut ring = exact_ring(1, 4);
    ring.at(3).unwrap().add(&1);
    ring.at(u64::MAX).unwrap().add(&2);
    assert_eq!(ring.over(u64::MAX, usize::MAX).unwrap().total(), 1);
    assert!(ring.at(3).is_none(), "time back past the ring is late, not a new pane");
    assert_eq!((ring.late(), ring.iter().count()), (1, 1));
    assert!(ring.at(u64::MAX - 3).is_some());
    assert!(ring.at(u64::MAX - 4).is_none());
}

#[test]
fn senseless_parameters_are_errors() {
    assert!(Windowed::new(0, 4, Exact::<u64>::new()).is_err());
    assert!(Windowed::new(4, 0, Exact::<u64>::new()).is_err());
    assert!(Windowed::new(4, usize::MAX, Exact::<u64>::new()).is_err());
    assert!(Sharded::new(0, Exact::<u64>::new()).is_err());
    assert!(Sharded::new(usize::MAX, Exact::<u64>::new()).is_err());
    let top = TopK::<u64>::new(3).unwrap();
    assert!(Decayed::half_life(0, top.clone()).is_err());
    let mut decayed = Decayed::half_life(5, top).unwrap();
    for bad in [-1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(decayed.add(0, &1, bad).is_err());
    }
    decayed.add(u64::MAX, &1, f64::MAX).unwrap();
    decayed.add(0, &1, 1.0).unwrap();
    decayed.add(u64::MAX, &2, 0.0).unwrap();
    assert_eq!(decayed.sketch().top().len(), 1);
    // The greatest weights saturate, merged too, and what is written is read.
    let mut heavy = Decayed::half_life(8, TopK::<u64>::new(3).unwrap()).unwrap();
    heavy.add(7, &1, f64::MAX).unwrap();
    heavy.add(7, &1, f64::MAX).unwrap();
    heavy.merge(&heavy.clone()).unwrap();
    assert_eq!(heavy.total(0), f64::MAX);
    assert!(Decayed::<TopK<u64>>::decode(&heavy.encode()).unwrap().total(1 << 20) < 1e9);
    // A time so long before that growth has no double: numbers still.
    let mut late = Decayed::half_life(1, TopK::<u64>::new(3).unwrap()).unwrap();
    late.add(1 << 40, &1, 0.0).unwrap();
    assert_eq!(late.total(0), 0.0);
    late.add(1 << 40, &1, 1.0).unwrap();
    let bounds = late.scaled(0, late.sketch().bounds(&2));
    assert!(late.total(0) > 1e300 && bounds.lower == 0.0 && !bounds.upper.is_nan(), "{bounds}");
}

#[test]
fn long_idle_leaves_only_what_is_new() {
    let mut cm = Decayed::half_life(10, CountMin::<u64>::new(4, 64).unwrap()).unwrap();
    let mut set = Decayed::half_life(10, SetSpaceSaving::<u64>::new(8).unwrap()).unwrap();
    for _ in 0..1000 {
        cm.add(0, &1, 1.0).unwrap();
        set.add(0, &1, 1.0).unwrap();
    }
    cm.add(1 << 60, &2, 1.0).unwrap();
    set.add(1 << 60, &2, 1.0).unwrap();
    let old = cm.scaled(1 << 60, cm.sketch().bounds(&1));
    assert!(old.upper < 0.001 && cm.total(1 << 60) == 1.0, "{old}");
    assert_eq!(*set.sketch().top(1)[0].item, 2);
}

#[test]
fn sharded_totals_equal_those_of_one_thread() {
    let stream = common::zipf(40_000, 500, 1.0, 3);
    let mut one = CountMin::<u32>::new(4, 1024).unwrap();
    one.add_all(&stream);
    let shared = Sharded::new(3, CountMin::<u32>::new(4, 1024).unwrap()).unwrap();
    let drained = std::thread::scope(|scope| {
        for part in stream.chunks(5000) {
            scope.spawn(|| part.iter().for_each(|item| shared.with(|sketch| sketch.add(item))));
        }
        // Taken away while the others write: nothing may be lost or doubled.
        let mut drained = shared.drain().unwrap();
        drained.merge(&shared.drain().unwrap()).unwrap();
        drained
    });
    let mut all = shared.collect().unwrap();
    all.merge(&drained).unwrap();
    assert_eq!(all, one);
}

#[test]
fn window_decoders_survive_every_truncation_and_flip() {
    let mut ring = exact_ring(10, 3);
    let mut decayed = Decayed::half_life(10, SpaceSaving::<u64>::new(5).unwrap()).unwrap();
    for i in 0..40_u64 {
        ring.at(i).unwrap().add(&(i % 7));
        decayed.add(i * 10, &(i % 7), 1.0).unwrap();
    }
    let (ring, decayed) = (ring.encode(), decayed.encode());
    for len in 0..ring.len() {
        assert!(Windowed::<Exact<u64>>::decode(&ring[..len]).is_err());
    }
    for bit in 0..ring.len() * 8 {
        let mut bad = ring.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(mut ring) = Windowed::<Exact<u64>>::decode(&bad) {
            let _ = (ring.over(40, 3).unwrap().total(), ring.at(41).map(|s| s.add(&1)));
        }
    }
    for len in 0..decayed.len() {
        assert!(Decayed::<SpaceSaving<u64>>::decode(&decayed[..len]).is_err());
    }
    for bit in 0..decayed.len() * 8 {
        let mut bad = decayed.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(mut sketch) = Decayed::<SpaceSaving<u64>>::decode(&bad) {
            let _ = sketch.add(500, &1, 1.0);
        }
    }
}
