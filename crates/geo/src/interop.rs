//! Optional features: `serde`, `geo-types`.

#[cfg(feature = "serde")]
mod with_serde {
    use alloc::string::String;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::{CellId, Geohash, LatLng, Meters};

    #[derive(Serialize, Deserialize)]
    struct Degrees {
        lat: f64,
        lng: f64,
    }

    /// As `{"lat": .., "lng": ..}` in degrees; checked when read.
    impl Serialize for LatLng {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            Degrees { lat: self.lat(), lng: self.lng() }.serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for LatLng {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let Degrees { lat, lng } = Degrees::deserialize(from)?;
            Self::new(lat, lng).map_err(D::Error::custom)
        }
    }

    /// As a number of metres.
    impl Serialize for Meters {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.serialize(to)
        }
    }

    impl<'de> Deserialize<'de> for Meters {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            f64::deserialize(from).map(Self)
        }
    }

    macro_rules! as_text {
        ($($type:ty),*) => {$(
            /// As its text.
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    to.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    String::deserialize(from)?.parse().map_err(D::Error::custom)
                }
            }
        )*};
    }
    as_text!(Geohash, CellId);
}

#[cfg(feature = "geo-types")]
mod with_geo_types {
    use alloc::vec::Vec;

    use geo_types::{Coord, Point, Rect};

    use crate::{CoordError, LatLng, LatLngBox, Polygon, PolygonError};

    /// x is the longitude, y the latitude.
    impl From<LatLng> for Coord<f64> {
        fn from(at: LatLng) -> Self {
            Self { x: at.lng(), y: at.lat() }
        }
    }

    impl TryFrom<Coord<f64>> for LatLng {
        type Error = CoordError;
        fn try_from(at: Coord<f64>) -> Result<Self, CoordError> {
            Self::new(at.y, at.x)
        }
    }

    /// x is the longitude, y the latitude.
    impl From<LatLng> for Point<f64> {
        fn from(at: LatLng) -> Self {
            Self(at.into())
        }
    }

    impl TryFrom<Point<f64>> for LatLng {
        type Error = CoordError;
        fn try_from(at: Point<f64>) -> Result<Self, CoordError> {
            at.0.try_into()
        }
    }

    impl TryFrom<Rect<f64>> for LatLngBox {
        type Error = CoordError;
        fn try_from(rect: Rect<f64>) -> Result<Self, CoordError> {
            Self::new(rect.min().y, rect.max().y, rect.min().x, rect.max().x)
        }
    }

    /// Why a planar polygon is none of ours.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum FromPlane {
        /// A coordinate out of range.
        Coord(CoordError),
        /// A ring that is none.
        Ring(PolygonError),
    }

    impl core::fmt::Display for FromPlane {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self {
                Self::Coord(error) => error.fmt(f),
                Self::Ring(error) => error.fmt(f),
            }
        }
    }

    impl core::error::Error for FromPlane {}

    /// The edges become great circles; the smaller side is inside.
    impl TryFrom<&geo_types::Polygon<f64>> for Polygon {
        type Error = FromPlane;
        fn try_from(polygon: &geo_types::Polygon<f64>) -> Result<Self, FromPlane> {
            let ring = |line: &geo_types::LineString<f64>| {
                line.0.iter().map(|c| LatLng::try_from(*c)).collect::<Result<Vec<_>, _>>()
            };
            let rings = core::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring);
            let rings = rings.collect::<Result<Vec<_>, _>>().map_err(FromPlane::Coord)?;
            Self::new(&rings).map_err(FromPlane::Ring)
        }
    }
}

#[cfg(feature = "geo-types")]
pub use with_geo_types::FromPlane;
