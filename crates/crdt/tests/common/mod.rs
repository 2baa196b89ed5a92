//! Histories of several replicas, and the plain model they are held against: a replica is the set
//! of events that it has seen, and each event knows which events its own replica had seen.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

pub mod subject;

use std::collections::{BTreeMap, BTreeSet};

use archstone_crdt::ReplicaId;
use serde::Deserialize;
use serde_json::Value;

/// One line of a history.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Step {
    pub op: String,
    pub at: usize,
    #[serde(default)]
    pub from: usize,
    #[serde(default)]
    pub key: i64,
    #[serde(default)]
    pub elem: i64,
    #[serde(default)]
    pub inner: i64,
    #[serde(default)]
    pub value: i64,
}

/// A row of the golden files.
#[derive(Clone, Debug, Deserialize)]
pub struct History {
    #[serde(default)]
    pub name: String,
    pub kind: String,
    pub replicas: usize,
    pub log: Vec<Step>,
    pub reads: Vec<Value>,
    pub merged: Value,
}

/// The id of replica `i`: spread over 64 bits, the ends of the range among them.
pub fn id(i: usize) -> ReplicaId {
    ReplicaId([0, u64::MAX, 1 << 40, 7, 1 << 63, 5, 6, 8][i % 8])
}

/// The model.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// Each event with its causal past.
    events: Vec<(Step, BTreeSet<usize>)>,
    seen: Vec<BTreeSet<usize>>,
}

impl Oracle {
    pub fn new(replicas: usize) -> Self {
        Self { events: Vec::new(), seen: vec![BTreeSet::new(); replicas] }
    }

    pub fn step(&mut self, step: &Step) {
        if step.op == "merge" {
            let theirs = self.seen[step.from].clone();
            self.seen[step.at].extend(theirs);
        } else {
            self.events.push((step.clone(), self.seen[step.at].clone()));
            self.seen[step.at].insert(self.events.len() - 1);
        }
    }

    pub fn read(&self, kind: &str, replica: usize) -> Value {
        self.read_seen(kind, &self.seen[replica])
    }

    pub fn merged(&self, kind: &str) -> Value {
        self.read_seen(kind, &(0..self.events.len()).collect())
    }

    /// Updates that count: those that no seen event for which `erases` holds has in its past.
    fn live<'a>(
        &'a self,
        seen: &'a BTreeSet<usize>,
        update: impl Fn(&Step) -> bool + 'a,
        erases: impl Fn(&Step, &Step) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Step> + 'a {
        seen.iter().copied().filter_map(move |at| {
            let (step, _) = &self.events[at];
            let gone = || {
                seen.iter().any(|&other| {
                    let (eraser, past) = &self.events[other];
                    past.contains(&at) && erases(eraser, step)
                })
            };
            (update(step) && !gone()).then_some(step)
        })
    }

    fn read_seen(&self, kind: &str, seen: &BTreeSet<usize>) -> Value {
        let is = |op: &'static str| move |step: &Step| step.op == op;
        let add_wins = |add: &'static str, remove: &'static str| {
            let same = move |e: &Step, s: &Step| e.op == remove && e.key == s.key;
            self.live(seen, is(add), same).map(|s| s.key).collect::<BTreeSet<_>>()
        };
        let remove_wins = |add: &'static str, remove: &'static str| {
            let keys = |op| -> BTreeSet<i64> {
                seen.iter()
                    .map(|&at| &self.events[at].0)
                    .filter(|s| s.op == op)
                    .map(|s| s.key)
                    .collect()
            };
            let standing: BTreeSet<i64> = self
                .live(seen, is(remove), move |e, s| e.op == add && e.key == s.key)
                .map(|s| s.key)
                .collect();
            &keys(add) - &standing
        };
        match kind {
            "aw_set" => add_wins("add", "remove").into_iter().collect(),
            "rw_set" => remove_wins("add", "remove").into_iter().collect(),
            "ew_flag" => Value::from(!add_wins("enable", "disable").is_empty()),
            "dw_flag" => Value::from(!remove_wins("enable", "disable").is_empty()),
            "mv_register" => {
                let mut values: Vec<i64> =
                    self.live(seen, is("write"), |e, _| e.op == "write").map(|s| s.value).collect();
                values.sort_unstable();
                values.into()
            }
            "counter" => Value::from(seen.iter().map(|&at| self.events[at].0.value).sum::<i64>()),
            "map_counter" => {
                let mut all: BTreeMap<String, i64> = BTreeMap::new();
                let same = |e: &Step, s: &Step| e.op == "remove" && e.key == s.key;
                for s in self.live(seen, is("add"), same) {
                    *all.entry(s.key.to_string()).or_default() += s.value;
                }
                serde_json::to_value(all).unwrap()
            }
            "map_set" => {
                let mut all: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
                let same = |e: &Step, s: &Step| {
                    e.key == s.key
                        && (e.op == "remove" || e.op == "remove_elem" && e.elem == s.elem)
                };
                for s in self.live(seen, is("add"), same) {
                    all.entry(s.key.to_string()).or_default().insert(s.elem);
                }
                serde_json::to_value(all).unwrap()
            }
            "map_mv" => {
                let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
                for s in self.live(seen, is("write"), |e, s| e.key == s.key) {
                    all.entry(s.key.to_string()).or_default().push(s.value);
                }
                all.values_mut().for_each(|values| values.sort_unstable());
                serde_json::to_value(all).unwrap()
            }
            "map_map_mv" => {
                let mut all: BTreeMap<String, BTreeMap<String, Vec<i64>>> = BTreeMap::new();
                let same =
                    |e: &Step, s: &Step| e.key == s.key && (e.op == "remove" || e.inner == s.inner);
                for s in self.live(seen, is("write"), same) {
                    let inner = all.entry(s.key.to_string()).or_default();
                    inner.entry(s.inner.to_string()).or_default().push(s.value);
                }
                all.values_mut().flat_map(BTreeMap::values_mut).for_each(|v| v.sort_unstable());
                serde_json::to_value(all).unwrap()
            }
            other => panic!("no type {other}"),
        }
    }
}
