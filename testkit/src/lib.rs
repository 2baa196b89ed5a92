//! What the tests of Archstone share. Unpublished; a path dev-dependency of the crates.
//!
//! | module | what |
//! |---|---|
//! | [`engine`] | a real Redis, PostgreSQL or NATS on a free port in a temporary folder |
//! | [`alloc`] | a counting global allocator: live bytes, peak and number of allocations, per thread |
//! | [`golden`] | vectors from `.gz`, `.jsonl`, `.csv`, `.tsv`; the larger ones from `$ARCHSTONE_DATA` |
//!
//! A test that needs what is not there says so on standard error and passes ([`skip`]); naming the
//! thing in `$ARCHSTONE_REQUIRE` turns that into a failure, so CI cannot skip by accident.
#![deny(missing_docs)]

pub mod alloc;
#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "golden")]
pub mod golden;

#[cfg(feature = "engine")]
pub use engine::{Engine, require};

use std::io::Write;

/// Says aloud that a test is skipped, or panics when `$ARCHSTONE_REQUIRE` names `what`.
///
/// The line goes to standard error itself: `eprintln!` would be swallowed by the test harness,
/// which shows output of failed tests only.
///
/// # Panics
/// When the comma-separated list in `$ARCHSTONE_REQUIRE` has `what`.
pub fn skip(what: &str, why: &str) {
    let required = std::env::var("ARCHSTONE_REQUIRE").unwrap_or_default();
    assert!(!names(&required, what), "{what} is required (ARCHSTONE_REQUIRE={required}): {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {what}: {why}");
}

/// Whether the comma-separated `list` has `what`.
fn names(list: &str, what: &str) -> bool {
    list.split(',').any(|name| name.trim() == what)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_requirement_is_a_whole_word_of_the_list() {
        assert!(super::names("redis, postgres,nats", "postgres"));
        assert!(!super::names("postgres15", "postgres"));
        assert!(!super::names("", "redis"));
    }
}
