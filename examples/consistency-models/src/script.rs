//! What clients do: generated from a seed, or read from `--data`. Every model gets the same script.

use kit::{Seed, Stream, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Nodes of the cluster, each with a site of its own.
pub const NODES: usize = 5;
/// Clients: each makes one call at a time.
pub const CLIENTS: usize = 4;
/// Plain registers; one more is written by those who die half way.
pub const REGISTERS: u64 = 3;
/// How long a client waits for an answer before it counts the call as not answered.
pub const PATIENCE: Duration = Duration::from_millis(600);

/// What a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// What does the register hold?
    Read(u64),
    /// The register holds this.
    Write(u64, u64),
    /// How many?
    Count,
    /// One more.
    Increment,
    /// Which elements?
    Members,
    /// This element too.
    Insert(u64),
    /// A doctor of a shift (0 or 1) goes off call, if the other one is on: read two, write one.
    GoOff(u64, u64),
}

/// What the store answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is not: the other doctor is off already.
    Refused,
    /// The value of a register, 0 before the first write.
    Value(u64),
    /// The count.
    Number(i64),
    /// The elements.
    Elements(BTreeSet<u64>),
}

/// One call of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Not before this.
    pub at: Time,
    /// Whose call it is.
    pub client: usize,
    /// Which node it asks.
    pub node: usize,
    /// What it asks.
    pub op: Op,
}

/// What happens to the cluster meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// These nodes are cut off from the others.
    Cut(Vec<usize>),
    /// Every link works again.
    Heal,
    /// The node stops; its disk stays.
    Crash(usize),
    /// It comes back.
    Restart(usize),
    /// Whoever leads is cut off, and clients still reach it.
    CutLeader,
    /// Whoever leads stops.
    CrashLeader,
    /// What was crashed comes back.
    RestartAll,
}

/// A whole run's input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The calls, by time.
    pub steps: Vec<Step>,
    /// The faults, by time.
    pub troubles: Vec<(Time, Trouble)>,
    /// How far each node's wall clock is off, in milliseconds.
    pub skew: [i64; NODES],
    /// When the last call may be made; then the cluster is left alone to settle.
    pub end: Time,
    /// Whether a client that is late leaves calls out, as it does in a generated script.
    pub leaves_out: bool,
    /// Lines of the input that were no call.
    pub skipped: Vec<(usize, String)>,
}

/// Who looks at the end, when everybody else is done.
pub const LAST: usize = usize::MAX;

/// When, after the last call, the counter and the set are read once more.
pub const FINALE: Duration = Duration::from_millis(2_000);

/// When the elections are over and the first call is made.
pub const START: Time = Time::from_millis(1_000);

impl Script {
    /// The script of `seed`: four clients, each at home at one node and in a third of its calls
    /// somewhere else; two partitions, then writers that die half way; clocks that are off by up to 300 ms.
    #[must_use]
    pub fn generated(seed: Seed) -> Self {
        let mut dice = seed.stream("script");
        let end = Time::from_millis(7_300);
        let mut script = Self { end, leaves_out: true, ..Self::default() };
        for skew in &mut script.skew {
            *skew = dice.below(601) as i64 - 300;
        }
        // The two fastest clocks agree to the millisecond: so that two stamps can be equal, and
        // nothing later covers it.
        let fastest = script.skew.into_iter().max().unwrap_or(0);
        (script.skew[0], script.skew[1]) = (fastest, fastest);
        let mut value = 0;
        for client in 0..CLIENTS {
            let mut at = START;
            while at + Duration::from_millis(10) < end {
                let home = client % NODES;
                let away = dice.below(NODES as u64) as usize;
                let node = if dice.chance(0.35) { away } else { home };
                let register = dice.below(REGISTERS);
                let op = match dice.below(100) {
                    0..50 => Op::Read(register),
                    50..68 => {
                        value += 1;
                        Op::Write(register, value)
                    }
                    68..79 => Op::Increment,
                    79..86 => Op::Count,
                    86..94 => {
                        value += 1;
                        Op::Insert(value)
                    }
                    _ => Op::Members,
                };
                script.steps.push(Step { at, client, node, op });
                at += dice.between(Duration::from_millis(15), Duration::from_millis(110));
            }
        }
        // Both doctors of a shift ask at once, at two nodes.
        for shift in 0..9 {
            let at = START + Duration::from_millis(80 + 550 * shift);
            for doctor in 0..2 {
                let (client, op) = (CLIENTS + doctor as usize, Op::GoOff(shift, doctor));
                script.steps.push(Step { at, client, node: 2 * doctor as usize, op });
            }
        }
        // The last two writes, at the same millisecond of two clocks that agree.
        for client in 0..2 {
            value += 1;
            let op = Op::Write(0, value);
            script.steps.push(Step { at: end, client, node: client, op });
        }
        for round in 0..4 {
            let at = START + Duration::from_millis(3_400 + 700 * round);
            value += 1;
            script.half_way(at, value, &mut dice);
        }
        // A client writes where the clock is fast, moves, and writes where it is slow.
        let slow = (0..NODES).min_by_key(|&node| script.skew[node]).unwrap_or(1);
        for (nth, node) in (0..).zip([0, slow]) {
            value += 1;
            let at = START + Duration::from_millis(300 + 12 * nth);
            let op = Op::Write(REGISTERS + 1, value);
            script.steps.push(Step { at, client: CLIENTS + 4, node, op });
        }
        script.finish();
        let first = START + Duration::from_millis(900 + dice.below(200));
        let alone = dice.below(NODES as u64) as usize;
        let with = (alone + 1 + dice.below(NODES as u64 - 1) as usize) % NODES;
        script.troubles.extend([
            (first, Trouble::Cut(vec![alone, with])),
            (first + Duration::from_millis(700), Trouble::Heal),
            (first + Duration::from_millis(1_200), Trouble::CutLeader),
            (first + Duration::from_millis(2_000), Trouble::Heal),
        ]);
        script
    }

