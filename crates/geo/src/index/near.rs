//! What can be asked about a center: within a radius, a limit, a filter, a metric; in any order of
//! the calls.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::iter::FusedIterator;
use core::ops::ControlFlow;

use super::search::{Best, Candidate, FEW, Few, Many, limits, square_of, widen};
use super::tree::{LEAF, Node, Tree};
use super::{DEFAULT, Items};
use crate::coord::{LatLng, Meters};
use crate::cube::{self, Cube, ROUNDING, SLACK};
use crate::metric::Metric;
use crate::sphere::Sphere;

/// A question about what is near a center.
///
/// | to get | end with | cost |
/// |---|---|---|
/// | the k nearest, in order | `.limit(k)` .. `.collect()` | O(log n + k) |
/// | all within a radius, in order | `.within(r)` .. `.collect()` | O(hits log hits) |
/// | all within a radius, in any order, nothing allocated | `.within(r)` .. `.for_each(f)` | O(hits) |
/// | how many | `.within(r)` .. `.count()` | O(edge of the circle) |
/// | one after the other, until enough | `.iter()` | O(log n) each |
///
/// A filter is asked before a hit counts towards the limit. The metric is the sphere's unless
/// [`metric`](Self::metric) says otherwise; with [`Wgs84`](crate::Wgs84) the order is that of true
/// geodesics.
#[must_use]
#[derive(Clone, Copy)]
pub struct Near<'a, I, M = Sphere, F = ()> {
    tree: Tree<&'a [u8]>,
    items: I,
    center: LatLng,
    within: Meters,
    limit: usize,
    metric: M,
    filter: F,
}

/// Which items count: all, or those that a closure takes.
pub trait Filter<T> {
    /// Whether it takes all.
    #[doc(hidden)]
    const ALL: bool;
    #[doc(hidden)]
    fn takes(&mut self, item: T) -> bool;
}

impl<T> Filter<T> for () {
    const ALL: bool = true;

    #[inline(always)]
    fn takes(&mut self, _: T) -> bool {
        true
    }
}

impl<T, F: FnMut(T) -> bool> Filter<T> for F {
    const ALL: bool = false;

    #[inline(always)]
    fn takes(&mut self, item: T) -> bool {
        self(item)
    }
}

/// A place that was found. Position and distance are worked out when asked for.
#[derive(Clone, Copy)]
pub struct Hit<'a, T, M = Sphere> {
    /// What was stored there.
    pub item: T,
    center: LatLng,
    metric: M,
    place: Place<'a>,
}

#[derive(Clone, Copy)]
enum Place<'a> {
    Exact(&'a [u8]),
    Grid(Cube),
}

impl<T, M: Metric> Hit<'_, T, M> {
    /// Where it is.
    #[must_use]
    #[inline]
    pub fn position(&self) -> LatLng {
        match self.place {
            Place::Exact(bytes) => super::tree::read_position(bytes),
            Place::Grid(cube) => crate::sphere::position(cube.map(f64::from)),
        }
    }

    /// How far it is from the center, by the metric of the question.
    #[must_use]
    #[inline]
    pub fn distance(&self) -> Meters {
        self.metric.distance(self.center, self.position())
    }
}

impl<T: fmt::Debug, M: Metric> fmt::Debug for Hit<'_, T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("item", &self.item)
            .field("position", &self.position())
            .field("distance", &self.distance())
            .finish()
    }
}

impl<'a, I: Items> Near<'a, I> {
    #[inline]
    pub(super) fn new(tree: Tree<&'a [u8]>, items: I, center: LatLng) -> Self {
        Self {
            tree,
            items,
            center,
            within: Meters(f64::INFINITY),
            limit: usize::MAX,
            metric: DEFAULT,
            filter: (),
        }
    }
}

impl<'a, I: Items, M: Metric + Copy, F: Filter<I::Item>> Near<'a, I, M, F> {
    /// Only what is at most `radius` away. Negative or NaN: nothing.
    #[inline]
    pub fn within(self, radius: Meters) -> Self {
        Self { within: radius, ..self }
    }

    /// At most `count` hits: the nearest where the order is by distance.
    #[inline]
    pub fn limit(self, count: usize) -> Self {
        Self { limit: count, ..self }
    }

