//! The simulation: merchants who ask and ask again, a gateway that dies, a provider that lies late, a
//! log, and merchants' servers that fail. Virtual time; the databases are real.
//!
//! Over 600 lines: one event loop, an arm for each thing that can happen, on one state.

use crate::gateway::{Ask, Gateway, REPLY, Reply};
use crate::io::{Io, Out, Stop, TOPIC, Told};
use crate::judge::{self, Names};
use crate::method::{Answer, Callback, Kind, Method, Request};
use crate::provider::{Done, Faults, Provider};
use crate::rules::Rules;
use crate::state::Status;
use crate::vault::{Account, Cvv, Randomness, Vault};
use crate::webhook::{self, Delivery};
use crate::{db, orders};
use kit::money::Money;
use kit::sim::{CrashPoints, Events, Link, Network};
use kit::store::{Durability, EventLog};
use kit::{Invariants, Latencies, Seed, Stream, Time};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// What is run.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Root of every stream.
    pub seed: Seed,
    /// Orders.
    pub orders: u64,
    /// Orders a second.
    pub rate: f64,
    /// How the provider behaves.
    pub faults: Faults,
    /// Which safeguards are on.
    pub rules: Rules,
    /// Where the database is; `None`: in memory, where a crash undoes what was not committed, too.
    pub file: Option<PathBuf>,
    /// Where the gateway dies.
    pub points: CrashPoints,
    /// The user's own orders, in place of generated ones.
    pub own: Option<Vec<(Time, Ask)>>,
    /// What else goes wrong, and for how long.
    pub trouble: Option<(Time, Duration, Trouble)>,
}

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The gateway is killed (and restarted after the span).
    Gateway,
    /// The provider does not answer.
    Provider,
    /// The log cannot be reached.
    Log,
    /// Merchants' servers answer 500.
    Merchants,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Orders placed.
    pub orders: u64,
    /// Requests of clients, repeats included.
    pub asks: u64,
    /// Of those: answered from memory of the key, 409, 422.
    pub replays: u64,
    /// See [`Facts::replays`].
    pub conflicts: u64,
    /// See [`Facts::replays`].
    pub mismatches: u64,
    /// Orders that were paid, and that failed.
    pub captured: u64,
    /// See [`Facts::captured`].
    pub failed: u64,
    /// Requests to the provider, and queries among them.
    pub requests: u64,
    /// See [`Facts::requests`].
    pub queries: u64,
    /// Callbacks of the provider.
    pub callbacks: u64,
    /// Entries of the log.
    pub events: u64,
    /// Webhooks sent, and accepted.
    pub webhooks: u64,
    /// See [`Facts::webhooks`].
    pub accepted: u64,
    /// Refunds given, chargebacks taken.
    pub refunds: u64,
    /// See [`Facts::refunds`].
    pub disputes: u64,
    /// Times that the gateway died.
    pub crashes: u64,
    /// Points passed at which it could have.
    pub points: u64,
    /// Lines of the audit log.
    pub audited: u64,
    /// Until the reply, and until the outcome, of each method.
    pub latency: Latencies,
    /// When all that the trouble held up was done.
    pub recovered: Option<Time>,
    /// When each order was asked for, and was paid or refused.
    pub finished: Vec<(Method, Time, Time)>,
    /// By method: orders told how they went, and paid ones among them.
    pub by_method: BTreeMap<Method, (u64, u64)>,
    /// Clients that were told to come again.
    pub pending: u64,
    /// Simulated events.
    pub steps: u64,
}

pub(crate) struct Order {
    pub(crate) ask: Ask,
    pub(crate) asked: Time,
    pub(crate) accepted: bool,
    replied: bool,
    pub(crate) told: Option<Told>,
    refunds: Vec<i64>,
    disputes: bool,
    pub(crate) given_back: BTreeSet<usize>,
}