    /// A writer at one end of the line dies when few have its write, and so do, for a moment, those
    /// that it was sent to; then one client reads near the writer and far from it.
    fn half_way(&mut self, at: Time, value: u64, dice: &mut Stream) {
        let ms = Duration::from_millis;
        let register = REGISTERS;
        let crash = at + dice.between(ms(55), ms(125));
        self.troubles.extend([0, 1, 2].map(|node| (crash, Trouble::Crash(node))));
        self.troubles.push((crash + ms(45), Trouble::Crash(4)));
        self.troubles.push((crash + ms(110), Trouble::RestartAll));
        let (writer, reader) = (CLIENTS + 2, CLIENTS + 3);
        let mut step = |at, client, node, op| self.steps.push(Step { at, client, node, op });
        step(at, writer, 4, Op::Write(register, value));
        step(at - ms(150), reader, 0, Op::Read(register));
        step(crash + ms(160), reader, 3, Op::Read(register));
        step(crash + ms(290), reader, 0, Op::Read(register));
    }

    /// Adds the last look at counter and set, and sorts.
    fn finish(&mut self) {
        let (at, client, node) = (self.end + FINALE, LAST, 2);
        let last = [Op::Count, Op::Members].map(|op| Step { at, client, node, op });
        self.steps.extend(last);
        self.steps.sort_by_key(|step| (step.at, step.client));
    }

    /// Calls and faults, one a line, as the README says. Lines that are neither are kept for the
    /// report; comments and empty lines are not.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut script = Self { end: START, ..Self::default() };
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let at = words[0].parse().ok().filter(|&at: &u64| at <= 60_000);
            let understood = at.and_then(|at| {
                let at = START + Duration::from_millis(at);
                match trouble(&words[1..]) {
                    Some(trouble) => script.troubles.push((at, trouble)),
                    None => script.steps.push(step(at, &words[1..], &mut names)?),
                }
                Some(at)
            });
            match understood {
                Some(at) => script.end = script.end.max(at),
                None => script.skipped.push((number, line.to_owned())),
            }
        }
        script.finish();
        script.troubles.sort_by_key(|trouble| trouble.0);
        script
    }
}

/// `cut 0 1`, `heal`, `crash 2`, `restart 2`.
fn trouble(words: &[&str]) -> Option<Trouble> {
    let nodes = || words[1..].iter().map(|word| node(word)).collect::<Option<Vec<_>>>();
    match *words.first()? {
        "cut" if words.len() > 1 => Some(Trouble::Cut(nodes()?)),
        "heal" if words.len() == 1 => Some(Trouble::Heal),
        "crash" if words.len() == 2 => Some(Trouble::Crash(node(words[1])?)),
        "restart" if words.len() == 2 => Some(Trouble::Restart(node(words[1])?)),
        _ => None,
    }
}

fn node(word: &str) -> Option<usize> {
    word.parse().ok().filter(|&node| node < NODES)
}

/// `CLIENT NODE OP ...`
fn step(at: Time, words: &[&str], names: &mut BTreeMap<String, u64>) -> Option<Step> {
    let [client, place, op, rest @ ..] = words else { return None };
    let client = client.parse().ok().filter(|&client: &usize| client < 64)?;
    let number = |at: usize| rest.get(at).and_then(|word| word.parse::<u64>().ok());
    let mut register = |at: usize| {
        let next = names.len() as u64;
        Some(*names.entry((*rest.get(at)?).to_owned()).or_insert(next))
    };
    let op = match (*op, rest.len()) {
        ("read", 1) => Op::Read(register(0)?),
        // 0 is what a register holds before the first write.
        ("write", 2) => Op::Write(register(0)?, number(1).filter(|&value| value > 0)?),
        ("count", 0) => Op::Count,
        ("increment", 0) => Op::Increment,
        ("members", 0) => Op::Members,
        ("insert", 1) => Op::Insert(number(0)?),
        ("go-off", 2) => Op::GoOff(number(0)?, number(1).filter(|&doctor| doctor < 2)?),
        _ => return None,
    };
    Some(Step { at, client, node: node(place)?, op })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_ones_own_is_read_and_what_is_no_call_is_kept() {
        let text = "# two writers\n0 0 0 write x 7\n5 1 1 read x # comment\n\n9 cut 0 1\nnonsense\n\
                    5 0 9 read x\n20 0 0 write x 0\n40 heal\n41 2 3 go-off 1 1\n";
        let script = Script::parse(text);
        assert_eq!(script.steps.len(), 3 + 2);
        assert_eq!(script.steps[0].op, Op::Write(0, 7));
        assert_eq!(script.steps[2].op, Op::GoOff(1, 1));
        assert_eq!(script.troubles.len(), 2);
        let skipped: Vec<_> = script.skipped.iter().map(|(line, _)| *line).collect();
        assert_eq!(skipped, [6, 7, 8]);
    }

    #[test]
    fn a_generated_script_is_determined_and_its_values_differ() {
        let script = Script::generated(Seed::new(3));
        assert_eq!(script, Script::generated(Seed::new(3)));
        assert_ne!(script, Script::generated(Seed::new(4)));
        let mut values = BTreeSet::new();
        for step in &script.steps {
            if let Op::Write(_, value) | Op::Insert(value) = step.op {
                assert!(values.insert(value), "{value} twice");
            }
        }
    }
}