    /// Measured by `metric`.
    pub fn metric<N: Metric + Copy>(self, metric: N) -> Near<'a, I, N, F> {
        let Self { tree, items, center, within, limit, filter, .. } = self;
        Near { tree, items, center, within, limit, metric, filter }
    }

    /// Only items that `takes` says yes to. It may be asked twice about an item.
    pub fn filter<G: FnMut(I::Item) -> bool>(self, takes: G) -> Near<'a, I, M, G> {
        let Self { tree, items, center, within, limit, metric, .. } = self;
        Near { tree, items, center, within, limit, metric, filter: takes }
    }

    #[inline]
    fn hit(&self, at: usize) -> Hit<'a, I::Item, M> {
        let place = match self.tree.stored_position(at) {
            Some(bytes) => Place::Exact(bytes),
            None => Place::Grid(self.tree.cube(at)),
        };
        Hit { item: self.items.item(at), center: self.center, metric: self.metric, place }
    }

    #[inline]
    fn distance(&self, at: usize) -> Meters {
        self.metric.distance(self.center, self.tree.position(at))
    }

    /// Squares on the grid up to which a point is surely, and may be, within `radius` metres.
    fn limits(&self, radius: f64) -> Option<(f32, f32)> {
        let (least, most) = self.metric.radii();
        if radius.is_nan() || radius < 0.0 {
            return None;
        }
        // Past half a turn is everything: more steps than any chord has.
        let chord =
            |angle: f64| if angle >= core::f64::consts::PI { 1e12 } else { cube::chord(angle) };
        let sure = chord(radius / most);
        let maybe = if least == most { sure } else { chord(radius / least) };
        // A hair inside and outside, for the rounding of the metric itself.
        Some(limits(sure * (1.0 - 1e-9), maybe * (1.0 + 1e-9)))
    }

    /// Calls `each` with every hit, in no order, until it breaks or the limit is reached.
    pub fn for_each(
        mut self,
        mut each: impl FnMut(Hit<'a, I::Item, M>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Some(limits) = self.limits(self.within.0) else { return ControlFlow::Continue(()) };
        let (tree, q, mut left) = (self.tree, cube::cube(self.center), self.limit);
        if left == 0 {
            return ControlFlow::Continue(());
        }
        // Two closures share them, one after the other.
        let this = core::cell::RefCell::new((&mut self, &mut each, &mut left));
        let stop = tree.within(
            q,
            limits,
            |points| {
                let (this, each, left) = &mut *this.borrow_mut();
                for at in points {
                    this.give(at, each, left)?;
                }
                ControlFlow::Continue(())
            },
            |at| {
                let (this, each, left) = &mut *this.borrow_mut();
                if this.distance(at) <= this.within {
                    this.give(at, each, left)
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        // Reaching the limit is not the caller's break.
        if left == 0 { ControlFlow::Continue(()) } else { stop }
    }

    #[inline(always)]
    fn give(
        &mut self,
        at: usize,
        each: &mut impl FnMut(Hit<'a, I::Item, M>) -> ControlFlow<()>,
        left: &mut usize,
    ) -> ControlFlow<()> {
        if !self.filter.takes(self.items.item(at)) {
            return ControlFlow::Continue(());
        }
        *left -= 1;
        each(self.hit(at))?;
        if *left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// How many hits, at most the limit.
    #[must_use]
    pub fn count(self) -> usize {
        let mut count = 0;
        let _ = self.for_each(|_| {
            count += 1;
            ControlFlow::Continue(())
        });
        count
    }

    /// The hits, nearest first.
    #[must_use]
    pub fn collect(mut self) -> Vec<Hit<'a, I::Item, M>> {
        if self.limit >= self.tree.layout.len || self.radii_differ() {
            let found = self.measured();
            return found.into_iter().map(|(_, at)| self.hit(at as usize)).collect();
        }
        if let Some((few, len)) = self.few::<FEW>() {
            return few[..len].iter().map(|&few| self.hit(few as u32 as usize)).collect();
        }
        let order = self.nearest_in_order();
        order.into_iter().map(|candidate| self.hit(candidate as u32 as usize)).collect()
    }

    /// The first hit of [`collect`](Self::collect).
    #[must_use]
    pub fn first(mut self) -> Option<Hit<'a, I::Item, M>> {
        self.limit = self.limit.min(1);
        if self.radii_differ() {
            return self.collect().pop();
        }
        let first = match self.few::<4>() {
            Some((few, len)) => few[..len].first().copied(),
            None => self.nearest_in_order().first().copied(),
        };
        first.map(|candidate| self.hit(candidate as u32 as usize))
    }

    /// The nearest in the order of the metric, if they are few and easily told apart.
    #[inline]
    fn few<const W: usize>(&mut self) -> Option<([Candidate; W], usize)> {
        if self.limit == 0 || self.limit > W {
            return None;
        }
        let (sure, maybe) = self.limits(self.within.0)?;
        let mut nearest = Few::<W>::new(self.limit, maybe);
        self.search(&mut nearest);
        let (few, len) = nearest.into_candidates()?;
        // One past those asked for has to be farther, too. Without a branch until the end.
        let mut doubt = false;
        for i in 1..W {
            let close = square_of(few[i]) <= widen(square_of(few[i - 1]));
            doubt |= close & (i < len);
        }
        doubt |= len > 0 && square_of(few[(len - 1) % W]) > sure && self.within.0 < f64::INFINITY;
        (!doubt).then_some((few, len.min(self.limit)))
    }

    /// Whether the order by the metric is not that by the angle.
    fn radii_differ(&self) -> bool {
        let (least, most) = self.metric.radii();
        least != most
    }

    /// The hits in order, each with its distance: all of them are measured.
    fn measured(&mut self) -> Vec<(f64, u32)> {
        let mut radius = self.within.0;
        if self.limit < self.tree.layout.len {
            // By the sphere the k-th is at some angle; by this metric, then, no farther than that angle
            // at its longest, and nothing past that angle at its shortest can be nearer.
            let candidates = self.candidates();
            if let Some(&kth) = candidates.get(self.limit.wrapping_sub(1)) {
                let chord =
                    libm::sqrt(f64::from(square_of(kth))) * (1.0 + f64::from(ROUNDING)) + SLACK;
                radius = radius.min(cube::angle(chord) * self.metric.radii().1 * (1.0 + 1e-9));
            }
        }
        let mut found = Vec::new();
        self.gather(radius, &mut found);
        found.sort_unstable_by(by_distance);
        found.truncate(self.limit);
        found
    }

    /// Everything within `radius` that the filter takes, with its distance.
    fn gather(&mut self, radius: f64, found: &mut Vec<(f64, u32)>) {
        let Some(limits) = self.limits(radius) else { return };
        let (tree, q) = (self.tree, cube::cube(self.center));
        let this = core::cell::RefCell::new((self, found)); // two closures share it
        let take = |at: usize| {
            let (this, found) = &mut *this.borrow_mut();
            if this.filter.takes(this.items.item(at)) {
                let distance = this.distance(at).0;
                if distance <= radius {
                    found.push((distance, at as u32));
                }
            }
        };
        let _ = tree.within(
            q,
            limits,
            |points| {
                points.for_each(take);
                ControlFlow::Continue(())
            },
            |at| {
                take(at);
                ControlFlow::Continue(())
            },
        );
    }

    /// All that may be among the nearest, in the order of the grid.
    fn candidates(&mut self) -> Vec<Candidate> {
        let Some((_, maybe)) = self.limits(self.within.0) else { return Vec::new() };
        if self.limit == 0 {
            return Vec::new();
        }
        let mut nearest = Many::new(self.limit, maybe);
        self.search(&mut nearest);
        nearest.into_candidates()
    }

    #[inline(always)]
    fn search(&mut self, best: &mut impl Best) {
        let (q, tree, items) = (cube::cube(self.center), self.tree, self.items);
        let filter = &mut self.filter;
        if F::ALL {
            tree.nearest::<true>(q, best, |_| true);
        } else {
            tree.nearest::<false>(q, best, |at| filter.takes(items.item(at)));
        }
    }

    /// The nearest in the order of the metric. The grid decides where it can; neighbours in its order
    /// that it cannot tell apart are measured.
    fn nearest_in_order(&mut self) -> Vec<Candidate> {
        let mut all = self.candidates();
        if self.within.0 < f64::INFINITY {
            let sure = self.limits(self.within.0).map_or(-1.0, |limits| limits.0);
            all.retain(|&c| {
                square_of(c) <= sure || self.distance(c as u32 as usize) <= self.within
            });
        }
        let mut start = 0;
        while start < all.len().min(self.limit) {
            let mut end = start + 1;
            while end < all.len() && square_of(all[end]) <= widen(square_of(all[end - 1])) {
                end += 1;
            }
            if end - start > 1 {
                let at = |c: Candidate| c as u32;
                let distance = |c: Candidate| self.distance(at(c) as usize).0;
                all[start..end]
                    .sort_by(|&a, &b| distance(a).total_cmp(&distance(b)).then(at(a).cmp(&at(b))));
            }
            start = end;
        }
        all.truncate(self.limit);
        all
    }

    /// The hits one after the other, nearest first, found as they are asked for.
    pub fn iter(self) -> NearestFirst<'a, I, M, F> {
        let mut heap = BinaryHeap::new();
        if let Some(root) = self.tree.root().filter(|_| self.limits(self.within.0).is_some()) {
            heap.push(Step { key: 0.0, what: What::Node(root) });
        }
        NearestFirst { q: cube::cube(self.center), near: self, heap }
    }
}

/// Ties in the order of the tree.
fn by_distance(a: &(f64, u32), b: &(f64, u32)) -> Ordering {
    a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
}

impl<I, M: fmt::Debug, F> fmt::Debug for Near<'_, I, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { center, within, limit, metric, .. } = self;
        write!(f, "Near({center}, within {within}, limit {limit}, {metric:?})")
    }
}

