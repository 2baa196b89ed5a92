//! Nodes that tell each other what they have admitted: a grow-only counter a node and window,
//! merged by the larger.

use super::{MINUTE, Request, Setup, Shared};
use crate::traffic::worst_window;
use kit::invariant::Invariant;
use kit::{Failure, Invariants, Time};
use std::time::Duration;

/// Every node tells every other this often.
const ROUND: Duration = Duration::from_millis(200);
/// Who was not heard for so long is taken to be cut off.
pub const STALE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Gossip {
    setup: Setup,
    /// `view[node][tenant][of]`: what `node` knows that `of` has admitted.
    view: Vec<Vec<Vec<Count>>>,
    /// `heard[node][of]`: when `node` last heard from `of`.
    heard: Vec<Vec<Time>>,
    next: Time,
    calls: u64,
    /// What may pass unseen: as much as the busiest tenant asks for between two hearings.
    unseen: u64,
    /// What all nodes have admitted of each tenant in the present window.
    truth: Vec<Count>,
}

/// Admitted in a window and in the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    window: u64,
    current: u64,
    before: u64,
}

impl Count {
    fn at(self, window: u64) -> Self {
        match window.saturating_sub(self.window) {
            0 => self,
            1 => Self { window, current: 0, before: self.current },
            _ => Self { window, current: 0, before: 0 },
        }
    }

    /// Both grow only, so the larger is the newer.
    fn merge(self, other: Self) -> Self {
        let window = self.window.max(other.window);
        let (a, b) = (self.at(window), other.at(window));
        Self { window, current: a.current.max(b.current), before: a.before.max(b.before) }
    }
}

impl Gossip {
    pub(super) fn new(setup: &Setup, requests: &[Request]) -> Self {
        let Setup { nodes, tenants, .. } = *setup;
        let offered = requests.iter().map(|request| (request.tenant, request.at));
        Self {
            setup: *setup,
            view: vec![vec![vec![Count::default(); nodes]; tenants as usize]; nodes],
            heard: vec![vec![Time::ZERO; nodes]; nodes],
            next: Time::ZERO + ROUND,
            calls: 0,
            unseen: worst_window(offered, STALE + 2 * ROUND),
            truth: vec![Count::default(); tenants as usize],
        }
    }

    /// One round: every pair that can, exchanges what it knows.
    fn round(&mut self, now: Time) {
        let known = self.view.clone();
        for to in 0..self.setup.nodes {
            for from in (0..self.setup.nodes).filter(|&from| from != to) {
                if !self.setup.hear(from, to, now) {
                    continue;
                }
                self.calls += 1;
                self.heard[to][from] = now;
                for (mine, theirs) in self.view[to].iter_mut().zip(&known[from]) {
                    for (mine, theirs) in mine.iter_mut().zip(theirs) {
                        *mine = mine.merge(*theirs);
                    }
                }
            }
        }
    }
}

impl Shared for Gossip {
    fn admits(&mut self, request: &Request) -> Result<bool, Failure> {
        let Request { at, node, tenant } = *request;
        while self.next <= at {
            self.round(self.next);
            self.next += ROUND;
        }
        let period = MINUTE.as_nanos() as u64;
        let (window, into) = (at.as_nanos() / period, at.as_nanos() % period);
        let limit = u64::from(self.setup.limit);
        let counts = &mut self.view[node][tenant as usize];
        // As many as the limit leaves room for, the window before counted by its overlap.
        let fits = |current: u64, before: u64, limit: u64| {
            let wide = u128::from;
            wide(before) * wide(period - into) + wide(current + 1) * wide(period)
                <= wide(limit) * wide(period)
        };
        let (mut all, mut near, mut nodes) = ((0, 0), (0, 0), 0);
        for (of, count) in counts.iter_mut().enumerate() {
            *count = count.at(window);
            all = (all.0 + count.current, all.1 + count.before);
            let hears = of == node || at.since(self.heard[node][of]) <= STALE;
            if hears {
                near = (near.0 + count.current, near.1 + count.before);
                nodes += 1;
            }
        }
        // Whoever hears from few takes the share of few, and still counts what it knows of all.
        let share = limit * nodes / self.setup.nodes as u64;
        let passes =
            fits(all.0, all.1, limit) && (!self.setup.gossip_share || fits(near.0, near.1, share));
        if passes {
            counts[node].current += 1;
            let truth = &mut self.truth[tenant as usize];
            *truth = truth.at(window);
            truth.current += 1;
        }
        Ok(passes)
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    /// Of no window more than the limit, but for what passed between two hearings.
    fn check(&mut self, request: &Request, invariants: &mut Invariants, holds: Invariant) {
        let (got, most) = (
            self.truth[request.tenant as usize].current,
            u64::from(self.setup.limit) + self.unseen,
        );
        invariants.check(holds, got <= most, || {
            format!("{got} passed in one window of all nodes, at most {most} may")
        });
    }
}
