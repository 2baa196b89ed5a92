//! An index of places that do not move: the nearest, all within a radius, a box or a region.

mod near;
mod region;
mod search;
mod tree;
mod view;

use alloc::vec::Vec;
use core::fmt;
use core::iter::FusedIterator;

use crate::bounds::LatLngBox;
use crate::coord::LatLng;
use crate::cube::CubeBox;
use crate::math;
use crate::sphere::Sphere;

pub use near::{Hit, Near, NearestFirst};
pub use region::InRegion;
pub(crate) use search::{Best, Candidate, FEW, Few, Many, limits};
use tree::{GROUP, MAX_LEVELS, Node};
pub(crate) use tree::{LEAF, Tree};
pub use view::View;

/// Places by position, built once, to ask what is near.
///
/// Exact: the nearest by the metric asked for are the answer, in its order, wherever on Earth;
/// equal distances come in the order of the tree, equal positions in the order they were given.
/// Duplicates have no limit.
///
/// | | building | k nearest | within a radius | bytes a place, beside the item |
/// |---|---|---|---|---|
/// | [`new`](Self::new) | O(n) (a radix sort) | O(log n + k) | O(log n + hits) | 28.9 |
/// | [`compact`](Self::compact), positions to 6 mm | the same | the same | the same | 12.9 |
///
/// (12 for the filter, 16 for the position as given, 0.9 for the boxes.) Read [`Near`] for what can
/// be asked.
///
/// ```
/// use archstone_geo::{LatLng, Meters, PlaceIndex};
///
/// let at = |lat, lng| LatLng::new(lat, lng);
/// let index = PlaceIndex::new([(at(48.8584, 2.2945)?, "Eiffel Tower"), (at(48.8606, 2.3376)?, "Louvre"), (at(51.5007, -0.1246)?, "Big Ben")]);
/// let hits = index.near(at(48.8530, 2.3499)?).within(Meters::from_km(10.0)).limit(2).collect();
/// assert_eq!(hits[0].item, &"Louvre");
/// assert_eq!(hits[0].distance().0.round(), 1234.0);
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone)]
pub struct PlaceIndex<T> {
    tree: Tree<Vec<u8>>,
    items: Vec<T>,
}

impl<T> PlaceIndex<T> {
    /// An index of `places`, which keeps their positions as they are.
    ///
    /// # Panics
    /// With more than 2^32 - 1 places.
    pub fn new(places: impl IntoIterator<Item = (LatLng, T)>) -> Self {
        Self::build(places, false)
    }

    /// An index that keeps positions to the grid's 6 mm, 16 bytes a place less: answers are exact
    /// for the positions kept. Ten-millionths of a degree, the usual wire form, are 11 mm apart.
    ///
    /// # Panics
    /// With more than 2^32 - 1 places.
    pub fn compact(places: impl IntoIterator<Item = (LatLng, T)>) -> Self {
        Self::build(places, true)
    }

    fn build(places: impl IntoIterator<Item = (LatLng, T)>, compact: bool) -> Self {
        let (positions, items): (Vec<LatLng>, Vec<T>) = places.into_iter().unzip();
        assert!(
            u32::try_from(items.len()).is_ok(),
            "{} places, there may be {}",
            items.len(),
            u32::MAX
        );
        let (tree, order) = Tree::build(&positions, compact);
        Self { tree, items: permuted(items, order) }
    }

    /// How many places.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes on the heap, the items' own allocations aside.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.tree.bytes.capacity() + self.items.capacity() * size_of::<T>()
    }

    /// Asks what is near `center`.
    #[inline]
    pub fn near(&self, center: LatLng) -> Near<'_, Slice<'_, T>> {
        Near::new(self.tree.borrow(), Slice(&self.items), center)
    }

    /// The place nearest to `center` on the sphere; `None` if the index is empty.
    #[inline]
    pub fn nearest(&self, center: LatLng) -> Option<Hit<'_, &T>> {
        self.near(center).first()
    }

    /// All places and where they are, in the order of the tree: along the curve.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (LatLng, &T)> {
        self.items.iter().enumerate().map(|(i, item)| (self.tree.position(i), item))
    }

    /// The places in a box, in the order of the tree.
    pub fn in_box<'a>(&'a self, area: &'a LatLngBox) -> InBox<'a, Slice<'a, T>> {
        InBox::new(self.tree.borrow(), Slice(&self.items), area)
    }
}

impl<T> FromIterator<(LatLng, T)> for PlaceIndex<T> {
    fn from_iter<I: IntoIterator<Item = (LatLng, T)>>(places: I) -> Self {
        Self::new(places)
    }
}

