//! Interleaved timing: A B C, B C A, C A B ..., so that whatever else the machine does meets all alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::row::{Better, Row, Side, Subject, Unit};

/// Something that can be timed: a name, how many operations a round does, and the round.
pub struct Runner {
    name: String,
    operations: u64,
    round: Box<dyn FnMut() -> Duration>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runner({}, {} operations a round)", self.name, self.operations)
    }
}

impl Runner {
    /// Each round works on a new state. `setup` and the drop of what `run` returns are not timed.
    pub fn fresh<S: 'static, R: 'static>(
        name: impl Into<String>,
        operations: usize,
        mut setup: impl FnMut() -> S + 'static,
        mut run: impl FnMut(S) -> R + 'static,
    ) -> Self {
        Self::custom(name, operations, move || {
            let state = black_box(setup());
            let start = Instant::now();
            let result = measured_section(|| run(state));
            let took = start.elapsed();
            drop(black_box(result));
            took
        })
    }

    /// All rounds work on one state, warm from the round before.
    pub fn steady<S: 'static, R: 'static>(
        name: impl Into<String>,
        operations: usize,
        mut state: S,
        mut run: impl FnMut(&mut S) -> R + 'static,
    ) -> Self {
        Self::custom(name, operations, move || {
            let start = Instant::now();
            let result = measured_section(|| run(black_box(&mut state)));
            let took = start.elapsed();
            drop(black_box(result));
            took
        })
    }

    /// The round times itself: for threads that wait for each other, or tails instead of means.
    pub fn custom(
        name: impl Into<String>,
        operations: usize,
        round: impl FnMut() -> Duration + 'static,
    ) -> Self {
        Self { name: name.into(), operations: operations as u64, round: Box::new(round) }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// One round: how long its operations took together.
    pub fn round(&mut self) -> Duration {
        (self.round)()
    }
}

/// What is timed runs under this name and nothing else does: `ci/icount.sh` counts instructions
/// between its entry and its return.
#[inline(never)]
pub fn measured_section<R>(run: impl FnOnce() -> R) -> R {
    black_box(run())
}

/// How long a race may last.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    pub min_rounds: usize,
    pub max_rounds: usize,
    /// No round of all begins after this.
    pub time: Duration,
}

/// Nanoseconds an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timing {
    pub best: f64,
    pub median: f64,
    pub rounds: usize,
}

/// Runs all in turn until the budget is spent. The first round of each is a warm-up and not
/// counted; who starts changes from round to round.
pub fn interleave(runners: &mut [Runner], budget: &Budget) -> Vec<Timing> {
    let start = Instant::now();
    for runner in runners.iter_mut() {
        runner.round();
    }
    let mut samples = vec![Vec::with_capacity(budget.max_rounds); runners.len()];
    for round in 0..budget.max_rounds {
        if round >= budget.min_rounds && start.elapsed() >= budget.time {
            break;
        }
        for turn in 0..runners.len() {
            let who = (round + turn) % runners.len();
            let took = runners[who].round();
            samples[who].push(took.as_nanos() as f64 / runners[who].operations as f64);
        }
    }
    samples.into_iter().map(timing).collect()
}

fn timing(mut samples: Vec<f64>) -> Timing {
    samples.sort_by(f64::total_cmp);
    let n = samples.len();
    let median =
        if n % 2 == 1 { samples[n / 2] } else { f64::midpoint(samples[n / 2 - 1], samples[n / 2]) };
    Timing { best: samples[0], median, rounds: n }
}

/// Ours and its opponents on one workload: a row for each opponent.
#[derive(Debug)]
pub struct Race {
    workload: String,
    ours: Entrant,
    opponents: Vec<(String, Entrant, Option<f64>)>,
}

/// A runner, or the name of one that cannot run here and why.
type Entrant = Result<Runner, (String, String)>;

impl Race {
    pub fn new(workload: impl Into<String>, ours: Runner) -> Self {
        Self { workload: workload.into(), ours: Ok(ours), opponents: Vec::new() }
    }

