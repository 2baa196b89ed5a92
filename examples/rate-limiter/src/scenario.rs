//! The run, top to bottom.

use crate::design::DESIGN;
use crate::faults::{self, Wrong};
use crate::field::{Kind, Played, exact};
use crate::fleet::{self, Request, Scheme, Setup};
use crate::gate::Limits;
use crate::load::{self, Load};
use crate::log::{self, Log};
use crate::store::{Memory, Store};
use crate::traffic::{Event, LIMIT, Shape};
use crate::{Options, claims, experiments, outline, trials};
use archstone_ratelimit::Quota;
use kit::invariant::merge;
use kit::{Failure, Invariants, Report, Run, Seed, Time};
use std::time::Duration;

/// Invariants of the replays.
pub const PROMISE: &str = "every algorithm keeps its own promise in any window";
/// See [`PROMISE`].
pub const LOG: &str = "the sliding log decides as an exact log written apart";

/// What was found, for the report and the claims.
#[derive(Debug)]
pub struct Facts {
    /// The log.
    pub log: Log,
    /// The limit that was replayed on it.
    pub quota: Quota,
    /// Every algorithm on the log.
    pub replay: Replay,
    /// Every algorithm on each shape.
    pub shapes: Vec<(Shape, Replay)>,
    /// The population at the gate.
    pub load: Load,
    /// The limits at the gate.
    pub limits: Limits,
    /// The nodes that share a limit.
    pub fleet: Fleet,
    /// What went wrong.
    pub wrong: Wrong,
    /// What a real store took for a call.
    pub store: kit::Latencies,
}

/// One stream and every algorithm on it.
#[derive(Debug)]
pub struct Replay {
    /// The requests.
    pub events: Vec<Event>,
    /// What is right.
    pub exact: Vec<bool>,
    /// What each did; those that do not apply are missing.
    pub played: Vec<Played>,
}

/// The nodes that share a limit, whole.
#[derive(Debug)]
pub struct Fleet {
    /// How many, and the limit.
    pub setup: Setup,
    /// What they were asked.
    pub requests: Vec<Request>,
    /// What they did.
    pub outcomes: Vec<(Scheme, fleet::Outcome)>,
    /// The central bucket without its cache of denials.
    pub uncached: fleet::Outcome,
    /// How long it lasted.
    pub length: Duration,
}

impl Replay {
    /// Replays `events`.
    #[must_use]
    pub fn new(quota: Quota, events: Vec<Event>, keys: usize, origin: Time) -> Self {
        let rate = quota.rate();
        let exact = exact(&events, rate.amount(), rate.period());
        let play = |kind: Kind| kind.play(quota, &events, keys, origin);
        let played = Kind::ALL.into_iter().filter_map(play).collect();
        Self { events, exact, played }
    }

    /// What `kind` did.
    #[must_use]
    pub fn of(&self, kind: Kind) -> Option<&Played> {
        self.played.iter().find(|played| played.kind == kind)
    }

    /// Requests that the exact log denies.
    #[must_use]
    pub fn denied(&self) -> u64 {
        self.exact.iter().filter(|right| !**right).count() as u64
    }

    /// What each promises, held against what it did.
    fn check(&self, what: &str, quota: Quota, invariants: &mut Invariants) {
        let (promise, log) = (invariants.declare(PROMISE), invariants.declare(LOG));
        for played in &self.played {
            let name = played.kind.name();
            invariants.event(format!("{what}: {name} admits {}", played.admitted()));
            let (window, most) = played.kind.promise(quota);
            let worst = played.worst(&self.events, window);
            invariants.check(promise, worst <= most, || {
                format!("{what}: {name} let {worst} through in {window:?}, promised {most}")
            });
            if played.kind == Kind::Log {
                for (at, (passed, right)) in played.passed.iter().zip(&self.exact).enumerate() {
                    invariants.check(log, passed.is_some() == *right, || {
                        format!("{what}: request {at} should be {right}")
                    });
                }
            }
        }
    }
}

