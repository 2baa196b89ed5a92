//! Distinct nodes along a circle of places, without allocation.

use crate::placement::NodeIx;
use crate::points::unpack;

/// A circle of places, each of which names a node.
pub(crate) trait Circle {
    fn places(&self) -> usize;
    fn node_at(&self, place: usize) -> NodeIx;

    /// Which of the `len` places from `place` on to look at, at most [`GROUP`], as bits; the others
    /// repeat the place after them.
    fn worth(&self, _place: usize, len: usize) -> u32 {
        (1 << len) - 1
    }

    /// Whether a place only repeats another.
    fn repeats(&self, _place: usize, _other: usize) -> bool {
        false
    }
}

/// Places that are looked at together.
const GROUP: usize = 8;

/// The points of a ring: position in the high half, node in the low half; gaps repeat the next.
impl Circle for [u64] {
    #[inline]
    fn worth(&self, place: usize, len: usize) -> u32 {
        let differ = |(i, pair): (usize, &[u64])| u32::from(pair[0] != pair[1]) << i;
        if let Some(nine) = self.get(place..).and_then(|rest| rest.first_chunk::<{ GROUP + 1 }>()) {
            let all = nine.windows(2).enumerate().map(differ).sum::<u32>();
            return all & ((1 << len) - 1);
        }
        // Near the end: the last place is a point.
        let rest = &self[place..];
        let all = rest.windows(2).enumerate().map(differ).sum::<u32>();
        (all | 1 << (rest.len() - 1)) & ((1 << len) - 1)
    }

    fn repeats(&self, place: usize, other: usize) -> bool {
        self[place] == self[other]
    }

    fn places(&self) -> usize {
        self.len()
    }

    fn node_at(&self, place: usize) -> NodeIx {
        unpack(self[place]).1
    }
}

/// The nodes of a compact ring's points.
impl Circle for [u16] {
    fn places(&self) -> usize {
        self.len()
    }

    fn node_at(&self, place: usize) -> NodeIx {
        NodeIx(self[place].into())
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
    /// Places from the start on to the group at hand, and to its end.
    group: usize,
    passed: usize,
    /// The places of the group that are still to be looked at.
    worth: u32,
    left: usize,
    seen: [NodeIx; INLINE],
    yielded: usize,
}

impl<'a, C: Circle + ?Sized> Walk<'a, C> {
    #[inline]
    pub(crate) fn new(circle: &'a C, start: usize, nodes: usize) -> Self {
        let seen = [NodeIx(u32::MAX); INLINE];
        Self { circle, start, group: 0, passed: 0, worth: 0, left: nodes, seen, yielded: 0 }
    }

    #[inline]
    fn place(&self, passed: usize) -> usize {
        let (at, places) = (self.start + passed, self.circle.places());
        if at >= places { at - places } else { at }
    }

    #[inline]
    fn is_new(&self, node: NodeIx, passed: usize) -> bool {
        if self.yielded <= INLINE {
            return !self.seen[..self.yielded].contains(&node);
        }
        // The gaps before a point repeat it, and are not an earlier one.
        let at = self.place(passed);
        let gaps = (0..passed).rev().map(|gap| self.place(gap));
        let gaps = gaps.take_while(|&gap| self.circle.repeats(gap, at)).count();
        (0..passed - gaps).all(|earlier| self.circle.node_at(self.place(earlier)) != node)
    }

    /// The next group, as far as it neither wraps nor goes all around; false when there is none.
    #[inline]
    fn turn(&mut self) -> bool {
        let places = self.circle.places();
        if self.passed >= places {
            return false;
        }
        let place = self.place(self.passed);
        let len = GROUP.min(places - place).min(places - self.passed);
        self.group = self.passed;
        self.worth = self.circle.worth(place, len);
        self.passed += len;
        true
    }
}

impl<C: Circle + ?Sized> Iterator for Walk<'_, C> {
    type Item = NodeIx;

    #[inline]
    fn next(&mut self) -> Option<NodeIx> {
        while self.left > 0 {
            if self.worth == 0 {
                if !self.turn() {
                    return None;
                }
                continue;
            }
            let passed = self.group + self.worth.trailing_zeros() as usize;
            self.worth &= self.worth - 1;
            let node = self.circle.node_at(self.place(passed));
            if self.is_new(node, passed) {
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
