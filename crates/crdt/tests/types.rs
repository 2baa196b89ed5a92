//! The types that are no dot stores, against their plain models, and what peers got wrong.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use archstone_crdt::clock::{
    CausalContext, HlcError, HybridClock, Siblings, Timestamp, VersionVector,
};
use archstone_crdt::counter::{
    BoundedCounter, BoundedError, GCounter, PnCounter, ResettableCounter,
};
use archstone_crdt::map::LwwMap;
use archstone_crdt::register::{LwwRegister, MaxRegister, MinRegister};
use archstone_crdt::sequence::{Sequence, SequenceError};
use archstone_crdt::set::{AddWinsSet, GSet, TwoPhaseSet};
use archstone_crdt::tree::MoveTree;
use archstone_crdt::{Causality, Delta, Dot, Exhausted, Lattice, LexPair, ReplicaId};
use common::id;
use core::time::Duration;
use proptest::prelude::*;

fn merged<S: Lattice>(mut a: S, b: &S) -> S {
    a.merge(b);
    a
}

/// The laws of a lattice on three states.
fn lattice<S: Lattice + PartialEq + std::fmt::Debug>(a: &S, b: &S, c: &S) {
    let ab = merged(a.clone(), b);
    assert_eq!(ab, merged(b.clone(), a), "commutative");
    assert_eq!(merged(ab.clone(), c), merged(a.clone(), &merged(b.clone(), c)), "associative");
    assert!(!a.clone().merge(a), "idempotent");
    assert!(ab.includes(a) && ab.includes(b), "it only grows");
    assert_eq!(a.clone().merge(b), *a != ab, "it says whether it grew");
    assert_eq!(a.includes(b), *a == ab);
}

fn caught_up<S: Delta + PartialEq + std::fmt::Debug>(a: &S, b: &S) {
    let part = a.delta_since(&b.version());
    assert_eq!(merged(b.clone(), &part), merged(b.clone(), a));
}

