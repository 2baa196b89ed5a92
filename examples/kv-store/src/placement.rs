//! Who holds a key: the ring of `archstone-hashring`, a number of points a node, copies in as many
//! zones as there are.

use archstone_hashring::{Cluster, Place, PlacementError, Ring, Spread, Weight};
use kit::Failure;

/// The ring as one node knows it.
#[derive(Clone, Debug)]
pub struct Placement {
    ring: Cluster<u64, Ring>,
    spread: Spread,
    copies: usize,
    apart: bool,
}

impl Placement {
    /// An empty ring of `points` points a node for `copies` copies of each key, in zones of their
    /// own where `apart`.
    ///
    /// # Errors
    /// When there are no copies or more than 16, or no points or too many.
    pub fn new(copies: usize, points: u32, apart: bool) -> Result<Self, Failure> {
        let ring = Cluster::new(Ring::with_points(points)?);
        // To the crate a zone is a region with its own number of copies, and what fails together
        // within it a rack: our zones are its racks.
        let spread = Spread::new(&[(0, u8::try_from(copies)?)])?;
        Ok(Self { ring, spread, copies, apart })
    }

    /// A node joins in a zone.
    ///
    /// # Errors
    /// When it is there already.
    pub fn join(&mut self, node: usize, zone: u16) -> Result<(), PlacementError> {
        self.ring.join_at(node as u64, Weight::ONE, Place { zone: 0, rack: zone }).map(|_| ())
    }

    /// Whether a node is on the ring.
    #[must_use]
    pub fn has(&self, node: usize) -> bool {
        self.ring.index_of(&(node as u64)).is_ok()
    }

    /// The nodes of the ring.
    pub fn nodes(&self) -> impl Iterator<Item = usize> + '_ {
        self.ring.nodes().map(|&node| node as usize)
    }

    /// The nodes that hold a key, in the order of preference.
    #[must_use]
    pub fn holders(&self, key: &[u8]) -> Vec<usize> {
        if self.apart {
            let chosen = self.ring.spread(key, &self.spread);
            let nodes = chosen.iter().filter_map(|&at| self.ring.node(at));
            return nodes.map(|&node| node as usize).collect();
        }
        self.ring.replicas(key, self.copies).map(|&node| node as usize).collect()
    }

    /// The others, in the order in which they stand in.
    #[must_use]
    pub fn stand_ins(&self, key: &[u8], holders: &[usize]) -> Vec<usize> {
        let all = self.ring.replicas(key, self.ring.len()).map(|&node| node as usize);
        all.filter(|node| !holders.contains(node)).collect()
    }

    /// The ring itself, to plan moves with.
    #[must_use]
    pub const fn ring(&self) -> &Ring {
        self.ring.placement()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_in_zones_of_their_own_and_stand_ins_are_all_others() {
        let mut placement = Placement::new(3, 32, true).expect("a ring");
        for node in 0..9 {
            placement.join(node, node as u16 % 3).expect("new");
        }
        assert!(placement.join(4, 1).is_err());
        for key in 0..500_u32 {
            let holders = placement.holders(&key.to_le_bytes());
            let mut zones: Vec<_> = holders.iter().map(|node| node % 3).collect();
            zones.sort_unstable();
            assert_eq!(zones, [0, 1, 2]);
            let mut all = placement.stand_ins(&key.to_le_bytes(), &holders);
            all.extend(&holders);
            all.sort_unstable();
            assert_eq!(all, (0..9).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_makes_no_ring_is_an_error() {
        assert!(Placement::new(0, 32, true).is_err());
        assert!(Placement::new(17, 32, true).is_err());
        assert!(Placement::new(3, 0, true).is_err());
    }
}
