//! How much, how fast: [`Rate`] and [`Quota`].

use core::fmt;
use core::time::Duration;

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
const YEAR: u64 = 365 * DAY;

/// An amount in a period, kept as the two whole numbers it was given as.
///
/// Any rate up to [`Rate::MAX_PER_SECOND`]; the period is 1 ns to 584 years. An amount of 0 is
/// [`Rate::CLOSED`]: nothing ever passes. The constructors are `const`, so a rate can be a
/// `static`.
///
/// ```
/// use archstone_ratelimit::Rate;
/// use core::time::Duration;
///
/// const API: Rate = Rate::per_minute(100);
/// assert_eq!(API, "100/min".parse()?);
/// let link = Rate::new(5_000_000_000, Duration::from_secs(1))?; // bytes
/// assert!(Rate::new(11, Duration::from_nanos(1)).is_err());
/// # let _ = link;
/// # Ok::<(), archstone_ratelimit::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: u64,
    period: u64,
}

impl Rate {
    /// The fastest rate: 10^10 a second, ten a nanosecond.
    pub const MAX_PER_SECOND: u64 = 10 * SECOND;

    /// Nothing ever passes.
    pub const CLOSED: Self = Self { amount: 0, period: SECOND };

    /// `amount` in each second.
    #[must_use]
    pub const fn per_second(amount: u32) -> Self {
        Self { amount: amount as u64, period: SECOND }
    }

    /// `amount` in each minute.
    #[must_use]
    pub const fn per_minute(amount: u32) -> Self {
        Self { amount: amount as u64, period: MINUTE }
    }

    /// `amount` in each hour.
    #[must_use]
    pub const fn per_hour(amount: u32) -> Self {
        Self { amount: amount as u64, period: HOUR }
    }

    /// `amount` in each day of 24 hours.
    #[must_use]
    pub const fn per_day(amount: u32) -> Self {
        Self { amount: amount as u64, period: DAY }
    }

    /// `amount` in each `period`.
    ///
    /// # Errors
    /// [`QuotaError::ZeroPeriod`], [`QuotaError::PeriodTooLong`] over 584 years,
    /// [`QuotaError::TooFast`] over [`Rate::MAX_PER_SECOND`].
    pub const fn new(amount: u64, period: Duration) -> Result<Self, QuotaError> {
        let nanos = period.as_nanos();
        if nanos == 0 {
            return Err(QuotaError::ZeroPeriod);
        }
        if nanos > u64::MAX as u128 {
            return Err(QuotaError::PeriodTooLong { seconds: period.as_secs() });
        }
        if amount as u128 > nanos * (Self::MAX_PER_SECOND / SECOND) as u128 {
            return Err(QuotaError::TooFast { amount, nanos: nanos as u64 });
        }
        Ok(Self { amount, period: nanos as u64 })
    }

    /// Units in each period.
    #[must_use]
    pub const fn amount(self) -> u64 {
        self.amount
    }

    /// The period.
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// The period in nanoseconds, 1 to `u64::MAX`.
    #[must_use]
    pub const fn period_nanos(self) -> u64 {
        self.period
    }

    /// Whether nothing ever passes: the amount is 0.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.amount == 0
    }
}

/// A rate, and how much may pass at once.
///
/// What the burst means is the algorithm's: the capacity of a bucket, the limit of a window.
/// Unless set, it is the amount of the rate: `100/min` lets 100 pass at once, then refills.
///
/// ```
/// use archstone_ratelimit::{Quota, Rate};
///
/// const API: Quota = Quota::per_minute(100).with_burst(20);
/// assert_eq!(API, "100/min burst 20".parse()?);
/// assert_eq!(API.to_string(), "100/min burst 20");
/// assert_eq!(Quota::new(Rate::per_day(5)).burst(), 5);
/// # Ok::<(), archstone_ratelimit::QuotaError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    rate: Rate,
    burst: u64,
}

impl Quota {
    /// The largest burst, 2^61.
    pub const MAX_BURST: u64 = 1 << 61;

    /// Nothing ever passes.
    pub const CLOSED: Self = Self::new(Rate::CLOSED);

    /// `rate` with a burst of its amount, at most [`Quota::MAX_BURST`].
    #[must_use]
    pub const fn new(rate: Rate) -> Self {
        Self { rate, burst: 0 }.with_burst(rate.amount)
    }

    /// `amount` a second, all of it at once if unused.
    #[must_use]
    pub const fn per_second(amount: u32) -> Self {
        Self::new(Rate::per_second(amount))
    }

