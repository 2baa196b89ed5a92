//! The first byte of every encoding of ours, in one place. A number is never used again.
//!
//! 0x10 frequency, 0x20 membership, 0x30 distinct, 0x40 quantiles, 0x50 samples and similarity,
//! 0x60 windows and decay. An owner of a family adds its kinds under its heading.
#![allow(dead_code, reason = "a build without a family does not use its kinds")]

// frequency
pub(crate) const COUNT_MIN: u8 = 0x10;
pub(crate) const SPACE_SAVING: u8 = 0x11;
pub(crate) const SET_SPACE_SAVING: u8 = 0x12;
pub(crate) const LOSSY_COUNTING: u8 = 0x13;
pub(crate) const MISRA_GRIES: u8 = 0x14;
pub(crate) const EXACT: u8 = 0x15;
pub(crate) const HEAVY_KEEPER: u8 = 0x16;
pub(crate) const COUNT_SKETCH: u8 = 0x17;
pub(crate) const TOP_K: u8 = 0x18;

// membership
pub(crate) const BLOOM: u8 = 0x20;
pub(crate) const BLOCK_BLOOM: u8 = 0x21;
pub(crate) const COUNTING_BLOOM: u8 = 0x22;
pub(crate) const SCALABLE_BLOOM: u8 = 0x23;
pub(crate) const CUCKOO: u8 = 0x24;
pub(crate) const BINARY_FUSE: u8 = 0x25;

// distinct
pub(crate) const HLL: u8 = 0x30;
pub(crate) const ULTRA_LOG_LOG: u8 = 0x31;
pub(crate) const THETA: u8 = 0x32;
pub(crate) const THETA_COMPACT: u8 = 0x33;
pub(crate) const DS_HLL: u8 = 0x34;
pub(crate) const PG_HLL: u8 = 0x35;

// quantiles
pub(crate) const KLL: u8 = 0x40;
pub(crate) const REQ: u8 = 0x41;
pub(crate) const T_DIGEST: u8 = 0x42;
pub(crate) const DD_SKETCH: u8 = 0x43;

// samples and similarity
pub(crate) const RESERVOIR: u8 = 0x50;
pub(crate) const WEIGHTED_RESERVOIR: u8 = 0x51;
pub(crate) const MIN_HASH: u8 = 0x52;

// windows and decay
pub(crate) const WINDOWED: u8 = 0x60;
pub(crate) const DECAYED: u8 = 0x61;