impl Order {
    fn new(ask: Ask, asked: Time) -> Self {
        Self {
            ask,
            asked,
            accepted: false,
            replied: false,
            told: None,
            refunds: Vec::new(),
            disputes: false,
            given_back: BTreeSet::new(),
        }
    }
}

#[derive(Debug)]
enum Event {
    Ask(usize),
    /// Somebody uses the key of an order for another amount.
    Misuse(usize, Box<Ask>),
    TimeUp(usize),
    Refund(usize, usize),
    Dispute(usize),
    Arrives(Request),
    Executes(Request, bool),
    Says(Answer),
    Approves(Callback),
    Calls(Callback),
    Hook(Delivery),
    HookSays(i64, u64),
    Forge(usize),
    Wake,
    Restart,
    Begin(Trouble),
    End(Trouble),
}

pub(crate) struct World<'a> {
    pub(crate) setup: Setup,
    pub(crate) gateway: Option<Gateway>,
    /// Of a gateway in memory that is down.
    kept: Option<Connection>,
    pub(crate) io: Io,
    pub(crate) provider: Provider,
    pub(crate) orders: Vec<Order>,
    by_payment: BTreeMap<i64, usize>,
    /// Versions that each merchant's server has taken, by payment.
    pub(crate) taken: BTreeMap<i64, u64>,
    pub(crate) names: Names,
    pub(crate) invariants: &'a mut Invariants,
    pub(crate) facts: Facts,
    events: Events<Event>,
    network: Network,
    stream: Stream,
    wake: Time,
    waiting: BTreeMap<i64, Vec<usize>>,
    merchants_away: bool,
    births: u64,
}

/// Runs `setup` until nothing is left to happen, and judges it.
///
/// # Errors
/// [`Stop`], other than a crash.
pub fn run(setup: Setup, invariants: &mut Invariants) -> Result<Facts, Stop> {
    Ok(run_keeping(setup, invariants)?.0)
}

/// The same; and what the provider has done.
///
/// # Errors
/// [`Stop`], other than a crash.
pub fn run_keeping(setup: Setup, invariants: &mut Invariants) -> Result<(Facts, Vec<Done>), Stop> {
    let seed = setup.seed;
    let link = Link::far(Duration::from_millis(8)).faulty(0.004, 0.0);
    let mut world = World {
        gateway: None,
        kept: None,
        io: Io { points: setup.points.clone(), ..Io::new(EventLog::in_memory()?) },
        provider: Provider::new(setup.faults, seed.stream("provider")),
        orders: Vec::new(),
        by_payment: BTreeMap::new(),
        taken: BTreeMap::new(),
        names: Names::declare(invariants),
        invariants,
        facts: Facts { orders: setup.orders, ..Facts::default() },
        events: Events::new(),
        network: Network::new(3, link, seed.stream("network")),
        stream: seed.stream("world"),
        wake: Time::MAX,
        waiting: BTreeMap::new(),
        merchants_away: false,
        births: 0,
        setup,
    };
    world.plan();
    world.restart()?;
    while let Some((now, event)) = world.events.next() {
        world.facts.steps += 1;
        let went = world.handle(now, event);
        let went = went.and_then(|()| world.pump(now));
        match went {
            Err(Stop::Crashed(crash)) => world.die(now, crash.name),
            other => other?,
        }
        world.send(now);
    }
    world.facts.points = world.io.points.passed();
    judge::end(&mut world)?;
    let done = world.provider.done().to_vec();
    Ok((world.facts, done))
}

