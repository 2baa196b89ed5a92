//! Quantities with units: data, time, money, length, requests, users, items.

use std::fmt;
use std::ops::{Div, Mul};

/// A number with a unit.
///
/// Multiplying and dividing combine units; adding asks for equal ones. What flows (requests,
/// events, messages ...) is one dimension, who causes it (users) another, what is stored (items:
/// songs, rows, files) a third, so that "users x requests / day" needs "requests / user".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// In bits, seconds, dollars, metres, requests, users, items.
    value: f64,
    powers: [i8; DIMENSIONS],
}

/// Why an expression has no meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnitError {
    /// The two are of different kinds.
    Mismatch {
        /// The one.
        left: String,
        /// The other.
        right: String,
    },
    /// No such unit.
    Unknown(String),
    /// No number.
    Number(String),
}

const DIMENSIONS: usize = 7;
const NAMES: [&str; DIMENSIONS] = ["bit", "s", "$", "m", "request", "user", "item"];

const fn base(dimension: usize) -> Quantity {
    let mut powers = [0; DIMENSIONS];
    powers[dimension] = 1;
    Quantity { value: 1.0, powers }
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident = $value:expr, [$($text:literal),+];)+) => {
        $($(#[$doc])* pub const $name: Quantity = $value;)+
        /// Every unit by the names it is written with.
        const TABLE: &[(&str, Quantity)] = &[$($(($text, $name)),+),+];
    };
}

units! {
    /// A plain number.
    ONE = Quantity { value: 1.0, powers: [0; DIMENSIONS] }, ["", "x"];
    /// A bit.
    BIT = base(0), ["bit", "bits"];
    /// 1,000 bits.
    KBIT = BIT.scaled(1e3), ["kbit", "Kbit"];
    /// 10^6 bits.
    MBIT = BIT.scaled(1e6), ["Mbit"];
    /// 10^9 bits.
    GBIT = BIT.scaled(1e9), ["Gbit"];
    /// 10^12 bits.
    TBIT = BIT.scaled(1e12), ["Tbit"];
    /// 10^15 bits.
    PBIT = BIT.scaled(1e15), ["Pbit", "Pb"];
    /// Bits a second.
    BPS = BIT.per(SECOND), ["bps"];
    /// 1,000 bits a second.
    KBPS = KBIT.per(SECOND), ["kbps", "Kbps"];
    /// 10^6 bits a second.
    MBPS = MBIT.per(SECOND), ["Mbps"];
    /// 10^9 bits a second.
    GBPS = GBIT.per(SECOND), ["Gbps"];
    /// 10^12 bits a second.
    TBPS = TBIT.per(SECOND), ["Tbps"];
    /// 8 bits.
    BYTE = BIT.scaled(8.0), ["B", "byte", "bytes"];
    /// 1,000 bytes.
    KB = BYTE.scaled(1e3), ["KB", "kB"];
    /// 10^6 bytes.
    MB = BYTE.scaled(1e6), ["MB"];
    /// 10^9 bytes.
    GB = BYTE.scaled(1e9), ["GB"];
    /// 10^12 bytes.
    TB = BYTE.scaled(1e12), ["TB"];
    /// 10^15 bytes.
    PB = BYTE.scaled(1e15), ["PB"];
    /// 10^18 bytes.
    EB = BYTE.scaled(1e18), ["EB"];
    /// 1,024 bytes.
    KIB = BYTE.scaled(1024.0), ["KiB"];
    /// 2^20 bytes.
    MIB = KIB.scaled(1024.0), ["MiB"];
    /// 2^30 bytes.
    GIB = MIB.scaled(1024.0), ["GiB"];
    /// 2^40 bytes.
    TIB = GIB.scaled(1024.0), ["TiB"];
    /// A second.
    SECOND = base(1), ["s", "sec", "second", "seconds"];
    /// A nanosecond.
    NANOSECOND = SECOND.scaled(1e-9), ["ns"];
    /// A microsecond.
    MICROSECOND = SECOND.scaled(1e-6), ["µs", "us"];
    /// A millisecond.
    MILLISECOND = SECOND.scaled(1e-3), ["ms"];
    /// 60 s.
    MINUTE = SECOND.scaled(60.0), ["min", "minute", "minutes"];
    /// 3,600 s.
    HOUR = SECOND.scaled(3_600.0), ["h", "hour", "hours"];
    /// 86,400 s.
    DAY = SECOND.scaled(86_400.0), ["day", "days", "d"];
    /// 7 days.
    WEEK = DAY.scaled(7.0), ["week", "weeks"];
    /// 30 days.
    MONTH = DAY.scaled(30.0), ["month", "months"];
    /// 365 days.
    YEAR = DAY.scaled(365.0), ["year", "years", "y"];
    /// A dollar.
    USD = base(2), ["$", "USD", "dollar", "dollars"];
    /// A metre.
    METRE = base(3), ["m", "metre", "metres"];
    /// 1,000 m.
    KM = METRE.scaled(1e3), ["km"];
    /// What flows: a request, an event, a message, a call.
    REQUEST = base(4), ["request", "requests", "req", "call", "calls", "query", "queries"];
    /// The same by another name.
    EVENT = REQUEST, ["event", "events", "ev", "message", "messages", "msg", "delivery",
        "deliveries", "write", "writes", "read", "reads", "search", "searches", "view", "views",
        "booking", "bookings", "tx", "operation", "operations", "ops"];
    /// Who causes it: a user, a session, a client.
    USER = base(5), ["user", "users", "DAU", "session", "sessions"];
    /// What is stored: a song, a row, a file.
    ITEM = base(6), ["item", "items", "row", "rows", "file", "files", "song", "songs", "URL",
        "URLs", "block", "blocks", "hotel", "hotels"];
}

impl Quantity {
    /// `factor` of it.
    #[must_use]
    pub const fn scaled(self, factor: f64) -> Self {
        Self { value: self.value * factor, powers: self.powers }
    }

    /// It divided by `other`; `/` where no `const` is needed.
    #[must_use]
    pub const fn per(self, other: Self) -> Self {
        let mut powers = self.powers;
        let mut at = 0;
        while at < DIMENSIONS {
            powers[at] = powers[at].saturating_sub(other.powers[at]);
            at += 1;
        }
        Self { value: self.value / other.value, powers }
    }

    /// It multiplied by `other`; `*` where no `const` is needed.
    #[must_use]
    pub const fn times(self, other: Self) -> Self {
        let mut powers = self.powers;
        let mut at = 0;
        while at < DIMENSIONS {
            powers[at] = powers[at].saturating_add(other.powers[at]);
            at += 1;
        }
        Self { value: self.value * other.value, powers }
    }

    /// The sum of two of a kind.
    pub fn plus(self, other: Self) -> Result<Self, UnitError> {
        self.same_kind(other)?;
        Ok(Self { value: self.value + other.value, powers: self.powers })
    }

    /// The difference of two of a kind.
    pub fn minus(self, other: Self) -> Result<Self, UnitError> {
        self.plus(other.scaled(-1.0))
    }

    /// How many of `unit` it is.
    pub fn in_unit(self, unit: Self) -> Result<f64, UnitError> {
        self.ratio(unit)
    }

    /// It as a multiple of `other`, of the same kind.
    pub fn ratio(self, other: Self) -> Result<f64, UnitError> {
        self.same_kind(other)?;
        Ok(self.value / other.value)
    }

    /// A unit by name: `GB`, `TB/day`, `$/request`, `B/item`; the empty name is a plain number.
    pub fn unit(name: &str) -> Result<Self, UnitError> {
        let find = |name: &str| {
            let name = name.trim();
            let found = TABLE.iter().find(|(text, _)| *text == name);
            found.map(|entry| entry.1).ok_or_else(|| UnitError::Unknown(name.to_owned()))
        };
        let mut parts = name.split('/');
        let mut unit = find(parts.next().unwrap_or_default())?;
        for part in parts {
            if part.trim().is_empty() {
                return Err(UnitError::Unknown(name.to_owned()));
            }
            unit = unit.per(find(part)?);
        }
        Ok(unit)
    }

    /// A figure as a document writes it: `~350 requests/s`, `12K URLs/s`, `$0.175/s`,
    /// `8.64 TB/day`, `640 Gbps`. After the number `K`, `M`, `G` and `T` may scale it.
    pub fn parse(figure: &str) -> Result<Self, UnitError> {
        let text = figure.trim().trim_start_matches(['~', '≈', '<', '>']).trim_start();
        let (money, text) = match text.strip_prefix('$') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let numeric = |c: char| c.is_ascii_digit() || c == '.' || c == ',' || c == '_';
        let end = text.find(|c| !numeric(c)).unwrap_or(text.len());
        let digits: String = text[..end].chars().filter(|c| *c != ',' && *c != '_').collect();
        let value: f64 = digits.parse().map_err(|_| UnitError::Number(figure.to_owned()))?;
        let (factor, rest) = scale(&text[end..]);
        let unit = match (money, rest.trim().strip_prefix('/')) {
            (true, Some(per)) => USD.per(Self::unit(per)?),
            (true, None) => USD.times(Self::unit(rest)?),
            (false, Some(per)) => ONE.per(Self::unit(per)?),
            (false, None) => Self::unit(rest)?,
        };
        Ok(unit.scaled(value * factor))
    }

    fn same_kind(self, other: Self) -> Result<(), UnitError> {
        if self.powers == other.powers {
            return Ok(());
        }
        Err(UnitError::Mismatch { left: self.kind(), right: other.kind() })
    }

    /// Its kind in base units: `bit/s`.
    #[must_use]
    pub fn kind(self) -> String {
        let power = |p: i8| if p.abs() > 1 { format!("^{}", p.abs()) } else { String::new() };
        let part = |sign: i8| {
            let named = NAMES.iter().zip(self.powers).filter(|(_, p)| p.signum() == sign);
            named.map(|(name, p)| format!("{name}{}", power(p))).collect::<Vec<_>>().join("·")
        };
        match (part(1), part(-1)) {
            (over, under) if over.is_empty() && under.is_empty() => "a plain number".to_owned(),
            (over, under) if under.is_empty() => over,
            (over, under) if over.is_empty() => format!("1/{under}"),
            (over, under) => format!("{over}/{under}"),
        }
    }
}

/// A scale letter at the start of `text`, when what follows it is not part of a unit's name.
fn scale(text: &str) -> (f64, &str) {
    let trimmed = text.trim_start();
    let factor = match trimmed.chars().next() {
        Some('K' | 'k') => 1e3,
        Some('M') => 1e6,
        Some('G') => 1e9,
        Some('T') => 1e12,
        _ => return (1.0, trimmed),
    };
    let rest = &trimmed[1..];
    if rest.starts_with(char::is_alphabetic) { (1.0, trimmed) } else { (factor, rest) }
}

impl Mul for Quantity {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.times(other)
    }
}

impl Div for Quantity {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        self.per(other)
    }
}

impl Mul<Quantity> for f64 {
    type Output = Quantity;
    fn mul(self, quantity: Quantity) -> Quantity {
        quantity.scaled(self)
    }
}

impl Mul<f64> for Quantity {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        self.scaled(factor)
    }
}

impl Div<Quantity> for f64 {
    type Output = Quantity;
    fn div(self, quantity: Quantity) -> Quantity {
        ONE.scaled(self).per(quantity)
    }
}

impl Div<f64> for Quantity {
    type Output = Self;
    fn div(self, divisor: f64) -> Self {
        self.scaled(1.0 / divisor)
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch { left, right } => write!(f, "{left} is not {right}"),
            Self::Unknown(name) => write!(f, "no unit is called {name:?}"),
            Self::Number(text) => write!(f, "no number in {text:?}"),
        }
    }
}

impl std::error::Error for UnitError {}
