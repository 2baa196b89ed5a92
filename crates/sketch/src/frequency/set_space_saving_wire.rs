//! Our own bytes of [`SetSpaceSaving`].
//!
//! Kind, version; admission, seed, coin, total, number of sets; of each set its tags, how many slots
//! are used, and of each of those count, error and item.

use super::set_of_eight::{LAST, Set, Slot, WAYS, with_tag};
use super::set_space_saving::{Admission, SetSpaceSaving};
use crate::wire::{DecodeError, Reader, Why, Writer, serde_as_wire};
use crate::{Key, Wire, kinds};

impl<T: Key> Wire for SetSpaceSaving<T> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::SET_SPACE_SAVING, 1);
        out.u8(self.admission as u8);
        out.u64(self.seed);
        out.u64(self.coin);
        out.varint(self.total);
        out.varint(self.sets.len() as u64);
        for set in &self.sets {
            // The tags follow from the items; they stand here so that a set takes at least nine
            // bytes, and a short input cannot ask for a large table.
            out.u64(set.tags);
            out.u8(set.used().count() as u8);
            for slot in set.used() {
                out.varint(slot.count);
                out.varint(slot.error);
                slot.item.write(out);
            }
        }
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::SET_SPACE_SAVING, 1)?;
        let admission = match input.u8("admission")? {
            0 => Admission::Randomized,
            1 => Admission::Unbiased,
            _ => return Err(input.error("admission", Why::Invalid("unknown"))),
        };
        let seed = input.u64("seed")?;
        let coin = input.u64("coin")?;
        let total = input.varint("total")?;
        let sets = input.count(9, "sets")?;
        if sets == 0 || sets as u64 > Self::MAX_CAPACITY / WAYS as u64 {
            return Err(input.error("sets", Why::Invalid("none, or too many")));
        }
        let mut sketch = Self { admission, seed, coin, total, ..Self::build(sets) };
        for set in 0..sets {
            let start = input.clone();
            let tags = input.u64("tags")?;
            let used = usize::from(input.u8("slots used")?);
            if used > WAYS {
                let why = Why::Limit { value: used as u64, limit: WAYS as u64 };
                return Err(start.error("slots used", why));
            }
            for way in 0..used {
                let count = input.varint("count")?;
                let error = input.varint_up_to(count, "error")?;
                let start = input.clone();
                let item = T::read(input)?;
                let (home, tag) = sketch.place(item.digest(seed));
                let Set { tags, slots } = &mut sketch.sets[set];
                if count == 0 || home != set || slots[..way].iter().any(|slot| slot.item == item) {
                    return Err(start.error("item", Why::Invalid("empty, twice or elsewhere")));
                }
                slots[way] = Slot { count, error, item };
                *tags = with_tag(*tags, way, tag);
            }
            let slots = &sketch.sets[set].slots;
            if slots.iter().any(|slot| slot.count < slots[LAST].count) {
                return Err(start.error("counts", Why::Invalid("the smallest is not the last")));
            }
            if sketch.sets[set].tags != tags {
                return Err(start.error("tags", Why::Invalid("not those of the items")));
            }
        }
        Ok(sketch)
    }
}

serde_as_wire!([T: Key] SetSpaceSaving<T>);
