//! Sagas: several steps in several places, each of which can be undone (Garcia-Molina and Salem 1987).
//!
//! The machine says what to do next and is told what came of it. Append each [`Report`] to the saga's
//! log *before* obeying the next command, and a crash at any point is recovered from by reading the
//! log again.
//!
//! What a service has to promise: doing and undoing under one key twice is as once (see
//! [`idem`](crate::idem)), and an undo that comes before its doing wins, so that a request that was
//! delayed in the network does nothing when it arrives at last.

use alloc::vec::Vec;
use core::fmt;

/// The steps, in order; the same at every recovery.
///
/// ```
/// use archstone_lock::protocol::saga::{Command, Outcome, Saga};
///
/// let booking = Saga::new(["reserve", "charge", "ship"])?;
/// let mut run = booking.start();
/// let mut log = Vec::new(); // in a database, the row of this booking
/// # let call = |step: &str| if step == "ship" { Outcome::Failed } else { Outcome::Done };
/// # let (undo, look) = (|_: &str| Outcome::Done, |_: &str| Outcome::Unknown);
/// while !run.is_over() {
///     let command = run.command();
///     let outcome = match command {
///         Command::Do(step) => call(step),    // Unknown when it timed out
///         Command::Query(step) => look(step), // has it happened?
///         Command::Undo(step) => undo(step),  // again and again, until it is Done
///         Command::Committed | Command::Compensated => unreachable!("it is not over"),
///     };
///     log.push(run.report(command, outcome)?);
/// }
/// assert_eq!(run.command(), Command::Compensated); // charge and reserve were undone, in this order
/// assert_eq!(booking.recover(log)?.command(), Command::Compensated);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saga<S> {
    steps: Vec<S>,
    /// The index of the pivot; `steps.len()` without one.
    pivot: usize,
}

/// Steps that no saga can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadSteps {
    /// There is none.
    None,
    /// The steps of these two indexes are the same.
    Twice(usize, usize),
    /// The pivot is not among them.
    NoSuchPivot,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// It has happened. The answer to a query: so it was.
    Done,
    /// It has surely not happened, and will not.
    Failed,
    /// No answer, or none that tells: it may have happened, or may yet.
    Unknown,
}

/// What the log of a saga consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Report<S> {
    /// What was asked for.
    pub command: Command<S>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[must_use]
pub enum Command<S> {
    /// Do the step.
    Do(S),
    /// Find out whether the step has happened. Who cannot reports [`Outcome::Unknown`].
    Query(S),
    /// Make sure that the step has no effect, whether it happened, did not, or is still under way.
    Undo(S),
    /// All steps are done.
    Committed,
    /// All that may have happened is undone.
    Compensated,
}

/// A report on what was not asked for: late, repeated, or of another saga. Nothing has changed. A
/// step that succeeds late, while it is being undone, is such a one: the undo goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAsked;

impl<S: Clone + PartialEq> Saga<S> {
    /// The steps in their order.
    ///
    /// # Errors
    /// [`BadSteps`].
    pub fn new(steps: impl Into<Vec<S>>) -> Result<Self, BadSteps> {
        let steps = steps.into();
        if steps.is_empty() {
            return Err(BadSteps::None);
        }
        for (later, step) in steps.iter().enumerate() {
            if let Some(first) = steps[..later].iter().position(|other| other == step) {
                return Err(BadSteps::Twice(first, later));
            }
        }
        let pivot = steps.len();
        Ok(Self { steps, pivot })
    }

    /// After `step` is done nothing is undone any more: later steps are tried until they succeed.
    ///
    /// # Errors
    /// [`BadSteps::NoSuchPivot`].
    pub fn with_pivot(mut self, step: &S) -> Result<Self, BadSteps> {
        self.pivot = self.steps.iter().position(|s| s == step).ok_or(BadSteps::NoSuchPivot)?;
        Ok(self)
    }

