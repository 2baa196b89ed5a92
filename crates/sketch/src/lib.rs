//! Sketches: answers about streams in fixed memory, each with the bound on its error.
//!
//! ```
//! use archstone_sketch::{CountMin, Merge};
//!
//! let mut monday = CountMin::<u32>::with_error(0.001, 0.01)?;
//! let mut tuesday = CountMin::<u32>::with_error(0.001, 0.01)?;
//! monday.add("/index.html");
//! tuesday.add_n("/index.html", 2);
//! monday.merge(&tuesday)?;
//! assert_eq!(monday.count("/index.html"), 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One vocabulary for all of them: an [`Item`] is hashed by its canonical bytes, so equal items
//! meet in one counter on every machine; [`Merge`] adds a whole summary to another or says why it
//! cannot; [`Wire`] is `encode` and `decode`; [`Bounds`] comes with every estimate.
//!
//! # Features
//!
//! `std` (default) adds run-time CPU dispatch and what needs threads; without it the crate is
//! `no_std` + `alloc`. Families: `frequency`, `membership`, `distinct`, `quantiles`, `samples`,
//! `window` (all default). Foreign formats: `datadog`, `datasketches`, `parquet`, `postgres`.
//! `serde` serialises every sketch as its `encode` bytes. No feature changes an answer.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod bounds;
mod error;
mod item;
mod kinds;
mod math;
mod merge;
pub mod wire;

#[cfg(feature = "distinct")]
pub mod distinct;
#[cfg(feature = "frequency")]
pub mod frequency;
#[cfg(feature = "membership")]
pub mod membership;
#[cfg(feature = "quantiles")]
pub mod quantiles;
#[cfg(feature = "samples")]
pub mod samples;

#[cfg(feature = "window")]
pub mod window;

pub use bounds::Bounds;
pub use error::{Incompatible, ParamError};
pub use item::{Item, Key};
pub use merge::Merge;
pub use wire::{DecodeError, Wire};

#[cfg(feature = "distinct")]
pub use distinct::{Hll, Theta, UltraLogLog};
#[cfg(feature = "frequency")]
pub use frequency::{CountMin, Hitter, TopK};
#[cfg(feature = "membership")]
pub use membership::{BinaryFuse, BlockBloom, Bloom, Cuckoo, Filter};
#[cfg(feature = "quantiles")]
pub use quantiles::{DdSketch, Kll, TDigest};

/// The snippets of README.md and COMPARE.md compile and run.
#[cfg(all(doctest, feature = "frequency"))]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../COMPARE.md")]
    struct Compare;
}