proptest! {
    #[test]
    fn a_version_vector_is_a_map_of_counts(rows in prop::collection::vec(prop::collection::btree_map(0_u64..12, 1_u64..5, 0..12), 3)) {
        let clocks: Vec<VersionVector> = rows.iter().map(|row| row.iter().map(|(&r, &c)| (ReplicaId(r), c)).collect()).collect();
        lattice(&clocks[0], &clocks[1], &clocks[2]);
        caught_up(&clocks[0], &clocks[1]);
        let at_most = |a: &BTreeMap<u64, u64>, b: &BTreeMap<u64, u64>| a.iter().all(|(r, c)| b.get(r).unwrap_or(&0) >= c);
        let (less, more) = (at_most(&rows[0], &rows[1]), at_most(&rows[1], &rows[0]));
        let expected = match (less, more) {
            (true, true) => Causality::Equal,
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            (false, false) => Causality::Concurrent,
        };
        prop_assert_eq!(clocks[0].compare(&clocks[1]), expected);
        prop_assert_eq!(clocks[1].compare(&clocks[0]), expected.reverse());
        prop_assert_eq!(clocks[0].partial_cmp(&clocks[1]), expected.ordering());
        let joined = merged(clocks[0].clone(), &clocks[1]);
        let mut both = rows[0].clone();
        for (&r, &c) in &rows[1] {
            let ours = both.entry(r).or_default();
            *ours = c.max(*ours);
        }
        prop_assert!(joined.iter().eq(both.iter().map(|(&r, &c)| (ReplicaId(r), c))));
        prop_assert_eq!(joined.heap_bytes() == 0, joined.len() <= 4);
        let mut met = clocks[0].clone();
        met.meet(&clocks[1]);
        for r in 0..12 {
            let least = rows[0].get(&r).unwrap_or(&0).min(rows[1].get(&r).unwrap_or(&0));
            prop_assert_eq!(met.get(ReplicaId(r)), *least);
        }
        let mut gone = joined.clone();
        prop_assert_eq!(gone.retire(ReplicaId(3)), joined.get(ReplicaId(3)));
        prop_assert!(gone.get(ReplicaId(3)) == 0 && gone.len() == joined.len() - usize::from(both.contains_key(&3)));
    }

    #[test]
    fn sets_that_grow_and_sets_of_two_phases(adds in prop::collection::vec((0_usize..3, 0_u8..9, any::<bool>()), 0..30)) {
        let mut grow = vec![GSet::new(); 3];
        let mut two = vec![TwoPhaseSet::new(); 3];
        let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
        for (at, item, add) in adds {
            let _ = grow[at].add(item);
            if add {
                let before = two[at].clone();
                let delta = two[at].add(item);
                prop_assert_eq!(merged(before, &delta), two[at].clone());
                if !removed.contains(&item) || !two[at].contains(&item) { added.insert(item); }
            } else {
                let _ = two[at].remove(item);
                removed.insert(item);
            }
        }
        lattice(&grow[0], &grow[1], &grow[2]);
        lattice(&two[0], &two[1], &two[2]);
        prop_assert_eq!(merged(two[1].clone(), &two[0].missing_in(&two[1])), merged(two[1].clone(), &two[0]));
        let all = two.iter().fold(TwoPhaseSet::new(), merged);
        prop_assert!(all.iter().all(|item| added.contains(item) && !removed.contains(item)));
        prop_assert!(removed.iter().all(|item| !all.contains(item)));
    }

    #[test]
    fn registers_keep_the_extreme_or_the_latest(writes in prop::collection::vec((0_usize..3, 0_u64..6, -5_i32..5), 1..20)) {
        let mut max = [MaxRegister::new(); 3];
        let mut min = [MinRegister::new(); 3];
        let mut last = vec![None::<LwwRegister<i32>>; 3];
        for &(at, time, value) in &writes {
            let _ = (max[at].write(value), min[at].write(value));
            // One stamp for several values, too: a broken clock.
            let written = Some(LwwRegister::new(Timestamp::from_u64(time, id(0)), value));
            last[at].merge(&written);
        }
        lattice(&max[0], &max[1], &max[2]);
        lattice(&min[0], &min[1], &min[2]);
        lattice(&last[0], &last[1], &last[2]);
        // A version is a stamp; two values under one are told apart by whole states alone.
        if last[0].version() != last[1].version() {
            caught_up(&last[0], &last[1]);
        }
        let all = |r: &[Option<LwwRegister<i32>>]| r.iter().fold(None, merged);
        let latest = writes.iter().map(|&(_, time, value)| (time, value)).max();
        prop_assert_eq!(all(&last).map(|r| (r.stamp().as_u64(), *r.get())), latest);
        prop_assert_eq!(max.iter().fold(MaxRegister::new(), merged).get().copied(), writes.iter().map(|w| w.2).max());
        prop_assert_eq!(min.iter().fold(MinRegister::new(), merged).get().copied(), writes.iter().map(|w| w.2).min());
    }

    #[test]
    fn the_last_write_of_each_key_counts(writes in prop::collection::vec((0_usize..3, 0_u64..40, 0_u8..4, prop::option::of(0_u8..9)), 0..30)) {
        let mut maps = vec![LwwMap::<u8, u8>::new(); 3];
        let mut model: BTreeMap<u8, (u64, Option<u8>)> = BTreeMap::new();
        for &(at, time, key, value) in &writes {
            let stamp = Timestamp::from_u64(time, id(0));
            match value {
                Some(value) => maps[at].insert(stamp, key, value),
                None => maps[at].remove(stamp, key),
            };
            let entry = model.entry(key).or_insert((time, value));
            *entry = (time, value).max(*entry);
        }
        lattice(&maps[0], &maps[1], &maps[2]);
        let all = maps.iter().fold(LwwMap::new(), merged);
        let read: BTreeMap<u8, u8> = all.iter().map(|(&k, &v)| (k, v)).collect();
        let expected: BTreeMap<u8, u8> = model.iter().filter_map(|(&k, &(_, v))| Some((k, v?))).collect();
        prop_assert_eq!(all.len(), expected.len());
        prop_assert_eq!(all.removed(), model.len() - expected.len());
        prop_assert_eq!(read, expected);
        all.validate();
        let mut kept = all.clone();
        let stable = Timestamp::from_u64(20, id(0));
        let forgotten = model.values().filter(|(time, value)| value.is_none() && *time < 20).count();
        prop_assert_eq!(kept.forget_before(stable), forgotten);
        prop_assert_eq!(kept.removed(), all.removed() - forgotten);
        kept.validate();
        // Each replica writes under its own id with growing stamps: then a version tells all.
        let mut own = vec![LwwMap::<u8, u8>::new(); 3];
        for (time, &(at, _, key, value)) in writes.iter().enumerate() {
            let stamp = Timestamp::from_u64(time as u64, id(at));
            match value {
                Some(value) => own[at].insert(stamp, key, value),
                None => own[at].remove(stamp, key),
            };
            if time % 5 == 0 {
                let other = own[(at + 1) % 3].clone();
                own[at].merge(&other);
            }
        }
        caught_up(&own[0], &own[1]);
        caught_up(&own[2], &own[0]);
    }

    /// Against the definition: a reset erases the updates that it had seen, and no others.
    #[test]
    fn a_reset_takes_exactly_what_it_saw(steps in prop::collection::vec((0_usize..4, 0_usize..4, 0_u8..6, -9_i64..9), 0..40)) {
        let mut counters = vec![ResettableCounter::new(); 4];
        let mut seen: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); 4];
        let mut amounts: Vec<i64> = Vec::new();
        let mut erased: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); 4];
        for (at, from, what, amount) in steps {
            match what {
                0 | 1 => {
                    let before = counters[at].clone();
                    let delta = counters[at].add(id(at), amount).unwrap();
                    prop_assert_eq!(merged(before, &delta), counters[at].clone());
                    seen[at].insert(amounts.len());
                    amounts.push(amount);
                }
                2 => {
                    let before = counters[at].clone();
                    let delta = counters[at].reset();
                    prop_assert_eq!(merged(before, &delta), counters[at].clone());
                    erased[at] = seen[at].clone();
                }
                _ => {
                    let other = counters[from].clone();
                    counters[at].merge(&other);
                    let (theirs, gone) = (seen[from].clone(), erased[from].clone());
                    seen[at].extend(theirs);
                    erased[at].extend(gone);
                }
            }
            let left: i64 = seen[at].difference(&erased[at]).map(|&i| amounts[i]).sum();
            prop_assert_eq!(counters[at].value(), i128::from(left));
            prop_assert_eq!(counters[at].is_reset(), seen[at].is_subset(&erased[at]));
        }
        lattice(&counters[0], &counters[1], &counters[2]);
        caught_up(&counters[0], &counters[1]);
    }

    /// 16. Whoever spends at the same time, no replica ever sees less than nothing.
    #[test]
    fn a_bounded_counter_never_falls_below_zero(steps in prop::collection::vec((0_usize..4, 0_usize..4, 0_u8..8, 0_u64..20), 0..60)) {
        let mut stocks = vec![BoundedCounter::new(); 4];
        let (mut made, mut spent) = (0_u128, 0_u128);
        for (at, other, what, amount) in steps {
            let before = stocks[at].clone();
            let result = match what {
                0 => stocks[at].increment(id(at), amount),
                1..=3 => stocks[at].decrement(id(at), amount),
                4 => stocks[at].transfer(id(at), id(other), amount),
                _ => {
                    let theirs = stocks[other].clone();
                    stocks[at].merge(&theirs);
                    continue;
                }
            };
            match result {
                Ok(delta) => {
                    prop_assert_eq!(merged(before, &delta), stocks[at].clone());
                    made += if what == 0 { u128::from(amount) } else { 0 };
                    spent += if (1..=3).contains(&what) { u128::from(amount) } else { 0 };
                }
                Err(error) => {
                    let held = before.rights(id(at));
                    prop_assert_eq!(error, BoundedError::InsufficientRights { held, asked: amount });
                    prop_assert!(held < amount && stocks[at] == before);
                }
            }
            prop_assert!(made >= spent, "{made} made, {spent} spent");
        }
        lattice(&stocks[0], &stocks[1], &stocks[2]);
        caught_up(&stocks[0], &stocks[1]);
        let all = stocks.iter().fold(BoundedCounter::new(), merged);
        prop_assert_eq!(all.value(), made - spent);
        let rights: u128 = (0..4).map(|i| u128::from(all.rights(id(i)))).sum();
        prop_assert_eq!(rights, all.value(), "every unit is a right of somebody");
    }

    #[test]
    fn a_list_is_the_same_on_every_replica(steps in prop::collection::vec((0_usize..3, 0_usize..3, 0_u8..8, 0_usize..99), 0..60)) {
        let mut lists = vec![Sequence::new(); 3];
        let mut deltas = Vec::new();
        let mut value = 0_u32;
        for (at, from, what, index) in steps {
            let len = lists[at].len();
            let before: Vec<u32> = lists[at].iter().copied().collect();
            let mut expected = before.clone();
            let old = lists[at].clone();
            let delta = match what {
                0..=3 => {
                    value += 1;
                    expected.insert(index % (len + 1), value);
                    lists[at].insert(id(at), index % (len + 1), value)
                }
                4 if len > 0 => {
                    expected.remove(index % len);
                    lists[at].remove(id(at), index % len)
                }
                4 => continue,
                _ => {
                    let theirs = lists[from].clone();
                    lists[at].merge(&theirs);
                    continue;
                }
            };
            let delta = delta.unwrap();
            prop_assert_eq!(lists[at].iter().copied().collect::<Vec<_>>(), expected);
            prop_assert_eq!(merged(old, &delta), lists[at].clone());
            deltas.push(delta);
        }
        lattice(&lists[0], &lists[1], &lists[2]);
        caught_up(&lists[0], &lists[1]);
        let all = lists.iter().fold(Sequence::new(), merged);
        let order: Vec<u32> = all.iter().copied().collect();
        prop_assert_eq!(order.len(), all.len());
        // Deltas in the wrong order, twice: parents may come after their children.
        let mut backwards = Sequence::new();
        for delta in deltas.iter().rev().chain(&deltas) {
            backwards.merge(delta);
        }
        prop_assert_eq!(backwards.waiting(), 0);
        prop_assert!(backwards.iter().eq(&order));
        // The order of two values is the same wherever both are.
        for list in &lists {
            let here: Vec<u32> = list.iter().copied().collect();
            let there: Vec<u32> = order.iter().copied().filter(|v| here.contains(v)).collect();
            let here: Vec<u32> = here.into_iter().filter(|v| there.contains(v)).collect();
            prop_assert_eq!(here, there);
        }
        for index in 0..all.len() {
            prop_assert_eq!(all.index_of(all.id_at(index).unwrap()), Some(index));
        }
    }

    #[test]
    fn a_tree_is_what_its_moves_in_order_make(moves in prop::collection::btree_map((0_u64..60, 0_usize..3), (1_u8..7, 0_u8..7), 0..25), seed in 0_usize..100) {
        let moves: Vec<_> = moves.into_iter().collect();
        let mut model: BTreeMap<u8, u8> = BTreeMap::new();
        for &((_, _), (child, parent)) in &sorted_by_stamp(&moves) {
            let mut above = Some(parent);
            let mut cycle = false;
            while let Some(node) = above {
                cycle |= node == child;
                above = if cycle { None } else { model.get(&node).copied() };
            }
            if !cycle {
                model.insert(child, parent);
            }
        }
        let mut trees = vec![MoveTree::new(); 3];
        let mut shuffled = moves.clone();
        shuffled.rotate_left(seed % moves.len().max(1));
        for (i, &((time, at), (child, parent))) in shuffled.iter().enumerate() {
            trees[i % 3].place(Timestamp::from_u64(time, id(at)), child, parent);
        }
        lattice(&trees[0], &trees[1], &trees[2]);
        let mut all = trees.iter().fold(MoveTree::new(), merged);
        prop_assert!(all.iter().eq(model.iter()));
        // Forgetting changes no tree, and what is older is then ignored.
        all.forget_before(Timestamp::from_u64(u64::MAX, id(1)));
        prop_assert!(all.iter().eq(model.iter()) && all.log_len() == 0);
        prop_assert!(!all.place(Timestamp::from_u64(1, id(0)), 1, 0));
    }

    /// Against sets of events: a value is there until a write or a removal that had seen it.
    #[test]
    fn siblings_are_what_no_later_write_had_seen(steps in prop::collection::vec((0_usize..3, 0_usize..3, 0_u8..8, 0_usize..99), 0..40)) {
        type Model = (BTreeSet<Dot>, BTreeMap<Dot, usize>);
        let mut keys: Vec<Siblings<usize>> = vec![Siblings::new(); 3];
        let mut models: Vec<Model> = vec![(BTreeSet::new(), BTreeMap::new()); 3];
        // What clients have read, and one that lies about events of server 0.
        let mut read = vec![VersionVector::new(), VersionVector::from_iter([(id(0), 1_000)])];
        for (nth, (at, other, what, pick)) in steps.into_iter().enumerate() {
            let mut seen = read[pick % read.len()].clone();
            let (events, live) = &mut models[at];
            if what < 5 {
                // A server knows what it has not written yet, and removals are by what was read.
                let next = events.iter().filter(|dot| dot.replica == id(at)).map(|dot| dot.counter).max().unwrap_or(0) + 1;
                if seen.get(id(at)) >= next && what > 0 {
                    seen = seen.iter().filter(|entry| entry.0 != id(at)).collect();
                }
                if seen.get(id(0)) == 1_000 && at != 0 || what == 0 && seen.get(id(0)) == 1_000 {
                    continue;
                }
                live.retain(|dot, _| !seen.contains(*dot));
                events.extend(seen.iter().flat_map(|(replica, n)| (1..=n).map(move |c| Dot::new(replica, c))));
                if what == 0 {
                    keys[at].delete(&seen);
                } else {
                    events.insert(Dot::new(id(at), next));
                    live.insert(Dot::new(id(at), next), nth);
                    keys[at].put(id(at), &read[pick % read.len()], nth).unwrap();
                }
            } else if what < 7 {
                let (theirs, their_key) = (models[other].clone(), keys[other].clone());
                let (events, live) = &mut models[at];
                let before = live.len();
                let news = !theirs.0.is_subset(events);
                live.retain(|dot, _| theirs.1.contains_key(dot) || !theirs.0.contains(dot));
                // A removal has no event of its own, but what it takes away is news.
                let news = news || live.len() < before;
                live.extend(theirs.1.iter().filter(|(dot, _)| !events.contains(dot)).map(|(d, v)| (*d, *v)));
                events.extend(theirs.0);
                prop_assert_eq!(keys[at].merge(&their_key), news);
            } else {
                read.push(keys[at].context());
            }
            let mut values: Vec<usize> = keys[at].values().copied().collect();
            values.sort_unstable();
            let mut expected: Vec<usize> = models[at].1.values().copied().collect();
            expected.sort_unstable();
            prop_assert_eq!(values, expected);
        }
    }

    #[test]
    fn pairs_let_the_version_decide(rows in prop::collection::vec((0_u8..3, 0_u64..4, 1_u64..9), 3)) {
        let pair = |&(version, replica, count): &(u8, u64, u64)| {
            LexPair::new(version, VersionVector::from_iter([(ReplicaId(replica), count)]))
        };
        lattice(&pair(&rows[0]), &pair(&rows[1]), &pair(&rows[2]));
    }
}

