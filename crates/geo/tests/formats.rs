//! Polylines, serde, geo-types; any bytes for every reader.

#[path = "common/any_bytes.rs"]
mod any_bytes;
mod common;

use archstone_geo::LatLng;
use archstone_geo::polyline::{
    PolylineError, PolylineErrorKind, Precision, decode, decode_bytes, encode,
};
use common::{anywhere, at};
use proptest::prelude::*;

const GOOGLE: (&str, [(f64, f64); 3]) =
    ("_p~iF~ps|U_ulLnnqC_mqNvxq`@", [(38.5, -120.2), (40.7, -120.95), (43.252, -126.453)]);

#[test]
fn polylines_are_those_of_others() {
    let path: Vec<LatLng> = GOOGLE.1.iter().map(|p| at(p.0, p.1)).collect();
    assert_eq!(encode(path.iter().copied(), Precision::Five), GOOGLE.0);
    let Some(file) = testkit::golden::data("geo/polyline.jsonl.gz") else { return };
    for row in testkit::golden::jsonl::<serde_json::Value>(file) {
        let precision = match row["precision"].as_u64().unwrap() {
            5 => Precision::Five,
            6 => Precision::Six,
            _ => Precision::Seven,
        };
        let points: Vec<(f64, f64)> = serde_json::from_value(row["points"].clone()).unwrap();
        let text = row["encoded"].as_str().unwrap();
        assert_eq!(encode(points.iter().map(|p| at(p.0, p.1)), precision), text);
        let back: Vec<LatLng> = decode(text, precision).collect::<Result<_, _>>().unwrap();
        assert_eq!(encode(back.iter().copied(), precision), text);
    }
}

#[test]
fn broken_polylines_are_refused_where_they_break() {
    let error = |text: &str| decode(text, Precision::Five).find_map(Result::err);
    let err = |offset, kind| Some(PolylineError { offset, kind });
    assert_eq!(error("_p~iF~ps|U_ulL~"), err(14, PolylineErrorKind::Truncated));
    assert_eq!(error("_p~iF"), err(0, PolylineErrorKind::Truncated));
    assert_eq!(error("_p~iF~ps|U_ul"), err(10, PolylineErrorKind::Truncated));
    assert_eq!(error("_p~iF~ps|U_ \u{7f}"), err(11, PolylineErrorKind::Character(b' ')));
    assert_eq!(error("~~~~~~~~~~~"), err(0, PolylineErrorKind::Range));
    // A zero of eight characters, with text behind it and at the end.
    assert_eq!(error("_______???????????"), err(0, PolylineErrorKind::Range));
    assert_eq!(error("_______??"), err(0, PolylineErrorKind::Range));
    assert!(decode_bytes(&[0xff], Precision::Five).next().unwrap().is_err());
    assert!(decode("", Precision::Seven).next().is_none());
    // After an error there is nothing.
    assert_eq!(decode("_p~iF~ps|U!_p~iF~ps|U", Precision::Five).count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn polylines_keep_half_a_unit(path in proptest::collection::vec(anywhere(), 0..30)) {
        for (precision, unit) in [(Precision::Five, 1e-5), (Precision::Six, 1e-6), (Precision::Seven, 1e-7)] {
            let text = encode(path.iter().copied(), precision);
            let back: Vec<LatLng> = decode(&text, precision).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(back.len(), path.len());
            for (a, b) in path.iter().zip(&back) {
                prop_assert!((a.lat() - b.lat()).abs() <= unit * 0.500_001 && (a.lng() - b.lng()).abs() <= unit * 0.500_001);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[0-9a-z?-~]{0,40}") {
        any_bytes::any_bytes(&bytes);
        any_bytes::any_bytes(text.as_bytes());
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_reads_back_what_it_wrote_and_checks() {
    use archstone_geo::{CellId, Geohash, Meters};
    let value = (
        at(48.5, -2.25),
        Meters(3.5),
        "u4pru".parse::<Geohash>().unwrap(),
        "5f8a3bf".parse::<CellId>().unwrap(),
    );
    let text = serde_json::to_string(&value).unwrap();
    assert_eq!(text, r#"[{"lat":48.5,"lng":-2.25},3.5,"u4pru","5f8a3bf"]"#);
    assert_eq!(serde_json::from_str::<(LatLng, Meters, Geohash, CellId)>(&text).unwrap(), value);
    assert!(serde_json::from_str::<LatLng>(r#"{"lat":91,"lng":0}"#).is_err());
    assert!(
        serde_json::from_str::<Geohash>(r#""a""#).is_err()
            && serde_json::from_str::<CellId>(r#""zzzz""#).is_err()
    );
}

#[cfg(feature = "geo-types")]
#[test]
fn geo_types_are_x_east_and_y_north() {
    use archstone_geo::{LatLngBox, Polygon, Region};
    let point: geo_types::Point<f64> = at(48.5, -2.25).into();
    assert_eq!((point.x(), point.y()), (-2.25, 48.5));
    assert_eq!(LatLng::try_from(point).unwrap(), at(48.5, -2.25));
    assert!(LatLng::try_from(geo_types::Point::new(48.5, 91.0)).is_err());
    let area = LatLngBox::try_from(geo_types::Rect::new((1.0, 2.0), (3.0, 4.0))).unwrap();
    assert_eq!((area.south(), area.west()), (2.0, 1.0));
    let plane = geo_types::Polygon::new(vec![(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)].into(), vec![]);
    assert!(Polygon::try_from(&plane).unwrap().contains(at(2.0, 5.0)));
    assert!(Polygon::try_from(&geo_types::Polygon::new(vec![(0.0, 0.0)].into(), vec![])).is_err());
}
