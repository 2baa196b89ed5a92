//! `@model lease`, and what the proptests share with it.

use super::Model;
use super::script::{Asked, Script, arg, demands, number, token};
use archstone_lock::*;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

pub const MS: u64 = 1_000_000;

pub fn time(ms: i64) -> Time {
    Time::from_millis(ms.max(0) as u64)
}

pub fn ms(time: Time) -> i64 {
    assert_eq!(time.as_nanos() % MS, 0, "{time:?}");
    time.as_millis() as i64
}

pub fn span(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0) as u64)
}

pub struct Leases {
    pub table: LeaseTable<String>,
    capacity: BTreeMap<String, u32>,
    now: i64,
    grants: HashMap<usize, Lease>,
    names: HashMap<Lease, usize>,
    tickets: Vec<(String, Ticket)>,
    /// Granted and not yet bound, by waiter; "" is the last step's own.
    fresh: HashMap<String, Lease>,
}

impl Leases {
    pub fn new(script: &Script, shards: usize) -> Self {
        let capacity: BTreeMap<String, u32> = script
            .header("capacity")
            .split_whitespace()
            .map(|pair| pair.split_once('=').expect("key=n"))
            .map(|(key, n)| (key.to_owned(), n.parse().expect("a number")))
            .collect();
        let mut builder = LeaseTable::builder().shards(shards);
        if !capacity.is_empty() {
            let known = capacity.clone();
            builder =
                builder.capacity(move |key: &String| known.get(key).copied().unwrap_or(READERS));
        }
        let (grants, names, fresh) = Default::default();
        Self { table: builder.build(), capacity, now: 0, grants, names, tickets: Vec::new(), fresh }
    }

    fn permits(&self, asked: &Asked) -> u32 {
        let capacity = self.capacity.get(&asked.key).copied().unwrap_or(READERS);
        match asked.permits {
            None => capacity,
            Some(None) => 1,
            Some(Some(n)) => n,
        }
    }

    fn until(until: Time) -> String {
        if until == Time::MAX { String::new() } else { format!(" until={}", ms(until)) }
    }

    fn lease(&self, args: &[String]) -> Option<Lease> {
        self.grants.get(&token(args).expect("a $n")).copied()
    }

    /// Events of one instant, in the order that the scripts have them.
    fn collect(&mut self, now: Time, events: &mut Vec<(i64, String)>) {
        let mut batch = Vec::new();
        self.table.advance(now, &mut batch);
        self.table.audit();
        let place = |name: &str| self.tickets.iter().position(|t| t.0 == name).expect("a waiter");
        let name = |ticket: Ticket| {
            self.tickets.iter().find(|t| t.1 == ticket).expect("a waiter").0.clone()
        };
        let mut told: Vec<(u8, usize, String)> = Vec::new();
        for event in batch {
            told.push(match event {
                Event::Expired(lease) => {
                    assert_eq!(ms(lease.until()), self.now.max(ms(now)), "told at its end");
                    let n = self.names[&lease];
                    (0, n, format!("expired ${n}"))
                }
                Event::TimedOut(ticket) => {
                    let name = name(ticket);
                    (1, place(&name), format!("timeout {name}"))
                }
                Event::Granted(ticket, lease) => {
                    let name = name(ticket);
                    let text = format!("granted {name}{}", Self::until(lease.until()));
                    self.fresh.insert(name.clone(), lease);
                    (2, place(&name), text)
                }
                other => panic!("{other:?}"),
            });
        }
        told.sort();
        let at = self.now.max(ms(now));
        events.extend(told.into_iter().map(|(_, _, text)| (at, text)));
    }