impl World<'_> {
    fn plan(&mut self) {
        if let Some((at, lasts, trouble)) = self.setup.trouble {
            self.events.at(at, Event::Begin(trouble));
            self.events.at(at + lasts, Event::End(trouble));
        }
        if let Some(own) = self.setup.own.clone() {
            return self.plan_own(own);
        }
        let mut dice = self.setup.seed.stream("orders");
        let arrivals = kit::Arrivals::poisson(self.setup.seed.stream("arrivals"), self.setup.rate);
        for (at, nth) in arrivals.take(self.setup.orders as usize).zip(0..) {
            let ask = orders::ask(nth, &mut dice);
            let amount = ask.amount.minor();
            let fate = dice.unit();
            // One in five is refunded: whole, in two parts, or in two parts that are too much.
            let refunds = match fate {
                f if f < 0.08 => vec![amount],
                f if f < 0.14 => vec![amount / 3 + 1, amount / 3 + 1],
                f if f < 0.20 => vec![amount * 3 / 5 + 1, amount * 3 / 5 + 1],
                _ => Vec::new(),
            };
            self.events.at(at, Event::Ask(nth as usize));
            if dice.chance(0.3) {
                let soon = dice.between(Duration::from_millis(5), Duration::from_millis(900));
                self.events.at(at + soon, Event::Ask(nth as usize));
            }
            if dice.chance(0.1) {
                let later = dice.between(Duration::from_millis(100), Duration::from_secs(20));
                let mut other = ask.clone();
                other.amount = Money::new(ask.amount.minor() + 1, ask.amount.currency());
                self.events.at(at + later, Event::Misuse(nth as usize, Box::new(other)));
            }
            if dice.chance(0.05) {
                self.events.at(at + Duration::from_secs(1), Event::Forge(nth as usize));
            }
            let disputes = (0.20..0.24).contains(&fate);
            self.orders.push(Order { refunds, disputes, ..Order::new(ask, at) });
        }
    }

    /// Lines of one merchant and key are one order: repeated, or another request under its key.
    fn plan_own(&mut self, own: Vec<(Time, Ask)>) {
        for (at, ask) in own {
            let same =
                |order: &Order| order.ask.merchant == ask.merchant && order.ask.key == ask.key;
            match self.orders.iter().position(same) {
                None => {
                    self.events.at(at, Event::Ask(self.orders.len()));
                    self.orders.push(Order::new(ask, at));
                }
                Some(order) => {
                    let first = &self.orders[order].ask;
                    let repeat = first.amount == ask.amount
                        && first.method == ask.method
                        && first.account == ask.account;
                    let event = if repeat {
                        Event::Ask(order)
                    } else {
                        Event::Misuse(order, Box::new(ask))
                    };
                    self.events.at(at, event);
                }
            }
        }
        self.facts.orders = self.orders.len() as u64;
    }

    /// A new process on what the last one left.
    fn restart(&mut self) -> Result<(), Stop> {
        let database = match (&self.setup.file, self.kept.take()) {
            (Some(path), _) => db::open(path, Durability::Process)?,
            (None, Some(database)) => database,
            (None, None) => db::open(":memory:".as_ref(), Durability::Process)?,
        };
        self.births += 1;
        let own = self.setup.seed.child(&format!("birth {}", self.births));
        let random = Randomness::Seeded(Box::new(own.stream("vault")));
        let vault = Vault::new(&[7; 32], random, self.setup.rules.sealed_vault);
        self.gateway = Some(Gateway::new(database, self.setup.rules, vault, own.stream("gateway")));
        self.wake = Time::MAX;
        Ok(())
    }

    /// The process dies: what it had in memory is gone, and whoever waits sees a broken connection.
    fn die(&mut self, now: Time, name: &str) {
        self.invariants.event(at_ms(now, &format!("the gateway dies: {name}")));
        self.facts.crashes += 1;
        let Some(gateway) = self.gateway.take() else { return };
        if self.setup.file.is_none() {
            self.kept = Some(gateway.into_database());
        }
        for order in std::mem::take(&mut self.waiting).into_values().flatten() {
            self.events.after(Duration::from_secs(1), Event::Ask(order));
        }
        self.events.at(now + Duration::from_millis(500), Event::Restart);
    }

    fn pump(&mut self, now: Time) -> Result<(), Stop> {
        let Some(gateway) = &mut self.gateway else { return Ok(()) };
        gateway.work(now, &mut self.io)?;
        if let Some((at, lasts, trouble)) = self.setup.trouble {
            let over = at + lasts;
            if self.facts.recovered.is_none() && now >= over && caught_up(gateway, trouble, over)? {
                self.facts.recovered = Some(now);
            }
        }
        if let Some(due) = gateway.next_due()?.filter(|&due| due < self.wake) {
            self.wake = due.max(now);
            self.events.at(self.wake, Event::Wake);
        }
        Ok(())
    }

    /// Carries what the gateway has sent, also in its last moment.
    fn send(&mut self, now: Time) {
        for out in std::mem::take(&mut self.io.out) {
            match out {
                Out::Provider(request) => {
                    self.facts.requests += 1;
                    self.facts.queries += u64::from(request.kind.is_none());
                    let kind = request.kind.map_or("query", Kind::name);
                    let Request { reference, attempt, .. } = &request;
                    self.invariants.event(at_ms(
                        now,
                        &format!("{kind} of {reference}, attempt {attempt}, is sent"),
                    ));
                    for at in self.network.send(now, 0, 1) {
                        self.events.at(at, Event::Arrives(request.clone()));
                    }
                }
                Out::Webhook(delivery) => {
                    self.facts.webhooks += 1;
                    for at in self.network.send(now, 0, 2) {
                        self.events.at(at, Event::Hook(delivery.clone()));
                    }
                }
                Out::Told(told) => {
                    if told.operation.is_some() {
                        self.refunded(&told);
                    }
                    for order in self.waiting.remove(&told.payment).unwrap_or_default() {
                        self.tell(now, order, told.clone());
                    }
                }
            }
        }
    }

    fn refunded(&mut self, told: &Told) {
        let nth = told.operation.as_ref().and_then(|name| name.rsplit("/r").next()?.parse().ok());
        let Some((&order, nth)) = self.by_payment.get(&told.payment).zip(nth) else { return };
        self.orders[order].given_back.insert(nth);
    }

    /// A client gets the answer.
    fn tell(&mut self, now: Time, order: usize, told: Told) {
        let asks = &mut self.orders[order];
        match &asks.told {
            Some(first) => {
                let same = *first == told;
                self.invariants.check(self.names.same, same, || {
                    format!("order {order} was told {first:?}, and now {told:?}")
                });
                return;
            }
            None => self.invariants.check(self.names.same, true, String::new),
        };
        let span = now.since(asks.asked);
        let method = asks.ask.method.name();
        self.facts.latency.record(&format!("outcome, {method}"), span);
        if !std::mem::replace(&mut asks.replied, true) {
            self.facts.latency.record("reply", span);
        }
        self.facts.finished.push((asks.ask.method, asks.asked, now));
        let counts = self.facts.by_method.entry(asks.ask.method).or_default();
        counts.0 += 1;
        counts.1 += u64::from(told.status == Status::Captured);
        if told.status == Status::Captured {
            self.facts.captured += 1;
            for nth in 0..asks.refunds.len() {
                let later = Duration::from_secs(3) + Duration::from_millis(nth as u64);
                self.events.at(now + later, Event::Refund(order, nth));
            }
            if asks.disputes {
                self.events.at(now + Duration::from_secs(15), Event::Dispute(order));
            }
        } else {
            self.facts.failed += 1;
        }
        asks.told = Some(told);
    }

    fn handle(&mut self, now: Time, event: Event) -> Result<(), Stop> {
        match event {
            Event::Ask(order) => self.ask(now, order),
            Event::Misuse(order, ask) => self.misuse(now, order, *ask),
            Event::TimeUp(order) => {
                let asks = &mut self.orders[order];
                if asks.told.is_none() {
                    if !std::mem::replace(&mut asks.replied, true) {
                        // "202: pending; ask again, or wait for the webhook".
                        self.facts.pending += 1;
                        self.facts.latency.record("reply", now.since(asks.asked));
                    }
                    self.events.at(now + Duration::from_secs(3), Event::Ask(order));
                }
                Ok(())
            }
            Event::Refund(order, nth) => self.refund(now, order, nth),
            Event::Dispute(order) => {
                let Some(told) = &self.orders[order].told else { return Ok(()) };
                let payment = told.payment;
                let last =
                    if self.orders[order].ask.method == Method::Card { "capture" } else { "sale" };
                self.facts.disputes += 1;
                let callback = self.provider.dispute(&format!("pay_{payment}/{last}"));
                self.events.at(now, Event::Calls(callback.clone()));
                self.events.at(now + Duration::from_secs(7), Event::Calls(callback));
                Ok(())
            }
            Event::Arrives(request) => {
                if !self.provider.away {
                    let fate = self.provider.fate(&request);
                    self.events.at(now + fate.held, Event::Executes(request, fate.silent));
                }
                Ok(())
            }
            Event::Executes(request, silent) => self.execute(now, &request, silent),
            Event::Says(answer) => {
                let Some(gateway) = &mut self.gateway else { return Ok(()) };
                self.invariants
                    .event(at_ms(now, &format!("{}: {}", answer.reference, answer.outcome)));
                gateway.answered(now, &mut self.io, &answer)
            }
            Event::Approves(callback) => {
                let before = self.provider.done().len();
                for (delay, callback) in self.provider.approve(now, callback) {
                    self.events.at(now + delay, Event::Calls(callback));
                }
                judge::executed(self, before)
            }
            Event::Calls(callback) => {
                let Some(gateway) = &mut self.gateway else {
                    self.events.at(now + Duration::from_secs(5), Event::Calls(callback));
                    return Ok(());
                };
                self.facts.callbacks += 1;
                let what =
                    callback.outcome.as_ref().map_or("disputed".to_owned(), ToString::to_string);
                self.invariants
                    .event(at_ms(now, &format!("callback, {}: {what}", callback.reference)));
                let called = gateway.called(now, &mut self.io, &callback);
                if matches!(called, Err(Stop::Crashed(_))) {
                    // No 200 was said: it comes again.
                    self.events.at(now + Duration::from_secs(5), Event::Calls(callback));
                }
                called
            }
            Event::Hook(delivery) => self.hook(now, delivery),
            Event::HookSays(payment, version) => match &mut self.gateway {
                Some(gateway) => gateway.delivered(now, payment, version),
                None => Ok(()),
            },
            Event::Forge(order) => {
                // A stranger says "paid", for an order that he has placed and will not pay.
                let merchant = self.orders[order].ask.merchant.clone();
                let body =
                    format!("{{\"event\":\"payment.captured\",\"payment\":\"order {order}\"}}");
                let signature = webhook::sign(b"a guess", now, &body);
                let forged = Delivery { merchant, payment: 0, version: 0, body, signature };
                self.hook(now, forged)
            }
            Event::Wake => {
                self.wake = Time::MAX;
                Ok(())
            }
            Event::Restart => {
                if self.gateway.is_none() {
                    self.restart()?;
                }
                Ok(())
            }
            Event::Begin(trouble) => {
                match trouble {
                    Trouble::Gateway => self.die(now, "killed"),
                    Trouble::Provider => self.provider.away = true,
                    Trouble::Log => self.io.away = true,
                    Trouble::Merchants => self.merchants_away = true,
                }
                Ok(())
            }
            Event::End(trouble) => {
                match trouble {
                    Trouble::Gateway => {}
                    Trouble::Provider => self.provider.away = false,
                    Trouble::Log => self.io.away = false,
                    Trouble::Merchants => self.merchants_away = false,
                }
                Ok(())
            }
        }
    }

    fn ask(&mut self, now: Time, order: usize) -> Result<(), Stop> {
        // A double click is sent whatever the first one brought.
        self.facts.asks += 1;
        let Some(gateway) = &mut self.gateway else {
            self.events.at(now + Duration::from_secs(1), Event::Ask(order));
            return Ok(());
        };
        let ask = self.orders[order].ask.clone();
        self.invariants.event(at_ms(now, &format!("order {order} is asked for, {}", ask.amount)));
        let reply = gateway.submit(now, &mut self.io, ask);
        if matches!(reply, Err(Stop::Crashed(_))) {
            self.events.at(now + Duration::from_secs(1), Event::Ask(order));
        }
        match reply? {
            Reply::Pending(payment, _) => {
                let asks = &mut self.orders[order];
                asks.accepted = true;
                self.by_payment.insert(payment, order);
                self.waiting.entry(payment).or_default().push(order);
                // What may have been told in this very call is sent after it.
                self.events.at(now + REPLY, Event::TimeUp(order));
            }
            Reply::Done(told) => {
                self.facts.replays += 1;
                self.by_payment.insert(told.payment, order);
                self.tell(now, order, told);
            }
            Reply::InFlight(_) => {
                self.facts.conflicts += 1;
                if self.orders[order].told.is_none() {
                    self.events.at(now + Duration::from_secs(1), Event::Ask(order));
                }
            }
            Reply::Mismatch => {
                let what = || format!("a true repeat of order {order} is refused");
                self.invariants.check(self.names.key, false, what);
            }
            Reply::TooFast(fast) => self.events.at(now + fast.wait, Event::Ask(order)),
            Reply::Invalid(_) | Reply::Full => {}
        }
        Ok(())
    }

    fn misuse(&mut self, now: Time, order: usize, ask: Ask) -> Result<(), Stop> {
        let asks = &self.orders[order];
        // Before the key is known, the other request would be the first.
        let Some(gateway) = self.gateway.as_mut().filter(|_| asks.accepted) else { return Ok(()) };
        self.facts.asks += 1;
        let reply = gateway.submit(now, &mut self.io, ask)?;
        self.facts.mismatches += u64::from(reply == Reply::Mismatch);
        self.invariants
            .event(at_ms(now, &format!("the key of order {order} with another amount: {reply:?}")));
        self.invariants.check(self.names.key, reply == Reply::Mismatch, || {
            format!("another amount under the key of order {order}: {reply:?}")
        });
        Ok(())
    }

    fn refund(&mut self, now: Time, order: usize, nth: usize) -> Result<(), Stop> {
        let asks = &self.orders[order];
        if asks.given_back.contains(&nth) {
            return Ok(());
        }
        let again = Event::Refund(order, nth);
        let (Some(gateway), Some(told)) = (&mut self.gateway, &asks.told) else {
            self.events.at(now + Duration::from_secs(1), again);
            return Ok(());
        };
        let (key, amount) = (format!("k{order}-r{nth}"), asks.refunds[nth]);
        self.invariants
            .event(at_ms(now, &format!("refund {nth} of pay_{}, {amount}", told.payment)));
        let from = (asks.ask.merchant.as_str(), key.as_str());
        let reply = gateway.refund(now, &mut self.io, from, told.payment, amount);
        match reply {
            Err(Stop::Crashed(_)) | Ok(Reply::Pending(..) | Reply::InFlight(_)) => {
                // Until it is told how it went.
                self.events.at(now + Duration::from_secs(10), again);
            }
            Ok(Reply::Done(_) | Reply::Invalid(_)) => {
                self.orders[order].given_back.insert(nth);
            }
            _ => {}
        }
        reply.map(drop)
    }

    fn execute(&mut self, now: Time, request: &Request, silent: bool) -> Result<(), Stop> {
        let before = self.provider.done().len();
        let (outcome, calls) = self.provider.execute(now, request);
        let said = if silent { " (nobody hears it)" } else { "" };
        if request.kind.is_some() {
            let Request { reference, attempt, .. } = request;
            self.invariants.event(at_ms(
                now,
                &format!("the provider has attempt {attempt} of {reference}: {outcome}{said}"),
            ));
        }
        for (delay, callback) in calls {
            let waits = callback.outcome == Some(crate::method::Outcome::Waiting);
            let event = if waits { Event::Approves(callback) } else { Event::Calls(callback) };
            self.events.at(now + delay, event);
        }
        if !silent {
            let (reference, attempt) = (request.reference.clone(), request.attempt);
            let answer = Answer { reference, attempt, outcome };
            for at in self.network.send(now, 1, 0) {
                self.events.at(at, Event::Says(answer.clone()));
            }
        }
        judge::executed(self, before)
    }

    /// A merchant's server gets a webhook.
    fn hook(&mut self, now: Time, delivery: Delivery) -> Result<(), Stop> {
        let Delivery { merchant, payment, version, body, signature } = &delivery;
        let secret = match &self.gateway {
            Some(gateway) => gateway.secret(merchant),
            None => return Ok(()),
        };
        let checks = self.setup.rules.webhook_signature;
        if checks && !webhook::verify(&secret, now, body, signature) {
            return Ok(());
        }
        self.invariants.check(self.names.forged, *payment > 0, || {
            format!("{merchant} believes a stranger: {body}")
        });
        if *payment == 0 {
            return Ok(());
        }
        if self.merchants_away || self.stream.chance(0.15) {
            return Ok(());
        }
        let taken = self.taken.entry(*payment).or_default();
        // A repeat has a version that was taken; a gap is out of order.
        self.invariants.event(at_ms(now, &format!("{merchant} gets pay_{payment}/{version}")));
        let in_order = *version <= *taken + 1;
        self.invariants.check(self.names.hooks, in_order, || {
            format!("pay_{payment}/{version} comes after version {taken}")
        });
        *taken = (*taken).max(*version);
        self.facts.accepted += 1;
        for at in self.network.send(now, 2, 0) {
            self.events.at(at, Event::HookSays(*payment, *version));
        }
        Ok(())
    }

    /// Whose payment it is: merchant and key.
    pub(crate) fn order_of(&self, payment: i64) -> Result<Option<(String, String)>, Stop> {
        let Some(gateway) = &self.gateway else { return Ok(None) };
        let select = "SELECT merchant, key FROM payments WHERE payment = ?1";
        let found = gateway
            .database()
            .prepare_cached(select)?
            .query_row([payment], |row| Ok((row.get(0)?, row.get(1)?)));
        Ok(found.ok())
    }

    pub(crate) fn log_ids(&self) -> Result<Vec<kit::store::Entry>, Stop> {
        Ok(self.io.log.read(TOPIC, 0, usize::MAX)?)
    }
}

