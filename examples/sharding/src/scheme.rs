//! Which shard a row is on: the schemes of the text, and the other ways to hash.

use crate::database::key;
use crate::input::User;
use crate::places;
use archstone_hashring::sharding::{Directory, GeoMap, RangeMap};
use archstone_hashring::{
    Buckets, Jump, Locate, Maglev, NodeId, Plan, Rendezvous, Resize, Ring, Weight,
};

/// The ways to shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ranges of ids.
    Range,
    /// `hash % n`.
    Modulo,
    /// The nearest data centre.
    Geographic,
    /// A table with an entry for each key.
    Directory,
    /// A ring of virtual nodes.
    Consistent,
    /// The text's ring: a thousand positions in equal spans, cut anew for each number of shards.
    EqualSpans,
    /// Jump hash.
    Jump,
    /// Rendezvous hashing.
    Rendezvous,
    /// Maglev's table.
    Maglev,
}

impl Kind {
    /// Those whose rows are laid out for real.
    pub const LAID_OUT: [Self; 6] = [
        Self::Range,
        Self::Modulo,
        Self::Geographic,
        Self::Directory,
        Self::Consistent,
        Self::EqualSpans,
    ];
    /// Those that hash, for the experiment of what moves.
    pub const HASHED: [Self; 6] = [
        Self::Modulo,
        Self::EqualSpans,
        Self::Maglev,
        Self::Consistent,
        Self::Jump,
        Self::Rendezvous,
    ];

    /// For a table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::Modulo => "hash % n",
            Self::Geographic => "geographic",
            Self::Directory => "directory",
            Self::Consistent => "consistent ring",
            Self::EqualSpans => "equal spans",
            Self::Jump => "jump",
            Self::Rendezvous => "rendezvous",
            Self::Maglev => "Maglev",
        }
    }

    /// Whether a new shard may take keys but no old one may.
    #[must_use]
    pub const fn is_minimal(self) -> bool {
        !matches!(self, Self::Modulo | Self::EqualSpans | Self::Maglev)
    }
}

/// A placement of the users on `shards` shards.
#[derive(Clone, Debug)]
pub struct Scheme {
    kind: Kind,
    shards: usize,
    seed: u64,
    map: Map,
}

#[derive(Clone, Debug)]
enum Map {
    Range(RangeMap<u64, usize>),
    Modulo,
    Geographic(GeoMap<usize>),
    Directory(Directory<u64, usize>),
    Ring(Ring),
    Spans,
    Jump(Jump),
    Rendezvous(Rendezvous),
    Maglev(Maglev),
}

/// The identity of a shard on a ring.
#[must_use]
pub fn node(shard: usize) -> NodeId {
    NodeId::of(&format!("shard-{shard}"))
}

/// A ring of so many shards; the index of a node is the number of its shard.
#[must_use]
pub fn ring(shards: usize) -> Ring {
    let members = (0..shards).map(|shard| (node(shard), Weight::ONE));
    Ring::new().build(members).expect("names that differ")
}

fn members<P: Resize>(mut placement: P, shards: usize) -> P {
    for shard in 0..shards {
        placement.add(node(shard), Weight::ONE).expect("names that differ");
    }
    placement
}

impl Scheme {
    /// Places `users` on `shards` shards. Ranges were cut when nine of ten users were there; with
    /// `rings` false the text's `hash % n` stands where consistent hashing is said to.
    #[must_use]
    pub fn new(kind: Kind, shards: usize, users: &[User], seed: u64, rings: bool) -> Self {
        let map = match kind {
            Kind::Range => {
                let cut = (users.len() as u64 * 9 / 10).max(shards as u64);
                let mut ranges = RangeMap::new(0);
                for shard in 1..shards {
                    let at = cut * shard as u64 / shards as u64 + 1;
                    ranges.split(at, shard).expect("bounds that ascend");
                }
                Map::Range(ranges)
            }
            Kind::Modulo => Map::Modulo,
            Kind::Consistent if !rings => Map::Modulo,
            Kind::Geographic => Map::Geographic(places::regions(shards)),
            Kind::Directory => {
                // Each user on the emptiest shard as it came: so in turn.
                let mut directory = Directory::new(None);
                for user in users {
                    directory.assign(user.id, (user.id % shards as u64) as usize);
                }
                Map::Directory(directory)
            }
            Kind::Consistent => Map::Ring(ring(shards)),
            Kind::EqualSpans => Map::Spans,
            Kind::Jump => Map::Jump(Jump::new(shards as u32)),
            Kind::Rendezvous => Map::Rendezvous(members(Rendezvous::new(), shards)),
            Kind::Maglev => {
                let members = (0..shards).map(|shard| (node(shard), Weight::ONE));
                Map::Maglev(Maglev::new().build(members).expect("names that differ"))
            }
        };
        Self { kind, shards, seed, map }
    }

