//! Interval tree clocks against plain sets of events.

use std::collections::BTreeSet;

use archstone_crdt::Causality;
use archstone_crdt::clock::itc::{ItcError, MAX_DEPTH, Stamp};
use archstone_crdt::codec::Wire;
use proptest::prelude::*;

proptest! {
    #[test]
    fn they_compare_as_the_sets_of_their_events(steps in prop::collection::vec((0_u8..10, 0_usize..64, 0_usize..64), 0..120)) {
        let mut stamps = vec![(Stamp::seed(), BTreeSet::new())];
        let mut events = 0_u32;
        for (what, a, b) in steps {
            let (a, b) = (a % stamps.len(), b % stamps.len());
            match what {
                0 | 1 if stamps.len() < 24 => {
                    let right = stamps[a].0.fork().unwrap();
                    let seen = stamps[a].1.clone();
                    stamps.push((right, seen));
                }
                2..=5 => {
                    events += 1;
                    stamps[a].0.event().unwrap();
                    stamps[a].1.insert(events);
                }
                6..=8 if a != b => {
                    let (message, seen) = (stamps[b].0.message(), stamps[b].1.clone());
                    prop_assert!(message.is_anonymous());
                    stamps[a].0.receive(&message).unwrap();
                    stamps[a].1.extend(seen);
                }
                9 if a != b && stamps.len() > 2 => {
                    let (other, seen) = stamps[b].clone();
                    stamps[a].0.join(other).unwrap();
                    stamps[a].1.extend(seen);
                    stamps.remove(b);
                }
                _ => {}
            }
        }
        for (a, ours) in &stamps {
            let bytes = a.encode();
            prop_assert_eq!(&Stamp::decode(&bytes).unwrap(), a);
            for (b, theirs) in &stamps {
                let expected = match (ours.is_subset(theirs), theirs.is_subset(ours)) {
                    (true, true) => Causality::Equal,
                    (true, false) => Causality::Before,
                    (false, true) => Causality::After,
                    (false, false) => Causality::Concurrent,
                };
                prop_assert_eq!(a.compare(b), expected);
                prop_assert_eq!(a.leq(b), ours.is_subset(theirs));
                // The identities stay disjoint, each with its own copy only.
                if !std::ptr::eq(a, b) {
                    prop_assert!(a.clone().join(b.clone()).is_ok());
                } else {
                    prop_assert_eq!(a.clone().join(b.clone()), Err(ItcError::Overlap));
                }
            }
        }
        // All joined again: the whole interval, and all events.
        let mut all = stamps.pop().unwrap();
        for (stamp, seen) in stamps {
            all.0.join(stamp).unwrap();
            all.1.extend(seen);
        }
        prop_assert!(all.0.to_string().starts_with("(1,"));
        prop_assert_eq!(all.1.len() as u32, events);
    }
}

#[test]
fn what_cannot_be_is_a_typed_error() {
    let mut stamp = Stamp::seed();
    let copy = stamp.clone();
    assert_eq!(stamp.join(copy), Err(ItcError::Overlap));
    assert_eq!(stamp.message().event(), Err(ItcError::Anonymous));
    let mut others = Vec::new();
    for _ in 0..MAX_DEPTH {
        others.push(stamp.fork().unwrap());
    }
    assert_eq!(stamp.fork(), Err(ItcError::TooDeep));
    // At that depth everything still works, the encoding included.
    stamp.event().unwrap();
    let back = Stamp::decode(&stamp.encode()).unwrap();
    assert_eq!(back, stamp);
    for other in others.into_iter().rev() {
        stamp.join(other).unwrap();
    }
    assert!(stamp.to_string().starts_with("(1,"));
    assert!(stamp.fork().is_ok());
}

#[test]
fn a_stamp_takes_a_quarter_of_its_text() {
    let mut stamps = vec![Stamp::seed()];
    for i in 0..99 {
        let right = stamps[i / 2].fork().unwrap();
        stamps.push(right);
    }
    for i in 0..2_000 {
        stamps[i * 7919 % 100].event().unwrap();
        let message = stamps[i * 31 % 100].message();
        stamps[i * 17 % 100].receive(&message).unwrap();
    }
    for stamp in &stamps {
        let (bytes, text) = (stamp.encode().len(), stamp.to_string().len());
        assert!(bytes * 4 <= text + 32, "{bytes} bytes, {text} of text");
    }
}
