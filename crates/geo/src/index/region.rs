//! The places in a region.

use core::fmt;
use core::iter::FusedIterator;
use core::ops::Range;

use super::tree::{GROUP, Node, Tree};
use super::{Ids, Items, PlaceIndex, Slice, View};
use crate::coord::LatLng;
use crate::cube::{self, Cube, CubeBox, SLACK, STEPS};
use crate::region::Region;
use crate::sphere::{Sphere, position};

impl<T> PlaceIndex<T> {
    /// The places in a region, in the order of the tree: a polygon with its holes, a corridor.
    ///
    /// Boxes of the tree that are wholly inside or outside are not looked into: O(places near the
    /// edge) questions to the region. Nearest first, filtered, or only so many: ask
    /// [`near`](Self::near) and take from its lazy iterator those that the region contains.
    ///
    /// ```
    /// use archstone_geo::{LatLng, PlaceIndex, Polygon, Region};
    ///
    /// let at = |lat, lng| LatLng::new(lat, lng).unwrap();
    /// let index = PlaceIndex::new([(at(48.86, 2.34), "Louvre"), (at(48.86, 2.29), "Eiffel Tower"), (at(51.5, -0.12), "Big Ben")]);
    /// let paris = Polygon::new(&[vec![at(48.8, 2.2), at(48.8, 2.5), at(48.95, 2.35)]])?;
    /// assert_eq!(index.in_region(&paris).count(), 2);
    /// let near = index.near(at(48.86, 2.30)).iter().filter(|hit| paris.contains(hit.position())).take(1);
    /// assert_eq!(near.map(|hit| *hit.item).collect::<Vec<_>>(), ["Eiffel Tower"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_region<'a, R: Region>(&'a self, region: &'a R) -> InRegion<'a, Slice<'a, T>, R> {
        InRegion::new(self.tree.borrow(), Slice(&self.items), region)
    }
}

impl<'a> View<'a> {
    /// The places in a region, in the order of the tree: [`PlaceIndex::in_region`].
    pub fn in_region<'b, R: Region>(&self, region: &'b R) -> InRegion<'b, Ids<'b>, R>
    where
        'a: 'b,
    {
        InRegion::new(self.tree(), self.items(), region)
    }
}

/// The places in a region: [`PlaceIndex::in_region`].
pub struct InRegion<'a, I, R> {
    tree: Tree<&'a [u8]>,
    items: I,
    region: &'a R,
    center: Cube,
    /// The chord of the region's bounding circle, in steps.
    chord: f64,
    /// With each node, whether all of it is inside.
    stack: alloc::vec::Vec<(Node, bool)>,
    points: Range<usize>,
    inside: bool,
}

impl<'a, I: Items, R: Region> InRegion<'a, I, R> {
    fn new(tree: Tree<&'a [u8]>, items: I, region: &'a R) -> Self {
        let bounds = region.bounding_circle();
        let chord = cube::chord(bounds.radius().0 / Sphere::EARTH.radius());
        let stack = tree.root().map(|root| (root, false)).into_iter().collect();
        Self {
            tree,
            items,
            region,
            center: cube::cube(bounds.center()),
            chord: chord * (1.0 + 1e-9) + 2.0 * SLACK,
            stack,
            points: 0..0,
            inside: false,
        }
    }

    /// Whether a box is wholly outside (`None`), wholly inside, or neither can be said.
    #[allow(clippy::needless_range_loop, reason = "an axis runs over several arrays at once")]
    fn lies(&self, area: &CubeBox, level: usize) -> Option<bool> {
        let (mut middle, mut half, mut off) = ([0.0; 3], 0.0, 0.0);
        for axis in 0..3 {
            let (low, high) = (f64::from(area.low[axis]), f64::from(area.high[axis]));
            middle[axis] = 0.5 * (low + high);
            half += 0.25 * (high - low) * (high - low);
            let d = middle[axis] - f64::from(self.center[axis]);
            off += d * d;
        }
        // All of the box is within `reach` of its middle.
        let reach = libm::sqrt(half) + SLACK;
        let near = self.chord + reach;
        if off > near * near {
            return None;
        }
        // Measuring to the edge of a polygon costs as much as asking it about a leaf or more.
        if level == 0 {
            return Some(false);
        }
        // The sphere comes within `reach` of the middle, so all is within twice that of where it does.
        let angle = cube::angle((2.0 * reach).min(2.0 * STEPS)) * (1.0 + 1e-9);
        let edge = self.region.signed_distance(position(middle)).0 / Sphere::EARTH.radius();
        if edge > angle { None } else { Some(edge < -angle) }
    }
}

impl<I: Items, R: Region> Iterator for InRegion<'_, I, R> {
    type Item = (LatLng, I::Item);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            for i in self.points.by_ref() {
                let at = self.tree.position(i);
                if self.inside || self.region.contains(at) {
                    return Some((at, self.items.item(i)));
                }
            }
            match self.stack.pop()? {
                (node, true) => (self.points, self.inside) = (self.tree.points(node), true),
                (node @ Node::Leaf(_), false) => {
                    (self.points, self.inside) = (self.tree.points(node), false);
                }
                (Node::Group { level, group }, false) => {
                    let (_, boxes) = self.tree.group(level, group);
                    for i in (0..boxes).rev() {
                        let area = self.tree.stored_box(level, group * GROUP + i);
                        if let Some(inside) = self.lies(&area, level) {
                            self.stack.push((Tree::<&[u8]>::child(level, group, i), inside));
                        }
                    }
                }
            }
        }
    }
}

impl<I: Items, R: Region> FusedIterator for InRegion<'_, I, R> {}

impl<I, R> fmt::Debug for InRegion<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InRegion({} nodes waiting)", self.stack.len())
    }
}
