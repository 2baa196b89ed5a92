//! Laws of geohashes and of scores.

mod common;

use archstone_geo::redis::{Score, box_ranges, search_ranges};
use archstone_geo::{
    Direction, Geohash, GeohashError, LatLng, LatLngBox, Meters, Metric, Sphere, geohash,
};
use common::{anywhere, at};
use proptest::prelude::*;

/// The double before.
fn down(x: f64) -> f64 {
    if x == 0.0 {
        -5e-324
    } else {
        f64::from_bits(if x > 0.0 { x.to_bits() - 1 } else { x.to_bits() + 1 })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_box_of_a_cell_has_its_position_at_every_length(p in anywhere()) {
        let mut parent: Option<Geohash> = None;
        for len in 1..=12 {
            let cell = Geohash::encode(p, len).unwrap();
            prop_assert!(cell.bounds().contains(p), "{cell} {p}");
            prop_assert!(cell.contains(p));
            prop_assert_eq!(Geohash::encode(cell.center(), len).unwrap(), cell);
            prop_assert_eq!(cell.parent(), parent);
            if let Some(parent) = parent {
                prop_assert!(parent.contains_cell(cell) && !cell.contains_cell(parent));
                prop_assert_eq!(parent.children().filter(|child| *child == cell).count(), 1);
            }
            let (first, last) = cell.range_u64();
            prop_assert!((first..=last).contains(&geohash::encode_u64(p)));
            parent = Some(cell);
        }
    }

    /// The last double before an edge is not beyond it, however the quotient rounds.
    #[test]
    fn the_doubles_around_an_edge_are_on_their_sides(p in anywhere(), len in 1_u8..=12) {
        let area = Geohash::encode(p, len).unwrap().bounds();
        for lat in [area.south(), down(area.south()), area.north(), down(area.north())] {
            for lng in [area.west(), down(area.west()), area.east(), down(area.east())] {
                if let Ok(p) = LatLng::new(lat, lng) {
                    for len in [len, 12] {
                        let area = Geohash::encode(p, len).unwrap().bounds();
                        prop_assert!(area.contains(p), "{p:?} {area:?}");
                        prop_assert!(p.lat() < area.north() || area.north() == 90.0);
                        prop_assert!(p.lng() < area.east() || area.east() == 180.0);
                    }
                }
            }
        }
    }

    #[test]
    fn text_and_bits_have_one_order(a in anywhere(), b in anywhere(), m in 1_u8..=12, n in 1_u8..=12) {
        let (a, b) = (Geohash::encode(a, m).unwrap(), Geohash::encode(b, n).unwrap());
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn neighbours_lead_back_and_none_is_across_a_pole(p in anywhere(), len in 1_u8..=12) {
        let cell = Geohash::encode(p, len).unwrap();
        let all = cell.neighbors();
        for direction in Direction::ALL {
            let next = cell.neighbor(direction);
            prop_assert_eq!(next, all.get(direction));
            let Some(next) = next else {
                let pole = cell.bounds().north() == 90.0 || cell.bounds().south() == -90.0;
                prop_assert!(pole);
                continue;
            };
            prop_assert_eq!(next.neighbor(direction.opposite()), Some(cell));
            prop_assert!((next.center().lat() - cell.center().lat()).abs() <= 1.001 * cell.bounds().height());
        }
        let rows = [cell.bounds().north() == 90.0, cell.bounds().south() == -90.0];
        let expected = 8 - 3 * rows.iter().filter(|pole| **pole).count();
        prop_assert_eq!(all.iter().count(), expected);
    }

    #[test]
    fn any_text_is_a_geohash_or_an_error(text in ".{0,14}") {
        if let Ok(cell) = text.parse::<Geohash>() {
            prop_assert_eq!(cell.to_string(), text.clone());
        }
        if let Ok(cell) = Geohash::parse_any_case(&text) {
            prop_assert_eq!(cell.to_string(), text.to_lowercase());
        }
    }

    #[test]
    fn ranges_of_scores_hold_every_member_of_the_circle(c in anywhere(), log in 0.0_f64..7.3, share in 0.0_f64..1.0, bearing in -180.0..180.0) {
        let radius = 10_f64.powf(log);
        let member = Sphere::EARTH.destination(c, bearing, Meters(radius * share));
        if let Ok(score) = Score::encode(member) {
            // Redis measures between where the members stand.
            let stands = score.decode();
            let needed = Sphere::REDIS.distance(c, stands).0 <= radius;
            let ranges = search_ranges(c, Meters(radius));
            prop_assert!(ranges.len() <= 16);
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end() < pair[1].start()));
            prop_assert!(!needed || ranges.iter().any(|range| range.contains(&score)), "{c} {radius} {member}");
        }
    }

    #[test]
    fn ranges_of_scores_hold_every_member_of_the_box(p in anywhere(), a in anywhere(), b in anywhere()) {
        let area = LatLngBox::new(a.lat().min(b.lat()), a.lat().max(b.lat()), a.lng(), b.lng()).unwrap();
        if let (true, Ok(score)) = (area.contains(p), Score::encode(p)) {
            prop_assert!(box_ranges(&area).iter().any(|range| range.contains(&score)));
        }
    }
}

