//! What a limiter says to its clients, and what a client reads from a server.
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `RateLimit-Policy`, `RateLimit` (IETF draft 10, RFC 9651 lists) | [`Policies`], [`Limits`] | [`parse::policies`], [`parse::limits`] |
//! | `RateLimit: limit=, remaining=, reset=` (drafts 4 to 7) | - | [`parse::limits`] |
//! | `RateLimit-Limit`, `-Remaining`, `-Reset` (drafts up to 3) | - | [`parse::Fields`] |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | [`Legacy`] | [`parse::Fields`] |
//! | `Retry-After` | [`RetryAfter`] | [`parse::retry_after`] (seconds or any HTTP date) |
//! | `application/problem+json` body | [`Problem`] | - |
//!
//! Everything written is a [`Display`](core::fmt::Display) over borrowed parts: no allocation until
//! the server's own buffer. Nothing here knows an HTTP library.
//!
//! ```
//! use archstone_ratelimit::headers::{Limit, Limits, Policies, Policy, RetryAfter};
//! use core::time::Duration;
//!
//! let policies = [Policy::new("burst", 100)?.window(60), Policy::new("daily", 1_000)?.window(86_400)];
//! assert_eq!(Policies(&policies).to_string(), r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
//!
//! let limits = [Limit::new("burst", 7)?.reset(Duration::from_millis(12_300))];
//! assert_eq!(Limits(&limits).to_string(), r#""burst";r=7;t=13"#);
//!
//! // A denied request never hears "retry now".
//! assert_eq!(RetryAfter(Duration::from_millis(3)).to_string(), "1");
//! # Ok::<(), archstone_ratelimit::headers::FieldError>(())
//! ```

mod http_date;
mod pacer;
pub mod parse;
mod structured;
mod write;

pub use pacer::Pacer;
pub use write::{
    Legacy, Limit, Limits, Policies, Policy, Problem, ProblemKind, Reset, RetryAfter, Unit,
};

use core::fmt;

/// Field name of [`Policies`].
pub const RATELIMIT_POLICY: &str = "RateLimit-Policy";
/// Field name of [`Limits`].
pub const RATELIMIT: &str = "RateLimit";
/// Field name of [`RetryAfter`].
pub const RETRY_AFTER: &str = "Retry-After";
/// Media type of [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The greatest integer of a structured field (RFC 9651, 3.3.1): fifteen digits.
pub const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A value that a structured field cannot carry.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// A name with a character outside printable ASCII.
    Name {
        /// The character.
        character: char,
        /// Its byte offset in the name.
        at: usize,
    },
    /// A number over [`MAX_INTEGER`].
    TooLarge {
        /// The number.
        value: u64,
    },
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { character, at } => {
                write!(f, "{character:?} at byte {at} of the name: only printable ASCII is allowed")
            }
            Self::TooLarge { value } => {
                write!(f, "{value} is over {MAX_INTEGER}, the most a structured field carries")
            }
        }
    }
}

impl core::error::Error for FieldError {}
