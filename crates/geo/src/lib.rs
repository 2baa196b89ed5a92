//! Geography: exact geometry on the sphere and the ellipsoid, codes, regions, an index of places and
//! one of objects that move, fences.
//!
//! ```
//! use archstone_geo::{LatLng, Meters, PlaceIndex, Wgs84};
//!
//! let at = |lat, lng| LatLng::new(lat, lng);
//! let index = PlaceIndex::new([(at(48.8584, 2.2945)?, "Eiffel Tower"), (at(48.8606, 2.3376)?, "Louvre")]);
//! for hit in index.near(at(48.853, 2.35)?).within(Meters::from_km(5.0)).metric(Wgs84).collect() {
//!     println!("{} {}", hit.item, hit.distance());
//! }
//! # Ok::<(), archstone_geo::CoordError>(())
//! ```
//!
//! | I need | take |
//! |---|---|
//! | a distance, 0.6 % off at most | [`Sphere::EARTH`] |
//! | a distance to nanometres, directions, a line | [`Wgs84`] |
//! | a distance up to 100 km, to 2e-7 | [`Local`] |
//! | a code for a place | [`Geohash`], [`CellId`] (S2), [`redis::Score`] |
//! | places near here | [`PlaceIndex`]; as bytes, [`View`] |
//! | moving objects near here | [`LiveIndex`]; many threads, [`SharedIndex`]; the textbook's way, [`QuadTree`] |
//! | is it inside | [`Circle`], [`Polygon`], [`Corridor`]; many at once, [`PolygonMap`] |
//! | who enters, leaves or crosses which of many areas | [`FenceSet`] |
//! | an area as ranges of codes | [`Coverer`] |
//! | a path as text | [`polyline`] |
//!
//! # Features
//!
//! `std` (default): randomly seeded tables. `serde`: positions
//! as degrees, cells as text. `geo-types`: conversions. No feature changes an answer: sines and
//! cosines are the crate's own.
#![no_std]
#![deny(missing_docs)]
#![deny(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod bounds;
mod cell;
mod coord;
mod coverer;
mod cube;
pub mod fence;
pub mod geohash;
pub mod index;
mod interop;
mod live;
mod local;
mod math;
mod metric;
mod polygon;
pub mod polyline;
mod quadtree;
pub mod redis;
mod region;
mod shared;
mod sphere;
mod vector;
mod vincenty;
mod wgs84;

pub use archstone_core::Time;
pub use archstone_core::bytes::DecodeError;
pub use bounds::LatLngBox;
pub use cell::{CellError, CellId};
pub use coord::{CoordError, LatLng, Meters};
pub use coverer::{Coverer, Grid, Mode};
pub use fence::FenceSet;
pub use geohash::{Direction, Geohash, GeohashError};
pub use index::{Hit, Near, PlaceIndex, View};
#[cfg(feature = "geo-types")]
pub use interop::FromPlane;
pub use live::LiveIndex;
pub use local::Local;
pub use metric::Metric;
pub use polygon::PolygonMap;
pub use quadtree::QuadTree;
pub use region::{
    Circle, Corridor, CorridorError, Polygon, PolygonError, PolygonErrorKind, Region, Relation,
    Shape,
};
pub use shared::SharedIndex;
pub use sphere::Sphere;
pub use vincenty::{VincentyError, vincenty};
pub use wgs84::{Direct, GeodesicLine, Inverse, Wgs84};

/// The snippets of README.md and COMPARE.md compile and run.
#[cfg(doctest)]
mod readme {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../COMPARE.md")]
    struct Compare;
}
