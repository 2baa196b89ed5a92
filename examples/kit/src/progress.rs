//! A progress line on standard error.

use crate::human;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::Write;
use std::time::Duration;

/// A progress line: drawn at once, redrawn at most ten times a second, gone at the end. Nothing
/// when standard error is not a terminal.
///
/// ```
/// use kit::Progress;
///
/// let progress = Progress::silent();
/// for line in ["a", "b"] {
///     let _ = line;
///     progress.add(1);
/// }
/// assert_eq!(progress.done(), 2);
/// ```
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A line for `what`, of `total` steps; 0 when the number is not known.
    #[must_use]
    pub fn new(what: &str, total: u64) -> Self {
        let bar = ProgressBar::with_draw_target(
            (total > 0).then_some(total),
            ProgressDrawTarget::stderr_with_hz(10),
        );
        let template = if total > 0 {
            "{msg:22!} {wide_bar} {percent:>3} %  {done} of {all}  {rate}"
        } else {
            "{msg:22!} {spinner} {done}  {rate}"
        };
        let style = ProgressStyle::with_template(template).expect("a constant template");
        let style = style
            .with_key("done", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&human::count(state.pos() as f64));
            })
            .with_key("all", |state: &ProgressState, out: &mut dyn Write| {
                let _ = out.write_str(&human::count(state.len().unwrap_or(0) as f64));
            })
            .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{}/s", human::count(state.per_sec().round()));
            });
        bar.set_style(style.progress_chars("━━─"));
        bar.set_message(what.to_owned());
        if bar.is_hidden() {
            return Self { bar };
        }
        bar.tick();
        // A step that takes long without `add` still shows that the run is alive.
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// No line.
    #[must_use]
    pub fn silent() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// `steps` more are done. An atomic addition, but call it every few thousand events all the
    /// same.
    pub fn add(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// Steps done so far.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.bar.position()
    }

    /// What is being done now.
    pub fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