    /// The same with one shard more.
    #[must_use]
    pub fn grown(&self, users: &[User]) -> Self {
        let (shards, mut map) = (self.shards + 1, self.map.clone());
        match &mut map {
            Map::Range(ranges) => {
                // The fullest range is cut in the middle of its rows.
                let mut of = vec![Vec::new(); self.shards];
                for user in users {
                    of[self.shard_of(user)].push(user.id);
                }
                let fullest = of.iter().max_by_key(|ids| ids.len()).expect("there are shards");
                let middle = fullest.get(fullest.len() / 2).copied().unwrap_or(u64::MAX);
                ranges.split(middle, self.shards).expect("a range of two rows");
            }
            Map::Directory(directory) => {
                // The new one takes from each what is above the new mean, the newest first.
                let most = users.len().div_ceil(shards);
                let mut held = vec![0; self.shards];
                for user in users {
                    let shard = *directory.owner(&user.id).expect("entered");
                    held[shard] += 1;
                    if held[shard] > most {
                        directory.assign(user.id, self.shards);
                    }
                }
            }
            Map::Geographic(map) => *map = places::regions(shards),
            Map::Ring(ring) => drop(ring.add(node(self.shards), Weight::ONE)),
            Map::Jump(jump) => drop(jump.grow()),
            Map::Rendezvous(scores) => drop(scores.add(node(self.shards), Weight::ONE)),
            Map::Maglev(table) => drop(table.add(node(self.shards), Weight::ONE)),
            Map::Modulo | Map::Spans => {}
        }
        Self { shards, map, ..*self }
    }

    /// The way it shards.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How many shards there are.
    #[must_use]
    pub const fn shards(&self) -> usize {
        self.shards
    }

    /// The shard of a user.
    ///
    /// # Panics
    /// When a directory does not know the user.
    #[must_use]
    pub fn shard_of(&self, user: &User) -> usize {
        let hashed = key(user.id, self.seed);
        let found = match &self.map {
            Map::Range(ranges) => return *ranges.owner(&user.id),
            Map::Modulo => return (hashed.0 % self.shards as u64) as usize,
            Map::Spans => return ((hashed.0 % 1_000) as usize * self.shards) / 1_000,
            Map::Geographic(map) => {
                let routed = map.route(&user.area, |_| true);
                return *routed.expect("everywhere is in a region").node;
            }
            Map::Directory(directory) => {
                return *directory.owner(&user.id).expect("every user is entered");
            }
            Map::Ring(ring) => ring.locate(hashed),
            Map::Jump(jump) => jump.locate(hashed),
            Map::Rendezvous(scores) => scores.locate(hashed),
            Map::Maglev(table) => table.locate(hashed),
        };
        found.expect("there are shards").index()
    }

    /// The shards that may hold ids from `first` to `last`.
    #[must_use]
    pub fn holding(&self, first: u64, last: u64) -> Vec<usize> {
        let Map::Range(ranges) = &self.map else { return (0..self.shards).collect() };
        let mut shards: Vec<usize> = ranges.covering(&first, &last).map(|s| *s.owner).collect();
        shards.sort_unstable();
        shards.dedup();
        shards
    }

