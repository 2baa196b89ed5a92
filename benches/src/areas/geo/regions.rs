//! Polygons and covers: G15, G17.

use std::sync::Arc;

use archstone_geo::{CellId, Circle, Coverer, LatLng, Meters, Polygon, PolygonMap};
use geo::{Contains, Point};
use rstar::RTree;
use rstar::primitives::{GeomWithData, Rectangle};
use s2::region::RegionCoverer;

use super::data;
use super::index::OURS;
use crate::areas::Area;
use crate::measure::{Race, Runner};
use crate::row::{Better, Row, Side, Subject, Unit};
use crate::workload;

/// What the S2 library (C++) takes for the same question, from the anchors: 391 ns, to be beaten by 1.3.
const S2_NS: f64 = 391.0 / 1.3;

pub(super) fn entries(area: &mut Area) {
    area.race("geo.G15/country", |_| countries());
    area.rows("geo.G15/truth", |_| vec![truth()]);
    for km in [5.0, 500.0] {
        area.race(format!("geo.G17/cap={km}km"), move |_| covering(km));
    }
    area.rows("geo.G17/area", |_| vec![tightness()]);
}

type Rings = Vec<Vec<(f64, f64)>>;

/// The polygons of the countries, each with the number of its country.
fn rings() -> Option<Vec<(String, Rings)>> {
    let lines = workload::lines(&data::file("geo/countries_50m_rings.tsv.gz")?).ok()?;
    let mut polygons: Vec<(String, String, Rings)> = Vec::new();
    for line in lines.iter().skip(1) {
        let mut fields = line.split('\t');
        let (country, number) = (fields.next()?, fields.next()?);
        let ring = fields.nth(1)?.split(' ').filter_map(|pair| {
            let (lat, lng) = pair.split_once(',')?;
            Some((lat.parse().ok()?, lng.parse().ok()?))
        });
        let ring: Vec<(f64, f64)> = ring.collect();
        match polygons.last_mut() {
            Some((c, n, rings)) if (c.as_str(), n.as_str()) == (country, number) => rings.push(ring),
            _ => polygons.push((country.to_owned(), number.to_owned(), vec![ring])),
        }
    }
    Some(polygons.into_iter().map(|(country, _, rings)| (country, rings)).collect())
}

fn map(rings: &[(String, Rings)]) -> PolygonMap<String> {
    let polygon = |rings: &Rings| {
        let rings: Vec<Vec<LatLng>> = rings
            .iter()
            .map(|ring| ring.iter().filter_map(|&(lat, lng)| LatLng::new(lat, lng).ok()).collect())
            .collect();
        Polygon::new(&rings).ok()
    };
    PolygonMap::new(rings.iter().filter_map(|(country, rings)| Some((polygon(rings)?, country.clone()))))
}

fn countries() -> Race {
    let workload = "the country of a place, 1 616 polygons with great circles as edges (geo: planar)";
    let Some(rings) = rings() else {
        return Race::without_ours(workload, OURS, "needs $ARCHSTONE_DATA").missing("geo", "rstar and geo", Some(2.5), "needs $ARCHSTONE_DATA");
    };
    let queries = data::places().queries(10_000);
    let theirs = rings.iter().map(|(country, rings)| {
        let line = |ring: &Vec<(f64, f64)>| ring.iter().map(|&(lat, lng)| (lng, lat)).collect::<geo::LineString>();
        let polygon = geo::Polygon::new(line(&rings[0]), rings[1..].iter().map(line).collect());
        let corners = |pick: fn(f64, f64) -> f64, from: f64| rings[0].iter().fold([from; 2], |m, &(lat, lng)| [pick(m[0], lng), pick(m[1], lat)]);
        let bounds = Rectangle::from_corners(corners(f64::min, f64::INFINITY), corners(f64::max, f64::NEG_INFINITY));
        GeomWithData::new(bounds, (polygon, country.clone()))
    });
    let tree = RTree::bulk_load(theirs.collect());
    let asked = Arc::clone(&queries);
    let theirs = Runner::steady("rstar of boxes and geo contains", asked.len(), tree, move |tree| {
        let found = |at: &LatLng| {
            let point = Point::new(at.lng(), at.lat());
            tree.locate_all_at_point([at.lng(), at.lat()]).filter(|entry| entry.data.0.contains(&point)).map(|entry| entry.data.1.len()).sum::<usize>()
        };
        asked.iter().map(found).sum::<usize>()
    });
    let ours = Runner::steady(OURS, queries.len(), map(&rings), move |map| {
        queries.iter().map(|at| map.containing(*at).map(String::len).sum::<usize>()).sum::<usize>()
    });
    Race::new(workload, ours).beats("geo", theirs, 2.5)
}

