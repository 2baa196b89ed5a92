//! A bucket in constant time: powers of two by levels, the part beyond them by rejection.
//!
//! | | cost |
//! |---|---|
//! | look-up | O(1): one multiplication in the best case, four and no unpredictable branch in the worst |
//! | add, remove | the last bucket only, O(1) |
//! | state | none |
//! | balance | the limit: that of random keys |
//! | moves | minimal, both ways |
//!
//! The family of power (Leu 2023), flip (Masson and Lee 2024) and binomial hashing (Coluzzi et al.
//! 2024). Level `j` is the buckets `2^j .. 2^(j+1)`. Among `2^k` buckets, the highest set bit of the
//! key's low `k` bits picks the level (each with its share), and one draw of the key for that level
//! the bucket in it. For `n` buckets in `m < n <= 2 m`, `m` a power of two, the key has a sequence of
//! draws over `0 .. 2 m`, the first of which is its place among `2 m`; its place among `n` is the
//! first draw below `n`, or, if that is below `m`, its place among `m`.
//!
//! Why it is monotone: with one bucket more the first accepted draw stays, unless an earlier one is
//! exactly the new bucket; and at `n = 2 m` all first draws are accepted, so the next level begins
//! with the places that this one ends with.

use crate::buckets::Buckets;
use crate::draw::{draw, pick};
use crate::key::Hashed;
use crate::placement::{Locate, NodeIx, PlacementError};
use core::num::NonZeroU32;

/// The bucket of `key`, 64 uniform bits, among `buckets`.
///
/// ```
/// use archstone_hashring::level;
/// use core::num::NonZeroU32;
///
/// let (ten, eleven) = (NonZeroU32::new(10).unwrap(), NonZeroU32::new(11).unwrap());
/// let (old, new) = (level(0xdead_beef, ten), level(0xdead_beef, eleven));
/// assert!(new == old || new == 10, "to the new bucket or not at all");
/// ```
#[must_use]
#[inline]
pub fn level(key: u64, buckets: NonZeroU32) -> u32 {
    let n = buckets.get();
    if n == 1 {
        return 0;
    }
    // m < n <= 2 m, m = 2^k.
    let k = (n - 1).ilog2();
    let m = 1_u64 << k;
    let first = among_power(key, 2 * m);
    // Few draws are rejected: a branch that is foreseen. `n` is the same call after call, so this
    // one is, too.
    if u64::from(n) * 16 >= 31 * m {
        return if first < n { first } else { rejected(key, n, k) };
    }
    // Many are: the next three draws and the place among `m`, whether needed or not.
    let (place, found) = next_three(key, n, k);
    // One condition: the first half of it alone is a coin.
    if (first >= n) & (place >= n) {
        return rejected(key, n, k);
    }
    pick(first < n, first, found)
}

/// The first of the second, third and fourth draw that is below `n`, else one that is not; and the
/// bucket that it stands for.
#[inline(always)]
fn next_three(key: u64, n: u32, k: u32) -> (u32, u32) {
    let m = 1_u64 << k;
    let wide = (2 * m - 1) as u32;
    let (one, two) = (draw(key, k.into()), draw(key, 32 + u64::from(k)));
    let (second, third, fourth) = ((one >> 32) as u32, two as u32, (two >> 32) as u32);
    let mut place = fourth & wide;
    place = pick(third & wide < n, third & wide, place);
    place = pick(second & wide < n, second & wide, place);
    (place, pick(u64::from(place) < m, among_power(key, m), place))
}

/// Keys of a batch that are looked up together.
const BATCH: usize = 16;

/// [`level`] for at most [`BATCH`] keys. Which of them need more than the first draw is noted without
/// a branch, so nobody else pays for the draws after it.
#[inline]
fn level_few(keys: &[Hashed], out: &mut [NodeIx], n: u32) {
    let k = (n - 1).checked_ilog2().unwrap_or(0);
    let m = 1_u64 << k;
    let (mut late, mut count) = ([0_u8; BATCH], 0);
    for (i, (key, slot)) in keys.iter().zip(out.iter_mut()).enumerate() {
        let first = among_power(key.0, 2 * m);
        slot.0 = first;
        late[count % BATCH] = i as u8;
        count += usize::from(first >= n);
    }
    for &i in &late[..count] {
        let key = keys[usize::from(i)].0;
        let (place, found) = next_three(key, n, k);
        out[usize::from(i)].0 = if place < n { found } else { rejected(key, n, k) };
    }
}

/// The place of `key` among `buckets`, a power of two.
#[inline(always)]
fn among_power(key: u64, buckets: u64) -> u32 {
    let low = key & (buckets - 1);
    let j = (low | 1).ilog2();
    let bit = 1_u32 << j;
    let place = bit | (draw(key, j.into()) as u32 & (bit - 1));
    pick(low != 0, place, 0)
}

