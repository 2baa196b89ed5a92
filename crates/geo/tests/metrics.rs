//! Distances and directions: against Karney's test set, GeodSolve, and laws.

mod common;

use archstone_geo::{LatLng, LatLngBox, Local, Meters, Metric, Sphere, Wgs84, vincenty};
use common::{anywhere, at};
use proptest::prelude::*;

struct Line {
    a: LatLng,
    azi1: f64,
    b: LatLng,
    azi2: f64,
    s12: f64,
}

/// Between two directions, degrees.
fn turned(x: f64, y: f64) -> f64 {
    let d = (x - y).abs();
    d.min(360.0 - d)
}

fn geodtest() -> Option<Vec<Line>> {
    let path = testkit::golden::data("geo/geodtest_short_even.dat.gz")?;
    let lines = testkit::golden::lines(path).map(|line| {
        let n: Vec<f64> = line.split_whitespace().map(|x| x.parse().unwrap()).collect();
        Line { a: at(n[0], n[1]), azi1: n[2], b: at(n[3], n[4]), azi2: n[5], s12: n[6] }
    });
    Some(lines.collect())
}

#[test]
fn karney_s_test_set_is_met_to_15_nm() {
    let Some(lines) = geodtest() else { return };
    let (mut inverse, mut direct, mut round) = (0.0_f64, 0.0_f64, 0.0_f64);
    for line in &lines {
        let off = (Wgs84.distance(line.a, line.b).0 - line.s12).abs();
        assert!(off < 15e-9, "{off} {} {}", line.a, line.b);
        inverse = inverse.max(off);
        let there = Wgs84.direct(line.a, line.azi1, Meters(line.s12));
        let off = Wgs84.distance(there.position, line.b).0;
        assert!(off < 15e-9, "direct {off} {} {}", line.a, line.azi1);
        direct = direct.max(off);
        let way = Wgs84.inverse(line.a, line.b);
        let there = Wgs84.direct(line.a, way.azimuth1, way.distance).position;
        // Azimuths are given to 1e-14 degrees or so: 20 000 km of it is some nanometres more.
        round = round.max(Wgs84.distance(there, line.b).0);
        // Where the direction matters: it is free at short lines and towards the antipode.
        if line.s12 > 1e5 && line.s12 < 1.9e7 {
            assert!(
                turned(way.azimuth1, line.azi1) < 1e-7 && turned(way.azimuth2, line.azi2) < 1e-7,
                "{} {}",
                line.a,
                line.b
            );
        }
    }
    assert!(round < 60e-9, "{round}");
    println!(
        "{} lines: inverse {inverse:e} m, direct {direct:e} m, there and back {round:e} m",
        lines.len()
    );
}

#[test]
fn airports_are_as_far_as_geodsolve_says() {
    type Row = (String, String, f64, f64, f64, f64, f64, f64, f64, f64);
    let Some(path) = testkit::golden::data("geo/airport_geodesics.csv.gz") else { return };
    for (_, _, lat1, lng1, lat2, lng2, s12, azi1, azi2, _) in testkit::golden::csv::<Row>(path) {
        let way = Wgs84.inverse(at(lat1, lng1), at(lat2, lng2));
        assert!((way.distance.0 - s12).abs() < 25e-9, "{} {s12}", way.distance.0);
        assert!(
            s12 < 1e5 || turned(way.azimuth1, azi1) < 1e-7 && turned(way.azimuth2, azi2) < 1e-7,
            "{way:?} {azi1} {azi2}"
        );
    }
}

