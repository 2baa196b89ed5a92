//! Where a payment stands, and where it may go.

use std::fmt;

/// The status of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Accepted; nothing is known of the money.
    Pending,
    /// The money is held for us (cards only: the others take it in one step).
    Authorised,
    /// The money is taken.
    Captured,
    /// All of it was given back.
    Refunded,
    /// The payer's bank took it back.
    ChargedBack,
    /// No money moved, and none will.
    Failed,
}

/// Every step there is. The database has the same list and refuses any other (`db.rs`).
pub const ARROWS: [(Status, Status); 7] = {
    use Status::{Authorised, Captured, ChargedBack, Failed, Pending, Refunded};
    [
        (Pending, Authorised),
        (Pending, Captured),
        (Pending, Failed),
        (Authorised, Captured),
        (Authorised, Failed),
        (Captured, Refunded),
        (Captured, ChargedBack),
    ]
};

impl Status {
    /// All, in the order of a payment's life.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Authorised,
        Self::Captured,
        Self::Refunded,
        Self::ChargedBack,
        Self::Failed,
    ];

    /// As the database and the API write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorised => "authorised",
            Self::Captured => "captured",
            Self::Refunded => "refunded",
            Self::ChargedBack => "charged_back",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the payer can be told how it went.
    #[must_use]
    pub const fn is_answer(self) -> bool {
        !matches!(self, Self::Pending | Self::Authorised)
    }

    /// Whether it may become `to`.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        ARROWS.contains(&(self, to))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
