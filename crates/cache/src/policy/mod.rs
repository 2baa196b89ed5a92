//! Who leaves when there is no room: eviction policies, a file each, behind one trait.
//!
//! | policy | keeps | a hit costs | scans | take it when |
//! |---|---|---|---|---|
//! | [`Adaptive`] | as S3-FIFO; how long newcomers stay follows the traffic | a byte, nothing once set | harmless | in doubt |
//! | [`S3Fifo`] | what was used twice soon after it came | a byte, nothing once set | harmless | you want the published one |
//! | [`Sieve`] | what was used since the hand last came by | a byte, nothing once set | pass by | web objects; simplest of the good ones |
//! | [`Clock`] | the same, in order of insertion | a byte, nothing once set | flush it | near LRU without its cost |
//! | [`Lru`] | the most recently used | relinking | flush it | use follows recency |
//! | [`TwoQueue`] | what came back after a first stay | relinking | pass by | bursts that mean nothing |
//! | [`Arc`] | recent or frequent, by what comes back | relinking | pass by | recency and frequency take turns |
//! | [`Lirs`] | what is used again at short distances | relinking | harmless | loops larger than the cache |
//! | [`WTinyLfu`] | what was used often lately | relinking, a sketch | harmless | popularity that changes slowly |
//! | [`Lfu`] | the most often used | relinking | harmless | popularity that never changes |
//! | [`Fifo`] | the most recently inserted | nothing | flush it | order of arrival is the point |
//!
//! All verbs are O(1) (amortised over insertions where a hand moves).

mod adaptive;
mod arc;
mod clock;
mod fifo;
mod ghost;
mod history;
mod lfu;
mod lirs;
mod lru;
mod s3fifo;
mod sieve;
mod sketch;
mod two_queue;
mod wtinylfu;

pub use adaptive::Adaptive;
pub use arc::Arc;
pub use clock::Clock;
pub use fifo::Fifo;
pub use lfu::Lfu;
pub use lirs::Lirs;
pub use lru::Lru;
pub use s3fifo::S3Fifo;
pub use sieve::Sieve;
pub use two_queue::TwoQueue;
pub use wtinylfu::WTinyLfu;

use alloc::vec::Vec;
use archstone_core::shim::atomic::{AtomicU8, Ordering::Relaxed};

/// What a policy may know of a slot: 32 bits of its key's hash, and what it weighs.
///
/// Slots are small numbers, used again after their entry is gone.
#[derive(Debug)]
pub struct Slots {
    hashes: Vec<u32>,
    /// Empty where every entry weighs one.
    units: Vec<u64>,
    weighted: bool,
}

impl Slots {
    pub(crate) fn new(weighted: bool) -> Self {
        Self { hashes: Vec::new(), units: Vec::new(), weighted }
    }

    pub(crate) fn reserve(&mut self, slots: usize) {
        let more = slots.saturating_sub(self.hashes.len());
        self.hashes.reserve_exact(more);
        self.hashes.resize(slots, 0);
        if self.weighted {
            self.units.reserve_exact(more);
            self.units.resize(slots, 0);
        }
    }

    pub(crate) fn set(&mut self, slot: u32, hash: u32, units: u64) {
        self.hashes[slot as usize] = hash;
        if self.weighted {
            self.units[slot as usize] = units;
        }
    }

    /// 32 bits of the hash of the key.
    #[inline(always)]
    #[must_use]
    pub fn hash(&self, slot: u32) -> u32 {
        self.hashes[slot as usize]
    }

    /// What the entry weighs; one where nothing is weighed.
    #[inline(always)]
    #[must_use]
    pub fn units(&self, slot: u32) -> u64 {
        if self.weighted { self.units[slot as usize] } else { 1 }
    }

    /// Whether entries weigh other than one.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.weighted
    }

    pub(crate) fn bytes(&self) -> usize {
        self.hashes.capacity() * 4 + self.units.capacity() * 8
    }
}

