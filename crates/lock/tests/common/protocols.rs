//! `@model redlock`, `saga`, `twopc` and `elect`.

use super::Model;
use super::lease::{ms, span, time};
use super::script::{Script, arg, number};
use archstone_lock::protocol::elect::{self, Candidate, Record, Terms};
use archstone_lock::protocol::redlock::{Redlock, Reply, Round, Step};
use archstone_lock::protocol::saga::{self, Command, Outcome, Report, Saga};
use archstone_lock::protocol::two_phase::{Action, Coordinator, Decision, Vote};

fn joined(items: impl IntoIterator<Item = impl ToString>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(",")
}

pub struct Redlocks {
    lock: Redlock,
    round: Option<Round>,
}

impl Redlocks {
    pub fn new(script: &Script) -> Self {
        let nodes = script.header("nodes").parse().expect("@nodes");
        let ttl = span(script.header("ttl").parse().expect("@ttl"));
        Self { lock: Redlock::new(nodes, ttl).expect("usable"), round: None }
    }
}

impl Model for Redlocks {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        let now = time(at);
        if verb == "start" {
            let round = self.lock.acquire(now);
            let sends = format!("send {}", joined(round.nodes()));
            self.round = Some(round);
            return sends;
        }
        let round = self.round.as_mut().expect("start");
        let reply = match verb {
            "ok" => Reply::Granted,
            "no" => Reply::Refused,
            "err" => Reply::Failed,
            other => panic!("no verb {other}"),
        };
        match round.on_reply(now, args[0].parse().expect("a node"), reply) {
            Step::Wait => "wait".to_owned(),
            Step::Acquired(held) => {
                format!("acquired validity={}", held.remaining(now).as_millis())
            }
            Step::Failed { release, .. } => format!("failed release={}", joined(release)),
            Step::Release(node) => format!("release {node}"),
            Step::Late => "late".to_owned(),
        }
    }
}

/// Each step runs on a machine that is recovered from the log so far, beside the one that never
/// crashed; but for the query that a recovery begins with, they say the same.
pub struct Sagas {
    saga: Saga<String>,
    log: Vec<Report<String>>,
}

impl Sagas {
    pub fn new(script: &Script) -> Self {
        let steps: Vec<String> =
            script.header("steps").split_whitespace().map(str::to_owned).collect();
        let mut saga = Saga::new(steps).expect("steps");
        if !script.header("pivot").is_empty() {
            saga = saga.with_pivot(&script.header("pivot").to_owned()).expect("a pivot");
        }
        Self { saga, log: Vec::new() }
    }

    fn run(&self) -> saga::Run<'_, String> {
        let mut run = self.saga.start();
        for report in &self.log {
            run.report(report.command.clone(), report.outcome).expect("its own log");
        }
        let recovered = self.saga.recover(self.log.clone()).expect("its own log");
        match (run.command(), recovered.command()) {
            (Command::Do(a), Command::Query(b)) => assert_eq!(a, b),
            (a, b) => assert_eq!(a, b),
        }
        run
    }
}

impl Model for Sagas {
    fn step(&mut self, _at: i64, verb: &str, args: &[String]) -> String {
        let mut report = |outcome| {
            let mut run = self.run();
            let command = run.command();
            let (Command::Do(step) | Command::Query(step) | Command::Undo(step)) = &command else {
                panic!("{command:?}")
            };
            assert_eq!(*step, args[0]);
            let entry = run.report(command, outcome).expect("asked for");
            self.log.push(entry);
        };
        match verb {
            "start" => {}
            "done" | "undone" => report(Outcome::Done),
            "failed" => report(Outcome::Failed),
            "unknown" => report(Outcome::Unknown),
            other => panic!("no verb {other}"),
        }
        // The scripts of others have no queries: there nobody can be asked.
        if verb == "unknown" && arg(args, "asked").is_none() {
            if let Command::Query(step) = self.run().command() {
                let entry =
                    self.run().report(Command::Query(step), Outcome::Unknown).expect("asked");
                self.log.push(entry);
            }
        }
        match self.run().command() {
            Command::Do(step) => format!("do {step}"),
            Command::Query(step) => format!("query {step}"),
            Command::Undo(step) => format!("undo {step}"),
            Command::Committed => "committed".to_owned(),
            Command::Compensated => "compensated".to_owned(),
        }
    }
}

