//! Our own bytes of [`Req`].
//!
//! Kind, version; `k`, accurate end, weight, coins; if not empty the extremes and the levels from
//! the lowest: state, section (a float), sections, coin, how many are ascending, number, values.

use alloc::vec::Vec;

use super::coins::Coins;
use super::req_compactor::{Compactor, SECTIONS, even};
use super::{Accurate, MAX_WEIGHT, Ranked, Req};
use crate::kinds;
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};

impl<T: Ranked> Wire for Req<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::REQ, 1);
        out.varint(self.k.into());
        out.u8(self.accurate as u8);
        out.varint(self.n);
        out.u64(self.coins.0);
        let Some((min, max)) = &self.extremes else { return };
        min.write(out);
        max.write(out);
        out.varint(self.levels.len() as u64);
        for level in &self.levels {
            out.varint(level.state);
            out.bytes(&level.section.to_le_bytes());
            out.u8(level.sections);
            out.u8(level.coin.into());
            out.varint(level.sorted as u64);
            out.varint(level.items.len() as u64);
            level.items.iter().for_each(|item| item.write(out));
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::REQ, 1)?;
        let start = input.clone();
        let wrong = |why| start.error("parameters", Why::Invalid(why));
        let k = input.varint_up_to(Self::K.1.into(), "k")? as u16;
        let accurate = match input.u8("accurate end")? {
            0 => Accurate::High,
            1 => Accurate::Low,
            _ => return Err(wrong("an end that is none")),
        };
        if k < Self::K.0 || k % 2 == 1 {
            return Err(wrong("k odd or below 4"));
        }
        let n = input.varint_up_to(MAX_WEIGHT, "weight")?;
        let mut sketch = Self::empty(k, accurate, Coins(input.u64("coins")?));
        if n == 0 {
            return Ok(sketch);
        }
        sketch.n = n;
        sketch.extremes = Some((T::read(input)?, T::read(input)?));
        let count = input.count(8, "levels")?;
        let mut levels = Vec::new();
        for _ in 0..count {
            let state = input.varint("state")?;
            let section = f32::from_le_bytes(input.u32("section")?.to_le_bytes());
            let (sections, coin) = (input.u8("sections")?, input.u8("coin")?);
            let sorted = input.varint("ascending values")?;
            let count = input.count(T::LEAST, "values of a level")?;
            let items = (0..count).map(|_| T::read(input)).collect::<Result<Vec<T>, _>>()?;
            if coin > 1 || sorted > count as u64 {
                return Err(wrong("a coin that is none, or more ascending values than there are"));
            }
            let (sorted, coin) = (sorted as usize, coin == 1);
            let mut level = Compactor::new(k).with_section(section, sections);
            (level.items, level.sorted, level.state, level.coin) = (items, sorted, state, coin);
            levels.push(level);
        }
        sketch.levels = levels;
        sketch.checked(&start)
    }
}
serde_as_wire!([T: Ranked] Req<T>);

impl<T: Ranked> Req<T> {
    /// Itself if what was read is a sketch.
    pub(super) fn checked(mut self, start: &Reader<'_>) -> Result<Self, DecodeError> {
        let wrong = |why| Err(start.error("levels", Why::Invalid(why)));
        if !(1..=61).contains(&self.levels.len()) {
            return wrong("not 1 to 61 of them");
        }
        let mut weight = 0;
        for (h, level) in self.levels.iter().enumerate() {
            weight += (level.items.len() as u128) << h;
            if !reachable(self.k, level) {
                return wrong("sections that no sketch comes to");
            }
            if !level.items[..level.sorted].is_sorted_by(|a, b| a.order(b).is_le()) {
                return wrong("not ascending");
            }
        }
        if weight != u128::from(self.n) {
            return wrong("of another weight than stated");
        }
        let Some((min, max)) = &self.extremes else { return wrong("without extremes") };
        let outside =
            |item: &T| !item.has_place() || item.order(min).is_lt() || item.order(max).is_gt();
        let items = self.levels.iter().flat_map(|level| &level.items);
        if items.chain([min, max]).any(outside) {
            return wrong("a value outside the extremes");
        }
        if self.retained() >= self.capacity() {
            return wrong("more values than fit");
        }
        self.make_room();
        Ok(self)
    }
}

/// Whether sections have been halved as often as they were doubled, and the state allows it.
fn reachable<T>(k: u16, level: &Compactor<T>) -> bool {
    let mut grown = Compactor::<T>::new(k);
    grown.state = level.state;
    while grown.sections < level.sections && grown.more_sections() {}
    // The same division in another language may round otherwise.
    grown.sections == level.sections
        && level.sections >= SECTIONS
        && (grown.section - level.section).abs() <= 1e-4 * grown.section
        && even(level.section) >= 4
}
