//! Every parser and decoder on any bytes: what the tests and the fuzz target run.

#![allow(unreachable_pub, reason = "shared by a test and a fuzz target")]

use archstone_geo::polyline::{self, Precision};
use archstone_geo::redis::Score;
use archstone_geo::{CellId, Geohash, LatLng, Meters, PlaceIndex, View};

/// Reads `bytes` as everything; what is understood must keep its promises.
pub fn any_bytes(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    if let Ok(cell) = text.parse::<Geohash>() {
        assert_eq!(cell.to_string(), text);
    }
    let _ = Geohash::parse_any_case(text);
    if let Ok(cell) = text.parse::<CellId>() {
        assert_eq!(CellId::from_u64(cell.to_u64()), Ok(cell));
        let _ = (cell.center(), cell.neighbors().count(), cell.children());
    }
    // Any eight bytes as the number of a cell or a score.
    for eight in bytes.chunks_exact(8) {
        let number = u64::from_le_bytes(eight.try_into().expect("eight"));
        if let Ok(cell) = CellId::from_u64(number) {
            assert!(cell.contains(CellId::from_lat_lng(cell.center())));
        }
        if let Ok(score) = Score::from_u64(number) {
            let _ = (score.decode(), score.geohash(), score.distance(score));
        }
        if let Ok(cell) = Geohash::from_u64(number, eight[0] % 14) {
            assert_eq!(cell.to_string().parse(), Ok(cell));
            assert!(cell.contains(cell.center()) && cell.neighbors().iter().count() >= 2);
        }
    }
    for precision in [Precision::Five, Precision::Six, Precision::Seven] {
        let path: Vec<LatLng> =
            polyline::decode_bytes(bytes, precision).map_while(Result::ok).collect();
        // What was read can be written, and reads back the same.
        let written = polyline::encode(path.iter().copied(), precision);
        let again: Result<Vec<LatLng>, _> = polyline::decode(&written, precision).collect();
        assert_eq!(again.as_ref(), Ok(&path));
    }
    if let Ok(view) = View::new(bytes) {
        let center = LatLng::new(48.0, 2.0).expect("a position");
        assert!(view.near(center).limit(5).collect().len() <= view.len());
        let _ = view.near(center).within(Meters(1e6)).count();
    }
    // Any doubles: positions if they are, an index of those.
    let doubles: Vec<f64> = bytes
        .chunks_exact(8)
        .map(|eight| f64::from_le_bytes(eight.try_into().expect("eight")))
        .collect();
    let places: Vec<LatLng> = doubles
        .chunks_exact(2)
        .filter_map(|p| LatLng::new(p[0], p[1]).or_else(|_| LatLng::wrapped(p[0], p[1])).ok())
        .collect();
    let index = PlaceIndex::new(places.iter().copied().zip(0_u32..));
    for place in places.iter().take(4) {
        assert_eq!(index.nearest(*place).map(|hit| hit.distance()), Some(Meters::ZERO));
    }
    let encoded = index.encode();
    assert_eq!(View::new(&encoded).map(|view| view.len()), Ok(places.len()));
}
