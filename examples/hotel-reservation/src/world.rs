//! The trials: guests, a channel manager, managers with forms, a rough payment provider, processes
//! that pause and die; every promise checked after every event. What the run, the tests and
//! `kit::ablate` all drive: a function of seed, size and safeguards.

mod acts;

use crate::booking::{Answer, Booking, Came, Locks, Service};
use crate::desk::{Desk, Night, Wish};
use crate::places::{self, Catalogue, Place};
use crate::provider::{Provider, ROUGH, Temper};
use crate::search::{self, Query};
use archstone_lock::Span;
use kit::invariant::{Invariant, Record};
use kit::saga::{Driver, Steps};
use kit::sim::Events;
use kit::{Failure, Invariants, Latencies, Safeguards, Seed, Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// What must hold; the safeguards refer to these.
pub const OVERSOLD: &str = "no night is sold beyond its limit";
/// See [`OVERSOLD`].
pub const COUNTED: &str = "what a night says is sold is what its stays have";
/// See [`OVERSOLD`].
pub const HOUSE: &str = "no house sells beyond its own limit over all types";
/// See [`OVERSOLD`].
pub const PAID: &str = "a paid booking has its nights, a failed one has none";
/// See [`OVERSOLD`].
pub const MONEY: &str = "a guest has paid what the nights cost, or nothing";
/// See [`OVERSOLD`].
pub const FENCE: &str = "the front desk takes nothing from a stale holder";
/// See [`OVERSOLD`].
pub const LEASES: &str = "two leases of one room never share a night";
/// See [`OVERSOLD`].
pub const EDITS: &str = "no saved edit is overwritten by one who had not seen it";

/// The first night that is sold.
pub const FIRST: i64 = 20_072;
/// How long a hold keeps the nights for somebody who is paying.
pub const HOLD: Duration = Duration::from_secs(600);

/// How much is run, and what goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Guests, in groups that arrive together.
    pub guests: u64,
    /// Hotels.
    pub hotels: usize,
    /// Nights that are sold.
    pub nights: i64,
    /// The provider.
    pub temper: Temper,
    /// Of 1,000 attempts, how many sleep past their lease.
    pub sleepers: u64,
    /// Of 1,000 steps of a saga, how many kill the process.
    pub deaths: u64,
    /// Whether a channel manager and managers with forms are about.
    pub others: bool,
    /// One fault at a known time.
    pub fault: Option<(Time, Trouble)>,
}

/// A fault at a known time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The provider answers nobody for so long.
    Outage(Duration),
    /// The process with all sagas dies, and is back after so long.
    Death(Duration),
    /// The lease service forgets every lease.
    LeasesLost,
}

/// Small enough for twenty seeds and every safeguard.
pub const QUICK: Size = Size {
    guests: 400,
    hotels: 8,
    nights: 10,
    temper: ROUGH,
    sleepers: 120,
    deaths: 40,
    others: true,
    fault: None,
};

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Searches made.
    pub searches: u64,
    /// Offers that were shown.
    pub offers: u64,
    /// Searches that found nothing.
    pub nothing: u64,
    /// Answers of the booking: held, full, in progress, lost.
    pub held: u64,
    /// See [`Facts::held`].
    pub full: u64,
    /// See [`Facts::held`].
    pub in_progress: u64,
    /// Stale holders turned away, by the desk or the front desk.
    pub stale: u64,
    /// A search had offered what the booking then found full.
    pub gone: u64,
    /// Leases that were refused.
    pub busy: u64,
    /// Nights that had changed since they were read.
    pub changed: u64,
    /// Stays booked.
    pub booked: u64,
    /// Nights booked, over all rooms.
    pub room_nights: u64,
    /// Sagas that undid everything.
    pub undone: u64,
    /// Holds that ran out.
    pub expired: u64,
    /// Cancelled, and moved.
    pub cancelled: u64,
    /// See [`Facts::cancelled`].
    pub moved: u64,
    /// Moves that were refused.
    pub not_moved: u64,
    /// Sold by the channel manager, and refused to it.
    pub channel: (u64, u64),
    /// Forms saved, and refused.
    pub forms: (u64, u64),
    /// Deaths of the process.
    pub deaths: u64,
    /// The longest that no process drove the sagas.
    pub longest_down: Duration,
    /// Charges called off while they were under way, and answers that never came.
    pub late: u64,
    /// See [`Facts::late`].
    pub unanswered: u64,
    /// What was earned, in cents.
    pub earned: i64,
    /// Events.
    pub events: u64,
    /// In virtual time.
    pub latency: Latencies,
    /// From the fault (or its end) until all it had hit were done.
    pub recovered: Option<Duration>,
    /// What the fault had hit.
    pub hit: u64,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Guest(usize),
    Saga(u64, u64),
    Sweep,
    Cancel(u64),
    Move(u64),
    Channel(u64),
    Open(usize, Wish),
    Save(usize),
    Restart,
    Fault,
}