/// Runs the design and fills the report.
///
/// # Errors
/// When the input cannot be read or a real store fails.
pub fn run(run: &Run, options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let mut invariants = Invariants::new(run.seed);
    // A store that is not there is said before any work.
    let mut real = real_store(run)?;
    let intact = run.safeguards.off().is_empty();

    // The guarantees on small streams that attack them, event by event.
    report.invariants = trials::run(run.seed, &run.safeguards);

    // Every algorithm on the log, then on six shapes of traffic.
    let log = read(run)?;
    let replay = Replay::new(options.limit, log.events.clone(), log.clients.len(), log.origin);
    replay.check("log", options.limit, &mut invariants);
    let shapes: Vec<_> = Shape::ALL.map(|shape| (shape, shaped(shape, run.random()))).into();
    for (shape, replay) in &shapes {
        replay.check(shape.name(), Quota::per_minute(LIMIT), &mut invariants);
    }

    // A population at the gate; a broken safeguard is shown at once, on the small one.
    let small = run.clone().with_scale(kit::Scale::Quick);
    let load = load::run(if intact { run } else { &small }, options.limits, &mut invariants)?;

    // Nodes that share a limit, whole and with everything that may befall them.
    let mut memory = || Ok(Box::new(Memory::default()) as Box<dyn Store>);
    let whole = if intact && real.is_none() { run } else { &small };
    let fleet = share(whole, &mut memory, &mut invariants)?;
    let wrong = faults::run(whole, &mut memory, &mut invariants)?;
    if let Some(stores) = real.as_mut() {
        same_on_real(&fleet, run, stores, &mut invariants)?;
    }

    merge(&mut report.invariants, invariants.into_records());
    if intact {
        report.ablations = kit::ablate(&DESIGN, 1..=20, trials::run);
    }
    let store = real.map(|real| real.latencies()).unwrap_or_default();
    let (quota, limits) = (options.limit, options.limits);
    let facts = Facts { log, quota, replay, shapes, load, limits, fleet, wrong, store };
    fill(&mut report, &facts, run);
    experiments::draw(run, &facts)?;
    Ok(report)
}

fn read(run: &Run) -> Result<Log, Failure> {
    let (source, title): (Box<dyn std::io::Read + Send>, _) = match &run.data {
        None => (Box::new(log::NASA), "NASA Kennedy, 1 Aug 1995".to_owned()),
        Some(input) => {
            let source = input.open().map_err(|error| format!("--data {error}"))?;
            (source, kit::term::shorten(&input.to_string(), 30))
        }
    };
    let log = Log::read(source, &title).map_err(|error| format!("--data {title}: {error}"))?;
    for (line, text) in &log.shown {
        run.say(&format!("line {line} is no request, skipped: {text}"));
    }
    Ok(log)
}

fn shaped(shape: Shape, seed: Seed) -> Replay {
    Replay::new(Quota::per_minute(LIMIT), shape.requests(seed), 1, Time::ZERO)
}

/// Every scheme on the same requests.
fn share(
    run: &Run,
    stores: fleet::Stores<'_>,
    invariants: &mut Invariants,
) -> Result<Fleet, Failure> {
    let setup = Setup {
        lease_expiry: run.safeguards.on("lease-expiry"),
        gossip_share: run.safeguards.on("gossip-share"),
        ..run.scale.pick(Setup::new(4, 4, 300), Setup::new(4, 20, 1_000), Setup::new(4, 100, 1_000))
    };
    let length = Duration::from_secs(run.scale.pick(180, 600, 3_600));
    let requests = fleet::requests(&setup, length, run.random());
    let progress = run.progress("nodes sharing a limit", Scheme::ALL.len() as u64 + 1);
    let mut outcomes = Vec::new();
    for scheme in Scheme::ALL {
        let outcome = fleet::run(scheme, &setup, &requests, run.random(), stores, invariants)?;
        outcomes.push((scheme, outcome));
        progress.add(1);
    }
    let uncached = Setup { deny_cache: false, ..setup };
    let uncached =
        fleet::run(Scheme::Bucket, &uncached, &requests, run.random(), stores, invariants)?;
    let same = invariants.declare(trials::CACHE);
    let cached = outcomes.iter().find(|(scheme, _)| *scheme == Scheme::Bucket);
    let cached = cached.map_or(&[][..], |(_, outcome)| &outcome.passed);
    for (at, (cached, plain)) in cached.iter().zip(&uncached.passed).enumerate() {
        invariants.check(same, cached == plain, || format!("request {at} of the fleet"));
    }
    Ok(Fleet { setup, requests, outcomes, uncached, length })
}