/// Hits, nearest first, lazily: [`Near::iter`]. Best first over the tree (Hjaltason and Samet 1999);
/// a point is measured when its bound comes up, and given when its distance does.
pub struct NearestFirst<'a, I, M, F> {
    near: Near<'a, I, M, F>,
    q: Cube,
    heap: BinaryHeap<Step>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// Metres; nothing of it is nearer.
    key: f64,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Node(Node),
    Bound(u32),
    Exact(u32),
}

impl What {
    /// At one key all that is not yet measured comes first, so that ties come in order.
    fn rank(self) -> (u8, u32) {
        match self {
            Self::Node(_) => (0, 0),
            Self::Bound(at) => (1, at),
            Self::Exact(at) => (2, at),
        }
    }
}

impl Ord for Step {
    /// The heap is of the greatest, so the other way round.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.total_cmp(&self.key).then_with(|| other.what.rank().cmp(&self.what.rank()))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Step {}

impl<'a, I: Items, M: Metric + Copy, F: Filter<I::Item>> Iterator for NearestFirst<'a, I, M, F> {
    type Item = Hit<'a, I::Item, M>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.near.limit == 0 {
            return None;
        }
        let radius = self.near.metric.radii().0 * (1.0 - 1e-9);
        let bound = |square: f32| {
            let chord = libm::sqrt(f64::from(square * (1.0 - ROUNDING))) - SLACK;
            if chord <= 0.0 { 0.0 } else { cube::angle(chord) * radius }
        };
        while let Some(Step { key, what }) = self.heap.pop() {
            if key > self.near.within.0 {
                self.heap.clear();
                return None;
            }
            match what {
                What::Node(Node::Group { level, group }) => {
                    let (block, len) = self.near.tree.group(level, group);
                    let least = Tree::<&[u8]>::least(block, self.q);
                    self.heap.extend(least.into_iter().enumerate().take(len).map(|(i, least)| {
                        Step {
                            key: bound(least),
                            what: What::Node(Tree::<&[u8]>::child(level, group, i)),
                        }
                    }));
                }
                What::Node(Node::Leaf(leaf)) => {
                    let (block, len) = self.near.tree.leaf(leaf);
                    let squares = Tree::<&[u8]>::squares(block, self.q);
                    self.heap.extend(squares.into_iter().enumerate().take(len).map(
                        |(i, square)| Step {
                            key: bound(square),
                            what: What::Bound((leaf * LEAF + i) as u32),
                        },
                    ));
                }
                What::Bound(at) => {
                    if self.near.filter.takes(self.near.items.item(at as usize)) {
                        let key = self.near.distance(at as usize).0;
                        self.heap.push(Step { key, what: What::Exact(at) });
                    }
                }
                What::Exact(at) => {
                    self.near.limit -= 1;
                    return Some(self.near.hit(at as usize));
                }
            }
        }
        None
    }
}

impl<I: Items, M: Metric + Copy, F: Filter<I::Item>> FusedIterator for NearestFirst<'_, I, M, F> {}

impl<I, M, F> fmt::Debug for NearestFirst<'_, I, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NearestFirst({} steps waiting)", self.heap.len())
    }
}
