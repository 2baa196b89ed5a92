//! Distances, moving objects, polylines: G4 to G6, G12, G18.

use std::sync::Arc;

use archstone_geo::polyline::{self, Precision};
use archstone_geo::{LatLng, LiveIndex, Local, Meters, Metric, Sphere, Wgs84};
use geo::{Distance, Haversine, Point};
use geographiclib_rs::{Geodesic, InverseGeodesic};

use super::data;
use super::index::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::workload::Rng;

const N: usize = 50_000;

pub(super) fn entries(area: &mut Area) {
    area.race("geo.G4/one-to-many", |_| {
        let to = data::places().queries(N);
        let from = to[0];
        let ours = Runner::steady(OURS, N, (Arc::clone(&to), vec![Meters::ZERO; N]), move |(to, out)| {
            Sphere::EARTH.distances(from, to, out);
            out[N / 2].0
        });
        let start = Point::new(from.lng(), from.lat());
        let points: Vec<Point> = to.iter().map(|at| Point::new(at.lng(), at.lat())).collect();
        let theirs = Runner::steady("geo Haversine", N, (points, vec![0.0; N]), move |(points, out)| {
            for (point, out) in points.iter().zip(out.iter_mut()) {
                *out = Haversine.distance(start, *point);
            }
            out[N / 2]
        });
        Race::new("metres from one place to 50 000", ours).beats("geo", theirs, 4.0)
    });
    area.race("geo.G5/inverse", |_| {
        let pairs = pairs();
        Race::new("geodesic distance of random pairs of places", measured(OURS, &pairs, |a, b| Wgs84.distance(a, b).0))
            .beats("geographiclib-rs", geodesic(&pairs), 1.3)
    });
    area.race("geo.G6/local", |_| {
        let pairs = pairs();
        Race::new("ellipsoidal distance to 2e-7 (100 km) against haversine", measured(OURS, &pairs, |a, b| Local.distance(a, b).0))
            .beats("geo", measured("geo Haversine", &pairs, |a, b| Haversine.distance(Point::new(a.lng(), a.lat()), Point::new(b.lng(), b.lat()))), 1.0)
    });
    area.race("geo.G12/moves", |_| {
        let at = data::places().spread(data::places().at.len());
        let at: Arc<[LatLng]> = at.into_iter().take(200_000).collect();
        let mut live = LiveIndex::new();
        for (key, at) in at.iter().enumerate() {
            live.upsert(key as u64, *at);
        }
        let tree = rstar::RTree::bulk_load(at.iter().zip(0_u64..).map(|(at, key)| rstar::primitives::GeomWithData::new(data::unit(*at), key)).collect());
        let step = |rng: &mut Rng, at: LatLng| LatLng::wrapped(at.lat() + rng.unit() * 0.005 - 0.0025, at.lng() + rng.unit() * 0.005 - 0.0025).unwrap_or(at);
        let (mut ours_at, mut rng) = (at.to_vec(), Rng::new(3));
        let ours = Runner::steady(OURS, 20_000, live, move |live| {
            for _ in 0..20_000 {
                let key = rng.below(ours_at.len() as u64);
                let to = step(&mut rng, ours_at[key as usize]);
                ours_at[key as usize] = to;
                live.upsert(key, to);
            }
        });
        let (mut theirs_at, mut rng) = (at.to_vec(), Rng::new(3));
        let theirs = Runner::steady("rstar remove and insert", 20_000, tree, move |tree| {
            for _ in 0..20_000 {
                let key = rng.below(theirs_at.len() as u64);
                let from = theirs_at[key as usize];
                let to = step(&mut rng, from);
                theirs_at[key as usize] = to;
                tree.remove(&rstar::primitives::GeomWithData::new(data::unit(from), key));
                tree.insert(rstar::primitives::GeomWithData::new(data::unit(to), key));
            }
        });
        Race::new("200 000 objects move by up to 0.0025 degrees", ours).beats("rstar", theirs, 20.0)
    });
    area.race("geo.G18/encode", |_| {
        let path = data::places().queries(N);
        let line: geo::LineString = path.iter().map(|at| (at.lng(), at.lat())).collect();
        Race::new("a path of 50 000 positions as text", Runner::steady(OURS, N, path, |path| polyline::encode(path.iter().copied(), Precision::Five).len()))
            .beats("polyline", Runner::steady("polyline", N, line, |line| ::polyline::encode_coordinates(line.coords().copied(), 5).map_or(0, |text| text.len())), 1.3)
    });
    area.race("geo.G18/decode", |_| {
        let text = polyline::encode(data::places().queries(N).iter().copied(), Precision::Five);
        Race::new("a text of 50 000 positions", Runner::steady(OURS, N, text.clone(), |text| polyline::decode(text, Precision::Five).flatten().map(LatLng::lat).sum::<f64>()))
            .beats("polyline", Runner::steady("polyline", N, text, |text| ::polyline::decode_polyline(text, 5).map_or(0, |line| line.0.len())), 1.2)
    });
}

type Pairs = Arc<[(LatLng, LatLng)]>;

fn pairs() -> Pairs {
    let at = data::places().queries(2 * N);
    at[..N].iter().copied().zip(at[N..].iter().copied()).collect()
}

fn measured(name: &str, pairs: &Pairs, distance: impl Fn(LatLng, LatLng) -> f64 + 'static) -> Runner {
    Runner::steady(name, N, Arc::clone(pairs), move |pairs| pairs.iter().map(|(a, b)| distance(*a, *b)).sum::<f64>())
}

fn geodesic(pairs: &Pairs) -> Runner {
    let ellipsoid = Geodesic::wgs84();
    measured("geographiclib-rs", pairs, move |a, b| {
        let s12: f64 = ellipsoid.inverse(a.lat(), a.lng(), b.lat(), b.lng());
        s12
    })
}
