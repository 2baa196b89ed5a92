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
//! | placement | look-up | change | state a node | weights | balance | moves on a join |
//! |---|---|---|---|---|---|---|
//! | [`Ring`] | O(1), about 5 ns | O(points) | 1,930 B | yes | 8 % at 160 points | 1/n |
//! | [`Jump`] | O(log n) | at the end only | none | no | the limit | 1/n |
//! | [`Rendezvous`] | O(n) | O(n) | 16 B | no | the limit | 1/n |
//! | [`WeightedRendezvous`] | O(n), slower | O(n) | 24 B | exact | the limit | 1/n |
//! | [`Maglev`] | O(1), about 1 ns | O(slots) | 4 B a slot | yes | one slot | 1/n and about n/slots more |
//! | [`Table`] over any | O(1), about 1 ns | O(slots) | 4 B a slot | as below it | as below it | as below it |
//!
//! Many nodes that come and go: [`Ring`]. Few nodes, or copies that must be independent:
//! [`Rendezvous`]. Numbered shards that only grow: [`Jump`]. A proxy's hot path: [`Maglev`], or any
//! of them compiled to a [`Table`].
//!
//! Everything is a pure function of keys and members: no clock, no random state, no I/O, the same
//! in every process (`tests/digest.rs` keeps a digest of each placement). `no_std` + `alloc` without
//! the default feature `std`; `serde` serialises tables, spreads, topologies and plans.
#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;

mod anchor;
mod buckets;
mod cluster;
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
