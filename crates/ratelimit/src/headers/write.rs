//! Fields and bodies, written without allocation.

use super::structured::{base64, quoted};
use super::{FieldError, MAX_INTEGER};
use core::fmt;
use core::time::Duration;

/// What a policy counts (`qu`).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Requests, the default: written as nothing.
    #[default]
    Requests,
    /// Bytes of content.
    ContentBytes,
    /// Requests in flight.
    ConcurrentRequests,
}

impl Unit {
    /// The name the draft registers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::ContentBytes => "content-bytes",
            Self::ConcurrentRequests => "concurrent-requests",
        }
    }
}

/// One policy of `RateLimit-Policy`: a quota and the window it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy<'a> {
    name: &'a str,
    quota: u64,
    window: Option<u64>,
    unit: Unit,
    partition_key: Option<&'a [u8]>,
}

impl<'a> Policy<'a> {
    /// `quota` units under the policy `name` (printable ASCII).
    pub fn new(name: &'a str, quota: u64) -> Result<Self, FieldError> {
        check(name, quota)?;
        Ok(Self { name, quota, window: None, unit: Unit::Requests, partition_key: None })
    }

    /// The window in seconds, 1 to [`MAX_INTEGER`]; the field cannot say less than a second, so 0
    /// is written as 1.
    pub const fn window(mut self, seconds: u64) -> Self {
        let least = if seconds == 0 { 1 } else { seconds };
        self.window = Some(if least > MAX_INTEGER { MAX_INTEGER } else { least });
        self
    }

    /// What is counted.
    pub const fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Which partition the quota belongs to: opaque bytes, written as base64.
    pub const fn partition_key(mut self, key: &'a [u8]) -> Self {
        self.partition_key = Some(key);
        self
    }
}

impl fmt::Display for Policy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};q={}", quoted(self.name), self.quota)?;
        if self.unit != Unit::Requests {
            write!(f, ";qu={}", quoted(self.unit.as_str()))?;
        }
        if let Some(window) = self.window {
            write!(f, ";w={window}")?;
        }
        write_key(self.partition_key, f)
    }
}

/// One item of `RateLimit`: what is left under a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Limit<'a> {
    name: &'a str,
    remaining: u64,
    reset: Option<u64>,
    partition_key: Option<&'a [u8]>,
}

impl<'a> Limit<'a> {
    /// `remaining` units are left under the policy `name`.
    pub fn new(name: &'a str, remaining: u64) -> Result<Self, FieldError> {
        check(name, remaining)?;
        Ok(Self { name, remaining, reset: None, partition_key: None })
    }

    /// How long until more units come (not: until all have), rounded up to whole seconds.
    pub const fn reset(mut self, after: Duration) -> Self {
        self.reset = Some(ceil_seconds(after));
        self
    }

    /// Says at most `cap` for the reset: a long window told to every client at once invites all of
    /// them back at its end.
    pub const fn reset_capped(self, after: Duration, cap: Duration) -> Self {
        self.reset(if after.as_nanos() > cap.as_nanos() { cap } else { after })
    }

    /// Which partition the quota belongs to: opaque bytes, written as base64.
    pub const fn partition_key(mut self, key: &'a [u8]) -> Self {
        self.partition_key = Some(key);
        self
    }
}

impl fmt::Display for Limit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};r={}", quoted(self.name), self.remaining)?;
        if let Some(reset) = self.reset {
            write!(f, ";t={reset}")?;
        }
        write_key(self.partition_key, f)
    }
}

/// The value of `RateLimit-Policy`.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a>(pub &'a [Policy<'a>]);

impl fmt::Display for Policies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(self.0, f)
    }
}

/// The value of `RateLimit`.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a>(pub &'a [Limit<'a>]);

impl fmt::Display for Limits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(self.0, f)
    }
}

/// The value of `Retry-After` in seconds: rounded up, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", ceil_seconds(self.0).max(1))
    }
}

/// What `X-RateLimit-Reset` means: the field has no standard, so the server must choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Seconds from now, rounded up.
    After(Duration),
    /// Seconds since 1970 (GitHub's meaning).
    UnixSeconds(u64),
}

/// The three `X-RateLimit-*` fields as name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// Units a window.
    pub limit: u64,
    /// Units left.
    pub remaining: u64,
    /// When the window starts anew.
    pub reset: Reset,
}

impl Legacy {
    /// The fields in order: limit, remaining, reset.
    #[must_use]
    pub const fn fields(&self) -> [(&'static str, u64); 3] {
        let reset = match self.reset {
            Reset::After(span) => ceil_seconds(span),
            Reset::UnixSeconds(seconds) => seconds,
        };
        [
            ("X-RateLimit-Limit", self.limit),
            ("X-RateLimit-Remaining", self.remaining),
            ("X-RateLimit-Reset", reset),
        ]
    }
}

/// Why a request was refused, as the draft's problem types name it.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The client's own quota is used up.
    QuotaExceeded,
    /// The server has less to give than usual.
    TemporaryReducedCapacity,
    /// The client behaves unlike any honest one.
    AbnormalUsageDetected,
}

/// The body of a refusal: RFC 9457 problem details with the violated policies.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// What happened.
    pub kind: ProblemKind,
    /// HTTP status, 429 or 503.
    pub status: u16,
    /// Names of the violated policies.
    pub policies: &'a [&'a str],
}

impl fmt::Display for Problem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, title) = match self.kind {
            ProblemKind::QuotaExceeded => ("quota-exceeded", "Quota exceeded"),
            ProblemKind::TemporaryReducedCapacity => {
                ("temporary-reduced-capacity", "Temporarily reduced capacity")
            }
            ProblemKind::AbnormalUsageDetected => {
                ("abnormal-usage-detected", "Abnormal usage detected")
            }
        };
        write!(
            f,
            r#"{{"type":"https://iana.org/assignments/http-problem-types#{kind}","title":"{title}","status":{},"violated-policies":["#,
            self.status
        )?;
        for (i, policy) in self.policies.iter().enumerate() {
            f.write_str(if i == 0 { "\"" } else { ",\"" })?;
            write_json_text(policy, f)?;
            f.write_str("\"")?;
        }
        f.write_str("]}")
    }
}

fn write_json_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            c if (c as u32) < 0x20 => write!(f, "\\u{:04x}", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

fn check(name: &str, number: u64) -> Result<(), FieldError> {
    if let Some((at, character)) = name.char_indices().find(|(_, c)| !matches!(c, ' '..='~')) {
        return Err(FieldError::Name { character, at });
    }
    if number > MAX_INTEGER { Err(FieldError::TooLarge { value: number }) } else { Ok(()) }
}

/// Whole seconds, rounded up, at most what a field carries.
const fn ceil_seconds(span: Duration) -> u64 {
    let seconds = span.as_secs().saturating_add((span.subsec_nanos() > 0) as u64);
    if seconds > MAX_INTEGER { MAX_INTEGER } else { seconds }
}

fn write_key(key: Option<&[u8]>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    key.map_or(Ok(()), |key| write!(f, ";pk=:{}:", base64(key)))
}

fn write_list<T: fmt::Display>(items: &[T], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}
