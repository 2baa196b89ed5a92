//! What a set of fences tells, refuses and counts.

use core::fmt;

use archstone_core::Time;

use crate::coord::LatLng;

/// Where and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Where; on the edge to 1 m if it is a crossing (a centimetre on the scale of a city).
    pub at: LatLng,
    /// When, between two fixes by the share of the way.
    pub time: Time,
}

/// What an object did.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It came in.
    Enter(Moment),
    /// It left.
    Exit(Moment),
    /// It passed through between two fixes.
    Cross {
        /// Where its way came in.
        enter: Moment,
        /// Where it last left.
        exit: Moment,
    },
    /// It has stayed for as long as the fence's rules say.
    Dwell(Moment),
    /// It was inside and is not heard of any more: its last fix.
    Lost(Moment),
}

impl What {
    pub(super) fn time(&self) -> Time {
        match self {
            Self::Enter(m) | Self::Exit(m) | Self::Dwell(m) | Self::Lost(m) => m.time,
            Self::Cross { enter, .. } => enter.time,
        }
    }
}

/// An object did something at a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a, F, O> {
    /// Which fence.
    pub fence: &'a F,
    /// Which object.
    pub object: &'a O,
    /// What it did.
    pub what: What,
}

/// Why a fix was not taken; nothing changed but a count in [`Stats`].
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixError {
    /// It is not newer than the object's last.
    Late {
        /// Its time.
        time: Time,
        /// That of the last one.
        last: Time,
    },
    /// A new object, and there are as many as there may be.
    Full {
        /// How many.
        capacity: usize,
    },
}

impl fmt::Display for FixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { time, last } => write!(
                f,
                "a fix of {} ns is not newer than the last, of {} ns",
                time.as_nanos(),
                last.as_nanos()
            ),
            Self::Full { capacity } => write!(f, "a new object, there may be {capacity}"),
        }
    }
}

impl core::error::Error for FixError {}

/// Counts since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Fixes given, refused ones included.
    pub fixes: u64,
    /// Refused as [`FixError::Late`].
    pub late: u64,
    /// Refused as [`FixError::Full`].
    pub full: u64,
    /// Events told.
    pub events: u64,
}
