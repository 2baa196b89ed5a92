//! The provider: another company's computer, which is slow, silent, repeats itself and calls late.
//!
//! It is the truth about money: what it executed has happened, whatever we know of it. The same value
//! stands behind the simulation and behind the HTTP server of `--serve`.

use crate::db::micros;
use crate::method::{Callback, Kind, Method, Outcome, Request};
use kit::{Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often it misbehaves: shares of requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Refused for good, as banks do.
    pub declined: f64,
    /// Answered "busy", not executed.
    pub busy: f64,
    /// Held for seconds before it is executed.
    pub stalled: f64,
    /// Executed, and the answer is lost.
    pub silent: f64,
    /// Callbacks that come twice.
    pub repeated: f64,
}

impl Faults {
    /// A day like any other: about 85 in a hundred go through.
    pub const USUAL: Self =
        Self { declined: 0.12, busy: 0.03, stalled: 0.02, silent: 0.01, repeated: 0.05 };
    /// A bad day, for trials.
    pub const NASTY: Self =
        Self { declined: 0.06, busy: 0.1, stalled: 0.15, silent: 0.15, repeated: 0.3 };
    /// Never.
    pub const NONE: Self =
        Self { declined: 0.0, busy: 0.0, stalled: 0.0, silent: 0.0, repeated: 0.0 };
}

/// What it has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Its id of it.
    pub id: String,
    /// The rail.
    pub method: Method,
    /// What was done.
    pub kind: Kind,
    /// Our reference.
    pub reference: String,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// When.
    pub at: Time,
    /// Whether it went through.
    pub approved: bool,
}

/// What happens to a request that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Held so long before it is executed.
    pub held: Duration,
    /// The answer never leaves.
    pub silent: bool,
}

/// One provider for all three rails.
#[derive(Debug)]
pub struct Provider {
    faults: Faults,
    stream: Stream,
    done: Vec<Done>,
    by_reference: BTreeMap<String, usize>,
    /// UPI requests that the payer has not approved yet.
    open: BTreeMap<String, Request>,
    /// Callbacks made.
    pub callbacks: u64,
    /// Whether it answers at all.
    pub away: bool,
}

const DECLINES: [&str; 3] = ["insufficient funds", "do not honour", "card reported lost"];

impl Provider {
    /// A provider that has done nothing yet.
    #[must_use]
    pub fn new(faults: Faults, stream: Stream) -> Self {
        Self {
            faults,
            stream,
            done: Vec::new(),
            by_reference: BTreeMap::new(),
            open: BTreeMap::new(),
            callbacks: 0,
            away: false,
        }
    }

    /// Draws what happens to the request that has just arrived.
    pub fn fate(&mut self, request: &Request) -> Fate {
        let (held, silent) =
            (self.stream.chance(self.faults.stalled), self.stream.chance(self.faults.silent));
        let (least, most) = match request.kind {
            Some(_) if held => (Duration::from_millis(1_100), Duration::from_secs(12)),
            Some(_) => (Duration::from_millis(120), Duration::from_millis(450)),
            None => (Duration::from_millis(20), Duration::from_millis(60)),
        };
        Fate { held: self.stream.between(least, most), silent }
    }

    /// Executes a request, now; and the callbacks that follow, with their delays.
    pub fn execute(
        &mut self,
        now: Time,
        request: &Request,
    ) -> (Outcome, Vec<(Duration, Callback)>) {
        let Some(kind) = request.kind else { return (self.query(&request.reference), Vec::new()) };
        if micros(now) > request.valid_until {
            return (Outcome::Expired, Vec::new());
        }
        let known = self.by_reference.get(&request.reference).copied();
        match request.method {
            // One reference, one execution.
            Method::Wallet if known.is_some() => {
                return (self.query(&request.reference), Vec::new());
            }
            Method::Upi if known.is_some() || self.open.contains_key(&request.reference) => {
                return (Outcome::Duplicate, Vec::new());
            }
            // Cards: no such thing. What comes is executed.
            _ => {}
        }
        if self.stream.chance(self.faults.busy) {
            return (Outcome::Busy, Vec::new());
        }
        if request.method == Method::Upi && kind == Kind::Sale {
            self.open.insert(request.reference.clone(), request.clone());
            let approves = self.stream.between(Duration::from_secs(2), Duration::from_secs(25));
            let callback = self.call(&request.reference, Some(Outcome::Waiting));
            return (Outcome::Waiting, vec![(approves, callback)]);
        }
        let outcome = self.settle(now, request, kind);
        let mut calls = Vec::new();
        if self.stream.chance(self.faults.repeated) {
            // What it answered it also tells, later, and again.
            let callback = self.call(&request.reference, Some(outcome.clone()));
            let late = self.stream.between(Duration::from_millis(300), Duration::from_secs(40));
            calls.push((late, callback.clone()));
            calls.push((late + Duration::from_secs(3), callback));
        }
        (outcome, calls)
    }

    /// The payer's telephone: a UPI request is approved or declined; the callback to make.
    pub fn approve(&mut self, now: Time, callback: Callback) -> Vec<(Duration, Callback)> {
        let Some(request) = self.open.remove(&callback.reference) else {
            return vec![(Duration::ZERO, callback)];
        };
        let outcome = self.settle(now, &request, Kind::Sale);
        let callback = Callback { outcome: Some(outcome), ..callback };
        let mut calls = vec![(Duration::ZERO, callback.clone())];
        if self.stream.chance(self.faults.repeated) {
            calls.push((self.stream.between(Duration::ZERO, Duration::from_secs(10)), callback));
        }
        calls
    }

    /// The payer's bank takes back what `reference` took.
    pub fn dispute(&mut self, reference: &str) -> Callback {
        self.call(reference, None)
    }

    fn call(&mut self, reference: &str, outcome: Option<Outcome>) -> Callback {
        self.callbacks += 1;
        Callback { id: format!("evt_{}", self.callbacks), reference: reference.to_owned(), outcome }
    }

    fn settle(&mut self, now: Time, request: &Request, kind: Kind) -> Outcome {
        // Banks refuse to pay; they do not refuse to be paid back, nor to let go.
        let asks = matches!(kind, Kind::Authorise | Kind::Sale);
        let declined = asks && self.stream.chance(self.faults.declined)
            || kind == Kind::Capture && self.stream.chance(self.faults.declined / 8.0);
        let id = format!("{}_{}", request.method.name(), self.done.len() + 1);
        self.by_reference.insert(request.reference.clone(), self.done.len());
        self.done.push(Done {
            id,
            method: request.method,
            kind,
            reference: request.reference.clone(),
            amount: request.amount,
            currency: request.currency.clone(),
            at: now,
            approved: !declined,
        });
        self.query(&request.reference)
    }

    fn query(&self, reference: &str) -> Outcome {
        match self.by_reference.get(reference) {
            None if self.open.contains_key(reference) => Outcome::Waiting,
            None => Outcome::NotFound,
            Some(&at) if self.done[at].approved => Outcome::Approved(self.done[at].id.clone()),
            Some(&at) => Outcome::Declined(DECLINES[at % DECLINES.len()]),
        }
    }

    /// All it has done, in order: the truth.
    #[must_use]
    pub fn done(&self) -> &[Done] {
        &self.done
    }

    /// How it behaves from now on.
    pub const fn behave(&mut self, faults: Faults) {
        self.faults = faults;
    }
}
