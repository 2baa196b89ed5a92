//! Shardings that are not hashed: by range, by directory, by region; and the router over shards.

mod directory;
mod geo;
mod range;
mod scatter;

pub use directory::Directory;
pub use geo::{GeoError, GeoMap, Routed};
pub use range::{RangeError, RangeMap, Span};
pub use scatter::{Ask, Gather, GatherError, Gathered, Need};
