//! Two clients, three nodes, a time to live of three ticks.
//!
//! A request may reach a node at any tick, again and again, or never; where releases may fail, so may
//! they, also into a later round of their client. Left out is what can only keep the other client away:
//! grants that are never heard of and replies that are heard later. They are the business of the scripts.

use super::{System, broken, safe};
use archstone_lock::protocol::redlock::{Redlock, Reply, Round, Step};
use archstone_lock::{Fence, FenceGate, Time};
use std::time::Duration;

const NODES: usize = 3;
const TTL: u8 = 3;

struct Nodes {
    /// The rounds take off what a node's clock may run ahead.
    drift: bool,
    /// A restarted node stays away for a time to live.
    stay_away: bool,
    /// The resource checks the fence.
    fence: bool,
    /// A node releases what it granted to this very round, and not whatever it has.
    checked: bool,
    /// Releases may come late, again, or never; nodes may restart; clocks of nodes may run ahead; holders may sleep before they write.
    faults: Faults,
    horizon: u8,
}

#[derive(Clone, Copy, Default)]
struct Faults {
    restart: bool,
    fast: bool,
    sleep: bool,
    release: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    clients: [Client; 2],
    /// How often each has begun again.
    again: [u8; 2],
    /// By round, see `holder`: the nodes that have been told to release, a bit each.
    told: [u8; 4],
    nodes: [Node; NODES],
    restarts: u8,
    /// The counter that gives fences, the highest that the resource has seen, and the last writer's.
    fences: u64,
    highest: u64,
    written: u64,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Client {
    Idle,
    Asking(Round),
    Holding {
        until: u8,
        fence: u64,
        /// It has looked at the time, and is about to write.
        writes: bool,
    },
    Over,
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Node {
    /// Which round (see `holder`), and how many ticks of its clock are left.
    held: Option<(u8, u8)>,
    ran_ahead: bool,
    away: u8,
}

fn time(tick: u8) -> Time {
    Time::from_millis(u64::from(tick))
}

/// The round of client `me`, as nodes know it.
fn holder(state: &State, me: usize) -> u8 {
    me as u8 + 2 * state.again[me]
}

impl Nodes {
    fn lock(&self) -> Redlock {
        let millionths = if self.drift { 333_334 } else { 0 };
        let ttl = Duration::from_millis(u64::from(TTL));
        Redlock::with_drift(NODES, ttl, millionths, Duration::ZERO).expect("usable")
    }

    fn obey(&self, state: &mut State, me: usize, step: Step) {
        match step {
            Step::Acquired(held) => {
                state.fences += 1;
                let (until, fence) = (held.until().as_millis() as u8, state.fences);
                state.clients[me] = Client::Holding { until, fence, writes: false };
            }
            Step::Failed { release, .. } => {
                self.free(state, me, |node| release.contains(node));
                state.clients[me] = Client::Over;
            }
            Step::Release(node) => self.free(state, me, |n| n == node),
            Step::Wait | Step::Late => {}
        }
    }

    fn free(&self, state: &mut State, me: usize, which: impl Fn(usize) -> bool) {
        let holder = holder(state, me);
        for n in (0..NODES).filter(|&n| which(n)) {
            if self.faults.release {
                state.told[usize::from(holder)] |= 1 << n;
            } else {
                self.release(state, holder, n);
            }
        }
    }

    /// Node `n` is told to release what `holder` has. Says whether that changes anything.
    fn release(&self, state: &mut State, holder: u8, n: usize) -> bool {
        let node = &mut state.nodes[n];
        let frees = node.held.is_some_and(|held| held.0 == holder || !self.checked);
        if frees {
            (node.held, node.ran_ahead) = (None, false);
        }
        frees
    }

    fn tick(&self, state: &State, found: &mut Vec<(String, State)>) {
        // A node's clock may run ahead by a tick, once a grant.
        let may = |n: usize| {
            self.faults.fast && state.nodes[n].held.is_some() && !state.nodes[n].ran_ahead
        };
        for fast in 0..1_u8 << NODES {
            if (0..NODES).any(|n| fast >> n & 1 == 1 && !may(n)) {
                continue;
            }
            let mut next = state.clone();
            next.now += 1;
            for (n, node) in next.nodes.iter_mut().enumerate() {
                node.away = node.away.saturating_sub(1);
                let ahead = fast >> n & 1;
                node.ran_ahead |= ahead == 1;
                if let Some((_, left)) = &mut node.held {
                    *left = left.saturating_sub(1 + ahead);
                    if *left == 0 {
                        (node.held, node.ran_ahead) = (None, false);
                    }
                }
            }
            found.push((format!("tick to {}, ahead {fast:03b}", next.now), next));
        }
    }

    fn deliver(&self, state: &State, me: usize, n: usize, found: &mut Vec<(String, State)>) {
        let (node, Client::Asking(round)) = (&state.nodes[n], &state.clients[me]) else { return };
        if node.away > 0 {
            return;
        }
        let holder = holder(state, me);
        let mine = node.held.is_none_or(|held| held.0 == holder);
        let (mut next, mut round) = (state.clone(), round.clone());
        if node.held.is_none() {
            next.nodes[n].held = Some((holder, TTL));
        }
        let reply = if mine { Reply::Granted } else { Reply::Refused };
        let step = round.on_reply(time(state.now), n, reply);
        next.clients[me] = Client::Asking(round);
        self.obey(&mut next, me, step);
        found.push((format!("node {n} is asked by {me}: {reply:?}, {step:?}"), next));
    }
}

impl System for Nodes {
    type State = State;

    fn starts(&self) -> Vec<State> {
        vec![State {
            now: 0,
            clients: [Client::Idle, Client::Idle],
            again: [0; 2],
            told: [0; 4],
            nodes: Default::default(),
            restarts: 0,
            fences: 0,
            highest: 0,
            written: 0,
        }]
    }

    fn next(&self, state: &State, found: &mut Vec<(String, State)>) {
        if state.now < self.horizon {
            self.tick(state, found);
        }
        for me in 0..2 {
            match &state.clients[me] {
                // The first one begins at 0: later is the same, shifted.
                Client::Idle if me == 1 || state.now == 0 => {
                    let mut next = state.clone();
                    next.clients[me] = Client::Asking(self.lock().acquire(time(state.now)));
                    found.push((format!("{me} begins"), next));
                }
                Client::Holding { until, fence, writes } => {
                    let mut next = state.clone();
                    // Let go of, by the holder itself or because its time is over.
                    next.clients[me] = Client::Over;
                    if state.now < *until {
                        self.free(&mut next, me, |_| true);
                        found.push((format!("{me} releases"), next.clone()));
                    } else if !(self.faults.sleep && *writes) {
                        found.push((format!("{me} sees that it is over"), next.clone()));
                    }
                    if self.faults.sleep && !writes && state.now < *until {
                        next = state.clone();
                        let (until, fence) = (*until, *fence);
                        next.clients[me] = Client::Holding { until, fence, writes: true };
                        found.push((format!("{me} looks at the time"), next));
                    } else if *writes {
                        next.highest = state.highest;
                        let gate = Fence::new(state.highest)
                            .map_or_else(FenceGate::new, FenceGate::resume);
                        let passes = gate.pass(Fence::new(*fence).expect("counted")).is_ok();
                        if passes || !self.fence {
                            next.written = *fence;
                            next.highest = state.highest.max(*fence);
                        }
                        next.clients[me] = Client::Over;
                        found.push((format!("{me} writes: {passes}"), next));
                    }
                }
                // One of them tries again, so that a release may come after its round.
                Client::Over if self.faults.release && me == 0 && state.again[me] == 0 => {
                    let mut next = state.clone();
                    next.again[me] = 1;
                    next.clients[me] = Client::Asking(self.lock().acquire(time(state.now)));
                    found.push((format!("{me} begins again"), next));
                }
                Client::Idle | Client::Asking(_) | Client::Over => {}
            }
            (0..NODES).for_each(|n| self.deliver(state, me, n, found));
        }
        for (holder, told) in state.told.iter().enumerate() {
            for n in (0..NODES).filter(|n| told >> n & 1 == 1 && state.nodes[*n].away == 0) {
                let mut next = state.clone();
                if self.release(&mut next, holder as u8, n) {
                    found.push((format!("node {n} hears the release of round {holder}"), next));
                }
            }
        }
        if self.faults.restart && state.restarts == 0 {
            for n in 0..NODES {
                let mut next = state.clone();
                let away = if self.stay_away { TTL } else { 0 };
                next.nodes[n] = Node { away, ..Node::default() };
                next.restarts = 1;
                found.push((format!("node {n} restarts and has forgotten"), next));
            }
        }
    }

    fn check(&self, state: &State) -> Result<(), &'static str> {
        let holds =
            |client: &Client| matches!(client, Client::Holding { until, .. } if state.now < *until);
        if state.clients.iter().all(holds) {
            return Err("two hold the lock");
        }
        if state.written < state.highest {
            return Err("an older write came after a newer one");
        }
        Ok(())
    }
}

const ON: Nodes = Nodes {
    drift: true,
    stay_away: true,
    fence: true,
    checked: true,
    faults: Faults { restart: false, fast: false, sleep: false, release: false },
    horizon: 4,
};

#[test]
fn clocks_that_run_ahead_are_allowed_for() {
    let fast = Nodes { faults: Faults { fast: true, ..Faults::default() }, ..ON };
    println!("{} states", safe(&fast));
    let run = broken(&Nodes { drift: false, ..fast }, "two hold the lock");
    assert!(run.iter().any(|step| step.contains("ahead") && !step.ends_with("000")));
}

#[test]
fn a_node_that_forgets_stays_away() {
    let restart = Nodes { faults: Faults { restart: true, ..Faults::default() }, ..ON };
    println!("{} states", safe(&restart));
    let run = broken(&Nodes { stay_away: false, ..restart }, "two hold the lock");
    assert!(run.iter().any(|step| step.contains("has forgotten")));
}

#[test]
fn a_holder_that_sleeps_is_stopped_by_the_fence_alone() {
    let sleeps = Nodes { faults: Faults { sleep: true, ..Faults::default() }, ..ON };
    println!("{} states", safe(&sleeps));
    broken(&Nodes { fence: false, ..sleeps }, "an older write came after a newer one");
}

#[test]
fn a_release_that_comes_late_or_never_frees_nobody_elses() {
    let late = Nodes { faults: Faults { release: true, ..Faults::default() }, ..ON };
    println!("{} states", safe(&late));
    let run = broken(&Nodes { checked: false, ..late }, "two hold the lock");
    assert!(run.iter().any(|step| step.contains("hears the release")));
}
