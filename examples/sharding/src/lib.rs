//! Sharding and federation, design 17: read `main.rs`, then [`scenario`], then what it calls.
//!
//! | file | subject |
//! |---|---|
//! | [`scenario`] | the run, top to bottom |
//! | [`input`], [`places`] | who there is, and where |
//! | [`database`] | one shard: a real SQLite file |
//! | [`scheme`], [`layout`] | which shard a row is on; the same rows under each scheme |
//! | [`reshard`] | one shard more while clients read and write |
//! | [`replica`], [`restore`] | primary, copies, promotion; a shard that is lost |
//! | [`gather`] | one question to all shards |
//! | [`hot`] | one key that is too much for a shard |
//! | [`transfer`] | a saga over two shards |
//! | [`schema`] | a schema change, shard by shard |
//! | [`federation`] | four databases by function |
//! | [`trials`], [`experiments`] | promises under attack; trade-offs |
//! | [`design`], [`claims`], [`outline`], [`draw`] | what is promised, what was found, pictures |

pub mod claims;
pub mod database;
pub mod design;
pub mod draw;
pub mod experiments;
pub mod federation;
pub mod gather;
pub mod hot;
pub mod input;
pub mod layout;
pub mod outline;
pub mod places;
pub mod replica;
pub mod reshard;
pub mod restore;
pub mod scenario;
pub mod schema;
pub mod scheme;
pub mod transfer;
pub mod trials;
