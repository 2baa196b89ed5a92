//! What is compared, a folder an area. An area is a list of entries; an entry makes its rows when
//! it is run, so that nobody pays for the workload of another.

use std::sync::Arc;

use crate::measure::{Budget, Race};
use crate::row::Row;

/// The areas that have rows, and the cargo feature of the same name that builds them.
macro_rules! areas {
    ($($name:literal => $module:ident),* $(,)?) => {
        $(#[cfg(feature = $name)] mod $module;)*

        /// Every area that has rows, built in or not.
        pub const NAMES: &[&str] = &[$($name),*];

        /// The area, or `None` if it is not built in (or not there at all).
        #[must_use]
        pub fn find(name: &str) -> Option<Area> {
            match name {
                $(#[cfg(feature = $name)] $name => Some($module::area()),)*
                _ => None,
            }
        }
    };
}

areas! {
    "cache" => cache,
    "core" => core,
    "ratelimit" => ratelimit,
    "hashring" => hashring,
    "crdt" => crdt,
    "lock" => lock,
    "sketch" => sketch,
    "geo" => geo,
}

/// The rows of one crate against its peers.
pub struct Area {
    pub name: &'static str,
    /// The crates whose versions RESULTS.md names.
    pub crates: &'static [&'static str],
    pub entries: Vec<Entry>,
}

/// One goal on one workload. Entries called `<area>.trace...` are for `--trace` and absent without.
pub struct Entry {
    pub id: String,
    pub kind: Kind,
}

pub enum Kind {
    /// Timed against peers; criterion runs it too.
    Race(Make<Race>),
    /// Bytes, accuracy, hit ratios, tails: whatever is not a mean time.
    Rows(Make<Vec<Row>>),
}

type Make<T> = Box<dyn Fn(&Run) -> T>;

/// How this run was asked for.
#[derive(Clone, Debug)]
pub struct Run {
    /// Leave out what does not fit into a minute.
    pub quick: bool,
    /// The keys of the user's own file.
    pub trace: Option<Arc<Trace>>,
    /// For each race.
    pub budget: Budget,
}

/// A file of keys, one a line.
#[derive(Debug)]
pub struct Trace {
    pub name: String,
    pub keys: Vec<String>,
}

impl Area {
    #[must_use]
    pub fn new(name: &'static str, crates: &'static [&'static str]) -> Self {
        Self { name, crates, entries: Vec::new() }
    }

    /// A timed entry. Its rows are `id/suffix`, one an opponent.
    pub fn race(&mut self, id: impl Into<String>, make: impl Fn(&Run) -> Race + 'static) {
        self.entries.push(Entry { id: id.into(), kind: Kind::Race(Box::new(make)) });
    }

    /// An entry that makes its rows itself; their ids begin with `id`.
    pub fn rows(&mut self, id: impl Into<String>, make: impl Fn(&Run) -> Vec<Row> + 'static) {
        self.entries.push(Entry { id: id.into(), kind: Kind::Rows(Box::new(make)) });
    }
}

impl Entry {
    /// Runs it.
    #[must_use]
    pub fn run(&self, run: &Run) -> Vec<Row> {
        match &self.kind {
            Kind::Race(make) => make(run).rows(&self.id, &run.budget),
            Kind::Rows(make) => make(run),
        }
    }
}

impl std::fmt::Debug for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Area({}, {} entries)", self.name, self.entries.len())
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Race(_) => "Race",
            Self::Rows(_) => "Rows",
        })
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_area_built_in_has_unique_ids_that_begin_with_its_name() {
        for area in NAMES.iter().filter_map(|name| find(name)) {
            let mut ids: Vec<&str> = area.entries.iter().map(|entry| entry.id.as_str()).collect();
            assert!(!ids.is_empty(), "{} has no entries", area.name);
            assert!(ids.iter().all(|id| id.starts_with(&format!("{}.", area.name))), "{ids:?}");
            ids.sort_unstable();
            assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
        }
    }
}
