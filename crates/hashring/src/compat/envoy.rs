//! Envoy's load balancers `ring_hash` and `maglev`, hashed by xxHash64.
//!
//! Weights are taken as their shares of the sum, in double precision, as Envoy normalises them; the
//! sizes are its settings. Without localities.

use super::xxh64::xxh64;
use crate::placement::{NodeIx, PlacementError};
use alloc::format;
use alloc::vec::Vec;

/// A host: its hash key (address and port, or its `hash_key` metadata) and weight.
pub type Host<'a> = (&'a str, u32);

/// Envoy's greatest ring and table: its own limit on `maximum_ring_size`, and `table_size`'s.
const LIMIT: u64 = 8 * 1024 * 1024;

/// Shares of the sum of the weights.
fn shares(hosts: &[Host<'_>]) -> Vec<f64> {
    let sum: u64 = hosts.iter().map(|&(_, weight)| u64::from(weight)).sum();
    hosts.iter().map(|&(_, weight)| f64::from(weight) / sum as f64).collect()
}

fn check(hosts: &[Host<'_>], what: &'static str, size: u64) -> Result<(), PlacementError> {
    if let Some(&(_, weight)) = hosts.iter().find(|&&(_, weight)| weight == 0) {
        return Err(PlacementError::Weight { weight: weight.into() });
    }
    if size == 0 || size > LIMIT {
        return Err(PlacementError::Full { what, wanted: size, limit: LIMIT });
    }
    Ok(())
}

/// `ring_hash` with `hash_function: XX_HASH`.
///
/// ```
/// use archstone_hashring::compat::envoy::Ring;
///
/// let hosts = [("127.0.0.1:90", 1), ("127.0.0.1:91", 1)];
/// let ring = Ring::new(&hosts, 1_024, 8 << 20)?;
/// assert_eq!(ring.len(), 1_024);
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    points: Vec<(u64, NodeIx)>,
}

impl Ring {
    /// The ring of `hosts` for `minimum_ring_size` and `maximum_ring_size` (1,024 and 8 Mi in
    /// Envoy where they are not set).
    ///
    /// # Errors
    /// [`PlacementError::Weight`] for a weight of zero, [`PlacementError::Full`] for a maximum of
    /// zero or over 8 Mi.
    pub fn new(hosts: &[Host<'_>], minimum: u64, maximum: u64) -> Result<Self, PlacementError> {
        check(hosts, "points", maximum)?;
        let shares = shares(hosts);
        let least = shares.iter().copied().fold(1.0, f64::min);
        // The lightest host has a whole number of points, if the ring may be that large.
        let scale = libm::ceil(least * minimum as f64) / least;
        let scale = scale.min(maximum as f64);
        let mut points = Vec::with_capacity(libm::ceil(scale) as usize);
        let (mut made, mut due) = (0.0, 0.0);
        for ((node, share), (host, _)) in (0..).map(NodeIx).zip(shares).zip(hosts) {
            due += scale * share;
            let mut i = 0_u64;
            while made < due {
                points.push((xxh64(format!("{host}_{i}").as_bytes(), 0), node));
                i += 1;
                made += 1.0;
            }
        }
        points.sort_unstable();
        Ok(Self { points })
    }

    /// Points on the ring.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// No host at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// The points in order.
    #[must_use]
    pub fn points(&self) -> &[(u64, NodeIx)] {
        &self.points
    }

    /// The host of `key`, `None` when there are none. O(log points).
    #[must_use]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        let hash = xxh64(key, 0);
        let at = self.points.partition_point(|&(point, _)| point < hash);
        self.points.get(at).or(self.points.first()).map(|&(_, node)| node)
    }
}

/// `maglev`.
///
/// ```
/// use archstone_hashring::compat::envoy::Maglev;
///
/// let hosts = [90, 91, 92, 93, 94, 95].map(|port| format!("127.0.0.1:{port}"));
/// let hosts: Vec<_> = hosts.iter().map(|host| (host.as_str(), 1)).collect();
/// let table = Maglev::new(&hosts, 7)?;
/// let ports: Vec<_> = table.slots().iter().map(|host| 90 + host.0).collect();
/// assert_eq!(ports, [92, 94, 90, 91, 95, 90, 93], "the table in Envoy's own test");
/// # Ok::<(), archstone_hashring::PlacementError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Maglev {
    slots: Vec<NodeIx>,
}

