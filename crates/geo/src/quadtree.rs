//! The quadtree of the textbooks: four quarters of latitude and longitude, again and again.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::fmt;

use crate::bounds::LatLngBox;
use crate::coord::{LatLng, Meters};
use crate::metric::Metric;
use crate::sphere::Sphere;

/// Cells of 60 cm by 30 cm at the equator: below that, a leaf may have any number.
const MAX_DEPTH: u8 = 26;

/// A point-region quadtree (Finkel and Bentley 1974): a leaf that is full becomes four, each a quarter
/// of its latitudes and longitudes.
///
/// It is here because systems are designed with it, and exact on the sphere as the others are. For places
/// that stay take [`PlaceIndex`](crate::PlaceIndex), for objects that move
/// [`LiveIndex`](crate::LiveIndex), which finds them by key; `examples/quadtree.rs` and the rows `geo.Q1`
/// measure all three. 222 908 places of the world with a `u32`, 16 a leaf: 41 bytes each here, 33 in a
/// `PlaceIndex`, 78 in a `LiveIndex`; the ten nearest are 67 000 instructions here, 5 900 and 18 000
/// there. What it pays for: cells get narrow towards the poles, so that a
/// search there looks at many; a bound to a box of latitude and longitude takes sines; a crowd in one
/// place makes a chain of nodes with one child each (26 deep at most); each leaf is a block of its own.
///
/// | | cost |
/// |---|---|
/// | insert, remove | O(depth), 26 at most |
/// | k nearest, within | O(log n + k) where cells are about square |
/// | memory | 24 bytes a node, 16 and the item a place, half-full leaves on average |
///
/// ```
/// use archstone_geo::{LatLng, Meters, QuadTree};
///
/// let at = |lat, lng| LatLng::new(lat, lng);
/// let mut tree = QuadTree::new(16);
/// tree.insert(at(48.8584, 2.2945)?, "Eiffel Tower");
/// tree.insert(at(48.8606, 2.3376)?, "Louvre");
/// assert_eq!(*tree.nearest(at(48.853, 2.3499)?, 1)[0].0, "Louvre");
/// assert_eq!(tree.within(at(48.853, 2.3499)?, Meters::from_km(5.0)).len(), 2);
/// assert!(tree.remove(at(48.8606, 2.3376)?, &"Louvre"));
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone)]
pub struct QuadTree<T> {
    nodes: Vec<Node<T>>,
    /// The first of four nodes that are not in use.
    free: Vec<u32>,
    leaf: usize,
    len: usize,
}

#[derive(Clone)]
enum Node<T> {
    Leaf(Vec<(LatLng, T)>),
    /// The first of its four children: south-west, south-east, north-west, north-east.
    Inner(u32),
}

/// A node and its cell: depth, row from the south, column from the west.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Quad {
    node: u32,
    depth: u8,
    row: u32,
    column: u32,
}

impl Quad {
    const WORLD: Self = Self { node: 0, depth: 0, row: 0, column: 0 };

    /// Whole degrees halved 26 times are exact.
    fn bounds(self) -> LatLngBox {
        let cells = f64::from(1_u32 << self.depth);
        let lat = |row: u32| f64::from(row) * (180.0 / cells) - 90.0;
        let lng = |column: u32| f64::from(column) * (360.0 / cells) - 180.0;
        LatLngBox::raw(lat(self.row), lat(self.row + 1), lng(self.column), lng(self.column + 1))
    }

    fn child(self, first: u32, quarter: u32) -> Self {
        Self {
            node: first + quarter,
            depth: self.depth + 1,
            row: self.row * 2 + (quarter >> 1),
            column: self.column * 2 + (quarter & 1),
        }
    }

    /// The quarter that a position in the cell is in; its middle is of the northern, eastern one.
    fn quarter(self, at: LatLng) -> u32 {
        let middle = self.bounds();
        let (lat, lng) =
            (0.5 * (middle.south() + middle.north()), 0.5 * (middle.west() + middle.east()));
        u32::from(at.lat() >= lat) << 1 | u32::from(at.lng() >= lng)
    }
}

impl<T> QuadTree<T> {
    /// An empty tree whose leaves have up to `leaf` places (at least 1).
    #[must_use]
    pub fn new(leaf: usize) -> Self {
        Self {
            nodes: alloc::vec![Node::Leaf(Vec::new())],
            free: Vec::new(),
            leaf: leaf.max(1),
            len: 0,
        }
    }

    /// How many places.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts an item at a place; as many as one likes at one.
    ///
    /// # Panics
    /// With more than 2^32 - 4 nodes.
    pub fn insert(&mut self, at: LatLng, item: T) {
        self.len += 1;
        let mut quad = Quad::WORLD;
        loop {
            let full = self.leaf;
            match &mut self.nodes[quad.node as usize] {
                Node::Inner(first) => quad = quad.child(*first, quad.quarter(at)),
                Node::Leaf(places) if places.len() < full || quad.depth == MAX_DEPTH => {
                    places.push((at, item));
                    return;
                }
                Node::Leaf(_) => self.split(quad),
            }
        }
    }

    fn split(&mut self, quad: Quad) {
        let first = self.free.pop().unwrap_or_else(|| {
            let first = self.nodes.len();
            assert!(first < u32::MAX as usize - 4, "{first} nodes, there may be 2^32 - 4");
            self.nodes.extend((0..4).map(|_| Node::Leaf(Vec::new())));
            first as u32
        });
        let node = core::mem::replace(&mut self.nodes[quad.node as usize], Node::Inner(first));
        let Node::Leaf(places) = node else { return };
        for (at, item) in places {
            if let Node::Leaf(quarter) = &mut self.nodes[(first + quad.quarter(at)) as usize] {
                quarter.push((at, item));
            }
        }
    }

