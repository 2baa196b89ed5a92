//! KLL: preamble, level bounds, extremes, values.
//!
//! | byte | 0 | 1 | 2 | 3 | 4, 5 | 6 | 7 | 8 to 15 | 16, 17 | 18 | 19 | 20 .. |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | | ints | version | 15 | flags | k | 8 | 0 | n | smallest k | levels | 0 | bounds, least, greatest, values |
//!
//! An empty one ends after byte 7, one of one value has it there. The bounds are where each level
//! begins in an array as large as all levels' sizes, filled from its end.

use alloc::vec::Vec;

use super::{DsValue, preamble};
use crate::quantiles::coins::Coins;
use crate::quantiles::kll_wire::MAX_LEVELS;
use crate::quantiles::{Kll, MAX_WEIGHT};
use crate::wire::{DecodeError, Reader, Why, Writer};

const FAMILY: u8 = 15;
const EMPTY: u8 = 1;
const SINGLE: u8 = 4;
/// The least size of a level, which images state.
const M: u8 = 8;

impl<T: DsValue> Kll<T> {
    /// The image that Apache DataSketches reads (`kll_sketch` of C++, `KllFloatsSketch` and the
    /// others of Java, Druid). Where more is kept than fits there, it is compacted first.
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        let mut sketch = self.clone();
        sketch.plain();
        let single = sketch.n == 1;
        let mut out = Writer::new();
        let short = single || sketch.n == 0;
        out.bytes(&[if short { 2 } else { 5 }, if single { 2 } else { 1 }, FAMILY]);
        out.u8(if single { SINGLE } else { 0 } | if sketch.n == 0 { EMPTY } else { 0 });
        out.u16(sketch.k);
        out.bytes(&[M, 0]);
        if let (Some((min, max)), false) = (&sketch.extremes, single) {
            out.u64(sketch.n);
            out.u16(sketch.min_k);
            out.bytes(&[sketch.levels.len() as u8, 0]);
            let mut place = (sketch.size - sketch.on_levels()) as u32;
            for items in &sketch.levels {
                out.u32(place);
                place += items.len() as u32;
            }
            min.write_ds(&mut out);
            max.write_ds(&mut out);
        }
        // The lowest level is in no order, and filled from its end.
        sketch.levels[0].iter().rev().for_each(|item| item.write_ds(&mut out));
        sketch.levels[1..].iter().flatten().for_each(|item| item.write_ds(&mut out));
        out.into_vec()
    }

    /// Reads an image of Apache DataSketches; its answers are those of the writer.
    ///
    /// # Errors
    /// When the bytes are not an image of a KLL sketch of `T`.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader::new(bytes);
        let start = input.clone();
        let wrong = |why| Err(start.error("KLL image", Why::Invalid(why)));
        let (ints, version) = preamble(input, FAMILY, &[(2, 1), (2, 2), (5, 1)])?;
        let flags = input.u8("flags")?;
        let k = input.u16("k")?;
        let m = input.u8("m")?;
        input.u8("padding")?;
        if k < Self::MIN_K || m != M {
            return wrong("k below 8, or other level sizes");
        }
        let (empty, single) = (flags & EMPTY != 0, flags & SINGLE != 0);
        let shape = (ints, version);
        if shape
            != if single {
                (2, 2)
            } else if empty {
                (2, 1)
            } else {
                (5, 1)
            }
            || (empty && single)
        {
            return wrong("flags that do not belong to the preamble");
        }
        let mut sketch = Self::empty(k, Coins::new(0));
        if single {
            let item = T::read_ds(input)?;
            sketch.n = 1;
            sketch.extremes = Some((item.clone(), item.clone()));
            let mut items = Some(Vec::from([item]));
            sketch.read_levels(1, input, |_, _| Ok(items.take().unwrap_or_default()))?;
        } else if !empty {
            sketch.read_full(input)?;
        }
        input.clone().finish()?;
        sketch.coins.absorb(sketch.n);
        Ok(sketch)
    }

    /// Without an open group, with order on all levels but the lowest, and no more than fits.
    fn plain(&mut self) {
        let pending = self.pending().map(|(item, seen)| (item.clone(), seen));
        if let Some((item, seen)) = pending {
            self.group = None;
            self.wait = 1;
            self.spread(&item, seen);
        }
        if self.on_levels() > self.size {
            self.compress();
        }
        self.levels[1..].iter_mut().for_each(|items| items.sort_unstable_by(T::order));
    }

    fn read_full(&mut self, input: &mut Reader<'_>) -> Result<(), DecodeError> {
        let start = input.clone();
        let wrong = |why| Err(start.error("KLL image", Why::Invalid(why)));
        self.n = input.u64("n")?;
        self.min_k = input.u16("smallest k")?;
        let levels = usize::from(input.u8("levels")?);
        input.u8("padding")?;
        if self.n == 0 || self.n > MAX_WEIGHT {
            return wrong("a weight of 0 or above 2^60");
        }
        if !(Self::MIN_K..=self.k).contains(&self.min_k) {
            return wrong("a smallest k below 8 or above k");
        }
        if !(1..=MAX_LEVELS).contains(&levels) {
            return wrong("not 1 to 61 levels");
        }
        let mut bounds = Vec::with_capacity(levels + 1);
        for _ in 0..levels {
            bounds.push(input.u32("level bound")? as usize);
        }
        while self.levels.len() < levels {
            self.add_level();
        }
        bounds.push(self.size);
        self.extremes = Some((T::read_ds(input)?, T::read_ds(input)?));
        if !bounds.is_sorted() || (self.size - bounds[0]) > input.remaining() / T::LEAST_BYTES {
            return wrong("level bounds that fall, or more values than bytes");
        }
        self.settle();
        let sampled = self.input > 0;
        self.read_levels(levels, input, |level, input| {
            let count = bounds[level + 1] - bounds[level];
            let mut items = (0..count).map(|_| T::read_ds(input)).collect::<Result<Vec<T>, _>>()?;
            if level == 0 {
                items.reverse();
                if sampled {
                    items.sort_unstable_by(T::order);
                }
            }
            Ok(items)
        })
    }
}
