//! The gate: the tier of the user and four dimensions, all or nothing, the blocker named.

use archstone_ratelimit::{
    Gcra, Keyed, Part, Quota, QuotaError, RetryAfter, Shared, Time, check_all, client_network,
};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// What a limit is about, in the order in which they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// The user's plan, by the hour.
    Tier,
    /// The user, by the minute.
    User,
    /// The API key, which several users of one partner may share.
    ApiKey,
    /// The address (of IPv6 its /64 network).
    Ip,
    /// Everybody together.
    Global,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Tier, Self::User, Self::ApiKey, Self::Ip, Self::Global];

    /// Those that apply to `caller`.
    pub fn of(caller: &Caller<'_>) -> impl Iterator<Item = Self> {
        let (user, api_key) = (caller.user.is_some(), caller.api_key.is_some());
        Self::ALL.into_iter().filter(move |dimension| match dimension {
            Self::Tier | Self::User => user,
            Self::ApiKey => api_key,
            Self::Ip | Self::Global => true,
        })
    }

    /// Its name in headers and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::User => "user",
            Self::ApiKey => "api-key",
            Self::Ip => "ip",
            Self::Global => "global",
        }
    }
}

/// The tiers by name; the first is also that of a name nobody knows.
pub const TIERS: [&str; 3] = ["free", "basic", "premium"];

/// The number of a tier in [`Limits::tiers`]; an unknown one is free.
#[must_use]
pub fn tier(name: &str) -> u8 {
    TIERS.iter().position(|tier| *tier == name).unwrap_or(0) as u8
}

/// The quotas, the document's as shipped.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Free, basic, premium.
    pub tiers: [Quota; 3],
    /// Of a user.
    pub user: Quota,
    /// Of an API key.
    pub api_key: Quota,
    /// Of an address.
    pub ip: Quota,
    /// Of all.
    pub global: Quota,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tiers: [Quota::per_hour(100), Quota::per_hour(1_000), Quota::per_hour(10_000)],
            user: Quota::per_minute(1_000),
            api_key: Quota::per_minute(5_000),
            ip: Quota::per_minute(100),
            global: Quota::per_minute(50_000),
        }
    }
}

impl Limits {
    /// A limit that is no limit: for experiments that take one out.
    #[must_use]
    pub fn none() -> Quota {
        Quota::per_second(1_000_000_000)
    }

    /// Changes one limit: `ip=600/min`, `premium=20k/hour burst 500`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let (name, quota) =
            text.split_once('=').ok_or(format!("{text:?}: expected NAME=QUOTA, as ip=600/min"))?;
        let slot = match name.trim() {
            "user" => &mut self.user,
            "api-key" => &mut self.api_key,
            "ip" => &mut self.ip,
            "global" => &mut self.global,
            name => match TIERS.iter().position(|tier| *tier == name) {
                Some(tier) => &mut self.tiers[tier],
                None => {
                    let known = "free, basic, premium, user, api-key, ip, global";
                    return Err(format!("no limit is called {name:?}; there are {known}"));
                }
            },
        };
        *slot = quota.trim().parse().map_err(|error: QuotaError| format!("{text:?}: {error}"))?;
        Ok(())
    }

    /// The quota of a dimension for a caller of `tier`.
    #[must_use]
    pub const fn of(&self, dimension: Dimension, tier: u8) -> Quota {
        match dimension {
            Dimension::Tier => self.tiers[if tier < 3 { tier as usize } else { 0 }],
            Dimension::User => self.user,
            Dimension::ApiKey => self.api_key,
            Dimension::Ip => self.ip,
            Dimension::Global => self.global,
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// The user; `None`: not signed in, limited by address and by all together.
    pub user: Option<&'a str>,
    /// The number of the user's tier.
    pub tier: u8,
    /// The API key.
    pub api_key: Option<&'a str>,
    /// Where from.
    pub address: IpAddr,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// All dimensions were charged.
    Pass,
    /// None was.
    Blocked {
        /// The one with the longest wait.
        by: Dimension,
        /// How long; `None`: never.
        wait: Option<Duration>,
    },
}

impl Decision {
    /// Whether the request goes on.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Pass)
    }
}

/// How one dimension stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Which one.
    pub dimension: Dimension,
    /// Its quota.
    pub quota: Quota,
    /// Units left.
    pub remaining: u64,
    /// How long until one more is there; `None` when nothing is used.
    pub more_in: Option<Duration>,
    /// How long until all are there.
    pub full_in: Duration,
}

/// The limits of one process.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    tiers: Keyed<String>,
    users: Keyed<String>,
    api_keys: Keyed<String>,
    addresses: Keyed<IpAddr>,
    global: Shared<Gcra>,
    /// Off: dimension after dimension is charged, as the sample code does.
    whole: bool,
    /// Off: the tier is part of the key, as in the sample code.
    one_bucket: bool,
}

