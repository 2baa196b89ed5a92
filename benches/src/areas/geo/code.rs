//! Codes: G1 to G3.

use std::hint::black_box;
use std::sync::Arc;

use archstone_geo::{Geohash, LatLng, geohash};

use super::data;
use crate::areas::Area;
use crate::measure::{Race, Runner};

const N: usize = 100_000;

pub(super) fn entries(area: &mut Area) {
    area.race("geo.G1/encode/len=9", |_| {
        let at = sample();
        Race::new("geohash of 9 characters as text", ours("archstone-geo", &at, |at| {
            let mut buffer = [0; 12];
            Geohash::encode(at, 9).map_or(0, |cell| last(cell.as_str(&mut buffer)))
        }))
        .beats("geohash", ours("geohash", &at, |at| {
            let coord = ::geohash::Coord { x: at.lng(), y: at.lat() };
            ::geohash::encode(coord, 9).map_or(0, |text| last(&text))
        }), 3.0)
    });
    area.race("geo.G2/decode/len=9", |_| {
        let cells = cells();
        Race::new("text of 9 characters to its centre", texts("archstone-geo", &cells, |text| {
            text.parse::<Geohash>().map_or(0.0, |cell| cell.center().lat() + cell.center().lng())
        }))
        .beats("geohash", texts("geohash", &cells, |text| {
            ::geohash::decode(text).map_or(0.0, |(at, _, _)| at.x + at.y)
        }), 2.0)
    });
    area.race("geo.G2/neighbors/len=9", |_| {
        let cells = cells();
        Race::new("the eight neighbours of a text, as texts", texts("archstone-geo", &cells, |text| {
            let Ok(cell) = text.parse::<Geohash>() else { return 0.0 };
            let mut sum = 0_u64;
            let around = cell.neighbors();
            for direction in archstone_geo::Direction::ALL {
                let mut buffer = [0; 12];
                sum += around.get(direction).map_or(0, |cell| last(cell.as_str(&mut buffer)));
            }
            sum as f64
        }))
        .beats("geohash", texts("geohash", &cells, |text| {
            ::geohash::neighbors(text).map_or(0.0, |n| {
                [&n.n, &n.ne, &n.e, &n.se, &n.s, &n.sw, &n.w, &n.nw].iter().map(|text| last(text)).sum::<u64>() as f64
            })
        }), 15.0)
    });
    area.rows("geo.G3", |run| {
        let at = sample();
        let runners = || [ours("geohash u64", &at, geohash::encode_u64), ours("redis score", &at, |at| archstone_geo::redis::Score::encode(at).map_or(0, |score| score.to_u64()))];
        let timings = crate::measure::interleave(&mut runners(), &run.budget);
        ["u64", "redis"].iter().zip(timings).map(|(name, timing)| {
            let subject = crate::row::Subject::new(&format!("geo.G3/{name}"), "encode a position", crate::row::Unit::Ns, crate::row::Better::Lower);
            subject.limit(crate::row::Side::new("archstone-geo", timing.best), 5.0)
        }).collect()
    });
    area.race("geo.G3/cell", |_| {
        let at = sample();
        // Each gets the position in its own type, made before.
        let h3o: Arc<[h3o::LatLng]> = at.iter().map(|at| h3o::LatLng::new(at.lat(), at.lng()).expect("finite")).collect();
        let s2: Arc<[s2::latlng::LatLng]> = at.iter().map(|at| s2::latlng::LatLng::from_degrees(at.lat(), at.lng())).collect();
        Race::new("a position to a cell: level 30 of S2's, resolution 9 of H3's", ours("archstone-geo", &at, |at| archstone_geo::CellId::from_lat_lng(at).to_u64()))
            .beside("s2", Runner::steady("s2 CellID", N, s2, |at| at.iter().fold(0_u64, |sum, at| sum.wrapping_add(s2::cellid::CellID::from(*at).0))))
            .beside("h3o", Runner::steady("h3o to_cell", N, h3o, |at| at.iter().fold(0_u64, |sum, at| sum.wrapping_add(at.to_cell(h3o::Resolution::Nine).into()))))
    });
}

/// All of the text is written, whatever is read of it.
fn last(text: &str) -> u64 {
    u64::from(black_box(text).as_bytes()[8])
}

fn sample() -> Arc<[LatLng]> {
    data::places().queries(N)
}

fn cells() -> Arc<[String]> {
    sample().iter().filter_map(|at| Some(Geohash::encode(*at, 9).ok()?.to_string())).collect()
}

fn ours(name: &str, at: &Arc<[LatLng]>, encode: impl Fn(LatLng) -> u64 + 'static) -> Runner {
    Runner::steady(name, N, Arc::clone(at), move |at| at.iter().fold(0_u64, |sum, at| sum.wrapping_add(encode(*at))))
}

fn texts(name: &str, cells: &Arc<[String]>, each: impl Fn(&str) -> f64 + 'static) -> Runner {
    Runner::steady(name, N, Arc::clone(cells), move |cells| cells.iter().map(|text| each(text)).sum::<f64>())
}
