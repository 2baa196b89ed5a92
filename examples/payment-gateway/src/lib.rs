//! Payment gateway, design 8: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`gateway`], [`worker`] | the front: keys and payments; the back: operations and outcomes |
//! | [`state`], [`db`], [`ledger`], [`audit`] | statuses, schema, double entry, the chained log |
//! | [`method`], [`provider`] | three rails; the other company's computer |
//! | [`vault`], [`risk`], [`webhook`], [`settle`] | secrets, velocity and score, telling, the daily match |
//! | [`world`], [`judge`], [`orders`] | the simulation; what must hold; orders |
//! | [`trials`], [`dual`], [`sample`], [`experiments`] | promises under attack; the text's code; trade-offs |
//! | [`serve`], [`bank`], [`http`] | the same gateway over HTTP, with a provider on its own port |
//! | [`design`], [`claims`], [`outline`], [`data`], [`rules`], [`io`] | what is promised, what was found, input |

pub mod audit;
pub mod bank;
pub mod claims;
pub mod data;
pub mod db;
pub mod design;
pub mod dual;
pub mod experiments;
pub mod gateway;
pub mod http;
pub mod io;
pub mod judge;
pub mod ledger;
pub mod method;
pub mod orders;
pub mod outline;
pub mod provider;
pub mod risk;
pub mod rules;
pub mod sample;
pub mod scenario;
pub mod serve;
pub mod settle;
pub mod state;
pub mod trials;
pub mod vault;
pub mod webhook;
pub mod worker;
pub mod world;