/// How many of the points are in other countries than S2 says.
fn truth() -> Row {
    let subject = Subject::new("geo.G15/truth", "points in the wrong country by the S2 library, of 4 121", Unit::Count, Better::Lower);
    let points = data::file("geo/pip_countries.csv.gz").and_then(|path| workload::lines(&path).ok());
    let (Some(rings), Some(points)) = (rings(), points) else {
        return subject.limit(Side::new(OURS, f64::NAN), 0.0).could_not_run("needs $ARCHSTONE_DATA");
    };
    let map = map(&rings);
    let mut wrong = 0;
    for line in points.iter().skip(1) {
        let mut fields = line.splitn(3, ',');
        let mut number = || fields.next()?.parse::<f64>().ok();
        let (Some(lat), Some(lng)) = (number(), number()) else { continue };
        let mut theirs: Vec<&str> = fields.next().unwrap_or_default().split([';', '|']).filter(|name| !name.is_empty()).collect();
        let Ok(at) = LatLng::new(lat, lng) else { continue };
        let mut ours: Vec<&str> = map.containing(at).map(String::as_str).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        ours.dedup();
        wrong += u32::from(ours != theirs);
    }
    subject.limit(Side::new(OURS, f64::from(wrong)), 0.0).note(format!("S2 C++ takes 391 ns on the anchors' machine, 1.3x is {S2_NS:.0} ns"))
}

fn covering(km: f64) -> Race {
    let queries = data::places().queries(1_000);
    let asked = Arc::clone(&queries);
    let theirs = Runner::steady("s2 RegionCoverer", asked.len(), (), move |()| {
        let coverer = RegionCoverer { min_level: 0, max_level: 30, level_mod: 1, max_cells: 8 };
        let angle = s2::s1::Angle::from(s2::s1::Rad(km * 1_000.0 / 6_371_008.8));
        let cells = |at: &LatLng| {
            let center = s2::point::Point::from(s2::latlng::LatLng::from_degrees(at.lat(), at.lng()));
            coverer.covering(&s2::cap::Cap::from_center_angle(&center, &angle)).0.len()
        };
        asked.iter().map(cells).sum::<usize>()
    });
    let ours = Runner::steady(OURS, queries.len(), queries, move |queries| {
        let coverer = Coverer::new(8);
        queries.iter().map(|at| coverer.cover::<CellId>(&Circle::new(*at, Meters::from_km(km))).len()).sum::<usize>()
    });
    Race::new(format!("covering of a circle of {km} km by 8 cells"), ours).beats("s2", theirs, 2.0)
}

/// The mean area of our covers over the circle's, beside that of S2's.
fn tightness() -> Row {
    let subject = Subject::new("geo.G17/area/s2", "area of a covering over its circle's, mean of 200 caps, equal cells", Unit::Ratio, Better::Lower);
    let lines = data::file("geo/s2_covers.csv.gz").and_then(|path| workload::lines(&path).ok());
    let Some(lines) = lines else {
        return subject.against(Side::missing(OURS), Side::missing("S2 C++"), Some(1.0)).could_not_run("needs $ARCHSTONE_DATA");
    };
    let (mut ours, mut theirs, mut n) = (0.0, 0.0, 0.0);
    for line in lines.iter().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |i: usize| fields.get(i).and_then(|field| field.parse::<f64>().ok());
        let (Some(lat), Some(lng), Some(radius), Some(cells), Some(level), Some(ratio)) = (number(0), number(1), number(2), number(3), number(4), number(6)) else { continue };
        let Ok(at) = LatLng::new(lat, lng) else { continue };
        let cover: Vec<CellId> = Coverer::new(cells as usize).with_max_level(level as u8).cover(&Circle::new(at, Meters(radius)));
        let theirs_area: f64 = fields[8].split(' ').filter_map(|token| token.parse().ok()).map(area).sum();
        ours += cover.into_iter().map(area).sum::<f64>() / theirs_area * ratio;
        theirs += ratio;
        n += 1.0;
    }
    subject.against(Side::new(OURS, ours / n), Side::new("S2 C++", theirs / n), Some(1.0))
}

/// On the unit sphere: two triangles (Eriksson's formula).
fn area(cell: CellId) -> f64 {
    let v = cell.corners().map(data::unit);
    let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let triangle = |a: [f64; 3], b: [f64; 3], c: [f64; 3]| {
        let sub = |a: [f64; 3], b: [f64; 3]| [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
        let (u, w) = (sub(b, a), sub(c, a));
        let n = [u[1] * w[2] - u[2] * w[1], u[2] * w[0] - u[0] * w[2], u[0] * w[1] - u[1] * w[0]];
        2.0 * dot(a, n).abs().atan2(1.0 + dot(a, b) + dot(b, c) + dot(c, a))
    };
    triangle(v[0], v[1], v[2]) + triangle(v[0], v[2], v[3])
}
