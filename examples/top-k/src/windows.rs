//! The list of the last five minutes, over the log's own time.
//!
//! A window is `n` panes. Tumbling is one pane of five minutes, its list published when the pane
//! ends; sliding is five panes of one minute, its list published every minute. A line that comes
//! late (its pane is closed) is counted in the open pane: nothing published is taken back.

use crate::counters::Hit;
use crate::exact::Exact;
use crate::meter::Meter;
use archstone_sketch::frequency::SpaceSaving;
use archstone_sketch::window::Windowed;
use kit::invariant::Invariant;
use kit::{Invariants, Latencies, Safeguards, Stream};
use std::collections::VecDeque;
use std::time::Duration;

/// The name of the invariant checked here.
pub const WINDOW: &str = "a window's list holds the truth of that window";

/// Counters of a pane: 128 take about 16 KiB and a five-minute list needs ten.
const COUNTERS: usize = 128;

/// One published list.
#[derive(Clone, Debug)]
pub struct List {
    /// `tumbling` or `sliding`.
    pub window: &'static str,
    /// Start, seconds since 1970.
    pub from: u64,
    /// End, exclusive.
    pub until: u64,
    /// The most frequent keys.
    pub top: Vec<Hit>,
    /// What a count may be off by.
    pub bound: u64,
}

impl std::fmt::Display for List {
    /// One line for a history: the first three of the list.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hours, minutes) = (self.until / 3600 % 24, self.until / 60 % 60);
        write!(f, "{} list at {hours:02}:{minutes:02}:", self.window)?;
        self.top.iter().take(3).try_for_each(|hit| write!(f, " {}={}", hit.key, hit.count))
    }
}

/// A window over a log: its lists, and how far they were from the truth.
#[derive(Debug)]
pub struct Window {
    /// `tumbling` or `sliding`.
    pub name: &'static str,
    k: usize,
    summary: Summary,
    truth: Truth,
    lists: Vec<List>,
    /// Time and memory of the summary alone.
    pub meter: Meter,
    /// From an event to the publication of the first list that has it, in the log's time.
    pub delay: Latencies,
    /// What was seen of the lists.
    pub seen: Seen,
}

/// How the lists compare with the truth.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// Lists published.
    pub lists: u64,
    /// Lines that came after their pane was closed.
    pub late: u64,
    /// Places of all lists, and how many of them are held by a key that belongs there.
    pub places: u64,
    /// See `places`.
    pub right: u64,
    /// Lists that could not be compared: a window had more keys than exact counting may hold.
    pub unknown: u64,
    /// The largest over-count of any list.
    pub worst: u64,
    /// The largest bound of any list.
    pub bound: u64,
}

impl Window {
    /// A window of one pane of five minutes.
    #[must_use]
    pub fn tumbling(k: usize, exact_limit: usize, expires: bool) -> Self {
        Self::new("tumbling", 300, 1, k, exact_limit, expires)
    }

    /// A window of five panes of a minute.
    #[must_use]
    pub fn sliding(k: usize, exact_limit: usize, expires: bool) -> Self {
        Self::new("sliding", 60, 5, k, exact_limit, expires)
    }

    fn new(
        name: &'static str,
        pane: u64,
        panes: u64,
        k: usize,
        exact_limit: usize,
        expires: bool,
    ) -> Self {
        let empty = SpaceSaving::new(COUNTERS).expect("128 counters");
        let counts = Windowed::new(pane, panes as usize, empty).expect("a few panes");
        let clock = Clock { pane, panes, open: None };
        Self {
            name,
            k,
            summary: Summary { clock, counts, expires },
            truth: Truth { clock, panes: VecDeque::new(), limit: exact_limit },
            lists: Vec::new(),
            meter: Meter::default(),
            delay: Latencies::default(),
            seen: Seen::default(),
        }
    }

