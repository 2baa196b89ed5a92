//! Registers: one client writes each, several read it. The values of a register are numbers that
//! rise, so what a read says can be judged: was it stale, did it go back, does one order explain
//! all that was seen?

use crate::cluster::{Call, Cluster, Happening};
use crate::config::Config;
use crate::message::{Answer, Op};
use crate::trouble::{Trouble, Troubles};
use kit::check::models::{Register, RegisterOp};
use kit::check::{History, linearizable};
use kit::{Failure, Latencies, Seed, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Registers.
    pub keys: usize,
    /// Readers of each.
    pub readers: usize,
    /// How long clients ask.
    pub lasts: Duration,
    /// The longest a client thinks between two calls.
    pub thinks: Duration,
}

/// A call in the words of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub client: usize,
    /// Which register.
    pub key: usize,
    /// The number written; `None` for a read.
    pub wrote: Option<u64>,
    /// When it was asked.
    pub invoked: Time,
    /// When it was answered and, for a read, what was read (0: nothing).
    pub returned: Option<(Time, u64)>,
}

/// What clients saw.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every call, in the order in which they ended.
    pub seen: Vec<Seen>,
    /// Of reads and writes, as clients saw them.
    pub latency: Latencies,
    /// Calls without an answer, or with a refusal.
    pub refused: u64,
    /// Simulated events.
    pub events: u64,
}

/// A value of a register as bytes.
#[must_use]
pub fn number(value: &[u8]) -> u64 {
    value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Asks until the time is over.
///
/// # Errors
/// When the configuration makes no cluster.
pub fn run(
    config: Config,
    size: Size,
    mut troubles: Troubles,
    loss: f64,
    seed: Seed,
) -> Result<Outcome, Failure> {
    let mut cluster = Cluster::new(config, loss, seed)?;
    let mut random = seed.stream("clients");
    let mut outcome = Outcome::default();
    let end = Time::ZERO + size.lasts;
    let clients = size.keys * (1 + size.readers);
    // What each writer wrote last.
    let mut last = vec![0_u64; size.keys];
    let mut under_way: BTreeMap<usize, Seen> = BTreeMap::new();
    for client in 0..clients {
        cluster.alarm(Time::ZERO + random.between(Duration::ZERO, size.thinks), client as u64);
    }
    troubles.begin(&mut cluster);
    let key_of = |client: usize| client % size.keys;
    while let Some(happening) = cluster.next(end) {
        let call = match happening {
            Happening::Alarm(what) if troubles.hits(what, &mut cluster) => continue,
            Happening::Alarm(client) => {
                let client = client as usize;
                let node = random.below(config.nodes as u64) as usize;
                if cluster.is_up(node) {
                    cluster.call(client, node, name(key_of(client)).as_bytes(), Op::Get);
                } else {
                    cluster.alarm(cluster.now() + size.thinks, client as u64);
                }
                continue;
            }
            Happening::Ended(call) => call,
        };
        let seen = judged(&call, key_of(call.client));
        if let Some((at, _)) = seen.returned {
            let name = if seen.wrote.is_some() { "write" } else { "read" };
            outcome.latency.record(name, at.since(call.invoked));
        } else {
            outcome.refused += 1;
        }
        let (client, key) = (call.client, key_of(call.client));
        let think = random.between(Duration::ZERO, size.thinks);
        match call.returned {
            // A writer reads first, for the context; then it writes.
            Some((_, Answer::Read { context, .. })) if client < size.keys => {
                last[key] += 1;
                let value = last[key].to_le_bytes().to_vec();
                let (wrote, invoked) = (Some(last[key]), cluster.now());
                under_way.insert(client, Seen { client, key, wrote, invoked, returned: None });
                cluster.call(client, call.node, &call.key, Op::Put { context, value });
            }
            _ => cluster.alarm(cluster.now() + think, client as u64),
        }
        if seen.wrote.is_some() {
            under_way.remove(&client);
        }
        outcome.seen.push(seen);
    }
    // Writes that were under way in the end may have taken effect.
    outcome.seen.extend(under_way.into_values());
    outcome.events = cluster.events();
    Ok(outcome)
}

fn name(key: usize) -> String {
    format!("register {key}")
}

fn judged(call: &Call, key: usize) -> Seen {
    let wrote = match &call.op {
        Op::Put { value, .. } => Some(number(value)),
        _ => None,
    };
    let returned = match &call.returned {
        Some((at, Answer::Written)) => Some((*at, 0)),
        // Siblings of one writer: its last is the latest.
        Some((at, Answer::Read { values, .. })) => {
            Some((*at, values.iter().map(|value| number(value)).max().unwrap_or(0)))
        }
        Some((_, Answer::Refused)) | None => None,
    };
    Seen { client: call.client, key, wrote, invoked: call.invoked, returned }
}

impl Seen {
    /// The call in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ms = |at: Time| at.as_nanos() as f64 / 1e6;
        let what = self.wrote.map_or_else(|| "read".to_owned(), |value| format!("write {value}"));
        let answer = match (self.returned, self.wrote) {
            (None, _) => "no answer".to_owned(),
            (Some((at, _)), Some(_)) => format!("done at {:.1} ms", ms(at)),
            (Some((at, value)), None) => format!("{value} at {:.1} ms", ms(at)),
        };
        format!(
            "{:.1} ms, client {}, register {}: {what} -> {answer}",
            ms(self.invoked),
            self.client,
            self.key
        )
    }
}

impl Outcome {
    fn of(&self, key: usize) -> Vec<&Seen> {
        let mut seen: Vec<&Seen> = self.seen.iter().filter(|seen| seen.key == key).collect();
        seen.sort_by_key(|seen| seen.invoked);
        seen
    }