type Moves = [((u64, usize), (u8, u8))];

fn sorted_by_stamp(moves: &Moves) -> Vec<((u64, usize), (u8, u8))> {
    let mut sorted = moves.to_vec();
    sorted.sort_by_key(|&((time, at), _)| Timestamp::from_u64(time, id(at)));
    sorted
}

#[test]
fn concurrent_runs_are_not_interleaved_forwards_or_backwards() {
    for backwards in [false, true] {
        let mut base = Sequence::new();
        base.push(id(2), '[').unwrap();
        base.push(id(2), ']').unwrap();
        let (mut a, mut b) = (base.clone(), base.clone());
        for i in 0..3 {
            let at = if backwards { 1 } else { 1 + i };
            a.insert(id(0), at, 'a').unwrap();
            b.insert(id(1), at, 'b').unwrap();
        }
        a.merge(&b);
        let text: String = a.iter().collect();
        assert!(text == "[aaabbb]" || text == "[bbbaaa]", "{text}");
    }
}

// What peers got wrong (the letters of the list in COMPARE.md).

#[test]
fn c_equal_stamps_with_different_values_end_equal() {
    let stamp = Timestamp::new(5, 0, id(0));
    let (a, b) = (LwwRegister::new(stamp, "a"), LwwRegister::new(stamp, "b"));
    assert_eq!(merged(a, &b), merged(b, &a));
}

