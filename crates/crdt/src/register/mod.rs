//! Registers: one value, and what is kept of concurrent writes.
//!
//! | type | concurrent writes | size |
//! |---|---|---|
//! | [`MaxRegister`], [`MinRegister`] | the greatest, the least value | the value |
//! | [`LwwRegister`] | the one with the later stamp | the value and 16 bytes |
//! | [`MvRegister`] | all, until a write has seen them | the values, 16 bytes each, one number a replica |

mod extreme;
mod lww;
mod multi_value;

pub use extreme::{MaxRegister, MinRegister};
pub use lww::LwwRegister;
pub use multi_value::MvRegister;