    /// `amount` a minute, all of it at once if unused.
    #[must_use]
    pub const fn per_minute(amount: u32) -> Self {
        Self::new(Rate::per_minute(amount))
    }

    /// `amount` an hour, all of it at once if unused.
    #[must_use]
    pub const fn per_hour(amount: u32) -> Self {
        Self::new(Rate::per_hour(amount))
    }

    /// `amount` a day, all of it at once if unused.
    #[must_use]
    pub const fn per_day(amount: u32) -> Self {
        Self::new(Rate::per_day(amount))
    }

    /// The same rate with another burst. More than [`Quota::MAX_BURST`] becomes that; 0, or any
    /// burst of a closed rate, closes the quota.
    #[must_use]
    pub const fn with_burst(self, burst: u64) -> Self {
        if self.rate.is_closed() || burst == 0 {
            return Self { rate: self.rate, burst: 0 };
        }
        Self {
            rate: self.rate,
            burst: if burst > Self::MAX_BURST { Self::MAX_BURST } else { burst },
        }
    }

    /// The rate.
    #[must_use]
    pub const fn rate(self) -> Rate {
        self.rate
    }

    /// The most that may pass at once; 0 for a closed quota.
    #[must_use]
    pub const fn burst(self) -> u64 {
        self.burst
    }

    /// Whether nothing ever passes.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.burst == 0
    }

    /// The words of a rule that hold its quota: see [`Quota::from_words`].
    pub(crate) const fn to_words(self) -> [u64; 3] {
        [self.rate.amount, self.rate.period, self.burst]
    }

    pub(crate) const fn from_words(words: [u64; 3]) -> Self {
        Self { rate: Rate { amount: words[0], period: words[1] }, burst: words[2] }
    }
}

impl From<Rate> for Quota {
    fn from(rate: Rate) -> Self {
        Self::new(rate)
    }
}

/// What is wrong with a rate or a quota.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaError {
    /// A period of no time.
    ZeroPeriod,
    /// A period over 584 years.
    PeriodTooLong {
        /// The period, in seconds.
        seconds: u64,
    },
    /// A rate over [`Rate::MAX_PER_SECOND`].
    TooFast {
        /// Units in each period.
        amount: u64,
        /// The period in nanoseconds.
        nanos: u64,
    },
    /// A burst over the limit.
    BurstTooLarge {
        /// The burst asked for.
        burst: u64,
        /// The most it may be.
        limit: u64,
    },
    /// A number that does not fit 64 bits.
    NumberTooLarge {
        /// The byte of the text where it starts.
        at: usize,
    },
    /// Text that is not a quota.
    Syntax {
        /// The byte of the text that was not understood.
        at: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ZeroPeriod => f.write_str("the period is zero"),
            Self::PeriodTooLong { seconds } => {
                write!(f, "a period of {seconds} s is over the limit of {} s", u64::MAX / SECOND)
            }
            Self::TooFast { amount, nanos } => {
                let limit = Rate::MAX_PER_SECOND;
                write!(f, "{amount} in {nanos} ns is over the limit of {limit} a second")
            }
            Self::BurstTooLarge { burst, limit } => {
                write!(f, "a burst of {burst} is over the limit of {limit}")
            }
            Self::NumberTooLarge { at } => write!(f, "the number at byte {at} is over 64 bits"),
            Self::Syntax { at, expected } => write!(f, "at byte {at}: expected {expected}"),
        }
    }
}

impl core::error::Error for QuotaError {}

/// The names that [`fmt::Display`] writes, longest first.
const UNITS: [(u64, &str); 9] = [
    (YEAR, "year"),
    (WEEK, "week"),
    (DAY, "day"),
    (HOUR, "hour"),
    (MINUTE, "min"),
    (SECOND, "s"),
    (1_000_000, "ms"),
    (1_000, "us"),
    (1, "ns"),
];

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(unit, _)| self.period % unit == 0);
        let (unit, name) = whole.copied().unwrap_or((1, "ns"));
        match self.period / unit {
            1 => write!(f, "{}/{name}", self.amount),
            count => write!(f, "{}/{count}{name}", self.amount),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rate.fmt(f)?;
        if *self == Self::new(self.rate) {
            return Ok(());
        }
        write!(f, " burst {}", self.burst)
    }
}

impl core::str::FromStr for Rate {
    type Err = QuotaError;
    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let mut parser = Parser::new(text);
        let rate = parser.rate()?;
        parser.end()?;
        Ok(rate)
    }
}

