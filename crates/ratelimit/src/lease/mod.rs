//! Leased capacity: one server divides a capacity among many clients, each of which limits itself.
//!
//! The protocol is Doorman's (Google, 2016): a client says what it wants and what it holds, the
//! server answers with a share, how long it is good for, when to ask again, and what is safe when
//! the server cannot be reached. Both halves are pure state machines, message and time in, message
//! out; any transport carries the messages, which may be lost, repeated or late.
//!
//! Invariant (L1): after its learning time a server never lets what clients may be using add up to
//! more than the capacity, plus what clients claimed while it was learning. A grant counts until the
//! client confirms a newer one or it runs out, because the newer answer may be lost and the older
//! one late; and clients count a lease from the moment they *sent* the request, so a client's lease
//! never outlives the server's record of it by more than the two clocks' drift.
//!
//! ```
//! use archstone_ratelimit::Time;
//! use archstone_ratelimit::lease::{Client, ClientConfig, Server, ServerConfig};
//! use core::time::Duration;
//!
//! let start = Time::from_secs(100);
//! let config = ServerConfig::new(1_000, Duration::from_secs(60))?;
//! let mut server = Server::new(config, start);
//! let mut clients = [(1, 800), (2, 600)].map(|(id, wants)| Client::new(id, wants, ClientConfig::default()));
//!
//! let now = start + Duration::from_secs(60); // the server has learnt what there was to learn
//! for client in &mut clients {
//!     let request = client.poll(now).expect("a new client asks at once");
//!     let grant = server.handle(request, now)?;
//!     client.granted(grant);
//! }
//! assert_eq!(clients[0].capacity(now), 800);
//! assert_eq!(clients[1].capacity(now), 200, "what the first left");
//! # Ok::<(), archstone_ratelimit::lease::LeaseError>(())
//! ```

mod client;
mod server;

pub use client::{Client, ClientConfig};
pub use server::{Server, ServerConfig, Sharing};

use archstone_core::Time;
use core::fmt;
use core::time::Duration;

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Request {
    /// Who asks; unique among the server's clients.
    pub client: u64,
    /// When it asked, by its own clock; the grant carries it back.
    pub sent: Time,
    /// Units it could use.
    pub wants: u64,
    /// The lease it still uses, if any.
    pub holds: Option<Holding>,
}

/// A lease in use, as its client reports it.
///
/// It lets a restarted server learn what it gave before, and a running one forget the older grants
/// that it would otherwise have to count until they run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// [`Grant::sent`] of the lease.
    pub sent: Time,
    /// Its units.
    pub capacity: u64,
    /// How long it still runs.
    pub runs: Duration,
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    /// Whom it is for.
    pub client: u64,
    /// [`Request::sent`], so that a late answer is dated rightly.
    pub sent: Time,
    /// Units the client may use.
    pub capacity: u64,
    /// How long, counted from `sent`.
    pub lasts: Duration,
    /// When to ask again, counted from `sent`.
    pub refresh: Duration,
    /// Units the client may use when the lease has run out and the server is out of reach.
    pub safe: u64,
}

/// A message or a parameter that the server refuses.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseError {
    /// A lease of no time.
    ZeroLease,
    /// The refresh interval is not shorter than the lease.
    Refresh {
        /// The refresh interval.
        refresh: Duration,
        /// The lease.
        lease: Duration,
    },
    /// More clients than the server keeps records for.
    TooManyClients {
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroLease => f.write_str("a lease must last longer than nothing"),
            Self::Refresh { refresh, lease } => {
                write!(f, "a refresh every {refresh:?} is not sooner than the lease of {lease:?}")
            }
            Self::TooManyClients { limit } => {
                write!(f, "the limit of {limit} clients is reached; try when leases have run out")
            }
        }
    }
}

impl core::error::Error for LeaseError {}
