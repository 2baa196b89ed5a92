use alloc::boxed::Box;

use super::{DsHll, HllType};
use crate::{Incompatible, Merge, ParamError};

/// The union of DataSketches HyperLogLogs of any size and type.
///
/// Its result has as many registers as the smallest sketch that came with registers, at most
/// 2^lg. For sketches of one size [`Merge`] does the same.
#[derive(Clone, Debug)]
pub struct DsHllUnion {
    lg: u8,
    all: DsHll,
}

impl DsHllUnion {
    /// A union of at most 2^`lg` registers.
    ///
    /// # Errors
    /// When `lg` is not in `4 ..= 21`.
    pub fn new(lg: u8) -> Result<Self, ParamError> {
        Ok(Self { lg, all: DsHll::new(lg, HllType::Eight)? })
    }

    /// Takes in a sketch.
    pub fn add(&mut self, sketch: &DsHll) {
        self.all.absorb(sketch, self.lg);
    }

    /// The sketch of all that was taken in.
    #[must_use]
    pub fn result(&self, kind: HllType) -> DsHll {
        self.all.clone().with_type(kind)
    }
}

impl Merge for DsHll {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("lg", self.lg.into(), other.lg.into())?;
        self.absorb(other, self.lg);
        Ok(())
    }
}

impl DsHll {
    fn absorb(&mut self, other: &Self, lg_most: u8) {
        if other.is_empty() {
            return;
        }
        if other.registers.is_empty() {
            if self.is_empty() && self.lg == other.lg {
                *self = other.clone().with_type(self.kind);
            } else {
                other.coupons.iter().for_each(|coupon| self.add_coupon(coupon));
            }
            return;
        }
        if self.registers.is_empty() {
            let coupons = core::mem::take(&mut self.coupons);
            let lg = other.lg.min(lg_most);
            *self = other.clone().with_type(self.kind);
            if lg < other.lg {
                self.lg = lg;
                let hip = (!other.merged).then_some(other.hip);
                self.set_registers(fold(&other.registers, lg), hip);
            }
            coupons.iter().for_each(|coupon| self.add_coupon(coupon));
            return;
        }
        let lg = self.lg.min(other.lg);
        if lg < self.lg {
            self.registers = fold(&self.registers, lg);
            self.lg = lg;
        }
        let folded;
        let theirs = if lg < other.lg {
            folded = fold(&other.registers, lg);
            &folded
        } else {
            &other.registers
        };
        for (register, &theirs) in self.registers.iter_mut().zip(theirs) {
            *register = theirs.max(*register);
        }
        self.merged = true;
        self.hip = 0.0;
        self.add_up();
    }
}

/// The greatest of the registers that share their address in 2^lg.
fn fold(registers: &[u8], lg: u8) -> Box<[u8]> {
    let (first, rest) = registers.split_at(1 << lg);
    let mut folded: Box<[u8]> = first.into();
    for part in rest.chunks_exact(1 << lg) {
        for (register, &other) in folded.iter_mut().zip(part) {
            *register = other.max(*register);
        }
    }
    folded
}
