//! A shard: a store under a lock, and what readers see of it without the lock.

use archstone_core::Time;
use archstone_core::pad::CachePadded;
use archstone_core::shim::atomic::{AtomicU64, Ordering::Relaxed};
use archstone_core::spin::{SeqGuard, SeqLock};
use core::borrow::Borrow;

use crate::cells::Cells;
use crate::index::Index;
use crate::policy::Policy;
use crate::stats::Counters;
use crate::store::{Budget, Store};
use crate::wheel::Deadlines;

pub(super) struct Shard<K, V, P: Policy, C: Cells<K, V>> {
    lock: SeqLock<Store<K, V, P, C>>,
    // Only used where the store is fixed, so that these are the arrays it works on.
    index: Index,
    cells: C::View,
    marks: P::View,
    deadlines: Option<Deadlines>,
    pub(super) counters: Option<CachePadded<Counters>>,
}

impl<K, V, P: Policy, C: Cells<K, V>> Shard<K, V, P, C> {
    pub(super) fn new(store: Store<K, V, P, C>, counted: bool) -> Self {
        let (index, cells) = store.table.view();
        let marks = store.policy.view();
        let deadlines = store.wheel.as_ref().map(|wheel| wheel.view());
        let counters = counted.then(CachePadded::default);
        Self { lock: SeqLock::new(store), index, cells, marks, deadlines, counters }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> SeqGuard<'_, Store<K, V, P, C>> {
        self.lock.lock()
    }

    /// Looks for a key without the lock. `None` if a writer was or came in between. `used`: the
    /// look counts as a use. `TIMED`: entries may expire.
    #[inline(always)]
    pub(super) fn look<Q, const TIMED: bool>(
        &self,
        hash: u32,
        key: &Q,
        now: Time,
        used: bool,
    ) -> Option<Option<V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let sequence = self.lock.begin()?;
        let mut value = None;
        let slot = self.index.find(hash, |slot| {
            value = C::peek(&self.cells, slot, |k| k.borrow() == key);
            value.is_some()
        });
        let due = match (slot, &self.deadlines) {
            (Some(slot), Some(deadlines)) if TIMED => deadlines.is_due(slot, now),
            _ => false,
        };
        if !self.lock.is_unchanged(sequence) {
            return None;
        }
        // From here on it is known to have been there. It may be gone by now: then a use is noted
        // of whatever took its slot, which does no harm.
        match slot {
            Some(slot) if !due => {
                if used {
                    P::touch(&self.marks, slot);
                }
                Some(value)
            }
            _ => Some(None),
        }
    }
}

/// The budget that all shards share.
pub(super) struct Common {
    used: CachePadded<AtomicU64>,
    limit: CachePadded<AtomicU64>,
}

impl Common {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            used: CachePadded::new(AtomicU64::new(0)),
            limit: CachePadded::new(AtomicU64::new(limit)),
        }
    }

    /// Units that are taken: those of all entries and of insertions under way.
    pub(super) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Relaxed)
    }

    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
    }
}

impl Budget for &Common {
    #[inline]
    fn take(&mut self, units: u64) -> bool {
        let mut used = self.used.load(Relaxed);
        loop {
            let Some(sum) = used.checked_add(units).filter(|&sum| sum <= self.limit()) else {
                return false;
            };
            match self.used.compare_exchange_weak(used, sum, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(seen) => used = seen,
            }
        }
    }
    #[inline]
    fn give(&mut self, units: u64) {
        if units > 0 {
            self.used.fetch_sub(units, Relaxed);
        }
    }
    fn limit(&self) -> u64 {
        Common::limit(self)
    }
}
