//! Two- and three-phase commit: a coordinator, two participants, crashes and lost messages.

use super::{System, broken, safe};
use archstone_lock::protocol::three_phase::{self as three, Termination};
use archstone_lock::protocol::two_phase::{
    Action, Coordinator, Decision, Entry, Participant, Reaction, Vote,
};

const MANY: u8 = 2;

/// Messages are bits; what was sent stays, to be delivered late, twice or never.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Network {
    prepare: [bool; 2],
    yes: [bool; 2],
    no: [bool; 2],
    commit: [bool; 2],
    abort: [bool; 2],
    ack: [bool; 2],
}

struct Two {
    /// The decision is durable before anybody hears of it; off: it is sent first.
    log_first: bool,
    /// The yes is durable before it is sent; off: a crash forgets it.
    prepare_first: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct TwoState {
    /// `None` while it is down.
    coordinator: Option<Coordinator<u8>>,
    logged: Option<Decision>,
    participants: [Option<Participant>; 2],
    entries: [Option<Entry>; 2],
    network: Network,
    crashes: u8,
    /// What each participant has done with its data, for ever.
    done: [Option<Decision>; 2],
}

impl Two {
    fn act(&self, state: &mut TwoState, action: Action<u8>) {
        match action {
            Action::Prepare(all) => {
                all.into_iter().for_each(|p| state.network.prepare[usize::from(p)] = true);
            }
            Action::Log(decision) => {
                if self.log_first {
                    state.logged = Some(decision);
                }
                let next = state.coordinator.as_mut().expect("up").logged();
                self.act(state, next);
            }
            Action::Send(decision, all) => {
                for p in all {
                    match decision {
                        Decision::Commit => state.network.commit[usize::from(p)] = true,
                        Decision::Abort => state.network.abort[usize::from(p)] = true,
                    }
                }
            }
            Action::Wait | Action::Forget => {}
        }
    }

    fn react(&self, state: &mut TwoState, me: usize, reaction: Reaction) {
        match reaction {
            Reaction::Log(entry) => {
                if self.prepare_first || entry != Entry::Prepared {
                    state.entries[me] = Some(entry);
                }
                if let Entry::Decided(decision) = entry {
                    state.done[me] = state.done[me].or(Some(decision));
                }
                let next = state.participants[me].as_mut().expect("up").logged();
                self.react(state, me, next);
            }
            Reaction::Vote(Vote::Yes) => state.network.yes[me] = true,
            Reaction::Vote(Vote::No) => {
                state.network.no[me] = true;
                state.done[me] = state.done[me].or(Some(Decision::Abort));
            }
            Reaction::Ack(_) => state.network.ack[me] = true,
            // Cooperative: the other one is asked at once, if it is up.
            Reaction::Ask => {
                let other = 1 - me;
                let answer = state.participants[other].as_mut().and_then(Participant::asked);
                if let Some(decision) = answer {
                    if state.done[other].is_none() {
                        state.done[other] = Some(decision);
                    }
                    let next = state.participants[me].as_mut().expect("up").decide(decision);
                    self.react(state, me, next);
                }
            }
            Reaction::Wait => {}
        }
    }
}

impl System for Two {
    type State = TwoState;

    fn starts(&self) -> Vec<TwoState> {
        let (coordinator, action) = Coordinator::begin([0, 1]);
        let mut state = TwoState {
            coordinator: Some(coordinator),
            logged: None,
            participants: [Some(Participant::new()); 2],
            entries: [None; 2],
            network: Network::default(),
            crashes: 0,
            done: [None; 2],
        };
        self.act(&mut state, action);
        vec![state]
    }