/// Whether nothing is left of what a trouble held up.
fn caught_up(gateway: &Gateway, trouble: Trouble, over: Time) -> Result<bool, Stop> {
    let over = db::micros(over);
    let left = match trouble {
        Trouble::Log => "SELECT count(*) FROM outbox WHERE ?1 > 0",
        Trouble::Merchants => {
            "SELECT count(*) FROM webhooks JOIN payments USING (payment)
             WHERE delivered = 0 AND updated_at < ?1"
        }
        // What waits for a person's telephone is not held up by anything.
        Trouble::Gateway | Trouble::Provider => {
            "SELECT count(*) FROM operations JOIN payments USING (payment)
             WHERE state IN ('ready', 'sent', 'unknown') AND created_at < ?1 AND method <> 'upi'"
        }
    };
    let left: i64 = gateway.database().prepare_cached(left)?.query_row([over], |row| row.get(0))?;
    Ok(left == 0)
}

/// A line of the history.
pub(crate) fn at_ms(now: Time, what: &str) -> String {
    format!("{} ms: {what}", now.as_millis())
}

/// An account as the orders of a simulation have it.
#[must_use]
pub fn account(number: String) -> Account {
    Account { number, holder: "Ann Example, 12/29".to_owned() }
}

/// A CVV as the orders of a simulation have it.
#[must_use]
pub fn cvv() -> Option<Cvv> {
    Cvv::new("737")
}
