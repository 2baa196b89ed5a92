//! Lists and trees.

use alloc::collections::BTreeMap;

use super::{DecodeError, Limits, Reader, Value, Why, Wire, Writer, kinds};
use crate::clock::{CausalContext, Timestamp};
use crate::id::Dot;
use crate::sequence::{Node, Sequence, Side};
use crate::tree::{Move, MoveTree};

impl<T: Value + Clone> Wire for Sequence<T> {
    const KIND: u8 = kinds::SEQUENCE;

    fn write_body(&self, out: &mut Writer) {
        self.context().write_body(out);
        out.varint(self.nodes().len() as u64);
        for (dot, node) in self.nodes() {
            dot.put(out);
            node.parent.put(out);
            (node.side == Side::Right).put(out);
            node.deleted.put(out);
            if let Some(value) = &node.value {
                value.put(out);
            }
        }
    }

    fn read_body(input: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        let mut list = Self::empty_at(CausalContext::read_body(input, limits)?);
        let mut nodes: BTreeMap<Dot, Node<T>> = BTreeMap::new();
        for _ in 0..input.count(12, "values")? {
            let at = input.clone();
            let dot = Dot::read(input)?;
            let order = nodes.last_key_value().is_none_or(|(last, _)| *last < dot);
            let parent = Option::<Dot>::read(input)?;
            let side = if bool::read(input)? { Side::Right } else { Side::Left };
            let deleted = Option::<Dot>::read(input)?;
            let value = if deleted.is_none() { Some(T::read(input)?) } else { None };
            let known = list.context().contains(dot)
                && deleted.is_none_or(|event| list.context().contains(event));
            // The root has right children only.
            let placed = parent != Some(dot) && (parent.is_some() || side == Side::Right);
            if !order || !known || !placed {
                return Err(at.error("value", Why::Invalid("out of order, unknown, or nowhere")));
            }
            nodes.insert(dot, Node { parent, side, value, deleted });
        }
        nodes.into_iter().for_each(|(dot, node)| list.link(dot, node));
        list.arrange();
        Ok(list)
    }
}

impl<K: Value + Ord + Clone> Wire for MoveTree<K> {
    const KIND: u8 = kinds::TREE;

    fn write_body(&self, out: &mut Writer) {
        let (base, forgotten) = self.base();
        forgotten.put(out);
        out.varint(base.len() as u64);
        for (child, parent) in base {
            child.put(out);
            parent.put(out);
        }
        out.varint(self.moves().len() as u64);
        for (stamp, step) in self.moves() {
            stamp.put(out);
            step.child.put(out);
            step.parent.put(out);
        }
    }

    fn read_body(input: &mut Reader<'_>, _: &Limits) -> Result<Self, DecodeError> {
        let forgotten = Timestamp::read(input)?;
        let mut base = BTreeMap::new();
        for _ in 0..input.count(2 * K::LEAST, "nodes")? {
            let at = input.clone();
            let (child, parent) = <(K, K)>::read(input)?;
            if base.last_key_value().is_some_and(|(last, _)| *last >= child) {
                return Err(at.error("node", Why::Invalid("nodes out of order")));
            }
            base.insert(child, parent);
        }
        if has_cycle(&base) {
            return Err(input.error("nodes", Why::Invalid("a cycle")));
        }
        let mut tree = Self::restore(base, forgotten);
        let mut last = None;
        for _ in 0..input.count(16 + 2 * K::LEAST, "moves")? {
            let at = input.clone();
            let stamp = Timestamp::read(input)?;
            let (child, parent) = <(K, K)>::read(input)?;
            if last.is_some_and(|last| last >= stamp) || stamp < forgotten {
                return Err(at.error("move", Why::Invalid("moves out of order or forgotten")));
            }
            last = Some(stamp);
            tree.take(stamp, Move { child, parent });
        }
        Ok(tree)
    }
}

/// Whether following parents from some node never ends. O(nodes · log nodes).
fn has_cycle<K: Ord>(parents: &BTreeMap<K, K>) -> bool {
    // Each walk marks its nodes; meeting a mark of an earlier walk ends it well.
    let mut walks: BTreeMap<&K, usize> = BTreeMap::new();
    for (walk, start) in parents.keys().enumerate() {
        let mut at = start;
        loop {
            match walks.get(at) {
                Some(&earlier) if earlier == walk => return true,
                Some(_) => break,
                None => {
                    walks.insert(at, walk);
                }
            }
            match parents.get(at) {
                Some(parent) => at = parent,
                None => break,
            }
        }
    }
    false
}
