//! Events seen, as a step function over the interval.

use alloc::vec::Vec;
use core::fmt;

use super::bits::{BitReader, BitWriter};
use super::identity::{self, Identity};
use super::{ItcError, MAX_DEPTH, MAX_EVENTS};

/// In preorder: `count << 1` is a leaf, `count << 1 | 1` a node whose two subtrees follow and
/// count on top of it. Normal: one subtree of each node has 0 at its root, and no node has two
/// equal leaves; so the least count of a tree is the one at its root.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Event(Vec<u64>);

const fn leaf(count: u64) -> u64 {
    count << 1
}

const fn node(count: u64) -> u64 {
    (count << 1) | 1
}

const fn is_node(token: u64) -> bool {
    token & 1 == 1
}

const fn count(token: u64) -> u64 {
    token >> 1
}

fn span(tree: &[u64]) -> usize {
    let (mut open, mut at) = (1_usize, 0);
    while open > 0 {
        open = if is_node(tree[at]) { open + 1 } else { open - 1 };
        at += 1;
    }
    at
}

fn halves(tree: &[u64]) -> (&[u64], &[u64]) {
    let left = span(&tree[1..]);
    (&tree[1..=left], &tree[1 + left..])
}

/// The greatest count of the tree that `tree` starts with; moves past it.
fn max(tree: &mut &[u64]) -> u64 {
    let token = tree[0];
    *tree = &tree[1..];
    if !is_node(token) {
        return count(token);
    }
    let left = max(tree);
    count(token) + left.max(max(tree))
}

/// Makes the node at `at`, whose subtrees are `at + 1..right` and `right..`, normal.
fn normalise(out: &mut Vec<u64>, at: usize, right: usize) {
    let (l, r) = (out[at + 1], out[right]);
    if !is_node(l) && l == r {
        let sum = count(out[at]) + count(l);
        out.truncate(at);
        out.push(leaf(sum));
        return;
    }
    let least = count(l).min(count(r));
    out[at] += least << 1;
    out[at + 1] -= least << 1;
    out[right] -= least << 1;
}

impl Event {
    pub(super) fn zero() -> Self {
        Self(alloc::vec![leaf(0)])
    }

    /// One event more in the part that `identity` owns: filled up where that makes the tree
    /// simpler, else grown where it costs least.
    pub(super) fn inflate(&self, identity: &Identity) -> Result<Self, ItcError> {
        if identity.is_none() {
            return Err(ItcError::Anonymous);
        }
        let mut out = Vec::with_capacity(self.0.len() + 8);
        fill(identity.tree(), &self.0, &mut out);
        if out == self.0 {
            out.clear();
            grow(identity.tree(), Some(&self.0), &mut out)?;
        }
        Ok(Self(out))
    }

    /// The pointwise maximum.
    pub(super) fn join(&self, other: &Self) -> Self {
        if self.0 == other.0 {
            return self.clone();
        }
        let mut out = Vec::with_capacity(self.0.len().max(other.0.len()));
        join((&self.0, 0), (&other.0, 0), &mut out);
        Self(out)
    }

    /// Whether it is nowhere more than `other`.
    pub(super) fn at_most(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (&self.0[..], &other.0[..]);
        at_most(&mut ours, 0, &mut theirs, 0)
    }

    pub(super) fn write(&self, out: &mut BitWriter) {
        write(&self.0, out);
    }

