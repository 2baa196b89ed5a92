/// A sketch whose counts can be halved: what [`Decayed`](super::Decayed) needs of it.
pub trait Decay {
    /// Divides all counts by `2^times`, so that bounds stay bounds: upper ones are rounded up,
    /// certain ones down.
    fn halve(&mut self, times: u32);
}

/// A sketch that takes an item with a weight.
pub trait Weighted<Q: ?Sized> {
    /// Adds `n` of `item`.
    fn add_weight(&mut self, item: &Q, n: u64);
}
