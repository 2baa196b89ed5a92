//! A population at the gate: users of three tiers, partners' keys, addresses that many share.

use crate::gate::{Caller, Decision, Dimension, Gate, Limits};
use kit::{Arrivals, Failure, Invariants, Run, Time, Zipf};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// The name of the invariant that is checked here.
pub const GLOBAL: &str = "the gate lets no more through than the global limit";

/// What the gate did.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// Requests.
    pub requests: u64,
    /// Those that passed.
    pub passed: u64,
    /// Those that each dimension blocked.
    pub blocked: [u64; 5],
    /// Requests and passes by tier.
    pub tiers: [(u64, u64); 3],
    /// Users, keys, addresses.
    pub population: [u64; 3],
    /// How long it lasted, in virtual time.
    pub length: Duration,
    /// The longest wait that was told.
    pub longest: Duration,
    /// On the machine's clock, decisions alone.
    pub spent: Duration,
}

/// Sends `requests` at two thirds of the global limit, from users whose appetite follows Zipf's
/// law.
///
/// # Errors
/// Never with the sizes here.
pub fn run(run: &Run, limits: Limits, invariants: &mut Invariants) -> Result<Load, Failure> {
    let requests = run.scale.pick(60_000, 2_000_000, 50_000_000);
    let users: u64 = run.scale.pick(5_000, 100_000, 2_000_000);
    let (keys, addresses) = ((users / 500).max(4), users / 2);
    let holds = invariants.declare(GLOBAL);
    let gate = Gate::new(limits, 2 * users as usize)
        .guarded(run.safeguards.on("all-or-nothing"), run.safeguards.on("tier-keeps-debt"));
    let names: Vec<String> = (0..users).map(|user| format!("user-{user}")).collect();
    let api_keys: Vec<String> = (0..keys).map(|key| format!("key-{key}")).collect();
    let favourites = Zipf::new(users, 0.8).ok_or("users")?;
    let mut wishes = run.random().child("load").stream("users");
    let rate = limits.global.rate();
    let mean = rate.amount() as f64 / rate.period().as_secs_f64() * 2.0 / 3.0;
    let times = Arrivals::poisson(run.random().child("load").stream("arrivals"), mean);
    let progress = run.progress("at the gate", requests);

    let mut load = Load { requests, population: [users, keys, addresses], ..Load::default() };
    // The decisions are timed in batches: reading the clock costs as much as one of them.
    let mut batch: Vec<(Time, u64)> = Vec::with_capacity(8_192);
    let mut times = times.take(requests as usize).peekable();
    let start = times.peek().copied().unwrap_or(Time::ZERO);
    let mut now = start;
    while times.peek().is_some() {
        batch.clear();
        batch.extend(times.by_ref().take(8_192).map(|at| (at, favourites.sample(&mut wishes) - 1)));
        let started = Instant::now();
        for &(at, user) in &batch {
            let tier = tier_of(user);
            let caller = Caller {
                user: Some(&names[user as usize]),
                tier,
                api_key: Some(&api_keys[(user % keys) as usize]),
                address: address_of(user, addresses),
            };
            let count = &mut load.tiers[usize::from(tier)];
            count.0 += 1;
            match gate.decide(at, &caller, 1) {
                Decision::Pass => {
                    count.1 += 1;
                    load.passed += 1;
                }
                Decision::Blocked { by, wait } => {
                    load.blocked[by as usize] += 1;
                    load.longest = load.longest.max(wait.unwrap_or_default());
                }
            }
        }
        load.spent += started.elapsed();
        now = batch.last().map_or(now, |last| last.0);
        progress.add(batch.len() as u64);
        let most = limits.global.burst() as f64
            + now.since(Time::ZERO).as_secs_f64() * rate.amount() as f64
                / rate.period().as_secs_f64();
        invariants.event(format!("{} ms: {} passed so far", now.as_millis(), load.passed));
        invariants.check(holds, load.passed as f64 <= most, || {
            format!("{} passed, the limit allows {most:.0}", load.passed)
        });
    }
    load.length = now.since(start);
    Ok(load)
}

/// Of a hundred users one is premium and nine are basic; whoever asks most pays most.
const fn tier_of(user: u64) -> u8 {
    match user % 100 {
        0 => 2,
        1..=9 => 1,
        _ => 0,
    }
}

/// Half of the users have an address of their own, the others share one with three more.
fn address_of(user: u64, addresses: u64) -> IpAddr {
    let at = if user.is_multiple_of(2) { user / 2 } else { user / 8 };
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | (at % addresses) as u32))
}

impl Load {
    /// Nanoseconds a decision.
    #[must_use]
    pub fn nanos(&self) -> f64 {
        self.spent.as_nanos() as f64 / self.requests.max(1) as f64
    }

    /// What each dimension blocked.
    pub fn by_dimension(&self) -> impl Iterator<Item = (Dimension, u64)> {
        Dimension::ALL.into_iter().zip(self.blocked)
    }
}