    /// Takes out one item that was put at exactly this place; whether there was one.
    pub fn remove(&mut self, at: LatLng, item: &T) -> bool
    where
        T: PartialEq,
    {
        let (mut quad, mut above) = (Quad::WORLD, Vec::new());
        while let Node::Inner(first) = &self.nodes[quad.node as usize] {
            above.push((quad.node, *first));
            quad = quad.child(*first, quad.quarter(at));
        }
        let Node::Leaf(places) = &mut self.nodes[quad.node as usize] else { return false };
        let Some(place) = places.iter().position(|known| known.0 == at && known.1 == *item) else {
            return false;
        };
        places.swap_remove(place);
        self.len -= 1;
        // Four that have half a leaf together become one, as far up as that goes.
        while let Some((node, first)) = above.pop() {
            let quarters = first as usize..first as usize + 4;
            let few = self.nodes[quarters.clone()].iter().try_fold(0, |sum, node| match node {
                Node::Leaf(places) => Some(sum + places.len()),
                Node::Inner(_) => None,
            });
            if few.is_none_or(|few| few > self.leaf / 2) {
                break;
            }
            let mut all = Vec::new();
            for node in &mut self.nodes[quarters] {
                if let Node::Leaf(places) = core::mem::replace(node, Node::Leaf(Vec::new())) {
                    all.extend(places);
                }
            }
            self.nodes[node as usize] = Node::Leaf(all);
            self.free.push(first);
        }
        true
    }

    /// The `k` places nearest to `center` on the sphere, nearest first.
    #[must_use]
    pub fn nearest(&self, center: LatLng, k: usize) -> Vec<(&T, Meters)> {
        // The cells still to look at, nearest first, and the best so far, farthest first.
        let mut cells = BinaryHeap::from([Reverse((Meters::ZERO, Quad::WORLD))]);
        let mut best: BinaryHeap<(Meters, usize)> = BinaryHeap::new();
        let mut seen: Vec<&T> = Vec::new();
        while let Some(Reverse((least, quad))) = cells.pop() {
            let worst = best.peek().filter(|_| best.len() >= k).map(|found| found.0);
            if k == 0 || worst.is_some_and(|worst| least > worst) {
                break;
            }
            match &self.nodes[quad.node as usize] {
                Node::Inner(first) => cells.extend((0..4).map(|quarter| {
                    let child = quad.child(*first, quarter);
                    Reverse((Sphere::EARTH.at_least(center, &child.bounds()), child))
                })),
                Node::Leaf(places) => {
                    for (at, item) in places {
                        let distance = Sphere::EARTH.distance(center, *at);
                        if best.len() < k || best.peek().is_some_and(|worst| distance < worst.0) {
                            best.push((distance, seen.len()));
                            seen.push(item);
                            if best.len() > k {
                                best.pop();
                            }
                        }
                    }
                }
            }
        }
        best.into_sorted_vec().into_iter().map(|(distance, at)| (seen[at], distance)).collect()
    }

    /// The places within `radius` of `center` on the sphere, in no order. Negative or NaN: none.
    #[must_use]
    pub fn within(&self, center: LatLng, radius: Meters) -> Vec<(&T, Meters)> {
        let mut found = Vec::new();
        self.visit(
            |area| Sphere::EARTH.at_least(center, area).0 <= radius.0,
            |at, item| {
                let distance = Sphere::EARTH.distance(center, at);
                if distance.0 <= radius.0 {
                    found.push((item, distance));
                }
            },
        );
        found
    }

    /// The places in a box, in no order.
    #[must_use]
    pub fn in_box(&self, area: &LatLngBox) -> Vec<(LatLng, &T)> {
        let mut found = Vec::new();
        self.visit(
            |cell| cell.intersects(area),
            |at, item| {
                if area.contains(at) {
                    found.push((at, item));
                }
            },
        );
        found
    }

    fn visit<'a>(
        &'a self,
        wanted: impl Fn(&LatLngBox) -> bool,
        mut each: impl FnMut(LatLng, &'a T),
    ) {
        let mut stack = alloc::vec![Quad::WORLD];
        while let Some(quad) = stack.pop() {
            if !wanted(&quad.bounds()) {
                continue;
            }
            match &self.nodes[quad.node as usize] {
                Node::Inner(first) => {
                    stack.extend((0..4).map(|quarter| quad.child(*first, quarter)));
                }
                Node::Leaf(places) => places.iter().for_each(|(at, item)| each(*at, item)),
            }
        }
    }

    /// Levels below the root: 0 to 26. O(nodes).
    #[must_use]
    pub fn depth(&self) -> u8 {
        let (mut deepest, mut stack) = (0, alloc::vec![Quad::WORLD]);
        while let Some(quad) = stack.pop() {
            deepest = deepest.max(quad.depth);
            if let Node::Inner(first) = &self.nodes[quad.node as usize] {
                stack.extend((0..4).map(|quarter| quad.child(*first, quarter)));
            }
        }
        deepest
    }

    /// Bytes on the heap, the items' own allocations aside. O(nodes).
    #[must_use]
    pub fn memory(&self) -> usize {
        let places = self.nodes.iter().map(|node| match node {
            Node::Leaf(places) => places.capacity() * size_of::<(LatLng, T)>(),
            Node::Inner(_) => 0,
        });
        places.sum::<usize>()
            + self.nodes.capacity() * size_of::<Node<T>>()
            + self.free.capacity() * size_of::<u32>()
    }
}

impl<T> fmt::Debug for QuadTree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QuadTree({} places, {} nodes)", self.len, self.nodes.len() - 4 * self.free.len())
    }
}