#[cfg(feature = "redis")]
fn real_store(run: &Run) -> Result<Option<real::Real>, Failure> {
    run.backend("redis").map(real::Real::connect).transpose()
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unnecessary_wraps, reason = "with the feature it connects")]
fn real_store(_: &Run) -> Result<Option<real::Real>, Failure> {
    Ok(None)
}

/// The same fleet on the real store decides the same.
fn same_on_real(
    fleet: &Fleet,
    run: &Run,
    real: &mut real::Real,
    invariants: &mut Invariants,
) -> Result<(), Failure> {
    let same = invariants.declare("a real Redis decides as the scripts in this process do");
    for (scheme, here) in fleet.outcomes.iter().filter(|(scheme, _)| scheme.central()) {
        run.say(&format!("{} on Redis: {} requests", scheme.name(), fleet.requests.len()));
        let mut stores = || real.store();
        let there = fleet::run(
            *scheme,
            &fleet.setup,
            &fleet.requests,
            run.random(),
            &mut stores,
            invariants,
        )?;
        for (at, (here, there)) in here.passed.iter().zip(&there.passed).enumerate() {
            invariants.check(same, here == there, || format!("{}: request {at}", scheme.name()));
        }
    }
    Ok(())
}

/// The store of `--backend redis://`, timed.
#[cfg(feature = "redis")]
mod real {
    use crate::redis_store::RedisStore;
    use crate::store::Store;
    use archstone_ratelimit::redis::{Call, Outcome};
    use kit::{Failure, Latencies};
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Instant;

    /// Where stores come from.
    pub(super) struct Real {
        url: String,
        prefix: String,
        made: usize,
        timed: Arc<Mutex<Latencies>>,
    }

    /// A store that notes how long each call took.
    #[derive(Debug)]
    struct Timed(RedisStore, Arc<Mutex<Latencies>>);

    impl Real {
        pub(super) fn connect(url: &str) -> Result<Self, Failure> {
            RedisStore::connect(url, "")?;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
            let prefix = format!("rate-limiter:{}:{}", std::process::id(), now.as_nanos());
            Ok(Self { url: url.to_owned(), prefix, made: 0, timed: Arc::default() })
        }

        /// A store of its own on the same server.
        pub(super) fn store(&mut self) -> Result<Box<dyn Store>, Failure> {
            self.made += 1;
            let store = RedisStore::connect(&self.url, &format!("{}:{}", self.prefix, self.made))?;
            Ok(Box::new(Timed(store, Arc::clone(&self.timed))))
        }

        pub(super) fn latencies(self) -> Latencies {
            self.timed.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    impl Store for Timed {
        fn call(&mut self, call: &Call) -> Result<Outcome, Failure> {
            let started = Instant::now();
            let outcome = self.0.call(call);
            let mut timed = self.1.lock().unwrap_or_else(PoisonError::into_inner);
            timed.record(&format!("redis, {}", call.script.name), started.elapsed());
            outcome
        }
        fn forget(&mut self) -> Result<(), Failure> {
            self.0.forget()
        }
    }
}

/// Without the feature there is none.
#[cfg(not(feature = "redis"))]
mod real {
    use crate::store::Store;
    use kit::{Failure, Latencies};

    pub(super) enum Real {}

    impl Real {
        pub(super) fn store(&mut self) -> Result<Box<dyn Store>, Failure> {
            match *self {}
        }
        pub(super) fn latencies(self) -> Latencies {
            match self {}
        }
    }
}

fn fill(report: &mut Report, facts: &Facts, run: &Run) {
    report.answer = outline::answer(facts);
    report.worst_error = outline::worst_error(facts);
    report.estimates = outline::estimates();
    report.diagram = outline::DIAGRAM;
    outline::flow(&mut report.flow, facts);
    report.load = outline::load(facts);
    outline::latency(&mut report.latency, facts);
    report.faults = facts.wrong.faults.clone();
    report.trade_offs = experiments::all(facts, run.random());
    report.wall.latency = facts.store.clone();
    outline::wall(&mut report.wall, facts);
    claims::fill(&mut report.claims, facts);
}
