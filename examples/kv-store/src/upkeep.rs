//! What a node does without being asked: gossip, handing over what it kept for others, comparing
//! what it holds with a peer.

use crate::config::zone;
use crate::engine::digest;
use crate::message::Message;
use crate::node::{Io, Node};
use archstone_crdt::codec::Wire;
use archstone_crdt::sync::{Keys, MerkleSync, Reconcile, Step};
use archstone_crdt::{Lattice, ReplicaId};
use kit::Time;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often a node looks after things.
pub const TICK: Duration = Duration::from_millis(100);
/// A node whose heartbeat has not risen for this long seems down.
pub const SUSPECT: Duration = Duration::from_millis(1_200);
/// A row that was handed over and not acknowledged is handed over again.
const AGAIN: Duration = Duration::from_millis(500);
/// A comparison that got stuck, because a message of it was lost, is forgotten.
const STUCK: Duration = Duration::from_millis(150);

/// One side of a comparison.
#[derive(Debug)]
pub struct Session {
    peer: usize,
    side: MerkleSync,
    since: Time,
}

impl Node {
    /// Whether a node seems up: its heartbeat rose lately.
    #[must_use]
    pub fn believes_up(&self, node: usize, now: Time) -> bool {
        // Nobody is suspected before there was time to hear.
        let heard = self.heard.get(&node).copied().unwrap_or(Time::ZERO);
        node == self.me || now.since(heard) < SUSPECT
    }

    /// Every [`TICK`].
    pub fn tick(&mut self, io: &mut Io) {
        self.ticks += 1;
        if self.ticks.is_multiple_of(2) {
            self.gossip(io);
        }
        if self.ticks.is_multiple_of(3) {
            self.hand_over(io);
        }
        if !self.config.rules.anti_entropy {
            return;
        }
        let now = io.now;
        self.sessions.retain(|_, session| now.since(session.since) < STUCK);
        if self.is_rebuilding() && self.ticks.is_multiple_of(2) {
            // All of those that are missing, at once.
            let peers: Vec<usize> = self.rebuilding.iter().copied().collect();
            let busy: BTreeSet<usize> = self.sessions.values().map(|s| s.peer).collect();
            for peer in peers.into_iter().filter(|peer| !busy.contains(peer)) {
                let number = self.compare_with(io, peer);
                self.refills.insert(number);
            }
        } else if self.ticks.is_multiple_of(self.config.compare.max(1)) {
            let peers: Vec<usize> = self
                .placement
                .nodes()
                .filter(|&node| node != self.me && self.believes_up(node, now))
                .collect();
            if let Some(&peer) = self.random.pick(&peers) {
                self.compare_with(io, peer);
            }
        }
    }

    fn gossip(&mut self, io: &mut Io) {
        let me = ReplicaId(self.me as u64);
        // A heartbeat every 200 ms does not use up 64 bits.
        let _ = self.view.increment(me);
        let mut peers: Vec<usize> =
            self.placement.nodes().filter(|&node| node != self.me).collect();
        self.random.shuffle(&mut peers);
        let ring: BTreeSet<usize> = self.placement.nodes().collect();
        for peer in peers.into_iter().take(2) {
            io.out.push((peer, Message::Gossip(self.view.clone(), ring.clone())));
        }
    }

    /// Joins the ring by telling `seed`, and fills itself before it answers reads.
    pub fn join(&mut self, io: &mut Io, seed: usize) {
        let _ = self.placement.join(self.me, zone(self.me, self.config.zones));
        let me = self.me;
        self.rebuilding = self.placement.nodes().filter(|&node| node != me).collect();
        let ring = self.placement.nodes().collect();
        let _ = self.view.increment(ReplicaId(me as u64));
        io.out.push((seed, Message::Gossip(self.view.clone(), ring)));
    }

    /// Keeps a row for a holder that did not get it.
    pub(crate) fn keep_for(&mut self, holder: usize, key: &[u8], now: Time) {
        if !self.config.rules.hints || holder == self.me {
            return;
        }
        if self.standing.entry(key.to_vec()).or_default().insert(holder) {
            self.counts.hinted += 1;
            self.hints.hold(ReplicaId(holder as u64), key.to_vec(), now);
        }
    }

    /// A row of a key that is not ours is kept: for the holder named, or for all of them when its
    /// sender took us for one (it knows another ring).
    pub(crate) fn keep_if_foreign(&mut self, key: &[u8], stands_for: Option<usize>, now: Time) {
        let holders = self.placement.holders(key);
        if !holders.contains(&self.me) {
            let all = stands_for.map_or(holders, |holder| vec![holder]);
            all.into_iter().for_each(|holder| self.keep_for(holder, key, now));
        }
    }

    /// Rows of keys that are not ours are kept for their holders: after a restart, and when the
    /// ring has changed.
    pub(crate) fn adopt(&mut self, now: Time) {
        let mut keys = Vec::new();
        self.engine.each(|key, _| keys.push(key.to_vec()));
        for key in keys {
            self.keep_if_foreign(&key, None, now);
        }
    }

