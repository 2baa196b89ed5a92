//! `--data`: one's own calls and faults, a line each, played on the usual cluster.

use crate::cluster::{Cluster, Happening};
use crate::config::Config;
use crate::message::{Answer, Op};
use crate::trials;
use crate::trouble::{Trouble, Troubles};
use archstone_crdt::clock::VersionVector;
use kit::space_time::{SpaceTime, Tone};
use kit::{Failure, Input, Run, Time};
use std::collections::BTreeMap;
use std::io::Read;
use std::time::Duration;

/// The most calls of a script.
const MAX_CALLS: usize = 2_000;
/// The latest that anything may happen.
const MAX_MS: u64 = 60_000;

/// A script and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// Call, when it was answered, and the answer.
    pub calls: Vec<(String, Option<Time>, String)>,
    /// Lines that were none: number and text.
    pub skipped: Vec<(usize, String)>,
    /// When all replicas agreed, from the last line on; `None`: not within 10 s.
    pub agreed: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Step {
    Call { client: usize, node: usize, key: String, value: Option<String>, delete: bool },
    Fault(Trouble),
}

fn node(text: &str) -> Option<usize> {
    text.parse().ok().filter(|&node| node < Config::usual().nodes)
}

fn step(line: &str) -> Option<(Time, Step)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (at, rest) = words.split_first()?;
    let at: u64 = at.parse().ok().filter(|&at| at <= MAX_MS)?;
    let one = |of: fn(usize) -> Trouble, text: &str| Some(Step::Fault(of(node(text)?)));
    let step = match *rest {
        ["heal"] => Step::Fault(Trouble::Heal),
        ["cut", ref nodes @ ..] if !nodes.is_empty() => {
            Step::Fault(Trouble::Cut(nodes.iter().map(|text| node(text)).collect::<Option<_>>()?))
        }
        ["crash", which] => one(Trouble::Crash, which)?,
        ["restart", which] => one(Trouble::Restart, which)?,
        ["reboot", which] => one(Trouble::Reboot, which)?,
        ["wipe", which] => one(Trouble::Wipe, which)?,
        ["slow", which, ms] => {
            let ms: u64 = ms.parse().ok().filter(|&ms| ms <= 10_000)?;
            Step::Fault(Trouble::Slow(node(which)?, Duration::from_millis(ms)))
        }
        [client, at, verb, key, ref value @ ..] => {
            let client: usize = client.parse().ok().filter(|&client| client < 64)?;
            let (value, delete) = match (verb, value) {
                ("get", []) => (None, false),
                ("delete", []) => (None, true),
                ("put", [value]) if value.len() + key.len() <= 256 => (Some(*value), false),
                _ => return None,
            };
            let (key, value) = (key.to_owned(), value.map(str::to_owned));
            Step::Call { client, node: node(at)?, key, value, delete }
        }
        _ => return None,
    };
    Some((Time::from_millis(at), step))
}

impl Script {
    /// Reads a script and plays it.
    ///
    /// # Errors
    /// When it cannot be read, or has no calls or too many.
    pub fn play(input: &Input, run: &Run) -> Result<Self, Failure> {
        let mut text = String::new();
        // A script is some hundred lines; a gigabyte is a mistake.
        input
            .open()?
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(|e| format!("{input}: {e}"))?;
        let mut script = Self::default();
        let mut steps = Vec::new();
        for (nth, line) in text.lines().enumerate() {
            let bare = line.split('#').next().unwrap_or_default().trim();
            match step(bare) {
                Some(step) => steps.push(step),
                None if bare.is_empty() => {}
                None => script.skipped.push((nth + 1, bare.to_owned())),
            }
        }
        for (line, what) in script.skipped.iter().take(3) {
            run.say(&format!("line {line} is no call, skipped: {what}"));
        }
        let calls = steps.iter().filter(|(_, step)| matches!(step, Step::Call { .. })).count();
        if calls == 0 || calls > MAX_CALLS {
            let lines = text.lines().count();
            return Err(format!(
                "{input}: {calls} calls in {lines} lines, 1 to {MAX_CALLS} wanted"
            )
            .into());
        }
        script.run(&steps, run)?;
        Ok(script)
    }