#[test]
fn d_counters_end_in_an_error_and_not_in_zero() {
    let mut vector = VersionVector::from_iter([(id(0), u64::MAX)]);
    assert_eq!(vector.increment(id(0)), Err(Exhausted { replica: id(0), at: u64::MAX, by: 1 }));
    assert_eq!(vector.get(id(0)), u64::MAX);
    let mut counter = GCounter::new();
    counter.add(id(0), u64::MAX - 1).unwrap();
    assert_eq!(counter.add(id(0), 3), Err(Exhausted { replica: id(0), at: u64::MAX - 1, by: 3 }));
    counter.add(id(1), u64::MAX).unwrap();
    assert_eq!(counter.value(), u128::from(u64::MAX) * 2 - 1);
    let mut both = PnCounter::new();
    both.add(id(0), i64::MIN).unwrap();
    assert_eq!(both.value(), i128::from(i64::MIN));
    let mut stock = BoundedCounter::new();
    stock.increment(id(0), u64::MAX).unwrap();
    assert_eq!(stock.increment(id(0), 1), Err(BoundedError::Exhausted { at: u64::MAX, by: 1 }));
}

#[test]
fn e_deltas_of_one_writer_in_the_wrong_order_are_both_kept() {
    let mut writer = AddWinsSet::new();
    let (first, second) = (writer.add(id(0), 10).unwrap(), writer.add(id(0), 20).unwrap());
    let mut reader = AddWinsSet::new();
    assert!(reader.apply(&second) && reader.apply(&first) && !reader.apply(&first));
    assert_eq!(reader, writer);
}

