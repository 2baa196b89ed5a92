//! A seat that is held, kept, booked; and a payment that is done once.

use archstone_lock::idem::{Begin, Registry};
use archstone_lock::{Clock, FenceGate, LeaseTable, Monotonic};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (clock, minute) = (Monotonic::new(), Duration::from_secs(60));
    let seats: LeaseTable<String> = LeaseTable::new();
    let gate = FenceGate::new();

    let hold = seats.try_acquire(clock.now(), "12A", 10 * minute)?;
    println!("12A is held, fence {}", hold.fence());
    if let Err(busy) = seats.try_acquire(clock.now(), "12A", 10 * minute) {
        println!("12A for somebody else: {busy}");
    }

    let payments: Registry<String, &str> = Registry::new(1_440 * minute);
    for attempt in 1..=2 {
        match payments.begin(clock.now(), "pay-1", 0xfeed, 5 * minute) {
            Begin::Run(run) => payments.complete(clock.now(), run, "charge 77")?,
            Begin::Replay(charge) => println!("request {attempt} is a repetition of {charge}"),
            other => println!("{other:?}"),
        }
    }

    seats.confirm(clock.now(), hold)?; // it no longer expires
    gate.pass(hold.fence())?; // what the database checks with the write
    println!("12A is booked");
    Ok(())
}
