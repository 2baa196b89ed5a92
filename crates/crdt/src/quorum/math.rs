use core::fmt;

/// Numbers that make no quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuorumError {
    /// Copies.
    pub n: u32,
    /// Answers that a read waits for.
    pub r: u32,
    /// Acknowledgements that a write waits for.
    pub w: u32,
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n, r, w } = self;
        write!(f, "R={r} and W={w} must be between 1 and N={n}, and N at most {}", Quorum::MAX_N)
    }
}

impl core::error::Error for QuorumError {}

/// N copies, of which a read asks R and a write waits for W.
///
/// R + W > N means that every read set meets every write set, no more: it is not linearizable.
/// A write that reached some copies and failed may be seen by one read and not by the next, unless
/// reads write back what they found; a sloppy quorum, which counts stand-ins, loses the
/// intersection; and with W ≤ N/2 two writes can both succeed without meeting.
///
/// ```
/// use archstone_crdt::quorum::Quorum;
///
/// let dynamo = Quorum::new(3, 2, 2)?;
/// assert!(dynamo.is_strict() && dynamo.writes_meet());
/// assert_eq!((dynamo.tolerates_read(), dynamo.tolerates_write()), (1, 1));
/// let fast = Quorum::new(3, 1, 1)?;
/// assert!((fast.stale_probability() - 2.0 / 3.0).abs() < 1e-12);
/// # Ok::<(), archstone_crdt::quorum::QuorumError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    n: u32,
    r: u32,
    w: u32,
}

impl Quorum {
    /// The most copies.
    pub const MAX_N: u32 = 1_000;

    /// `n` copies, reads of `r`, writes of `w`.
    ///
    /// # Errors
    /// Unless `1 <= r, w <= n <= 1,000`.
    pub const fn new(n: u32, r: u32, w: u32) -> Result<Self, QuorumError> {
        if n > Self::MAX_N || r == 0 || w == 0 || r > n || w > n {
            return Err(QuorumError { n, r, w });
        }
        Ok(Self { n, r, w })
    }

    /// Majorities of `n` for both.
    ///
    /// # Errors
    /// Unless `1 <= n <= 1,000`.
    pub const fn majority(n: u32) -> Result<Self, QuorumError> {
        Self::new(n, n / 2 + 1, n / 2 + 1)
    }

    /// Copies.
    #[must_use]
    pub const fn n(self) -> u32 {
        self.n
    }

    /// Answers that a read waits for.
    #[must_use]
    pub const fn r(self) -> u32 {
        self.r
    }

    /// Acknowledgements that a write waits for.
    #[must_use]
    pub const fn w(self) -> u32 {
        self.w
    }

    /// R + W > N: every read set meets every write set.
    #[must_use]
    pub const fn is_strict(self) -> bool {
        self.r + self.w > self.n
    }

    /// 2W > N: every two write sets meet, so one of two concurrent writes sees the other.
    #[must_use]
    pub const fn writes_meet(self) -> bool {
        2 * self.w > self.n
    }

    /// Copies in every read set that every write reaches: R + W - N, or none.
    #[must_use]
    pub const fn overlap(self) -> u32 {
        (self.r + self.w).saturating_sub(self.n)
    }

    /// Copies that may be down while reads go on.
    #[must_use]
    pub const fn tolerates_read(self) -> u32 {
        self.n - self.r
    }

    /// Copies that may be down while writes go on.
    #[must_use]
    pub const fn tolerates_write(self) -> u32 {
        self.n - self.w
    }

    /// The probability that a read finds enough copies when each is up with probability `up`,
    /// independently; NaN when `up` is no probability.
    #[must_use]
    pub fn read_availability(self, up: f64) -> f64 {
        at_least(self.n, self.r, up)
    }

    /// The same for writes.
    #[must_use]
    pub fn write_availability(self, up: f64) -> f64 {
        at_least(self.n, self.w, up)
    }

    /// The probability that a read right after a write, each of random copies and without repair,
    /// meets none that has it: C(N-W, R) / C(N, R); 0 for a strict quorum.
    #[must_use]
    pub fn stale_probability(self) -> f64 {
        (0..self.r).fold(1.0, |p, i| {
            let without = f64::from((self.n - self.w).saturating_sub(i));
            p * without / f64::from(self.n - i)
        })
    }
}

/// At least `k` of `n` with probability `p` each, term by term from the other side where that is
/// shorter.
fn at_least(n: u32, k: u32, p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    // The distribution of the number that are up, one copy after the other.
    let mut up = alloc::vec![0.0; n as usize + 1];
    up[0] = 1.0;
    for copies in 1..=n as usize {
        for i in (1..=copies).rev() {
            up[i] = up[i] * (1.0 - p) + up[i - 1] * p;
        }
        up[0] *= 1.0 - p;
    }
    up[k as usize..].iter().sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of sets, for every N up to 7.
    #[test]
    fn strict_is_that_any_read_set_meets_any_write_set() {
        for n in 1..=7_u32 {
            for r in 1..=n {
                for w in 1..=n {
                    let quorum = Quorum::new(n, r, w).unwrap();
                    let sets = |k: u32| (0_u32..1 << n).filter(move |s| s.count_ones() == k);
                    let meets = |a: u32, b: u32| sets(a).all(|x| sets(b).all(|y| x & y != 0));
                    assert_eq!(quorum.is_strict(), meets(r, w), "{quorum:?}");
                    assert_eq!(quorum.writes_meet(), meets(w, w), "{quorum:?}");
                    let (mut missed, mut pairs) = (0_u32, 0_u32);
                    let mut least = n;
                    for write in sets(w) {
                        for read in sets(r) {
                            pairs += 1;
                            missed += u32::from(write & read == 0);
                            least = least.min((write & read).count_ones());
                        }
                    }
                    let stale = f64::from(missed) / f64::from(pairs);
                    assert!((quorum.stale_probability() - stale).abs() < 1e-12, "{quorum:?}");
                    assert_eq!(quorum.overlap(), least);
                    let p = 0.9_f64;
                    let exact: f64 = (0_u32..1 << n)
                        .filter(|up| up.count_ones() >= r)
                        .map(|up| {
                            let ups = up.count_ones() as i32;
                            p.powi(ups) * (1.0 - p).powi(n as i32 - ups)
                        })
                        .sum();
                    assert!((quorum.read_availability(p) - exact).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn what_makes_no_quorum_is_refused_by_its_numbers() {
        for (n, r, w) in [(0, 0, 0), (3, 0, 1), (3, 1, 0), (3, 4, 1), (3, 1, 4), (1_001, 1, 1)] {
            assert_eq!(Quorum::new(n, r, w), Err(QuorumError { n, r, w }));
        }
        let quorum = Quorum::majority(5).unwrap();
        assert!(
            quorum.read_availability(f64::NAN).is_nan() && quorum.write_availability(2.0).is_nan()
        );
        assert_eq!((quorum.read_availability(0.0), quorum.read_availability(1.0)), (0.0, 1.0));
        assert!(Quorum::new(1_000, 501, 501).unwrap().read_availability(0.5) > 0.48);
    }
}
