//! What an interviewer asks about: the store is away, forgets, its clock steps back; nodes are cut
//! off from each other. Each on the same traffic, with the limit of tenant 0 in sight.

use crate::fleet::{self, Cut, MINUTE, Outage, Request, Scheme, Setup, Stores};
use archstone_ratelimit::{Gcra, Local};
use kit::{Failure, Fault, Invariants, Run, Seed, Time, human};
use std::time::Duration;

/// When things go wrong, and until when.
const FROM: Time = Time::from_secs(120);
/// See [`FROM`].
const UNTIL: Time = Time::from_secs(240);
/// How long each run lasts.
const LENGTH: Duration = Duration::from_secs(360);
/// How far a clock steps back.
const STEP: Duration = Duration::from_secs(10);

/// The name of the invariant that is checked here.
pub const STEPPED: &str = "a clock that steps back lets no more through";

/// What a fleet did while it was cut.
#[derive(Clone, Debug)]
pub struct CutRow {
    /// The scheme, and what it does when it is cut off.
    pub name: String,
    /// What tenant 0 got a minute before, while and after it was cut.
    pub a_minute: [f64; 3],
    /// The most it got in any minute that the cut touches.
    pub worst: u64,
    /// The share of honest tenants' requests that was denied meanwhile.
    pub honest_denied: f64,
}

/// All that went wrong.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// For block 4.
    pub faults: Vec<Fault>,
    /// Every scheme with half of its nodes cut off.
    pub cut: Vec<CutRow>,
    /// The limit.
    pub limit: u32,
}

/// One run of tenant 0 and two honest ones.
struct Scene<'a, 'b> {
    seed: Seed,
    requests: &'a [Request],
    stores: Stores<'b>,
    invariants: &'a mut Invariants,
}

impl Scene<'_, '_> {
    fn run(&mut self, scheme: Scheme, setup: &Setup) -> Result<fleet::Outcome, Failure> {
        fleet::run(scheme, setup, self.requests, self.seed, self.stores, self.invariants)
    }

    /// How long after `from` tenant 0 is first answered `passes`.
    fn first(&self, outcome: &fleet::Outcome, from: Time, passes: bool) -> Option<Duration> {
        let mut all = self.requests.iter().zip(&outcome.passed);
        let found = all.find(|(r, p)| r.tenant == 0 && r.at >= from && **p == passes);
        found.map(|(request, _)| request.at.since(from))
    }

    fn a_minute(&self, outcome: &fleet::Outcome, from: Time, until: Time) -> f64 {
        let got = outcome.got(self.requests, 0, from, until);
        got as f64 * 60.0 / until.since(from).as_secs_f64()
    }
}

/// Runs every fault.
///
/// # Errors
/// When a real store fails.
pub fn run(run: &Run, stores: Stores<'_>, invariants: &mut Invariants) -> Result<Wrong, Failure> {
    let limit = run.scale.pick(300, 1_000, 1_000);
    let whole = Setup::new(4, 3, limit);
    let seed = run.random().child("faults");
    let requests = fleet::requests(&whole, LENGTH, seed);
    let mut scene = Scene { seed, requests: &requests, stores, invariants };
    let mut faults = away(&mut scene, &whole, run.safeguards.on("fail-closed"))?;
    faults.push(forgets(&mut scene, &whole)?);
    faults.push(store_clock(&mut scene, &whole)?);
    faults.push(node_clock(scene.invariants));
    let whole = Setup {
        lease_expiry: run.safeguards.on("lease-expiry"),
        gossip_share: run.safeguards.on("gossip-share"),
        ..whole
    };
    let cut = cut_in_two(&mut scene, &whole)?;
    let told = [Scheme::Leased, Scheme::Gossiped].map(Scheme::name);
    let rows = cut.iter().filter(|row| told.contains(&row.name.as_str()));
    faults.extend(rows.map(|row| cut_fault(row, limit)));
    Ok(Wrong { faults, cut, limit })
}

