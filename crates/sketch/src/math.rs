//! Elementary functions that give the same bits with and without `std`, on every platform.
#![allow(dead_code, reason = "a build without a family does not use its functions")]
#![allow(unused_imports, reason = "the same")]

pub(crate) use libm::{ceil, exp, floor, log as ln, log2, pow, sqrt};