impl Maglev {
    /// The table of `hosts` for `table_size`, a prime (65,537 in Envoy where it is not set).
    ///
    /// # Errors
    /// [`PlacementError::Weight`] for a weight of zero, [`PlacementError::Full`] for a size that is
    /// no prime or over 8 Mi.
    pub fn new(hosts: &[Host<'_>], size: u32) -> Result<Self, PlacementError> {
        check(hosts, "slots", size.into())?;
        let prime = size >= 2 && (2..).take_while(|d| d * d <= size).all(|d| size % d != 0);
        if !prime {
            let (wanted, limit) = (size.into(), LIMIT);
            return Err(PlacementError::Full { what: "slots that are no prime", wanted, limit });
        }
        struct Turn {
            node: NodeIx,
            at: u64,
            skip: u64,
            share: f64,
            due: f64,
        }
        let shares = shares(hosts);
        let most = shares.iter().copied().fold(0.0, f64::max);
        let wide = u64::from(size);
        let mut order: Vec<usize> = (0..hosts.len()).collect();
        order.sort_by_key(|&i| hosts[i].0.as_bytes());
        let turns = order.into_iter().map(|i| Turn {
            node: NodeIx(i as u32),
            at: xxh64(hosts[i].0.as_bytes(), 0) % wide,
            skip: xxh64(hosts[i].0.as_bytes(), 1) % (wide - 1) + 1,
            share: shares[i],
            due: 0.0,
        });
        let mut turns: Vec<Turn> = turns.collect();
        if turns.is_empty() {
            return Ok(Self { slots: Vec::new() });
        }
        let free = NodeIx(u32::MAX);
        let mut slots = alloc::vec![free; size as usize];
        let mut left = size;
        let mut round = 1.0;
        while left > 0 {
            for turn in &mut turns {
                if round * turn.share < turn.due {
                    continue;
                }
                turn.due += most;
                while slots[turn.at as usize] != free {
                    turn.at = (turn.at + turn.skip) % wide;
                }
                slots[turn.at as usize] = turn.node;
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            round += 1.0;
        }
        Ok(Self { slots })
    }

    /// The slots, each with its host.
    #[must_use]
    pub fn slots(&self) -> &[NodeIx] {
        &self.slots
    }

    /// The host of `key`, `None` when there are none.
    #[must_use]
    pub fn locate(&self, key: &[u8]) -> Option<NodeIx> {
        let slot = xxh64(key, 0).checked_rem(self.slots.len() as u64)?;
        self.slots.get(slot as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers in place of shares: a host takes one slot a round at most, and its `k`-th not
    /// before the round `k * heaviest / weight`, in that very round if it is whole. The weights sum to
    /// powers of two, so that the shares are exact.
    #[test]
    fn a_host_takes_its_slot_in_the_first_round_that_is_due() {
        for weights in [&[1, 3][..], &[1, 2, 5], &[1, 1, 2, 4], &[7, 1], &[3, 1, 4]] {
            for size in [17_u32, 101, 251, 1_009] {
                let names: Vec<_> = (0..weights.len()).map(|i| format!("10.0.0.{i}:80")).collect();
                let hosts: Vec<Host<'_>> =
                    names.iter().map(|name| name.as_str()).zip(weights.iter().copied()).collect();
                let most = weights.iter().copied().max().unwrap_or(1);
                let mut turns: Vec<(u32, usize)> = Vec::new();
                for (host, &weight) in weights.iter().enumerate() {
                    let mut round = 0;
                    for k in 0..size {
                        round = (round + 1).max((k * most).div_ceil(weight));
                        turns.push((round, host));
                    }
                }
                turns.sort_unstable();
                let (wide, mut at) = (u64::from(size), alloc::vec![0_u64; weights.len()]);
                let mut expected = alloc::vec![None; size as usize];
                for (_, host) in turns.into_iter().take(size as usize) {
                    let name = names[host].as_bytes();
                    let (offset, skip) = (xxh64(name, 0) % wide, xxh64(name, 1) % (wide - 1) + 1);
                    let slot = |j: u64| ((offset + j * skip) % wide) as usize;
                    while expected[slot(at[host])].is_some() {
                        at[host] += 1;
                    }
                    expected[slot(at[host])] = Some(NodeIx(host as u32));
                }
                let table = Maglev::new(&hosts, size).unwrap();
                let expected: Vec<NodeIx> = expected.into_iter().flatten().collect();
                assert_eq!(table.slots(), expected, "{weights:?} in {size}");
            }
        }
    }
}