pub struct Commits {
    names: Vec<String>,
    coordinator: Option<Coordinator<String>>,
    logged: Option<Decision>,
}

impl Commits {
    pub fn new(script: &Script) -> Self {
        let names = script.header("participants").split_whitespace().map(str::to_owned).collect();
        Self { names, coordinator: None, logged: None }
    }
}

impl Model for Commits {
    fn step(&mut self, _at: i64, verb: &str, args: &[String]) -> String {
        if verb == "start" {
            let (coordinator, action) = Coordinator::begin(self.names.clone());
            self.coordinator = Some(coordinator);
            let Action::Prepare(all) = action else { panic!("{action:?}") };
            return format!("prepare {}", all.join(" "));
        }
        if verb == "recover" {
            let (coordinator, action) = Coordinator::recover(self.names.clone(), self.logged);
            self.coordinator = Some(coordinator);
            let Action::Send(decision, _) = action else { panic!("{action:?}") };
            let presumed = self.logged.is_none();
            return if presumed {
                "presume abort".to_owned()
            } else {
                format!("resend {decision}")
            };
        }
        let coordinator = self.coordinator.as_mut().expect("start");
        let action = match verb {
            "yes" => coordinator.vote(&args[0], Vote::Yes),
            "no" => coordinator.vote(&args[0], Vote::No),
            "timeout" => coordinator.timeout(),
            "ack" => coordinator.ack(&args[0]),
            other => panic!("no verb {other}"),
        };
        match action {
            Action::Wait => "wait".to_owned(),
            Action::Log(decision) => {
                assert_eq!(
                    coordinator.decision(),
                    None,
                    "nobody learns of it before it is durable"
                );
                self.logged = Some(decision);
                assert!(matches!(coordinator.logged(), Action::Send(same, _) if same == decision));
                format!("log {decision}")
            }
            Action::Send(decision, _) if verb == "timeout" => format!("resend {decision}"),
            Action::Send(decision, _) => format!("decided {decision}"),
            Action::Forget => "forget".to_owned(),
            Action::Prepare(_) => panic!("asked twice"),
        }
    }
}

pub struct Elections {
    candidate: Candidate<String>,
}

impl Elections {
    pub fn new(script: &Script) -> Self {
        let of = |name: &str| span(script.header(name).parse().expect("milliseconds"));
        let terms = Terms::new(of("duration"), of("renew")).expect("safe terms");
        Self { candidate: Candidate::new(script.header("me").to_owned(), terms) }
    }
}

impl Model for Elections {
    fn step(&mut self, at: i64, verb: &str, args: &[String]) -> String {
        let now = time(at);
        let read = |name: &str| number(args, name).expect("a number");
        match verb {
            "observe" => {
                let record = arg(args, "holder").map(|holder| Record {
                    holder: holder.to_owned(),
                    version: read("version") as u64,
                    duration: span(read("duration")),
                });
                match self.candidate.observe(now, record.as_ref()) {
                    elect::Action::Wait { until } => format!("wait until={}", ms(until)),
                    elect::Action::Try { expect } => format!("try expect={expect}"),
                    elect::Action::Held { version } => format!("held version={version}"),
                }
            }
            "won" => match self.candidate.won(now, read("version") as u64, time(read("sent"))) {
                Ok(until) => format!("leader until={}", ms(until)),
                Err(_) => "gone".to_owned(),
            },
            "lost" => {
                self.candidate.lost();
                "ok".to_owned()
            }
            "may-act" => if self.candidate.may_act(now) { "yes" } else { "no" }.to_owned(),
            other => panic!("no verb {other}"),
        }
    }
}
