//! Geography: exact geometry on sphere and ellipsoid, an index of places, live objects and fences.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod bounds;
mod cell;
mod coord;
mod coverer;
mod cube;
pub mod geohash;
pub mod index;
mod interop;
mod live;
mod math;
mod metric;
mod polygon;
pub mod polyline;
pub mod redis;
mod region;
mod sphere;
mod local;
mod vincenty;
mod wgs84;
mod vector;

pub use bounds::LatLngBox;
pub use cell::{CellError, CellId};
pub use coord::{CoordError, LatLng, Meters};
pub use coverer::{Coverer, Grid, Mode};
pub use geohash::{Direction, Geohash, GeohashError};
pub use index::{Hit, Near, PlaceIndex, View};
#[cfg(feature = "geo-types")]
pub use interop::FromPlane;
pub use live::LiveIndex;
pub use metric::Metric;
pub use polygon::PolygonMap;
pub use region::{Circle, Corridor, CorridorError, Polygon, PolygonError, PolygonErrorKind, Region, Relation, Shape};
pub use local::Local;
pub use sphere::Sphere;
pub use vincenty::{VincentyError, vincenty};
pub use wgs84::{Direct, GeodesicLine, Inverse, Wgs84};