/// `AMOUNT / [COUNT] UNIT [burst AMOUNT]`: an amount may group its digits with `_` and end in `k`,
/// `M`, `G` (thousands) or `Ki`, `Mi`, `Gi` (of 1024); `per` may stand for `/`; units are `ns` `us`
/// `ms` `s` `min` `h` `day` `week` `year` and their usual other spellings. A bare `m` is refused:
/// it means minutes to some and months to others.
impl core::str::FromStr for Quota {
    type Err = QuotaError;
    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let mut parser = Parser::new(text);
        let rate = parser.rate()?;
        let mut quota = Self::new(rate);
        if parser.word("burst") || parser.word(",burst") || parser.word(", burst") {
            parser.space();
            let burst = parser.amount()?;
            if burst > Self::MAX_BURST {
                return Err(QuotaError::BurstTooLarge { burst, limit: Self::MAX_BURST });
            }
            quota = quota.with_burst(burst);
        }
        parser.end()?;
        Ok(quota)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut parser = Self { text, at: 0 };
        parser.space();
        parser
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, QuotaError> {
        Err(QuotaError::Syntax { at: self.at, expected })
    }

    /// Takes `word` and the space after it, if it is next.
    fn word(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
            self.space();
        }
        found
    }

    fn end(&mut self) -> Result<(), QuotaError> {
        self.space();
        if self.rest().is_empty() { Ok(()) } else { self.fail("`burst` or the end") }
    }

    /// Digits, with `_` between them.
    fn number(&mut self) -> Result<u64, QuotaError> {
        let at = self.at;
        let mut value = 0_u64;
        let mut last = b'_';
        for byte in self.rest().bytes() {
            match byte {
                b'0'..=b'9' => {
                    let digit = u64::from(byte - b'0');
                    let next = value.checked_mul(10).and_then(|tens| tens.checked_add(digit));
                    value = next.ok_or(QuotaError::NumberTooLarge { at })?;
                }
                b'_' if last != b'_' => {}
                _ => break,
            }
            last = byte;
            self.at += 1;
        }
        if last == b'_' { self.fail("a digit") } else { Ok(value) }
    }

    fn amount(&mut self) -> Result<u64, QuotaError> {
        const SUFFIXES: [(&str, u64); 7] = [
            ("Ki", 1 << 10),
            ("Mi", 1 << 20),
            ("Gi", 1 << 30),
            ("k", 1_000),
            ("K", 1_000),
            ("M", 1_000_000),
            ("G", 1_000_000_000),
        ];
        let at = self.at;
        let value = self.number()?;
        for (suffix, factor) in SUFFIXES {
            if self.word(suffix) {
                return value.checked_mul(factor).ok_or(QuotaError::NumberTooLarge { at });
            }
        }
        self.space();
        Ok(value)
    }

    fn rate(&mut self) -> Result<Rate, QuotaError> {
        let amount = self.amount()?;
        if !self.word("/") && !self.word("per ") {
            return self.fail("`/` or `per`");
        }
        let at = self.at;
        let count =
            if self.rest().starts_with(|c: char| c.is_ascii_digit()) { self.number()? } else { 1 };
        self.space();
        let unit = self.unit()?;
        let nanos = count.checked_mul(unit).ok_or(QuotaError::NumberTooLarge { at })?;
        self.space();
        Rate::new(amount, Duration::from_nanos(nanos))
    }

    fn unit(&mut self) -> Result<u64, QuotaError> {
        let rest = self.rest();
        let len = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let nanos = match &rest[..len] {
            "ns" | "nanosecond" | "nanoseconds" => 1,
            "us" | "microsecond" | "microseconds" => 1_000,
            "ms" | "millisecond" | "milliseconds" => 1_000_000,
            "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
            "min" | "mins" | "minute" | "minutes" => MINUTE,
            "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
            "d" | "day" | "days" => DAY,
            "w" | "week" | "weeks" => WEEK,
            "y" | "year" | "years" => YEAR,
            _ => return self.fail("a unit of time: ns us ms s min h day week year"),
        };
        self.at += len;
        Ok(nanos)
    }
}

#[cfg(feature = "serde")]
mod text {
    //! Quotas and rates are text in every format: `"100/min burst 20"`.
    use super::{Quota, Rate};
    use core::{fmt, marker::PhantomData, str::FromStr};

    struct FromText<T>(PhantomData<T>);

    impl<T: FromStr<Err = super::QuotaError>> serde::de::Visitor<'_> for FromText<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a quota such as \"100/min burst 20\"")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    macro_rules! as_text {
        ($type:ty) => {
            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                    to.collect_str(self)
                }
            }
            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                    from.deserialize_str(FromText(PhantomData))
                }
            }
        };
    }
    as_text!(Rate);
    as_text!(Quota);
}