#[test]
fn f_removals_by_strangers_leave_ranges_and_no_list() {
    let mut set = AddWinsSet::<u64>::new();
    set.add(id(0), 1).unwrap();
    for _ in 0..1_000 {
        let mut stranger = AddWinsSet::new();
        stranger.add(id(1), 5).unwrap();
        stranger.remove(id(1), &5).unwrap();
        set.merge(&stranger);
    }
    assert_eq!((set.context().len(), set.context().is_compact()), (3, true));
}

#[test]
fn g_a_doubly_spent_dot_is_found() {
    let (mut one, mut twin) = (AddWinsSet::new(), AddWinsSet::new());
    one.add(id(0), "mine").unwrap();
    twin.add(id(0), "theirs").unwrap();
    assert_eq!(one.double_spent(&twin), Some(Dot::new(id(0), 1)));
    assert_eq!(one.double_spent(&one), None);
    twin.add(id(0), "more").unwrap();
    assert_eq!(one.context().twin(id(0), twin.context()), Some(Dot::new(id(0), 2)));
}

#[test]
fn j_a_millisecond_of_too_many_stamps_spills_into_the_next() {
    let clock = HybridClock::new(id(0), Duration::from_millis(10));
    let mut last = clock.stamp(1_000).unwrap();
    for _ in 0..65_536 * 3 {
        let next = clock.stamp(1_000).unwrap();
        assert!(next > last);
        last = next;
    }
    assert_eq!(clock.lead(1_000), Duration::from_millis(3));
    assert_eq!((last.millis(), last.counter()), (1_003, 0));
}