    fn hand_over(&mut self, io: &mut Io) {
        let now = io.now;
        let late = |since: &Time| now.since(*since) >= AGAIN;
        let again: Vec<(usize, Vec<u8>)> = self
            .in_flight
            .iter()
            .filter(|(_, at)| late(at))
            .map(|(what, _)| what.clone())
            .collect();
        for (holder, key) in again {
            self.in_flight.remove(&(holder, key.clone()));
            self.hints.hold(ReplicaId(holder as u64), key, now);
        }
        let nodes: Vec<usize> = self.placement.nodes().collect();
        for holder in nodes {
            let id = ReplicaId(holder as u64);
            if self.hints.waiting_for(id) == 0 || !self.believes_up(holder, now) {
                continue;
            }
            for key in self.hints.take(id) {
                let Some(row) = self.engine.get(&key) else { continue };
                let digest = digest(&key, &row.encode());
                self.in_flight.insert((holder, key.clone()), now);
                io.out.push((holder, Message::Handoff(key, row, digest)));
            }
        }
    }

    fn taken(&mut self, from: usize, key: Vec<u8>, sent: u64, now: Time) {
        if self.in_flight.remove(&(from, key.clone())).is_none() {
            return;
        }
        let row = self.engine.get(&key);
        if row.as_ref().is_some_and(|row| digest(&key, &row.encode()) != sent) {
            // A newer one came meanwhile.
            self.hints.hold(ReplicaId(from as u64), key, now);
            return;
        }
        self.counts.handed += 1;
        let Some(holders) = self.standing.get_mut(&key) else { return };
        holders.remove(&from);
        if holders.is_empty() {
            self.standing.remove(&key);
            if !self.placement.holders(&key).contains(&self.me) {
                self.engine.remove(&key);
                // Its numbers must not come again.
                self.episodes += 1;
            }
        }
    }

    /// What both this node and `peer` should hold, as keys of a comparison.
    fn shared_with(&self, peer: usize, salt: u64) -> Keys {
        let shared = self.engine.digests(|key| {
            let holders = self.placement.holders(key);
            holders.contains(&peer) && holders.contains(&self.me)
        });
        Keys::new(shared, salt)
    }

    fn compare_with(&mut self, io: &mut Io, peer: usize) -> u64 {
        let number = (self.me as u64) << 48 | self.random.next_u64() >> 16;
        let mut side = MerkleSync::new(self.shared_with(peer, number));
        let first = side.start();
        self.counts.sync_bytes += first.len() as u64;
        self.sessions.insert(number, Session { peer, side, since: io.now });
        io.out.push((peer, Message::Sync(number, true, first)));
        number
    }

    fn compare(&mut self, io: &mut Io, from: usize, number: u64, first: bool, bytes: &[u8]) {
        if first && !self.sessions.contains_key(&number) {
            // A node that lacks rows itself has nothing to compare with.
            let side = MerkleSync::new(self.shared_with(from, number));
            self.sessions.insert(number, Session { peer: from, side, since: io.now });
        }
        let Some(session) = self.sessions.get_mut(&number).filter(|s| s.peer == from) else {
            return;
        };
        let (reply, over) = match session.side.step(bytes) {
            Ok(Step::Send(reply)) => (Some(reply), false),
            Ok(Step::Last(reply)) => (Some(reply), true),
            Ok(Step::Done) => (None, true),
            // A message that came twice, or after the end: the next comparison finds the same.
            Err(_) => {
                self.sessions.remove(&number);
                return;
            }
        };
        if let Some(reply) = reply {
            self.counts.sync_bytes += reply.len() as u64;
            io.out.push((from, Message::Sync(number, false, reply)));
        }
        if over && let Some(session) = self.sessions.remove(&number) {
            self.counts.compared += 1;
            let rows = self.engine.behind(&session.side.difference().they_lack);
            self.counts.synced += rows.len() as u64;
            io.out.push((from, Message::Rows(number, rows)));
        }
    }

    pub(crate) fn upkeep(&mut self, io: &mut Io, from: usize, message: Message) {
        match message {
            Message::Gossip(beats, ring) => {
                for (node, beat) in beats.iter() {
                    if beat > self.view.get(node) {
                        self.heard.insert(node.0 as usize, io.now);
                    }
                }
                self.view.merge(&beats);
                let mut changed = false;
                for node in ring {
                    let at = zone(node, self.config.zones);
                    changed |= !self.placement.has(node) && self.placement.join(node, at).is_ok();
                }
                if changed {
                    self.adopt(io.now);
                }
            }
            Message::Sync(number, first, bytes) => self.compare(io, from, number, first, &bytes),
            Message::Rows(number, rows) => {
                for (key, row) in &rows {
                    self.merge(key, row);
                }
                // Only of a comparison that began after the loss.
                if self.refills.remove(&number) {
                    self.rebuilding.remove(&from);
                }
            }
            Message::Handoff(key, row, digest) => {
                self.merge(&key, &row);
                self.keep_if_foreign(&key, None, io.now);
                io.out.push((from, Message::Taken(key, digest)));
            }
            Message::Taken(key, digest) => self.taken(from, key, digest, io.now),
            _ => {}
        }
    }
}
