//! Fences: who comes in, who leaves, who passes through, who stays.
//!
//! | event | when | where and when it says |
//! |---|---|---|
//! | [`What::Enter`] | a fix is inside, or the way to it came in and the fix is not clear of the fence | where the way crossed the edge; a first fix itself |
//! | [`What::Exit`] | a fix of an object inside is outside by more than the hysteresis | where its way last crossed the edge |
//! | [`What::Cross`] | two fixes outside, and the way between them came in and left | both crossings |
//! | [`What::Dwell`] | once a stay, at the first fix that shows that it lasted so long | the instant it had |
//! | [`What::Lost`] | an object inside was silent for too long, or forgotten | its last fix |
//!
//! The way between two fixes is the shorter great circle at an even speed: an object that jumps over
//! a fence is seen. Leaving must be seen and entering may be inferred: a stay ends with a fix outside,
//! never by a way that leaves and comes back. So `Enter` and (`Exit` or `Lost`) alternate for each
//! fence and object, and their times do not fall.
//!
//! [`FenceSet::update`] costs one look-up of the object and, at each size of fence that there is, one
//! of a cell; only fences whose cells the way meets are measured, and of a polygon only the edges at
//! its longitudes.

mod area;
mod event;
mod grid;
mod path;
mod step;

use alloc::borrow::ToOwned;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::cmp::Reverse;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::time::Duration;

use archstone_core::Time;
use hashbrown::HashTable;

use crate::coord::LatLng;
use crate::math;
use crate::region::{Circle, Region};
use crate::vector::V3;

pub use area::{Area, Rules};
pub use event::{Event, FixError, Moment, Stats, What};
use grid::{Grid, Placed};

/// Fences by id, and the objects that move among them.
///
/// Tens of thousands of fences of any size, anywhere. It keeps of each object its last fix and the
/// fences that it is in: about 90 bytes and the key, 64 a stay. Objects are bounded: a new one past
/// the capacity is refused until others are [`expired`](Self::expire) or [forgotten](Self::forget).
///
/// ```
/// use archstone_geo::fence::{FenceSet, Rules, What};
/// use archstone_geo::{Circle, LatLng, Meters, Time};
///
/// let mut fences = FenceSet::<&str, u32>::new(1_000_000);
/// let louvre = Circle::new(LatLng::new(48.8606, 2.3376)?, Meters(200.0));
/// fences.add("Louvre", louvre, Rules::new().with_hysteresis(Meters(20.0)));
///
/// let mut seen = Vec::new();
/// for (second, lat, lng) in [(0, 48.8606, 2.33), (60, 48.8606, 2.3376), (90, 48.8606, 2.35)] {
///     fences.update(&7, LatLng::new(lat, lng)?, Time::from_secs(second), |e| seen.push((*e.fence, e.what)))?;
/// }
/// assert!(matches!(seen[0], ("Louvre", What::Enter(m)) if m.time > Time::from_secs(38) && m.time < Time::from_secs(39)));
/// assert!(matches!(seen[1], ("Louvre", What::Exit(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FenceSet<F, O, S = ahash::RandomState> {
    hasher: S,
    /// Numbers by id.
    ids: HashTable<u32>,
    fences: Vec<Option<Fence<F>>>,
    /// What of each fence is looked at first, side by side.
    caps: Vec<Cap>,
    free_fences: Vec<u32>,
    grid: Grid<S>,
    /// Of the fence added last; each has its own.
    serial: u64,

    capacity: usize,
    silence: Duration,
    /// Slots by object.
    table: HashTable<u32>,
    objects: Vec<Option<Object<O>>>,
    free_objects: Vec<u32>,
    /// When a slot may be over, one entry an object: looked at again when it comes up. With the slot's
    /// own number of uses, so that an entry of an object that is gone says nothing.
    ends: BinaryHeap<Reverse<(Time, u32, u32)>>,
    uses: Vec<u32>,
    stats: Stats,
    scratch: Scratch,
}

#[derive(Clone)]
struct Fence<F> {
    id: F,
    area: Area,
    rules: Rules,
    placed: Placed,
    serial: u64,
}

/// A circle that has all of a fence.
#[derive(Clone, Copy)]
struct Cap {
    center: V3,
    chord: f64,
}

#[derive(Clone)]
struct Object<O> {
    key: O,
    at: LatLng,
    time: Time,
    /// The newest fence at its last fix: a newer one has not seen it yet.
    serial: u64,
    stays: Vec<Stay>,
}