#[test]
fn hybrid_clocks_bound_what_a_wrong_clock_does() {
    let clock = HybridClock::new(id(0), Duration::from_secs(60));
    clock.stamp(1_000_000_000).unwrap();
    // Year 9999 from elsewhere; a day back here; zero; the end of time.
    let far = Timestamp::new(253_402_300_799_000, 0, id(1));
    let ahead_ms = 253_402_300_799_000 - 1_000_000_000;
    assert_eq!(
        clock.observe(1_000_000_000, far),
        Err(HlcError::Drift { ahead_ms, limit_ms: 60_000 })
    );
    let back = 1_000_000_000 - 86_400_000;
    assert_eq!(clock.stamp(back), Err(HlcError::Drift { ahead_ms: 86_400_000, limit_ms: 60_000 }));
    assert!(clock.stamp(0).is_err() && clock.stamp(u64::MAX).is_err());
    assert!(clock.observe(5, Timestamp::from_u64(u64::MAX, id(1))).is_err());
    assert_eq!(clock.last().millis(), 1_000_000_000);
    let restarted = HybridClock::after(clock.last(), id(0), Duration::from_secs(60));
    assert!(restarted.stamp(999_990_000).unwrap() > clock.last());
}

#[test]
fn hybrid_clocks_end_in_an_error_and_never_wrap() {
    let end = (1 << 48) - 1;
    let nearly = Timestamp::new(end - 20, u16::MAX, id(0));
    let clock = HybridClock::after(nearly, id(0), Duration::MAX);
    let mut last = nearly;
    let mut made = 0;
    while let Ok(stamp) = clock.stamp(end - 30) {
        assert!(stamp > last);
        (last, made) = (stamp, made + 1);
    }
    // 16 ms before the end no more; and whatever is tried then, the clock stays.
    assert_eq!((last.millis(), last.counter(), made), (end - 16, u16::MAX, 4 << 16));
    for now in [0, end - 16, end, u64::MAX] {
        assert_eq!(clock.stamp(now), Err(HlcError::Exhausted), "{now}");
        assert!(clock.observe(now, Timestamp::from_u64(u64::MAX, id(1))).is_err());
    }
    assert_eq!(clock.last(), last);
    let stored = Timestamp::from_u64(u64::MAX, id(0));
    assert_eq!(HybridClock::after(stored, id(0), Duration::MAX).stamp(5), Err(HlcError::Exhausted));
}

