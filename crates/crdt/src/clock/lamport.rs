/// A Lamport clock: a number that grows along every chain of messages (Lamport 1978).
///
/// `a` before `b` implies a smaller number; the converse does not hold. For a total order break
/// ties by replica.
///
/// ```
/// use archstone_crdt::clock::Lamport;
///
/// let (mut here, mut there) = (Lamport::new(), Lamport::new());
/// let sent = here.tick().unwrap();
/// let received = there.observe(sent).unwrap();
/// assert!(received > sent);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lamport(u64);

impl Lamport {
    /// Before any event.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The number of the last event.
    #[must_use]
    pub const fn last(self) -> u64 {
        self.0
    }

    /// A local event or a message sent: its number. `None` after `u64::MAX`; the clock stays.
    pub fn tick(&mut self) -> Option<u64> {
        self.0 = self.0.checked_add(1)?;
        Some(self.0)
    }

    /// A message received that was sent at `seen`: the number of the receipt, past both.
    /// `None` when there is none; the clock stays, so a hostile `u64::MAX` spoils nothing.
    pub fn observe(&mut self, seen: u64) -> Option<u64> {
        self.0 = self.0.max(seen).checked_add(1)?;
        Some(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_comes_after_both_and_the_end_is_no_wrap() {
        let mut clock = Lamport::new();
        assert_eq!(
            (clock.tick(), clock.observe(9), clock.observe(3)),
            (Some(1), Some(10), Some(11))
        );
        assert_eq!((clock.observe(u64::MAX), clock.last()), (None, 11));
        assert_eq!(clock.observe(u64::MAX - 1), Some(u64::MAX));
        assert_eq!((clock.tick(), clock.last()), (None, u64::MAX));
    }
}
