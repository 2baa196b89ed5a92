//! Values that replicas change apart and merge alike: clocks, data types, deltas, reconciliation.
//!
//! ```
//! use archstone_crdt::{Delta, Lattice, ReplicaId, set::AddWinsSet};
//!
//! let (ann, bob) = (ReplicaId(1), ReplicaId(2));
//! let mut here = AddWinsSet::new();
//! here.add(ann, "apples")?;
//! let mut there = here.clone();
//! there.remove(bob, "apples")?;
//! there.add(bob, "pears")?;
//! here.add(ann, "bread")?;
//!
//! let lacks = there.delta_since(here.context());   // what `here` has not seen, and no more
//! assert!(here.merge(&lacks));                     // it was news
//! assert!(here.contains("bread") && here.contains("pears") && !here.contains("apples"));
//! # Ok::<(), archstone_crdt::Exhausted>(())
//! ```
//!
//! # Which type do I need
//!
//! | I keep | type | concurrent operations |
//! |---|---|---|
//! | a count | [`GCounter`](counter::GCounter), [`PnCounter`](counter::PnCounter) | add up |
//! | a count that is set back | [`ResettableCounter`](counter::ResettableCounter) | a reset takes what it saw |
//! | stock that must not go below 0 | [`BoundedCounter`](counter::BoundedCounter) | each spends the rights it holds |
//! | one value | [`LwwRegister`](register::LwwRegister) | the later stamp wins |
//! | one value, no write lost | [`MvRegister`](register::MvRegister) | both stay, the reader resolves |
//! | a set | [`AddWinsSet`](set::AddWinsSet) | add beats remove |
//! | an access list | [`RemoveWinsSet`](set::RemoveWinsSet) | remove beats add |
//! | a switch | [`EnableWinsFlag`](flag::EnableWinsFlag), [`DisableWinsFlag`](flag::DisableWinsFlag) | as the name says |
//! | a table | [`LwwMap`](map::LwwMap) | the later stamp wins |
//! | a map of the above | [`OrMap`](map::OrMap) | values merge; a removal takes what it saw |
//! | a list | [`Sequence`](sequence::Sequence) | runs stay whole, beside each other |
//! | folders | [`MoveTree`](tree::MoveTree) | moves in the order of their stamps, never a cycle |
//!
//! Every type is a [`Lattice`]: `merge` by reference says whether it was news. Every update
//! returns its delta, a small state (or, for sets, a [`SetDelta`](set::SetDelta)); [`Delta::delta_since`]
//! gives what a replica that has seen so far lacks. [`clock`] has the clocks, [`dots`] the core that
//! the causal types share, with its laws; [`sync`] what replicas exchange, [`quorum`] what N, R and
//! W promise, [`codec`] the bytes.
//!
//! # Features
//!
//! `std` (default): randomly seeded hashing; without it `no_std` + `alloc`. `serde`: every type as
//! its encoded bytes. Nothing opens a socket, starts a thread or reads a clock.
#![no_std]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod causal_type;
pub mod clock;
pub mod codec;
pub mod counter;
pub mod dots;
pub mod flag;
mod id;
mod lattice;
pub mod map;
mod pair;
pub mod quorum;
pub mod register;
pub mod sequence;
pub mod set;
pub mod sync;
pub mod tree;

pub use archstone_core::Time;

pub use id::{Causality, Dot, Exhausted, ReplicaId};
pub use lattice::{Delta, Lattice};
pub use pair::LexPair;

/// The snippets of README.md and COMPARE.md compile and run.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../COMPARE.md")]
    struct Compare;
}
