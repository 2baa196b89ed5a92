//! A summary a pane, the last few panes merged: what a window is made of.

use archstone_sketch::Merge;

/// A ring of panes, each with a summary of its own.
#[derive(Clone, Debug)]
pub struct Windowed<S> {
    panes: Vec<Option<(u64, S)>>,
    empty: S,
}

impl<S: Merge + Clone> Windowed<S> {
    /// `panes` copies of `empty`.
    #[must_use]
    pub fn new(panes: usize, empty: S) -> Self {
        Self { panes: vec![None; panes.max(1)], empty }
    }

    /// The summary of pane `now`, which takes the place of the one that left the window.
    pub fn at(&mut self, now: u64) -> &mut S {
        let slot = (now % self.panes.len() as u64) as usize;
        let fresh = || (now, self.empty.clone());
        let pane = self.panes[slot].get_or_insert_with(fresh);
        if pane.0 != now {
            *pane = fresh();
        }
        &mut pane.1
    }

    /// The summaries of the last panes up to and with `now`, merged in the order of their time.
    #[must_use]
    pub fn over(&self, now: u64) -> S {
        self.last(now, self.panes.len() as u64)
    }

    /// The same for the last `n` panes only.
    #[must_use]
    pub fn last(&self, now: u64, n: u64) -> S {
        let first = (now + 1).saturating_sub(n);
        let inside = |pane: &&(u64, S)| (first..=now).contains(&pane.0);
        let mut inside: Vec<_> = self.panes.iter().flatten().filter(inside).collect();
        inside.sort_by_key(|pane| pane.0);
        let mut all = self.empty.clone();
        for (_, summary) in inside {
            all.merge(summary).expect("made alike");
        }
        all
    }
}
