use crate::Incompatible;

/// A summary that can take in another whole summary.
///
/// After `a.merge(&b)`, `a` answers for both streams with the bound that it would have had on the
/// joined stream, unless the type says otherwise. On an error `a` is unchanged.
pub trait Merge {
    /// Takes in `other`.
    ///
    /// # Errors
    /// When the two differ in shape or seed, so that their counters do not mean the same.
    fn merge(&mut self, other: &Self) -> Result<(), Incompatible>;
}
