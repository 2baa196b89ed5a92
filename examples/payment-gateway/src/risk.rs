//! How risky a payment is, and why: velocity limits that refuse, and a score with its reasons.

use archstone_ratelimit::{Gcra, Keyed, Quota};
use kit::Time;
use std::time::Duration;

/// A score from here on is refused.
pub const REFUSE: u32 = 80;
/// From here on a person looks at it; the payment goes on.
pub const REVIEW: u32 = 50;

/// What is known of a payment before money moves.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Print of the account.
    pub print: &'a [u8; 16],
    /// Who sells.
    pub merchant: &'a str,
    /// Minor units.
    pub amount: i64,
    /// How often this account has paid before.
    pub before: u64,
    /// Country of the account and of the payer's address, when both are known.
    pub countries: Option<(&'a str, &'a str)>,
}

/// A verdict: what was added up, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Score {
    /// 0 to 100.
    pub points: u32,
    /// Each with its points.
    pub reasons: Vec<(&'static str, u32)>,
}

impl Score {
    /// For the database: "new account 15, large amount 25".
    #[must_use]
    pub fn words(&self) -> String {
        let words = self.reasons.iter().map(|(why, points)| format!("{why} {points}"));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Too many attempts: of what, and when it is worth trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// "card" or "merchant".
    pub of: &'static str,
    /// How long to wait.
    pub wait: Duration,
}

/// Velocity of accounts and merchants. In memory: a restart forgets at most one burst a key.
#[derive(Debug)]
pub struct Risk {
    cards: Keyed<[u8; 16]>,
    merchants: Keyed<String>,
    limited: bool,
}

/// Attempts of one account: 5 at once, 10 an hour.
pub const CARD_BURST: u64 = 5;
/// See [`CARD_BURST`].
pub const CARD_HOURLY: u32 = 10;

impl Risk {
    /// Nobody has tried; without `limited` nobody is ever too fast.
    #[must_use]
    pub fn new(limited: bool) -> Self {
        let card = Gcra::new(Quota::per_hour(CARD_HOURLY).with_burst(CARD_BURST));
        let merchant = Gcra::new(Quota::per_second(200).with_burst(2_000));
        Self {
            cards: Keyed::<[u8; 16]>::builder(card).capacity(1 << 16).build(),
            merchants: Keyed::<String>::builder(merchant).capacity(1 << 12).build(),
            limited,
        }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// [`TooFast`], and the attempt is not counted for the merchant.
    pub fn attempt(&self, now: Time, facts: &Facts<'_>) -> Result<(), TooFast> {
        if !self.limited {
            return Ok(());
        }
        let wait = |denial: archstone_ratelimit::Denial| {
            denial.retry_after().duration().unwrap_or(Duration::from_secs(3_600))
        };
        let card = self.cards.check_at(now, facts.print, 1).ok();
        let _ = card.map_err(|denial| TooFast { of: "card", wait: wait(denial) })?;
        let merchant = self.merchants.check_at(now, facts.merchant, 1).ok();
        merchant.map_err(|denial| TooFast { of: "merchant", wait: wait(denial) }).map(drop)
    }
}

/// The score of a payment: a sum of reasons, so that a person can be told.
#[must_use]
pub fn score(facts: &Facts<'_>) -> Score {
    let mut score = Score::default();
    let mut add = |holds: bool, why, points| {
        if holds {
            score.points += points;
            score.reasons.push((why, points));
        }
    };
    add(facts.before == 0, "new account", 15);
    add((100_000..500_000).contains(&facts.amount), "large amount", 20);
    add(facts.amount >= 500_000, "very large amount", 45);
    add(facts.countries.is_some_and(|(card, payer)| card != payer), "countries differ", 30);
    score.points = score.points.min(100);
    score
}
