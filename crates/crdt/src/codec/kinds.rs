//! The first byte of every encoding; never given twice.

pub(super) const VERSION_VECTOR: u8 = 0x40;
pub(super) const CONTEXT: u8 = 0x41;
pub(super) const SIBLINGS: u8 = 0x42;
pub(super) const ITC: u8 = 0x43;
pub(super) const G_COUNTER: u8 = 0x44;
pub(super) const PN_COUNTER: u8 = 0x45;
pub(super) const RESETTABLE: u8 = 0x46;
pub(super) const BOUNDED: u8 = 0x47;
pub(super) const MAX: u8 = 0x48;
pub(super) const MIN: u8 = 0x49;
pub(super) const LWW: u8 = 0x4a;
pub(super) const MULTI_VALUE: u8 = 0x4b;
pub(super) const G_SET: u8 = 0x4c;
pub(super) const TWO_PHASE: u8 = 0x4d;
pub(super) const ADD_WINS: u8 = 0x4e;
pub(super) const REMOVE_WINS: u8 = 0x4f;
pub(super) const SET_DELTA: u8 = 0x50;
pub(super) const ENABLE_WINS: u8 = 0x51;
pub(super) const DISABLE_WINS: u8 = 0x52;
pub(super) const LWW_MAP: u8 = 0x53;
pub(super) const OR_MAP: u8 = 0x54;
pub(super) const TREE: u8 = 0x55;
pub(super) const SEQUENCE: u8 = 0x56;
