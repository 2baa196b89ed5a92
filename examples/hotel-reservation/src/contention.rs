//! 1,000 clients want the same nights: who gets them, and what the others are told.

use crate::booking::{Answer, Booking, Came, Locks, Service};
use crate::desk::{Desk, Wish};
use crate::world::FIRST;
use archstone_lock::Span;
use kit::sim::Events;
use kit::{Failure, Latencies, Retry, Safeguards, Seed, Time};
use std::time::Duration;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Rooms there were, and held in the end.
    pub rooms: i64,
    /// See [`Outcome::rooms`].
    pub held: u64,
    /// Told that there is none.
    pub full: u64,
    /// Told BOOKING_IN_PROGRESS.
    pub in_progress: u64,
    /// Of those, how many while rooms were free.
    pub in_vain: u64,
    /// Requests to the lease service.
    pub asked: u64,
    /// The most of them in one 10 ms.
    pub burst: u64,
    /// When the last room was held.
    pub sold_out: Option<Duration>,
    /// Answers by time.
    pub latency: Latencies,
    /// Rooms sold that were not there.
    pub oversold: i64,
}

/// `clients` within half a second; `rooms` of one type, one night. `pays_inside` is the text's flow.
///
/// # Errors
/// What SQLite says.
pub fn run(
    seed: Seed,
    clients: u64,
    rooms: i64,
    policy: Retry,
    pays_inside: bool,
    on: &Safeguards,
) -> Result<Outcome, Failure> {
    let mut dice = seed.stream("contention");
    let desk = Desk::new(on, 10_000)?;
    let nights = Span::new(FIRST, FIRST + 1);
    desk.open(0, 2, rooms, rooms, 10_000, nights)?;
    let mut service = Service::new(Locks::new(on.on("night-lock")), on.on("fence"));
    let wish = Wish { room: 0, nights, rooms: 1 };
    let mut events = Events::new();
    let mut bookings = Vec::new();
    for client in 0..clients {
        let at = Time::ZERO + dice.between(Duration::ZERO, Duration::from_millis(500));
        let own = seed.stream(&format!("client {client}"));
        let mut booking = Booking::new(at, own).with_policy(policy);
        booking.wish = Some(wish);
        booking.pays_inside = pays_inside;
        bookings.push(booking);
        events.at(at, client as usize);
    }
    let mut outcome = Outcome { rooms, ..Outcome::default() };
    let mut asked: Vec<u64> = Vec::new();
    while let Some((now, who)) = events.next() {
        let booking = &mut bookings[who];
        let busy = booking.busy;
        let came = booking.step(&mut service, &desk, who as i64 + 1, now)?;
        if booking.busy > busy || booking.said == "has the lease" {
            let slot = (now.as_millis() / 10) as usize;
            asked.resize(asked.len().max(slot + 1), 0);
            asked[slot] += 1;
        }
        if booking.said == "holds the nights" {
            outcome.sold_out = Some(now.since(Time::ZERO));
        }
        let answer = match came {
            Came::Later(wait) => {
                events.after(wait, who);
                continue;
            }
            Came::Over(answer) => answer,
        };
        outcome.latency.record("answered", now.since(booking.started));
        match answer {
            Answer::Held => outcome.held += 1,
            Answer::Full => outcome.full += 1,
            Answer::InProgress => {
                outcome.in_progress += 1;
                outcome.in_vain += u64::from(desk.look(wish)?.has(wish));
            }
            Answer::Lost => {}
        }
    }
    outcome.asked = asked.iter().sum();
    outcome.burst = asked.into_iter().max().unwrap_or(0);
    for (night, stays) in desk.audit(0, nights)? {
        outcome.oversold += (stays - night.limit).max(0);
    }
    Ok(outcome)
}