/// GeographicLib 2.1.2, GeodSolve -i -p 9.
#[test]
fn the_hard_pairs_have_their_lengths() {
    for (a, b, meters) in [
        ((0.0, 0.0), (0.0, 180.0), 20_003_931.458_625_5),
        ((0.0, 0.0), (0.5, 179.5), 19_936_288.578_965_3),
        ((0.0, 0.0), (0.5, 179.7), 19_944_127.421_5),
        ((0.0, 0.0), (0.0, 90.0), 10_018_754.171_394_6),
        ((90.0, 0.0), (-90.0, 45.0), 20_003_931.458_625_5),
        ((0.0, 0.0), (90.0, 0.0), 10_001_965.729_312_7),
        ((20.001, 0.0), (20.001, 0.0), 0.0),
        ((90.0, 10.0), (90.0, -170.0), 0.0),
        // Along the equator as far as that is the shortest, and where it is no longer.
        ((0.0, 0.0), (0.0, 179.3), 19_959_584.699_234),
        ((0.0, 0.0), (0.0, 179.4), 19_970_715.516_596),
        ((0.0, 0.0), (0.0, 179.5), 19_980_861.908_890_96),
        ((0.0, 0.0), (0.0, 179.9), 20_003_008.421_509_4),
        ((-30.0, 0.0), (29.9, 180.0), 19_992_846.298_584_5),
    ] {
        let d = Wgs84.distance(at(a.0, a.1), at(b.0, b.1)).0;
        let tolerance = if meters == 19_944_127.421_5 { 1e-3 } else { 2e-7 };
        assert!((d - meters).abs() < tolerance, "{a:?} {b:?}: {d} {meters}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn distances_are_symmetric_to_the_bit_and_never_nan(a in anywhere(), b in anywhere()) {
        for b in [b, a, a.antipode(), LatLng::wrapped(-a.lat() + 1e-9, a.lng() + 180.0 + 1e-9).unwrap()] {
            for metric in [&Sphere::EARTH as &dyn Metric, &Wgs84, &Local] {
                let (there, back) = (metric.distance(a, b).0, metric.distance(b, a).0);
                prop_assert!(there.is_finite() && there >= 0.0);
                prop_assert_eq!(there.to_bits(), back.to_bits(), "{} {}", a, b);
                let angle = Sphere::EARTH.distance(a, b).0 / Sphere::EARTH.radius();
                let (least, most) = metric.radii();
                prop_assert!(angle * least <= there * (1.0 + 1e-9) + 0.2 && there <= angle * most * (1.0 + 1e-9) + 0.2, "{} {} {} {}", a, b, there, angle);
            }
        }
    }

    #[test]
    fn the_long_way_is_never_shorter(a in anywhere(), b in anywhere(), c in anywhere()) {
        for metric in [&Sphere::EARTH as &dyn Metric, &Wgs84] {
            let d = |a, b| metric.distance(a, b).0;
            // Next to antipodes the haversine is off by up to 0.2 m, on either side of the sign.
            prop_assert!(d(a, c) <= d(a, b) + d(b, c) + 0.5);
        }
    }

    #[test]
    fn the_chord_metric_keeps_its_error_table(a in anywhere(), bearing in -180.0..180.0, log in 0.0_f64..7.3) {
        let there = Wgs84.direct(a, bearing, Meters(10_f64.powf(log))).position;
        let (exact, fast) = (Wgs84.distance(a, there).0, Local.distance(a, there).0);
        let bound = if exact <= 1e5 { 2e-7 } else if exact <= 1e6 { 2e-5 } else { 5e-2 };
        prop_assert!((fast - exact).abs() <= bound * exact + 2e-8, "{} {}", exact, fast);
    }

    #[test]
    fn one_to_many_has_the_bits_of_one_to_one(from in anywhere(), to in proptest::collection::vec(anywhere(), 0..40)) {
        let mut out = vec![Meters::ZERO; to.len() + 1];
        for metric in [&Sphere::EARTH as &dyn Metric, &Wgs84] {
            metric.distances(from, &to, &mut out);
            for (to, out) in to.iter().zip(&out) {
                prop_assert_eq!(metric.distance(from, *to).0.to_bits(), out.0.to_bits());
            }
        }
    }

    #[test]
    fn a_box_is_no_farther_than_what_is_in_it(from in anywhere(), a in anywhere(), b in anywhere(), u in 0.0..=1.0_f64, v in 0.0..=1.0_f64) {
        let area = LatLngBox::new(a.lat().min(b.lat()), a.lat().max(b.lat()), a.lng(), b.lng()).unwrap();
        let inside = LatLng::wrapped(area.south() + u * area.height(), area.west() + v * area.width()).unwrap();
        prop_assert!(area.contains(area.center()));
        for metric in [&Sphere::EARTH as &dyn Metric, &Wgs84, &Local] {
            let bound = metric.at_least(from, &area).0;
            prop_assert!(bound <= metric.distance(from, inside).0 + 0.2, "{from} {area:?} {inside}");
        }
        // And it is the distance: some point of the border is that near.
        let edge = (0..=400).flat_map(|i| {
            let t = f64::from(i) / 400.0;
            let (lat, lng) = (area.south() + t * area.height(), area.west() + t * area.width());
            [(lat, area.west()), (lat, area.east()), (area.south(), lng), (area.north(), lng)]
        });
        let least = edge.map(|(lat, lng)| Sphere::EARTH.distance(from, LatLng::wrapped(lat, lng).unwrap()).0).fold(f64::MAX, f64::min);
        let bound = Sphere::EARTH.at_least(from, &area).0;
        prop_assert!(area.contains(from) || least - bound < 60_000.0, "{} {}", least, bound);
    }

    #[test]
    fn a_box_around_a_circle_holds_it(c in anywhere(), log in -1.0_f64..7.4, bearing in -180.0..180.0, share in 0.0..=1.0_f64) {
        let radius = Meters(10_f64.powf(log));
        let p = Sphere::EARTH.destination(c, bearing, radius * share);
        prop_assert!(Sphere::EARTH.distance(c, p) > radius || LatLngBox::around(c, radius).contains(p), "{} {} {}", c, radius, p);
    }

    #[test]
    fn going_there_and_measuring_back_agree(a in anywhere(), bearing in -180.0..180.0, meters in 1.0..1.9e7_f64) {
        let there = Sphere::EARTH.destination(a, bearing, Meters(meters));
        prop_assert!((Sphere::EARTH.distance(a, there).0 - meters).abs() < 1e-5 + 1e-8 * meters);
        let middle = Sphere::EARTH.intermediate(a, there, 0.5);
        prop_assert!((Sphere::EARTH.distance(a, middle).0 - 0.5 * meters).abs() < 1e-2 + 1e-7 * meters);
        prop_assert!(Sphere::EARTH.cross_track(middle, a, there).0.abs() < 0.1);
        if a.lat().abs() < 85.0 {
            let end = Sphere::EARTH.rhumb_destination(a, bearing, Meters(meters.min(3e5)));
            prop_assert!((Sphere::EARTH.rhumb_distance(a, end).0 - meters.min(3e5)).abs() < 1e-2, "{} {} {}", a, end, bearing);
        }
    }
}

/// The table of DennisOSRM/toolbox-rs#581: clamped coordinates overshoot the nearest point of a box.
#[test]
fn clamping_is_not_the_nearest_point_of_a_box() {
    for (lat, width, overshoot) in [(60.0, 20.0, 1.005), (70.0, 40.0, 1.03)] {
        let area = LatLngBox::new(lat - 30.0, lat + 15.0, width, 90.0).unwrap();
        let from = at(lat, 0.0);
        let clamped = Sphere::EARTH.distance(from, at(lat, width)).0;
        let bound = Sphere::EARTH.at_least(from, &area).0;
        assert!(clamped > bound * overshoot, "{clamped} {bound}");
    }
    let over_the_pole = LatLngBox::new(80.0, 90.0, 170.0, -170.0).unwrap();
    assert!(Sphere::EARTH.at_least(at(89.0, 0.0), &over_the_pole).km() < 112.0);
    let across = LatLngBox::new(-5.0, 5.0, 179.0, -179.0).unwrap();
    assert!(Sphere::EARTH.at_least(at(0.0, -178.0), &across).km() < 112.0);
}

#[test]
fn the_pairs_that_give_nan_elsewhere_do_not() {
    for (a, b) in
        [((2.5, -120.0), (-2.5, 60.0)), ((4.0, 20.0), (-4.0, -160.0)), ((90.0, 0.0), (-90.0, 0.0))]
    {
        let d = Sphere::EARTH.distance(at(a.0, a.1), at(b.0, b.1)).0;
        assert!((d - core::f64::consts::PI * 6_371_008.8).abs() < 1.0, "{d}");
    }
}

#[test]
fn vincenty_is_right_where_it_answers_and_says_where_it_does_not() {
    assert!(vincenty(at(0.0, 0.0), at(0.5, 179.7)).is_err());
    let Some(lines) = geodtest() else { return };
    let mut failed = 0;
    for line in &lines {
        match vincenty(line.a, line.b) {
            Ok(d) => {
                assert!(
                    (d.0 - line.s12).abs() < 1e-4,
                    "{} {} {} {}",
                    line.a,
                    line.b,
                    d.0,
                    line.s12
                );
            }
            Err(_) => failed += 1,
        }
    }
    assert!(failed * 10 > lines.len() && failed * 4 < lines.len(), "{failed} of {}", lines.len());
}

#[test]
fn coordinates_out_of_range_are_refused_by_name_and_limit() {
    for (lat, lng, what) in [
        (91.0, 0.0, "latitude"),
        (f64::NAN, 0.0, "latitude"),
        (0.0, 180.1, "longitude"),
        (0.0, f64::INFINITY, "longitude"),
        (1000.0, 1000.0, "latitude"),
    ] {
        let error = LatLng::new(lat, lng).unwrap_err();
        assert_eq!(error.what, what);
        assert!(LatLngBox::new(lat, 90.0, lng, 0.0).is_err());
    }
    assert_eq!(LatLng::wrapped(100.0, 20.0).unwrap(), at(80.0, -160.0));
    assert_eq!(LatLng::wrapped(0.0, 540.0).unwrap().lng().abs(), 180.0);
    assert!(
        LatLng::wrapped(f64::NAN, 0.0).is_err() && LatLng::wrapped(0.0, f64::INFINITY).is_err()
    );
    assert_eq!(
        LatLng::from_e7(488_566_000, 23_522_000).unwrap().to_e7(),
        (488_566_000, 23_522_000)
    );
    assert!(LatLng::from_e7(i32::MAX, 0).is_err());
    assert_eq!(LatLng::new(-0.0, -0.0).unwrap(), at(0.0, 0.0));
    assert!(LatLngBox::new(2.0, 1.0, 0.0, 1.0).is_err());
}

/// Over either pole and round the Earth: the place that sines and cosines of the angles as given have.
#[test]
fn what_is_wrapped_over_a_pole_comes_out_half_a_turn_on() {
    for (lat, lng, wrapped) in [
        (100.0, 20.0, at(80.0, -160.0)),
        (-100.0, 20.0, at(-80.0, -160.0)),
        (-100.0, -20.0, at(-80.0, 160.0)),
        (-180.0, 0.0, at(0.0, 180.0)),
        (-90.5, 90.0, at(-89.5, -90.0)),
    ] {
        assert_eq!(LatLng::wrapped(lat, lng).unwrap(), wrapped);
    }
    let unit = |lat: f64, lng: f64| {
        let (lat, lng) = (lat.to_radians(), lng.to_radians());
        [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()]
    };
    for lat in (-725..=725).step_by(5) {
        for lng in (-725..=725).step_by(25) {
            let (lat, lng) = (f64::from(lat), f64::from(lng));
            let p = LatLng::wrapped(lat, lng).unwrap();
            let (is, expected) = (unit(p.lat(), p.lng()), unit(lat, lng));
            let off = (0..3).map(|i| (is[i] - expected[i]).abs()).fold(0.0, f64::max);
            assert!(off < 1e-12, "{lat} {lng}: {p}");
        }
    }
}

#[test]
fn boxes_know_the_antimeridian_and_the_poles() {
    let fiji = LatLngBox::new(-21.0, -12.0, 177.0, -178.0).unwrap();
    let (east, west) = (
        LatLngBox::new(-20.0, 0.0, -179.0, -170.0).unwrap(),
        LatLngBox::new(-20.0, 0.0, 170.0, 178.0).unwrap(),
    );
    assert!(fiji.intersects(&east) && east.intersects(&fiji) && !east.intersects(&west));
    assert!(
        fiji.contains(at(-15.0, 180.0))
            && fiji.contains(at(-15.0, -180.0))
            && !fiji.contains(at(-15.0, 0.0))
    );
    assert_eq!((fiji.width(), fiji.crosses_antimeridian()), (5.0, true));
    let both = east.union(&west);
    assert_eq!((both.west(), both.east()), (170.0, -170.0));
    assert!(LatLngBox::around(at(89.9, 0.0), Meters::from_km(50.0)).contains(at(90.0, 77.0)));
    assert!((LatLngBox::WORLD.area() / 5.100_656e14 - 1.0).abs() < 1e-4);
    for pole in [90.0, -90.0] {
        let cap = |west, east| {
            LatLngBox::new(f64::min(80.0, pole), f64::max(-80.0, pole), west, east).unwrap()
        };
        let (a, b) = (cap(10.0, 20.0), cap(-120.0, -100.0));
        // A pole is one place whatever its longitude.
        assert!(a.contains(at(pole, -77.0)) && a.contains(at(pole, 180.0)));
        assert!(a.intersects(&b) && b.intersects(&a));
    }
    let (a, b) = (
        LatLngBox::new(-89.0, 89.0, 10.0, 20.0).unwrap(),
        LatLngBox::new(-90.0, 90.0, 30.0, 40.0).unwrap(),
    );
    assert!(!a.intersects(&b) && !a.contains(at(90.0, 15.0)));
}

/// A circle that only just reaches a pole: the meridian that it touches is rounded away.
#[test]
fn a_box_around_a_circle_that_touches_a_pole_has_all_longitudes() {
    let mut touched = [0; 2];
    for i in 1..4_000 {
        let lat = 90.0 - f64::from(i) * 0.021_7;
        let radius = (90.0 - lat) * Sphere::EARTH.radius() * std::f64::consts::PI / 180.0 - 1e-3;
        for step in -4..=4 {
            let radius = Meters(radius * (1.0 + f64::from(step) * f64::EPSILON));
            let (north, south) =
                (LatLngBox::around(at(lat, 7.0), radius), LatLngBox::around(at(-lat, 7.0), radius));
            for (k, (area, reached)) in
                [(north, north.north() == 90.0), (south, south.south() == -90.0)]
                    .into_iter()
                    .enumerate()
            {
                touched[k] += u32::from(reached);
                assert!(!reached || area.width() == 360.0, "{lat} {radius}");
            }
        }
    }
    assert!(touched.iter().all(|&count| count > 5_000), "{touched:?}");
}
