//! Positions for the tests of geo.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use archstone_geo::LatLng;
use proptest::prelude::*;

pub fn at(lat: f64, lng: f64) -> LatLng {
    LatLng::new(lat, lng).unwrap_or_else(|e| panic!("{e}"))
}

/// A file of `tests/data`.
pub fn sample(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The sample and, if there, the whole file.
pub fn sources(name: &str) -> Vec<std::path::PathBuf> {
    let whole = testkit::golden::data(&format!("geo/{name}.gz"));
    std::iter::once(sample(name)).chain(whole).collect()
}

/// Anywhere, and often where it hurts: poles, antimeridian, equator, a few fixed places.
pub fn anywhere() -> impl Strategy<Value = LatLng> {
    let edge = prop::sample::select(vec![
        (90.0, 0.0),
        (-90.0, 33.0),
        (90.0, -180.0),
        (0.0, 180.0),
        (0.0, -180.0),
        (0.0, 0.0),
        (12.5, 180.0),
        (89.999_999, 90.0),
        (-89.9, 179.999_999),
    ]);
    prop_oneof![
        6 => (-90.0..=90.0, -180.0..=180.0),
        2 => edge,
        1 => (-1e-6..=1e-6, -1e-6..=1e-6),
        1 => (51.0..51.001, -0.001..0.001),
        1 => (-90.0..=90.0_f64, 179.999..=180.0),
        1 => (89.99..=90.0, -180.0..=180.0),
    ]
    .prop_map(|(lat, lng)| at(lat, lng))
}