    fn run(&mut self, steps: &[(Time, Step)], run: &Run) -> Result<(), Failure> {
        let rules = trials::rules(&run.safeguards);
        let config =
            Config { rules, sloppy: run.safeguards.on("sloppy-quorum"), ..Config::usual() };
        let mut cluster = Cluster::new(config, 0.0, run.random().child("script"))?;
        cluster.keep_messages();
        let (mut troubles, mut calls) = (Vec::new(), BTreeMap::new());
        for (nth, (at, step)) in steps.iter().enumerate() {
            match step {
                Step::Fault(trouble) => troubles.push((*at, trouble.clone())),
                Step::Call { .. } => {
                    cluster.alarm(*at, nth as u64);
                    calls.insert(nth as u64, step.clone());
                }
            }
        }
        let mut troubles = Troubles::new(troubles);
        troubles.begin(&mut cluster);
        // What each client read of each key last: the context of its next write.
        let mut contexts: BTreeMap<(usize, Vec<u8>), VersionVector> = BTreeMap::new();
        let last = steps.iter().map(|(at, _)| *at).max().unwrap_or_default();
        let end = last + Duration::from_millis(1_500);
        let mut names = BTreeMap::new();
        while let Some(happening) = cluster.next(end) {
            match happening {
                Happening::Alarm(what) => {
                    if troubles.hits(what, &mut cluster) {
                        continue;
                    }
                    let Some(Step::Call { client, node, key, value, delete }) = calls.get(&what)
                    else {
                        continue;
                    };
                    let context = contexts.get(&(*client, key.clone().into_bytes()));
                    let context = context.cloned().unwrap_or_default();
                    let (verb, op) = match value {
                        Some(value) => {
                            let op = Op::Put { context, value: value.clone().into_bytes() };
                            (format!("put {key} {value}"), op)
                        }
                        None if *delete => (format!("delete {key}"), Op::Delete { context }),
                        None => (format!("get {key}"), Op::Get),
                    };
                    let now = cluster.now().as_millis();
                    let id = cluster.call(*client, *node, key.as_bytes(), op);
                    names.insert(id.0, format!("{now} ms, client {client} at n{node}: {verb}"));
                }
                Happening::Ended(call) => {
                    let name = names.remove(&call.id.0).unwrap_or_default();
                    let answer = match &call.returned {
                        None => "no answer".to_owned(),
                        Some((_, Answer::Refused)) => "refused".to_owned(),
                        Some((_, Answer::Written)) => "done".to_owned(),
                        Some((_, Answer::Read { values, context })) => {
                            contexts.insert((call.client, call.key.clone()), context.clone());
                            let shown: Vec<_> =
                                values.iter().map(|value| String::from_utf8_lossy(value)).collect();
                            if shown.is_empty() { "nothing".into() } else { shown.join(" | ") }
                        }
                    };
                    self.calls.push((name, call.returned.map(|(at, _)| at), answer));
                }
            }
        }
        if let Some(path) = run.svg("your-calls") {
            std::fs::write(path, self.drawn(&cluster))?;
        }
        for step in 0..100_u64 {
            if cluster.agree().is_ok() {
                self.agreed = Some(Duration::from_millis(100 * step));
                break;
            }
            while cluster.next(end + Duration::from_millis(100 * (step + 1))).is_some() {}
        }
        Ok(())
    }

    /// Nodes, and the first messages between them.
    fn drawn(&self, cluster: &Cluster) -> String {
        let names = (0..cluster.nodes.len()).map(|node| format!("n{node}"));
        let mut picture = SpaceTime::new("Your calls", names);
        for sent in cluster.messages().iter().filter(|sent| sent.from != sent.to).take(200) {
            picture.message(sent.from, sent.at, sent.to, sent.arrived, sent.label.clone());
        }
        for (name, at, answer) in self.calls.iter().take(40) {
            let node = name.split(" at n").nth(1).and_then(|rest| rest.split(':').next());
            if let (Some(node), Some(at)) = (node.and_then(|node| node.parse().ok()), at) {
                picture.mark(node, *at, answer.clone(), Tone::Good);
            }
        }
        picture.to_svg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_calls_or_faults_or_neither() {
        for good in [
            "0 0 4 put cart milk",
            "3 1 0 get cart",
            "5 1 0 delete cart",
            "9 cut 1 2",
            "9 heal",
            "9 slow 3 50",
            "60000 wipe 8",
        ] {
            assert!(step(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "x",
            "0",
            "0 0 9 get k",
            "0 64 0 get k",
            "0 0 0 put k",
            "60001 heal",
            "1 cut",
            "1 cut 9",
            "1 slow 3 99999",
            "-1 heal",
            "1 0 0 get k v",
        ] {
            assert!(step(bad).is_none(), "{bad}");
        }
    }
}
