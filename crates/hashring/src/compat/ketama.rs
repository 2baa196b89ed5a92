//! Ketama as libmemcached places it: MD5 points, the first at or after the key's own.
//!
//! There are three dialects and nothing in a configuration says which one a client speaks; mixing
//! them up moves eight or nine keys of ten without any error.

use super::md5::words;
use super::small::fnv1a_32;
use super::{Ring32, checked, pack};
use crate::placement::{NodeIx, PlacementError};
use alloc::format;
use alloc::string::String;

/// One server of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its host name or address, as the configuration writes it.
    pub host: &'a str,
    /// Its port; 11211 is left out of the name of its points.
    pub port: u16,
    /// Its weight, only in [`Dialect::Weighted`].
    pub weight: u32,
}

/// How points are named and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`, and what most clients mean by "ketama": 160 points at
    /// the mean weight, four of each digest.
    Weighted,
    /// libmemcached's plain `ketama`: 100 points a server, the first word of each digest.
    Unweighted,
    /// spymemcached's names (`/host:port-i`), 100 points a server, the first word of each digest.
    Spy,
}

/// How keys are hashed, and in the dialects without weights the points too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// The first little-endian word of the MD5 digest.
    #[default]
    Md5,
    /// FNV-1a of 32 bits. The vectors hold ASCII keys; bytes over 0x7f are sign-extended, as a C
    /// compiler for x86 does it.
    Fnv1a32,
}

impl Hash {
    fn of(self, bytes: &[u8]) -> u32 {
        match self {
            Self::Md5 => words(bytes)[0],
            Self::Fnv1a32 => fnv1a_32(bytes),
        }
    }
}

/// A ketama ring.
///
/// ```
/// use archstone_hashring::compat::ketama::{Dialect, Hash, Ketama, Server};
///
/// let servers = [1, 2, 3, 4, 5, 6, 7, 8].map(|i| format!("10.0.1.{i}"));
/// let servers = servers.iter().map(|host| Server { host, port: 11211, weight: 1 });
/// let ring = Ketama::new(Dialect::Unweighted, Hash::Md5, servers)?;
/// assert_eq!(ring.locate(b"0").unwrap().index(), 4);
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ketama {
    hash: Hash,
    ring: Ring32,
}

impl Ketama {
    /// The ring of these servers, numbered as they come. O(points log points).
    ///
    /// # Errors
    /// [`PlacementError::Full`] past 2^28 points.
    pub fn new<'a>(
        dialect: Dialect,
        hash: Hash,
        servers: impl IntoIterator<Item = Server<'a>, IntoIter: Clone>,
    ) -> Result<Self, PlacementError> {
        let servers = servers.into_iter();
        let names = servers.clone().map(|server| dialect.name(&server));
        let ring = if dialect == Dialect::Weighted {
            weighted(names.zip(servers.map(|server| server.weight)))?
        } else {
            let mut points = checked(servers.count() as u64 * 100)?;
            for (node, name) in (0..).zip(names) {
                for i in 0..100 {
                    let position = hash.of(format!("{name}-{i}").as_bytes());
                    points.push(pack(position, NodeIx(node)));
                }
            }
            Ring32::new(&points)
        };
        Ok(Self { hash, ring })
    }

    /// The server of `key`, `None` when there are none.
    #[must_use]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        self.ring.next(self.hash.of(key))
    }
}

impl Dialect {
    fn name(self, server: &Server<'_>) -> String {
        let Server { host, port, .. } = server;
        match self {
            Self::Spy => format!("/{host}:{port}"),
            _ if *port == 11211 => String::from(*host),
            _ => format!("{host}:{port}"),
        }
    }
}

/// Four points of each digest, 160 of them at the mean weight; twemproxy has the same.
pub(super) fn weighted(
    servers: impl Iterator<Item = (String, u32)> + Clone,
) -> Result<Ring32, PlacementError> {
    let live = servers.clone().filter(|&(_, weight)| weight > 0).count() as u64;
    let total: u64 = servers.clone().map(|(_, weight)| u64::from(weight)).sum();
    let mut points = checked(live * 160)?;
    for (node, (name, weight)) in (0..).zip(servers) {
        // Single precision, as in C: `floor(share * 160 / 4 * servers + 1e-10)`.
        let share = weight as f32 / total as f32;
        let digests = (f64::from(share * 160.0 / 4.0 * live as f32) + 1e-10) as f32 as u32;
        for i in 0..digests {
            let four = words(format!("{name}-{i}").as_bytes());
            points.extend(four.map(|position| pack(position, NodeIx(node))));
        }
    }
    Ok(Ring32::new(&points))
}