    pub(super) fn read(input: &mut BitReader<'_>) -> Result<Self, &'static str> {
        let mut out = Vec::new();
        read(input, &mut out, 0)?;
        Ok(Self(out))
    }
}

fn at_most(a: &mut &[u64], a_base: u64, b: &mut &[u64], b_base: u64) -> bool {
    let (ta, tb) = (a[0], b[0]);
    let (na, nb) = (a_base + count(ta), b_base + count(tb));
    *a = &a[1..];
    *b = &b[1..];
    if na > nb {
        return false;
    }
    match (is_node(ta), is_node(tb)) {
        (true, true) => at_most(a, na, b, nb) && at_most(a, na, b, nb),
        (true, false) => {
            // Against a flat part only the greatest count matters.
            let left = max(a);
            na + left.max(max(a)) <= nb
        }
        (false, true) => {
            let rest = span(b);
            *b = &b[rest..];
            let rest = span(b);
            *b = &b[rest..];
            true
        }
        (false, false) => true,
    }
}

/// Each tree with what it counts on top of.
fn join(a: (&[u64], u64), b: (&[u64], u64), out: &mut Vec<u64>) {
    let ((a, a_base), (b, b_base)) = (a, b);
    let (na, nb) = (a_base + count(a[0]), b_base + count(b[0]));
    match (is_node(a[0]), is_node(b[0])) {
        (false, false) => out.push(leaf(na.max(nb))),
        (false, true) | (true, false) | (true, true) => {
            const FLAT: &[u64] = &[leaf(0)];
            let split = |tree| if is_node(tree) { None } else { Some((FLAT, FLAT)) };
            let (al, ar) = split(a[0]).unwrap_or_else(|| halves(a));
            let (bl, br) = split(b[0]).unwrap_or_else(|| halves(b));
            let at = out.len();
            out.push(node(0));
            join((al, na), (bl, nb), out);
            let right = out.len();
            join((ar, na), (br, nb), out);
            normalise(out, at, right);
        }
    }
}

/// Raises what `identity` owns as far as the tree gets simpler by it.
fn fill(identity: &[u8], tree: &[u64], out: &mut Vec<u64>) {
    match (identity[0], is_node(tree[0])) {
        (0, _) | (_, false) if identity[0] != 1 => out.extend_from_slice(tree),
        (1, _) => out.push(leaf(max(&mut { tree }))),
        _ => {
            let ((il, ir), (el, er)) = (identity::halves(identity), halves(tree));
            let at = out.len();
            out.push(node(count(tree[0])));
            let right;
            if il[0] == 1 {
                out.push(0);
                right = out.len();
                fill(ir, er, out);
                out[at + 1] = leaf(max(&mut { el }).max(count(out[right])));
            } else if ir[0] == 1 {
                fill(il, el, out);
                right = out.len();
                out.push(leaf(max(&mut { er }).max(count(out[at + 1]))));
            } else {
                fill(il, el, out);
                right = out.len();
                fill(ir, er, out);
            }
            normalise(out, at, right);
        }
    }
}

/// What a new level of the tree costs against a step down an old one.
const NEW_LEVEL: u64 = 1 << 32;

/// The cost of growing there: levels to make first, then steps down. `None`: a part without events
/// of its own yet.
fn cost(identity: &[u8], tree: Option<&[u64]>) -> u64 {
    match (identity[0], tree) {
        (1, None) => 0,
        (1, Some(tree)) if !is_node(tree[0]) => 0,
        // A part wholly owned is flat after `fill`.
        (1, Some(_)) => u64::MAX >> 1,
        (0, _) => u64::MAX >> 1,
        (_, tree) => {
            let (il, ir) = identity::halves(identity);
            let (new, (el, er)) = match tree {
                Some(tree) if is_node(tree[0]) => {
                    let (l, r) = halves(tree);
                    (0, (Some(l), Some(r)))
                }
                _ => (NEW_LEVEL, (None, None)),
            };
            let least = match (il[0], ir[0]) {
                (0, _) => cost(ir, er),
                (_, 0) => cost(il, el),
                _ => cost(il, el).min(cost(ir, er)),
            };
            (least + 1 + new).min(u64::MAX >> 1)
        }
    }
}

/// Counts one event where that costs least.
fn grow(identity: &[u8], tree: Option<&[u64]>, out: &mut Vec<u64>) -> Result<(), ItcError> {
    let base = tree.map_or(0, |tree| count(tree[0]));
    if identity[0] == 1 {
        if base >= MAX_EVENTS {
            return Err(ItcError::Exhausted);
        }
        out.push(leaf(base + 1));
        return Ok(());
    }
    let (il, ir) = identity::halves(identity);
    let (el, er) = match tree {
        Some(tree) if is_node(tree[0]) => {
            let (l, r) = halves(tree);
            (Some(l), Some(r))
        }
        _ => (None, None),
    };
    let go_left = match (il[0], ir[0]) {
        (0, _) => false,
        (_, 0) => true,
        _ => cost(il, el) < cost(ir, er),
    };
    let at = out.len();
    out.push(node(base));
    let flat = [leaf(0)];
    let right;
    if go_left {
        grow(il, el, out)?;
        right = out.len();
        out.extend_from_slice(er.unwrap_or(&flat));
    } else {
        out.extend_from_slice(el.unwrap_or(&flat));
        right = out.len();
        grow(ir, er, out)?;
    }
    normalise(out, at, right);
    Ok(())
}

/// A leaf is 1 and its count. A node is 0, then 00 `(0,0,e)`, 01 `(0,e,0)`, 10 `(0,e,e)`, or 11
/// and 00, 01, 1 for the same with a count of its own.
fn write(tree: &[u64], out: &mut BitWriter) {
    let n = count(tree[0]);
    if !is_node(tree[0]) {
        out.put(1, 1);
        return out.number(n);
    }
    let (left, right) = halves(tree);
    let (empty_left, empty_right) = (left == [0], right == [0]);
    out.put(0, 1);
    let shape = if empty_left {
        0
    } else if empty_right {
        1
    } else {
        2
    };
    if n == 0 {
        out.put(shape, 2);
    } else {
        out.put(3, 2);
        let (mark, width) = if shape == 2 { (1, 1) } else { (shape, 2) };
        out.put(mark, width);
        out.put(1, 1);
        out.number(n);
    }
    if !empty_left {
        write(left, out);
    }
    if !empty_right {
        write(right, out);
    }
}

fn read(input: &mut BitReader<'_>, out: &mut Vec<u64>, depth: usize) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err("a tree of events that is too deep");
    }
    if input.take(1)? == 1 {
        out.push(leaf(input.number(MAX_EVENTS)?));
        return Ok(());
    }
    let mut shape = input.take(2)?;
    let mut base = 0;
    if shape == 3 {
        shape = if input.take(1)? == 1 { 2 } else { input.take(1)? };
        if input.take(1)? == 0 {
            return Err("a count that is none");
        }
        base = input.number(MAX_EVENTS)?;
        if base == 0 {
            return Err("a count of zero that is written out");
        }
    }
    let at = out.len();
    out.push(node(base));
    let right;
    if shape == 0 {
        out.push(leaf(0));
        right = out.len();
        read(input, out, depth + 1)?;
    } else {
        read(input, out, depth + 1)?;
        right = out.len();
        if shape == 1 {
            out.push(leaf(0));
        } else {
            read(input, out, depth + 1)?;
        }
    }
    let (l, r) = (out[at + 1], out[right]);
    let written_zero = shape == 2 && (l == leaf(0) || r == leaf(0));
    if count(l).min(count(r)) > 0 || l == r && !is_node(l) || written_zero {
        return Err("a tree of events that is not normal");
    }
    Ok(())
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn show(tree: &[u64], f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if !is_node(tree[0]) {
                return write!(f, "{}", count(tree[0]));
            }
            let (left, right) = halves(tree);
            write!(f, "({},", count(tree[0]))?;
            show(left, f)?;
            f.write_str(",")?;
            show(right, f)?;
            f.write_str(")")
        }
        show(&self.0, f)
    }
}