    fn next(&self, state: &TwoState, found: &mut Vec<(String, TwoState)>) {
        if let Some(coordinator) = &state.coordinator {
            let mut go = |name: String, with: &dyn Fn(&mut Coordinator<u8>) -> Action<u8>| {
                let mut next = state.clone();
                let mut coordinator = coordinator.clone();
                let action = with(&mut coordinator);
                next.coordinator = Some(coordinator);
                self.act(&mut next, action);
                found.push((name, next));
            };
            for p in 0..2_u8 {
                let at = usize::from(p);
                if state.network.yes[at] {
                    go(format!("yes of {p} arrives"), &|c| c.vote(&p, Vote::Yes));
                }
                if state.network.no[at] {
                    go(format!("no of {p} arrives"), &|c| c.vote(&p, Vote::No));
                }
                if state.network.ack[at] {
                    go(format!("ack of {p} arrives"), &|c| c.ack(&p));
                }
            }
            go("the coordinator waits no longer".to_owned(), &Coordinator::timeout);
            if state.crashes < MANY {
                let crashes = state.crashes + 1;
                let next = TwoState { coordinator: None, crashes, ..state.clone() };
                found.push(("the coordinator crashes".to_owned(), next));
            }
        } else {
            let (coordinator, action) = Coordinator::recover([0, 1], state.logged);
            let mut next = TwoState { coordinator: Some(coordinator), ..state.clone() };
            self.act(&mut next, action);
            found.push((format!("the coordinator recovers: {:?}", state.logged), next));
        }
        for me in 0..2 {
            let Some(participant) = state.participants[me] else {
                let mut next = state.clone();
                let back = Participant::recover(state.entries[me]);
                next.participants[me] = Some(back);
                // Without a prepared entry its work is undone at recovery.
                if back.decision() == Some(Decision::Abort) {
                    next.done[me] = next.done[me].or(Some(Decision::Abort));
                }
                found.push((format!("{me} recovers: {:?}", state.entries[me]), next));
                continue;
            };
            let mut go = |name: String, with: &dyn Fn(&mut Participant) -> Reaction| {
                let (mut next, mut participant) = (state.clone(), participant);
                let reaction = with(&mut participant);
                next.participants[me] = Some(participant);
                self.react(&mut next, me, reaction);
                found.push((name, next));
            };
            if state.network.prepare[me] {
                go(format!("{me} is asked and can"), &|p| p.prepare(true));
                go(format!("{me} is asked and cannot"), &|p| p.prepare(false));
            }
            if state.network.commit[me] {
                go(format!("commit reaches {me}"), &|p| p.decide(Decision::Commit));
            }
            if state.network.abort[me] {
                go(format!("abort reaches {me}"), &|p| p.decide(Decision::Abort));
            }
            go(format!("{me} waits no longer"), &Participant::timeout);
            if state.crashes < MANY {
                let mut next = TwoState { crashes: state.crashes + 1, ..state.clone() };
                next.participants[me] = None;
                found.push((format!("{me} crashes"), next));
            }
        }
    }

    fn check(&self, state: &TwoState) -> Result<(), &'static str> {
        match state.done {
            [Some(a), Some(b)] if a != b => Err("two decisions"),
            _ => Ok(()),
        }
    }
}

#[test]
fn two_phase_commit_has_one_decision_through_crashes() {
    println!("{} states", safe(&Two { log_first: true, prepare_first: true }));
}

#[test]
fn a_decision_that_is_sent_before_it_is_logged_becomes_two() {
    broken(&Two { log_first: false, prepare_first: true }, "two decisions");
}

#[test]
fn a_vote_that_is_sent_before_it_is_logged_becomes_two_decisions() {
    broken(&Two { log_first: true, prepare_first: false }, "two decisions");
}

/// Three-phase commit among three participants. `split`: the network may be cut into one and two,
/// and each side takes the other for crashed.
struct Three {
    split: bool,
    /// Whoever ends the transaction tells all that all have voted yes before it commits.
    tell_first: bool,
}

const THREE: usize = 3;

#[derive(Clone, PartialEq, Eq, Hash)]
struct ThreeState {
    /// `None` once it has crashed; it stays away.
    coordinator: Option<three::Coordinator<u8>>,
    participants: [three::Participant; THREE],
    up: [bool; THREE],
    /// On which side of the cut; all on one before it.
    side: [bool; THREE],
    ask: u8,
    yes: u8,
    no: u8,
    pre: u8,
    ack: u8,
    send: Option<(Decision, u8)>,
}

impl Three {
    fn act(state: &mut ThreeState, action: three::Action<u8>) {
        let bits = |all: Vec<u8>| all.into_iter().fold(0, |bits, p| bits | 1 << p);
        match action {
            three::Action::Ask(all) => state.ask = bits(all),
            three::Action::PreCommit(all) => state.pre = bits(all),
            three::Action::Send(decision, all) => state.send = Some((decision, bits(all))),
            three::Action::Wait => {}
        }
    }
}

impl System for Three {
    type State = ThreeState;

    fn starts(&self) -> Vec<ThreeState> {
        let (coordinator, action) = three::Coordinator::begin([0, 1, 2]);
        let mut state = ThreeState {
            coordinator: Some(coordinator),
            participants: Default::default(),
            up: [true; THREE],
            side: [true; THREE],
            ask: 0,
            yes: 0,
            no: 0,
            pre: 0,
            ack: 0,
            send: None,
        };
        Self::act(&mut state, action);
        vec![state]
    }

