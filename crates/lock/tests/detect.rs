//! Deadlock detection beside a naive model: every wait graph is built anew, every circle enumerated.

use archstone_lock::txn::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A transaction by number (which is its age), and whether it wants to be alone.
type Hold = (usize, bool);

/// Holders and queue of each key.
#[derive(Clone, Default)]
struct Naive {
    keys: BTreeMap<u8, (Vec<Hold>, Vec<Hold>)>,
    live: Vec<bool>,
}

const fn conflict(a: Hold, b: Hold) -> bool {
    a.0 != b.0 && (a.1 || b.1)
}

impl Naive {
    fn waits(&self, who: usize) -> bool {
        self.keys.values().any(|key| key.1.iter().any(|w| w.0 == who))
    }

    /// For whom `who` waits.
    fn edges(&self, who: usize) -> Vec<usize> {
        for (holders, queue) in self.keys.values() {
            if let Some(at) = queue.iter().position(|w| w.0 == who) {
                let before = holders.iter().chain(&queue[..at]);
                return before.filter(|h| conflict(**h, queue[at])).map(|h| h.0).collect();
            }
        }
        Vec::new()
    }

    /// Every simple circle through `start`.
    fn circles(&self, start: usize) -> Vec<Vec<usize>> {
        fn walk(naive: &Naive, path: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
            for next in naive.edges(path[path.len() - 1]) {
                if next == path[0] {
                    found.push(path.clone());
                } else if !path.contains(&next) {
                    path.push(next);
                    walk(naive, path, found);
                    path.pop();
                }
            }
        }
        let mut found = Vec::new();
        walk(self, &mut vec![start], &mut found);
        found
    }

    fn end(&mut self, who: usize) {
        self.live[who] = false;
        for key in self.keys.values_mut() {
            key.0.retain(|h| h.0 != who);
            key.1.retain(|w| w.0 != who);
        }
        self.grant();
    }

    fn grant(&mut self) {
        for (holders, queue) in self.keys.values_mut() {
            while let Some(&next) = queue.first() {
                if holders.iter().any(|h| conflict(*h, next)) {
                    break;
                }
                queue.remove(0);
                holders.retain(|h| h.0 != next.0);
                holders.push(next);
            }
        }
    }

    fn ask(&mut self, who: usize, key: u8, exclusive: bool) {
        let (holders, queue) = self.keys.entry(key).or_default();
        let mine = holders.iter().position(|h| h.0 == who);
        if !mine.is_some_and(|at| holders[at].1 || !exclusive) {
            let at = if mine.is_some() { 0 } else { queue.len() };
            queue.insert(at, (who, exclusive));
            self.grant();
        }
    }

    /// What is left when the victims that the manager names have died, in some order in which each is
    /// the youngest of a circle that is there when it dies, and no circle is left at the end.
    fn after(&self, who: usize, victims: &[usize]) -> Option<Self> {
        let circles = self.circles(who);
        if victims.is_empty() {
            return circles.is_empty().then(|| self.clone());
        }
        victims.iter().enumerate().find_map(|(at, &victim)| {
            if !circles.iter().any(|circle| circle.iter().max() == Some(&victim)) {
                return None;
            }
            let mut next = self.clone();
            next.end(victim);
            let rest = [&victims[..at], &victims[at + 1..]].concat();
            next.after(who, &rest)
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn victims_are_the_youngest_of_circles_and_no_others(
        ops in prop::collection::vec((0..5_usize, 0..4_u8, any::<bool>(), 0..12_u8), 1..80)
    ) {
        let mut locks = LockManager::<u8>::new(Policy::Detect);
        let mut naive = Naive::default();
        let mut txns: Vec<Txn> = Vec::new();
        // Slots of five at a time; an ended one is followed by a new, younger one.
        let mut current: Vec<usize> = Vec::new();
        let begin = |locks: &mut LockManager<u8>, naive: &mut Naive, txns: &mut Vec<Txn>| {
            txns.push(locks.begin());
            naive.live.push(true);
            txns.len() - 1
        };
        for _ in 0..5 {
            current.push(begin(&mut locks, &mut naive, &mut txns));
        }
        for (slot, key, exclusive, what) in ops {
            if !naive.live[current[slot]] {
                current[slot] = begin(&mut locks, &mut naive, &mut txns);
            }
            let who = current[slot];
            let txn = txns[who];
            match what {
                0 => {
                    prop_assert!(locks.abort(txn));
                    naive.end(who);
                }
                1 | 2 => {
                    let expected =
                        if naive.waits(who) { Err(NotCommitted::Waiting) } else { Ok(()) };
                    prop_assert_eq!(locks.commit(txn), expected);
                    if expected.is_ok() {
                        naive.end(who);
                    }
                }
                _ => {
                    let access = if exclusive { Access::Exclusive } else { Access::Shared };
                    let verdict = locks.lock(txn, key, access);
                    if naive.waits(who) {
                        prop_assert_eq!(verdict, Verdict::Waiting);
                        continue;
                    }
                    let events = locks.events();
                    let number = |t: Txn| txns.iter().position(|other| *other == t).expect("known");
                    let mut victims: Vec<usize> = events
                        .iter()
                        .filter_map(|event| match event {
                            Event::Deadlock(victim) => Some(number(*victim)),
                            _ => None,
                        })
                        .collect();
                    if verdict == Verdict::Deadlock {
                        victims.push(who);
                    }
                    naive.ask(who, key, exclusive);
                    let after = naive.after(who, &victims);
                    prop_assert!(after.is_some(), "{victims:?}: not one a circle, or of none (I8)");
                    naive = after.unwrap_or_default();
                    let expected = match (naive.live[who], naive.waits(who)) {
                        (false, _) => Verdict::Deadlock,
                        (true, true) => Verdict::Wait,
                        (true, false) => Verdict::Granted,
                    };
                    prop_assert_eq!(verdict, expected);
                }
            }
            let _ = locks.events();
            locks.audit();
            for (n, txn) in txns.iter().enumerate() {
                prop_assert_eq!(locks.is_live(*txn), naive.live[n], "{}", n);
                prop_assert_eq!(locks.is_waiting(*txn), naive.waits(n), "{}", n);
            }
        }
    }
}
