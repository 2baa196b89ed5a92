//! Distances and paths as text: G4 to G6, G18.

use std::sync::Arc;

use archstone_geo::polyline::{self, Precision};
use archstone_geo::{LatLng, Local, Meters, Metric, Sphere, Wgs84};
use geo::{Distance, Haversine, Point};
use geographiclib_rs::{Geodesic, InverseGeodesic};

use super::data;
use super::index::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::row::{Better, Side, Subject, Unit};

const N: usize = 50_000;

pub(super) fn entries(area: &mut Area) {
    area.race("geo.G4/one-to-many", |_| one_to_many());
    area.race("geo.G5/inverse", |_| {
        let pairs = pairs();
        let ours = measured(OURS, &pairs, |a, b| Wgs84.distance(a, b).0);
        Race::new("geodesic distance of random pairs of places, 15 nm", ours).beats("geographiclib-rs", geodesic(&pairs), 1.3)
    });
    area.rows("geo.G5/error", |_| vec![karney_error()]);
    area.race("geo.G6/local", |_| {
        let pairs = near_pairs();
        let theirs = measured("geo Haversine", &pairs, |a, b| Haversine.distance(Point::new(a.lng(), a.lat()), Point::new(b.lng(), b.lat())));
        Race::new("ellipsoidal distance of pairs up to 100 km", measured(OURS, &pairs, |a, b| Local.distance(a, b).0)).beats("geo-haversine", theirs, 1.0)
    });
    area.rows("geo.G6/error", |_| {
        let pairs = near_pairs();
        let worst = |distance: fn(LatLng, LatLng) -> f64| {
            let off = |&(a, b): &(LatLng, LatLng)| (distance(a, b) / Wgs84.distance(a, b).0.max(1.0) - 1.0).abs();
            pairs.iter().filter(|(a, b)| Wgs84.distance(*a, *b).0 > 100.0).map(off).fold(0.0, f64::max)
        };
        let ours = Side::new(OURS, worst(|a, b| Local.distance(a, b).0));
        let theirs = Side::new("the sphere", worst(|a, b| Sphere::EARTH.distance(a, b).0));
        let subject = Subject::new("geo.G6/error/sphere", "largest relative error, pairs up to 100 km", Unit::Ratio, Better::Lower);
        vec![subject.against(ours, theirs, Some(50.0))]
    });
    area.race("geo.G18/encode", |_| {
        let path = data::places().queries(N);
        let line: geo::LineString = path.iter().map(|at| (at.lng(), at.lat())).collect();
        let theirs = Runner::steady("polyline", N, line, |line| ::polyline::encode_coordinates(line.coords().copied(), 5).map_or(0, |text| text.len()));
        let ours = Runner::steady(OURS, N, path, |path| polyline::encode(path.iter().copied(), Precision::Five).len());
        Race::new("a path of 50 000 positions as text", ours).beats("polyline", theirs, 1.3)
    });
    area.race("geo.G18/decode", |_| {
        let text = polyline::encode(data::places().queries(N).iter().copied(), Precision::Five);
        let theirs = Runner::steady("polyline", N, text.clone(), |text| ::polyline::decode_polyline(text, 5).map_or(0, |line| line.0.len()));
        // Both collect the path.
        let ours = Runner::steady(OURS, N, text, |text| polyline::decode(text, Precision::Five).flatten().collect::<Vec<LatLng>>().len());
        Race::new("a text of 50 000 positions", ours).beats("polyline", theirs, 1.2)
    });
}

fn one_to_many() -> Race {
    let to = data::places().queries(N);
    let from = to[0];
    let start = Point::new(from.lng(), from.lat());
    let points: Vec<Point> = to.iter().map(|at| Point::new(at.lng(), at.lat())).collect();
    let mut out = vec![Meters::ZERO; N];
    Sphere::EARTH.distances(from, &to, &mut out);
    let agree = points.iter().zip(&out).all(|(point, ours)| {
        let theirs: f64 = Haversine.distance(start, *point);
        (theirs - ours.0).abs() <= 1e-6 + 1e-9 * theirs
    });
    let workload = "metres from one place to 50 000, degrees in";
    if !agree {
        return Race::without_ours(workload, OURS, "a distance that is not geo's");
    }
    let ours = Runner::steady(OURS, N, (Arc::clone(&to), out), move |(to, out)| {
        Sphere::EARTH.distances(from, to, out);
        out[N / 2].0
    });
    let theirs = Runner::steady("geo Haversine", N, (points, vec![0.0; N]), move |(points, out)| {
        for (point, out) in points.iter().zip(out.iter_mut()) {
            *out = Haversine.distance(start, *point);
        }
        out[N / 2]
    });
    let h3o = |at: &LatLng| h3o::LatLng::new(at.lat(), at.lng()).expect("finite");
    let (start, points): (_, Vec<_>) = (h3o(&from), to.iter().map(h3o).collect());
    let hexagons = Runner::steady("h3o distance_m", N, (points, vec![0.0; N]), move |(points, out)| {
        for (point, out) in points.iter().zip(out.iter_mut()) {
            *out = start.distance_m(*point);
        }
        out[N / 2]
    });
    Race::new(workload, ours).beats("geo", theirs, 4.0).beside("h3o", hexagons)
}

/// The worst of the lines of GeodTest, in metres.
fn karney_error() -> crate::row::Row {
    let subject = Subject::new("geo.G5/error/GeodTest", "largest error of a distance in nm, 5 000 hard lines", Unit::Count, Better::Lower);
    let lines = data::file("geo/geodtest_short_even.dat.gz").and_then(|path| crate::workload::lines(&path).ok());
    let Some(lines) = lines else {
        return subject.limit(Side::new(OURS, f64::NAN), 15.0).could_not_run("needs $ARCHSTONE_DATA");
    };
    let mut worst = 0.0_f64;
    for line in lines {
        let fields: Vec<f64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let &[lat1, lng1, _, lat2, lng2, _, s12, ..] = &fields[..] else { continue };
        let (Ok(a), Ok(b)) = (LatLng::wrapped(lat1, lng1), LatLng::wrapped(lat2, lng2)) else { continue };
        worst = worst.max((Wgs84.distance(a, b).0 - s12).abs());
    }
    subject.limit(Side::new(OURS, worst * 1e9), 15.0)
}

type Pairs = Arc<[(LatLng, LatLng)]>;

fn pairs() -> Pairs {
    let at = data::places().queries(2 * N);
    at[..N].iter().copied().zip(at[N..].iter().copied()).collect()
}

/// Each within 100 km of the other.
fn near_pairs() -> Pairs {
    let mut rng = crate::workload::Rng::new(9);
    data::places()
        .queries(N)
        .iter()
        .map(|&a| (a, Sphere::EARTH.destination(a, rng.unit() * 360.0, Meters(rng.unit() * 99_000.0))))
        .collect()
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
