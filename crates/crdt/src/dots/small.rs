use alloc::vec::Vec;

use crate::id::Dot;

/// A few dots: the first without an allocation, which is nearly always the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dots {
    first: Option<Dot>,
    more: Vec<Dot>,
}

impl Dots {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, more: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, dot: Dot) {
        if self.first.is_none() {
            self.first = Some(dot);
        } else {
            self.more.push(dot);
        }
    }

    /// The dots in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = Dot> + '_ {
        self.first.into_iter().chain(self.more.iter().copied())
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl Extend<Dot> for Dots {
    fn extend<I: IntoIterator<Item = Dot>>(&mut self, dots: I) {
        dots.into_iter().for_each(|dot| self.push(dot));
    }
}
