//! All runs of small systems: every order, delay, loss and repetition of messages, every drift.
//!
//! The network is the worst there is: what was sent may be delivered at any time, any number of times,
//! or never, so a message is a bit that stays set. Each safeguard is also switched off, and then the
//! explorer has to find the run that the literature tells of.

mod commit;
mod elect;
mod redlock;
mod txn;

use std::collections::HashMap;
use std::hash::Hash;

/// A system whose states are few enough to see all of them.
trait System {
    type State: Clone + Eq + Hash;
    fn starts(&self) -> Vec<Self::State>;
    /// Each thing that can happen next, with what it is called.
    fn next(&self, state: &Self::State, found: &mut Vec<(String, Self::State)>);
    /// What must hold in every state.
    fn check(&self, state: &Self::State) -> Result<(), &'static str>;
}

/// States seen, or the shortest run to one that is wrong.
#[derive(Debug)]
enum Explored {
    Safe(usize),
    Broken(&'static str, Vec<String>),
}

/// Breadth first, so that the first wrong run found is a shortest.
fn explore<S: System>(system: &S) -> Explored {
    let mut seen: HashMap<S::State, usize> = HashMap::new();
    let mut order: Vec<(S::State, usize, String)> = Vec::new();
    for state in system.starts() {
        seen.insert(state.clone(), order.len());
        order.push((state, usize::MAX, "start".to_owned()));
    }
    let (mut at, mut found) = (0, Vec::new());
    while at < order.len() {
        assert!(order.len() < 3_000_000, "the system is too large");
        if let Err(why) = system.check(&order[at].0) {
            let (mut run, mut place) = (Vec::new(), at);
            while place != usize::MAX {
                run.push(order[place].2.clone());
                place = order[place].1;
            }
            run.reverse();
            return Explored::Broken(why, run);
        }
        system.next(&order[at].0, &mut found);
        for (name, state) in found.drain(..) {
            if !seen.contains_key(&state) {
                seen.insert(state.clone(), order.len());
                order.push((state, at, name));
            }
        }
        at += 1;
    }
    Explored::Safe(order.len())
}

fn safe<S: System>(system: &S) -> usize {
    match explore(system) {
        Explored::Safe(states) => states,
        Explored::Broken(why, run) => panic!("{why}:\n  {}", run.join("\n  ")),
    }
}

fn broken<S: System>(system: &S, expected: &str) -> Vec<String> {
    match explore(system) {
        Explored::Broken(why, run) => {
            assert_eq!(why, expected, "{run:#?}");
            run
        }
        Explored::Safe(states) => panic!("nothing wrong in {states} states without the safeguard"),
    }
}