    /// A race whose peers run although ours cannot.
    pub fn without_ours(workload: impl Into<String>, name: &str, reason: &str) -> Self {
        let ours = Err((name.to_owned(), reason.to_owned()));
        Self { workload: workload.into(), ours, opponents: Vec::new() }
    }

    /// Ours is to be at least `goal` times as fast. The row's id ends in `/suffix`.
    #[must_use]
    pub fn beats(self, suffix: &str, peer: Runner, goal: f64) -> Self {
        self.opponent(suffix, Ok(peer), Some(goal))
    }

    /// Ours may take at most `times` what our own baseline takes.
    #[must_use]
    pub fn at_most(self, times: f64, suffix: &str, mut floor: Runner) -> Self {
        if !floor.name.starts_with("floor: ") {
            floor.name.insert_str(0, "floor: ");
        }
        self.opponent(suffix, Ok(floor), Some(1.0 / times))
    }

    /// For information.
    #[must_use]
    pub fn beside(self, suffix: &str, peer: Runner) -> Self {
        self.opponent(suffix, Ok(peer), None)
    }

    /// An opponent that cannot run here. The row stays.
    #[must_use]
    pub fn missing(self, suffix: &str, name: &str, goal: Option<f64>, reason: &str) -> Self {
        self.opponent(suffix, Err((name.to_owned(), reason.to_owned())), goal)
    }

    fn opponent(mut self, suffix: &str, entrant: Entrant, goal: Option<f64>) -> Self {
        self.opponents.push((suffix.to_owned(), entrant, goal));
        self
    }

    /// All that can run, ours first: for criterion and for counting instructions.
    #[must_use]
    pub fn into_runners(self) -> Vec<Runner> {
        let opponents = self.opponents.into_iter().map(|(_, entrant, _)| entrant);
        [self.ours].into_iter().chain(opponents).flatten().collect()
    }

    #[must_use]
    pub fn workload(&self) -> &str {
        &self.workload
    }

    /// Runs it. A race without opponents gives one row for information.
    #[must_use]
    pub fn rows(self, id: &str, budget: &Budget) -> Vec<Row> {
        let subject = Subject::new(id, &self.workload, Unit::Ns, Better::Lower);
        let mut entrants = vec![self.ours];
        let mut terms = Vec::new();
        for (suffix, entrant, goal) in self.opponents {
            entrants.push(entrant);
            terms.push((suffix, goal));
        }
        let (mut runners, mut places) = (Vec::new(), Vec::new());
        for entrant in entrants {
            places.push(entrant.map(|runner| {
                runners.push(runner);
                runners.len() - 1
            }));
        }
        let timings =
            if runners.is_empty() { Vec::new() } else { interleave(&mut runners, budget) };
        let finished: Vec<Finished> = places
            .into_iter()
            .map(|place| match place {
                Ok(at) => Finished {
                    side: Side::new(runners[at].name(), timings[at].best),
                    timing: Some(timings[at]),
                    reason: None,
                },
                Err((name, reason)) => {
                    Finished { side: Side::missing(name), timing: None, reason: Some(reason) }
                }
            })
            .collect();
        let ours = &finished[0];
        if terms.is_empty() {
            return vec![ours.finish(subject.information(ours.side.clone()), None)];
        }
        terms
            .into_iter()
            .zip(&finished[1..])
            .map(|((suffix, goal), peer)| {
                let row = subject.at(&suffix).against(ours.side.clone(), peer.side.clone(), goal);
                ours.finish(row, Some(peer))
            })
            .collect()
    }
}

struct Finished {
    side: Side,
    timing: Option<Timing>,
    reason: Option<String>,
}

