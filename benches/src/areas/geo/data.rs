//! Places, queries and what the peers take them as.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use archstone_geo::LatLng;

use crate::workload::{self, Rng};

/// Populated places: GeoNames when `$ARCHSTONE_DATA` has them, else towns drawn around seeded
/// centres.
#[derive(Debug)]
pub(super) struct Places {
    pub at: Vec<LatLng>,
    /// Running sums of the populations.
    weights: Vec<u64>,
}

pub(super) fn places() -> &'static Places {
    static PLACES: OnceLock<Places> = OnceLock::new();
    PLACES.get_or_init(|| file("geo/places.csv.gz").and_then(|path| read(&path)).unwrap_or_else(drawn))
}

/// A file of the larger data, if there.
pub(super) fn file(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("ARCHSTONE_DATA")?).join(name);
    path.exists().then_some(path)
}

fn read(path: &std::path::Path) -> Option<Places> {
    let (mut at, mut weights, mut sum) = (Vec::new(), Vec::new(), 0);
    for line in workload::lines(path).ok()?.iter().skip(1) {
        let mut fields = line.split(',').skip(1);
        let mut next = || fields.next()?.parse::<f64>().ok();
        let (lat, lng) = (next()?, next()?);
        let people: u64 = fields.nth(1)?.parse().ok()?;
        at.push(LatLng::new(lat, lng).ok()?);
        sum += people.max(1);
        weights.push(sum);
    }
    Some(Places { at, weights })
}

fn drawn() -> Places {
    let mut rng = Rng::new(1);
    let centres: Vec<(f64, f64)> = (0..4_000).map(|_| (rng.unit() * 130.0 - 60.0, rng.unit() * 360.0 - 180.0)).collect();
    let at: Vec<LatLng> = (0..222_908)
        .filter_map(|_| {
            let (lat, lng) = centres[rng.below(4_000) as usize];
            LatLng::wrapped(lat + rng.normal() * 0.7, lng + rng.normal() * 0.7).ok()
        })
        .collect();
    let weights = (1..=at.len() as u64).collect();
    Places { at, weights }
}

impl Places {
    /// A place, by population.
    pub(super) fn pick(&self, rng: &mut Rng) -> LatLng {
        let sum = self.weights.last().copied().unwrap_or(0);
        let at = self.weights.partition_point(|&weight| weight <= rng.below(sum));
        self.at[at.min(self.at.len() - 1)]
    }

    /// Where people ask from: places by population, +-0.05 degrees.
    pub(super) fn queries(&self, n: usize) -> Arc<[LatLng]> {
        let mut rng = Rng::new(7);
        (0..n).map(|_| jitter(self.pick(&mut rng), |rng| rng.unit() * 0.1 - 0.05, &mut rng)).collect()
    }

    /// `n` points around places picked by population, the places themselves if that many.
    pub(super) fn spread(&self, n: usize) -> Vec<LatLng> {
        if n == self.at.len() {
            return self.at.clone();
        }
        let mut rng = Rng::new(8);
        let bell = |rng: &mut Rng| ((0..4).map(|_| rng.unit()).sum::<f64>() - 2.0) * 0.1;
        (0..n).map(|_| jitter(self.pick(&mut rng), bell, &mut rng)).collect()
    }
}

fn jitter(at: LatLng, mut by: impl FnMut(&mut Rng) -> f64, rng: &mut Rng) -> LatLng {
    let (lat, lng) = (by(rng), by(rng));
    LatLng::wrapped(at.lat() + lat, at.lng() + lng).unwrap_or(at)
}

/// The unit vector: what peers without a sphere are given.
pub(super) fn unit(at: LatLng) -> [f64; 3] {
    let (lat, lng) = (at.lat().to_radians(), at.lng().to_radians());
    [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
}

/// The squared chord of `meters` on the unit sphere.
pub(super) fn chord_squared(meters: f64) -> f64 {
    let chord = 2.0 * (meters / 6_371_008.8 / 2.0).sin();
    chord * chord
}