    /// Reads that were answered.
    #[must_use]
    pub fn reads(&self) -> u64 {
        let read = |seen: &&Seen| seen.wrote.is_none() && seen.returned.is_some();
        self.seen.iter().filter(read).count() as u64
    }

    /// Reads that returned less than a write that was done before they began: the read, and what
    /// was done.
    #[must_use]
    pub fn stale(&self, keys: usize) -> Vec<(Seen, u64)> {
        let mut found = Vec::new();
        for key in 0..keys {
            let seen = self.of(key);
            // Writes by the instant of their end: the greatest so far.
            let mut done: Vec<(Time, u64)> =
                seen.iter().filter_map(|s| Some((s.returned?.0, s.wrote?))).collect();
            done.sort_unstable();
            let mut greatest = 0;
            for entry in &mut done {
                greatest = greatest.max(entry.1);
                entry.1 = greatest;
            }
            for read in seen.iter().filter(|s| s.wrote.is_none()) {
                let Some((_, value)) = read.returned else { continue };
                let before = done.partition_point(|&(at, _)| at < read.invoked);
                let least = before.checked_sub(1).map_or(0, |at| done[at].1);
                if value < least {
                    found.push((**read, least));
                }
            }
        }
        found
    }

    /// Reads that returned less than a read that was answered before they began: the read, and
    /// what had been seen.
    #[must_use]
    pub fn back(&self, keys: usize) -> Vec<(Seen, u64)> {
        let mut found = Vec::new();
        for key in 0..keys {
            let seen = self.of(key);
            let reads = || seen.iter().filter(|s| s.wrote.is_none());
            let mut answered: Vec<(Time, u64)> = reads().filter_map(|s| s.returned).collect();
            answered.sort_unstable();
            let mut greatest = 0;
            for entry in &mut answered {
                greatest = greatest.max(entry.1);
                entry.1 = greatest;
            }
            for read in reads() {
                let Some((_, value)) = read.returned else { continue };
                let before = answered.partition_point(|&(at, _)| at < read.invoked);
                let least = before.checked_sub(1).map_or(0, |at| answered[at].1);
                if value < least {
                    found.push((**read, least));
                }
            }
        }
        found
    }

    /// Registers whose history some order explains, of those that could be decided; and the first
    /// call that none explains.
    #[must_use]
    pub fn linearizable(&self, keys: usize) -> (u64, u64, Option<Seen>) {
        let (mut explained, mut decided, mut stuck_at) = (0, 0, None);
        for key in 0..keys {
            let mut history = History::new();
            let mut calls = Vec::new();
            for seen in self.of(key) {
                let op = seen.wrote.map_or(RegisterOp::Read, RegisterOp::Write);
                match (seen.returned, seen.wrote) {
                    // A read that was refused says nothing.
                    (None, None) => continue,
                    // A write that was may take effect, now or later.
                    (None, Some(_)) => {
                        history.invoke(seen.client, op, seen.invoked);
                    }
                    (Some((at, value)), wrote) => {
                        let call = history.invoke(seen.client, op, seen.invoked);
                        history.returned(call, wrote.is_none().then_some(value), at);
                    }
                }
                calls.push(*seen);
            }
            match linearizable(&Register::default(), &history, 400_000) {
                kit::check::Verdict::Linearizable { .. } => {
                    (explained, decided) = (explained + 1, decided + 1);
                }
                kit::check::Verdict::Violation { stuck, .. } => {
                    decided += 1;
                    stuck_at = stuck_at.or(calls.get(stuck).copied());
                }
                kit::check::Verdict::Undecided { .. } => {}
            }
        }
        (explained, decided, stuck_at)
    }
}

/// Troubles of a strict quorum of six nodes: cuts, stops, a slow node; and the two in which a node
/// comes back with less than it had while another is behind.
#[must_use]
pub fn attack(seed: Seed, nodes: usize) -> Troubles {
    let mut random = seed.stream("attack");
    let mut list = Vec::new();
    let mut order: BTreeMap<u64, Trouble> = BTreeMap::new();
    let node = |random: &mut kit::Stream| random.below(nodes as u64) as usize;
    for (nth, start) in [300_u64, 900, 1_500].into_iter().enumerate() {
        let one = node(&mut random);
        let (first, last) = match (nth as u64 + random.below(3)) % 3 {
            0 => (Trouble::Cut(vec![one, (one + 1) % nodes]), Trouble::Heal),
            1 => (Trouble::Crash(one), Trouble::Restart(one)),
            _ => {
                (Trouble::Slow(one, Duration::from_millis(60)), Trouble::Slow(one, Duration::ZERO))
            }
        };
        order.insert(start, first);
        order.insert(start + 400, last);
    }
    // One is behind when another, in another zone, forgets.
    for (nth, start) in [2_000_u64, 2_700, 3_400, 4_100, 4_800].into_iter().enumerate() {
        let behind = node(&mut random);
        let other = (behind + 1 + random.below(2) as usize) % nodes;
        order.insert(start, Trouble::Cut(vec![behind]));
        order.insert(start + 300, Trouble::Heal);
        let forgets = if nth % 2 == 0 { Trouble::Wipe(other) } else { Trouble::Reboot(other) };
        list.push((Time::from_millis(start + 300), forgets));
    }
    list.extend(order.into_iter().map(|(ms, trouble)| (Time::from_millis(ms), trouble)));
    list.sort_by_key(|(at, _)| *at);
    Troubles::new(list)
}
