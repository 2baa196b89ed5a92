use alloc::vec::Vec;

use super::{MAX_THETA, Theta, ThetaCompact, bounds};
use crate::{Bounds, Incompatible, ParamError};

/// Items in either of `sketches`, in a sketch of nominally 2^`lg` hashes.
///
/// # Errors
/// When `lg` is not in `5 ..= 26` ([`UnionError::Param`]) or two sketches were hashed under
/// different seeds.
pub fn union<'a>(
    lg: u8,
    sketches: impl IntoIterator<Item = &'a ThetaCompact>,
) -> Result<ThetaCompact, UnionError> {
    let mut all = Theta::new(lg).map_err(UnionError::Param)?;
    let mut seed_hash = super::seed_hash(super::DEFAULT_SEED);
    for sketch in sketches {
        if sketch.is_empty() {
            continue;
        }
        if all.is_empty() {
            seed_hash = sketch.seed_hash();
        }
        same_seed(seed_hash, sketch.seed_hash()).map_err(UnionError::Incompatible)?;
        all.absorb(sketch.hashes().iter().copied(), sketch.theta());
    }
    let all = all.compact_trimmed();
    Ok(ThetaCompact::of(all.hashes().to_vec(), all.theta(), seed_hash, all.is_empty()))
}

/// Why there is no union.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnionError {
    /// The size that was asked for.
    Param(ParamError),
    /// Two of the sketches.
    Incompatible(Incompatible),
}

impl core::fmt::Display for UnionError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Param(error) => error.fmt(f),
            Self::Incompatible(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for UnionError {}

/// Items in both.
///
/// # Errors
/// When the two were hashed under different seeds.
pub fn intersection(a: &ThetaCompact, b: &ThetaCompact) -> Result<ThetaCompact, Incompatible> {
    if a.is_empty() || b.is_empty() {
        return Ok(ThetaCompact::of(Vec::new(), MAX_THETA, a.seed_hash(), true));
    }
    same_seed(a.seed_hash(), b.seed_hash())?;
    let theta = a.theta().min(b.theta());
    let common = walk(a.hashes(), b.hashes(), theta, true);
    let empty = common.is_empty() && theta == MAX_THETA;
    Ok(ThetaCompact::of(common, theta, a.seed_hash(), empty))
}

/// Items in `a` and not in `b`.
///
/// # Errors
/// When the two were hashed under different seeds.
pub fn difference(a: &ThetaCompact, b: &ThetaCompact) -> Result<ThetaCompact, Incompatible> {
    if a.is_empty() || b.is_empty() {
        return Ok(a.clone());
    }
    same_seed(a.seed_hash(), b.seed_hash())?;
    let theta = a.theta().min(b.theta());
    let rest = walk(a.hashes(), b.hashes(), theta, false);
    let empty = rest.is_empty() && theta == MAX_THETA;
    Ok(ThetaCompact::of(rest, theta, a.seed_hash(), empty))
}

/// The share of common items: those in both, over those in either. Two empty sketches are equal.
///
/// The bounds hold for two standard deviations, 95.4 % of cases.
///
/// # Errors
/// When the two were hashed under different seeds.
pub fn jaccard(a: &ThetaCompact, b: &ThetaCompact) -> Result<Bounds, Incompatible> {
    if a.is_empty() || b.is_empty() {
        return Ok(Bounds::exact(if a.is_empty() == b.is_empty() { 1.0 } else { 0.0 }));
    }
    let common = intersection(a, b)?;
    let theta = common.theta();
    let below = |sketch: &ThetaCompact| sketch.hashes().partition_point(|&hash| hash < theta);
    let either = below(a) + below(b) - common.len();
    if a == b {
        return Ok(Bounds::exact(1.0));
    }
    Ok(bounds::ratio(either as u64, common.len() as u64, theta))
}

fn same_seed(a: u16, b: u16) -> Result<(), Incompatible> {
    Incompatible::unless_equal("mark of the hash seed", a.into(), b.into())
}

/// The hashes of `a` below `theta` that are in `b`, or those that are not.
fn walk(a: &[u64], b: &[u64], theta: u64, present: bool) -> Vec<u64> {
    let mut b = b.iter().copied().peekable();
    let below = a.iter().copied().take_while(|&hash| hash < theta);
    below
        .filter(|&hash| {
            while b.next_if(|&other| other < hash).is_some() {}
            (b.peek() == Some(&hash)) == present
        })
        .collect()
}
