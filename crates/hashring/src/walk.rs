//! Distinct nodes along a circle of places, without allocation.

use crate::placement::NodeIx;
use crate::points::unpack;

/// A circle of places, each of which names a node.
pub(crate) trait Circle {
    fn places(&self) -> usize;
    fn node_at(&self, place: usize) -> NodeIx;
}

/// The points of a ring: position in the high half, node in the low half.
impl Circle for [u64] {
    fn places(&self) -> usize {
        self.len()
    }

    fn node_at(&self, place: usize) -> NodeIx {
        unpack(self[place]).1
    }
}

/// The slots of a table.
impl Circle for [u32] {
    fn places(&self) -> usize {
        self.len()
    }

    fn node_at(&self, place: usize) -> NodeIx {
        NodeIx(self[place])
    }
}

/// Nodes remembered beside the walk; past them the walk looks back along the circle instead.
const INLINE: usize = 8;

/// The distinct nodes from a place of the circle on.
///
/// The first eight cost a comparison with each node seen so far; later ones look back along the
/// places already passed, so a walk over all nodes is quadratic in the places it passes and never
/// allocates.
#[derive(Debug)]
pub(crate) struct Walk<'a, C: ?Sized> {
    circle: &'a C,
    start: usize,
    passed: usize,
    left: usize,
    seen: [NodeIx; INLINE],
    yielded: usize,
}

impl<'a, C: Circle + ?Sized> Walk<'a, C> {
    pub(crate) fn new(circle: &'a C, start: usize, nodes: usize) -> Self {
        let seen = [NodeIx(u32::MAX); INLINE];
        Self { circle, start, passed: 0, left: nodes, seen, yielded: 0 }
    }

    fn node(&self, passed: usize) -> NodeIx {
        let at = self.start + passed;
        let places = self.circle.places();
        self.circle.node_at(if at >= places { at - places } else { at })
    }

    fn is_new(&self, node: NodeIx) -> bool {
        if self.yielded <= INLINE {
            return !self.seen[..self.yielded].contains(&node);
        }
        (0..self.passed).all(|earlier| self.node(earlier) != node)
    }
}

impl<C: Circle + ?Sized> Iterator for Walk<'_, C> {
    type Item = NodeIx;

    fn next(&mut self) -> Option<NodeIx> {
        while self.left > 0 && self.passed < self.circle.places() {
            let node = self.node(self.passed);
            let new = self.is_new(node);
            self.passed += 1;
            if new {
                if self.yielded < INLINE {
                    self.seen[self.yielded] = node;
                }
                self.yielded += 1;
                self.left -= 1;
                return Some(node);
            }
        }
        None
    }
}
