use std::error::Error;
use std::fmt;

/// Where a process may die: between two steps that are not one.
///
/// A component passes its points by name; the one whose turn it is answers with [`Crashed`], which
/// `?` carries out of the component. What was not durable is then lost, and the design restarts it.
///
/// ```
/// use kit::sim::{CrashPoints, Crashed, at_every_point};
///
/// fn transfer(accounts: &mut [i64; 2], points: &mut CrashPoints) -> Result<(), Crashed> {
///     points.pass("before")?;
///     accounts[0] -= 5;
///     points.pass("between")?;
///     accounts[1] += 5;
///     points.pass("after")
/// }
///
/// let mut broken = Vec::new();
/// at_every_point(|points| {
///     let mut accounts = [10, 0];
///     if let Err(crash) = transfer(&mut accounts, points) {
///         if accounts.iter().sum::<i64>() != 10 {
///             broken.push(crash.name);
///         }
///     }
/// });
/// assert_eq!(broken, ["between"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct CrashPoints {
    at: Option<u64>,
    passed: u64,
}

/// The process died here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crashed {
    /// The name of the point.
    pub name: &'static str,
    /// Which of the points passed in this run, from 0.
    pub nth: u64,
}

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crashed at point {} ({})", self.nth, self.name)
    }
}

impl Error for Crashed {}

impl CrashPoints {
    /// A run that does not crash.
    #[must_use]
    pub const fn never() -> Self {
        Self { at: None, passed: 0 }
    }

    /// A run that crashes once, at the point `nth` from 0.
    #[must_use]
    pub const fn at(nth: u64) -> Self {
        Self { at: Some(nth), passed: 0 }
    }

    /// Goes past the point `name`, or dies there. A process dies once: the points that are passed
    /// after its restart let it pass.
    ///
    /// # Errors
    /// [`Crashed`] at the chosen point.
    pub fn pass(&mut self, name: &'static str) -> Result<(), Crashed> {
        let nth = self.passed;
        self.passed += 1;
        if self.at == Some(nth) {
            return Err(Crashed { name, nth });
        }
        Ok(())
    }

    /// Points passed so far.
    #[must_use]
    pub const fn passed(&self) -> u64 {
        self.passed
    }
}

/// Runs `run` without a crash, then once for each point that the run passed, crashing there; how
/// many points there were.
pub fn at_every_point(mut run: impl FnMut(&mut CrashPoints)) -> u64 {
    let mut whole = CrashPoints::never();
    run(&mut whole);
    for nth in 0..whole.passed {
        run(&mut CrashPoints::at(nth));
    }
    whole.passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_dies_once_and_the_restart_lives() {
        let mut died = Vec::new();
        let points = at_every_point(|points| {
            let steps = ["a", "b", "c"];
            while let Err(crash) = steps.iter().try_for_each(|step| points.pass(step)) {
                died.push(crash.to_string());
            }
        });
        assert_eq!(points, 3);
        assert_eq!(
            died,
            ["crashed at point 0 (a)", "crashed at point 1 (b)", "crashed at point 2 (c)"]
        );
    }
}
