//! ARC, the adaptive replacement cache (Megiddo and Modha, FAST 2003).

use super::history::History;
use super::{Bits, Policy, Slots};
use crate::links::Links;

/// Seen once lately, and more than once. The same for the ghosts.
const ONCE: usize = 0;
const OFTEN: usize = 1;

/// Two lists in order of use, of what was used once and of what was used more often, each with the
/// ghosts of those that left it. A ghost that comes back makes its list larger at the cost of the
/// other. Scans pass through the first list; a loop larger than the cache hits nothing. About 27
/// bytes an entry, as many ghosts as entries included.
#[derive(Debug)]
pub struct Arc {
    lists: Links<2>,
    often: Bits,
    history: History,
    /// The ghosts, least recently evicted first, and which list each left.
    ghosts: Links<2>,
    ghosts_often: Bits,
    limit: u64,
    /// What the list of those used once should hold: `p` of the paper. It moves by fractions, which
    /// matter: with whole steps one trace of the tests loses .008 of its hits.
    target: f64,
    /// Units in the lists and among the ghosts.
    held: [u64; 2],
    gone: [u64; 2],
    /// The most ghosts there may be, whatever they weigh.
    most_ghosts: usize,
    /// The ghost that is about to come back, and the list it left.
    coming: Option<(u32, usize)>,
}

impl Arc {
    fn drop_ghost(&mut self, number: u32) {
        let list = usize::from(self.ghosts_often.get(number));
        self.ghosts.unlink(number);
        self.gone[list] -= self.history.remove(number);
    }

    /// Forgets the ghost of a slot's key; says whether there was one.
    fn take_ghost(&mut self, slot: u32, slots: &Slots) -> bool {
        let ghost = self.history.find(slots.hash(slot));
        if let Some(number) = ghost {
            self.drop_ghost(number);
        }
        ghost.is_some()
    }

    fn enter(&mut self, list: usize, slot: u32, slots: &Slots) {
        self.coming = None;
        self.lists.push_newest(list, slot);
        self.often.set(slot, list == OFTEN);
        self.held[list] = self.held[list].saturating_add(slots.units(slot));
        self.trim(0);
    }

    /// Forgets the oldest ghost of a list; says whether there was one.
    fn drop_oldest(&mut self, list: usize) -> bool {
        let oldest = self.ghosts.oldest(list);
        if let Some(number) = oldest {
            self.drop_ghost(number);
        }
        oldest.is_some()
    }

    fn add_ghost(&mut self, hash: u32, units: u64, list: usize) {
        // What weighs nothing would make a history without end; a key has one ghost.
        if units == 0 || self.history.find(hash).is_some() {
            return;
        }
        while self.history.len() >= self.most_ghosts {
            let heavier = usize::from(self.gone[OFTEN] > self.gone[ONCE]);
            if !self.drop_oldest(heavier) && !self.drop_oldest(1 - heavier) {
                return;
            }
        }
        let number = self.history.add(hash, units);
        self.ghosts.reserve(self.history.room());
        self.ghosts_often.reserve(self.history.room());
        self.ghosts_often.set(number, list == OFTEN);
        self.ghosts.push_newest(list, number);
        self.gone[list] += units;
    }

    /// `REPLACE` of the paper: who leaves, and whether its ghost stays.
    fn replace(&mut self, slots: &Slots, ghost: bool) -> Option<u32> {
        let came_often = matches!(self.coming, Some((_, OFTEN)));
        let once = self.held[ONCE] > 0
            && (self.held[ONCE] as f64 > self.target
                || (self.held[ONCE] as f64 >= self.target && came_often));
        let list = if once { ONCE } else { OFTEN };
        let from = |list: usize| self.lists.oldest(list).map(|slot| (slot, list));
        let (slot, list) = from(list).or_else(|| from(1 - list))?;
        self.lists.unlink(slot);
        self.held[list] -= slots.units(slot);
        if ghost {
            self.add_ghost(slots.hash(slot), slots.units(slot), list);
        }
        Some(slot)
    }

    /// As many ghosts as the paper allows before `coming` more units.
    fn trim(&mut self, coming: u64) {
        let once = |arc: &Self| arc.held[ONCE].saturating_add(arc.gone[ONCE]);
        while once(self).saturating_add(coming) > self.limit && self.drop_oldest(ONCE) {}
        let all = |arc: &Self| once(arc).saturating_add(arc.held[OFTEN] + arc.gone[OFTEN]);
        let most = self.limit.saturating_mul(2);
        while all(self).saturating_add(coming) > most && self.drop_oldest(OFTEN) {}
    }
}

