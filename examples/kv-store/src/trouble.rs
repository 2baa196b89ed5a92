//! Faults, and when they hit.

use crate::cluster::Cluster;
use kit::Time;
use std::time::Duration;

/// One fault, or its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// These nodes are cut off from the others.
    Cut(Vec<usize>),
    /// All links are whole again.
    Heal,
    /// A node stops; its disk stays.
    Crash(usize),
    /// It comes back.
    Restart(usize),
    /// It stops and comes back at once.
    Reboot(usize),
    /// It loses its disk, and comes back at once.
    Wipe(usize),
    /// It takes so long over every message.
    Slow(usize, Duration),
    /// A spare node joins.
    Join(usize),
}

impl Trouble {
    /// Makes it happen.
    pub fn hit(&self, cluster: &mut Cluster) {
        match self {
            Self::Cut(group) => cluster.partition(group),
            Self::Heal => cluster.heal(),
            Self::Crash(node) => cluster.crash(*node),
            Self::Restart(node) => cluster.restart(*node),
            Self::Reboot(node) => {
                cluster.crash(*node);
                cluster.restart(*node);
            }
            // One disk at a time: two copies of three lost are two too many.
            Self::Wipe(_) if cluster.nodes.iter().any(crate::node::Node::is_rebuilding) => {}
            Self::Wipe(node) => cluster.wipe(*node),
            Self::Slow(node, by) => cluster.slow(*node, *by),
            Self::Join(node) => cluster.join(*node),
        }
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Cut(group) => format!("nodes {group:?} are cut off"),
            Self::Heal => "the links are whole again".into(),
            Self::Crash(node) => format!("node {node} stops"),
            Self::Restart(node) => format!("node {node} comes back"),
            Self::Reboot(node) => format!("node {node} reboots"),
            Self::Wipe(node) => format!("node {node} loses its disk"),
            Self::Slow(node, by) if by.is_zero() => format!("node {node} is quick again"),
            Self::Slow(node, by) => format!("node {node} takes {} ms a message", by.as_millis()),
            Self::Join(node) => format!("node {node} joins"),
        }
    }
}

/// Alarms of troubles begin here; clients have those below.
const FIRST: u64 = 1 << 32;

/// A list of troubles and their times.
#[derive(Clone, Debug, Default)]
pub struct Troubles {
    list: Vec<(Time, Trouble)>,
}

impl Troubles {
    /// These.
    #[must_use]
    pub const fn new(list: Vec<(Time, Trouble)>) -> Self {
        Self { list }
    }

    /// Sets their alarms.
    pub fn begin(&mut self, cluster: &mut Cluster) {
        for (nth, (at, _)) in self.list.iter().enumerate() {
            cluster.alarm(*at, FIRST + nth as u64);
        }
    }

    /// Whether the alarm was one of these; it has happened then.
    pub fn hits(&mut self, alarm: u64, cluster: &mut Cluster) -> bool {
        let Some(nth) = alarm.checked_sub(FIRST) else { return false };
        if let Some((_, trouble)) = self.list.get(nth as usize) {
            trouble.hit(cluster);
        }
        true
    }

    /// Whether one hits in this span.
    #[must_use]
    pub fn any_within(&self, from: Time, to: Time) -> bool {
        self.list.iter().any(|(at, _)| (from..=to).contains(at))
    }

    /// What hits in this span.
    pub fn within(&self, from: Time, to: Time) -> impl Iterator<Item = &(Time, Trouble)> {
        self.list.iter().filter(move |(at, _)| (from..=to).contains(at))
    }
}