    fn next(&self, state: &ThreeState, found: &mut Vec<(String, ThreeState)>) {
        let whole = state.side == [true; THREE];
        if let Some(coordinator) = &state.coordinator {
            let mut go =
                |name: String, with: &dyn Fn(&mut three::Coordinator<u8>) -> three::Action<u8>| {
                    let (mut next, mut coordinator) = (state.clone(), coordinator.clone());
                    let action = with(&mut coordinator);
                    next.coordinator = Some(coordinator);
                    Self::act(&mut next, action);
                    found.push((name, next));
                };
            for p in 0..THREE as u8 {
                if state.yes >> p & 1 == 1 {
                    go(format!("yes of {p} arrives"), &|c| c.vote(&p, Vote::Yes));
                }
                if state.no >> p & 1 == 1 {
                    go(format!("no of {p} arrives"), &|c| c.vote(&p, Vote::No));
                }
                if state.ack >> p & 1 == 1 {
                    go(format!("ack of {p} arrives"), &|c| c.ack(&p));
                }
            }
            let next = ThreeState { coordinator: None, ..state.clone() };
            found.push(("the coordinator crashes".to_owned(), next));
        }
        for me in 0..THREE {
            if !state.up[me] {
                continue;
            }
            let mut with = |name: String, change: &dyn Fn(&mut ThreeState)| {
                let mut next = state.clone();
                change(&mut next);
                found.push((name, next));
            };
            // The network of the fail-stop model delivers in time, or its sender has crashed: nothing
            // comes from a coordinator whose end the others have acted upon.
            let alive = state.coordinator.is_some();
            if alive && state.ask >> me & 1 == 1 {
                for can in [true, false] {
                    with(format!("{me} is asked: {can}"), &|s| match s.participants[me].ask(can) {
                        Vote::Yes => s.yes |= 1 << me,
                        Vote::No => s.no |= 1 << me,
                    });
                }
            }
            if alive && state.pre >> me & 1 == 1 {
                with(format!("{me} hears that all can"), &|s| {
                    if s.participants[me].pre_commit() {
                        s.ack |= 1 << me;
                    }
                });
            }
            if let (true, Some((decision, to))) = (alive, state.send) {
                if to >> me & 1 == 1 {
                    with(format!("{decision} reaches {me}"), &|s| {
                        s.participants[me].decide(decision);
                    });
                }
            }
            // One at most crashes, so that somebody is left to differ from.
            if state.up == [true; THREE] {
                with(format!("{me} crashes"), &|s| s.up[me] = false);
            }
            if self.split && whole {
                with(format!("{me} is cut off"), &|s| s.side[me] = false);
            }
            // It takes over: sees the others of its side, and tells them one by one.
            if !alive {
                let near = |p: usize| state.up[p] && state.side[p] == state.side[me];
                let states = (0..THREE).filter(|&p| near(p)).map(|p| state.participants[p].state());
                match three::Participant::terminate(states) {
                    Termination::PreCommit if self.tell_first => {
                        for p in (0..THREE).filter(|&p| near(p)) {
                            with(format!("{me} tells {p} that all can"), &|s| {
                                s.participants[p].pre_commit();
                            });
                        }
                    }
                    Termination::PreCommit => {
                        with(format!("{me} commits itself"), &|s| {
                            s.participants[me].decide(Decision::Commit);
                        });
                    }
                    Termination::Decide(decision) => {
                        for p in (0..THREE).filter(|&p| near(p)) {
                            with(format!("{me} ends {p}: {decision}"), &|s| {
                                s.participants[p].decide(decision);
                            });
                        }
                    }
                }
            }
        }
    }

    fn check(&self, state: &ThreeState) -> Result<(), &'static str> {
        let made = |decision| {
            state.participants.iter().any(|p| p.state() == three::State::Decided(decision))
        };
        if made(Decision::Commit) && made(Decision::Abort) { Err("two decisions") } else { Ok(()) }
    }
}

#[test]
fn three_phase_commit_has_one_decision_when_nodes_only_crash() {
    println!("{} states", safe(&Three { split: false, tell_first: true }));
}

#[test]
fn a_partition_splits_three_phase_commit() {
    let run = broken(&Three { split: true, tell_first: true }, "two decisions");
    assert!(run.iter().any(|step| step.contains("cut off")), "{run:#?}");
}

#[test]
fn a_commit_before_all_are_told_is_lost_with_its_maker() {
    broken(&Three { split: false, tell_first: false }, "two decisions");
}
