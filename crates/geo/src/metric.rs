//! What a distance is: shared by distances, indexes and fences.

use crate::bounds::LatLngBox;
use crate::coord::{LatLng, Meters};

/// A way to measure between two positions: [`Sphere`](crate::Sphere), [`Wgs84`](crate::Wgs84),
/// [`Local`](crate::Local).
///
/// An implementation keeps two promises that the indexes rely on: it is symmetric and never NaN,
/// and its distance lies between the two [`radii`](Metric::radii) times the angle on the sphere.
pub trait Metric {
    /// The distance between `a` and `b`.
    fn distance(&self, a: LatLng, b: LatLng) -> Meters;

    /// Metres a radian of arc between the same coordinates on a sphere: the least and the most.
    fn radii(&self) -> (f64, f64);

    /// The distances from `from` to each of `to`, into `out`.
    ///
    /// # Panics
    /// When `out` is shorter than `to`.
    fn distances(&self, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        for (to, out) in to.iter().zip(&mut out[..to.len()]) {
            *out = self.distance(from, *to);
        }
    }

    /// A lower bound of the distance from `from` to any position in `to`; on a sphere it is the
    /// distance itself, to 1e-12 of it.
    fn at_least(&self, from: LatLng, to: &LatLngBox) -> Meters {
        Meters(self.radii().0 * to.angle_from(from) * (1.0 - 1e-12))
    }
}

impl<M: Metric + ?Sized> Metric for &M {
    fn distance(&self, a: LatLng, b: LatLng) -> Meters {
        (**self).distance(a, b)
    }

    fn radii(&self) -> (f64, f64) {
        (**self).radii()
    }

    fn distances(&self, from: LatLng, to: &[LatLng], out: &mut [Meters]) {
        (**self).distances(from, to, out);
    }
}
