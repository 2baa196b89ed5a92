//! The checker on histories made by hand: it names what is there and nothing else.

use consistency_models::anomaly::{self, Anomaly};
use consistency_models::arena::{Done, Outcome};
use consistency_models::script::{Answer, Op, Step};
use kit::Time;
use std::collections::BTreeSet;

/// Client, from, to (0: no answer), call, answer.
type Line = (usize, u64, u64, Op, Answer);

fn outcome(lines: &[Line]) -> Outcome {
    let ms = Time::from_millis;
    let call = |(client, from, to, op, answer): &Line| Done {
        step: Step { at: ms(*from), client: *client, node: 0, op: *op },
        invoked: ms(*from),
        returned: (*to > 0).then(|| (ms(*to), answer.clone())),
        cut: false,
        down: false,
        minority: false,
    };
    Outcome { calls: lines.iter().map(call).collect(), ..Outcome::default() }
}

fn kinds(lines: &[Line]) -> Vec<Anomaly> {
    let found: BTreeSet<_> = anomaly::find(&outcome(lines)).iter().map(|f| f.kind).collect();
    found.into_iter().collect()
}

fn explained(lines: &[Line]) -> bool {
    anomaly::linearizable_objects(&outcome(lines), false)
        .iter()
        .all(|(_, problem)| problem.is_none())
}

const fn read(client: usize, from: u64, to: u64, value: u64) -> Line {
    (client, from, to, Op::Read(0), Answer::Value(value))
}

const fn write(client: usize, from: u64, to: u64, value: u64) -> Line {
    (client, from, to, Op::Write(0, value), Answer::Done)
}

#[test]
fn a_clean_history_has_no_name() {
    let lines = [
        write(0, 1, 5, 7),
        read(1, 2, 6, 0),
        read(1, 7, 9, 7),
        write(0, 8, 20, 9),
        read(2, 9, 10, 9),
    ];
    assert_eq!(kinds(&lines), []);
    assert!(explained(&lines));
}

#[test]
fn a_value_that_was_replaced_before_the_read_began_is_stale_and_how_stale() {
    let lines = [write(0, 1, 5, 7), write(0, 10, 15, 9), read(1, 40, 41, 7)];
    assert_eq!(kinds(&lines), [Anomaly::StaleRead]);
    let age = anomaly::staleness(&outcome(&lines));
    assert_eq!(age, [std::time::Duration::from_millis(25)]);
    assert!(!explained(&lines));
    // The second write is still under way: either value is right.
    assert_eq!(kinds(&[write(0, 1, 5, 7), write(0, 10, 60, 9), read(1, 40, 41, 7)]), []);
    // The first was never answered: it may have come last.
    assert_eq!(kinds(&[write(0, 1, 0, 7), write(1, 10, 15, 9), read(2, 40, 41, 7)]), []);
    // What it held before the first write is old, too.
    assert_eq!(kinds(&[write(0, 1, 5, 7), read(1, 6, 7, 0)]), [Anomaly::StaleRead]);
}

#[test]
fn a_client_that_meets_a_replaced_value_again_went_back() {
    let lines = [
        write(0, 1, 99, 7),
        write(1, 1, 99, 9),
        read(2, 10, 11, 7),
        read(2, 12, 13, 9),
        read(2, 14, 15, 7),
    ];
    assert_eq!(kinds(&lines), [Anomaly::BackwardsRead]);
    assert!(!explained(&lines));
    // Two clients may see two values in two orders: no client went back.
    let lines = [
        write(0, 1, 99, 7),
        write(1, 1, 99, 9),
        read(2, 10, 11, 7),
        read(2, 12, 13, 9),
        read(3, 14, 15, 7),
    ];
    assert_eq!(kinds(&lines), []);
}

#[test]
fn an_effect_without_its_cause_is_named_over_two_registers_and_three_clients() {
    let other = |client, from, to, op, answer| (client, from, to, op, answer);
    let lines = [
        write(0, 1, 500, 7),
        read(1, 10, 11, 7),
        other(1, 12, 500, Op::Write(1, 8), Answer::Done),
        other(2, 20, 21, Op::Read(1), Answer::Value(8)),
        read(2, 22, 23, 0),
    ];
    assert_eq!(kinds(&lines), [Anomaly::EffectFirst]);
    // Who has not met the effect may meet the past.
    let mut clean = lines;
    clean[4].0 = 3;
    assert_eq!(kinds(&clean), []);
}

#[test]
fn an_addition_that_is_gone_is_lost_and_one_that_was_not_acknowledged_may_be() {
    let add = |client, from, to| (client, from, to, Op::Increment, Answer::Done);
    let last = |n: i64, items: &[u64]| {
        let elements = Answer::Elements(items.iter().copied().collect());
        [(9, 90, 91, Op::Count, Answer::Number(n)), (9, 92, 93, Op::Members, elements)]
    };
    let with = |n, items: &[u64]| {
        let insert = (2, 30, 31, Op::Insert(4), Answer::Done);
        [vec![add(0, 1, 5), add(1, 2, 6), insert], last(n, items).to_vec()].concat()
    };
    assert_eq!(kinds(&with(2, &[4])), []);
    assert_eq!(kinds(&with(1, &[4])), [Anomaly::LostUpdate]);
    assert_eq!(kinds(&with(2, &[])), [Anomaly::LostUpdate]);
    let open = [vec![add(0, 1, 5), add(1, 2, 0)], last(1, &[]).to_vec()].concat();
    assert_eq!(kinds(&open), []);
}

#[test]
fn two_doctors_of_one_shift_that_are_both_off_are_a_skew() {
    let off = |client, shift, doctor, answer| (client, 5, 9, Op::GoOff(shift, doctor), answer);
    let skew = [off(0, 1, 0, Answer::Done), off(1, 1, 1, Answer::Done)];
    assert_eq!(kinds(&skew), [Anomaly::WriteSkew]);
    let refused = [off(0, 1, 0, Answer::Done), off(1, 1, 1, Answer::Refused)];
    assert_eq!(kinds(&refused), []);
    let apart = [off(0, 1, 0, Answer::Done), off(1, 2, 1, Answer::Done)];
    assert_eq!(kinds(&apart), []);
}
