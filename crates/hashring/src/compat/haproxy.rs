//! HAProxy: `hash-type consistent`. The nearer neighbour owns a key, not the next.

use super::checksum::crc32;
use super::small::{avalanche, djb2, sdbm, wt6};
use super::{checked, pack, unpack};
use crate::placement::{NodeIx, PlacementError};
use alloc::vec::Vec;

/// The function of `hash-type consistent FUNCTION`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Function {
    /// `sdbm`, the default.
    #[default]
    Sdbm,
    /// `djb2`.
    Djb2,
    /// `wt6`.
    Wt6,
    /// `crc32`.
    Crc32,
}

/// A backend, its servers numbered as they come.
///
/// ```
/// use archstone_hashring::compat::haproxy::{Function, Haproxy};
///
/// let backend = Haproxy::new(Function::Sdbm, true, (1..=8).map(|id| (id, 1)))?;
/// assert_eq!(backend.locate(b"0").unwrap().index(), 5);
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Haproxy {
    function: Function,
    avalanche: bool,
    points: Vec<u64>,
}

impl Haproxy {
    /// The tree of `(id, weight)`: the server's `id` setting (its place in the list from 1 where
    /// there is none) and weight, 16 points a unit.
    ///
    /// Without a named function HAProxy takes sdbm with `avalanche`; naming one without the word
    /// turns it off.
    ///
    /// # Errors
    /// [`PlacementError::Full`] past 2^28 points.
    pub fn new(
        function: Function,
        avalanche: bool,
        servers: impl IntoIterator<Item = (u32, u32), IntoIter: Clone>,
    ) -> Result<Self, PlacementError> {
        let servers = servers.into_iter();
        let wanted = servers.clone().map(|(_, weight)| u64::from(weight) * 16).sum();
        let mut points = checked(wanted)?;
        for (node, (id, weight)) in (0..).map(NodeIx).zip(servers) {
            for i in 0..weight.saturating_mul(16) {
                let name = id.wrapping_mul(4_096).wrapping_add(i);
                points.push(pack(super::small::avalanche(name), node));
            }
        }
        points.sort_unstable();
        Ok(Self { function, avalanche, points })
    }

    /// The server of `key`, `None` when there are none. O(log points).
    #[must_use]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        let hash = match self.function {
            Function::Sdbm => sdbm(key),
            Function::Djb2 => djb2(key),
            Function::Wt6 => wt6(key),
            Function::Crc32 => crc32(key),
        };
        let hash = if self.avalanche { avalanche(hash) } else { hash };
        let at = self.points.partition_point(|&point| unpack(point).0 < hash);
        let next = self.points.get(at).or(self.points.first()).map(|&p| unpack(p))?;
        let before = at.checked_sub(1).and_then(|at| self.points.get(at));
        let before = before.or(self.points.last()).map(|&p| unpack(p))?;
        // Distances on the circle; at equal ones the point before wins.
        let (back, ahead) = (hash.wrapping_sub(before.0), next.0.wrapping_sub(hash));
        Some(if back <= ahead { before.1 } else { next.1 })
    }
}