    /// Counts a batch of `(second, key)` and gives the lists that became due to `publish`.
    pub fn add<'a>(
        &mut self,
        events: impl Iterator<Item = (u64, &'a str)> + Clone,
        publish: &mut dyn FnMut(&List),
        check: Option<(&mut Invariants, Invariant)>,
    ) {
        let (summary, lists, name, k) = (&mut self.summary, &mut self.lists, self.name, self.k);
        let n = events.clone().count() as u64;
        self.meter.run(n, || {
            for (time, key) in events.clone() {
                summary.add(time, key, name, k, lists);
            }
        });
        let mut due = self.lists.drain(..);
        let mut check = check;
        for (time, key) in events {
            let late = self.truth.clock.is_late(time);
            self.seen.late += u64::from(late);
            let span = Duration::from_secs(self.truth.clock.pane - time % self.truth.clock.pane);
            self.delay.record(self.name, if late { Duration::ZERO } else { span });
            let seen = &mut self.seen;
            self.truth.add(time, key, &mut |truth| {
                let list = due.next().expect("both close the same panes");
                if let Some((invariants, _)) = &mut check {
                    invariants.event(list.to_string());
                }
                seen.compare(&list, truth, k, check.as_mut());
                publish(&list);
            });
        }
    }

    /// Publishes the window that is still open: the log is at its end.
    pub fn finish(&mut self, publish: &mut dyn FnMut(&List)) {
        let Some(open) = self.truth.clock.open else { return };
        self.summary.close(open, self.name, self.k, &mut self.lists);
        let truth = self.truth.merged(open);
        for list in self.lists.drain(..) {
            self.seen.compare(&list, truth.as_ref(), self.k, None);
            publish(&list);
        }
    }

    /// The list of the window that ends with the open pane.
    #[must_use]
    pub fn now(&self) -> Option<List> {
        self.summary.clock.open.map(|open| self.summary.list(open, self.name, self.k))
    }
}

impl Seen {
    fn compare(
        &mut self,
        list: &List,
        truth: Option<&Exact>,
        k: usize,
        mut check: Option<&mut (&mut Invariants, Invariant)>,
    ) {
        self.lists += 1;
        self.bound = self.bound.max(list.bound);
        let Some(truth) = truth else {
            self.unknown += 1;
            return;
        };
        let kth = truth.kth(k);
        self.places += truth.len().min(k) as u64;
        for hit in &list.top {
            let count = truth.count(&hit.key).unwrap_or(0);
            self.right += u64::from(count >= kth && count > 0);
            self.worst = self.worst.max(hit.count.abs_diff(count));
            if let Some((invariants, invariant)) = &mut check {
                let low = hit.count.saturating_sub(hit.error);
                invariants.check(*invariant, (low..=hit.count).contains(&count), || {
                    let (key, high) = (&hit.key, hit.count);
                    format!("{key} was seen {count} times in the window, listed {low} to {high}")
                });
            }
        }
    }

    /// The share of places that a right key holds.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        (self.places > 0).then(|| self.right as f64 / self.places as f64)
    }
}

/// Which pane is open, and when one ends.
#[derive(Clone, Copy, Debug)]
struct Clock {
    pane: u64,
    panes: u64,
    open: Option<u64>,
}

impl Clock {
    fn is_late(&self, time: u64) -> bool {
        self.open.is_some_and(|open| time / self.pane < open)
    }

    /// The pane of an event at `time`, and those that end before it: at most as many as a window
    /// has, because a window without events has no list.
    fn advance(&mut self, time: u64) -> (u64, std::ops::Range<u64>) {
        let pane = time / self.pane;
        let open = *self.open.get_or_insert(pane);
        let now = pane.max(open);
        self.open = Some(now);
        (now, open..now.min(open.saturating_add(self.panes)))
    }
}

#[derive(Debug)]
struct Summary {
    clock: Clock,
    counts: Windowed<SpaceSaving<String>>,
    /// `--without expiry` counts everything in one pane for ever, as the sample code's
    /// `updateStateByKey` does (its error 7).
    expires: bool,
}

impl Summary {
    #[inline]
    fn add(&mut self, time: u64, key: &str, name: &'static str, k: usize, lists: &mut Vec<List>) {
        let (now, ended) = self.clock.advance(time);
        for pane in ended {
            self.close(pane, name, k, lists);
        }
        let start = if self.expires { now * self.clock.pane } else { 0 };
        if let Some(pane) = self.counts.at(start) {
            pane.add(key);
        }
    }

    fn close(&self, pane: u64, name: &'static str, k: usize, lists: &mut Vec<List>) {
        lists.push(self.list(pane, name, k));
    }

    fn list(&self, pane: u64, name: &'static str, k: usize) -> List {
        let Clock { pane: secs, panes, .. } = self.clock;
        let at = if self.expires { pane * secs } else { 0 };
        let whole = self.counts.over(at, panes as usize).expect("panes are made alike");
        let hit = |h: &archstone_sketch::Hitter<'_, String>| Hit {
            key: h.item.clone(),
            count: h.count,
            error: h.error,
        };
        let until = (pane + 1).saturating_mul(secs);
        List {
            window: name,
            from: until.saturating_sub(secs * panes),
            until,
            top: whole.top(k).iter().map(hit).collect(),
            bound: whole.floor(),
        }
    }
}