    fn acquire(&mut self, at: i64, args: &[String]) -> String {
        let mut asked = demands(arg(args, "on").expect("on=")).expect("demands");
        asked.sort_by_key(|a| (a.key.clone(), a.lo, a.hi, self.permits(a)));
        let demand = |asked: &Asked| Demand {
            key: asked.key.clone(),
            span: Span::new(asked.lo, asked.hi),
            mode: match asked.permits {
                None => Mode::Exclusive,
                Some(None) => Mode::Shared,
                Some(Some(n)) => Mode::Permits(n),
            },
        };
        let demands: Vec<_> = asked.iter().map(demand).collect();
        let ttl = span(number(args, "ttl").expect("ttl="));
        let outcome = match arg(args, "as") {
            Some(_) => {
                let wait = span(number(args, "wait").expect("wait="));
                self.table.enqueue(time(at), &Request { demands: &demands, ttl, wait })
            }
            None => match &demands[..] {
                [d] => self.table.try_acquire_part(time(at), &d.key, d.span, d.mode, ttl),
                _ => self.table.acquire_all(time(at), &demands, ttl),
            }
            .map(Outcome::Granted),
        };
        match outcome {
            Ok(Outcome::Granted(lease)) => {
                self.fresh.insert(String::new(), lease);
                format!("granted{}", Self::until(lease.until()))
            }
            Ok(Outcome::Waiting(ticket)) => {
                self.tickets.push((arg(args, "as").expect("as=").to_owned(), ticket));
                "queued".to_owned()
            }
            Err(AcquireError::Busy(busy)) => format!("busy {}", asked[busy.demand].key),
            Err(AcquireError::Invalid(_)) => "invalid".to_owned(),
            Err(other) => panic!("{other}"),
        }
    }
}

impl Model for Leases {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        self.now = self.now.max(at);
        self.fresh.remove("");
        let now = time(at);
        let result = match verb {
            "acquire" => self.acquire(at, args),
            "release" => match self.lease(args).map(|lease| self.table.release(now, lease)) {
                Some(Ok(())) => "ok".to_owned(),
                _ => "gone".to_owned(),
            },
            "extend" => {
                let ttl = span(number(args, "ttl").expect("ttl="));
                match self.lease(args).map(|lease| self.table.extend(now, lease, ttl)) {
                    Some(Ok(until)) => format!("ok{}", Self::until(until)),
                    Some(Err(ExtendError::ZeroTtl)) => "invalid".to_owned(),
                    _ => "gone".to_owned(),
                }
            }
            "confirm" => match self.lease(args).map(|lease| self.table.confirm(now, lease)) {
                Some(Ok(())) => "ok".to_owned(),
                _ => "gone".to_owned(),
            },
            "alive" => match self.lease(args).and_then(|lease| self.table.status(now, lease)) {
                Some(until) => format!("yes{}", Self::until(until)),
                None => "no".to_owned(),
            },
            "cancel" => {
                let ticket = self.tickets.iter().find(|t| t.0 == args[0]).map(|t| t.1);
                match ticket.map(|ticket| self.table.cancel(now, ticket)) {
                    Some(Ok(())) => "ok".to_owned(),
                    _ => "gone".to_owned(),
                }
            }
            "used" => {
                let key = arg(args, "key").expect("key=");
                let used = self.table.used(now, key, number(args, "at").unwrap_or(0));
                if used == READERS { "x".to_owned() } else { used.to_string() }
            }
            other => panic!("no verb {other}"),
        };
        self.table.audit();
        result
    }

    fn wake_up_to(&mut self, to: i64, events: &mut Vec<(i64, String)>) {
        let to = time(to.max(self.now));
        while let Some(next) = self.table.next_deadline().filter(|next| *next <= to) {
            // A slot of the wheel may begin between two ticks of the script; nothing ends there.
            if next.as_nanos() % MS == 0 {
                self.collect(next, events);
            } else {
                let mut none = Vec::new();
                self.table.advance(next, &mut none);
                assert_eq!(none, [], "nothing ends between two ticks");
            }
        }
    }

    fn bind(&mut self, n: usize, of: &str) {
        let waiter = of.strip_prefix("granted ").and_then(|rest| rest.split_whitespace().next());
        let lease = self.fresh.remove(waiter.unwrap_or("")).expect("a grant to name");
        assert_eq!(self.names.insert(lease, n), None, "a grant has its own token");
        self.grants.insert(n, lease);
    }
}
