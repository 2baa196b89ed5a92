//! Optimistic concurrency: a value with a version, changed only by who has seen its latest.

use core::fmt;

/// A value and how often it has been written. Version 0 is before the first writing.
///
/// The same rule as `UPDATE .. SET version = version + 1 WHERE version = $seen`. For sharing between
/// threads put it under a lock of your own: a look and a change are one call.
///
/// ```
/// use archstone_lock::version::Versioned;
///
/// let mut rooms = Versioned::new(10);
/// let (seen, left) = (rooms.version(), *rooms.get());
/// assert_eq!(rooms.compare_and_set(seen, left - 1), Ok(seen + 1));
/// // Somebody else who had seen the same version is told so, and looks again.
/// assert_eq!(rooms.compare_and_set(seen, left - 1).unwrap_err().version, seen + 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Versioned<T> {
    value: T,
    version: u64,
}

/// The value has been written since it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The version now.
    pub version: u64,
}

impl<T> Versioned<T> {
    /// `value`, not written yet.
    pub const fn new(value: T) -> Self {
        Self { value, version: 0 }
    }

    /// What was stored earlier.
    pub const fn from_parts(value: T, version: u64) -> Self {
        Self { value, version }
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.value
    }

    /// How often it has been written.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Writes `value` if the version is still `seen`; returns the new one.
    ///
    /// # Errors
    /// [`Conflict`] when it is another, also when all 2^64 versions are used up.
    pub fn compare_and_set(&mut self, seen: u64, value: T) -> Result<u64, Conflict> {
        let next = self.version.checked_add(1).filter(|_| seen == self.version);
        self.version = next.ok_or(Conflict { version: self.version })?;
        self.value = value;
        Ok(self.version)
    }

    /// Writes what `change` makes of the value; the version goes up by one (and stays at its last).
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        self.version = self.version.saturating_add(1);
        change(&mut self.value)
    }

    /// The value without its version.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value has been written meanwhile, its version is {}", self.version)
    }
}

impl core::error::Error for Conflict {}
