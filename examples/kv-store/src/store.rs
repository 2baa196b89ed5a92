//! The cluster as one store: each call drives it until it is answered. What `--serve` serves, and
//! what the recorded load runs against.
//!
//! Time is virtual here too: a call of 3 ms takes as long as computing it takes.

use crate::cluster::{Cluster, Happening};
use crate::config::{Config, zone};
use crate::message::{Answer, Op};
use archstone_crdt::clock::VersionVector;
use kit::{Failure, Latencies, Seed, Time};
use std::fmt;

/// The most that a key with its value may have.
pub const MAX_PAIR: usize = 10 * 1_024;

/// Why a call was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A pair that is larger than it may be.
    TooLarge {
        /// Its bytes.
        bytes: usize,
    },
    /// Too few nodes answered.
    Unavailable,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                write!(f, "key and value have {bytes} bytes, the limit is {MAX_PAIR}")
            }
            Self::Unavailable => f.write_str("too few nodes answered"),
        }
    }
}

impl std::error::Error for StoreError {}

/// The cluster behind one client at a time.
#[derive(Debug)]
pub struct Store {
    /// The cluster.
    pub cluster: Cluster,
    /// In virtual time.
    pub latency: Latencies,
    /// Reads that met more than one value.
    pub siblings: u64,
    turn: usize,
}

impl Store {
    /// Nine nodes in three zones, N = 3, R = W = 2, with all safeguards.
    ///
    /// # Errors
    /// When the configuration makes no cluster.
    pub fn new(config: Config, seed: Seed) -> Result<Self, Failure> {
        let cluster = Cluster::new(config, 0.0, seed)?;
        Ok(Self { cluster, latency: Latencies::default(), siblings: 0, turn: 0 })
    }

    fn call(&mut self, key: &[u8], op: Op) -> Result<Answer, StoreError> {
        // As a load balancer: the next node that is up.
        let all = self.cluster.config().nodes;
        let node = (1..=all).map(|step| (self.turn + step) % all).find(|&n| self.cluster.is_up(n));
        self.turn = node.ok_or(StoreError::Unavailable)?;
        let what = match &op {
            Op::Get => "get",
            Op::Put { .. } => "put",
            Op::Delete { .. } => "delete",
        };
        let id = self.cluster.call(0, self.turn, key, op);
        while let Some(happening) = self.cluster.next(Time::MAX) {
            let Happening::Ended(call) = happening else { continue };
            if call.id != id {
                continue;
            }
            let Some((at, answer)) = call.returned else { break };
            self.latency.record(what, at.since(call.invoked));
            return if answer == Answer::Refused {
                Err(StoreError::Unavailable)
            } else {
                Ok(answer)
            };
        }
        Err(StoreError::Unavailable)
    }

    fn read(&mut self, key: &[u8]) -> Result<(Vec<Vec<u8>>, VersionVector), StoreError> {
        match self.call(key, Op::Get)? {
            Answer::Read { values, context } => Ok((values, context)),
            Answer::Written | Answer::Refused => Err(StoreError::Unavailable),
        }
    }

    /// The value of a key. A protocol without contexts can show one sibling only: the greatest.
    ///
    /// # Errors
    /// When too few nodes answer.
    pub fn get(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (values, _) = self.read(key)?;
        self.siblings += u64::from(values.len() > 1);
        Ok(values.into_iter().max())
    }

    /// Reads, and writes what replaces all that it read.
    ///
    /// # Errors
    /// When the pair is too large, or too few nodes answer.
    pub fn set(&mut self, key: &[u8], value: Vec<u8>) -> Result<(), StoreError> {
        let bytes = key.len().saturating_add(value.len());
        if bytes > MAX_PAIR {
            return Err(StoreError::TooLarge { bytes });
        }
        let (_, context) = self.read(key)?;
        self.call(key, Op::Put { context, value }).map(|_| ())
    }

    /// Deletes a key; whether it was there.
    ///
    /// # Errors
    /// When too few nodes answer.
    pub fn delete(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        let (values, context) = self.read(key)?;
        if values.is_empty() {
            return Ok(false);
        }
        self.call(key, Op::Delete { context }).map(|_| true)
    }

    /// What it is and has, a `name:value` a line.
    #[must_use]
    pub fn info(&self) -> String {
        let config = self.cluster.config();
        let quorum = config.quorum;
        let counts = self.cluster.counts();
        let mut text = format!(
            "# Server\r\nserver_name:archstone-kv-store\r\nnodes:{}\r\nzones:{}\r\n\
             copies_n:{}\r\nread_quorum_r:{}\r\nwrite_quorum_w:{}\r\nsloppy:{}\r\n\
             virtual_ms:{}\r\n\r\n# Work\r\ncoordinated:{}\r\nforwarded:{}\r\nhinted:{}\r\n\
             handed_over:{}\r\nrepaired:{}\r\ncompared:{}\r\nsibling_reads:{}\r\n\r\n# Nodes\r\n",
            config.nodes,
            config.zones,
            quorum.n(),
            quorum.r(),
            quorum.w(),
            config.sloppy,
            self.cluster.now().as_millis(),
            counts.coordinated,
            counts.forwarded,
            counts.hinted,
            counts.handed,
            counts.repaired,
            counts.compared,
            self.siblings,
        );
        for (at, node) in self.cluster.nodes.iter().enumerate() {
            let (rows, stats) = (node.engine.len(), node.engine.stats);
            text.push_str(&format!(
                "node{at}:zone={},up={},rows={rows},engine_reads={},spared_by_filter={}\r\n",
                zone(at, config.zones),
                self.cluster.is_up(at),
                stats.asked - stats.spared,
                stats.spared,
            ));
        }
        text
    }
}
