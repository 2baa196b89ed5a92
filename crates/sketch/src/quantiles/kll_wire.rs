//! Our own bytes of [`Kll`].
//!
//! Kind, version; `k`, smallest `k`, weight, coins; if not empty the extremes, the open group (how
//! many of it came, 0 for none, then lg, pick, value), the two sets of levels' coins, and the
//! levels from the lowest, each with its number of values.

use alloc::vec::Vec;

use super::coins::Coins;
use super::kll::Group;
use super::{Kll, MAX_WEIGHT, Ranked};
use crate::kinds;
use crate::wire::{DecodeError, Reader, Why, Wire, Writer, serde_as_wire};

/// The most levels: the highest stands for 2^60 a value.
pub(super) const MAX_LEVELS: usize = 61;

impl<T: Ranked> Wire for Kll<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::KLL, 1);
        out.varint(self.k.into());
        out.varint(self.min_k.into());
        out.varint(self.n);
        out.u64(self.coins.0);
        let Some((min, max)) = &self.extremes else { return };
        min.write(out);
        max.write(out);
        out.varint(self.pending().map_or(0, |(_, seen)| seen));
        if let Some(group) = &self.group {
            out.u8(group.lg);
            out.varint(group.pick);
            group.item.write(out);
        }
        out.varint(self.turned);
        out.varint(self.second);
        out.varint(self.levels.len() as u64);
        for items in &self.levels {
            out.varint(items.len() as u64);
            items.iter().for_each(|item| item.write(out));
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::KLL, 1)?;
        let start = input.clone();
        let k = input.varint_up_to(u16::MAX.into(), "k")? as u16;
        let min_k = input.varint_up_to(k.into(), "smallest k")? as u16;
        if min_k < Self::MIN_K {
            return Err(start.error("k", Why::Invalid("less than 8")));
        }
        let n = input.varint_up_to(MAX_WEIGHT, "weight")?;
        let mut sketch = Self::empty(k, Coins(input.u64("coins")?));
        sketch.min_k = min_k;
        sketch.n = n;
        if n == 0 {
            return if min_k == k {
                Ok(sketch)
            } else {
                Err(start.error("k", Why::Invalid("a smaller one in an empty sketch")))
            };
        }
        sketch.extremes = Some((T::read(input)?, T::read(input)?));
        let seen = input.varint_up_to(MAX_WEIGHT, "values of the group")?;
        if seen > 0 {
            let (lg, pick) = (input.u8("lg of the group")?, input.varint("pick")?);
            if !(1..60).contains(&lg) || seen > 1 << lg || pick == 0 || pick > 1 << lg {
                return Err(start.error("group", Why::Invalid("more values than it has")));
            }
            let (item, picked) = (T::read(input)?, pick <= seen);
            sketch.wait = if picked { (1 << lg) + 1 } else { pick } - seen;
            sketch.group = Some(Group { item, lg, pick, picked });
        }
        (sketch.turned, sketch.second) = (input.varint("coins")?, input.varint("coins")?);
        let levels = input.count(1, "levels")?;
        if (sketch.turned | sketch.second) >> levels.min(63) != 0 {
            return Err(start.error("coins", Why::Invalid("of a level that is not there")));
        }
        sketch.read_levels(levels, input, |_, input| {
            let count = input.count(T::LEAST, "values of a level")?;
            (0..count).map(|_| T::read(input)).collect()
        })?;
        if sketch.group.as_ref().is_some_and(|group| usize::from(group.lg) > sketch.input) {
            return Err(start.error("group", Why::Invalid("of a level above the input")));
        }
        Ok(sketch)
    }
}
serde_as_wire!([T: Ranked] Kll<T>);

impl<T: Ranked> Kll<T> {
    /// Fills an empty sketch of a stated weight and extremes with levels, and checks all of it.
    pub(super) fn read_levels(
        &mut self,
        levels: usize,
        input: &mut Reader<'_>,
        mut read: impl FnMut(usize, &mut Reader<'_>) -> Result<Vec<T>, DecodeError>,
    ) -> Result<(), DecodeError> {
        let start = input.clone();
        let wrong = |why| Err(start.error("levels", Why::Invalid(why)));
        if !(1..=MAX_LEVELS).contains(&levels) {
            return wrong("not 1 to 61 of them");
        }
        while self.levels.len() < levels {
            self.add_level();
        }
        self.settle();
        let mut weight = self.pending().map_or(0, |(_, seen)| u128::from(seen));
        for level in 0..levels {
            let items = read(level, input)?;
            weight += (items.len() as u128) << level;
            if level != self.input && !items.is_sorted_by(|a, b| a.order(b).is_le()) {
                return wrong("not ascending");
            }
            self.levels[level] = items;
        }
        if weight != u128::from(self.n) {
            return wrong("of another weight than stated");
        }
        if self.on_levels() >= self.most() {
            return wrong("more values than fit");
        }
        let Some((min, max)) = &self.extremes else { return wrong("without extremes") };
        let outside =
            |item: &T| !item.has_place() || item.order(min).is_lt() || item.order(max).is_gt();
        let group = self.group.as_ref().map(|group| &group.item);
        if self.levels.iter().flatten().chain(group).chain([min, max]).any(outside) {
            return wrong("a value outside the extremes");
        }
        self.make_room();
        Ok(())
    }
}