impl Gate {
    /// A gate for about `keys` users and addresses each; a store that is full turns new keys away
    /// rather than forget what others owe.
    #[must_use]
    pub fn new(limits: Limits, keys: usize) -> Self {
        let store = |quota| Keyed::<String>::builder(Gcra::new(quota)).capacity(keys);
        let [free, basic, premium] = limits.tiers;
        Self {
            limits,
            tiers: store(free).tier(basic).tier(premium).build(),
            users: store(limits.user).build(),
            api_keys: store(limits.api_key).build(),
            addresses: Keyed::<IpAddr>::builder(Gcra::new(limits.ip)).capacity(keys).build(),
            global: Shared::new(Gcra::new(limits.global)),
            whole: true,
            one_bucket: true,
        }
    }

    /// The same with the safeguards `all-or-nothing` and `tier-keeps-debt` as given.
    #[must_use]
    pub fn guarded(self, whole: bool, one_bucket: bool) -> Self {
        Self { whole, one_bucket, ..self }
    }

    /// The quotas.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Charges `cost` in every dimension, or in none.
    pub fn decide(&self, now: Time, caller: &Caller<'_>, cost: u64) -> Decision {
        self.with_parts(caller, cost, |parts| {
            if !self.whole {
                return one_by_one(now, parts);
            }
            match check_all(now, parts) {
                Ok(_) => Decision::Pass,
                Err(blocked) => Decision::Blocked {
                    by: Dimension::ALL[blocked.index],
                    wait: wait(blocked.retry_after()),
                },
            }
        })
    }

    /// Takes back what a request was charged that could not be served after all.
    pub fn give_back(&self, pass: &Receipt<'_>) {
        self.with_parts(&pass.caller, pass.cost, |parts| pass.pass.refund(pass.at, parts));
    }

    /// [`Gate::decide`], with a receipt for [`Gate::give_back`].
    ///
    /// # Errors
    /// The dimension that blocks and the wait.
    pub fn enter<'a>(
        &self,
        now: Time,
        caller: &Caller<'a>,
        cost: u64,
    ) -> Result<Receipt<'a>, (Dimension, Option<Duration>)> {
        self.with_parts(caller, cost, |parts| match check_all(now, parts) {
            Ok(pass) => Ok(Receipt { caller: *caller, cost, at: now, pass }),
            Err(blocked) => Err((Dimension::ALL[blocked.index], wait(blocked.retry_after()))),
        })
    }

    /// How each dimension that applies to the caller stands.
    #[must_use]
    pub fn standing(&self, now: Time, caller: &Caller<'_>) -> Vec<Standing> {
        let look = |dimension: Dimension, cost: u64| {
            let (user, key) = (caller.user.unwrap_or(""), caller.api_key.unwrap_or(""));
            let ip = client_network(caller.address);
            match dimension {
                Dimension::Tier => self.tiers.peek_tier_at(now, user, caller.tier, cost),
                Dimension::User => self.users.peek_at(now, user, cost),
                Dimension::ApiKey => self.api_keys.peek_at(now, key, cost),
                Dimension::Ip => self.addresses.peek_at(now, &ip, cost),
                Dimension::Global => self.global.peek_at(now, cost),
            }
        };
        let standing = |dimension: Dimension| {
            let quota = self.limits.of(dimension, caller.tier);
            let now = look(dimension, 0);
            let remaining = now.remaining();
            // Until one more would pass than would now: what `t` of the RateLimit field means.
            let more = look(dimension, remaining + 1).retry_after();
            let more_in = more.filter(|_| remaining < quota.burst()).and_then(wait);
            Standing { dimension, quota, remaining, more_in, full_in: now.reset_after() }
        };
        Dimension::of(caller).map(standing).collect()
    }

    /// The five parts of a caller; what does not apply costs nothing, which always passes.
    fn with_parts<T>(
        &self,
        caller: &Caller<'_>,
        cost: u64,
        then: impl FnOnce(&[Part<'_>; 5]) -> T,
    ) -> T {
        let (user, of_user) = (caller.user.unwrap_or(""), caller.user.map_or(0, |_| cost));
        let (key, of_key) = (caller.api_key.unwrap_or(""), caller.api_key.map_or(0, |_| cost));
        let network = client_network(caller.address);
        let per_tier;
        let plan = if self.one_bucket {
            user
        } else {
            per_tier = format!("{user}:{}", caller.tier);
            &per_tier
        };
        let tier = self.tiers.key(plan).in_tier(caller.tier);
        let (user, key) = (self.users.key(user), self.api_keys.key(key));
        let address = self.addresses.key(&network);
        then(&[
            Part::new(&tier, of_user),
            Part::new(&user, of_user),
            Part::new(&key, of_key),
            Part::new(&address, cost),
            Part::new(&self.global, cost),
        ])
    }
}

/// A request that passed, to be given back if it cannot be served.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    caller: Caller<'a>,
    cost: u64,
    at: Time,
    pass: archstone_ratelimit::Pass<5>,
}

/// What `MultiDimensionRateLimiter` does: the first that denies ends it, and those before it have
/// been charged.
fn one_by_one(now: Time, parts: &[Part<'_>; 5]) -> Decision {
    for (at, part) in parts.iter().enumerate() {
        if let Err(blocked) = check_all(now, &[*part]) {
            return Decision::Blocked { by: Dimension::ALL[at], wait: wait(blocked.retry_after()) };
        }
    }
    Decision::Pass
}

const fn wait(retry_after: RetryAfter) -> Option<Duration> {
    retry_after.duration()
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
