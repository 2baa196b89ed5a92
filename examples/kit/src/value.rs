//! One cell: a number with its unit for the reader, the bare number for JSON.

use crate::{human, term};
use serde::{Serialize, Serializer};
use std::time::Duration;

/// A measured value.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Not known, not applicable: `–`, `null`.
    #[default]
    Missing,
    /// Words.
    Text(String),
    /// A whole number, printed with thousands separators.
    Int(u64),
    /// Any number, printed with three significant digits.
    Num(f64),
    /// A count with a decimal prefix: `11.5 M`.
    Count(f64),
    /// Bytes, printed in KiB, MiB ...
    Bytes(u64),
    /// A share of one, printed as per cent.
    Share(f64),
    /// A span; JSON has its nanoseconds.
    Span(Duration),
    /// Yes or no.
    Bool(bool),
}

impl Value {
    /// The value for a reader.
    #[must_use]
    pub fn human(&self) -> String {
        match self {
            Self::Missing => "–".to_owned(),
            Self::Text(text) => term::clean(text),
            Self::Int(n) => human::thousands(*n),
            Self::Num(value) => human::measure(*value),
            Self::Count(value) => human::count(*value),
            Self::Bytes(n) => human::bytes(*n),
            Self::Share(share) => human::percent(*share),
            Self::Span(span) => human::duration(*span),
            Self::Bool(true) => "yes".to_owned(),
            Self::Bool(false) => "no".to_owned(),
        }
    }

    /// Whether it reads as a number, and so stands at the right of its column.
    #[must_use]
    pub const fn is_number(&self) -> bool {
        !matches!(self, Self::Missing | Self::Text(_) | Self::Bool(_))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Int(n) | Self::Bytes(n) => serializer.serialize_u64(*n),
            Self::Num(value) | Self::Count(value) | Self::Share(value) => {
                serializer.serialize_f64(*value)
            }
            Self::Span(span) => {
                serializer.serialize_u64(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
            }
            Self::Bool(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        Self::Int(n)
    }
}

impl From<u32> for Value {
    fn from(n: u32) -> Self {
        Self::Int(n.into())
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Self::Int(n as u64)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Num(value)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<Duration> for Value {
    fn from(span: Duration) -> Self {
        Self::Span(span)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}
