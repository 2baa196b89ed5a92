//! Waiting for a limit on tokio: `reserve`, sleep, `commit`; and giving up, which gives back.
//!
//! `cargo run -p archstone-ratelimit --example reserve_on_tokio`
//!
//! The crate knows no runtime. What a runtime has to do is this one function.

use archstone_ratelimit::{Algorithm, Clock, Denial, Gcra, Grant, Limiter, Quota, Time};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// tokio's own clock, so that its paused time in tests is the limiter's time too.
#[derive(Clone, Copy, Debug)]
struct TokioClock(Instant);

impl TokioClock {
    fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }
}

/// Waits until `cost` units may be used, at most `max_wait`.
///
/// Whoever drops the future while it sleeps gives its place back, exactly: the reservation lives
/// in it, and dropping one cancels it.
async fn acquire<A: Algorithm, C: Clock>(
    limiter: &Limiter<A, C>,
    cost: u64,
    max_wait: Duration,
) -> Result<Grant, Denial> {
    let reservation = limiter.reserve(cost, max_wait)?;
    let wait = reservation.ready_in();
    if !wait.is_zero() {
        sleep(wait).await;
    }
    Ok(reservation.commit())
}

/// Ten tasks on a limit of four a second, two of which are given up on.
async fn run() -> Vec<(usize, Result<Duration, String>)> {
    let clock = TokioClock::new();
    let quota = Quota::per_second(4).with_burst(1);
    let limiter = Arc::new(Limiter::with_clock(Gcra::new(quota), clock));
    let tasks: Vec<_> = (0..10)
        .map(|task| {
            let limiter = limiter.clone();
            let patience = Duration::from_millis(if task % 4 == 2 { 100 } else { 10_000 });
            tokio::spawn(async move {
                let work = acquire(&limiter, 1, Duration::from_secs(2));
                match timeout(patience, work).await {
                    Ok(Ok(_)) => Ok(clock.now().since(Time::ZERO)),
                    Ok(Err(denial)) => Err(denial.to_string()),
                    Err(_) => Err("gave up, and gave its place back".to_owned()),
                }
            })
        })
        .collect();
    let mut results = Vec::new();
    for (number, task) in tasks.into_iter().enumerate() {
        results.push((number, task.await.expect("no panic")));
    }
    results
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    for (task, result) in runtime.expect("a runtime").block_on(run()) {
        match result {
            Ok(at) => println!("task {task}: ran after {at:?}"),
            Err(why) => println!("task {task}: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn reservations_are_awaited_on_tokio_and_given_back_when_dropped() {
        let results = run().await;
        let ran: Vec<u128> = results
            .iter()
            .filter_map(|(_, result)| result.as_ref().ok())
            .map(Duration::as_millis)
            .collect();
        // Tasks 2 and 6 gave up after 100 ms. What they gave back is behind those that were told their
        // instants already, so nobody runs earlier, and nobody later than two seconds.
        assert!(results[2].1.is_err() && results[6].1.is_err());
        assert!(ran.iter().all(|at| at % 250 <= 1 && *at <= 2_001), "{ran:?}");
        assert_eq!(ran.len() + results.iter().filter(|(_, result)| result.is_err()).count(), 10);
        // The ninth place is past two seconds: refused with the wait it would have needed.
        assert!(results[9].1.as_ref().unwrap_err().contains("passes in"), "{results:?}");
    }
}
