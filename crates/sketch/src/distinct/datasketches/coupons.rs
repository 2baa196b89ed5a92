//! The sparse start: 32 bits of each hash, in a list of 8, then in an open-addressed set.

use alloc::vec;
use alloc::vec::Vec;

use super::estimate::interpolate;
use crate::Bounds;
use crate::distinct::Sigmas;

/// 26 bits of address under 6 bits of value; never 0.
pub(super) type Coupon = u32;

pub(super) const ADDRESS_BITS: u32 = 26;
pub(super) const ADDRESS: u32 = (1 << ADDRESS_BITS) - 1;

const LIST: usize = 8;
const LG_FIRST_SET: u32 = 5;

/// The coupons of a sketch, each once.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Coupons {
    /// A list in the order of arrival while shorter than 8; then a table with a power of two of
    /// slots, at most three quarters full, 0 in a free one.
    slots: Vec<Coupon>,
    len: usize,
}

impl Coupons {
    /// Whether there was room: not when the set would outgrow `2^lg / 8` slots. It then holds the
    /// coupon all the same, and has to become registers.
    pub(super) fn insert(&mut self, coupon: Coupon, lg: u8) -> bool {
        if self.is_list() {
            if self.slots.contains(&coupon) {
                return true;
            }
            self.slots.push(coupon);
            self.len += 1;
            if self.len < LIST {
                return true;
            }
            if lg < 8 {
                return false;
            }
            self.rebuild(LG_FIRST_SET);
            return true;
        }
        let at = self.slot(coupon);
        if self.slots[at] == coupon {
            return true;
        }
        self.slots[at] = coupon;
        self.len += 1;
        if self.len * 4 > self.slots.len() * 3 {
            if self.lg_slots() + 3 >= u32::from(lg) {
                return false;
            }
            self.rebuild(self.lg_slots() + 1);
        }
        true
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Coupon> + '_ {
        self.slots.iter().copied().filter(|&coupon| coupon != 0)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_list(&self) -> bool {
        self.slots.len() < LIST
    }

    /// The binary logarithm of the slots that the image names.
    pub(super) fn lg_slots(&self) -> u32 {
        if self.is_list() { LIST.ilog2() } else { self.slots.len().ilog2() }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.capacity() * 4
    }

    /// How many items: the coupons, and a few more that fell on the same.
    pub(super) fn estimate(&self) -> f64 {
        let n = self.len as f64;
        n.max(interpolate(&COUPONS, |i| ITEMS[i], n))
    }

    pub(super) fn bounds(&self, sigmas: Sigmas) -> Bounds {
        let n = self.len as f64;
        let estimate = interpolate(&COUPONS, |i| ITEMS[i], n);
        let error = sigmas.number() * 0.409 / (1 << 13) as f64;
        Bounds {
            lower: n.max(estimate / (1.0 + error)),
            estimate: n.max(estimate),
            upper: n.max(estimate / (1.0 - error)),
        }
    }

    fn rebuild(&mut self, lg: u32) {
        let old = core::mem::replace(&mut self.slots, vec![0; 1 << lg]);
        for coupon in old.into_iter().filter(|&coupon| coupon != 0) {
            let at = self.slot(coupon);
            self.slots[at] = coupon;
        }
    }

    /// Where the coupon is, or belongs: the probing of the reference, whose slot order the images
    /// have.
    fn slot(&self, coupon: Coupon) -> usize {
        let mask = self.slots.len() - 1;
        let stride = ((coupon & ADDRESS) >> self.slots.len().ilog2()) as usize | 1;
        let mut at = coupon as usize & mask;
        while self.slots[at] != 0 && self.slots[at] != coupon {
            at = (at + stride) & mask;
        }
        at
    }
}

// Items that leave so many different coupons, for interpolation (values of the reference).
const COUPONS: [f64; 8] = [0.0, 1.0, 20.0, 400.0, 8000.0, 160_000.0, 300_000.0, 600_000.0];
const ITEMS: [f64; 8] = [
    0.0,
    1.0,
    20.000_000_943_740_26,
    400.000_396_371_338_4,
    8_000.158_929_460_209,
    160_063.606_776_375_96,
    300_223.707_159_766_35,
    600_895.593_385_617,
];
