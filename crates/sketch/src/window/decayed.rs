use alloc::borrow::ToOwned;
use core::borrow::Borrow;

use archstone_core::bytes::{DecodeError, Reader, Why, Writer};

use super::{Decay, Weighted};
use crate::frequency::{CountMin, Counter, SetSpaceSaving, SpaceSaving, TopK};
use crate::wire::serde_as_wire;
use crate::{Bounds, Incompatible, Item, Key, Merge, ParamError, Wire, kinds, math};

/// Counts in which an event of one half-life ago weighs half as much as one of now.
///
/// Forward decay (Cormode et al. 2009): an event of time `t` is added with the weight
/// `2^((t - landmark) / half_life)`, and answers for time `now` are divided by the same for `now`.
/// So adding is adding, order does not matter, late events are right, and nothing is touched that
/// is not asked for. When weights grow too large the landmark moves on by whole half-lives and the
/// sketch is halved as often.
///
/// Over [`CountMin`]`<u64>`, [`TopK`], [`SpaceSaving`] or [`SetSpaceSaving`]; `CountMin<u32>` has
/// too small cells.
///
/// **Error** that of the sketch with N the decayed total, and `2^-16` of an event for rounding each
/// time it is added or halved.
///
/// ```
/// use archstone_sketch::{TopK, window::Decayed};
///
/// let mut trending = Decayed::half_life(3600, TopK::<String>::new(10)?)?;
/// for _ in 0..100 {
///     trending.add(0, "yesterday", 1.0)?;
/// }
/// trending.add(86_400, "today", 1.0)?;
/// assert_eq!(trending.sketch().top()[0].item.as_str(), "today");
/// assert!((trending.total(86_400) - 1.0).abs() < 1e-4);
/// # Ok::<(), archstone_sketch::ParamError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Decayed<S> {
    sketch: S,
    half_life: u64,
    /// A multiple of the half-life, so that two of them are a whole number of halvings apart.
    landmark: u64,
    /// The decayed total at the landmark.
    total: f64,
}

/// Units of the sketch for a weight of one at the landmark.
const UNIT: f64 = 65_536.0;
/// Half-lives that an event may be past the landmark before it moves.
const SPAN: u64 = 16;

impl<S: Decay> Decayed<S> {
    /// An empty `sketch` in which weights halve every `half_life`, in the caller's unit of time.
    ///
    /// # Errors
    /// When `half_life` is 0.
    pub fn half_life(half_life: u64, sketch: S) -> Result<Self, ParamError> {
        ParamError::whole("half-life", half_life, 1, u64::MAX)?;
        Ok(Self { sketch, half_life, landmark: 0, total: 0.0 })
    }

    /// Adds `weight` of `item` at time `now`, which may be earlier than events before.
    ///
    /// # Errors
    /// When `weight` is negative, infinite or not a number.
    pub fn add<Q: ?Sized>(&mut self, now: u64, item: &Q, weight: f64) -> Result<(), ParamError>
    where
        S: Weighted<Q>,
    {
        ParamError::real("weight", weight, 0.0, f64::MAX)?;
        self.advance(now);
        let weight = weight * self.growth(now);
        // Both saturate; less than half a unit is nothing.
        self.total = (self.total + weight).min(f64::MAX);
        self.sketch.add_weight(item, math::round(weight * UNIT) as u64);
        Ok(())
    }

    /// The sketch. Its counts are in units of its own: [`scaled`](Self::scaled) turns them into
    /// weights. Their order and their shares of each other are those of the weights.
    #[must_use]
    pub const fn sketch(&self) -> &S {
        &self.sketch
    }

    /// `bounds` of the sketch as weights at time `now`.
    #[must_use]
    pub fn scaled(&self, now: u64, bounds: Bounds) -> Bounds {
        let factor = 1.0 / (UNIT * self.growth(now));
        Bounds {
            lower: bounds.lower * factor,
            estimate: bounds.estimate * factor,
            upper: bounds.upper * factor,
        }
    }