struct World<'a> {
    seed: u64,
    catalogue: Catalogue,
    desk: Desk,
    service: Service,
    provider: Provider,
    driver: Option<Driver<'a>>,
    steps: &'a Steps,
    epoch: u64,
    bookings: Vec<Booking>,
    groups: Vec<Query>,
    forms: Vec<(Wish, Option<Night>)>,
    owed: BTreeMap<u64, i64>,
    /// When each saga began, and its guest.
    began: BTreeMap<u64, Time>,
    /// When each open saga's next step is due: also after a restart not before.
    due: BTreeMap<u64, Time>,
    events: Events<Event>,
    dice: Stream,
    size: Size,
    query_first: bool,
    invariants: Invariants,
    names: [Invariant; 8],
    facts: Facts,
    /// Sagas that a fault had hit, and since when.
    hit: (Vec<u64>, Time),
    leases_lost: bool,
    down_since: Option<Time>,
}

/// Runs everything with `seed` at quick size; the records.
///
/// # Panics
/// When SQLite fails: it has memory of its own.
#[must_use]
pub fn run(seed: u64, on: &Safeguards) -> Vec<Record> {
    run_sized(seed, on, QUICK).expect("a SQLite in memory").0
}

/// Runs everything with `seed`; the records, and what happened.
///
/// # Errors
/// What SQLite says.
pub fn run_sized(seed: u64, on: &Safeguards, size: Size) -> Result<(Vec<Record>, Facts), Failure> {
    let root = Seed::new(seed).child("trials");
    let (all, _) = places::parse(places::SHIPPED)?;
    // Few places: what is searched for is near, and contended.
    let places = &all[..3.max(size.hotels / 4).min(all.len())];
    let catalogue = Catalogue::generate(root, places, size.hotels);
    let desk = Desk::new(on, 9)?;
    open_all(&desk, &catalogue, size.nights)?;
    let steps = Steps::new(["hold", "charge", "confirm"], None).map_err(|e| e.to_string())?;
    let driver = Driver::recover(&steps, &desk.db)?;
    let mut invariants = Invariants::new(seed);
    let names = [OVERSOLD, COUNTED, HOUSE, PAID, MONEY, FENCE, LEASES, EDITS]
        .map(|name| invariants.declare(name));
    let mut world = World {
        seed,
        catalogue,
        desk,
        service: Service::new(Locks::new(on.on("night-lock")), on.on("fence")),
        provider: Provider::new(size.temper, root.stream("provider")),
        driver: Some(driver),
        steps: &steps,
        epoch: 0,
        bookings: Vec::new(),
        groups: Vec::new(),
        forms: Vec::new(),
        owed: BTreeMap::new(),
        began: BTreeMap::new(),
        due: BTreeMap::new(),
        events: Events::new(),
        dice: root.stream("world"),
        size,
        query_first: on.on("query-first"),
        invariants,
        names,
        facts: Facts::default(),
        hit: (Vec::new(), Time::ZERO),
        leases_lost: false,
        down_since: None,
    };
    world.arrive(places);
    world.play()?;
    world.close()?;
    Ok((world.invariants.into_records(), world.facts))
}