impl Finished {
    fn finish(&self, row: Row, peer: Option<&Self>) -> Row {
        let sides = [Some(self), peer];
        if let Some(side) = sides.into_iter().flatten().find(|side| side.reason.is_some()) {
            return row.could_not_run(side.reason.as_deref().unwrap_or_default());
        }
        let timings: Vec<Timing> = sides.into_iter().flatten().filter_map(|s| s.timing).collect();
        let medians: Vec<String> = timings.iter().map(|t| format!("{:.2}", t.median)).collect();
        row.note(format!("median {}, {} rounds", medians.join(" / "), timings[0].rounds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    const BUDGET: Budget = Budget { min_rounds: 3, max_rounds: 3, time: Duration::ZERO };

    /// A runner whose rounds last what the script says, writing its name into the log.
    fn scripted(name: &'static str, millis: [u64; 4], log: &Rc<RefCell<String>>) -> Runner {
        let log = Rc::clone(log);
        let mut rounds = millis.into_iter();
        Runner::custom(name, 1000, move || {
            log.borrow_mut().push_str(name);
            Duration::from_millis(rounds.next().unwrap())
        })
    }

    #[test]
    fn rounds_alternate_and_who_starts_changes() {
        let log = Rc::default();
        let mut runners = ["a", "b"].map(|name| scripted(name, [1; 4], &log));
        interleave(&mut runners, &BUDGET);
        assert_eq!(*log.borrow(), "ab".to_owned() + "ab" + "ba" + "ab");
    }

    #[test]
    fn the_warm_up_is_not_counted_and_best_and_median_are_per_operation() {
        let log = Rc::default();
        let timings = interleave(&mut [scripted("a", [1, 9, 5, 7], &log)], &BUDGET);
        assert_eq!(timings, [Timing { best: 5000.0, median: 7000.0, rounds: 3 }]);
    }

    #[test]
    fn the_budget_ends_a_race_but_never_before_the_least_rounds() {
        let rounds = |min_rounds, time| {
            let budget = Budget { min_rounds, max_rounds: 1000, time };
            interleave(&mut [Runner::custom("a", 1, || Duration::ZERO)], &budget)[0].rounds
        };
        assert_eq!(rounds(7, Duration::ZERO), 7);
        assert_eq!(rounds(7, Duration::MAX), 1000);
    }

    #[test]
    fn a_race_gives_a_row_for_each_opponent_by_best_times() {
        let log = Rc::default();
        let rows = Race::new("w", scripted("ours", [9, 2, 4, 4], &log))
            .beats("slow", scripted("slow", [9, 8, 6, 9], &log), 3.0)
            .at_most(1.5, "floor", scripted("bare", [1, 1, 1, 1], &log))
            .beside("other", scripted("other", [1, 2, 3, 4], &log))
            .missing("gone", "gone", Some(2.0), "not in the registry")
            .rows("a.P1", &BUDGET);
        let of = |i: usize| (rows[i].id.as_str(), rows[i].ratio, rows[i].holds);
        assert_eq!(of(0), ("a.P1/slow", Some(3.0), Some(true)));
        assert_eq!(of(1), ("a.P1/floor", Some(0.5), Some(false)));
        assert_eq!(rows[1].peer.as_ref().unwrap().name, "floor: bare");
        assert_eq!(of(2), ("a.P1/other", Some(1.0), None));
        assert_eq!(of(3), ("a.P1/gone", None, None));
        assert_eq!(rows[3].note, "could not run: not in the registry");
        assert!(rows[0].note.contains("median 4000.00 / 8000.00, 3 rounds"), "{}", rows[0].note);
    }

    #[test]
    fn without_ours_the_peers_still_run_and_no_row_has_a_verdict() {
        let log = Rc::default();
        let rows = Race::without_ours("w", "archstone", "not built yet")
            .beats("peer", scripted("peer", [1, 1, 1, 1], &log), 2.0)
            .rows("a.P1", &BUDGET);
        assert_eq!(rows[0].peer.as_ref().unwrap().value, Some(1000.0));
        assert_eq!((rows[0].ours.value, rows[0].holds), (None, None));
        assert_eq!(rows[0].note, "could not run: not built yet");
    }

    #[test]
    fn only_the_run_is_timed_not_the_setup() {
        let mut slow_setup = Runner::fresh(
            "a",
            1,
            || (0..2_000_000_u64).map(black_box).sum::<u64>(),
            |state| state + 1,
        );
        let spent = Instant::now();
        let timed = slow_setup.round();
        assert!(timed * 4 < spent.elapsed(), "timed {timed:?} of {:?}", spent.elapsed());
    }
}