const OUTAGE_MS: u64 = UNTIL.as_millis() - FROM.as_millis();

/// The store is away for two minutes, under each rule.
fn away(scene: &mut Scene<'_, '_>, whole: &Setup, closed: bool) -> Result<Vec<Fault>, Failure> {
    let cut = Some(Cut { first: 0, from: FROM, until: UNTIL });
    let rule = if closed { Outage::Closed } else { Outage::Open };
    let rules = [
        ("store away, fail closed", rule),
        ("store away, fail open", Outage::Open),
        ("store away, each node its part", Outage::Part),
    ];
    let mut faults = Vec::new();
    for (kind, outage) in rules {
        let outcome = scene.run(Scheme::Bucket, &Setup { cut, outage, ..*whole })?;
        let (got, limit) = (scene.a_minute(&outcome, FROM, UNTIL), whole.limit);
        // What a node cannot do alone is the first sign that the store decides again.
        let sign = outage == Outage::Closed;
        let back = scene.first(&outcome, UNTIL, sign).unwrap_or_default();
        faults.push(Fault {
            kind: kind.to_owned(),
            at_ms: FROM.as_millis(),
            recovered_ms: Some(OUTAGE_MS + back.as_millis() as u64),
            effect: format!("{} a minute pass of {}", count(got), count(limit.into())),
        });
    }
    Ok(faults)
}

/// The store restarts with nothing in it.
fn forgets(scene: &mut Scene<'_, '_>, whole: &Setup) -> Result<Fault, Failure> {
    let outcome = scene.run(Scheme::Bucket, &Setup { forgets: Some(FROM), ..*whole })?;
    // From the first that passes to the first that does not: the burst it has forgotten.
    let anew = FROM + scene.first(&outcome, FROM, true).unwrap_or_default();
    let back = anew.since(FROM) + scene.first(&outcome, anew, false).unwrap_or_default();
    let before = outcome.got(scene.requests, 0, Time::from_secs(60), FROM);
    let after = outcome.got(scene.requests, 0, FROM, FROM + MINUTE);
    Ok(Fault {
        kind: "store restarts empty".to_owned(),
        at_ms: FROM.as_millis(),
        recovered_ms: Some(back.as_millis() as u64),
        effect: format!(
            "{} pass in a minute, {} in the one before: a burst of {} anew",
            human::thousands(after),
            human::thousands(before),
            whole.quota().burst()
        ),
    })
}

/// The store's clock steps back.
fn store_clock(scene: &mut Scene<'_, '_>, whole: &Setup) -> Result<Fault, Failure> {
    let steps_back = Some((FROM, STEP));
    let outcome = scene.run(Scheme::Bucket, &Setup { steps_back, ..*whole })?;
    let holds = scene.invariants.declare(STEPPED);
    let (worst, most) =
        (outcome.worst(scene.requests, 0), u64::from(whole.limit) + whole.quota().burst());
    scene.invariants.check(holds, worst <= most, || format!("{worst} in a minute, at most {most}"));
    // The last token may still be there; then nothing until the clock is back.
    let stands = FROM + Duration::from_secs(1);
    let back = scene.first(&outcome, stands, true).unwrap_or_default() + Duration::from_secs(1);
    Ok(Fault {
        kind: "store's clock back 10 s".to_owned(),
        at_ms: FROM.as_millis(),
        recovered_ms: Some(back.as_millis() as u64),
        effect: format!(
            "denies till it is back; worst minute {} of {}",
            human::thousands(worst),
            human::thousands(most)
        ),
    })
}

