//! What clients saw, and whether a correct system could have shown it to them.
//!
//! A [`History`] records calls as clients make them: invoked, returned, or never heard of again.
//! [`linearizable`] looks for one order of the calls that respects real time and that the
//! [`Model`], a plain sequential object, could have answered.

mod history;
mod linearizable;
pub mod models;

pub use history::{Call, CallId, History};
pub use linearizable::{Model, Verdict, linearizable};