/// One object in one fence.
#[derive(Clone, Copy)]
struct Stay {
    fence: u32,
    serial: u64,
    since: Time,
    dwelt: bool,
    /// Where it went out, if the last fix was outside by no more than the hysteresis.
    left: Option<Moment>,
}

/// Kept between calls, so that a fix allocates nothing.
#[derive(Clone, Default)]
struct Scratch {
    found: Vec<u32>,
    cuts: Vec<f64>,
    told: Vec<(u32, What)>,
}

/// The chord of a circle's radius, a hair more.
fn chord_of(circle: &Circle) -> f64 {
    math::sqrt(circle.chord_squared()) * (1.0 + 1e-9) + 1e-12
}

impl<F: Hash + Eq, O: Hash + Eq> FenceSet<F, O> {
    /// No fences, and at most `capacity` objects (at least 1, at most 2^32 - 2).
    #[cfg(feature = "std")]
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self::with_hasher(capacity, ahash::RandomState::new())
    }
}

impl<F: Hash + Eq, O: Hash + Eq, S: BuildHasher> FenceSet<F, O, S> {
    /// [`new`](Self::new) with a hasher for ids, objects and cells.
    #[must_use]
    pub fn with_hasher(capacity: usize, hasher: S) -> Self
    where
        S: Clone,
    {
        Self {
            grid: Grid::new(hasher.clone()),
            hasher,
            ids: HashTable::new(),
            fences: Vec::new(),
            caps: Vec::new(),
            free_fences: Vec::new(),
            serial: 0,
            capacity: capacity.clamp(1, u32::MAX as usize - 1),
            silence: Duration::MAX,
            table: HashTable::new(),
            objects: Vec::new(),
            free_objects: Vec::new(),
            ends: BinaryHeap::new(),
            uses: Vec::new(),
            stats: Stats::default(),
            scratch: Scratch::default(),
        }
    }

    /// An object that is silent for longer than this is lost: its stays end, and its next fix is a
    /// first one, with no way to it. Without: never. Set it before the first fix.
    #[must_use]
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// Adds a fence; whether it took the place of one with the same id, which then is gone. Objects
    /// come into it with their next fix. A circle costs O(1), a polygon O(edges).
    ///
    /// # Panics
    /// With more than 2^32 - 1 fences.
    pub fn add(&mut self, id: F, area: impl Into<Area>, rules: Rules) -> bool {
        let replaced = self.remove(&id);
        let area = area.into();
        let number = self.free_fences.pop().unwrap_or_else(|| {
            let number = u32::try_from(self.fences.len()).unwrap_or(u32::MAX);
            assert!(number < u32::MAX, "{number} fences, there may be {}", u32::MAX);
            self.fences.push(None);
            self.caps.push(Cap { center: [0.0; 3], chord: 0.0 });
            number
        });
        let bounds = area.bounding_circle();
        self.caps[number as usize] = Cap { center: bounds.vector(), chord: chord_of(&bounds) };
        self.serial += 1;
        let placed = self.grid.add(number, &area);
        let hash = self.hasher.hash_one(&id);
        self.fences[number as usize] = Some(Fence { id, area, rules, placed, serial: self.serial });
        let (fences, hasher) = (&self.fences, &self.hasher);
        self.ids.insert_unique(hash, number, |&number| {
            fences[number as usize].as_ref().map_or(0, |fence| hasher.hash_one(&fence.id))
        });
        replaced
    }

    /// Takes a fence out, without events; whether it was there.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, id: &Q) -> bool
    where
        F: Borrow<Q>,
    {
        let fences = &self.fences;
        let is = |number: u32| {
            fences[number as usize].as_ref().is_some_and(|fence| fence.id.borrow() == id)
        };
        let Ok(entry) = self.ids.find_entry(self.hasher.hash_one(id), |&number| is(number)) else {
            return false;
        };
        let (number, _) = entry.remove();
        if let Some(fence) = self.fences[number as usize].take() {
            self.grid.remove(number, &fence.placed);
        }
        self.free_fences.push(number);
        true
    }

