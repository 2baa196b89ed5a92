//! Top K heavy hitters, design 23: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`input`], [`field`], [`keys`] | a log as batches of events; what is counted of one |
//! | [`exact`], [`counters`], [`side_by_side`], [`meter`] | the truth, four summaries, one stream |
//! | [`windows`] | five minutes, tumbling and sliding |
//! | [`big`] | millions of keys from the log's own popularity law |
//! | [`shard`], [`faults`], [`checkpoint`] | workers, their deaths, what they leave behind |
//! | [`trials`], [`sample`], [`adversary`] | guarantees under attack; the sample code's errors |
//! | [`design`], [`claims`], [`outline`] | what is promised, what was found |
//! | [`follow`], [`serve`](crate), [`publish`](crate) | a live log, HTTP, Redis |

use testkit::alloc::Counting;

#[global_allocator]
static ALLOC: Counting = Counting;

pub mod adversary;
pub mod big;
pub mod checkpoint;
pub mod claims;
pub mod counters;
pub mod design;
pub mod exact;
pub mod experiments;
pub mod faults;
pub mod field;
pub mod follow;
pub mod input;
pub mod keys;
pub mod merge;
pub mod meter;
pub mod outline;
pub mod part_one;
#[cfg(feature = "redis")]
pub mod publish;
pub mod sample;
pub mod scenario;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shard;
pub mod side_by_side;
pub mod trials;
pub mod windows;

/// The flags of this design beside those that all share.
#[derive(Clone, Debug)]
pub struct Options {
    /// Length of the lists.
    pub k: usize,
    /// What to count first.
    pub field: Option<field::Field>,
    /// How to read a line, when it is not to be found out.
    pub format: Option<input::Format>,
    /// Distinct keys up to which exact counts are kept.
    pub exact_limit: usize,
    /// Workers of the distributed run.
    pub workers: usize,
    /// Where to write the state.
    pub save: Option<std::path::PathBuf>,
    /// States to merge instead of running.
    pub merge: Vec<std::path::PathBuf>,
    /// Whether the output is for a program.
    pub json: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            k: 10,
            field: None,
            format: None,
            exact_limit: 5_000_000,
            workers: 4,
            save: None,
            merge: Vec::new(),
            json: false,
        }
    }
}

/// A top list as JSON: what `GET /top` and `--merge --json` answer and Redis is given.
#[must_use]
pub fn list_json(top: &[counters::Hit], bound: u64, events: u64) -> serde_json::Value {
    let hit = |hit: &counters::Hit| serde_json::json!({"key": hit.key, "count": hit.count, "at_least": hit.count - hit.error});
    let top: Vec<_> = top.iter().map(hit).collect();
    serde_json::json!({"events": events, "not_listed_at_most": bound, "top": top})
}
