//! An index of objects that move.

use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};

use archstone_core::Time;
use hashbrown::HashTable;

use crate::coord::{LatLng, Meters};
use crate::cube::{self, Cube, CubeBox, ROUNDING};
use crate::index::{Best, Candidate, FEW, Few, Many, limits};
use crate::metric::Metric;
use crate::sphere::Sphere;

/// Objects in a bucket before it is cut in two.
const BUCKET: usize = 48;
const NONE: u32 = u32::MAX;

/// Objects by key that move, come and go: keyed, exact, without a limit on how many are at one place.
///
/// A k-d tree of buckets over the sphere's cube: a bucket of more than 48 is cut at the middle of its
/// widest axis, two that fall below a quarter together become one. An object that stays in its bucket
/// moves in O(1): a hash look-up and a store; otherwise it is put down from the root, O(log n). Objects
/// that share a place share a bucket of any size.
///
/// `now` is the caller's; an object with a time to live is gone for every question from that instant
/// on, and leaves memory when it is met by [`expire`](Self::expire).
///
/// ```
/// use archstone_geo::{LatLng, LiveIndex, Meters};
///
/// let at = |lat, lng| LatLng::new(lat, lng);
/// let mut taxis = LiveIndex::new();
/// taxis.upsert("one", at(48.85, 2.35)?);
/// taxis.upsert("two", at(48.86, 2.35)?);
/// assert_eq!(taxis.upsert("one", at(48.87, 2.35)?), Some(at(48.85, 2.35)?));
/// let near = taxis.nearest(at(48.88, 2.35)?, 1);
/// assert_eq!(*near[0].0, "one");
/// assert_eq!(taxis.within(at(48.86, 2.35)?, Meters::from_km(0.5)).len(), 1);
/// # Ok::<(), archstone_geo::CoordError>(())
/// ```
#[derive(Clone)]
pub struct LiveIndex<K, S = ahash::RandomState> {
    hasher: S,
    /// Slots by key.
    table: HashTable<u32>,
    slots: Vec<Slot<K>>,
    free: Vec<u32>,
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
}

#[derive(Clone)]
struct Slot<K> {
    key: Option<K>,
    at: LatLng,
    ends: Time,
    bucket: u32,
    place: u32,
}

/// A bucket, or a cut.
#[derive(Clone)]
enum Node {
    Cut { axis: u8, at: i32, sides: [u32; 2], parent: u32, len: u32 },
    Bucket { region: CubeBox, parent: u32, points: Vec<(Cube, u32)> },
}

impl<K: Hash + Eq> LiveIndex<K> {
    /// An empty index, its table randomly seeded.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new() -> Self {
        Self::with_hasher(ahash::RandomState::new())
    }
}

#[cfg(feature = "std")]
impl<K: Hash + Eq> Default for LiveIndex<K> {
    fn default() -> Self {
        Self::new()
    }
}

/// The whole cube, a step wider.
const WORLD: CubeBox = CubeBox { low: [-(1 << 30); 3], high: [1 << 30; 3] };

impl<K: Hash + Eq, S: BuildHasher> LiveIndex<K, S> {
    /// An empty index with this hasher.
    #[must_use]
    pub fn with_hasher(hasher: S) -> Self {
        let root = Node::Bucket { region: WORLD, parent: NONE, points: Vec::new() };
        Self {
            hasher,
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            nodes: alloc::vec![root],
            free_nodes: Vec::new(),
        }
    }

