//! The laws of `lattice.rs` and `dots`, for every type, over states that interleaved updates and
//! merges of 2 to 5 replicas reach, held against the event-set model of `common`.

mod common;

use archstone_crdt::Lattice;
use archstone_crdt::codec::Wire;
use common::subject::Subject;
use common::{Oracle, Step, id};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The updates of a type, as many removals as additions.
fn operations(kind: &str) -> &'static [&'static str] {
    match kind {
        "aw_set" | "rw_set" => &["add", "remove"],
        "ew_flag" | "dw_flag" => &["enable", "disable"],
        "mv_register" => &["write"],
        "counter" => &["add"],
        "map_counter" => &["add", "add", "remove"],
        "map_set" => &["add", "add", "remove_elem", "remove"],
        "map_mv" => &["write", "write", "remove"],
        "map_map_mv" => &["write", "write", "remove_inner", "remove"],
        other => panic!("no type {other}"),
    }
}

fn steps(kind: &'static str, replicas: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..replicas, 0..replicas, 0_usize..9, 0_i64..3, 0_i64..3, -3_i64..4);
    let step = step.prop_map(move |(at, from, what, key, elem, value)| {
        let ops = operations(kind);
        // A flag is a set of one element.
        let key = if kind.ends_with("flag") { 0 } else { key };
        let op = if what < 4 && at != from { "merge" } else { ops[what % ops.len()] };
        Step { op: op.into(), at, from, key, elem, inner: elem, value }
    });
    prop::collection::vec(step, 0..40)
}

fn histories(kind: &'static str) -> impl Strategy<Value = (usize, Vec<Step>)> {
    (2_usize..6).prop_flat_map(move |replicas| (Just(replicas), steps(kind, replicas)))
}

/// Runs `check` on the replicas, the deltas and the model of random histories.
fn check<S: Subject>(check: impl Fn(Vec<S>, Vec<S>, Oracle) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let run = runner.run(&histories(S::KIND), |(replicas, steps)| {
        let (mut states, mut deltas) = (vec![S::default(); replicas], Vec::new());
        let mut oracle = Oracle::new(replicas);
        for step in &steps {
            oracle.step(step);
            if step.op == "merge" {
                let (before, other) = (states[step.at].clone(), states[step.from].clone());
                let news = states[step.at].merge(&other);
                // 2. It grew if and only if the other was no part of it.
                prop_assert_eq!(news, states[step.at] != before, "{:?}", before);
                prop_assert_eq!(news, !before.includes(&other));
            } else {
                let before = states[step.at].clone();
                let delta = states[step.at].apply(id(step.at), step);
                // 2. An update only ever grows a state. 3. The delta is the difference.
                prop_assert!(states[step.at].includes(&before));
                let mut by_delta = before;
                by_delta.merge(&delta);
                prop_assert_eq!(&by_delta, &states[step.at]);
                deltas.push(delta);
            }
            states[step.at].check();
            // 6. and 7.: what it reads is what the rule says of the events that it has seen.
            prop_assert_eq!(states[step.at].read(), oracle.read(S::KIND, step.at));
        }
        check(states, deltas, oracle)
    });
    if let Err(failure) = run {
        panic!("{}: {failure}", S::KIND);
    }
}

fn merged<S: Lattice>(mut a: S, b: &S) -> S {
    a.merge(b);
    a
}

fn the_order_of_merging_does_not_matter<S: Subject>() {
    check::<S>(|states, _, oracle| {
        for (i, a) in states.iter().enumerate() {
            prop_assert!(!a.clone().merge(a), "merging with itself is no news");
            let b = &states[(i + 1) % states.len()];
            let c = &states[(i + 2) % states.len()];
            let ab = merged(a.clone(), b);
            prop_assert_eq!(&ab, &merged(b.clone(), a));
            prop_assert_eq!(merged(ab.clone(), c), merged(a.clone(), &merged(b.clone(), c)));
            prop_assert!(ab.includes(a) && ab.includes(b));
            // 10. States are equal exactly when each includes the other.
            prop_assert_eq!(a == b, a.includes(b) && b.includes(a));
        }
        let all = states.iter().fold(S::default(), merged);
        prop_assert_eq!(all.read(), oracle.merged(S::KIND));
        all.check();
        Ok(())
    });
}

