//! The types under one interface, for histories of any of them.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use archstone_crdt::counter::PnCounter;
use archstone_crdt::dots::{DotFun, DotMap, Elements};
use archstone_crdt::flag::{DisableWinsFlag, EnableWinsFlag};
use archstone_crdt::map::OrMap;
use archstone_crdt::register::MvRegister;
use archstone_crdt::set::{AddWinsSet, RemoveWinsSet};
use archstone_crdt::{Delta, ReplicaId};
use serde_json::{Value, json};

use super::Step;

/// A type that a history can drive.
pub trait Subject: Delta + Default + PartialEq + Debug {
    const KIND: &'static str;
    /// The update, and its delta as a state.
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self;
    fn read(&self) -> Value;
    /// Checks links, where there are some.
    fn check(&self) {}
}

fn sorted(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut values: Vec<i64> = values.collect();
    values.sort_unstable();
    values
}

fn map<'a, V: 'a>(entries: impl Iterator<Item = (&'a i64, V)>, read: impl Fn(V) -> Value) -> Value {
    let all: BTreeMap<String, Value> =
        entries.map(|(key, value)| (key.to_string(), read(value))).collect();
    serde_json::to_value(all).unwrap()
}

impl Subject for AddWinsSet<i64> {
    const KIND: &'static str = "aw_set";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        let delta = match &*step.op {
            "add" => self.add(me, step.key),
            _ => self.remove(me, &step.key),
        };
        delta.unwrap().into()
    }
    fn read(&self) -> Value {
        sorted(self.iter().copied()).into()
    }
    fn check(&self) {
        self.validate();
    }
}

impl Subject for RemoveWinsSet<i64> {
    const KIND: &'static str = "rw_set";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        match &*step.op {
            "add" => self.add(me, step.key).unwrap(),
            _ => self.remove(me, step.key).unwrap(),
        }
    }
    fn read(&self) -> Value {
        sorted(self.iter().copied()).into()
    }
}

impl Subject for EnableWinsFlag {
    const KIND: &'static str = "ew_flag";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        if step.op == "enable" { self.enable(me).unwrap() } else { self.disable(me).unwrap() }
    }
    fn read(&self) -> Value {
        self.is_on().into()
    }
}

impl Subject for DisableWinsFlag {
    const KIND: &'static str = "dw_flag";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        if step.op == "enable" { self.enable(me).unwrap() } else { self.disable(me).unwrap() }
    }
    fn read(&self) -> Value {
        self.is_on().into()
    }
}

impl Subject for MvRegister<i64> {
    const KIND: &'static str = "mv_register";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        self.write(me, step.value).unwrap()
    }
    fn read(&self) -> Value {
        sorted(self.values().copied()).into()
    }
}

impl Subject for PnCounter {
    const KIND: &'static str = "counter";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        self.add(me, step.value).unwrap()
    }
    fn read(&self) -> Value {
        json!(self.value() as i64)
    }
}

impl Subject for OrMap<i64, DotFun<i64>> {
    const KIND: &'static str = "map_mv";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        match &*step.op {
            "write" => self.update(me, step.key, |at| at.write(step.value)).unwrap(),
            _ => self.remove(me, &step.key).unwrap(),
        }
    }
    fn read(&self) -> Value {
        map(self.iter(), |values| sorted(values.values().copied()).into())
    }
}

/// A map of counters: the store is that of registers, so it needs a name of its own here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters(pub OrMap<i64, DotFun<i64>>);

impl archstone_crdt::Lattice for Counters {
    fn merge(&mut self, other: &Self) -> bool {
        self.0.merge(&other.0)
    }
}

impl Delta for Counters {
    type Version = archstone_crdt::clock::CausalContext;
    fn version(&self) -> Self::Version {
        self.0.version()
    }
    fn delta_since(&self, seen: &Self::Version) -> Self {
        Self(self.0.delta_since(seen))
    }
}

impl Subject for Counters {
    const KIND: &'static str = "map_counter";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        Self(match &*step.op {
            "add" => self.0.update(me, step.key, |at| at.count(step.value)).unwrap(),
            _ => self.0.remove(me, &step.key).unwrap(),
        })
    }
    fn read(&self) -> Value {
        map(self.0.iter(), |amounts| json!(amounts.sum() as i64))
    }
}

impl Subject for OrMap<i64, Elements<i64>> {
    const KIND: &'static str = "map_set";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        match &*step.op {
            "add" => self.update(me, step.key, |at| at.insert(step.elem)).unwrap(),
            "remove_elem" => self.update(me, step.key, |at| at.remove(&step.elem)).unwrap(),
            _ => self.remove(me, &step.key).unwrap(),
        }
    }
    fn read(&self) -> Value {
        map(self.iter(), |set| set.iter().copied().collect::<BTreeSet<_>>().into_iter().collect())
    }
    fn check(&self) {
        self.iter().for_each(|(_, set)| set.validate());
    }
}

impl Subject for OrMap<i64, DotMap<i64, DotFun<i64>>> {
    const KIND: &'static str = "map_map_mv";
    fn apply(&mut self, me: ReplicaId, step: &Step) -> Self {
        match &*step.op {
            "write" => self
                .update(me, step.key, |at| at.update(step.inner, |at| at.write(step.value)))
                .unwrap(),
            "remove_inner" => self.update(me, step.key, |at| at.remove(&step.inner)).unwrap(),
            _ => self.remove(me, &step.key).unwrap(),
        }
    }
    fn read(&self) -> Value {
        map(self.iter(), |inner| {
            map(inner.iter(), |values| sorted(values.values().copied()).into())
        })
    }
}

/// Runs `$body` with `$subject` as each of the ten types.
#[macro_export]
macro_rules! every_type {
    ($run:ident) => {
        $run::<archstone_crdt::set::AddWinsSet<i64>>();
        $run::<archstone_crdt::set::RemoveWinsSet<i64>>();
        $run::<archstone_crdt::flag::EnableWinsFlag>();
        $run::<archstone_crdt::flag::DisableWinsFlag>();
        $run::<archstone_crdt::register::MvRegister<i64>>();
        $run::<archstone_crdt::counter::PnCounter>();
        $run::<archstone_crdt::map::OrMap<i64, archstone_crdt::dots::DotFun<i64>>>();
        $run::<$crate::common::subject::Counters>();
        $run::<archstone_crdt::map::OrMap<i64, archstone_crdt::dots::Elements<i64>>>();
        $run::<
            archstone_crdt::map::OrMap<
                i64,
                archstone_crdt::dots::DotMap<i64, archstone_crdt::dots::DotFun<i64>>,
            >,
        >();
    };
}
