//! Real places, and hotels generated around them.

use crate::desk::Room;
use archstone_geo::{LatLng, Meters, PlaceIndex};
use kit::{Failure, Seed};

/// The 300 most populous places of Europe (GeoNames, CC BY 4.0).
pub const SHIPPED: &str = include_str!("../../../testdata/places_europe.csv");

/// A place that people look for.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub at: LatLng,
    /// Who lives there.
    pub population: u64,
}

/// Reads places; lines that are none are counted.
///
/// # Errors
/// When there is no place at all.
pub fn parse(text: &str) -> Result<(Vec<Place>, usize), Failure> {
    let mut places = Vec::new();
    let mut skipped = 0;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let place = || -> Option<Place> {
            let [_, lat, lng, _, population, name] = fields[..] else { return None };
            let at = LatLng::new(lat.parse().ok()?, lng.parse().ok()?).ok()?;
            Some(Place { name: name.to_owned(), at, population: population.parse().ok()? })
        };
        match place() {
            Some(place) => places.push(place),
            None => skipped += 1,
        }
    }
    if places.is_empty() { Err("no place among the lines".into()) } else { Ok((places, skipped)) }
}

/// A hotel with two room types: `2h` for two guests, `2h + 1` for four.
#[derive(Clone, Debug, PartialEq)]
pub struct Hotel {
    /// Its name, generated.
    pub name: String,
    /// Where it is.
    pub at: LatLng,
    /// Stars, 1 to 5.
    pub stars: u8,
    /// Rooms of each type.
    pub rooms: [i64; 2],
    /// Price of a night of each type, in cents.
    pub price: [i64; 2],
}

impl Hotel {
    /// The room type that has beds for `guests` in `rooms` rooms, if one has: the smaller one first.
    #[must_use]
    pub const fn kind(guests: i64, rooms: i64) -> Option<i64> {
        if rooms < 1 || guests < 1 {
            None
        } else if guests <= 2 * rooms {
            Some(0)
        } else if guests <= 4 * rooms {
            Some(1)
        } else {
            None
        }
    }
}

/// Hotels, and where they are.
#[derive(Debug)]
pub struct Catalogue {
    /// The hotels, by number.
    pub hotels: Vec<Hotel>,
    index: PlaceIndex<usize>,
}

impl Catalogue {
    /// `count` hotels around `places`, in turn, the larger places first and more often.
    ///
    /// # Panics
    /// Never: positions stay on the sphere.
    #[must_use]
    pub fn generate(seed: Seed, places: &[Place], count: usize) -> Self {
        let mut dice = seed.stream("hotels");
        let total: u64 = places.iter().map(|place| place.population).sum();
        let mut hotels = Vec::new();
        for number in 0..count {
            let mut left = dice.below(total.max(1));
            let home = places.iter().find(|place| {
                let here = left < place.population;
                left = left.saturating_sub(place.population);
                here
            });
            let home = home.unwrap_or(&places[0]);
            let (lat, lng) = (home.at.lat(), home.at.lng());
            let near = |x: f64, dice: &mut kit::Stream| x + 0.03 * dice.normal();
            let (lat, lng) = (near(lat, &mut dice), near(lng, &mut dice));
            let at = LatLng::new(lat.clamp(-89.0, 89.0), lng.clamp(-179.0, 179.0));
            let stars = 1 + dice.below(5) as u8;
            let price = 4_000 + 3_500 * i64::from(stars) + 100 * dice.below(40) as i64;
            hotels.push(Hotel {
                name: format!("{} {}", home.name, number),
                at: at.unwrap_or(home.at),
                stars,
                rooms: [4 + dice.below(5) as i64, 3 + dice.below(3) as i64],
                price: [price, price * 8 / 5],
            });
        }
        let index = hotels.iter().enumerate().map(|(number, hotel)| (hotel.at, number)).collect();
        Self { hotels, index }
    }

    /// The hotels within `radius` of a point, the nearest first: number and metres.
    #[must_use]
    pub fn near(&self, at: LatLng, radius: Meters) -> Vec<(usize, f64)> {
        let hits = self.index.near(at).within(radius).collect();
        hits.iter().map(|hit| (*hit.item, hit.distance().0)).collect()
    }
}

/// The room type `kind` of hotel `number`.
#[must_use]
pub const fn room(number: usize, kind: i64) -> Room {
    2 * number as i64 + kind
}

/// `2024-12-15` as a day from 1 January 1970 (Howard Hinnant's days_from_civil).
#[must_use]
pub fn day(text: &str) -> Option<i64> {
    let mut parts = text.split('-').map(|part| part.parse::<i64>().ok());
    let (y, m, d) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1970..=2400).contains(&y) {
        return None;
    }
    let (year, moved) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * moved + 2) / 5 + d - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // Back again: the 31st of June is no day.
    (date(days) == text).then_some(days)
}

/// A day as `2024-12-15`.
#[must_use]
pub fn date(day: i64) -> String {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let moved = (5 * of_year + 2) / 153;
    let (d, m) =
        (of_year - (153 * moved + 2) / 5 + 1, if moved < 10 { moved + 3 } else { moved - 9 });
    let y = year + era * 400 + i64::from(m <= 2);
    format!("{y:04}-{m:02}-{d:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_over_leap_years_and_what_is_no_day_is_none() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2024-12-15"), Some(20_072));
        for number in (0..60_000).step_by(7) {
            assert_eq!(day(&date(number)), Some(number));
        }
        for text in ["2024-02-30", "2023-02-29", "2024-13-01", "2024-1-1", "x", "", "2024-06-31"] {
            assert_eq!(day(text), None, "{text}");
        }
        assert_eq!(date(day("2024-02-29").unwrap_or(0) + 1), "2024-03-01");
    }

    #[test]
    fn the_shipped_places_are_read_whole() {
        let (places, skipped) = parse(SHIPPED).expect("places");
        assert_eq!((places.len(), skipped), (300, 0));
        assert_eq!(places[0].name, "London");
        assert!(parse("header\nnonsense\n").is_err());
    }
}
