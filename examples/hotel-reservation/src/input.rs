//! `--data`: stays that a person wants, one a line: `PLACE;CHECK-IN;NIGHTS;ROOMS;GUESTS`.

use crate::booking::{Answer, Booking, Came, Locks, Service};
use crate::desk::Desk;
use crate::places::{self, Catalogue, Place};
use crate::search::{self, Query};
use crate::world::{FIRST, open_all};
use archstone_lock::Span;
use kit::money::{Currency, Money};
use kit::{Failure, Run, Safeguards, Seed, Table, Time};
use std::io::Read;

/// At most so many stays.
const MOST: usize = 2_000;
/// Nights that can be booked, from 2024-12-15.
pub const NIGHTS: i64 = 60;
/// Hotels around the 300 places.
const HOTELS: usize = 1_500;

/// The answers, and what was no stay.
#[derive(Debug)]
pub struct Answers {
    /// One row a stay.
    pub table: Table,
    /// How many were held.
    pub held: usize,
    /// Lines that were none.
    pub skipped: usize,
}

/// Reads the stays and books them in their order, each searched for first.
///
/// # Errors
/// When it cannot be read or no line is a stay.
pub fn book(run: &Run) -> Result<Option<Answers>, Failure> {
    let Some(input) = &run.data else { return Ok(None) };
    let mut text = String::new();
    // Two thousand stays are 100 kB; a gigabyte is a mistake.
    input.open()?.take(1 << 20).read_to_string(&mut text).map_err(|e| format!("{input}: {e}"))?;
    let (all, _) = places::parse(places::SHIPPED)?;
    let mut stays = Vec::new();
    let mut skipped = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match stay(line, &all) {
            Some(stay) => stays.push(stay),
            None => {
                skipped += 1;
                if skipped <= 3 {
                    run.say(&format!("line {number} is no stay, skipped: {line}"));
                }
            }
        }
    }
    if stays.is_empty() {
        return Err(format!("{input}: no stay in {} lines", text.lines().count()).into());
    }
    if stays.len() > MOST {
        return Err(format!("{input}: {} stays, at most {MOST}", stays.len()).into());
    }
    let on: &Safeguards = &run.safeguards;
    let catalogue = Catalogue::generate(Seed::new(run.seed), &all, HOTELS);
    let desk = Desk::new(on, 9)?;
    open_all(&desk, &catalogue, NIGHTS)?;
    let mut service = Service::new(Locks::new(on.on("night-lock")), on.on("fence"));
    let mut table = Table::new(["place", "from", "nights", "hotel", "price", "answer"]);
    let (mut held, mut now) = (0, Time::from_secs(1));
    for (number, (place, query)) in (1..).zip(stays) {
        let offers = search::find(&catalogue, &desk, query)?;
        let mut answer = "nothing free".to_owned();
        let (mut hotel, mut price) = (String::new(), String::new());
        if let Some(offer) = offers.first() {
            let own = Seed::new(run.seed).stream(&format!("stay {number}"));
            let mut booking = Booking::new(now, own);
            booking.wish = Some(offer.wish);
            let mut came = booking.step(&mut service, &desk, number, now)?;
            while let Came::Later(wait) = came {
                now += wait;
                came = booking.step(&mut service, &desk, number, now)?;
            }
            hotel.clone_from(&catalogue.hotels[offer.hotel].name);
            price = Money::new(offer.price, Currency::EUR).to_string();
            if came == Came::Over(Answer::Held) {
                held += 1;
                let done = desk.confirm(number, now)?;
                answer = if done { "booked" } else { "run out" }.to_owned();
            } else {
                answer = format!("{came:?}");
            }
        }
        let nights = (query.nights.hi - query.nights.lo) as u64;
        table.row([
            place.as_str().into(),
            places::date(query.nights.lo).into(),
            nights.into(),
            hotel.into(),
            price.into(),
            answer.into(),
        ]);
    }
    Ok(Some(Answers { table, held, skipped }))
}

fn stay(line: &str, places: &[Place]) -> Option<(String, Query)> {
    let fields: Vec<&str> = line.split(';').map(str::trim).collect();
    let [name, from, nights, rooms, guests] = fields[..] else { return None };
    let place = places.iter().find(|place| place.name.eq_ignore_ascii_case(name))?;
    let lo = places::day(from)?;
    let number = |text: &str, most: i64| {
        text.parse::<i64>().ok().filter(|number| (1..=most).contains(number))
    };
    let hi = lo + number(nights, 30)?;
    if lo < FIRST || hi > FIRST + NIGHTS {
        return None;
    }
    let (rooms, guests) = (number(rooms, 100)?, number(guests, 400)?);
    let query = Query { at: place.at, nights: Span::new(lo, hi), guests, rooms };
    Some((place.name.clone(), query))
}