/// Opens both types of every hotel: a tenth more may be sold than there are rooms.
///
/// # Errors
/// What SQLite says.
pub fn open_all(desk: &Desk, catalogue: &Catalogue, nights: i64) -> rusqlite::Result<()> {
    let nights = Span::new(FIRST, FIRST + nights);
    desk.db.execute_batch("BEGIN")?;
    for (number, hotel) in catalogue.hotels.iter().enumerate() {
        for kind in 0..2 {
            let (rooms, price) = (hotel.rooms[kind], hotel.price[kind]);
            let room = places::room(number, kind as i64);
            desk.open(room, 2 * (kind as i64 + 1), rooms, rooms + rooms / 5, price, nights)?;
        }
    }
    desk.db.execute_batch("COMMIT")
}

impl World<'_> {
    /// Groups of guests: each wants nearly the same at nearly the same time.
    fn arrive(&mut self, places: &[Place]) {
        let mut at = Time::from_secs(1);
        let mut guests = 0;
        while guests < self.size.guests {
            let place = &places[self.dice.below(places.len() as u64) as usize];
            let first = FIRST + self.dice.below(self.size.nights as u64 - 4) as i64;
            let group = 4 + self.dice.below(8);
            for _ in 0..group {
                let lo = first + self.dice.below(3) as i64;
                let hi = lo + 1 + self.dice.below(4) as i64;
                let nights = Span::new(lo, hi.min(FIRST + self.size.nights));
                let rooms = 1 + i64::from(self.dice.chance(0.2));
                let people = 1 + self.dice.below(4) as i64;
                self.groups.push(Query { at: place.at, nights, guests: people, rooms });
                self.bookings.push(Booking::new(at, self.dice.clone()));
                let within = self.dice.between(Duration::ZERO, Duration::from_millis(300));
                self.events.at(at + within, Event::Guest(self.bookings.len() - 1));
                guests += 1;
            }
            at += self.dice.between(Duration::from_secs(2), Duration::from_secs(40));
        }
        if self.size.others {
            for nth in 0..self.size.guests / 2 {
                let when =
                    Time::ZERO + self.dice.between(Duration::from_secs(5), at.since(Time::ZERO));
                let wish = self.any_wish();
                match nth % 4 / 3 {
                    0 => self.events.at(when, Event::Channel(nth)),
                    _ => {
                        // Two people, one form: each thinks for a while.
                        for _ in 0..2 {
                            self.forms.push((wish, None));
                            let opens =
                                when + self.dice.between(Duration::ZERO, Duration::from_secs(8));
                            self.events.at(opens, Event::Open(self.forms.len() - 1, wish));
                        }
                    }
                }
            }
        }
        if let Some((when, _)) = self.size.fault {
            self.events.at(when, Event::Fault);
        }
        self.events.after(Duration::from_secs(15), Event::Sweep);
    }

    fn any_wish(&mut self) -> Wish {
        let room = self.dice.below(2 * self.size.hotels as u64) as i64;
        let lo = FIRST + self.dice.below(self.size.nights as u64 - 1) as i64;
        Wish { room, nights: Span::new(lo, lo + 1), rooms: 1 }
    }

    fn play(&mut self) -> Result<(), Failure> {
        while let Some((now, event)) = self.events.next() {
            self.facts.events += 1;
            match event {
                Event::Guest(who) => self.guest(who, now)?,
                Event::Saga(id, epoch) if epoch == self.epoch => self.saga(id, now)?,
                Event::Saga(..) => {}
                Event::Sweep => self.sweep(now)?,
                Event::Cancel(id) => self.cancel(id, now)?,
                Event::Move(id) => self.change(id, now)?,
                Event::Channel(nth) => self.channel(nth)?,
                Event::Open(form, wish) => {
                    let night = self.desk.look(wish)?.nights.first().copied();
                    self.forms[form] = (wish, night);
                    let thinks = self.dice.between(Duration::from_secs(5), Duration::from_secs(90));
                    self.events.after(thinks, Event::Save(form));
                }
                Event::Save(form) => self.save(form)?,
                Event::Restart => self.restart(now)?,
                Event::Fault => self.fault(now),
            }
        }
        Ok(())
    }

    fn guest(&mut self, who: usize, now: Time) -> Result<(), Failure> {
        let id = who as u64 + 1;
        if self.bookings[who].wish.is_none() {
            // Search first; then the cheapest, or one of the next.
            let offers = search::find(&self.catalogue, &self.desk, self.groups[who])?;
            self.facts.searches += 1;
            self.facts.offers += offers.len() as u64;
            let Some(last) = offers.len().checked_sub(1) else {
                self.facts.nothing += 1;
                return Ok(());
            };
            let choice = offers[(self.dice.below(3) as usize).min(last)].wish;
            self.bookings[who].wish = Some(choice);
            self.bookings[who].started = now;
            let decides = self.dice.between(Duration::from_millis(5), Duration::from_millis(400));
            self.events.after(decides, Event::Guest(who));
            return Ok(());
        }
        // Four steps under the lease.
        let sleeps = self.dice.below(4_000) < self.size.sleepers;
        let booking = &mut self.bookings[who];
        let wish = booking.wish.unwrap_or(Wish { room: 0, nights: Span::WHOLE, rooms: 1 });
        let came = booking.step(&mut self.service, &self.desk, id as i64, now)?;
        let said = format!(
            "{:.3} s guest {id}, room {} nights {}..{} x{}: {}",
            now.as_millis() as f64 / 1e3,
            wish.room,
            wish.nights.lo - FIRST,
            wish.nights.hi - FIRST,
            wish.rooms,
            booking.said
        );
        if self.leases_lost && booking.said == "has the lease" {
            self.leases_lost = false;
            self.facts.recovered = Some(now.since(self.hit.1));
        }
        self.invariants.event(said);
        let overlap = self.service.overlap.take();
        self.invariants.check(self.names[6], overlap.is_none(), || overlap.unwrap_or_default());
        let accepted = self.service.stale_accepted.take();
        self.invariants.check(self.names[5], accepted.is_none(), || accepted.unwrap_or_default());
        self.audit(wish)?;
        match came {
            Came::Later(wait) => {
                // A collector, a hypervisor: the process stands still for longer than its lease.
                let sleep = self.dice.between(Duration::from_secs(35), Duration::from_secs(150));
                let wait = if sleeps { wait + sleep } else { wait };
                self.events.after(wait, Event::Guest(who));
            }
            Came::Over(answer) => self.answered(who, answer, now)?,
        }
        Ok(())
    }

    fn answered(&mut self, who: usize, answer: Answer, now: Time) -> Result<(), Failure> {
        let id = who as u64 + 1;
        let booking = &self.bookings[who];
        (self.facts.busy, self.facts.changed) =
            (self.facts.busy + booking.busy, self.facts.changed + booking.changed);
        self.facts.latency.record("book, until answered", now.since(booking.started));
        self.facts.stale += u64::from(answer == Answer::Lost || booking.stale_push);
        match answer {
            Answer::Held => {
                self.facts.held += 1;
                if let Some(driver) = &mut self.driver {
                    driver.begin(&self.desk.db, id)?;
                    self.began.insert(id, now);
                    // A card is at hand, or has to be looked for.
                    let slow = self.dice.chance(0.15);
                    let most = Duration::from_secs(if slow { 900 } else { 90 });
                    let pays = self.dice.between(Duration::from_secs(5), most);
                    self.step_at(id, now + pays);
                }
                // With no process to drive it the hold runs out by itself.
            }
            Answer::Full => {
                self.facts.full += 1;
                self.facts.gone += 1;
            }
            Answer::InProgress => self.facts.in_progress += 1,
            Answer::Lost => {}
        }
        Ok(())
    }
}
