//! Distinct counting: how many different items a stream had.
//!
//! | type | answers like | bytes at 2 % error | use it when |
//! |---|---|---|---|
//! | [`Hll`] | itself | 2 KiB | counts are the goal: the fastest, estimate in O(1) |
//! | [`UltraLogLog`] | Dynatrace hash4j | 1.5 KiB | memory counts, merges are many, or Java reads it |
//! | [`Theta`] | Apache DataSketches | 20 KiB | sets are intersected, subtracted or compared |
//! | `DsHll` (feature `datasketches`) | Apache DataSketches | 2 KiB | Druid, Spark, Doris read the bytes |
//! | `PgHll` (feature `postgres`) | PostgreSQL `hll` | 1.7 KiB | a PostgreSQL column holds the bytes |
//!
//! All of them are exact while fewer than 64 items were added (for `DsHll`: unless two of them
//! share 32 bits of hash). All of them merge: the sketch of two streams joined is the merge of
//! their sketches.

mod hll;
mod relative_error;
mod small;
pub mod theta;
mod ultra;
mod ultra_estimate;

#[cfg(feature = "datasketches")]
mod datasketches;
#[cfg(feature = "postgres")]
mod postgres;

#[cfg(feature = "datasketches")]
pub use datasketches::{DsHll, DsHllUnion, HllType};
pub use hll::Hll;
#[cfg(feature = "postgres")]
pub use postgres::{PgHll, PgHllParams};
pub use theta::{Theta, ThetaCompact};
pub use ultra::UltraLogLog;

/// How wide bounds are: standard deviations of the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sigmas {
    /// The truth is within in 68.3 % of cases.
    One = 1,
    /// In 95.4 %.
    Two = 2,
    /// In 99.7 %.
    Three = 3,
}

impl Sigmas {
    pub(crate) const fn number(self) -> f64 {
        self as u8 as f64
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

/// How many registers have each value; values are below 64.
fn histogram(registers: &[u8]) -> [u32; 64] {
    // Four tables, so that a run of equal registers does not wait for one counter.
    let mut tables = [[0_u32; 64]; 4];
    let fours = registers.chunks_exact(4);
    for &register in fours.remainder() {
        tables[0][usize::from(register & 63)] += 1;
    }
    for four in fours {
        for (table, register) in tables.iter_mut().zip(four) {
            table[usize::from(register & 63)] += 1;
        }
    }
    core::array::from_fn(|value| tables.iter().map(|table| table[value]).sum())
}

/// Whether `word` has fewer than `n` leading zeros, for `n` up to 63: a shift, where counting them
/// takes four instructions on a baseline x86-64.
#[inline(always)]
fn leads_before(word: u64, n: u8) -> bool {
    word > BEFORE[usize::from(n)]
}

/// The greatest word without a bit set in its first n places: a comparison with memory, where a shift
/// by a register is three operations. As many entries as a byte has values, so that none is checked.
static BEFORE: [u64; 256] = {
    let mut table = [u64::MAX; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = u64::MAX >> (n % 64);
        n += 1;
    }
    table
};
