//! A Dynamo in one process, design 26.

pub mod carts;
pub mod cluster;
pub mod design;
pub mod engine;
pub mod message;
pub mod node;
pub mod placement;
pub mod registers;
pub mod trials;
pub mod trouble;
pub mod upkeep;
