use archstone_core::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

/// What happens next, in virtual time.
///
/// Events at one instant come in the order in which they were scheduled, so a run is determined.
/// O(log n) an event.
///
/// ```
/// use kit::Time;
/// use kit::sim::Events;
/// use std::time::Duration;
///
/// let mut events = Events::new();
/// events.after(Duration::from_millis(20), "answer");
/// events.after(Duration::from_millis(5), "request");
/// assert_eq!(events.next(), Some((Time::from_millis(5), "request")));
/// assert_eq!(events.now(), Time::from_millis(5));
/// ```
#[derive(Clone, Debug)]
pub struct Events<E> {
    queue: BinaryHeap<Reverse<Entry<E>>>,
    now: Time,
    scheduled: u64,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    at: Time,
    nth: u64,
    event: E,
}

impl<E> Events<E> {
    /// Nothing to happen; the time is zero.
    #[must_use]
    pub const fn new() -> Self {
        Self { queue: BinaryHeap::new(), now: Time::ZERO, scheduled: 0 }
    }

    /// The instant of the last event taken.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Schedules `event` at `at`; what would lie in the past happens now.
    pub fn at(&mut self, at: Time, event: E) {
        let entry = Entry { at: at.max(self.now), nth: self.scheduled, event };
        self.queue.push(Reverse(entry));
        self.scheduled += 1;
    }

    /// Schedules `event` in `span` from now.
    pub fn after(&mut self, span: Duration, event: E) {
        self.at(self.now + span, event);
    }

    /// Takes the next event and moves the time to it.
    #[expect(clippy::should_implement_trait, reason = "an iterator would hold the queue borrowed")]
    pub fn next(&mut self) -> Option<(Time, E)> {
        let Reverse(entry) = self.queue.pop()?;
        self.now = entry.at;
        Some((entry.at, entry.event))
    }

    /// The same, but only what happens before `end`; otherwise the time moves to `end`.
    pub fn next_before(&mut self, end: Time) -> Option<(Time, E)> {
        if self.next_at().is_some_and(|at| at < end) {
            return self.next();
        }
        self.now = self.now.max(end);
        None
    }

    /// When the next event is.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    /// Events to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.nth).cmp(&(other.at, other.nth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_come_by_time_and_then_by_the_order_of_scheduling(times in prop::collection::vec(0_u64..20, 0..60)) {
            let mut events = Events::new();
            for (nth, &at) in times.iter().enumerate() {
                events.at(Time::from_nanos(at), nth);
            }
            let mut expected: Vec<(u64, usize)> = times.iter().copied().zip(0..).collect();
            expected.sort_unstable();
            let taken: Vec<_> = std::iter::from_fn(|| events.next()).collect();
            let taken: Vec<_> = taken.into_iter().map(|(at, nth)| (at.as_nanos(), nth)).collect();
            prop_assert_eq!(taken, expected);
        }
    }

    #[test]
    fn the_past_is_now_and_the_end_of_time_no_trap() {
        let mut events = Events::new();
        events.at(Time::from_millis(9), 'a');
        events.next();
        events.at(Time::from_millis(3), 'b');
        events.at(Time::MAX, 'c');
        assert_eq!(events.next(), Some((Time::from_millis(9), 'b')));
        assert_eq!(events.next_before(Time::from_millis(20)), None);
        assert_eq!(events.now(), Time::from_millis(20));
        assert_eq!(events.next(), Some((Time::MAX, 'c')));
        events.after(Duration::MAX, 'd');
        assert_eq!((events.next(), events.next(), events.len()), (Some((Time::MAX, 'd')), None, 0));
    }
}
