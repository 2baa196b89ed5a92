//! Archstone beside its peers.
//!
//! | module | what |
//! |---|---|
//! | [`workload`] | seeded inputs: Zipf, a measured rank curve, uniform, all distinct, real words and logs |
//! | [`measure`] | [`Runner`](measure::Runner) and the interleaved rounds |
//! | [`memory`] | bytes and allocations by the counting allocator |
//! | [`row`] | one comparison: ratio, goal, whether it holds, its JSON line |
//! | [`areas`] | what is compared, a folder an area |
//! | [`compare`] | the command line |
//! | [`results`] | `results/<area>.jsonl` and the `RESULTS.md` written from them |
//!
//! How to add a contender or a row: `README.md`.

pub mod areas;
pub mod compare;
pub mod measure;
pub mod memory;
#[cfg(any(feature = "geo", feature = "lock"))]
mod redis;
pub mod results;
pub mod row;
pub mod workload;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
