use alloc::vec::Vec;
use core::cmp::Ordering;

use super::extremes::Extremes;
use super::{Ranked, share};
use crate::math::ceil;

/// The retained values of a sketch in their order, each with the weight up to it: for many answers.
///
/// Memory: an item and 8 bytes a retained value. Cost of an answer: a binary search.
#[derive(Clone, Debug)]
pub struct Sorted<T> {
    /// Each value with the weight of all up to and with it.
    entries: Vec<(T, u64)>,
    extremes: Extremes<T>,
}

impl<T: Ranked> Sorted<T> {
    /// Of values with their weights, none of them 0, in any order.
    pub(super) fn new(mut entries: Vec<(T, u64)>, extremes: Extremes<T>) -> Self {
        // Levels come one after the other, each ascending: a merge of runs.
        entries.sort_by(|a, b| a.0.order(&b.0));
        let mut total = 0;
        for (_, weight) in &mut entries {
            total += *weight;
            *weight = total;
        }
        Self { entries, extremes }
    }

    fn total(&self) -> u64 {
        self.entries.last().map_or(0, |(_, weight)| *weight)
    }

    fn weight_before(&self, index: usize) -> f64 {
        let weight = index.checked_sub(1).map_or(0, |last| self.entries[last].1);
        weight as f64 / self.total() as f64
    }

    fn has(&self, value: &T) -> bool {
        !self.entries.is_empty() && value.has_place()
    }

    /// The share of the stream at or below `value`.
    #[must_use]
    pub fn rank(&self, value: &T) -> Option<f64> {
        self.has(value).then(|| {
            let above = |entry: &(T, u64)| entry.0.order(value) != Ordering::Greater;
            self.weight_before(self.entries.partition_point(above))
        })
    }

    /// The share of the stream below `value`.
    #[must_use]
    pub fn rank_below(&self, value: &T) -> Option<f64> {
        self.has(value).then(|| {
            let below = |entry: &(T, u64)| entry.0.order(value) == Ordering::Less;
            self.weight_before(self.entries.partition_point(below))
        })
    }

    /// The smallest value with a share of at least `q` at or below it.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<&T> {
        let inside = |weight: f64| {
            let weight = ceil(weight) as u64;
            self.entries.partition_point(|entry| entry.1 < weight)
        };
        self.answer(q, inside)
    }

    /// The smallest value with a share above `q` at or below it: what DataSketches calls the
    /// exclusive quantile.
    #[must_use]
    pub fn quantile_above(&self, q: f64) -> Option<&T> {
        self.answer(q, |weight| self.entries.partition_point(|entry| entry.1 <= weight as u64))
    }

    fn answer(&self, q: f64, inside: impl Fn(f64) -> usize) -> Option<&T> {
        let (min, max) = self.extremes.as_ref()?;
        let q = share(q);
        if q.is_nan() {
            None
        } else if q == 0.0 {
            Some(min)
        } else if q == 1.0 {
            Some(max)
        } else {
            self.at(inside(q * self.total() as f64))
        }
    }

    /// Two values between which the true quantile is when a rank is off by at most `off`.
    pub(super) fn between(&self, q: f64, off: f64) -> Option<(T, T)> {
        let q = share(q);
        self.quantile(q - off).cloned().zip(self.quantile(q + off).cloned())
    }

    fn at(&self, index: usize) -> Option<&T> {
        Some(&self.entries.get(index).or(self.entries.last())?.0)
    }

    /// [`rank`](Self::rank) of each split point, and 1 at the end. Points that are not ascending
    /// give ranks that are not.
    #[must_use]
    pub fn cdf(&self, points: &[T]) -> Option<Vec<f64>> {
        let ranks = points.iter().map(|point| self.rank(point)).chain([Some(1.0)]);
        if self.entries.is_empty() { None } else { ranks.collect() }
    }

    /// The share up to the first point, between each two, and past the last: of `points` in
    /// ascending order.
    #[must_use]
    pub fn pmf(&self, points: &[T]) -> Option<Vec<f64>> {
        self.cdf(points).map(differences)
    }

    /// The values kept and the weight up to and with each.
    pub fn iter(&self) -> impl Iterator<Item = (&T, u64)> {
        self.entries.iter().map(|(value, weight)| (value, *weight))
    }
}

/// A cdf made into a pmf.
pub(super) fn differences(mut ranks: Vec<f64>) -> Vec<f64> {
    for i in (1..ranks.len()).rev() {
        ranks[i] -= ranks[i - 1];
    }
    ranks
}
