//! Money in minor units, of one currency each.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// A currency of ISO 4217, with its digits after the point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: [u8; 3],
    digits: u8,
}

/// Those whose digits are not 2 (ISO 4217 list one, 2024-06-25).
const OTHER_DIGITS: [(&[u8; 3], u8); 24] = [
    (b"BHD", 3),
    (b"BIF", 0),
    (b"CLF", 4),
    (b"CLP", 0),
    (b"DJF", 0),
    (b"GNF", 0),
    (b"IQD", 3),
    (b"ISK", 0),
    (b"JOD", 3),
    (b"JPY", 0),
    (b"KMF", 0),
    (b"KRW", 0),
    (b"KWD", 3),
    (b"LYD", 3),
    (b"OMR", 3),
    (b"PYG", 0),
    (b"RWF", 0),
    (b"TND", 3),
    (b"UGX", 0),
    (b"UYW", 4),
    (b"VND", 0),
    (b"VUV", 0),
    (b"XAF", 0),
    (b"XOF", 0),
];

impl Currency {
    /// The euro.
    pub const EUR: Self = Self { code: *b"EUR", digits: 2 };
    /// The Indian rupee.
    pub const INR: Self = Self { code: *b"INR", digits: 2 };
    /// The US dollar.
    pub const USD: Self = Self { code: *b"USD", digits: 2 };
    /// The yen, which has no smaller unit.
    pub const JPY: Self = Self { code: *b"JPY", digits: 0 };

    /// The currency of a code of three capital letters.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] for anything else; whether a code is given to a country is not
    /// looked up.
    pub fn new(code: &str) -> Result<Self, MoneyError> {
        let letters: [u8; 3] = code
            .as_bytes()
            .try_into()
            .ok()
            .filter(|code: &[u8; 3]| code.iter().all(u8::is_ascii_uppercase))
            .ok_or_else(|| MoneyError::Currency(code.to_owned()))?;
        let other = OTHER_DIGITS.iter().find(|(code, _)| **code == letters);
        Ok(Self { code: letters, digits: other.map_or(2, |entry| entry.1) })
    }

    /// Its code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// Digits after the point: 2 for the euro, 0 for the yen, 3 for the Kuwaiti dinar.
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why there is no such amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// No code of a currency.
    Currency(String),
    /// No amount: what it should be, and the text.
    Amount(String),
    /// Two currencies in one sum.
    Mixed(Currency, Currency),
    /// More than 2^63 minor units.
    Overflow,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Currency(code) => write!(f, "no currency: {code:?} (three capital letters)"),
            Self::Amount(text) => write!(f, "no amount: {text:?} (as in \"EUR 12.34\")"),
            Self::Mixed(a, b) => write!(f, "{a} and {b} in one sum"),
            Self::Overflow => write!(f, "an amount beyond 2^63 minor units"),
        }
    }
}

impl Error for MoneyError {}

/// How a fraction of a minor unit is rounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest; halves to the even neighbour, so that many of them do not add up.
    #[default]
    HalfEven,
    /// Towards zero.
    Down,
    /// Away from zero.
    Up,
}

