//! What a fence encloses, and its rules.

use core::time::Duration;

use crate::coord::{LatLng, Meters};
use crate::polygon::Polygon;
use crate::region::{Circle, Region};

/// What a fence encloses.
#[derive(Clone, Debug)]
pub enum Area {
    /// Within a distance of a center.
    Circle(Circle),
    /// A polygon, with holes, anywhere.
    Polygon(Polygon),
}

impl From<Circle> for Area {
    fn from(circle: Circle) -> Self {
        Self::Circle(circle)
    }
}

impl From<Polygon> for Area {
    fn from(polygon: Polygon) -> Self {
        Self::Polygon(polygon)
    }
}

impl Region for Area {
    fn signed_distance(&self, at: LatLng) -> Meters {
        match self {
            Self::Circle(circle) => circle.signed_distance(at),
            Self::Polygon(polygon) => polygon.signed_distance(at),
        }
    }

    fn contains(&self, at: LatLng) -> bool {
        match self {
            Self::Circle(circle) => circle.contains(at),
            Self::Polygon(polygon) => polygon.contains(at),
        }
    }

    fn bounding_circle(&self) -> Circle {
        match self {
            Self::Circle(circle) => *circle,
            Self::Polygon(polygon) => polygon.bounding_circle(),
        }
    }
}

/// When a fence speaks.
///
/// ```
/// use archstone_geo::{Meters, fence::Rules};
/// use core::time::Duration;
///
/// let rules = Rules::new().with_hysteresis(Meters(50.0)).with_dwell(Duration::from_secs(300));
/// assert_eq!(rules.hysteresis(), Meters(50.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rules {
    hysteresis: Meters,
    dwell: Option<Duration>,
}

impl Rules {
    /// No hysteresis, no dwell.
    #[must_use]
    pub const fn new() -> Self {
        Self { hysteresis: Meters::ZERO, dwell: None }
    }

    /// A stay ends only when a fix lies more than this outside of the edge, so that fixes that jitter
    /// about the edge by less end nothing. Negative or NaN: none.
    #[must_use]
    pub fn with_hysteresis(self, hysteresis: Meters) -> Self {
        Self { hysteresis: Meters(hysteresis.0.max(0.0)), ..self }
    }

    /// Tell when an object has stayed this long.
    #[must_use]
    pub const fn with_dwell(self, dwell: Duration) -> Self {
        Self { dwell: Some(dwell), ..self }
    }

    /// How far outside of the edge a stay goes on.
    #[must_use]
    pub const fn hysteresis(&self) -> Meters {
        self.hysteresis
    }

    /// How long a stay is told of.
    #[must_use]
    pub const fn dwell(&self) -> Option<Duration> {
        self.dwell
    }
}