    /// The weight of all events at time `now`, exact but for the rounding of doubles; at most
    /// `f64::MAX`.
    #[must_use]
    pub fn total(&self, now: u64) -> f64 {
        (self.total / self.growth(now)).min(f64::MAX)
    }

    /// The weight at time `now` of an event of the landmark, inverted: `2^((now - landmark) / h)`.
    fn growth(&self, now: u64) -> f64 {
        let half_lives = if now >= self.landmark {
            (now - self.landmark) as f64 / self.half_life as f64
        } else {
            -((self.landmark - now) as f64 / self.half_life as f64)
        };
        // Of a time long before the landmark it would be 0, which no weight can be divided by.
        math::exp2(half_lives).max(f64::MIN_POSITIVE)
    }

    /// Moves the landmark when `now` is too far past it.
    fn advance(&mut self, now: u64) {
        let half_lives = now.saturating_sub(self.landmark) / self.half_life;
        if half_lives >= SPAN {
            self.halve(half_lives);
        }
    }

    #[cold]
    fn halve(&mut self, half_lives: u64) {
        self.sketch.halve(half_lives.min(u64::from(u32::MAX)) as u32);
        self.landmark += half_lives * self.half_life;
        self.total *= math::exp2(-(half_lives as f64));
    }
}

impl<S: Decay + Merge + Clone> Merge for Decayed<S> {
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible> {
        Incompatible::unless_equal("half-life", self.half_life, other.half_life)?;
        let mut theirs = other.clone();
        let mut ours = self.clone();
        let (a, b) = (ours.landmark / self.half_life, theirs.landmark / self.half_life);
        if a < b {
            ours.halve(b - a);
        } else if b < a {
            theirs.halve(a - b);
        }
        ours.sketch.merge(&theirs.sketch)?;
        ours.total = (ours.total + theirs.total).min(f64::MAX);
        *self = ours;
        Ok(())
    }
}

impl<S: Decay + Wire> Wire for Decayed<S> {
    fn encode_to(&self, out: &mut Writer) {
        out.header(kinds::DECAYED, 1);
        out.varint(self.half_life);
        out.varint(self.landmark / self.half_life);
        out.f64(self.total);
        self.sketch.encode_to(out);
    }

    fn decode_from(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.header(kinds::DECAYED, 1)?;
        let half_life = input.varint("half-life")?;
        let half_lives = input.varint("landmark")?;
        let total = input.f64("total")?;
        let landmark = half_lives.checked_mul(half_life);
        let (Some(landmark), true, true) =
            (landmark, half_life > 0, total.is_finite() && total.is_sign_positive())
        else {
            return Err(input.error("half-life", Why::Invalid("outside the limits")));
        };
        Ok(Self { sketch: S::decode_from(input)?, half_life, landmark, total })
    }
}

serde_as_wire!([W: Decay + Wire] Decayed<W>);

impl<Q: Item + ?Sized> Weighted<Q> for CountMin<u64> {
    fn add_weight(&mut self, item: &Q, n: u64) {
        self.add_n(item, n);
    }
}

macro_rules! weighted {
    ($($sketch:ident),*) => {$(
        impl<T, Q> Weighted<Q> for $sketch<T>
        where
            T: Key + Borrow<Q>,
            Q: Item + Eq + ToOwned<Owned = T> + ?Sized,
        {
            fn add_weight(&mut self, item: &Q, n: u64) {
                self.add_n(item, n);
            }
        }

        impl<T: Key> Decay for $sketch<T> {
            fn halve(&mut self, times: u32) {
                self.halve_counts(times);
            }
        }
    )*};
}
weighted!(TopK, SpaceSaving, SetSpaceSaving);

impl<C: Counter> Decay for CountMin<C> {
    fn halve(&mut self, times: u32) {
        self.halve_counts(times);
    }
}
