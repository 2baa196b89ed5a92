use crate::generate::Stream;
use archstone_core::Time;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How one direction of one link behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// No message is faster.
    pub least: Duration,
    /// What comes on top, exponentially distributed with this mean: so messages overtake each
    /// other, and a few in a thousand take seven times as long.
    pub mean_extra: Duration,
    /// The share of messages that are lost.
    pub loss: f64,
    /// The share that arrive twice.
    pub duplication: f64,
    /// As over one TCP connection: no message arrives before one that was sent earlier.
    pub in_order: bool,
}

impl Link {
    /// Within a data centre: 0.25 ms and a little more, nothing lost.
    pub const LOCAL: Self = Self {
        least: Duration::from_micros(250),
        mean_extra: Duration::from_micros(150),
        loss: 0.0,
        duplication: 0.0,
        in_order: false,
    };

    /// Across `one_way`: a tenth of that is jitter, nothing lost.
    #[must_use]
    pub const fn far(one_way: Duration) -> Self {
        let tenth = Duration::from_nanos(one_way.as_nanos() as u64 / 10);
        Self { least: one_way, mean_extra: tenth, ..Self::LOCAL }
    }

    /// The same, losing `loss` of the messages and doubling `duplication` of them.
    #[must_use]
    pub const fn faulty(self, loss: f64, duplication: f64) -> Self {
        Self { loss, duplication, ..self }
    }

    /// The same in order, as one TCP connection.
    #[must_use]
    pub const fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }
}

/// What became of the messages that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sent.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Sent into a link that was cut.
    pub cut: u64,
    /// Arriving a second time.
    pub duplicated: u64,
}

/// Says when a message arrives, and whether it does.
///
/// Nodes are numbers from 0. A link is cut in one direction at a time, so that asymmetric
/// partitions can be made; what is under way when a link is cut still arrives. Whether the receiver
/// is up is for the design to know.
///
/// ```
/// use kit::sim::{Events, Link, Network};
/// use kit::Seed;
///
/// let mut events = Events::new();
/// let mut network = Network::new(3, Link::LOCAL, Seed::new(1).stream("network"));
/// network.partition(&[&[0, 1], &[2]]);
/// for to in [1, 2] {
///     for at in network.send(events.now(), 0, to) {
///         events.at(at, (to, "hello"));
///     }
/// }
/// assert_eq!(events.next().map(|(_, arrival)| arrival), Some((1, "hello")));
/// assert!(events.is_empty());
/// assert_eq!(network.traffic().cut, 1);
/// ```
#[derive(Clone, Debug)]
pub struct Network {
    nodes: usize,
    every: Link,
    links: BTreeMap<(usize, usize), Link>,
    cut: BTreeSet<(usize, usize)>,
    /// The last arrival on links that keep the order.
    last: BTreeMap<(usize, usize), Time>,
    traffic: Traffic,
    stream: Stream,
}

impl Network {
    /// `nodes` nodes, every one linked to every other by `every`.
    #[must_use]
    pub const fn new(nodes: usize, every: Link, stream: Stream) -> Self {
        Self {
            nodes,
            every,
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            last: BTreeMap::new(),
            traffic: Traffic { sent: 0, lost: 0, cut: 0, duplicated: 0 },
            stream,
        }
    }

    /// Sets the link between `a` and `b`, both ways.
    pub fn set(&mut self, a: usize, b: usize, link: Link) {
        self.links.insert((a, b), link);
        self.links.insert((b, a), link);
    }

    /// Sets the link from `from` to `to` only.
    pub fn set_one_way(&mut self, from: usize, to: usize, link: Link) {
        self.links.insert((from, to), link);
    }

    /// The link from `from` to `to`.
    #[must_use]
    pub fn link(&self, from: usize, to: usize) -> Link {
        self.links.get(&(from, to)).copied().unwrap_or(self.every)
    }

    /// When a message sent now arrives: never, once or twice. A node always reaches itself, at
    /// once.
    pub fn send(
        &mut self,
        now: Time,
        from: usize,
        to: usize,
    ) -> impl Iterator<Item = Time> + use<> {
        let mut arrivals = [None, None];
        self.traffic.sent += 1;
        if from == to {
            arrivals[0] = Some(now);
            return arrivals.into_iter().flatten();
        }
        let link = self.link(from, to);
        // The same draws whatever happens: a cut does not shift the fate of other messages.
        let (lost, doubled) = (self.stream.chance(link.loss), self.stream.chance(link.duplication));
        let delays = [self.delay(&link), self.delay(&link)];
        if self.cut.contains(&(from, to)) {
            self.traffic.cut += 1;
        } else if lost {
            self.traffic.lost += 1;
        } else {
            self.traffic.duplicated += u64::from(doubled);
            for copy in 0..=usize::from(doubled) {
                let mut at = now + delays[copy];
                if link.in_order {
                    let last = self.last.entry((from, to)).or_insert(at);
                    at = at.max(*last);
                    *last = at;
                }
                arrivals[copy] = Some(at);
            }
        }
        arrivals.into_iter().flatten()
    }