#[test]
fn poles_and_the_antimeridian_are_in_the_last_cells() {
    for (lat, lng, text) in [
        (90.0, 180.0, "zzzzzz"),
        (90.0, 0.0, "upbpbp"),
        (-90.0, -180.0, "000000"),
        (-90.0, 180.0, "pbpbpb"),
    ] {
        assert_eq!(Geohash::encode(at(lat, lng), 6).unwrap().to_string(), text);
    }
    let top: Geohash = "zzzzzz".parse().unwrap();
    assert_eq!(top.neighbor(Direction::N), None);
    assert_eq!(top.neighbor(Direction::E).unwrap().to_string(), "bpbpbp");
    assert_eq!(at(0.0, 180.0).lng(), 180.0);
}

#[test]
fn lengths_and_characters_out_of_range_are_named() {
    assert_eq!(Geohash::encode(at(0.0, 0.0), 0), Err(GeohashError::Length { len: 0 }));
    assert_eq!(Geohash::encode(at(0.0, 0.0), 13), Err(GeohashError::Length { len: 13 }));
    assert_eq!("".parse::<Geohash>(), Err(GeohashError::Length { len: 0 }));
    assert_eq!("0123456789bcd".parse::<Geohash>(), Err(GeohashError::Length { len: 13 }));
    assert_eq!("u4Pr".parse::<Geohash>(), Err(GeohashError::Character { offset: 2, byte: b'P' }));
    assert_eq!("u4a".parse::<Geohash>(), Err(GeohashError::Character { offset: 2, byte: b'a' }));
    assert_eq!(Geohash::parse_any_case("U4PR").unwrap().to_string(), "u4pr");
    assert!(Geohash::parse_any_case("\u{e9}").is_err() && Geohash::parse_any_case("").is_err());
}

/// Whatever the length and wherever it stands: the characters past the eighth are read apart from the others.
#[test]
fn a_character_outside_the_alphabet_is_named_wherever_it_stands() {
    let whole = "u4pruydqqvj8";
    for len in 1..=12 {
        for offset in 0..len {
            for byte in
                (0..128_u8).filter(|byte| !b"0123456789bcdefghjkmnpqrstuvwxyz".contains(byte))
            {
                let mut text = whole.as_bytes()[..len].to_vec();
                text[offset] = byte;
                let text = String::from_utf8(text).unwrap();
                let expected = Err(GeohashError::Character { offset, byte });
                assert_eq!(text.parse::<Geohash>(), expected, "{text:?}");
                let known = b"BCDEFGHJKMNPQRSTUVWXYZ".contains(&byte);
                let any_case = Geohash::parse_any_case(&text);
                assert!(if known { any_case.is_ok() } else { any_case == expected }, "{text:?}");
            }
        }
    }
}

/// The drawing of the reference document has `u09` twice and misses the western cells.
#[test]
fn the_neighbours_of_u0b_are_eight_different_cells() {
    let mut around: Vec<String> =
        "u0b".parse::<Geohash>().unwrap().neighbors().iter().map(|c| c.to_string()).collect();
    around.sort();
    assert_eq!(around, ["gbx", "gbz", "gcp", "u08", "u09", "u0c", "u10", "u11"]);
}
