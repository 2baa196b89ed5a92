//! Maps. What a removal of a key does to a concurrent change of it is the difference.
//!
//! | type | values | remove ∥ change | remembers removed keys |
//! |---|---|---|---|
//! | [`LwwMap`] | anything, replaced whole | the later stamp | until `forget_before` |
//! | [`OrMap`] | causal types, any depth, merged | the change stays, what the remover saw goes | no |

mod last_write;
mod observed;

pub use last_write::LwwMap;
pub use observed::OrMap;
