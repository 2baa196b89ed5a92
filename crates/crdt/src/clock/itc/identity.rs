//! Identities: which part of the interval a replica owns.

use alloc::vec::Vec;
use core::fmt;

use super::bits::{BitReader, BitWriter};
use super::{ItcError, MAX_DEPTH};

/// In preorder: 0 and 1 are leaves, `NODE` has two subtrees behind it. Normal: no node has two
/// equal leaves.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity(Vec<u8>);

pub(super) const NODE: u8 = 2;

/// The length of the tree that `tree` starts with.
#[inline]
pub(super) fn span(tree: &[u8]) -> usize {
    let (mut open, mut at) = (1_usize, 0);
    while open > 0 {
        open = if tree[at] == NODE { open + 1 } else { open - 1 };
        at += 1;
    }
    at
}

/// The two subtrees of a node.
#[inline]
pub(super) fn halves(tree: &[u8]) -> (&[u8], &[u8]) {
    let left = span(&tree[1..]);
    (&tree[1..=left], &tree[1 + left..])
}

impl Identity {
    pub(super) fn all() -> Self {
        Self(alloc::vec![1])
    }

    pub(super) fn none() -> Self {
        Self(alloc::vec![0])
    }

    pub(super) fn is_none(&self) -> bool {
        self.0 == [0]
    }

    pub(super) fn tree(&self) -> &[u8] {
        &self.0
    }

    fn depth(&self) -> usize {
        // Open right halves: a stack of what is still to come at each level.
        let (mut deepest, mut stack) = (0, Vec::new());
        for &token in &self.0 {
            if token == NODE {
                stack.push(2_u8);
                deepest = deepest.max(stack.len());
            } else {
                while let Some(last) = stack.last_mut() {
                    *last -= 1;
                    if *last > 0 {
                        break;
                    }
                    stack.pop();
                }
            }
        }
        deepest
    }

    /// Two identities that own it between them.
    pub(super) fn split(&self) -> Result<(Self, Self), ItcError> {
        if self.depth() >= MAX_DEPTH {
            return Err(ItcError::TooDeep);
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut tree = &self.0[..];
        // Down to where both halves own something, or to the leaf; both copies share the way.
        let mut closings = Vec::new();
        loop {
            match tree[0] {
                0 => {
                    left.push(0);
                    right.push(0);
                    break;
                }
                1 => {
                    left.extend([NODE, 1, 0]);
                    right.extend([NODE, 0, 1]);
                    break;
                }
                _ => {
                    let (l, r) = halves(tree);
                    left.push(NODE);
                    right.push(NODE);
                    if l == [0] {
                        left.push(0);
                        right.push(0);
                        closings.push(false);
                        tree = r;
                    } else if r == [0] {
                        closings.push(true);
                        tree = l;
                    } else {
                        left.extend_from_slice(l);
                        left.push(0);
                        right.push(0);
                        right.extend_from_slice(r);
                        break;
                    }
                }
            }
        }
        for right_half_is_to_come in closings.into_iter().rev() {
            if right_half_is_to_come {
                left.push(0);
                right.push(0);
            }
        }
        Ok((Self(left), Self(right)))
    }

    /// The identity that owns what either owns.
    pub(super) fn sum(&self, other: &Self) -> Result<Self, ItcError> {
        let mut out = Vec::with_capacity(self.0.len().max(other.0.len()));
        sum(&self.0, &other.0, &mut out)?;
        Ok(Self(out))
    }

    /// The paper's bits.
    pub(super) fn write(&self, out: &mut BitWriter) {
        let mut tree = &self.0[..];
        write(&mut tree, out);
    }

    pub(super) fn read(input: &mut BitReader<'_>) -> Result<Self, &'static str> {
        let mut out = Vec::new();
        read(input, &mut out, 0)?;
        Ok(Self(out))
    }
}

fn sum(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Result<(), ItcError> {
    match (a[0], b[0]) {
        (0, _) => out.extend_from_slice(b),
        (_, 0) => out.extend_from_slice(a),
        (NODE, NODE) => {
            let ((al, ar), (bl, br)) = (halves(a), halves(b));
            let at = out.len();
            out.push(NODE);
            sum(al, bl, out)?;
            sum(ar, br, out)?;
            if out[at + 1..] == [1, 1] {
                out.truncate(at);
                out.push(1);
            }
        }
        _ => return Err(ItcError::Overlap),
    }
    Ok(())
}

/// `(0,i)` 01, `(i,0)` 10, `(i,j)` 11, a leaf 00 and itself.
fn write(tree: &mut &[u8], out: &mut BitWriter) {
    let token = tree[0];
    *tree = &tree[1..];
    if token != NODE {
        out.put(0, 2);
        out.put(u64::from(token), 1);
        return;
    }
    let empty_left = tree[0] == 0;
    let right = if empty_left { 1 } else { span(tree) };
    let empty_right = tree[right] == 0;
    out.put(u64::from(!empty_left) * 2 + u64::from(!empty_right), 2);
    if empty_left {
        *tree = &tree[1..];
    } else {
        write(tree, out);
    }
    if empty_right {
        *tree = &tree[1..];
    } else {
        write(tree, out);
    }
}

fn read(input: &mut BitReader<'_>, out: &mut Vec<u8>, depth: usize) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err("an identity that is too deep");
    }
    let shape = input.take(2)?;
    if shape == 0 {
        out.push(input.take(1)? as u8);
        return Ok(());
    }
    let at = out.len();
    out.push(NODE);
    for bit in [2, 1] {
        let start = out.len();
        if shape & bit == 0 {
            out.push(0);
        } else {
            read(input, out, depth + 1)?;
            if out[start..] == [0] {
                return Err("an empty half that is written out");
            }
        }
    }
    if out[at + 1..] == [1, 1] {
        return Err("an identity that is not normal");
    }
    Ok(())
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn show(tree: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
            if tree[0] != NODE {
                return write!(f, "{}", tree[0]);
            }
            let (left, right) = halves(tree);
            f.write_str("(")?;
            show(left, f)?;
            f.write_str(",")?;
            show(right, f)?;
            f.write_str(")")
        }
        show(&self.0, f)
    }
}