/// An amount of one currency, in its smallest units: exact, and never of two currencies at once.
///
/// ```
/// use kit::money::{Currency, Money, Rounding};
///
/// let price: Money = "EUR 19.99".parse()?;
/// let vat = price.times(19, 100, Rounding::HalfEven)?;
/// assert_eq!(vat.to_string(), "EUR 3.80");
/// let parts = price.allocate(&[1, 1, 1]);
/// assert_eq!(parts[0].plus(parts[1])?.plus(parts[2])?, price);
/// assert!(price.plus(Money::new(5, Currency::JPY)).is_err());
/// # Ok::<(), kit::money::MoneyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// So many minor units: `new(1_999, Currency::EUR)` is EUR 19.99.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, of a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// Minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    fn with(self, other: Self, sum: Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        Ok(Self::new(sum.ok_or(MoneyError::Overflow)?, self.currency))
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`], [`MoneyError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, self.minor.checked_add(other.minor))
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`], [`MoneyError::Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, self.minor.checked_sub(other.minor))
    }

    /// `numerator / denominator` of it: 19/100 for a tax, 3/1 for three nights.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`], also for a denominator of 0.
    pub fn times(
        self,
        numerator: i64,
        denominator: i64,
        how: Rounding,
    ) -> Result<Self, MoneyError> {
        if denominator == 0 {
            return Err(MoneyError::Overflow);
        }
        let product = i128::from(self.minor) * i128::from(numerator);
        let (whole, rest) = (product / i128::from(denominator), product % i128::from(denominator));
        let away = if (product < 0) == (denominator < 0) { 1 } else { -1 };
        let twice = 2 * rest.unsigned_abs();
        let half = twice.cmp(&u128::from(denominator.unsigned_abs()));
        let up = match how {
            Rounding::Down => false,
            Rounding::Up => rest != 0,
            Rounding::HalfEven => half.is_gt() || half.is_eq() && whole % 2 != 0,
        };
        let minor = i64::try_from(if up { whole + away } else { whole });
        Ok(Self::new(minor.map_err(|_| MoneyError::Overflow)?, self.currency))
    }

    /// Splits it by `weights` into parts that add up to it: each gets its share rounded towards
    /// zero, and what is left goes to the first parts whose share was no whole number, a minor unit
    /// each: so no part is a unit or more off its share. All weights
    /// 0 (or none): everything to the first part, if there is one.
    #[must_use]
    pub fn allocate(self, weights: &[u32]) -> Vec<Self> {
        let total: i128 = weights.iter().map(|&weight| i128::from(weight)).sum();
        if total == 0 {
            let part = |at| Self::new(if at == 0 { self.minor } else { 0 }, self.currency);
            return (0..weights.len()).map(part).collect();
        }
        // Each share is at most `minor` in size, so it fits.
        let exact = |weight: u32| i128::from(self.minor) * i128::from(weight);
        let mut parts: Vec<i64> = weights.iter().map(|&w| (exact(w) / total) as i64).collect();
        let mut left = self.minor - parts.iter().sum::<i64>();
        for (part, &weight) in parts.iter_mut().zip(weights) {
            if exact(weight) % total != 0 {
                let unit = left.signum();
                *part += unit;
                left -= unit;
            }
        }
        parts.into_iter().map(|minor| Self::new(minor, self.currency)).collect()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(self.currency.digits);
        let unit = 10_u64.pow(u32::from(self.currency.digits));
        let (sign, size) = (if self.minor < 0 { "-" } else { "" }, self.minor.unsigned_abs());
        write!(f, "{} {sign}{}", self.currency, size / unit)?;
        if digits > 0 { write!(f, ".{:0digits$}", size % unit) } else { Ok(()) }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// `EUR 12.34`: the code, one space, and exactly the currency's digits after the point, or
    /// none of them.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::Amount(text.to_owned());
        let (code, amount) = text.split_once(' ').ok_or_else(wrong)?;
        let currency = Currency::new(code)?;
        let (sign, size) = amount.strip_prefix('-').map_or((1, amount), |size| (-1, size));
        let (whole, fraction) = size.split_once('.').unwrap_or((size, ""));
        let digits = usize::from(currency.digits);
        let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let points = size.contains('.');
        let fits = if points { fraction.len() == digits && digits > 0 } else { true };
        if whole.is_empty() || !numeric(whole) || !numeric(fraction) || !fits {
            return Err(wrong());
        }
        let all = format!("{whole}{fraction:0<digits$}");
        let size: i128 = all.parse().map_err(|_| MoneyError::Overflow)?;
        let minor = i64::try_from(sign * size).map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(minor, currency))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(vec!["EUR", "JPY", "KWD", "CLF"])
            .prop_map(|code| Currency::new(code).unwrap())
    }

    proptest! {
        #[test]
        fn text_and_back(minor: i64, currency in currency()) {
            let money = Money::new(minor, currency);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }

        #[test]
        fn parts_add_up_and_differ_from_their_share_by_less_than_a_unit(minor: i64, weights in prop::collection::vec(0_u32..1_000, 1..9)) {
            let parts = Money::new(minor, Currency::INR).allocate(&weights);
            let sum: i128 = parts.iter().map(|part| i128::from(part.minor())).sum();
            prop_assert_eq!(sum, i128::from(minor));
            let total: u32 = weights.iter().sum();
            for (part, &weight) in parts.iter().zip(&weights) {
                if total > 0 {
                    let share = i128::from(minor) * i128::from(weight);
                    let off = i128::from(part.minor()) * i128::from(total) - share;
                    prop_assert!(off.abs() < i128::from(total));
                    prop_assert!(weight > 0 || part.minor() == 0);
                }
            }
        }

        #[test]
        fn rounding_is_that_of_exact_fractions(minor in -10_000_i64..10_000, n in -500_i64..500, d in 1_i64..60, negative: bool) {
            let d = if negative { -d } else { d };
            let exact = minor as f64 * n as f64 / d as f64;
            let of = |how| Money::new(minor, Currency::EUR).times(n, d, how).unwrap().minor();
            prop_assert_eq!(of(Rounding::Down), exact.trunc() as i64);
            prop_assert_eq!(of(Rounding::Up), if exact < 0.0 { exact.floor() } else { exact.ceil() } as i64);
            prop_assert_eq!(of(Rounding::HalfEven), exact.round_ties_even() as i64);
        }
    }

    #[test]
    fn what_is_no_amount_is_an_error_that_says_so() {
        for text in [
            "",
            "EUR",
            "EUR ",
            "EUR 1.2",
            "EUR 1.234",
            "EUR .50",
            "EUR 1.",
            "EUR +1",
            "JPY 1.0",
            "eur 1",
            "EURO 1",
            "EUR 1 2",
            "EUR --1",
            "EUR 1e5",
        ] {
            let error = text.parse::<Money>().unwrap_err();
            assert!(
                matches!(error, MoneyError::Amount(_) | MoneyError::Currency(_)),
                "{text}: {error}"
            );
        }
        assert_eq!("EUR 92233720368547758.08".parse::<Money>(), Err(MoneyError::Overflow));
        assert_eq!("EUR -92233720368547758.08".parse(), Ok(Money::new(i64::MIN, Currency::EUR)));
        assert_eq!("EUR 7".parse(), Ok(Money::new(700, Currency::EUR)));
        assert_eq!("EUR -0.05".parse(), Ok(Money::new(-5, Currency::EUR)));
        let (max, one) = (Money::new(i64::MAX, Currency::EUR), Money::new(1, Currency::EUR));
        assert_eq!(max.plus(one), Err(MoneyError::Overflow));
        assert_eq!(max.times(2, 1, Rounding::Down), Err(MoneyError::Overflow));
        assert_eq!(max.times(1, 0, Rounding::Down), Err(MoneyError::Overflow));
        let yen = Money::zero(Currency::JPY);
        assert_eq!(one.minus(yen).unwrap_err().to_string(), "EUR and JPY in one sum");
    }
}