impl<T> fmt::Debug for PlaceIndex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlaceIndex({} places)", self.len())
    }
}

/// `items[order[0]], items[order[1]], ...`, each moved once.
fn permuted<T>(items: Vec<T>, order: Vec<u32>) -> Vec<T> {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let mut out = Vec::with_capacity(items.len()); // not collected in place, which would keep the larger block
    out.extend(order.into_iter().filter_map(|from| items[from as usize].take()));
    out
}

/// Where the items of a tree are.
pub trait Items: Copy + sealed::Sealed {
    /// What a hit has.
    type Item: Copy;
    #[doc(hidden)]
    fn item(&self, at: usize) -> Self::Item;
}

mod sealed {
    pub trait Sealed {}
    impl<T> Sealed for super::Slice<'_, T> {}
    impl Sealed for super::Ids<'_> {}
}

/// The items of a [`PlaceIndex`].
#[derive(Debug)]
pub struct Slice<'a, T>(&'a [T]);

impl<T> Clone for Slice<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Slice<'_, T> {}

impl<'a, T> Items for Slice<'a, T> {
    type Item = &'a T;
    #[inline(always)]
    fn item(&self, at: usize) -> &'a T {
        &self.0[at]
    }
}

/// The items of a [`View`].
#[derive(Clone, Copy, Debug)]
pub struct Ids<'a>(&'a [u8]);

impl Items for Ids<'_> {
    type Item = u64;
    #[inline]
    fn item(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[8 * at..8 * at + 8]);
        u64::from_le_bytes(bytes)
    }
}

/// The places in a box: [`PlaceIndex::in_box`].
#[derive(Debug)]
pub struct InBox<'a, I> {
    tree: Tree<&'a [u8]>,
    items: I,
    area: &'a LatLngBox,
    edges: Edges,
    stack: Vec<Node>,
    points: core::ops::Range<usize>,
}

/// What a box of the tree must reach into: two parallels and two half spaces.
#[derive(Debug)]
struct Edges {
    /// Sines of the parallels, in steps, a little apart.
    z: [f64; 2],
    /// Normals of the western and the eastern meridian, to the inside.
    normals: [[f64; 2]; 2],
    /// Whether a point is inside if it is inside of one of them (more than half a turn).
    either: bool,
}

impl Edges {
    fn of(area: &LatLngBox) -> Self {
        let steps = |lat: f64| math::sin_cos(lat).0 * crate::cube::STEPS;
        let (west, east) = (math::sin_cos(area.west()), math::sin_cos(area.east()));
        Self {
            z: [steps(area.south()) - 2.0, steps(area.north()) + 2.0],
            normals: [[-west.0, west.1], [east.0, -east.1]],
            either: area.width() >= 180.0,
        }
    }

    fn meet(&self, b: &CubeBox) -> bool {
        if f64::from(b.high[2]) < self.z[0] || f64::from(b.low[2]) > self.z[1] {
            return false;
        }
        let inside = self.normals.map(|n| {
            let most = |axis: usize| {
                (n[axis] * f64::from(b.low[axis])).max(n[axis] * f64::from(b.high[axis]))
            };
            most(0) + most(1) >= -2.0
        });
        if self.either { inside[0] || inside[1] } else { inside[0] && inside[1] }
    }
}

impl<'a, I: Items> InBox<'a, I> {
    fn new(tree: Tree<&'a [u8]>, items: I, area: &'a LatLngBox) -> Self {
        let mut stack = Vec::with_capacity(GROUP * MAX_LEVELS);
        stack.extend(tree.root());
        Self { tree, items, area, edges: Edges::of(area), stack, points: 0..0 }
    }
}

impl<I: Items> Iterator for InBox<'_, I> {
    type Item = (LatLng, I::Item);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            for i in self.points.by_ref() {
                let at = self.tree.position(i);
                if self.area.contains(at) {
                    return Some((at, self.items.item(i)));
                }
            }
            match self.stack.pop()? {
                node @ Node::Leaf(_) => self.points = self.tree.points(node),
                Node::Group { level, group } => {
                    let (_, boxes) = self.tree.group(level, group);
                    for i in (0..boxes).rev() {
                        if self.edges.meet(&self.tree.stored_box(level, group * GROUP + i)) {
                            self.stack.push(Tree::<&[u8]>::child(level, group, i));
                        }
                    }
                }
            }
        }
    }
}

impl<I: Items> FusedIterator for InBox<'_, I> {}

/// The metric that is used unless another is asked for.
pub(crate) const DEFAULT: Sphere = Sphere::EARTH;
