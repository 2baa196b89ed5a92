//! REQ: preamble, for more than one level the weight and the extremes, then the levels.
//!
//! | byte | 0 | 1 | 2 | 3 | 4, 5 | 6 | 7 | 8 .. |
//! |---|---|---|---|---|---|---|---|---|
//! | | ints | 1 | 17 | flags | k | levels | raw values | n (8), least, greatest |
//!
//! A level: state (8), section (a float), lg of its weight, sections, padding (2), number (4),
//! values. Up to 4 values stand after byte 7 as they are.

use alloc::vec::Vec;

use super::{DsValue, preamble};
use crate::quantiles::coins::Coins;
use crate::quantiles::req_compactor::Compactor;
use crate::quantiles::{Accurate, MAX_WEIGHT, Req};
use crate::wire::{DecodeError, Reader, Why, Writer};

const FAMILY: u8 = 17;
const EMPTY: u8 = 4;
const HIGH: u8 = 8;
const RAW: u8 = 16;
const SORTED: u8 = 32;
/// Up to so many values stand without a level.
const MOST_RAW: u64 = 4;

impl<T: DsValue> Req<T> {
    /// The image that Apache DataSketches reads (`req_sketch` of C++, `ReqSketch` of Java for `f32`).
    #[must_use]
    pub fn to_datasketches(&self) -> Vec<u8> {
        // Levels but the lowest have to be ascending there.
        let mut levels = self.levels.clone();
        levels[1..].iter_mut().for_each(Compactor::sort);
        let mut out = Writer::new();
        let several = self.levels.len() > 1;
        let raw = self.n <= MOST_RAW && !several;
        out.bytes(&[if several { 4 } else { 2 }, 1, FAMILY]);
        let flag = |on, flag| if on { flag } else { 0 };
        out.u8(flag(self.n == 0, EMPTY)
            | flag(self.accurate == Accurate::High, HIGH)
            | flag(raw, RAW)
            | flag(levels[0].sorted == levels[0].items.len(), SORTED));
        out.u16(self.k);
        out.u8(if self.n == 0 { 0 } else { self.levels.len() as u8 });
        out.u8(if raw { self.n as u8 } else { 0 });
        if let (Some((min, max)), true) = (&self.extremes, several) {
            out.u64(self.n);
            min.write_ds(&mut out);
            max.write_ds(&mut out);
        }
        for (h, level) in levels.iter().enumerate().filter(|_| self.n > 0) {
            if !raw {
                out.u64(level.state);
                out.bytes(&level.section.to_le_bytes());
                out.bytes(&[h as u8, level.sections, 0, 0]);
                out.u32(level.items.len() as u32);
            }
            level.items.iter().for_each(|item| item.write_ds(&mut out));
        }
        out.into_vec()
    }

    /// Reads an image of Apache DataSketches; its answers are those of the writer.
    ///
    /// # Errors
    /// When the bytes are not an image of a REQ sketch of `T`.
    pub fn from_datasketches(bytes: &[u8]) -> Result<Self, DecodeError> {
        let input = &mut Reader::new(bytes);
        let start = input.clone();
        let wrong = |why| Err(start.error("REQ image", Why::Invalid(why)));
        let (ints, _) = preamble(input, FAMILY, &[(2, 1), (4, 1)])?;
        let (flags, k) = (input.u8("flags")?, input.u16("k")?);
        let (count, raw) = (input.u8("levels")?, input.u8("raw values")?);
        let accurate = if flags & HIGH != 0 { Accurate::High } else { Accurate::Low };
        if !(Self::K.0..=Self::K.1).contains(&k) || k % 2 == 1 {
            return wrong("k odd or not within 4 to 1024");
        }
        if (ints == 4) != (count > 1) || (raw > 0) != (flags & RAW != 0 && flags & EMPTY == 0) {
            return wrong("flags that do not belong to the preamble");
        }
        let mut sketch = Self::empty(k, accurate, Coins::new(0));
        if flags & EMPTY != 0 {
            if count > 0 {
                return wrong("empty, with levels");
            }
            input.clone().finish()?;
            return Ok(sketch);
        }
        if count > 1 {
            sketch.n = input.u64("n")?;
            sketch.extremes = Some((T::read_ds(input)?, T::read_ds(input)?));
            if sketch.n > MAX_WEIGHT {
                return wrong("a weight above 2^60");
            }
        }
        let mut levels = Vec::new();
        for h in 0..count {
            let mut level = Compactor::new(k);
            let mut values = u32::from(raw);
            if raw == 0 {
                level.state = input.u64("state")?;
                let section = f32::from_le_bytes(input.u32("section")?.to_le_bytes());
                let lg = input.u8("lg of the weight")?;
                level = level.with_section(section, input.u8("sections")?);
                input.u16("padding")?;
                values = input.u32("number of values")?;
                if lg != h || level.sections == 0 {
                    return wrong("a level out of order");
                }
            } else if u64::from(raw) > MOST_RAW || count != 1 {
                return wrong("raw values in another number than 1 to 4");
            }
            if values as usize > input.remaining() / T::LEAST_BYTES {
                return wrong("more values than bytes");
            }
            level.items = (0..values).map(|_| T::read_ds(input)).collect::<Result<_, _>>()?;
            level.sorted = if h > 0 || flags & SORTED != 0 { level.items.len() } else { 0 };
            levels.push(level);
        }
        input.clone().finish()?;
        if let [level] = &levels[..] {
            let least = level.items.iter().min_by(|a, b| a.order(b));
            let greatest = level.items.iter().max_by(|a, b| a.order(b));
            sketch.extremes = least.cloned().zip(greatest.cloned());
            sketch.n = level.items.len() as u64;
        }
        sketch.levels = levels;
        sketch.coins.absorb(sketch.n);
        sketch.checked(&start)
    }
}