    /// A new run. Persist that it exists (its name and input) before the first command is obeyed.
    #[must_use]
    pub const fn start(&self) -> Run<'_, S> {
        Run { saga: self, at: 0, state: State::Doing, attempt: 1 }
    }

    /// The run that left this log, in its order. The last command may have been obeyed without a
    /// report: a step is queried before it is done again, an undo is repeated.
    ///
    /// # Errors
    /// [`NotAsked`] when the log is not of these steps.
    pub fn recover(
        &self,
        log: impl IntoIterator<Item = Report<S>>,
    ) -> Result<Run<'_, S>, NotAsked> {
        let mut run = self.start();
        for Report { command, outcome } in log {
            // After an earlier recovery a query stood where this replay would do the step.
            if run.state == State::Doing && matches!(command, Command::Query(_)) {
                run.state = State::Asking;
            }
            run.report(command, outcome)?;
        }
        if run.state == State::Doing {
            run.state = State::Asking;
        }
        Ok(run)
    }
}

/// A saga under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run<'a, S> {
    saga: &'a Saga<S>,
    at: usize,
    state: State,
    attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Doing,
    Asking,
    Undoing,
    Committed,
    Compensated,
}

impl<S: Clone + PartialEq> Run<'_, S> {
    /// What to do. The same until a report on it has come.
    pub fn command(&self) -> Command<S> {
        let step = || self.saga.steps[self.at].clone();
        match self.state {
            State::Doing => Command::Do(step()),
            State::Asking => Command::Query(step()),
            State::Undoing => Command::Undo(step()),
            State::Committed => Command::Committed,
            State::Compensated => Command::Compensated,
        }
    }

    /// How often its step has been tried, or its undo, queries included; from 1. Wait longer each time.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether there is nothing left to do.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Committed | State::Compensated)
    }

    /// What came of `command`. Returns what to append to the log before the next one is obeyed.
    ///
    /// # Errors
    /// [`NotAsked`] when this is not the [`command`](Self::command) now, or the saga is over.
    pub fn report(&mut self, command: Command<S>, outcome: Outcome) -> Result<Report<S>, NotAsked> {
        if self.is_over() || command != self.command() {
            return Err(NotAsked);
        }
        let before = (self.at, self.state == State::Undoing);
        let retried = self.at > self.saga.pivot;
        match (self.state, outcome) {
            (State::Doing | State::Asking, Outcome::Done) => self.forward(),
            (State::Doing, Outcome::Unknown) => self.state = State::Asking,
            // Past the pivot there is no way back: what is not known to be done is done again.
            (State::Doing | State::Asking, _) if retried => self.state = State::Doing,
            (State::Doing | State::Asking, Outcome::Failed) => self.back(),
            // It may have happened: it is undone itself, too (I12).
            (State::Asking, Outcome::Unknown) => self.state = State::Undoing,
            (State::Undoing, Outcome::Done) => self.back(),
            // A compensation is repeated until it is done; never given up, never swallowed.
            (State::Undoing | State::Committed | State::Compensated, _) => {}
        }
        let same = before == (self.at, self.state == State::Undoing);
        self.attempt = if same { self.attempt.saturating_add(1) } else { 1 };
        Ok(Report { command, outcome })
    }

    fn forward(&mut self) {
        self.at += 1;
        self.state = State::Doing;
        if self.at == self.saga.steps.len() {
            (self.at, self.state) = (0, State::Committed);
        }
    }

    /// To the step before, which is done and has to be undone.
    const fn back(&mut self) {
        match self.at.checked_sub(1) {
            Some(at) => (self.at, self.state) = (at, State::Undoing),
            None => self.state = State::Compensated,
        }
    }
}

impl fmt::Display for BadSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("a saga without steps"),
            Self::Twice(a, b) => write!(f, "steps {a} and {b} are the same"),
            Self::NoSuchPivot => f.write_str("the pivot is not one of the steps"),
        }
    }
}

impl fmt::Display for NotAsked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a report on what was not asked for")
    }
}

impl core::error::Error for BadSteps {}
impl core::error::Error for NotAsked {}
