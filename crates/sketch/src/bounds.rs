use core::fmt;

/// An estimate and what it may be off by.
///
/// `lower <= estimate <= upper`. Whether the truth is between them always or with a stated
/// probability is said by the method that returns it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least the truth may be.
    pub lower: f64,
    /// The best single answer.
    pub estimate: f64,
    /// The most the truth may be.
    pub upper: f64,
}

impl Bounds {
    /// Bounds of an answer that is known.
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self { lower: value, estimate: value, upper: value }
    }

    /// Whether `truth` is within the bounds, ends included.
    #[must_use]
    pub fn contains(&self, truth: f64) -> bool {
        (self.lower..=self.upper).contains(&truth)
    }

    /// `upper - lower`.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.upper - self.lower
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", self.estimate, self.lower, self.upper)
    }
}
