//! Consistency models, design 20: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`script`], [`arena`] | what clients ask; one simulated cluster for every model |
//! | [`log`], [`quorum`], [`causal`], [`eventual`], [`cells`] | the models |
//! | [`models`] | which of them, with what switched off |
//! | [`anomaly`] | what clients saw, and the name of what went wrong |
//! | [`bingo`] | model by anomaly, each cell with its seed and its picture |
//! | [`transfer`], [`likes`], [`clocks`] | real SQLite; the likes service; conflicts |
//! | [`trials`], [`faults`], [`experiments`] | promises under attack; faults; trade-offs |
//! | [`design`], [`claims`], [`outline`] | what is promised, what was found |

pub mod anomaly;
pub mod arena;
pub mod bingo;
pub mod causal;
pub mod cells;
pub mod claims;
pub mod clocks;
pub mod design;
pub mod eventual;
pub mod experiments;
pub mod faults;
pub mod likes;
pub mod log;
pub mod models;
pub mod outline;
pub mod quorum;
pub mod scenario;
pub mod script;
pub mod transfer;
pub mod trials;
