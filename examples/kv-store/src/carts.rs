//! Shopping carts: many clients, few keys, each write made from what its writer had read. The check
//! follows the writes from what is there in the end: a write is kept when it is there, or replaced
//! by one whose writer had read it.

use crate::cluster::{Cluster, Happening};
use crate::config::{Config, Counts};
use crate::message::{Answer, Op};
use crate::registers::number;
use crate::trouble::{Trouble, Troubles};
use archstone_crdt::Lattice;
use archstone_crdt::clock::VersionVector;
use kit::{Failure, Latencies, Seed, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Clients.
    pub clients: usize,
    /// Carts, beside [`COLD`] that are left alone.
    pub keys: usize,
    /// How long clients ask.
    pub lasts: Duration,
    /// The longest a client thinks.
    pub thinks: Duration,
}

/// Carts written once, before anything goes wrong, and left alone from then on: reads and hints do
/// not bring them back to a node that lost its disk.
pub const COLD: usize = 20;

/// One write.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its number, which is its value.
    pub id: u64,
    /// Which cart.
    pub key: usize,
    /// The writes that its writer had read.
    pub read: Vec<u64>,
    /// When it was asked.
    pub invoked: Time,
    /// When it ended.
    pub ended: Time,
    /// Whether W nodes had it then.
    pub acknowledged: bool,
    /// Whether its node reached W nodes.
    pub could: bool,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Every write that ended.
    pub writes: Vec<Write>,
    /// The values that the holders of each cart have in the end, merged.
    pub last: BTreeMap<usize, BTreeSet<u64>>,
    /// How long after the last trouble all holders agreed; or how they differ.
    pub agreed: Option<Duration>,
    /// See `agreed`.
    pub differs: String,
    /// Reads with more than one value.
    pub siblings: u64,
    /// Reads answered.
    pub reads: u64,
    /// Calls without an answer.
    pub refused: u64,
    /// As clients saw them.
    pub latency: Latencies,
    /// What the nodes did.
    pub counts: Counts,
    /// Simulated events.
    pub events: u64,
    /// The keys and how many zones hold each.
    pub zones: Vec<(usize, usize)>,
}

fn name(key: usize) -> String {
    format!("cart {key}")
}

/// Asks until the time is over, mends everything, and waits for the replicas to agree.
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
    let mut random = seed.stream("shoppers");
    let mut outcome = Outcome::default();
    let end = Time::ZERO + size.lasts;
    let mut reading: BTreeMap<usize, usize> = BTreeMap::new();
    let mut writing: BTreeMap<usize, (u64, Vec<u64>)> = BTreeMap::new();
    let mut next = 0_u64;
    for client in 0..size.clients {
        cluster.alarm(Time::ZERO + random.between(Duration::ZERO, size.thinks), client as u64);
    }
    // One writer for each cart that is left alone, beyond the clients.
    for cold in 0..COLD {
        let at = Time::from_millis(10 * cold as u64);
        cluster.alarm(at, (size.clients + cold) as u64);
    }
    troubles.begin(&mut cluster);
    while let Some(happening) = cluster.next(end) {
        let call = match happening {
            Happening::Alarm(what) if troubles.hits(what, &mut cluster) => continue,
            Happening::Alarm(client) => {
                let client = client as usize;
                let up: Vec<usize> =
                    (0..config.nodes).filter(|&node| cluster.is_up(node)).collect();
                let Some(&node) = random.pick(&up) else { continue };
                let (key, op) = if client < size.clients {
                    (random.below(size.keys as u64) as usize, Op::Get)
                } else {
                    next += 1;
                    writing.insert(client, (next, Vec::new()));
                    let (context, value) = (VersionVector::new(), next.to_le_bytes().to_vec());
                    (size.keys + client - size.clients, Op::Put { context, value })
                };
                reading.insert(client, key);
                cluster.call(client, node, name(key).as_bytes(), op);
                continue;
            }
            Happening::Ended(call) => call,
        };
        let key = reading.get(&call.client).copied().unwrap_or(0);
        let again = cluster.now() + random.between(Duration::ZERO, size.thinks);
        let answered = call.returned.as_ref().filter(|(_, answer)| *answer != Answer::Refused);
        if let Some((at, _)) = answered {
            let what = if call.op == Op::Get { "read" } else { "write" };
            outcome.latency.record(what, at.since(call.invoked));
        } else {
            outcome.refused += 1;
        }
        match (&call.op, answered) {
            (Op::Get, Some((_, Answer::Read { values, context }))) => {
                outcome.reads += 1;
                outcome.siblings += u64::from(values.len() > 1);
                next += 1;
                writing.insert(call.client, (next, values.iter().map(|v| number(v)).collect()));
                let (context, value) = (context.clone(), u64::to_le_bytes(next).to_vec());
                // The client may have been moved to another node meanwhile.
                let up: Vec<usize> =
                    (0..config.nodes).filter(|&node| cluster.is_up(node)).collect();
                let node = random.pick(&up).copied().unwrap_or(call.node);
                cluster.call(call.client, node, &call.key, Op::Put { context, value });
            }
            (Op::Get, _) => cluster.alarm(again, call.client as u64),
            (_, answered) => {
                if let Some((id, read)) = writing.remove(&call.client) {
                    let (invoked, ended) = (call.invoked, cluster.now());
                    let (acknowledged, could) = (answered.is_some(), call.could);
                    outcome.writes.push(Write {
                        id,
                        key,
                        read,
                        invoked,
                        ended,
                        acknowledged,
                        could,
                    });
                }
                if call.client < size.clients {
                    cluster.alarm(again, call.client as u64);
                }
            }
        }
    }
    // Writes that were under way may or may not be there.
    for (client, (id, read)) in writing {
        let key = reading.get(&client).copied().unwrap_or(0);
        let (acknowledged, could) = (false, false);
        outcome.writes.push(Write { id, key, read, invoked: end, ended: end, acknowledged, could });
    }
    cluster.mend();
    cluster.calm();
    settle(&mut cluster, &mut outcome, end);
    for key in 0..size.keys + COLD {
        let holders = cluster.nodes[0].placement().holders(name(key).as_bytes());
        let zones: BTreeSet<usize> = holders.iter().map(|node| node % config.zones).collect();
        outcome.zones.push((key, zones.len()));
        let mut merged = crate::engine::Row::new();
        for node in holders {
            if let Some(row) = cluster.nodes[node].engine.get(name(key).as_bytes()) {
                merged.merge(&row);
            }
        }
        outcome.last.insert(key, merged.values().map(|value| number(value)).collect());
    }
    (outcome.counts, outcome.events) = (cluster.counts(), cluster.events());
    Ok(outcome)
}