/// A node's own clock steps back under a limiter in its memory.
fn node_clock(invariants: &mut Invariants) -> Fault {
    let holds = invariants.declare(STEPPED);
    let quota = archstone_ratelimit::Quota::per_minute(60).with_burst(1);
    let mut limit = Local::new(Gcra::new(quota));
    let (mut passed, mut back) = (0_u64, None);
    for tenth in 0..3_000_u64 {
        let now = Time::from_millis(tenth * 100);
        let stepped = now >= FROM;
        let reads =
            if stepped { Time::from_nanos(now.as_nanos() - STEP.as_nanos() as u64) } else { now };
        if limit.check_at(reads, 1).is_allowed() {
            passed += 1;
            if stepped && back.is_none() {
                back = Some(now.since(FROM));
            }
        }
        let most = 1 + now.as_secs();
        invariants.check(holds, passed <= most, || {
            format!("{passed} passed in {} s, at most {most}", now.as_secs())
        });
    }
    Fault {
        kind: "a node's clock back 10 s".to_owned(),
        at_ms: FROM.as_millis(),
        recovered_ms: back.map(|span| span.as_millis() as u64),
        effect: format!("{passed} pass in 300 s at one a second: none too many"),
    }
}

/// The last two of four nodes are cut off for two minutes.
fn cut_in_two(scene: &mut Scene<'_, '_>, whole: &Setup) -> Result<Vec<CutRow>, Failure> {
    let cut = Some(Cut { first: 2, from: FROM, until: UNTIL });
    let rows = [
        (Scheme::Split, Outage::Closed, ""),
        (Scheme::Bucket, Outage::Open, ", open"),
        (Scheme::Bucket, Outage::Closed, ", closed"),
        (Scheme::Bucket, Outage::Part, ", own part"),
        (Scheme::Leased, Outage::Closed, ""),
        (Scheme::Gossiped, Outage::Closed, ""),
    ];
    let mut told: Vec<CutRow> = Vec::new();
    for (scheme, outage, how) in rows {
        let outcome = scene.run(scheme, &Setup { cut, outage, ..*whole })?;
        told.push(row(scene, &outcome, format!("{}{how}", scheme.name())));
    }
    // What the share rule is for: everybody goes on with what they know.
    let naive = Setup { cut, gossip_share: false, ..*whole };
    let mut unseen = Invariants::new(0);
    let outcome = fleet::run(
        Scheme::Gossiped,
        &naive,
        scene.requests,
        scene.seed,
        scene.stores,
        &mut unseen,
    )?;
    told.push(row(scene, &outcome, "gossiped, no shares".to_owned()));
    Ok(told)
}

fn row(scene: &Scene<'_, '_>, outcome: &fleet::Outcome, name: String) -> CutRow {
    let minute = Time::from_secs(60);
    let end = Time::ZERO + LENGTH;
    let a_minute = [(minute, FROM), (FROM, UNTIL), (UNTIL, end)]
        .map(|(from, until)| scene.a_minute(outcome, from, until));
    let during = |r: &Request| FROM <= r.at && r.at < UNTIL + MINUTE;
    let passed = scene.requests.iter().zip(&outcome.passed);
    let touched = passed.filter(|(r, p)| r.tenant == 0 && during(r) && **p);
    let worst = crate::traffic::worst_window(touched.map(|(r, _)| (0, r.at)), MINUTE);
    let (mut all, mut denied) = (0_u64, 0_u64);
    for (request, passed) in scene.requests.iter().zip(&outcome.passed) {
        if request.tenant != 0 && FROM <= request.at && request.at < UNTIL {
            all += 1;
            denied += u64::from(!passed);
        }
    }
    CutRow { name, a_minute, worst, honest_denied: denied as f64 / all.max(1) as f64 }
}

fn count(n: f64) -> String {
    human::thousands(n.round() as u64)
}

fn cut_fault(row: &CutRow, limit: u32) -> Fault {
    let over = 100.0 * (row.worst as f64 / f64::from(limit) - 1.0);
    Fault {
        kind: format!("2 of 4 nodes cut off, {}", row.name),
        at_ms: FROM.as_millis(),
        recovered_ms: Some(OUTAGE_MS),
        effect: format!(
            "{} a minute, worst {}: {over:+.1} %",
            count(row.a_minute[1]),
            human::thousands(row.worst)
        ),
    }
}
