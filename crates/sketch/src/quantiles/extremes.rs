use core::cmp::Ordering;

use super::{MAX_WEIGHT, Ranked};
use crate::{Bounds, Incompatible};

/// The least and the greatest value of a stream; none of an empty one.
pub(super) type Extremes<T> = Option<(T, T)>;

/// Takes a value in.
#[inline]
pub(super) fn widen<T: Ranked>(extremes: &mut Extremes<T>, value: &T) {
    match extremes {
        Some((min, max)) => {
            if value.order(min) == Ordering::Less {
                *min = value.clone();
            } else if value.order(max) == Ordering::Greater {
                *max = value.clone();
            }
        }
        None => *extremes = Some((value.clone(), value.clone())),
    }
}

/// A rank and how far it may be off, within 0 to 1.
pub(super) fn around(rank: f64, off: f64) -> Bounds {
    Bounds { lower: (rank - off).max(0.0), estimate: rank, upper: (rank + off).min(1.0) }
}

/// An error when two streams are too heavy for one sketch.
pub(super) const fn unless_too_heavy(ours: u64, theirs: u64) -> Result<(), Incompatible> {
    if theirs > MAX_WEIGHT - ours {
        return Err(Incompatible { what: "weights, over 2^60 in all", ours, theirs });
    }
    Ok(())
}
