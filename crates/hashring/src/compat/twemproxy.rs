//! twemproxy (nutcracker): ketama and modula over its own choice of hashes, with hash tags.

use super::checksum::crc32;
use super::ketama::weighted;
use super::md5::words;
use super::murmur::murmur2;
use super::small::fnv1a_64_cut;
use super::{Ring32, checked};
use crate::placement::{NodeIx, PlacementError};
use crate::slots::tagged;
use alloc::string::String;
use alloc::vec::Vec;

/// The `hash:` of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `md5`.
    Md5,
    /// `fnv1a_64`, the default: its constants cut to 32 bits. Bytes over 0x7f are sign-extended,
    /// as a C compiler for x86 does it.
    Fnv1a64,
    /// `murmur`.
    Murmur,
    /// `crc32`: bits 16 to 30 of the inverted checksum.
    Crc32,
}

impl Hash {
    fn of(self, key: &[u8]) -> u32 {
        match self {
            Self::Md5 => words(key)[0],
            Self::Fnv1a64 => fnv1a_64_cut(key),
            Self::Murmur => murmur2(key),
            Self::Crc32 => crc32(key) >> 16 & 0x7fff,
        }
    }
}

/// A pool of servers, numbered as they come.
///
/// ```
/// use archstone_hashring::compat::twemproxy::{Hash, Twemproxy};
///
/// let names = [1, 2, 3, 4, 5, 6, 7, 8].map(|i| (format!("n{i}"), 1));
/// let servers = names.iter().map(|(name, weight)| (name.as_str(), *weight));
/// let pool = Twemproxy::ketama(Hash::Md5, servers)?.with_hash_tag(b'{', b'}');
/// assert_eq!(pool.locate(b"user:{7}:name"), pool.locate(b"7"));
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Twemproxy {
    hash: Hash,
    tag: Option<(u8, u8)>,
    by: Distribution,
}

#[derive(Clone, Debug)]
enum Distribution {
    Ketama(Ring32),
    /// A server stands as many times as it weighs.
    Modula(Vec<NodeIx>),
}

impl Twemproxy {
    /// `distribution: ketama` over (name, weight): the alias where there is one, else `ip:port`.
    ///
    /// # Errors
    /// [`PlacementError::Full`] past 2^28 points.
    pub fn ketama<'a>(
        hash: Hash,
        servers: impl IntoIterator<Item = (&'a str, u32), IntoIter: Clone>,
    ) -> Result<Self, PlacementError> {
        let named = servers.into_iter().map(|(name, weight)| (String::from(name), weight));
        Ok(Self { hash, tag: None, by: Distribution::Ketama(weighted(named)?) })
    }

    /// `distribution: modula` over the weights of the servers.
    ///
    /// # Errors
    /// [`PlacementError::Full`] when the weights sum to more than 2^28.
    pub fn modula(
        hash: Hash,
        weights: impl IntoIterator<Item = u32, IntoIter: Clone>,
    ) -> Result<Self, PlacementError> {
        let weights = weights.into_iter();
        checked(weights.clone().map(u64::from).sum())?;
        let turns = (0..).map(NodeIx).zip(weights);
        let places = turns.flat_map(|(node, weight)| (0..weight).map(move |_| node));
        Ok(Self { hash, tag: None, by: Distribution::Modula(places.collect()) })
    }

    /// `hash_tag`: only what stands between these two bytes is hashed, when there is something.
    #[must_use]
    pub const fn with_hash_tag(mut self, open: u8, close: u8) -> Self {
        self.tag = Some((open, close));
        self
    }

    /// The server of `key`, `None` when there are none.
    #[must_use]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        let key = self.tag.map_or(key, |(open, close)| tagged(key, open, close));
        let hash = self.hash.of(key);
        match &self.by {
            Distribution::Ketama(ring) => ring.next(hash),
            Distribution::Modula(places) => {
                let turn = (hash as usize).checked_rem(places.len())?;
                places.get(turn).copied()
            }
        }
    }
}
