//! Three ways to pay, three rails that behave differently, one set of questions and answers.
//!
//! | | card | wallet | UPI |
//! |---|---|---|---|
//! | steps | authorise, then capture | one | one, approved by the payer's telephone |
//! | a request sent twice | is executed twice | gets the first answer (its own idempotency key) | is refused as a duplicate |
//! | after a time-out | only a query can tell | sending again is safe | sending again is refused; query |
//! | the outcome | in the answer | in the answer | in a callback, seconds later |

use crate::vault::luhn;
use std::fmt;

/// How somebody pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Credit or debit card.
    Card,
    /// A wallet, by telephone number.
    Wallet,
    /// UPI, by address.
    Upi,
}

/// What a provider is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Hold money.
    Authorise,
    /// Take what is held.
    Capture,
    /// Hold and take in one.
    Sale,
    /// Give back.
    Refund,
    /// Let go of what is held.
    Void,
}

/// A request to a provider. The reference is the same however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The rail.
    pub method: Method,
    /// What to do; `None` asks what became of `reference`.
    pub kind: Option<Kind>,
    /// `pay_7/capture`.
    pub reference: String,
    /// Which sending of it.
    pub attempt: u32,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// What a capture, refund or void refers to: the provider's own id.
    pub target: Option<String>,
    /// Not to be executed after this instant (microseconds); `i64::MAX`: whenever.
    pub valid_until: i64,
    /// The account, opened for the first step alone.
    pub account: Option<String>,
    /// The CVV, for the first step of a card, if this process still has it.
    pub cvv: Option<crate::vault::Cvv>,
}

/// What a provider says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, under this id of the provider's.
    Approved(String),
    /// Refused for good: why.
    Declined(&'static str),
    /// Not executed: try again later.
    Busy,
    /// Not executed: it came after `valid_until`.
    Expired,
    /// Accepted; the outcome comes later.
    Waiting,
    /// Not executed: this reference was here before.
    Duplicate,
    /// To a query: nothing of this reference was executed, so far.
    NotFound,
}

/// An answer, and to which sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reference of the request.
    pub reference: String,
    /// The attempt of the request.
    pub attempt: u32,
    /// What was said.
    pub outcome: Outcome,
}

/// What the provider tells unasked: the outcome of a reference, or a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Given once; repeats carry the same.
    pub id: String,
    /// What it is about.
    pub reference: String,
    /// The outcome; `None`: the payer's bank takes the money back.
    pub outcome: Option<Outcome>,
}

impl Method {
    /// All.
    pub const ALL: [Self; 3] = [Self::Card, Self::Wallet, Self::Upi];

    /// As the database and the API write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Wallet => "wallet",
            Self::Upi => "upi",
        }
    }

    /// The method of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// The first step, with which money is asked for.
    #[must_use]
    pub const fn first(self) -> Kind {
        match self {
            Self::Card => Kind::Authorise,
            Self::Wallet | Self::Upi => Kind::Sale,
        }
    }

    /// Whether the rail itself executes a reference once only, so that sending again is safe.
    #[must_use]
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Self::Card)
    }

    /// What is wrong with the number of an account.
    ///
    /// # Errors
    /// Words without the number in them: they go into logs.
    pub fn check(self, number: &str) -> Result<(), &'static str> {
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        match self {
            Self::Card if !luhn(number) => {
                Err("no card number: 12 to 19 digits with a check digit")
            }
            Self::Wallet if !(digits && (8..=15).contains(&number.len())) => {
                Err("no telephone number: 8 to 15 digits")
            }
            Self::Upi if !is_upi(number) => Err("no UPI address: name@bank"),
            _ => Ok(()),
        }
    }
}

fn is_upi(address: &str) -> bool {
    let good = |part: &str| {
        (2..=64).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
    };
    address.split_once('@').is_some_and(|(name, bank)| good(name) && good(bank))
}

impl Kind {
    /// As the database writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Capture => "capture",
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::Void => "void",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Authorise, Self::Capture, Self::Sale, Self::Refund, Self::Void];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approved(_) => f.write_str("approved"),
            Self::Declined(why) => write!(f, "declined: {why}"),
            Self::Busy => f.write_str("busy"),
            Self::Expired => f.write_str("expired"),
            Self::Waiting => f.write_str("waiting"),
            Self::Duplicate => f.write_str("duplicate"),
            Self::NotFound => f.write_str("not found"),
        }
    }
}