    fn delay(&mut self, link: &Link) -> Duration {
        link.least + link.mean_extra.mul_f64(self.stream.exponential())
    }

    /// Cuts the direction from `from` to `to`.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    /// Cuts every link between nodes of different groups; a node in no group is alone.
    pub fn partition(&mut self, groups: &[&[usize]]) {
        let group = |node: usize| groups.iter().position(|group| group.contains(&node));
        for from in 0..self.nodes {
            for to in (0..self.nodes).filter(|&to| to != from) {
                if group(from).is_none() || group(from) != group(to) {
                    self.cut.insert((from, to));
                }
            }
        }
    }

    /// Cuts `node` off from all others.
    pub fn isolate(&mut self, node: usize) {
        for other in (0..self.nodes).filter(|&other| other != node) {
            self.cut.insert((node, other));
            self.cut.insert((other, node));
        }
    }

    /// Joins all that was cut.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Whether a message from `from` to `to` could arrive now.
    #[must_use]
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        from == to || !self.cut.contains(&(from, to))
    }

    /// What became of the messages so far.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Seed;

    fn network(link: Link) -> Network {
        Network::new(4, link, Seed::new(7).stream("network"))
    }

    #[test]
    fn losses_and_doubles_have_their_shares() {
        let mut net = network(Link::LOCAL.faulty(0.1, 0.05));
        let arrived: usize = (0..100_000).map(|_| net.send(Time::ZERO, 0, 1).count()).sum();
        let Traffic { sent, lost, duplicated, cut } = net.traffic();
        assert_eq!((sent, cut), (100_000, 0));
        assert_eq!(arrived as u64, sent - lost + duplicated);
        // Five deviations of the binomials.
        assert!(lost.abs_diff(10_000) < 475, "{lost}");
        assert!(duplicated.abs_diff(4_500) < 328, "{duplicated}");
    }

    #[test]
    fn delays_have_their_floor_and_mean_and_overtake_unless_in_order() {
        let delays = |link: Link| -> Vec<u64> {
            let mut net = network(link);
            (0..20_000)
                .flat_map(|n| net.send(Time::from_micros(n), 0, 1))
                .map(Time::as_nanos)
                .collect()
        };
        let free = delays(Link::LOCAL);
        let delay = |(n, &at): (usize, &u64)| at - 1_000 * n as u64;
        assert!(free.iter().enumerate().map(delay).all(|d| d >= 250_000));
        let mean = free.iter().enumerate().map(delay).sum::<u64>() as f64 / 20_000.0;
        assert!((mean - 400_000.0).abs() < 5.0 * 150_000.0 / 20_000_f64.sqrt(), "{mean}");
        assert!(!free.is_sorted());
        assert!(delays(Link::LOCAL.in_order()).is_sorted());
    }

    #[test]
    fn a_cut_has_a_direction_and_shifts_no_other_message() {
        let mut net = network(Link::LOCAL.faulty(0.2, 0.2));
        let mut cut = net.clone();
        cut.cut(0, 1);
        assert!(!cut.reaches(0, 1) && cut.reaches(1, 0) && cut.reaches(1, 1));
        for n in 0..500 {
            let (from, to) = (n % 4, n / 4 % 4);
            let there: Vec<_> = net.send(Time::ZERO, from, to).collect();
            let here: Vec<_> = cut.send(Time::ZERO, from, to).collect();
            assert_eq!(here, if (from, to) == (0, 1) { vec![] } else { there }, "{n}");
        }
        cut.heal();
        assert!(cut.reaches(0, 1));
    }

    #[test]
    fn groups_are_apart_and_nodes_in_none_are_alone() {
        let mut net = network(Link::far(Duration::from_millis(80)));
        net.partition(&[&[0, 1]]);
        let reached = |net: &Network, from| -> Vec<usize> {
            (0..4).filter(|&to| net.reaches(from, to)).collect()
        };
        assert_eq!(reached(&net, 0), [0, 1]);
        assert_eq!(reached(&net, 2), [2]);
        net.heal();
        net.isolate(3);
        assert_eq!(reached(&net, 0), [0, 1, 2]);
        assert_eq!(net.send(Time::MAX, 0, 1).next(), Some(Time::MAX));
    }
}
