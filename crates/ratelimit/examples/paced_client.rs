//! A client that keeps to what a server's headers tell, instead of running into 429.
//!
//! `cargo run -p archstone-ratelimit --example paced_client`
//!
//! The server here is a function with a limiter, so that the example needs no network; what crosses
//! between the two is header fields as text and nothing else.

use archstone_ratelimit::headers::parse::Fields;
use archstone_ratelimit::headers::{Limit, Limits, Pacer, RATELIMIT, RETRY_AFTER, RetryAfter};
use archstone_ratelimit::{Gcra, Limiter, Manual, Quota, Time, Verdict};
use std::time::Duration;

/// Status and header fields.
type Response = (u16, Vec<(&'static str, String)>);

/// A server of 30 a minute, ten at once.
struct Server(Limiter<Gcra, Manual>);

impl Server {
    fn new() -> Self {
        let quota = Quota::per_minute(30).with_burst(10);
        Self(Limiter::with_clock(Gcra::new(quota), Manual::new(Time::from_secs(1))))
    }

    fn answer(&self, now: Time) -> Response {
        match self.0.check_at(now, 1) {
            Verdict::Allow(grant) => (200, told(grant.remaining(), grant.reset_after())),
            Verdict::Deny(denial) => {
                let wait = denial.retry_after().duration().unwrap_or_default();
                let mut fields = told(denial.remaining(), wait);
                fields.push((RETRY_AFTER, RetryAfter(wait).to_string()));
                (429, fields)
            }
        }
    }
}

fn told(left: u64, reset: Duration) -> Vec<(&'static str, String)> {
    let limit = Limit::new("api", left).expect("a plain name and a small number").reset(reset);
    vec![(RATELIMIT, Limits(&[limit]).to_string())]
}

/// Sends `requests` as fast as the pacer allows, or at once without one. Says how many were
/// refused and how long it took; the time is simulated, so nothing sleeps.
fn run(server: &Server, requests: u32, paced: bool) -> (u32, Duration) {
    let start = Time::from_secs(1);
    let (mut now, mut refused, mut done) = (start, 0, 0);
    let mut pacer = Pacer::new(Duration::from_secs(60));
    while done < requests {
        // A real client sleeps until then.
        let at = if paced { pacer.next_send(now) } else { now };
        now = at.max(now + Duration::from_millis(20)); // a round trip
        let (status, fields) = server.answer(now);
        pacer.sent(now);
        // The Unix time of the client turns dates into waits; none comes here.
        let mut seen = Fields::new(1_790_000_000);
        fields.iter().for_each(|(name, value)| seen.add(name, value));
        pacer.learn(seen, now);
        match status {
            200 => done += 1,
            _ => refused += 1,
        }
    }
    (refused, now.since(start))
}

fn main() {
    for paced in [false, true] {
        let (refused, took) = run(&Server::new(), 40, paced);
        let how = if paced { "paced by the headers" } else { "as fast as it can" };
        println!("{how}: 40 requests done in {took:?}, {refused} refused on the way");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_paced_by_headers_is_refused_less_and_is_not_slower() {
        let (refused, took) = run(&Server::new(), 40, false);
        let (paced, paced_took) = run(&Server::new(), 40, true);
        assert!(refused > 1_000, "{refused}");
        assert!(paced <= 3, "{paced}");
        // 30 at 30 a minute; the burst is spread rather than spent at once.
        assert!(paced_took < took + Duration::from_secs(20), "{paced_took:?} {took:?}");
    }
}