#[derive(Debug)]
struct Truth {
    clock: Clock,
    /// The last panes with events, oldest first.
    panes: VecDeque<(u64, Exact)>,
    limit: usize,
}

impl Truth {
    fn add(&mut self, time: u64, key: &str, closed: &mut dyn FnMut(Option<&Exact>)) {
        let (now, ended) = self.clock.advance(time);
        for pane in ended {
            closed(self.merged(pane).as_ref());
        }
        let oldest = (now + 1).saturating_sub(self.clock.panes);
        while self.panes.front().is_some_and(|(pane, _)| *pane < oldest) {
            self.panes.pop_front();
        }
        if self.panes.back().is_none_or(|(pane, _)| *pane != now) {
            self.panes.push_back((now, Exact::new(self.limit)));
        }
        if let Some((_, counts)) = self.panes.back_mut() {
            counts.add(key);
        }
    }

    /// Exact counts of the window that ends with `pane`.
    fn merged(&self, pane: u64) -> Option<Exact> {
        let first = (pane + 1).saturating_sub(self.clock.panes);
        let inside = self.panes.iter().filter(|(at, _)| (first..=pane).contains(at));
        let mut all = Exact::new(self.limit);
        for (_, counts) in inside {
            if !all.merge(counts) {
                return None;
            }
        }
        Some(all)
    }
}

/// Half an hour of a quiet site: every list is compared with a recount of its window.
pub fn trial(dice: &mut Stream, safeguards: &Safeguards, invariants: &mut Invariants) {
    let holds = invariants.declare(WINDOW);
    let expires = safeguards.on("expiry");
    let windows =
        [Window::tumbling(3, usize::MAX, expires), Window::sliding(3, usize::MAX, expires)];
    for mut window in windows {
        let mut now = 807_256_800;
        for _ in 0..600 {
            now += dice.below(7);
            // Now and then a line that another process wrote late.
            let time = if dice.chance(0.02) { now - dice.below(90) } else { now };
            let key = format!("/{}", dice.below(20).min(dice.below(20)));
            let check = Some((&mut *invariants, holds));
            window.add(std::iter::once((time, key.as_str())), &mut |_| (), check);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(mut window: Window, events: &[(u64, &str)]) -> Vec<(u64, u64, String)> {
        let mut all = Vec::new();
        let mut publish = |list: &List| {
            let top: Vec<_> = list.top.iter().map(|h| format!("{}{}", h.key, h.count)).collect();
            all.push((list.from, list.until, top.join(" ")));
        };
        window.add(events.iter().copied(), &mut publish, None);
        window.finish(&mut publish);
        all
    }

    #[test]
    fn a_tumbling_window_forgets_at_its_end() {
        let events = [(600, "a"), (899, "a"), (900, "b"), (1_199, "b"), (1_200, "c")];
        let expected = [(600, 900, "a2"), (900, 1_200, "b2"), (1_200, 1_500, "c1")];
        let found = lists(Window::tumbling(9, 9, true), &events);
        let found: Vec<_> = found.iter().map(|(a, b, c)| (*a, *b, c.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_sliding_window_has_the_last_five_minutes_at_every_minute() {
        let events = [(600, "a"), (660, "b"), (960, "c")];
        let found = lists(Window::sliding(9, 9, true), &events);
        let tops: Vec<_> = found.iter().map(|(_, until, top)| (*until, top.as_str())).collect();
        let expected = [
            (660, "a1"),
            (720, "a1 b1"),
            (780, "a1 b1"),
            (840, "a1 b1"),
            (900, "a1 b1"),
            (960, "b1"),
            (1_020, "c1"),
        ];
        assert_eq!(tops, expected);
    }

    #[test]
    fn a_gap_of_a_year_and_time_that_steps_back_publish_no_endless_rows() {
        let events = [(600, "a"), (32_000_000, "b"), (5, "c"), (u64::MAX, "d"), (0, "e")];
        let found = lists(Window::sliding(9, 9, true), &events);
        assert!(found.len() < 20, "{} lists", found.len());
        assert!(found.iter().any(|(_, _, top)| top == "b1 c1"), "a late line counts now");
    }
}
