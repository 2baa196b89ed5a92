//! What is counted of an event.

use crate::input::{Batch, Format, Row};
use std::fmt;

/// What is counted of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Field {
    /// What was asked for; the whole line of a plain log
    Url,
    /// Who asked
    Host,
    /// Status and URL together: which page is missing most often
    StatusUrl,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Url, Self::Host, Self::StatusUrl];

    /// Those that a log of this format has.
    #[must_use]
    pub fn of(format: Format) -> &'static [Self] {
        match format {
            Format::Plain => &Self::ALL[..1],
            Format::Clf | Format::Tsv => &Self::ALL,
        }
    }

    /// The key of an event.
    #[inline]
    #[must_use]
    pub fn key<'a>(self, batch: &'a Batch, row: &Row) -> &'a str {
        match self {
            Self::Url => batch.url(row),
            Self::Host => batch.host(row),
            Self::StatusUrl => batch.status_url(row),
        }
    }

    /// The name as it is on the command line and in the HTTP API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Host => "host",
            Self::StatusUrl => "status-url",
        }
    }

    /// The field of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
