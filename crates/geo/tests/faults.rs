//! Every input that breaks a peer, in the order of the table of COMPARE.md.
#![cfg(feature = "std")]

mod common;

use archstone_geo::fence::{FenceSet, Rules};
use archstone_geo::polyline::{self, PolylineErrorKind, Precision};
use archstone_geo::{
    CellId, Circle, Direction, Geohash, LatLng, LatLngBox, LiveIndex, Meters, Metric, PlaceIndex,
    Polygon, Region, Sphere, Time, View, Wgs84,
};
use common::at;

/// The geohash crate: the south pole's cell.
#[test]
fn a_position_at_the_north_pole_is_in_the_northernmost_cell() {
    assert_eq!(Geohash::encode(at(90.0, 180.0), 6).unwrap().to_string(), "zzzzzz");
    assert_eq!(Geohash::encode(at(90.0, 0.0), 6).unwrap().to_string(), "upbpbp");
}

/// The geohash crate: `pbpbpb` and `h00`, at the south pole.
#[test]
fn no_cell_lies_north_of_the_northernmost() {
    for text in ["zzzzzz", "upb"] {
        let cell: Geohash = text.parse().unwrap();
        assert_eq!(cell.neighbor(Direction::N), None);
        assert_eq!(cell.neighbors().iter().count(), 5);
    }
}

/// geo 0.33.1 and h3o 0.11.1: NaN.
#[test]
fn antipodes_are_half_the_circumference_apart() {
    for (a, b) in [
        (at(2.5, -120.0), at(-2.5, 60.0)),
        (at(4.0, 20.0), at(-4.0, -160.0)),
        (at(90.0, 0.0), at(-90.0, 0.0)),
        (at(0.0, 0.0), at(0.0, 180.0)),
    ] {
        let half = Sphere::EARTH.radius() * std::f64::consts::PI;
        assert!((Sphere::EARTH.distance(a, b).0 - half).abs() < 1.0);
        assert!(Wgs84.distance(a, b).0 > 1.99e7);
    }
}

/// h3o: accepted, and gives a cell.
#[test]
fn coordinates_out_of_range_are_refused_with_value_and_limit() {
    let error = LatLng::new(1_000.0, 1_000.0).unwrap_err();
    assert_eq!((error.what, error.value, error.limit), ("latitude", 1_000.0, 90.0));
    assert_eq!(error.to_string(), "latitude is 1000, it may be -90 to 90");
}

/// kiddo's mutable tree: 968 refused.
#[test]
fn a_thousand_equal_points_are_a_thousand() {
    let index = PlaceIndex::new((0..1_000_u32).map(|id| (at(48.0, 2.0), id)));
    assert_eq!(index.near(at(48.0, 2.0)).within(Meters::ZERO).count(), 1_000);
    let mut live = LiveIndex::<u32>::new();
    for id in 0..1_000 {
        live.upsert(id, at(48.0, 2.0));
    }
    assert_eq!(live.within(at(48.0, 2.0), Meters::ZERO).len(), 1_000);
    // All on one meridian, too.
    let index = PlaceIndex::new((0..1_000_u32).map(|id| (at(f64::from(id) * 0.01, 2.0), id)));
    assert_eq!(index.near(at(0.0, 2.0)).limit(1_000).collect().len(), 1_000);
}

/// geo-index and kdbush: a panic; kiddo: item 0 at infinity.
#[test]
fn an_empty_set_has_nothing_near() {
    let index = PlaceIndex::<u32>::new([]);
    assert!(index.nearest(at(0.0, 0.0)).is_none());
    assert_eq!(index.in_box(&LatLngBox::WORLD).count(), 0);
    assert_eq!(index.in_region(&Circle::new(at(0.0, 0.0), Meters(1e9))).count(), 0);
    assert!(LiveIndex::<u32>::new().nearest(at(0.0, 0.0), 1).is_empty());
    let mut fences = FenceSet::<u8, u8>::new(1);
    fences.update(&1, at(0.0, 0.0), Time::ZERO, |_| panic!("an event")).unwrap();
}