    /// How many objects, those whose time is over and that were not yet met included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, key: &K) -> Option<u32> {
        self.find_hashed(self.hasher.hash_one(key), key)
    }

    #[inline]
    fn find_hashed(&self, hash: u64, key: &K) -> Option<u32> {
        self.table.find(hash, |&slot| self.slots[slot as usize].key.as_ref() == Some(key)).copied()
    }

    /// Where the object is, as it was told.
    #[must_use]
    pub fn position(&self, key: &K) -> Option<LatLng> {
        self.find(key).map(|slot| self.slots[slot as usize].at)
    }

    pub(crate) fn position_hashed(&self, hash: u64, key: &K) -> Option<LatLng> {
        self.find_hashed(hash, key).map(|slot| self.slots[slot as usize].at)
    }

    /// Puts the object at `at`, for good; where it was before.
    ///
    /// # Panics
    /// With more than 2^32 - 2 objects.
    pub fn upsert(&mut self, key: K, at: LatLng) -> Option<LatLng> {
        self.upsert_until(key, at, Time::MAX)
    }

    /// Puts the object at `at` until `ends`; where it was before.
    ///
    /// # Panics
    /// With more than 2^32 - 2 objects.
    pub fn upsert_until(&mut self, key: K, at: LatLng, ends: Time) -> Option<LatLng> {
        let hash = self.hasher.hash_one(&key);
        self.upsert_hashed(hash, key, at, ends)
    }

    /// [`upsert_until`](Self::upsert_until) of a key with this hash.
    #[inline]
    pub(crate) fn upsert_hashed(
        &mut self,
        hash: u64,
        key: K,
        at: LatLng,
        ends: Time,
    ) -> Option<LatLng> {
        if let Some(slot) = self.find_hashed(hash, &key) {
            return Some(self.move_slot(slot, at, ends));
        }
        let new = Slot { key: Some(key), at, ends, bucket: 0, place: 0 };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = new;
                slot
            }
            None => {
                assert!(
                    self.slots.len() < NONE as usize,
                    "{} objects, there may be {NONE}",
                    self.slots.len()
                );
                // By a quarter at a time: doubling would leave up to half of them unused.
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact(self.slots.len() / 4 + 16);
                }
                self.slots.push(new);
                (self.slots.len() - 1) as u32
            }
        };
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.table.insert_unique(hash, slot, |&slot| match &slots[slot as usize].key {
            Some(key) => hasher.hash_one(key),
            None => 0,
        });
        self.put(slot, cube::cube(at));
        None
    }

    /// Takes the object out; where it was.
    pub fn remove(&mut self, key: &K) -> Option<LatLng> {
        self.remove_hashed(self.hasher.hash_one(key), key)
    }

    pub(crate) fn remove_hashed(&mut self, hash: u64, key: &K) -> Option<LatLng> {
        let slot = self.find_hashed(hash, key)?;
        if let Ok(entry) = self.table.find_entry(hash, |&other| other == slot) {
            entry.remove();
        }
        self.take(slot);
        let slot_ref = &mut self.slots[slot as usize];
        slot_ref.key = None;
        self.free.push(slot);
        Some(slot_ref.at)
    }

    /// Takes out every object whose time is over at `now`; how many. O(n).
    pub fn expire(&mut self, now: Time) -> usize
    where
        K: Clone,
    {
        let over: Vec<K> = self
            .slots
            .iter()
            .filter(|slot| slot.ends <= now)
            .filter_map(|slot| slot.key.clone())
            .collect();
        over.iter().filter(|key| self.remove(key).is_some()).count()
    }

    /// Where it was before.
    #[inline]
    fn move_slot(&mut self, slot: u32, at: LatLng, ends: Time) -> LatLng {
        let to = cube::cube(at);
        let object = &mut self.slots[slot as usize];
        let (bucket, place) = (object.bucket, object.place);
        object.ends = ends;
        let old = core::mem::replace(&mut object.at, at);
        if let Node::Bucket { region, points, .. } = &mut self.nodes[bucket as usize] {
            if region.contains(to) {
                points[place as usize].0 = to;
                return old;
            }
        }
        self.take(slot);
        self.put(slot, to);
        old
    }

    /// Puts a slot into the bucket of its place, which is cut if it becomes too full.
    fn put(&mut self, slot: u32, at: Cube) {
        let mut node = 0;
        loop {
            match &mut self.nodes[node as usize] {
                Node::Cut { axis, at: cut, sides, len, .. } => {
                    *len += 1;
                    node = sides[usize::from(at[usize::from(*axis)] >= *cut)];
                }
                Node::Bucket { points, .. } => {
                    let place = points.len() as u32;
                    points.push((at, slot));
                    let full = points.len() > BUCKET;
                    let slot = &mut self.slots[slot as usize];
                    (slot.bucket, slot.place) = (node, place);
                    if full {
                        self.cut(node);
                    }
                    return;
                }
            }
        }
    }

    /// Cuts a bucket at the middle of the widest axis of its points; not if they are all at one place.
    fn cut(&mut self, node: u32) {
        let Node::Bucket { region, parent, points } = &mut self.nodes[node as usize] else {
            return;
        };
        // A crowd is looked at again only when it has grown by half.
        if points.len() > BUCKET + 1 && !points.len().is_power_of_two() {
            return;
        }
        let mut all = CubeBox::EMPTY;
        for (at, _) in points.iter() {
            all.add(*at);
        }
        let width = |axis: usize| i64::from(all.high[axis]) - i64::from(all.low[axis]);
        let axis = (0..3).max_by_key(|&axis| width(axis)).unwrap_or(0);
        if width(axis) == 0 {
            return;
        }
        let (region, parent, mut points) = (*region, *parent, core::mem::take(points));

        let middle = points.len() / 2;
        points.select_nth_unstable_by_key(middle, |(at, _)| at[axis]);
        // Above the least coordinate, so that neither side is empty.
        let cut = points[middle].0[axis].max(all.low[axis] + 1);
        let len = points.len() as u32;
        // Room for what a bucket may hold, no more.
        let mut left = Vec::with_capacity(BUCKET + 1);
        let mut right = Vec::with_capacity(BUCKET + 1);
        for point in points {
            if point.0[axis] < cut { left.push(point) } else { right.push(point) }
        }
        let (mut below, mut above) = (region, region);
        below.high[axis] = cut - 1;
        above.low[axis] = cut;
        let sides = [(below, left), (above, right)].map(|(region, points)| {
            let number = self.free_nodes.pop().unwrap_or(self.nodes.len() as u32);
            for (place, (_, slot)) in points.iter().enumerate() {
                let slot = &mut self.slots[*slot as usize];
                (slot.bucket, slot.place) = (number, place as u32);
            }
            let bucket = Node::Bucket { region, parent: node, points };
            if number as usize == self.nodes.len() {
                self.nodes.push(bucket);
            } else {
                self.nodes[number as usize] = bucket;
            }
            number
        });
        self.nodes[node as usize] = Node::Cut { axis: axis as u8, at: cut, sides, parent, len };
    }

    /// Takes a slot out of its bucket.
    fn take(&mut self, slot: u32) {
        let Slot { bucket, place, .. } = self.slots[slot as usize];
        let Node::Bucket { parent, points, .. } = &mut self.nodes[bucket as usize] else { return };
        points.swap_remove(place as usize);
        if let Some(&(_, moved)) = points.get(place as usize) {
            self.slots[moved as usize].place = place;
        }
        let mut up = *parent;
        let mut join = NONE;
        while up != NONE {
            let Node::Cut { len, parent, sides, .. } = &mut self.nodes[up as usize] else { break };
            *len -= 1;
            let (few, sides, above) = (*len as usize <= BUCKET / 4, *sides, *parent);
            if few
                && sides
                    .iter()
                    .all(|&side| matches!(self.nodes[side as usize], Node::Bucket { .. }))
            {
                join = up;
            }
            up = above;
        }
        if join != NONE {
            self.join(join);
        }
    }

    /// Two buckets of few become one.
    fn join(&mut self, node: u32) {
        let Node::Cut { sides, parent, .. } = self.nodes[node as usize] else { return };
        let (mut region, mut all) = (CubeBox::EMPTY, Vec::with_capacity(BUCKET + 1));
        for side in sides {
            if let Node::Bucket { region: part, points, .. } = &mut self.nodes[side as usize] {
                region.join(part);
                all.append(points);
            }
            self.free_nodes.push(side);
        }
        for (place, (_, slot)) in all.iter().enumerate() {
            let slot = &mut self.slots[*slot as usize];
            (slot.bucket, slot.place) = (node, place as u32);
        }
        self.nodes[node as usize] = Node::Bucket { region, parent, points: all };
    }

    /// The `k` objects nearest to `center` on the sphere, nearest first, equal distances in the order
    /// they were first put in.
    #[must_use]
    pub fn nearest(&self, center: LatLng, k: usize) -> Vec<(&K, Meters)> {
        self.nearest_at(Time::ZERO, center, k)
    }

    /// [`nearest`](Self::nearest) of those whose time is not over at `now`.
    #[must_use]
    pub fn nearest_at(&self, now: Time, center: LatLng, k: usize) -> Vec<(&K, Meters)> {
        self.nearest_under(now, center, k, Meters(f64::INFINITY))
    }

    /// [`nearest_at`](Self::nearest_at) of those at most `radius` away.
    pub(crate) fn nearest_under(
        &self,
        now: Time,
        center: LatLng,
        k: usize,
        radius: Meters,
    ) -> Vec<(&K, Meters)> {
        let limit = square(radius);
        if k == 0 {
            return Vec::new();
        }
        let mut found: Vec<(Meters, u32)> = Vec::new();
        let measure = |found: &mut Vec<(Meters, u32)>, candidates: &[Candidate]| {
            found.extend(candidates.iter().map(|&candidate| {
                let slot = candidate as u32;
                (Sphere::EARTH.distance(center, self.slots[slot as usize].at), slot)
            }));
        };
        let (q, mut few) = (cube::cube(center), None);
        if k <= FEW {
            let mut best = Few::<FEW>::new(k, limit);
            self.visit(q, &mut best, now);
            few = best.into_candidates();
        }
        if let Some((few, len)) = few {
            found.reserve_exact(len);
            measure(&mut found, &few[..len]);
        } else {
            let mut best = Many::new(k.min(self.len().max(1)), limit);
            self.visit(q, &mut best, now);
            measure(&mut found, &best.into_candidates());
        }
        // All that the grid could not tell apart are among them.
        found.sort_unstable();
        found.truncate(k);
        let near = found.into_iter().filter(|hit| hit.0 <= radius);
        near.filter_map(|(distance, slot)| {
            Some((self.slots[slot as usize].key.as_ref()?, distance))
        })
        .collect()
    }

    /// The objects within `radius` of `center` on the sphere, in no order.
    #[must_use]
    pub fn within(&self, center: LatLng, radius: Meters) -> Vec<(&K, Meters)> {
        self.within_at(Time::ZERO, center, radius)
    }

    /// [`within`](Self::within) of those whose time is not over at `now`.
    #[must_use]
    pub fn within_at(&self, now: Time, center: LatLng, radius: Meters) -> Vec<(&K, Meters)> {
        let mut found = Vec::new();
        if radius.0.is_nan() || radius.0 < 0.0 {
            return found;
        }
        let mut all = All { limit: square(radius), found: Vec::with_capacity(64) };
        self.visit(cube::cube(center), &mut all, now);
        let places: Vec<LatLng> =
            all.found.iter().map(|&slot| self.slots[slot as usize].at).collect();
        let mut distances = alloc::vec![Meters::ZERO; places.len()];
        Sphere::EARTH.distances(center, &places, &mut distances);
        found.reserve_exact(places.len());
        for (slot, distance) in all.found.into_iter().zip(distances) {
            if distance <= radius {
                let key = self.slots[slot as usize].key.as_ref();
                found.extend(key.map(|key| (key, distance)));
            }
        }
        found
    }

    /// Offers every slot within the limit of `q` whose time is not over; near sides first.
    #[inline]
    fn visit(&self, q: Cube, best: &mut impl Best, now: Time) {
        let mut stack = Vec::with_capacity(32);
        stack.push((0_u32, 0.0_f32, [0.0_f32; 3]));
        while let Some((mut node, least, off)) = stack.pop() {
            if least > best.limit() {
                continue;
            }
            // Down the near sides; the far ones wait.
            let points = loop {
                match &self.nodes[node as usize] {
                    Node::Cut { axis, at, sides, .. } => {
                        let axis = usize::from(*axis) % 3;
                        let above = q[axis] >= *at;
                        let mut far = off;
                        far[axis] = far[axis].max(q[axis].abs_diff(*at) as f32);
                        let square = far[0] * far[0] + far[1] * far[1] + far[2] * far[2];
                        let square = square * (1.0 - ROUNDING);
                        if square <= best.limit() {
                            stack.push((sides[usize::from(!above)], square, far));
                        }
                        node = sides[usize::from(above)];
                    }
                    Node::Bucket { points, .. } => break points,
                }
            };
            for &(at, slot) in points {
                let square = cube::squared(at, q);
                if square <= best.limit() && self.slots[slot as usize].ends > now {
                    best.offer(square, slot);
                }
            }
        }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.iter().filter_map(|slot| slot.key.as_ref())
    }

    /// Checks every link; for tests. O(n).
    #[doc(hidden)]
    pub fn validate(&self) {
        let mut seen = 0;
        let mut stack = alloc::vec![(0_u32, NONE)];
        while let Some((node, above)) = stack.pop() {
            match &self.nodes[node as usize] {
                Node::Cut { sides, parent, .. } => {
                    assert_eq!(*parent, above);
                    stack.extend(sides.map(|side| (side, node)));
                }
                Node::Bucket { region, parent, points } => {
                    assert_eq!(*parent, above);
                    for (place, (at, slot)) in points.iter().enumerate() {
                        let slot = &self.slots[*slot as usize];
                        assert!(
                            region.contains(*at)
                                && cube::cube(slot.at) == *at
                                && slot.key.is_some()
                        );
                        assert_eq!((slot.bucket, slot.place as usize), (node, place));
                        seen += 1;
                    }
                }
            }
        }
        assert_eq!(seen, self.len());
        assert_eq!(self.slots.len() - self.free.len(), self.len());
    }
}

/// The square on the grid up to which a point may be within `radius`.
fn square(radius: Meters) -> f32 {
    let angle = radius.0 / Sphere::EARTH.radius();
    // Past half a turn is everything. A hair outside, for the rounding of the metric itself.
    if angle >= core::f64::consts::PI {
        f32::INFINITY
    } else {
        limits(0.0, cube::chord(angle) * (1.0 + 1e-9)).1
    }
}

/// All within a limit, in no order.
struct All {
    limit: f32,
    found: Vec<u32>,
}

impl Best for All {
    fn limit(&self) -> f32 {
        self.limit
    }

    fn offer(&mut self, _: f32, slot: u32) {
        self.found.push(slot);
    }

    fn foresee(&mut self, _: &[f32; crate::index::LEAF]) {}
}

impl<K, S> fmt::Debug for LiveIndex<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "LiveIndex({} objects, {} nodes)",
            self.table.len(),
            self.nodes.len() - self.free_nodes.len()
        )
    }
}
