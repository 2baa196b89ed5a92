//! A Dynamo in one process, design 26: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`node`], [`upkeep`] | one node: what it is asked, and what it does unasked |
//! | [`engine`], [`placement`], [`message`], [`config`] | its table, its ring, its words, its rules |
//! | [`cluster`], [`trouble`] | nodes, network and clients in virtual time; faults |
//! | [`registers`], [`carts`], [`trials`] | clients whose calls can be judged; what is promised |
//! | [`stale`], [`faults`], [`experiments`] | R and W measured; recovery; trade-offs |
//! | [`store`], [`resp`], [`serve`] | the cluster as one store, over Redis' protocol |
//! | [`load`], [`script`], [`redis_load`](crate) | a recorded day; one's own calls; a real Redis |
//! | [`design`], [`claims`], [`outline`] | what is promised, what was found |

pub mod carts;
pub mod claims;
pub mod cluster;
pub mod config;
pub mod design;
pub mod engine;
pub mod experiments;
pub mod faults;
pub mod load;
pub mod message;
pub mod node;
pub mod outline;
pub mod placement;
#[cfg(feature = "redis")]
pub mod redis_load;
pub mod registers;
pub mod resp;
pub mod scenario;
pub mod script;
pub mod serve;
pub mod stale;
pub mod store;
pub mod trials;
pub mod trouble;
pub mod upkeep;
