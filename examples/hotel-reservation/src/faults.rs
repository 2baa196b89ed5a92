//! What an interviewer asks: the provider is silent, the process dies, leases are lost, a holder
//! sleeps. What happens meanwhile, and until when.

use crate::booking::{Answer, Booking, Came, Locks, Service};
use crate::desk::{Desk, Wish};
use crate::layers::OUTLIVED;
use crate::provider::{ROUGH, Temper};
use crate::world::{self, FIRST, QUICK, Size, Trouble};
use archstone_lock::Span;
use kit::{Failure, Fault, Safeguards, Seed, Time};
use std::time::Duration;

/// When the fault hits.
const HIT: Time = Time::from_millis(120_000);

/// Every fault, with the safeguards on.
///
/// # Errors
/// What SQLite says.
pub fn run(seed: u64, on: &Safeguards) -> Result<Vec<Fault>, Failure> {
    let calm = Temper { declined: 3, lost: 0, dropped: 0, late: 0, mute: 0 };
    let size = Size { sleepers: 0, deaths: 0, temper: calm, others: false, ..QUICK };
    let with = |trouble| Size { fault: Some((HIT, trouble)), ..size };
    let mut faults = Vec::new();

    let span = Duration::from_secs(90);
    let (_, facts) = world::run_sized(seed, on, with(Trouble::Outage(span)))?;
    faults.push(fault(
        "the payment provider answers nobody for 90 s",
        facts.recovered,
        format!(
            "{} bookings were paying; {} charges had no answer: called off and freed, none half way",
            facts.hit, facts.unanswered
        ),
    ));

    let span = Duration::from_secs(30);
    let (_, facts) = world::run_sized(seed, on, with(Trouble::Death(span)))?;
    faults.push(fault(
        "the process with every saga dies, back after 30 s",
        facts.recovered,
        format!("{} sagas went on from their log; {} bookings in all", facts.hit, facts.booked),
    ));

    let rough = Size { temper: ROUGH, ..size };
    let (records, facts) = world::run_sized(seed, on, Size { deaths: 150, ..rough })?;
    let broke: u64 = records.iter().map(|record| record.violations).sum();
    faults.push(fault(
        "it dies at every seventh step, back after 2 s",
        Some(facts.longest_down),
        format!("{} deaths, {broke} broken promises", facts.deaths),
    ));

    let (_, facts) = world::run_sized(seed, on, with(Trouble::LeasesLost))?;
    faults.push(fault(
        "the lease service restarts and has forgotten every lease",
        facts.recovered,
        format!(
            "{} leases were out; later fences are above theirs: {} late writers refused",
            facts.hit, facts.stale
        ),
    ));
    faults.push(sleeper(seed, on)?);
    Ok(faults)
}

fn fault(kind: &str, recovered: Option<Duration>, effect: String) -> Fault {
    let recovered_ms = recovered.map(|span| span.as_millis() as u64);
    Fault { kind: kind.to_owned(), at_ms: HIT.as_millis(), recovered_ms, effect }
}

/// One guest sleeps between look and hold; another wants the same night and asks every 100 ms.
fn sleeper(seed: u64, on: &Safeguards) -> Result<Fault, Failure> {
    let desk = Desk::new(on, 9)?;
    let nights = Span::new(FIRST, FIRST + 2);
    desk.open(0, 2, 5, 5, 10_000, nights)?;
    let mut service = Service::new(Locks::new(on.on("night-lock")), on.on("fence"));
    let stream = Seed::new(seed).stream("sleeper");
    let wish = Wish { room: 0, nights, rooms: 1 };
    let mut guests = [Booking::new(HIT, stream.clone()), Booking::new(HIT, stream)];
    for guest in &mut guests {
        guest.wish = Some(wish);
    }
    let [sleeper, other] = &mut guests;
    // The first has the lease and has looked.
    let mut now = HIT;
    for _ in 0..2 {
        sleeper.step(&mut service, &desk, 1, now)?;
    }
    let slept = now;
    let mut got = None;
    while got.is_none() && now < slept + 2 * OUTLIVED {
        now += Duration::from_millis(100);
        let mut again = other.clone();
        again.step(&mut service, &desk, 2, now)?;
        if again.said == "has the lease" {
            *other = again;
            got = Some(now);
        }
    }
    while let Came::Later(wait) = other.step(&mut service, &desk, 2, now)? {
        now += wait;
    }
    let mut woken = Came::Later(Duration::ZERO);
    while let Came::Later(wait) = woken {
        now += wait;
        woken = sleeper.step(&mut service, &desk, 1, now)?;
    }
    let told = if woken == Came::Over(Answer::Lost) { "that its lease is lost" } else { "yes" };
    let effect =
        format!("the other has the nights when the lease ends; the sleeper is told {told}");
    Ok(fault(
        "a holder sleeps past its lease, between look and hold",
        got.map(|got| got.since(slept)),
        effect,
    ))
}
