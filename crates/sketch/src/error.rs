use core::fmt;

/// A parameter that no sketch can be built with: which, its value, and what it may be.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ParamError {
    /// A real number outside its range, or not a number.
    Real {
        /// The parameter.
        what: &'static str,
        /// Its value.
        value: f64,
        /// The least it may be.
        min: f64,
        /// The most it may be.
        max: f64,
    },
    /// A whole number outside its range.
    Whole {
        /// The parameter.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
}

#[allow(dead_code, reason = "a build without families")]
impl ParamError {
    /// `value` if it is a number between `min` and `max`.
    pub(crate) fn real(what: &'static str, value: f64, min: f64, max: f64) -> Result<f64, Self> {
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(Self::Real { what, value, min, max })
        }
    }

    /// `value` if it is between `min` and `max`.
    pub(crate) fn whole(what: &'static str, value: u64, min: u64, max: u64) -> Result<u64, Self> {
        if (min..=max).contains(&value) {
            Ok(value)
        } else {
            Err(Self::Whole { what, value, min, max })
        }
    }
}

impl fmt::Display for ParamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real { what, value, min, max } => {
                write!(f, "{what} is {value}, it may be {min} to {max}")
            }
            Self::Whole { what, value, min, max } => {
                write!(f, "{what} is {value}, it may be {min} to {max}")
            }
        }
    }
}

impl core::error::Error for ParamError {}

/// Two sketches that cannot be merged: which property differs, and how.
///
/// The sketch that was to be merged into is left as it was.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incompatible {
    /// The property that differs.
    pub what: &'static str,
    /// Its value in the sketch merged into.
    pub ours: u64,
    /// Its value in the other.
    pub theirs: u64,
}

#[allow(dead_code, reason = "a build without families")]
impl Incompatible {
    /// Refuses a property in which two sketches differ.
    pub(crate) fn unless_equal(what: &'static str, ours: u64, theirs: u64) -> Result<(), Self> {
        if ours == theirs { Ok(()) } else { Err(Self { what, ours, theirs }) }
    }
}

impl fmt::Display for Incompatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, ours, theirs } = self;
        write!(f, "sketches differ in {what}: {ours} here, {theirs} there")
    }
}

impl core::error::Error for Incompatible {}