#[test]
fn retired_replicas_leave_their_count_to_an_heir() {
    let mut counter = GCounter::new();
    counter.add(id(0), 5).unwrap();
    counter.add(id(1), 7).unwrap();
    let mut other = counter.clone();
    counter.retire(id(0), id(1)).unwrap();
    assert_eq!((counter.value(), counter.of(id(0)), counter.of(id(1))), (12, 0, 12));
    other.merge(&counter);
    other.forget(id(0));
    assert_eq!(other, counter);
}

#[test]
fn a_reset_that_comes_before_what_it_saw_takes_it_all_the_same() {
    let mut counter = ResettableCounter::new();
    let added = counter.add(id(0), 5).unwrap();
    let reset = counter.reset();
    let mut other = reset.clone();
    assert_eq!((other.value(), other.is_reset()), (0, true));
    assert!(other.merge(&added));
    assert_eq!(other.value(), 0);
    // The writer comes back with nothing but that reset, and counts on after what it saw.
    let mut restarted = reset;
    restarted.add(id(0), 3).unwrap();
    assert_eq!(restarted.value(), 3);
    other.merge(&restarted);
    assert_eq!(other.value(), 3);
}

#[test]
fn an_index_past_the_end_is_an_error() {
    let mut list = Sequence::new();
    assert_eq!(list.insert(id(0), 1, 'x'), Err(SequenceError::OutOfBounds { index: 1, len: 0 }));
    assert_eq!(list.remove(id(0), 0), Err(SequenceError::OutOfBounds { index: 0, len: 0 }));
    assert!(list.is_empty() && list.context().is_empty());
}

#[test]
fn a_million_replicas_in_one_clock_are_slow_and_right() {
    let clock = VersionVector::from_iter((0..1_000_000).map(|i| (ReplicaId(i), i + 1)));
    assert_eq!(clock.get(ReplicaId(999_999)), 1_000_000);
    assert_eq!(clock.compare(&clock.clone()), Causality::Equal);
    let context = CausalContext::from(clock);
    assert!(
        context.contains(Dot::new(ReplicaId(5), 6)) && !context.contains(Dot::new(ReplicaId(5), 7))
    );
}
