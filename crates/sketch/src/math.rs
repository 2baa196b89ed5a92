//! Elementary functions that give the same bits with and without `std`, on every platform.
#![allow(dead_code, reason = "a build without a family does not use its functions")]
#![allow(unused_imports, reason = "the same")]

pub(crate) use libm::{ceil, exp, exp2, expm1, floor, log as ln, log1p, log2, pow, round, sqrt};