/// The draws from the second on, one by one. Half of all draws are below `n`, so 128 of them miss
/// with a chance of 2^-128; the place among `m` is right for monotonicity then, too.
#[cold]
#[inline(never)]
fn rejected(key: u64, n: u32, k: u32) -> u32 {
    let m = 1_u64 << k;
    let wide = (2 * m - 1) as u32;
    for round in 0..64_u64 {
        let word = draw(key, 32 * round + u64::from(k));
        let (low, high) = (word as u32 & wide, (word >> 32) as u32 & wide);
        // The low half of the first word is the first draw, which was rejected.
        let place = if round > 0 && low < n { low } else { high };
        if place < n {
            return if u64::from(place) < m { among_power(key, m) } else { place };
        }
    }
    among_power(key, m)
}

/// Numbered buckets `0..n` in constant time, that grow and shrink at the end.
///
/// What [`Jump`](crate::Jump) does in O(log n). [`Memento`](crate::Memento) removes buckets in the
/// middle on top of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Level {
    buckets: u32,
}

impl Level {
    /// `buckets` buckets.
    #[must_use]
    pub const fn new(buckets: u32) -> Self {
        Self { buckets }
    }
}

impl Locate for Level {
    fn len(&self) -> usize {
        self.buckets as usize
    }

    #[inline]
    fn locate(&self, key: Hashed) -> Option<NodeIx> {
        NonZeroU32::new(self.buckets).map(|buckets| NodeIx(level(key.0, buckets)))
    }

    fn locate_many(&self, keys: &[Hashed], out: &mut [NodeIx]) -> usize {
        if self.buckets == 0 {
            return 0;
        }
        let written = keys.len().min(out.len());
        let batches = keys[..written].chunks(BATCH).zip(out[..written].chunks_mut(BATCH));
        batches.for_each(|(keys, out)| level_few(keys, out, self.buckets));
        written
    }
}

impl Buckets for Level {
    fn grow(&mut self) -> Result<NodeIx, PlacementError> {
        grow_at_the_end(&mut self.buckets)
    }

    fn retire(&mut self, bucket: NodeIx) -> Result<(), PlacementError> {
        retire_the_last(&mut self.buckets, bucket)
    }

    fn is_live(&self, bucket: NodeIx) -> bool {
        bucket.0 < self.buckets
    }

    fn end(&self) -> u32 {
        self.buckets
    }
}

pub(crate) fn grow_at_the_end(buckets: &mut u32) -> Result<NodeIx, PlacementError> {
    let (wanted, limit) = (1 << 32, u32::MAX.into());
    let full = PlacementError::Full { what: "buckets", wanted, limit };
    let new = NodeIx(*buckets);
    *buckets = buckets.checked_add(1).ok_or(full)?;
    Ok(new)
}

pub(crate) fn retire_the_last(buckets: &mut u32, bucket: NodeIx) -> Result<(), PlacementError> {
    match buckets.checked_sub(1) {
        Some(last) if last == bucket.0 => {
            *buckets = last;
            Ok(())
        }
        Some(last) if bucket.0 < last => {
            Err(PlacementError::NotLast { node: bucket, last: NodeIx(last) })
        }
        _ => Err(PlacementError::Unknown { node: bucket }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, among_power, level};
    use crate::draw::draw;
    use crate::key::Hashed;
    use crate::placement::{Locate, NodeIx};
    use alloc::vec::Vec;
    use archstone_core::hash::mix;
    use core::num::NonZeroU32;

    /// The definition, draw by draw.
    fn naive(key: u64, n: u32) -> u32 {
        if n == 1 {
            return 0;
        }
        let k = (n - 1).ilog2();
        let m = 1_u64 << k;
        let first = if key & m == 0 { 0 } else { m } | (draw(key, k.into()) & (m - 1));
        let words = (0..64_u64).flat_map(|round| {
            let word = draw(key, 32 * round + u64::from(k));
            [word & (2 * m - 1), word >> 32 & (2 * m - 1)]
        });
        let mut draws = core::iter::once(first).chain(words.skip(1));
        match draws.find(|&place| place < n.into()) {
            Some(place) if place >= m => place as u32,
            _ => among_power(key, m),
        }
    }

    #[test]
    fn the_fast_paths_are_the_definition() {
        for n in
            (1..200).chain([255, 256, 257, 1_000, 1_023, 1_025, 1_537, 65_537, 1 << 31, u32::MAX])
        {
            for key in (0..400).map(mix).chain([0, u64::MAX, 1, 1 << 63]) {
                assert_eq!(
                    level(key, NonZeroU32::new(n).unwrap()),
                    naive(key, n),
                    "{key:#x} of {n}"
                );
            }
            // A batch, with a rest.
            let keys: Vec<Hashed> = (0..403).map(|i| Hashed(mix(i))).collect();
            let mut found = [NodeIx(0); 403];
            assert_eq!(Level::new(n).locate_many(&keys, &mut found), keys.len());
            let expected: Vec<NodeIx> = keys.iter().map(|key| NodeIx(naive(key.0, n))).collect();
            assert_eq!(found.as_slice(), expected, "of {n}");
        }
    }
}
