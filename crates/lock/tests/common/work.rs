//! `@model txn` and `claim`.

use super::Model;
use super::lease::{ms, span, time};
use super::script::{Script, number, token};
use archstone_lock::claim::{Delivery, Nack, Queue};
use archstone_lock::txn::*;
use std::collections::HashMap;

pub struct Transactions {
    locks: LockManager<String>,
    txns: HashMap<String, Txn>,
    told: Vec<String>,
    now: i64,
}

impl Transactions {
    pub fn new(script: &Script) -> Self {
        let policy = match script.header("policy") {
            "wait-die" => Policy::WaitDie,
            "wound-wait" => Policy::WoundWait,
            "detect" => Policy::Detect,
            "no-wait" => Policy::NoWait,
            other => panic!("no policy {other}"),
        };
        Self { locks: LockManager::new(policy), txns: HashMap::new(), told: Vec::new(), now: 0 }
    }

    fn name(&self, txn: Txn) -> &str {
        self.txns.iter().find(|t| *t.1 == txn).expect("known").0
    }
}

impl Model for Transactions {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        self.now = at;
        if verb == "begin" {
            let txn = self.locks.begin();
            self.txns.insert(args[0].clone(), txn);
            return "ok".to_owned();
        }
        let txn = self.txns[&args[0]];
        let result = match verb {
            "lock" => {
                let (key, access) = args[1].split_once(':').expect("key:mode");
                let access = if access == "x" { Access::Exclusive } else { Access::Shared };
                match self.locks.lock(txn, key.to_owned(), access) {
                    Verdict::Granted => "granted",
                    Verdict::Wait => "wait",
                    Verdict::Die => "die",
                    Verdict::Deadlock => "deadlock",
                    Verdict::Aborted => "aborted",
                    Verdict::Waiting => "waiting",
                }
            }
            "commit" => match self.locks.commit(txn) {
                Ok(()) => "ok",
                Err(NotCommitted::Aborted) => "aborted",
                Err(NotCommitted::Waiting) => "waiting",
            },
            // The scripts' clients do nothing while they wait; ours may abort then.
            "abort" if self.locks.is_waiting(txn) => "waiting",
            "abort" => {
                if self.locks.abort(txn) {
                    "ok"
                } else {
                    "aborted"
                }
            }
            other => panic!("no verb {other}"),
        };
        self.locks.audit();
        for event in self.locks.events() {
            self.told.push(match event {
                Event::Wounded(txn) => format!("wounded {}", self.name(txn)),
                Event::Deadlock(txn) => format!("deadlock {}", self.name(txn)),
                Event::Granted(txn, key) => format!("granted {} {key}", self.name(txn)),
            });
        }
        result.to_owned()
    }

    fn wake_up_to(&mut self, _to: i64, events: &mut Vec<(i64, String)>) {
        let now = self.now;
        events.extend(self.told.drain(..).map(|text| (now, text)));
    }
}

pub struct Claims {
    queue: Queue<String>,
    deliveries: HashMap<usize, Delivery>,
    fresh: HashMap<String, Delivery>,
    last: i64,
}

impl Claims {
    pub fn new(script: &Script) -> Self {
        let attempts = script.header("attempts").parse().expect("a number");
        let (deliveries, fresh) = Default::default();
        Self { queue: Queue::new(attempts), deliveries, fresh, last: 0 }
    }
}

impl Model for Claims {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        self.last = self.last.max(at);
        let now = time(at);
        let delivery = token(args).and_then(|n| self.deliveries.get(&n).copied());
        match verb {
            "push" => {
                let id = super::script::arg(args, "id").expect("id=");
                // A clock that steps back stands still, also for what is due at once.
                let due = time(number(args, "at").unwrap_or(self.last));
                if self.queue.push(now, id.to_owned(), due) { "ok" } else { "duplicate" }.to_owned()
            }
            "claim" => {
                let max = number(args, "max").expect("max=") as usize;
                let claimed = self.queue.claim(now, max, span(number(args, "vt").expect("vt=")));
                let word =
                    |(id, delivery): &(String, Delivery)| format!("{id}=/{}", delivery.attempt());
                let words: Vec<String> = claimed.iter().map(word).collect();
                self.fresh = claimed.into_iter().collect();
                if words.is_empty() { "none".to_owned() } else { words.join(" ") }
            }
            "ack" => match delivery.map(|delivery| self.queue.ack(now, delivery)) {
                Some(Ok(())) => "ok".to_owned(),
                _ => "gone".to_owned(),
            },
            "nack" => {
                let delay = span(number(args, "delay").expect("delay="));
                match delivery.map(|delivery| self.queue.nack(now, delivery, delay)) {
                    Some(Ok(Nack::Again)) => "ok".to_owned(),
                    Some(Ok(Nack::Dead)) => "dead".to_owned(),
                    _ => "gone".to_owned(),
                }
            }
            "extend" => {
                let vt = span(number(args, "vt").expect("vt="));
                match delivery.map(|delivery| self.queue.extend(now, delivery, vt)) {
                    Some(Ok(until)) => format!("ok until={}", ms(until)),
                    _ => "gone".to_owned(),
                }
            }
            "dead" => {
                let dead = self.queue.dead(now);
                if dead.is_empty() { "none".to_owned() } else { dead.join(",") }
            }
            other => panic!("no verb {other}"),
        }
    }

    fn bind(&mut self, n: usize, of: &str) {
        self.deliveries.insert(n, self.fresh.remove(of).expect("a delivery to name"));
    }
}
