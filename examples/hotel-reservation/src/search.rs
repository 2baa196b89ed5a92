//! Search: place, dates, guests, rooms; what is free, the cheapest first.

use crate::desk::{Desk, Wish};
use crate::places::{Catalogue, Hotel, room};
use archstone_geo::{LatLng, Meters};
use archstone_lock::Span;

/// What a guest types in.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// The middle of where.
    pub at: LatLng,
    /// The nights.
    pub nights: Span,
    /// People.
    pub guests: i64,
    /// Rooms.
    pub rooms: i64,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The hotel's number.
    pub hotel: usize,
    /// What would be booked.
    pub wish: Wish,
    /// For all nights and rooms, in cents.
    pub price: i64,
    /// Metres from the middle.
    pub away: f64,
}

/// How far around a place.
pub const RADIUS: Meters = Meters(15_000.0);

/// Hotels with room for all of it on every night: the cheapest first, of two the nearer one. The
/// answer may be old when it is read; the booking looks again.
///
/// # Errors
/// What SQLite says.
pub fn find(catalogue: &Catalogue, desk: &Desk, query: Query) -> rusqlite::Result<Vec<Offer>> {
    let Some(kind) = Hotel::kind(query.guests, query.rooms) else { return Ok(Vec::new()) };
    let mut offers = Vec::new();
    for (hotel, away) in catalogue.near(query.at, RADIUS) {
        let wish = Wish { room: room(hotel, kind), nights: query.nights, rooms: query.rooms };
        if desk.look(wish)?.has(wish) {
            offers.push(Offer { hotel, wish, price: desk.price(wish)?, away });
        }
    }
    offers.sort_by(|a, b| a.price.cmp(&b.price).then(a.away.total_cmp(&b.away)));
    Ok(offers)
}
