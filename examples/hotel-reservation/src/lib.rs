//! Hotel reservation, design 15: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`places`], [`search`] | real places, hotels around them; what is free |
//! | [`desk`] | nights and stays in SQLite: hold, confirm, release, modify |
//! | [`booking`] | one booking, step by step: lease, look, hold, front desk, release |
//! | [`provider`], [`world`] | payments that go wrong; everybody at once, and every promise checked |
//! | [`layers`], [`engine`], [`explore`] | the four layers as switches, every interleaving of two clients |
//! | [`contention`], [`overbook`] | 1,000 clients and one room; how many rooms too many |
//! | [`faults`], [`experiments`] | what an interviewer asks; the trade-offs |
//! | [`design`], [`claims`], [`outline`] | what is promised, what was found, how it is shown |

pub mod booking;
pub mod claims;
pub mod contention;
pub mod design;
pub mod desk;
pub mod engine;
pub mod experiments;
pub mod explore;
pub mod faults;
pub mod input;
pub mod layers;
pub mod outline;
pub mod overbook;
pub mod places;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod provider;
#[cfg(feature = "redis")]
pub mod redis_leases;
pub mod scenario;
pub mod search;
pub mod world;
