//! Cassandra's partitioners and its ring of tokens. Copies by zone and rack: [`Spread`].

use super::md5::md5;
use super::murmur::murmur3_cassandra;
use crate::placement::NodeIx;
#[cfg(doc)]
use crate::topology::Spread;
use alloc::vec::Vec;

/// `Murmur3Partitioner`: the token of a partition key.
///
/// MurmurHash3 x64 128, its first half, with the tail bytes sign-extended; the least value is not a
/// token and becomes the greatest. The empty key is 0 here, as drivers have it.
///
/// ```
/// use archstone_hashring::compat::cassandra::murmur3_token;
///
/// assert_eq!(murmur3_token(b"s"), 8_944_441_612_295_019_587);
/// ```
#[must_use]
pub fn murmur3_token(key: &[u8]) -> i64 {
    let token = murmur3_cassandra(key);
    if token == i64::MIN { i64::MAX } else { token }
}

/// `RandomPartitioner`: the absolute value of the MD5 digest as a signed big-endian number, 0 to
/// 2^127.
#[must_use]
pub fn random_token(key: &[u8]) -> u128 {
    i128::from_be_bytes(md5(key)).unsigned_abs()
}

/// A ring of given tokens: a node owns what lies after the token before its own, up to its own.
///
/// ```
/// use archstone_hashring::compat::cassandra::{TokenRing, murmur3_token};
/// use archstone_hashring::NodeIx;
///
/// let ring = TokenRing::new([(-100, NodeIx(0)), (0, NodeIx(1)), (100, NodeIx(2))]);
/// assert_eq!(ring.walk(-5).next(), Some(NodeIx(1)));
/// assert_eq!(ring.walk(murmur3_token(b"s")).next(), Some(NodeIx(0)), "past the last it wraps");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRing<T = i64> {
    tokens: Vec<(T, NodeIx)>,
}

impl<T: Ord + Copy> TokenRing<T> {
    /// The ring of these tokens in any order; of equal ones the smaller node stands first.
    pub fn new(tokens: impl IntoIterator<Item = (T, NodeIx)>) -> Self {
        let mut tokens: Vec<_> = tokens.into_iter().collect();
        tokens.sort_unstable();
        Self { tokens }
    }

    /// The nodes from `token` on, one for each token of the ring (repeats and all): the order in
    /// which [`Spread::choose`] takes copies.
    pub fn walk(&self, token: T) -> impl Iterator<Item = NodeIx> + '_ {
        let start = self.tokens.partition_point(|&(at, _)| at < token);
        let (before, after) = self.tokens.split_at(start);
        after.iter().chain(before).map(|&(_, node)| node)
    }
}