    /// Takes a fix of an object and tells what it did since its last: in the order of the events'
    /// times, at one time exits first, then by when the fences were added. Allocates only for a new
    /// object or stay.
    ///
    /// # Errors
    /// A fix that is not newer than the object's last; a new object past the capacity. A fix from far in
    /// the future would make all later ones late: check times that you do not trust, or
    /// [`forget`](Self::forget) the object.
    pub fn update<Q>(
        &mut self,
        object: &Q,
        at: LatLng,
        time: Time,
        on: impl FnMut(Event<'_, F, O>),
    ) -> Result<(), FixError>
    where
        O: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = O> + ?Sized,
    {
        self.stats.fixes += 1;
        let hash = self.hasher.hash_one(object);
        let slot = match self.find(hash, object) {
            Some(slot) => {
                let Some(known) = &self.objects[slot as usize] else { return Ok(()) };
                let last = known.time;
                if time <= last {
                    self.stats.late += 1;
                    return Err(FixError::Late { time, last });
                }
                if time.since(last) > self.silence {
                    self.lose(slot);
                    self.first(slot, at, time);
                } else {
                    self.next(slot, at, time);
                }
                slot
            }
            None => {
                let slot = self.insert(hash, object.to_owned(), at, time)?;
                self.first(slot, at, time);
                slot
            }
        };
        if let Some(object) = &mut self.objects[slot as usize] {
            (object.at, object.time, object.serial) = (at, time, self.serial);
        }
        self.tell(slot, on);
        Ok(())
    }

    /// Ends what has been silent for longer than [`with_silence`](Self::with_silence) says at `now`, and
    /// tells of the stays that were lost; how many objects. O(log n) for each and for each that was
    /// heard of since it was last looked at.
    pub fn expire(&mut self, now: Time, mut on: impl FnMut(Event<'_, F, O>)) -> usize {
        let mut count = 0;
        while let Some(&Reverse((end, slot, uses))) = self.ends.peek() {
            if end >= now {
                break;
            }
            self.ends.pop();
            let object = self.objects[slot as usize].as_ref();
            let Some(object) = object.filter(|_| self.uses[slot as usize] == uses) else {
                continue;
            };
            let end = object.time + self.silence;
            if end < now {
                self.drop_object(slot, &mut on);
                count += 1;
            } else {
                self.ends.push(Reverse((end, slot, uses)));
            }
        }
        count
    }

    /// Takes an object out and tells of the stays that end so; whether it was there.
    pub fn forget<Q: Hash + Eq + ?Sized>(
        &mut self,
        object: &Q,
        mut on: impl FnMut(Event<'_, F, O>),
    ) -> bool
    where
        O: Borrow<Q>,
    {
        let found = self.find(self.hasher.hash_one(object), object);
        if let Some(slot) = found {
            self.drop_object(slot, &mut on);
        }
        found.is_some()
    }

    /// The fences that an object is in, in the order it came in.
    pub fn inside<Q: Hash + Eq + ?Sized>(&self, object: &Q) -> impl Iterator<Item = &F>
    where
        O: Borrow<Q>,
    {
        let slot = self.find(self.hasher.hash_one(object), object);
        let object = slot.and_then(|slot| self.objects[slot as usize].as_ref());
        let stays = object.map_or(&[][..], |object| &object.stays);
        stays.iter().filter_map(|stay| self.fence_of(stay)).map(|fence| &fence.id)
    }

    /// The last fix of an object.
    #[must_use]
    pub fn position<Q: Hash + Eq + ?Sized>(&self, object: &Q) -> Option<Moment>
    where
        O: Borrow<Q>,
    {
        let slot = self.find(self.hasher.hash_one(object), object)?;
        let object = self.objects[slot as usize].as_ref()?;
        Some(Moment { at: object.at, time: object.time })
    }

    /// How many fences.
    #[must_use]
    pub fn fences(&self) -> usize {
        self.ids.len()
    }

    /// How many objects.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.table.len()
    }

    /// How many objects there may be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Fixes, refusals and events so far.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Bytes on the heap, the keys' own allocations aside. O(fences + objects).
    #[must_use]
    pub fn memory(&self) -> usize {
        let areas = self.fences.iter().flatten().map(|fence| {
            let area = match &fence.area {
                Area::Circle(_) => 0,
                Area::Polygon(polygon) => polygon.memory(),
            };
            area + fence.placed.memory()
        });
        let stays = self.objects.iter().flatten().map(|o| o.stays.capacity() * size_of::<Stay>());
        (self.ids.capacity() + self.table.capacity()) * (size_of::<u32>() + 1)
            + self.fences.capacity() * size_of::<Option<Fence<F>>>()
            + self.caps.capacity() * size_of::<Cap>()
            + self.objects.capacity() * size_of::<Option<Object<O>>>()
            + self.ends.capacity() * size_of::<Reverse<(Time, u32, u32)>>()
            + (self.free_fences.capacity() + self.free_objects.capacity() + self.uses.capacity())
                * size_of::<u32>()
            + areas.sum::<usize>()
            + stays.sum::<usize>()
            + self.grid.memory()
    }

    fn find<Q: Eq + ?Sized>(&self, hash: u64, object: &Q) -> Option<u32>
    where
        O: Borrow<Q>,
    {
        let is = |slot: u32| {
            self.objects[slot as usize].as_ref().is_some_and(|known| known.key.borrow() == object)
        };
        self.table.find(hash, |&slot| is(slot)).copied()
    }

    /// The fence of a stay, if it is still that one.
    fn fence_of(&self, stay: &Stay) -> Option<&Fence<F>> {
        self.fences[stay.fence as usize].as_ref().filter(|fence| fence.serial == stay.serial)
    }

    fn insert(&mut self, hash: u64, key: O, at: LatLng, time: Time) -> Result<u32, FixError> {
        if self.objects() >= self.capacity {
            self.stats.full += 1;
            return Err(FixError::Full { capacity: self.capacity });
        }
        let object = Object { key, at, time, serial: self.serial, stays: Vec::new() };
        let slot = self.free_objects.pop().unwrap_or_else(|| {
            self.objects.push(None);
            self.uses.push(0);
            // Below the capacity, so below 2^32.
            (self.objects.len() - 1) as u32
        });
        self.objects[slot as usize] = Some(object);
        let (objects, hasher) = (&self.objects, &self.hasher);
        self.table.insert_unique(hash, slot, |&slot| {
            objects[slot as usize].as_ref().map_or(0, |object| hasher.hash_one(&object.key))
        });
        if self.silence != Duration::MAX {
            // Entries of objects that were forgotten: no more than there are slots.
            if self.ends.len() >= 2 * self.objects.len() {
                let (objects, uses) = (&self.objects, &self.uses);
                self.ends.retain(|Reverse((_, slot, of))| {
                    objects[*slot as usize].is_some() && uses[*slot as usize] == *of
                });
            }
            self.ends.push(Reverse((time + self.silence, slot, self.uses[slot as usize])));
        }
        Ok(slot)
    }

    fn drop_object(&mut self, slot: u32, on: &mut impl FnMut(Event<'_, F, O>)) {
        self.lose(slot);
        self.tell(slot, on);
        if let Some(object) = self.objects[slot as usize].take() {
            let hash = self.hasher.hash_one(&object.key);
            if let Ok(entry) = self.table.find_entry(hash, |&other| other == slot) {
                entry.remove();
            }
            self.uses[slot as usize] = self.uses[slot as usize].wrapping_add(1);
            self.free_objects.push(slot);
        }
    }

    fn lose(&mut self, slot: u32) {
        let Some(object) = &mut self.objects[slot as usize] else { return };
        for stay in object.stays.drain(..) {
            let fence = self.fences[stay.fence as usize].as_ref();
            if fence.is_some_and(|fence| fence.serial == stay.serial) {
                let last = Moment { at: object.at, time: object.time };
                self.scratch.told.push((stay.fence, What::Lost(last)));
            }
        }
    }

    /// Tells what was noted, in order.
    fn tell(&mut self, slot: u32, mut on: impl FnMut(Event<'_, F, O>)) {
        let told = &mut self.scratch.told;
        if told.is_empty() {
            return;
        }
        told.sort_by_key(|(_, what)| what.time());
        self.stats.events += told.len() as u64;
        // Out of `self` first: a panic of the caller's must not leave them to the next fix.
        let told = core::mem::take(told);
        for &(number, what) in &told {
            if let (Some(fence), Some(object)) =
                (&self.fences[number as usize], &self.objects[slot as usize])
            {
                on(Event { fence: &fence.id, object: &object.key, what });
            }
        }
        self.scratch.told = told;
        self.scratch.told.clear();
    }
}

impl<F, O, S> fmt::Debug for FenceSet<F, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fences, objects) = (self.ids.len(), self.table.len());
        write!(f, "FenceSet({fences} fences, {objects} of {} objects)", self.capacity)
    }
}