#[test]
fn merge_is_commutative_associative_and_idempotent() {
    every_type!(the_order_of_merging_does_not_matter);
}

/// 5. Loss made good, duplication and reordering of deltas lead to one state.
fn deltas_in_any_order_make_the_state<S: Subject>() {
    check::<S>(|states, deltas, _| {
        let whole = states.iter().fold(S::default(), merged);
        let mut backwards = S::default();
        for delta in deltas.iter().rev().chain(deltas.iter().step_by(2)) {
            backwards.merge(delta);
            backwards.check();
        }
        prop_assert_eq!(&backwards, &whole);
        // In groups, merged among themselves first.
        let mut grouped = S::default();
        for group in deltas.chunks(3).rev() {
            grouped.merge(&group.iter().fold(S::default(), merged));
        }
        prop_assert_eq!(&grouped, &whole);
        Ok(())
    });
}

#[test]
fn deltas_arrive_twice_out_of_order_and_in_groups() {
    every_type!(deltas_in_any_order_make_the_state);
}

/// 4. What `delta_since` leaves out is known.
fn a_part_does_what_the_whole_does<S: Subject>() {
    check::<S>(|states, _, _| {
        for a in &states {
            for b in &states {
                let part = a.delta_since(&b.version());
                prop_assert_eq!(merged(b.clone(), &part), merged(b.clone(), a));
                prop_assert!(a.includes(&part), "a part of it");
                prop_assert_eq!(part == S::default(), b.includes(a), "{:?} for {:?}", part, b);
            }
        }
        Ok(())
    });
}

#[test]
fn a_delta_since_a_version_is_all_that_is_lacking_and_empty_when_nothing_is() {
    every_type!(a_part_does_what_the_whole_does);
}

/// Equal states, equal bytes; bytes give the state back.
fn one_state_has_one_encoding<S: Subject + Wire>() {
    check::<S>(|states, _, _| {
        let encoded: Vec<_> = states.iter().map(Wire::encode).collect();
        for (i, a) in states.iter().enumerate() {
            let back = S::decode(&encoded[i]).expect("what was written can be read");
            back.check();
            prop_assert_eq!(&back, a);
            prop_assert_eq!(&back.encode(), &encoded[i]);
            for (j, b) in states.iter().enumerate() {
                prop_assert_eq!(a == b, encoded[i] == encoded[j]);
            }
        }
        // The same state reached in another order has the same bytes.
        let forwards = states.iter().fold(S::default(), merged);
        let backwards = states.iter().rev().fold(S::default(), merged);
        prop_assert_eq!(forwards.encode(), backwards.encode());
        Ok(())
    });
}

#[test]
fn one_state_one_encoding() {
    one_state_has_one_encoding::<archstone_crdt::set::AddWinsSet<i64>>();
    one_state_has_one_encoding::<archstone_crdt::set::RemoveWinsSet<i64>>();
    one_state_has_one_encoding::<archstone_crdt::flag::EnableWinsFlag>();
    one_state_has_one_encoding::<archstone_crdt::flag::DisableWinsFlag>();
    one_state_has_one_encoding::<archstone_crdt::register::MvRegister<i64>>();
    one_state_has_one_encoding::<archstone_crdt::counter::PnCounter>();
    use archstone_crdt::dots::{DotFun, DotMap, Elements};
    use archstone_crdt::map::OrMap;
    one_state_has_one_encoding::<OrMap<i64, DotFun<i64>>>();
    one_state_has_one_encoding::<OrMap<i64, Elements<i64>>>();
    one_state_has_one_encoding::<OrMap<i64, DotMap<i64, DotFun<i64>>>>();
}
