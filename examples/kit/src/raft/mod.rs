//! A replicated log with an elected leader (feature `sim`): Raft (Ongaro and Ousterhout, In search
//! of an understandable consensus algorithm, USENIX ATC 2014), without I/O.
//!
//! Elections, replication, commitment and reads that are as good as a write (read index). What a
//! design studies must be seen: so each of the four rules that make it safe can be switched off
//! ([`Rules`]), and then a seed shows what breaks. Without snapshots and changes of membership: the
//! logs of a simulation are short.

mod message;
mod node;
#[cfg(test)]
mod tests;

pub use message::{Entry, Message};
pub use node::{Durable, NotLeader, Raft, Role, Rules, Timing};