impl Policy for Arc {
    const NAME: &'static str = "ARC";
    const SHARED_HIT: bool = false;
    type View = ();

    fn new(limit: u64) -> Self {
        Self {
            lists: Links::new(),
            often: Bits::default(),
            history: History::new(),
            ghosts: Links::new(),
            ghosts_often: Bits::default(),
            limit,
            target: 0.0,
            held: [0; 2],
            gone: [0; 2],
            most_ghosts: 0,
            coming: None,
        }
    }
    fn reserve(&mut self, slots: usize) {
        self.lists.reserve(slots);
        self.often.reserve(slots);
        self.most_ghosts = slots.saturating_mul(2);
    }
    fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.target = self.target.min(limit as f64);
        self.trim(0);
    }

    fn coming(&mut self, hash: u32, units: u64) {
        let Some(number) = self.history.find(hash) else {
            self.coming = None;
            return;
        };
        let list = usize::from(self.ghosts_often.get(number));
        let ratio = self.gone[1 - list] as f64 / self.gone[list].max(1) as f64;
        let step = ratio.max(1.0) * units as f64;
        self.target = match list {
            ONCE => (self.target + step).min(self.limit as f64),
            _ => (self.target - step).max(0.0),
        };
        self.coming = Some((hash, list));
    }

    fn insert(&mut self, slot: u32, slots: &Slots) {
        let list = if self.take_ghost(slot, slots) { OFTEN } else { ONCE };
        self.enter(list, slot, slots);
    }
    #[inline]
    fn hit(&mut self, slot: u32, slots: &Slots) {
        if !self.often.get(slot) {
            let units = slots.units(slot);
            self.held[ONCE] -= units;
            self.held[OFTEN] += units;
            self.often.set(slot, true);
        }
        self.lists.move_to_newest(OFTEN, slot);
    }
    fn view(&self) {}
    fn touch((): &(), _: u32) {}

    fn evict(&mut self, slots: &Slots) -> Option<u32> {
        if self.coming.is_some() {
            return self.replace(slots, true);
        }
        if self.held[ONCE] >= self.limit && self.gone[ONCE] == 0 {
            // The first list is the whole cache: its oldest leaves without a trace.
            let slot = self.lists.oldest(ONCE)?;
            self.lists.unlink(slot);
            self.held[ONCE] -= slots.units(slot);
            return Some(slot);
        }
        self.trim(1);
        self.replace(slots, true)
    }
    fn remove(&mut self, slot: u32, slots: &Slots) {
        self.lists.unlink(slot);
        self.held[usize::from(self.often.get(slot))] -= slots.units(slot);
    }
    fn for_each(&self, each: &mut dyn FnMut(u32)) {
        for list in [ONCE, OFTEN] {
            self.lists.for_each(list, |slot| {
                assert_eq!(self.often.get(slot), list == OFTEN, "a slot in the wrong list");
                each(slot);
            });
            let mut units = 0;
            self.ghosts.for_each(list, |number| {
                assert_eq!(self.ghosts_often.get(number), list == OFTEN, "a ghost's list");
                units += self.history.units(number);
            });
            assert_eq!(units, self.gone[list], "what the ghosts weigh");
        }
        assert!((0.0..=self.limit as f64).contains(&self.target), "the target");
        assert!(self.history.len() <= self.most_ghosts, "too many ghosts");
    }
    fn validate(&self, slots: &Slots) {
        for list in [ONCE, OFTEN] {
            let sum = super::weigh(slots, |each| self.lists.for_each(list, each));
            assert_eq!(sum, self.held[list], "what list {list} weighs");
        }
    }
    /// Which list, and the target but for its last bit.
    fn save(&self, _: &Slots, each: &mut dyn FnMut(u32, u64)) {
        let target = self.target.to_bits() & !1;
        self.for_each(&mut |slot| each(slot, target | u64::from(self.often.get(slot))));
    }
    fn restore(&mut self, slot: u32, word: u64, slots: &Slots) {
        // `max` first: it makes a zero of what is no number.
        self.target = f64::from_bits(word & !1).max(0.0).min(self.limit as f64);
        self.take_ghost(slot, slots);
        self.enter(if word & 1 == 1 { OFTEN } else { ONCE }, slot, slots);
    }
    fn clear(&mut self) {
        self.lists.clear();
        self.ghosts.clear();
        self.history.clear();
        (self.target, self.held, self.gone, self.coming) = (0.0, [0; 2], [0; 2], None);
    }
    fn bytes(&self) -> usize {
        self.lists.bytes()
            + self.often.bytes()
            + self.history.bytes()
            + self.ghosts.bytes()
            + self.ghosts_often.bytes()
    }
}