/// An eviction policy.
///
/// It orders slots; it never sees keys or values and never decides whether there is room. A slot is
/// *in* the policy from [`insert`](Policy::insert) until [`remove`](Policy::remove) or until
/// [`evict`](Policy::evict) names it. Pinned entries are taken out while they are pinned, so a
/// policy never meets one.
///
/// # Duties of the caller
/// - `reserve(n)` comes before any slot of `n` or above it does.
/// - `insert` names slots that are not in the policy; `hit`, `touch` and `remove` such that are.
///   (`touch` beside a writer may name one that has just left: it must do no more than note a use.)
/// - What `slots` says of a slot does not change while it is in the policy.
///
/// # Duties of the policy
/// - `evict` names a slot that is in it, which then no longer is; `None` only if it is empty. A slot
///   that is pinned or empty is a mistake that the cache finds: nothing is evicted, and the insertion
///   is refused with [`Reject::BrokenPolicy`](crate::Reject::BrokenPolicy).
/// - Equal calls give equal answers: no clock, no randomness but from a fixed seed.
///
/// [`Lru`] is the shortest to read.
pub trait Policy: Send + 'static {
    /// What it is called in tables.
    const NAME: &'static str;
    /// Whether a hit needs no more than [`touch`](Policy::touch), so that readers without the lock
    /// can note it.
    const SHARED_HIT: bool;
    /// What [`touch`](Policy::touch) writes to.
    type View: Clone + Send + Sync + 'static;

    /// An empty policy for a cache of `limit` units.
    fn new(limit: u64) -> Self;
    /// Makes room for slots below `slots`.
    fn reserve(&mut self, slots: usize);
    /// The limit has changed.
    fn set_limit(&mut self, limit: u64);
    /// An entry of this hash and weight is about to be inserted, and `evict` may be called for its
    /// sake: a hint, which need not come before `insert` and need not be followed by it.
    #[inline(always)]
    fn coming(&mut self, hash: u32, units: u64) {
        let _ = (hash, units);
    }
    /// A new entry.
    fn insert(&mut self, slot: u32, slots: &Slots);
    /// An entry was used.
    fn hit(&mut self, slot: u32, slots: &Slots);
    /// The part of the state that [`touch`](Policy::touch) writes to; fetched anew after `reserve`.
    fn view(&self) -> Self::View;
    /// An entry was used; only for policies with [`SHARED_HIT`](Policy::SHARED_HIT).
    fn touch(view: &Self::View, slot: u32);
    /// Names the entry to evict, and forgets it.
    fn evict(&mut self, slots: &Slots) -> Option<u32>;
    /// An entry leaves for another reason: removed, expired, pinned.
    fn remove(&mut self, slot: u32, slots: &Slots);
    /// Every slot in it, the one that would be evicted first (if none were used again) first, as
    /// far as that can be told cheaply. Panics if links disagree: `validate` of the caches calls it.
    fn for_each(&self, each: &mut dyn FnMut(u32));
    /// Panics if what it has counted is not what `slots` say: `validate` of the caches calls it.
    /// O(slots).
    fn validate(&self, slots: &Slots) {
        let _ = slots;
    }
    /// Every slot in the order of [`for_each`](Policy::for_each), with a word of what else a snapshot
    /// is to keep of it: a queue, a count. Ghosts are not kept.
    fn save(&self, slots: &Slots, each: &mut dyn FnMut(u32, u64)) {
        let _ = slots;
        self.for_each(&mut |slot| each(slot, 0));
    }
    /// [`insert`](Policy::insert) of an entry of a snapshot, called in the order of
    /// [`save`](Policy::save). The word comes from outside and may be anything.
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        let _ = word;
        self.insert(slot, slots);
    }
    /// Forgets everything.
    fn clear(&mut self);
    /// Heap bytes.
    fn bytes(&self) -> usize;
}

/// What the slots of a list weigh together.
fn weigh(slots: &Slots, list: impl FnOnce(&mut dyn FnMut(u32))) -> u64 {
    let mut sum = 0;
    list(&mut |slot| sum += slots.units(slot));
    sum
}

/// Fractions of a limit in the words of a snapshot: in 2^24ths, up to 15 limits; exact for limits
/// below 2^24.
mod share {
    const ONE: u32 = 24;
    /// What a share takes of a word.
    pub(super) const BITS: u32 = 28;
    const MASK: u64 = (1 << BITS) - 1;

    pub(super) fn of(units: u64, limit: u64) -> u64 {
        let limit = u128::from(limit.max(1));
        let share = ((u128::from(units) << ONE) + limit / 2) / limit;
        u64::try_from(share).map_or(MASK, |share| share.min(MASK))
    }

    /// The units of a share; higher bits of the word do not count.
    pub(super) fn units(word: u64, limit: u64) -> u64 {
        let units = (u128::from(word & MASK) * u128::from(limit) + (1 << (ONE - 1))) >> ONE;
        u64::try_from(units).unwrap_or(u64::MAX)
    }
}

/// A byte a slot that readers may write: how often it was used, up to a few.
#[derive(Clone, Debug)]
pub(crate) struct Marks(alloc::sync::Arc<[AtomicU8]>);

impl Marks {
    pub(crate) fn new() -> Self {
        Self(alloc::sync::Arc::default())
    }

    pub(crate) fn reserve(&mut self, slots: usize) {
        if slots > self.0.len() {
            let old = &self.0;
            let fresh: Vec<AtomicU8> = (0..slots)
                .map(|slot| AtomicU8::new(old.get(slot).map_or(0, |mark| mark.load(Relaxed))))
                .collect();
            self.0 = fresh.into();
        }
    }

    #[inline(always)]
    pub(crate) fn get(&self, slot: u32) -> u8 {
        self.0[slot as usize].load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, slot: u32, mark: u8) {
        self.0[slot as usize].store(mark, Relaxed);
    }

    /// Counts a use up to `most`, in the low bits. Stores nothing once it is there. Two at once may
    /// count as one.
    #[inline(always)]
    pub(crate) fn count(&self, slot: u32, most: u8) {
        // A reader may come with a slot of a larger, newer array than its own.
        let Some(mark) = self.0.get(slot as usize) else { return };
        let seen = mark.load(Relaxed);
        if seen < most {
            mark.store(seen + 1, Relaxed);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A bit a slot, the policy's own.
#[derive(Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn reserve(&mut self, slots: usize) {
        let words = slots.div_ceil(64);
        self.0.reserve_exact(words.saturating_sub(self.0.len()));
        self.0.resize(words.max(self.0.len()), 0);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * 8
    }

    pub(crate) fn get(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 != 0
    }

    pub(crate) fn set(&mut self, slot: u32, bit: bool) {
        let word = &mut self.0[slot as usize / 64];
        *word = *word & !(1 << (slot % 64)) | u64::from(bit) << (slot % 64);
    }
}
