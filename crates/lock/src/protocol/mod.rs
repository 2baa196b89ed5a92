//! Protocols between hosts as pure state machines: input in, output out. Any client carries them.
//!
//! None of them opens a socket, reads a clock or writes a log. Where one must be durable before it
//! goes on, the answer says so, and the machine goes on when it is told that it is.
//!
//! | module | what it gives | what it does not |
//! |---|---|---|
//! | [`redlock`] | a lease held by a majority of independent nodes | a fence: check one at the resource |
//! | [`elect`] | one leader at a time, judged by one's own clock within a stated drift | an answer to a leader that acts without asking `may_act` |
//! | [`saga`] | every step that may have happened is undone, or all are done | isolation: others see the steps in between |
//! | [`two_phase`] | one decision for all, through crashes | progress while the coordinator is away |
//! | [`three_phase`] | progress when the coordinator crashes | one decision when the network is cut |

pub mod elect;
pub mod redlock;
pub mod saga;
pub mod three_phase;
pub mod two_phase;
