//! What happens in the world besides bookings: sagas, deaths, cancellations, moves, channels, forms;
//! and the checks that follow each of them.

use super::{Event, FIRST, HOLD, Trouble, World};
use crate::desk::{Desk, Night, No, Wish};
use crate::provider::Provider;
use archstone_lock::Span;
use kit::money::{Currency, Money};
use kit::saga::{Command, Driver, End, Next, Outcome, SagaError};
use kit::sim::CrashPoints;
use kit::{Failure, Time};
use std::time::Duration;

/// Until then a fault that waits for something to hit waits.
const FIRST_HOUR: Time = Time::from_millis(3_600_000);

impl World<'_> {
    pub(super) fn saga(&mut self, id: u64, now: Time) -> Result<(), Failure> {
        let Some(mut driver) = self.driver.take() else { return Ok(()) };
        self.provider.arrive(now);
        let stay = self.desk.stay(id as i64)?;
        let price = stay.as_ref().map_or(0, |stay| stay.price);
        let mut points = CrashPoints::never();
        if self.dice.below(1_000) < self.size.deaths {
            points = CrashPoints::at(self.dice.below(3));
        }
        let (desk, provider, query_first) = (&self.desk, &mut self.provider, self.query_first);
        let (mut failed, mut kept, mut log) = (None, true, String::new());
        let mut obey = |id: u64, command: Command<&'static str>| {
            let outcome = obey(desk, provider, id, command, price, now, &mut kept);
            let outcome = outcome.unwrap_or_else(|error| {
                failed = Some(error);
                Outcome::Unknown
            });
            log = format!("{command:?}: {outcome:?}");
            // Unknown is not "no": without this the money of an answer that was lost is kept.
            let blind = !query_first && matches!(command, Command::Do(_));
            if blind && outcome == Outcome::Unknown { Outcome::Failed } else { outcome }
        };
        let stepped = driver.step(&desk.db, id, now, &mut points, &mut obey);
        if let Some(error) = failed {
            return Err(error.into());
        }
        self.invariants.event(format!("{:.3} s saga {id}: {log}", now.as_millis() as f64 / 1e3));
        self.invariants.check(self.names[3], kept, || {
            format!("booking {id} is confirmed, and its nights had gone back")
        });
        if let Some(stay) = &stay {
            self.audit(stay.wish)?;
        }
        match stepped {
            Ok(Next::At(at)) => {
                self.driver = Some(driver);
                let network =
                    self.dice.between(Duration::from_millis(50), Duration::from_millis(900));
                self.step_at(id, at + network);
            }
            Ok(Next::Over(end)) => {
                self.driver = Some(driver);
                self.ended(id, end, now)?;
            }
            Err(SagaError::Crashed(_)) => {
                self.die(Duration::from_secs(2));
                // It may have been the last step.
                if let Some(end) = driver.ended(&self.desk.db, id)? {
                    self.ended(id, end, now)?;
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    pub(super) fn step_at(&mut self, id: u64, at: Time) {
        self.due.insert(id, at);
        self.events.at(at, Event::Saga(id, self.epoch));
    }

    pub(super) fn die(&mut self, down: Duration) {
        self.driver = None;
        self.epoch += 1;
        self.facts.deaths += 1;
        self.down_since.get_or_insert(self.events.now());
        self.events.after(down, Event::Restart);
    }

    /// What was open is in the log; the holds of those that never began run out.
    pub(super) fn restart(&mut self, now: Time) -> Result<(), Failure> {
        if self.driver.is_some() {
            return Ok(());
        }
        let driver = Driver::recover(self.steps, &self.desk.db)?;
        for id in driver.open() {
            let soon = self.dice.between(Duration::from_millis(10), Duration::from_secs(5));
            let due = self.due.get(&id).copied().unwrap_or(now);
            self.events.at(due.max(now + soon), Event::Saga(id, self.epoch));
        }
        self.driver = Some(driver);
        if let Some(since) = self.down_since.take() {
            self.facts.longest_down = self.facts.longest_down.max(now.since(since));
        }
        Ok(())
    }

    pub(super) fn ended(&mut self, id: u64, end: End, now: Time) -> Result<(), Failure> {
        let Some(stay) = self.desk.stay(id as i64)? else { return Ok(()) };
        let booked = stay.status == "booked";
        let right = booked == (end == End::Committed) && stay.status != "held";
        self.invariants.check(self.names[3], right, || {
            format!("saga {id} is {end:?}, its stay is {}", stay.status)
        });
        if end == End::Committed {
            self.facts.booked += 1;
            self.facts.room_nights += stay.wish.nights.points() * stay.wish.rooms as u64;
            self.owed.insert(id, stay.price);
            let (soon, late) = (Duration::from_secs(30), Duration::from_secs(900));
            let when = self.dice.between(soon, late);
            match self.dice.below(10) {
                0 => self.events.after(when, Event::Cancel(id)),
                1 => self.events.after(when, Event::Move(id)),
                _ => {}
            }
        } else {
            self.facts.undone += 1;
        }
        if let Some(began) = self.began.get(&id) {
            let name = if booked { "hold to booking" } else { "hold to freed" };
            self.facts.latency.record(name, now.since(*began));
        }
        if let Some(at) = self.hit.0.iter().position(|&hit| hit == id) {
            self.hit.0.remove(at);
            if self.hit.0.is_empty() {
                self.facts.recovered = Some(now.since(self.hit.1));
            }
        }
        self.due.remove(&id);
        self.money(id);
        Ok(())
    }

    /// What the guest has paid is what is owed.
    pub(super) fn money(&mut self, id: u64) {
        if self.provider.under_way(id) {
            return;
        }
        let (paid, owed) = (self.provider.net(id), self.owed.get(&id).copied().unwrap_or(0));
        let euros = |cents| Money::new(cents, Currency::EUR);
        self.invariants.check(self.names[4], paid == owed, || {
            format!("guest {id} has paid {} and owes {}", euros(paid), euros(owed))
        });
    }

    pub(super) fn sweep(&mut self, now: Time) -> Result<(), Failure> {
        let mut stuck = 0;
        for id in self.desk.run_out(now)? {
            if self.desk.release(id, "released")? {
                self.facts.expired += 1;
            } else {
                // Only without a safeguard: its nights went back before.
                stuck += 1;
            }
            self.invariants
                .event(format!("{:.3} s hold {id} has run out", now.as_millis() as f64 / 1e3));
            if let Some(stay) = self.desk.stay(id)? {
                self.audit(stay.wish)?;
            }
        }
        self.provider.arrive(now);
        if !self.events.is_empty() || self.desk.run_out(now + HOLD)?.len() > stuck {
            self.events.after(Duration::from_secs(15), Event::Sweep);
        }
        Ok(())
    }

    /// Free until two days before, one night's price after that.
    pub(super) fn cancel(&mut self, id: u64, now: Time) -> Result<(), Failure> {
        let Some(stay) = self.desk.stay(id as i64)? else { return Ok(()) };
        if stay.status != "booked" || !self.desk.release(id as i64, "cancelled")? {
            return Ok(());
        }
        self.facts.cancelled += 1;
        let nights = stay.wish.nights.points() as u32;
        let parts = Money::new(stay.price, Currency::EUR).allocate(&vec![1; nights as usize]);
        let late = stay.wish.nights.lo < FIRST + 2;
        let fee = if late { parts.first().map_or(0, |part| part.minor()) } else { 0 };
        self.provider.settle(id, fee);
        self.owed.insert(id, fee);
        self.invariants.event(format!("{:.3} s guest {id} cancels", now.as_millis() as f64 / 1e3));
        self.audit(stay.wish)?;
        self.money(id);
        Ok(())
    }

    /// The stay is moved by a night, or kept as it is.
    pub(super) fn change(&mut self, id: u64, now: Time) -> Result<(), Failure> {
        let Some(stay) = self.desk.stay(id as i64)? else { return Ok(()) };
        let by = if self.dice.chance(0.5) { 1 } else { -1 };
        let mut points = CrashPoints::never();
        if self.dice.chance(0.3) {
            points = CrashPoints::at(0);
        }
        let old = stay.wish.nights;
        let nights = Span::new(old.lo + by, old.hi + by);
        let moved = self.desk.modify(id as i64, nights, &mut points)?;
        let what = match &moved {
            Err(crash) => crash.to_string(),
            Ok(Ok(_)) => "moved".to_owned(),
            Ok(Err(no)) => format!("{no:?}"),
        };
        match moved {
            Ok(Ok(price)) => {
                self.facts.moved += 1;
                self.provider.settle(id, price);
                self.owed.insert(id, price);
            }
            Ok(Err(_)) => self.facts.not_moved += 1,
            Err(_) => self.facts.deaths += 1,
        }
        self.invariants
            .event(format!("{:.3} s guest {id} moves: {what}", now.as_millis() as f64 / 1e3));
        let both = Span::new(old.lo.min(nights.lo), old.hi.max(nights.hi));
        self.audit(Wish { nights: both, ..stay.wish })?;
        self.money(id);
        Ok(())
    }

    pub(super) fn channel(&mut self, nth: u64) -> Result<(), Failure> {
        // What everybody wants is what a channel sells, too.
        let recent = self.bookings.iter().rev().filter_map(|booking| booking.wish);
        let recent: Vec<Wish> = recent.take(40).collect();
        let wish = match self.dice.pick(&recent) {
            Some(wish) => {
                let night = wish.nights.lo + self.dice.below(wish.nights.points()) as i64;
                Wish { nights: Span::new(night, night + 1), rooms: 1, ..*wish }
            }
            None => self.any_wish(),
        };
        // The channel knows the house's limit; what it does not know is what was sold just now.
        if !self.desk.look(wish)?.nights.iter().all(|night| night.sold + night.other < 8) {
            return Ok(());
        }
        let sold = self.desk.channel(1_000_000_000 + nth as i64, wish)?;
        let count = if sold { &mut self.facts.channel.0 } else { &mut self.facts.channel.1 };
        *count += 1;
        self.invariants.event(format!(
            "a channel sells room {} night {}: {}",
            wish.room,
            wish.nights.lo - FIRST,
            if sold { "sold" } else { "refused" }
        ));
        self.audit(wish)
    }

    pub(super) fn save(&mut self, form: usize) -> Result<(), Failure> {
        let (wish, Some(seen)) = self.forms[form] else { return Ok(()) };
        let before = self.desk.look(wish)?.nights.first().copied();
        let limit = seen.limit + if seen.limit > 6 { -1 } else { 1 };
        let saved = self.desk.save_limit(wish.room, seen, limit)?;
        let count = if saved.is_ok() { &mut self.facts.forms.0 } else { &mut self.facts.forms.1 };
        *count += 1;
        self.invariants.event(format!(
            "form {form} of room {} night {}: {} rooms instead of {}: {}",
            wish.room,
            wish.nights.lo - FIRST,
            limit,
            seen.limit,
            match saved {
                Ok(()) => "saved",
                Err(No::Full) => "refused, more are sold",
                Err(No::Changed | No::Stale) => "refused, it has changed",
            }
        ));
        let now = before.map_or(seen.limit, |night| night.limit);
        let unseen = saved.is_ok() && now != seen.limit;
        self.invariants.check(self.names[7], !unseen, || {
            format!("the form showed {}, {now} had been saved since", seen.limit)
        });
        self.audit(wish)
    }

    pub(super) fn fault(&mut self, now: Time) {
        let Some((_, trouble)) = self.size.fault else { return };
        // Hit are those who have something to do while it lasts.
        let span = match trouble {
            Trouble::Outage(span) | Trouble::Death(span) => span,
            Trouble::LeasesLost => Duration::ZERO,
        };
        let due = |id: &u64| self.due.get(id).is_some_and(|at| *at < now + span);
        let open: Vec<u64> = self.driver.iter().flat_map(Driver::open).filter(due).collect();
        self.facts.hit = open.len() as u64;
        match trouble {
            Trouble::Outage(span) => {
                self.provider.outage = Some((now, now + span));
                self.hit = (open, now + span);
            }
            Trouble::Death(down) => {
                self.hit = (open, now);
                self.die(down);
            }
            Trouble::LeasesLost => {
                self.facts.hit = self.service.live(now);
                if self.facts.hit < 2 && now < FIRST_HOUR {
                    // Nothing to lose yet.
                    self.events.after(Duration::from_millis(1), Event::Fault);
                    return;
                }
                self.service.forget();
                self.hit = (Vec::new(), now);
                self.leases_lost = true;
            }
        }
    }

    pub(super) fn audit(&mut self, wish: Wish) -> Result<(), Failure> {
        for (night, stays) in self.desk.audit(wish.room, wish.nights)? {
            let Night { night, sold, limit, other, .. } = night;
            let (room, day) = (wish.room, night - FIRST);
            self.invariants.check(self.names[0], stays <= limit && sold <= limit, || {
                format!("room {room} night {day}: {stays} rooms of {limit} are taken")
            });
            self.invariants.check(self.names[1], stays == sold, || {
                format!("room {room} night {day}: {sold} counted, the stays have {stays}")
            });
            self.invariants.check(self.names[2], sold + other <= 9, || {
                format!("house {} night {day}: {} of 9 sold", room / 2, sold + other)
            });
        }
        Ok(())
    }

    /// Everybody's money, every night, when nothing is to come.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        self.provider.arrive(Time::MAX);
        for id in 1..=self.bookings.len() as u64 {
            self.money(id);
            self.facts.earned += self.provider.net(id);
        }
        for room in 0..2 * self.size.hotels as i64 {
            let nights = Span::new(FIRST, FIRST + self.size.nights);
            self.audit(Wish { room, nights, rooms: 1 })?;
        }
        self.facts.late = self.provider.late;
        self.facts.unanswered = self.provider.unanswered;
        debug_assert_eq!(self.invariants.records().len(), 8, "seed {}", self.seed);
        Ok(())
    }
}

/// One command of the saga, obeyed: the hold and the confirmation by the desk, the charge by the
/// provider. Each may be repeated.
fn obey(
    desk: &Desk,
    provider: &mut Provider,
    id: u64,
    command: Command<&'static str>,
    price: i64,
    now: Time,
    kept: &mut bool,
) -> rusqlite::Result<Outcome> {
    let key = id as i64;
    let booked = || Ok::<_, rusqlite::Error>(desk.stay(key)?.is_some_and(|s| s.status == "booked"));
    let done = |yes: bool| if yes { Outcome::Done } else { Outcome::Failed };
    Ok(match command {
        Command::Do("hold") | Command::Query("hold") => {
            let lives = desk.lives(key, now)?;
            if !lives {
                // It has run out, and the sweep may not have come by yet: the saga ends here.
                desk.release(key, "released")?;
            }
            done(lives)
        }
        Command::Do("charge") => provider.charge(id, price, now),
        Command::Query("charge") => provider.query(id, now),
        Command::Undo("charge") => provider.undo(id, now),
        Command::Do("confirm") => {
            let held = desk.stay(key)?.is_some_and(|stay| stay.status == "held");
            let confirmed = desk.confirm(key, now)?;
            *kept = held || !confirmed;
            done(confirmed)
        }
        Command::Query("confirm") => done(booked()?),
        Command::Undo(_) => {
            desk.release(key, "released")?;
            Outcome::Done
        }
        _ => Outcome::Failed,
    })
}
