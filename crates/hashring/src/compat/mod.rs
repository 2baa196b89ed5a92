//! The placements that other programs already run, bit for bit.
//!
//! | module | agrees with | key | points |
//! |---|---|---|---|
//! | [`ketama`] | libmemcached and its three dialects | MD5 or FNV-1a | MD5 |
//! | [`twemproxy`] | twemproxy (nutcracker): ketama, modula | MD5, FNV-1a, Murmur2, CRC-32 | MD5 |
//! | [`nginx`] | nginx `hash KEY consistent` | CRC-32 | CRC-32, chained |
//! | [`haproxy`] | HAProxy `hash-type consistent` | sdbm, djb2, wt6, CRC-32 | its avalanche |
//! | [`envoy`] | Envoy `ring_hash` and `maglev` | xxHash64 | xxHash64 |
//! | [`cassandra`] | Cassandra's Murmur3 and Random partitioners | Murmur3, MD5 | given tokens |
//! | [`guava_jump`] | Guava `Hashing.consistentHash` | the caller's | none |
//!
//! Each answers with the index of a server in the list it was made of. They are built once; who
//! changes servers builds another (that is how the programs do it). Their hashes stay here: they are
//! weaker than [`Key`](crate::Key)'s, and a new cluster has no reason to use them.
//!
//! Costs: a look-up is the key's hash and, for the rings of 32 bits, one cache line as
//! [`Ring`](crate::Ring); for Envoy's, HAProxy's and Cassandra's a binary search. Names are chosen by
//! who runs the servers; a list of names that all hash to one place makes the look-up linear.

pub mod cassandra;
mod checksum;
pub mod envoy;
pub mod haproxy;
pub mod ketama;
mod md5;
mod murmur;
pub mod nginx;
mod small;
pub mod twemproxy;
mod xxh64;

use crate::placement::{NodeIx, PlacementError};
use crate::points::{Points, pack, unpack};
use alloc::vec::Vec;
use core::num::NonZeroU32;

/// The most points of a ring.
const MAX_POINTS: u64 = 1 << 28;

/// The bucket of `key` among `buckets` as Guava's `Hashing.consistentHash(long, int)` gives it:
/// [`jump`](crate::jump) of the same 64 bits.
///
/// ```
/// use archstone_hashring::compat::guava_jump;
/// use core::num::NonZeroU32;
///
/// assert_eq!(guava_jump(1, NonZeroU32::new(1_000).unwrap()), 549);
/// ```
#[must_use]
pub fn guava_jump(key: i64, buckets: NonZeroU32) -> u32 {
    crate::jump(key as u64, buckets)
}

/// A ring of 32-bit points: the owner is the server of the first point at or after the key.
#[derive(Clone, Debug)]
struct Ring32 {
    points: Points,
}

impl Ring32 {
    /// Of equal points the earlier server's counts.
    fn new(points: &[u64]) -> Self {
        Self { points: Points::from_unsorted(points.iter().copied(), |a, b| a < b) }
    }

    #[inline]
    fn next(&self, position: u32) -> Option<NodeIx> {
        self.points.next(position).map(|point| unpack(point).1)
    }
}

/// Collects points and refuses what is too many.
fn checked(wanted: u64) -> Result<Vec<u64>, PlacementError> {
    if wanted > MAX_POINTS {
        return Err(PlacementError::Full { what: "points", wanted, limit: MAX_POINTS });
    }
    Ok(Vec::with_capacity(wanted as usize))
}
