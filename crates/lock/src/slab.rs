//! Numbered places for values, freed places used again first.

use alloc::vec::Vec;

/// No place.
pub(crate) const NONE: u32 = u32::MAX;
/// Places beyond this are not given: the top bit of a number is the index's, and [`NONE`] is taken.
const LIMIT: usize = (1 << 31) - 1;

#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: u32,
    len: u32,
}

/// `Free` sits in a niche of `T` where `T` has one, so a place is as large as a `T`.
#[derive(Debug)]
enum Place<T> {
    Used(T),
    Free(u32),
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: NONE, len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.len as usize >= LIMIT
    }

    /// The place that the next [`insert`](Self::insert) takes.
    #[inline(always)]
    pub(crate) fn next(&self) -> u32 {
        if self.free == NONE { self.places.len() as u32 } else { self.free }
    }

    /// Callers look at [`is_full`](Self::is_full) first.
    #[inline(always)]
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if self.free == NONE {
            self.grow();
        }
        let at = self.free;
        if let Some(place) = self.places.get_mut(at as usize) {
            if let Place::Free(next) = *place {
                self.free = next;
            }
            *place = Place::Used(value);
            self.len += 1;
        }
        at
    }

    /// One more free place. It does not take the value: that would have to be laid down in memory
    /// first, in every insertion, and read again at once in wider words, which stalls.
    ///
    /// Doubles while small; from 4096 on grows by an eighth, for doubling would leave half of the
    /// memory unused half of the time, and blocks of that size are moved by their pages.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.places.len();
        if len == self.places.capacity() {
            self.places.reserve_exact(if len < 4096 { len.max(8) } else { len / 8 });
        }
        self.free = len as u32;
        self.places.push(Place::Free(NONE));
    }

    #[inline(always)]
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        match self.places.get(at as usize) {
            Some(Place::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        match self.places.get_mut(at as usize) {
            Some(Place::Used(value)) => Some(value),
            _ => None,
        }
    }

    #[inline(always)]
    pub(crate) fn remove(&mut self, at: u32) -> Option<T> {
        let place = self.places.get_mut(at as usize)?;
        if matches!(place, Place::Free(_)) {
            return None;
        }
        let Place::Used(value) = core::mem::replace(place, Place::Free(self.free)) else {
            return None;
        };
        self.free = at;
        self.len -= 1;
        Some(value)
    }

    /// [`remove`](Self::remove) in place, of a place in use.
    #[inline(always)]
    pub(crate) fn free(&mut self, at: u32) {
        if let Some(place) = self.places.get_mut(at as usize) {
            *place = Place::Free(self.free);
            self.free = at;
            self.len -= 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.places.iter().enumerate().filter_map(|(at, place)| match place {
            Place::Used(value) => Some((at as u32, value)),
            Place::Free(_) => None,
        })
    }
}

/// The place must be used: numbers that are kept inside a structure.
impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, at: u32) -> &T {
        self.get(at).expect("a place in use")
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    #[inline(always)]
    fn index_mut(&mut self, at: u32) -> &mut T {
        self.get_mut(at).expect("a place in use")
    }
}
