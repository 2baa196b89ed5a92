//! The contract of the reference designs, implemented once.
#![doc = include_str!("../README.md")]
#![deny(missing_docs)]

pub mod args;
pub mod block;
pub mod breaker;
pub mod chart;
#[cfg(feature = "sim")]
pub mod check;
pub mod claims;
pub mod contract;
pub mod design;
pub mod diagram;
pub mod estimate;
pub mod generate;
pub mod human;
pub mod invariant;
pub mod latency;
pub mod lines;
pub mod money;
#[cfg(feature = "plot")]
pub mod plot;
mod print;
pub mod program;
pub mod progress;
#[cfg(feature = "sim")]
pub mod raft;
pub mod report;
pub mod retry;
pub mod run;
#[cfg(feature = "saga")]
pub mod saga;
#[cfg(feature = "sim")]
pub mod sim;
pub mod snapshot;
#[cfg(feature = "sim")]
pub mod space_time;
#[cfg(feature = "store")]
pub mod store;
pub mod table;
pub mod term;
pub mod value;

pub use archstone_core::{Clock, Manual, Monotonic, Time};
pub use args::{Args, Input, Scale};
pub use block::Block;
pub use breaker::Breaker;
pub use claims::{Claim, Claims, Verdict};
pub use design::{Backend, Design, Safeguard, SourceRow};
pub use diagram::Flow;
pub use estimate::Estimate;
pub use generate::{Arrivals, Diurnal, RankCurve, Seed, Stream, Zipf};
pub use invariant::Invariants;
pub use latency::Latencies;
pub use progress::Progress;
pub use report::{Ablation, Capacity, Fault, Report, TradeOff, WorstError};
pub use retry::Retry;
pub use run::{Failure, Run, Safeguards, ablate, parse, run};
pub use table::Table;
pub use term::Terminal;
pub use value::Value;
