//! What changes an entry where it is, or ends it for a reason of its own: expiry, pins, weights.

use archstone_core::Time;

use super::{Budget, Store};
use crate::cells::Cells;
use crate::outcome::{Cause, Removed};
use crate::policy::Policy;

impl<K, V, P: Policy, C: Cells<K, V>> Store<K, V, P, C> {
    /// Removes what is due, looking at no more than `budget_of_looks` entries.
    pub(crate) fn expire(
        &mut self,
        now: Time,
        looks: &mut usize,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) {
        while let Some(slot) = self.wheel.as_mut().and_then(|wheel| wheel.due(now, looks)) {
            match self.remove(slot, budget) {
                Some(entry) => removed.push(entry, Cause::Expired),
                None => break,
            }
        }
    }

    pub(super) fn set_pins(&mut self, slot: u32, pins: u32) {
        if self.pins.is_empty() {
            self.pins.resize(self.table.room(), 0);
        }
        let was = core::mem::replace(&mut self.pins[slot as usize], pins);
        if was == 0 && pins > 0 {
            self.policy.remove(slot, self.table.slots());
        } else if was > 0 && pins == 0 {
            self.policy.insert(slot, self.table.slots());
        }
    }

    /// Keeps an entry from eviction until it is unpinned as often.
    pub(crate) fn pin(&mut self, slot: u32) {
        let pins = self.pins.get(slot as usize).copied().unwrap_or(0);
        self.set_pins(slot, pins.saturating_add(1));
    }

    /// Takes one pin back; says whether there was one.
    pub(crate) fn unpin(&mut self, slot: u32) -> bool {
        let pinned = self.is_pinned(slot);
        if pinned {
            self.set_pins(slot, self.pins[slot as usize] - 1);
        }
        pinned
    }

    /// An entry weighs something else now; others leave to make room. `false` if it had to leave
    /// itself.
    pub(crate) fn reweigh(
        &mut self,
        slot: u32,
        units: u64,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> bool {
        let fits = self.refit(slot, units, budget, removed);
        if !fits {
            if let Some(entry) = self.remove(slot, budget) {
                removed.push(entry, Cause::Evicted);
            }
        }
        fits
    }

    /// [`Store::reweigh`] that leaves an entry as it is if there is no room for what it weighs now.
    pub(crate) fn refit(
        &mut self,
        slot: u32,
        units: u64,
        budget: &mut impl Budget,
        removed: &mut Removed<K, V>,
    ) -> bool {
        let old = self.table.slots().units(slot);
        if old == units {
            return true;
        }
        let pinned = self.is_pinned(slot);
        // Out of the policy, so that it does not make room for itself.
        if !pinned {
            self.policy.remove(slot, self.table.slots());
        }
        let fits = units <= old
            || (units <= budget.limit() && self.make_room(units - old, budget, removed));
        if fits {
            if units < old {
                budget.give(old - units);
            }
            self.units = self.units - old + units;
            self.table.set_units(slot, units);
        }
        if !pinned {
            self.policy.insert(slot, self.table.slots());
        }
        fits
    }

    /// Forgets everything, in place. The entries go to `each`.
    pub(crate) fn clear(&mut self, budget: &mut impl Budget, removed: &mut Removed<K, V>) {
        for place in 0..self.table.places() {
            if let Some(entry) = self.table.place(place).and_then(|slot| self.remove(slot, budget))
            {
                removed.push(entry, Cause::Removed);
            }
        }
        self.policy.clear();
    }
}