/// rstar and kiddo: NaN comes back as the nearest; s2: face 0.
#[test]
fn nan_cannot_become_a_position() {
    for (lat, lng) in [(f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)] {
        assert!(LatLng::new(lat, lng).is_err() && LatLng::wrapped(lat, lng).is_err());
    }
    // As a radius it is none, or nothing.
    assert!(!Circle::new(at(0.0, 0.0), Meters(f64::NAN)).contains(at(0.0, 1.0)));
    let rules = Rules::new().with_hysteresis(Meters(f64::NAN));
    assert_eq!(rules.hysteresis(), Meters::ZERO);
    let index = PlaceIndex::new([(at(0.0, 0.0), 1_u32)]);
    assert_eq!(index.near(at(0.0, 0.0)).within(Meters(f64::NAN)).count(), 0);
}

/// s2: printing it never returns.
#[test]
fn a_bad_token_is_an_error_that_prints() {
    let error = "zzzz".parse::<CellId>().unwrap_err();
    assert_eq!(format!("{error}"), "byte 0x7a at 0 is no hexadecimal digit");
    assert!(!format!("{error:?}").is_empty());
}

/// polyline: a false second point.
#[test]
fn an_unterminated_polyline_is_an_error_at_its_place() {
    let all: Vec<_> = polyline::decode("_p~iF~ps|U_ulL~", Precision::Five).collect();
    assert_eq!(all.len(), 2);
    let error = all[1].unwrap_err();
    assert_eq!((error.offset, error.kind), (14, PolylineErrorKind::Truncated));
}

/// polyline: precision 400 is accepted. Here it cannot be written: three there are.
#[test]
fn there_are_three_precisions() {
    assert_eq!(Precision::default(), Precision::Five);
}

/// geo: (179, -17) outside, (0, -17) inside.
#[test]
fn fiji_is_a_strip_and_not_the_rest_of_the_world() {
    let ring = [(-21.0, 177.0), (-21.0, -177.0), (-12.0, -177.0), (-12.0, 177.0)];
    let fiji = Polygon::new(&[ring.map(|(lat, lng)| at(lat, lng)).to_vec()]).unwrap();
    assert!(fiji.contains(at(-17.0, 179.0)) && !fiji.contains(at(-17.0, 0.0)));
}

/// geo: false.
#[test]
fn a_ring_round_the_pole_has_the_pole() {
    let ring = (0..36).map(|i| at(80.0, f64::from(i) * 10.0 - 180.0)).collect();
    let arctic = Polygon::new(&[ring]).unwrap();
    assert!(arctic.contains(at(89.0, 5.0)) && arctic.contains(at(90.0, 0.0)));
}

/// A circle's box at 89.999 N (geohash-java#10: the whole world).
#[test]
fn a_circle_next_to_a_pole_has_a_small_box() {
    let area = LatLngBox::around(at(89.0, 0.0), Meters::from_km(50.0));
    assert!(area.south() > 88.5 && area.north() < 89.5 && area.width() < 60.0, "{area:?}");
    let over = LatLngBox::around(at(89.999, 0.0), Meters::from_km(1.0));
    assert!(over.south() > 89.98 && over.width() == 360.0);
}

/// Bytes that no index wrote, each cut off and each bit turned: an error or another index.
#[test]
fn broken_bytes_of_an_index_are_refused() {
    let index = PlaceIndex::new((0..100_u32).map(|i| (at(f64::from(i) * 0.3, 5.0), i)));
    let bytes = index.encode();
    for len in 0..bytes.len() {
        assert!(View::new(&bytes[..len]).is_err(), "{len}");
    }
    let huge = [&bytes[..3], &u32::MAX.to_le_bytes()[..], &bytes[7..]].concat();
    assert!(View::new(&huge).is_err());
    // What is taken answers as measuring all of its places does.
    let right = |view: &View<'_>, center: LatLng| {
        let all = view.in_box(&LatLngBox::WORLD).map(|(p, _)| Sphere::EARTH.distance(center, p));
        let mut all: Vec<Meters> = all.collect();
        all.sort_unstable();
        let few = view.near(center).limit(5).collect();
        all.len() == view.len() && few.iter().map(|hit| hit.distance()).eq(all[..5].iter().copied())
    };
    let mut refused = 0;
    for at_byte in 0..bytes.len() {
        for bit in [0x80, 0x20, 0x04, 0x01] {
            let mut broken = bytes.clone();
            broken[at_byte] ^= bit;
            match View::new(&broken) {
                Ok(view) => {
                    for center in [at(1.0, 5.0), at(9.7, 5.0), at(13.1, 6.0), at(27.0, 5.0)] {
                        assert!(right(&view, center), "byte {at_byte}, bit {bit}, {center}");
                    }
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}
