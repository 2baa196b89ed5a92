//! Who owns a key, who holds its copies, and what moves when the members change.
//!
//! ```
//! use archstone_hashring::{Cluster, Ring, Weight};
//!
//! let mut cluster = Cluster::new(Ring::new());
//! cluster.join("10.0.0.1", Weight::ONE)?;
//! cluster.join("10.0.0.2", Weight::new(2.0)?)?;
//! assert!(cluster.owner("user:42").is_some());
//! # Ok::<(), archstone_hashring::PlacementError>(())
//! ```
//!
//! # Which placement do I choose?
//!
//! | placement | look-up | change | state | weights | balance | moves on a join |
//! |---|---|---|---|---|---|---|
//! | [`Ring`] | O(1) | O(points of the node) | 1,990 B a node | yes | 8 % at 160 points | 1/n |
//! | [`CompactRing`] of one | O(log 64) | none | 990 B a node | as the ring | as the ring | as the ring |
//! | [`Level`] | O(1) | at the end only | none | no | the limit | 1/n |
//! | [`Jump`] | O(log n) | at the end only | none | no | the limit | 1/n |
//! | [`Memento`] | O(1) | any bucket, O(1) | 48 B a removed one | no | the limit | 1/n |
//! | [`Anchor`] | O(1) | any bucket, O(1) | 20 B of the capacity | no | the limit | 1/n |
//! | [`Dx`] | O(slots / live) | any slot, O(1) | a bit a slot | no | the limit | 1/n |
//! | [`Skeleton`] | O(log slots) | any slot, O(1) | a bit a slot | no | the limit | 1/n |
//! | [`MultiProbe`] | 21 probes | O(n) | 16 B a node | no | 1.1 times the mean | 1/n |
//! | [`Rendezvous`] | O(n) | O(n) | 16 B a node | no | the limit | 1/n |
//! | [`WeightedRendezvous`] | O(n), slower | O(n) | 24 B a node | exact | the limit | 1/n |
//! | [`Maglev`] | O(1), one load | O(slots) | 4 B a slot | yes | one slot | 1/n and about n/slots more |
//! | [`Table`] over any | O(1), one load | O(slots) | 4 B a slot | as below it | as below it | as below it |
//!
//! "The limit" is that of random keys. Many nodes that come and go: [`Ring`]. Few nodes, or copies
//! that must be independent: [`Rendezvous`]. Numbered shards: [`Level`] if they only grow,
//! [`Memento`] if any may go. A proxy's hot path: [`Maglev`], or any of them compiled to a [`Table`].
//!
//! # What goes on top
//!
//! [`Cluster`] names the nodes; [`Topology`] and [`Spread`] keep copies apart; [`Plan`] says what
//! moves and [`Handoff`] moves it; [`load`] bounds loads and spreads hot keys; `Shared` lets readers
//! go on while members change; [`sharding`] has the shardings that are not hashed, and the router;
//! [`slots`] is Redis Cluster's map; `compat` agrees with other programs.
//!
//! Everything is a pure function of keys and members: no clock, no random state, no I/O, the same
//! in every process (`tests/digest.rs` keeps a digest of each placement).
//!
//! # Features
//!
//! - `std` (default): `Shared`. Without it the crate is `no_std` + `alloc`.
//! - `compat`: MD5, CRC-32 and the other hashes of other programs, and their rings.
//! - `serde`: snapshots of everything. A placement's is its members; it is built anew when it is
//!   read, which may take far more memory than the text (a ring's limit is 2^30 points): read them
//!   only from whoever may choose the members.
#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;

mod anchor;
mod buckets;
mod cluster;
mod compact;
#[cfg(feature = "compat")]
pub mod compat;
mod draw;
mod dx;
mod handoff;
mod jump;
mod key;
mod level;
pub mod load;
mod maglev;
mod members;
mod memento;
mod multi_probe;
mod placement;
mod plan;
mod points;
mod rendezvous;
mod ring;
pub mod sharding;
#[cfg(feature = "std")]
mod shared;
mod skeleton;
pub mod slots;
mod table;
mod topology;
mod walk;

pub use anchor::Anchor;
pub use buckets::{Buckets, Numbered, Retries};
pub use cluster::{Cluster, Epoch};
pub use compact::{CompactRing, CompactWalk};
pub use dx::Dx;
pub use handoff::{Handoff, HandoffError, Holders, MoveId, State};
pub use jump::{Jump, jump};
pub use key::{Hashed, Key, NodeId};
pub use level::{Level, level};
pub use maglev::{Maglev, MaglevWalk};
pub use memento::Memento;
pub use multi_probe::{ByDistance, MultiProbe};
pub use placement::{Candidates, Locate, NodeIx, PlacementError, Resize, Weight};
pub use plan::{Arc, Move, Plan, PlanError};
pub use rendezvous::{ByRace, ByScore, Rendezvous, WeightedRendezvous};
pub use ring::{Ring, RingWalk};
#[cfg(feature = "std")]
pub use shared::{Reader, Shared};
pub use skeleton::Skeleton;
pub use table::Table;
pub use topology::{Copies, MAX_COPIES, Place, Spread, SpreadError, Topology};

/// The snippets of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The snippets of COMPARE.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../COMPARE.md")]
struct Compare;
