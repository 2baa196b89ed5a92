//! Six shapes of traffic, one client each, all against the same limit.

use kit::{Arrivals, Diurnal, Seed, Time};
use std::time::Duration;

/// One request of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Time,
    /// Who, by number.
    pub key: u32,
}

/// The limit of all shapes: 100 a minute, the document's own for an address.
pub const LIMIT: u32 = 100;
/// Its window.
pub const WINDOW: Duration = Duration::from_secs(60);

/// A shape of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 90 a minute, about evenly.
    Steady,
    /// 250 within a second, every other minute.
    Burst,
    /// 100 just before the edge of a minute and 100 just after it.
    Edge,
    /// A day, 70 a minute on average and twice that at its peak.
    Diurnal,
    /// 60 a minute, then suddenly twenty times that, slowly falling.
    Flash,
    /// Exactly the limit's rate: one every 600 ms.
    Drip,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Steady, Self::Burst, Self::Edge, Self::Diurnal, Self::Flash, Self::Drip];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Burst => "burst",
            Self::Edge => "edge attack",
            Self::Diurnal => "diurnal",
            Self::Flash => "flash crowd",
            Self::Drip => "slow drip",
        }
    }

    /// How long it lasts.
    #[must_use]
    pub const fn length(self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Diurnal) { 86_400 } else { 1_800 })
    }

    /// Its requests in the order of time.
    #[must_use]
    pub fn requests(self, seed: Seed) -> Vec<Event> {
        let mut dice = seed.child("traffic").stream(self.name());
        let end = Time::ZERO + self.length();
        let within = |at: &Time| *at < end;
        let mut jitter = |span: u64| Duration::from_nanos(dice.below(span.max(1)));
        let minutes = self.length().as_secs() / 60;
        let minute = |n: u64| Time::from_secs(n * 60);
        let mut times: Vec<Time> = match self {
            // Nine in ten of the limit, each up to half a gap late.
            Self::Steady => (0..minutes * 90)
                .map(|n| Time::from_nanos(n * 60_000_000_000 / 90) + jitter(333_000_000))
                .collect(),
            Self::Burst => (0..minutes / 2)
                .flat_map(|n| (0..250).map(move |_| minute(2 * n + 1)))
                .map(|at| at + jitter(1_000_000_000))
                .collect(),
            Self::Edge => (0..minutes / 2)
                .flat_map(|n| {
                    let edge = 60_000 * (2 * n + 1);
                    [(edge - 500, 100), (edge, 100)]
                })
                .flat_map(|(ms, times)| (0..times).map(move |_| Time::from_millis(ms)))
                .map(|at| at + jitter(500_000_000))
                .collect(),
            Self::Diurnal => {
                let stream = seed.child("traffic").stream("diurnal arrivals");
                let shape = Diurnal::cosine(15.0, 2.0);
                Arrivals::shaped(stream, 70.0 / 60.0, shape).take_while(within).collect()
            }
            Self::Flash => {
                let stream = seed.child("traffic").stream("flash arrivals");
                let peak = 20.0;
                let crowd = Arrivals::poisson(stream, peak).take_while(within);
                // Thinned to the crowd's size at each instant.
                crowd.filter(|at| dice.chance(crowd_at(*at) / peak)).collect()
            }
            Self::Drip => (0..minutes * 100).map(|n| Time::from_millis(n * 600)).collect(),
        };
        times.sort_unstable();
        times.into_iter().map(|at| Event { at, key: 0 }).collect()
    }
}

/// Requests a second of the flash crowd: it comes in the tenth minute and halves every two.
fn crowd_at(at: Time) -> f64 {
    let seconds = at.as_millis() as f64 / 1e3 - 600.0;
    // 2^-x by steps of a second: equal on every platform without `exp`.
    let halved = |seconds: f64| 1.0 / f64::from(1_u32 << ((seconds / 120.0) as u32).min(30));
    if seconds < 0.0 { 1.0 } else { 1.0 + 19.0 * halved(seconds) }
}

/// The most requests in any half-open window `(t - window, t]` of one client.
#[must_use]
pub fn worst_window(passed: impl Iterator<Item = (u32, Time)>, window: Duration) -> u64 {
    let mut recent: std::collections::HashMap<u32, std::collections::VecDeque<Time>> =
        std::collections::HashMap::new();
    let mut most = 0;
    for (key, at) in passed {
        let recent = recent.entry(key).or_default();
        while recent.front().is_some_and(|&oldest| at.since(oldest) >= window) {
            recent.pop_front();
        }
        recent.push_back(at);
        most = most.max(recent.len() as u64);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_what_they_are_called() {
        for shape in Shape::ALL {
            let requests = shape.requests(Seed::new(1));
            assert!(requests.windows(2).all(|pair| pair[0].at <= pair[1].at), "{shape:?}");
            let times = || requests.iter().map(|event| (0, event.at));
            let worst = worst_window(times(), WINDOW);
            let (low, high) = match shape {
                Shape::Steady => (88, 92),
                Shape::Burst => (250, 250),
                Shape::Edge => (200, 200),
                Shape::Diurnal => (140, 260),
                Shape::Flash => (1_000, 1_400),
                Shape::Drip => (100, 100),
            };
            assert!((low..=high).contains(&worst), "{shape:?}: {worst}");
        }
    }
}