    /// The share of all keys (not of these rows) that moves from this scheme to `next`, where it is
    /// known exactly.
    #[must_use]
    pub fn share_moved(&self, next: &Self) -> Option<f64> {
        let n = next.shards as f64;
        match (&self.map, &next.map) {
            // Of the n (n - 1) pairs of remainders, n - 1 are equal ones.
            (Map::Modulo, _) => Some(1.0 - 1.0 / n),
            (Map::Spans, _) => Some(0.5),
            (Map::Jump(_) | Map::Rendezvous(_) | Map::Directory(_), _) => Some(1.0 / n),
            (Map::Ring(old), Map::Ring(new)) => {
                let plan = Plan::new(old, new, 1).ok()?;
                Some(plan.map(|step| step.keys.keys() as f64).sum::<f64>() / 2_f64.powi(64))
            }
            (Map::Maglev(old), Map::Maglev(new)) => {
                let pairs = old.slots().iter().zip(new.slots());
                let moved = pairs.filter(|(before, after)| before != after).count();
                Some(moved as f64 / new.slots().len() as f64)
            }
            _ => None,
        }
    }

    /// The ring, where there is one.
    #[must_use]
    pub const fn ring(&self) -> Option<&Ring> {
        match &self.map {
            Map::Ring(ring) => Some(ring),
            _ => None,
        }
    }

    /// Bytes of the map beside the code: what every router must hold.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.map {
            Map::Range(ranges) => ranges.len() as u64 * 16,
            // Countries, two pointers and a length each, and their regions.
            Map::Geographic(_) => 45 * 48,
            Map::Directory(directory) => directory.len() as u64 * 16,
            Map::Ring(ring) => ring.heap_bytes() as u64,
            Map::Rendezvous(_) => self.shards as u64 * 16,
            Map::Maglev(table) => table.slots().len() as u64 * 4,
            Map::Modulo | Map::Spans | Map::Jump(_) => 8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::Input;
    use kit::Seed;

    fn users() -> Vec<User> {
        Input::nasa().sized(6_000, Seed::new(3)).users
    }

    #[test]
    fn every_user_has_a_shard_and_ranges_keep_neighbours_together() {
        let users = users();
        for kind in Kind::LAID_OUT.into_iter().chain(Kind::HASHED) {
            let scheme = Scheme::new(kind, 4, &users, 1, true);
            assert!(users.iter().all(|user| scheme.shard_of(user) < 4), "{kind:?}");
            let next = scheme.grown(&users);
            let taken = users.iter().filter(|user| next.shard_of(user) == 4).count();
            assert!(taken > 0 && next.shards() == 5, "{kind:?}");
        }
        let ranges = Scheme::new(Kind::Range, 4, &users, 1, true);
        assert_eq!(ranges.holding(1, 10), [0]);
        assert_eq!(ranges.holding(1, 6_000), [0, 1, 2, 3]);
        assert_eq!(ranges.holding(5_900, 6_000), [3], "the newest are all on the last");
    }

    #[test]
    fn what_moves_is_what_the_arithmetic_says_and_minimal_schemes_move_to_the_new_one_only() {
        let users = users();
        for kind in Kind::LAID_OUT.into_iter().chain(Kind::HASHED) {
            let old = Scheme::new(kind, 4, &users, 1, true);
            let new = old.grown(&users);
            let moves: Vec<_> = users
                .iter()
                .map(|user| (old.shard_of(user), new.shard_of(user)))
                .filter(|(a, b)| a != b)
                .collect();
            assert_eq!(moves.iter().all(|&(_, to)| to == 4), kind.is_minimal(), "{kind:?}");
            if let Some(share) = old.share_moved(&new) {
                let seen = moves.len() as f64 / users.len() as f64;
                let sigma = (share * (1.0 - share) / users.len() as f64).sqrt();
                assert!((seen - share).abs() < 5.0 * sigma, "{kind:?}: {seen}, not {share}");
            }
        }
    }

    #[test]
    fn a_directory_stays_even() {
        let users = users();
        let grown = Scheme::new(Kind::Directory, 4, &users, 1, true).grown(&users);
        let mut held = [0; 5];
        users.iter().for_each(|user| held[grown.shard_of(user)] += 1);
        assert_eq!(held, [1_200; 5]);
    }
}
