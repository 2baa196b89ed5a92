//! Look-ups of one owner, who gets a reference. A way of its own for each that has less to do: a hit is
//! some twenty nanoseconds at most.

use archstone_core::Time;

use super::Store;
use crate::cells::Owned;
use crate::policy::Policy;

impl<K, V, P: Policy> Store<K, V, P, Owned<K, V>> {
    /// [`Store::get`] where nothing expires and nothing is pinned.
    #[inline(always)]
    pub(crate) fn get_plain(&mut self, hash: u32, is_it: impl FnMut(&K) -> bool) -> Option<&V> {
        let (slot, value, slots) = self.table.entry_or_miss(hash, is_it)?;
        self.policy.hit(slot, slots);
        Some(value)
    }

    /// [`Store::get`] where a hit moves no deadline and nothing is pinned.
    #[inline(always)]
    pub(crate) fn get_timed(
        &mut self,
        hash: u32,
        is_it: impl FnMut(&K) -> bool,
        now: Time,
    ) -> Option<&V> {
        let (slot, value) = self.table.entry(hash, is_it)?;
        if self.wheel.as_ref().is_some_and(|wheel| wheel.is_due(slot, now)) {
            return None;
        }
        self.policy.hit(slot, self.table.slots());
        Some(value)
    }

    /// The value of a live entry, which counts as used.
    pub(crate) fn get(
        &mut self,
        hash: u32,
        is_it: impl FnMut(&K) -> bool,
        now: Time,
    ) -> Option<&V> {
        let (slot, value) = self.table.entry(hash, is_it)?;
        if let Some(wheel) = &self.wheel {
            if wheel.is_due(slot, now) {
                return None;
            }
            wheel.touch(slot, now);
        }
        if self.pins.is_empty() || self.pins[slot as usize] == 0 {
            self.policy.hit(slot, self.table.slots());
        }
        Some(value)
    }

    /// The same to change it.
    pub(crate) fn get_mut(
        &mut self,
        hash: u32,
        is_it: impl FnMut(&K) -> bool,
        now: Time,
    ) -> Option<&mut V> {
        let (slot, value, slots) = self.table.value_mut(hash, is_it)?;
        if let Some(wheel) = &self.wheel {
            if wheel.is_due(slot, now) {
                return None;
            }
            wheel.touch(slot, now);
        }
        if self.pins.is_empty() || self.pins[slot as usize] == 0 {
            self.policy.hit(slot, slots);
        }
        Some(value)
    }
}