/// Up to 30 s in which nobody asks.
fn settle(cluster: &mut Cluster, outcome: &mut Outcome, from: Time) {
    for step in 1..=150_u64 {
        let until = from + Duration::from_millis(200 * step);
        while cluster.next(until).is_some() {}
        match cluster.agree() {
            Ok(_) => {
                outcome.agreed = Some(until.since(from));
                return;
            }
            Err(how) => outcome.differs = how,
        }
    }
}

impl Outcome {
    /// Acknowledged writes that are neither there nor replaced by one that had read them.
    #[must_use]
    pub fn lost(&self) -> Vec<&Write> {
        let by_id: BTreeMap<u64, &Write> =
            self.writes.iter().map(|write| (write.id, write)).collect();
        let mut kept: BTreeSet<u64> = BTreeSet::new();
        let mut todo: Vec<u64> = self.last.values().flatten().copied().collect();
        while let Some(id) = todo.pop() {
            if kept.insert(id)
                && let Some(write) = by_id.get(&id)
            {
                todo.extend(&write.read);
            }
        }
        self.writes.iter().filter(|write| write.acknowledged && !kept.contains(&write.id)).collect()
    }

    /// Acknowledged writes.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.writes.iter().filter(|write| write.acknowledged).count() as u64
    }
}

impl Write {
    /// The write in words.
    #[must_use]
    pub fn sentence(&self) -> String {
        let ms = |at: Time| at.as_nanos() / 1_000_000;
        let end = if self.acknowledged { "done" } else { "no answer" };
        format!(
            "{} ms, cart {}: write {} over {:?} -> {end} at {} ms",
            ms(self.invoked),
            self.key,
            self.id,
            self.read,
            ms(self.ended)
        )
    }
}

/// Troubles of nine nodes in three zones: a zone that stops, a disk lost, a slow node, a reboot, and
/// three nodes cut off, twice.
#[must_use]
pub fn attack(seed: Seed, nodes: usize, zones: usize) -> Troubles {
    let mut random = seed.stream("attack");
    let mut list = Vec::new();
    let mut all: Vec<usize> = (0..nodes).collect();
    let zone = random.below(zones as u64) as usize;
    for node in (0..nodes).filter(|node| node % zones == zone) {
        list.push((400, Trouble::Crash(node)));
        list.push((1_200, Trouble::Restart(node)));
    }
    list.push((1_600, Trouble::Wipe(random.below(nodes as u64) as usize)));
    let slow = random.below(nodes as u64) as usize;
    list.push((2_300, Trouble::Slow(slow, Duration::from_millis(80))));
    list.push((2_700, Trouble::Slow(slow, Duration::ZERO)));
    list.push((2_900, Trouble::Reboot(random.below(nodes as u64) as usize)));
    for start in [3_200_u64, 4_900] {
        random.shuffle(&mut all);
        list.push((start, Trouble::Cut(all[..3].to_vec())));
        list.push((start + 1_400, Trouble::Heal));
    }
    list.sort_by_key(|(at, _)| *at);
    Troubles::new(list.into_iter().map(|(at, trouble)| (Time::from_millis(at), trouble)).collect())
}
