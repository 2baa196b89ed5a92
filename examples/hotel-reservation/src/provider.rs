//! The payment provider: charges that are declined, time out, happen without an answer, or late.

use kit::saga::Outcome;
use kit::{Stream, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often what goes wrong, in per cent of charges.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    /// Declined.
    pub declined: u64,
    /// It happens, and the answer is lost.
    pub lost: u64,
    /// It does not happen, and nobody says so.
    pub dropped: u64,
    /// No answer, and it happens minutes later, unless it is called off before.
    pub late: u64,
    /// A question that is not answered either.
    pub mute: u64,
}

/// As in a bad week.
pub const ROUGH: Temper = Temper { declined: 8, lost: 6, dropped: 5, late: 6, mute: 25 };

/// One charge, by its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Charge {
    amount: i64,
    captured: i64,
    refunded: i64,
    /// Called off: a charge that is under way does nothing when it arrives.
    void: bool,
    /// Arrives then.
    arrives: Option<Time>,
}

/// The provider. A key is charged once, however often it is asked to.
#[derive(Debug)]
pub struct Provider {
    charges: BTreeMap<u64, Charge>,
    temper: Temper,
    dice: Stream,
    /// Nobody is answered from here to there.
    pub outage: Option<(Time, Time)>,
    /// Charges that were called off while they were under way.
    pub late: u64,
    /// Answers that never came.
    pub unanswered: u64,
}

impl Provider {
    /// No charge yet.
    #[must_use]
    pub const fn new(temper: Temper, dice: Stream) -> Self {
        let charges = BTreeMap::new();
        Self { charges, temper, dice, outage: None, late: 0, unanswered: 0 }
    }

    fn out(&self, now: Time) -> bool {
        self.outage.is_some_and(|(from, to)| from <= now && now < to)
    }

    /// Charges `amount` under `key`.
    pub fn charge(&mut self, key: u64, amount: i64, now: Time) -> Outcome {
        let Temper { declined, lost, dropped, late, .. } = self.temper;
        let roll = self.dice.below(100);
        let delay = self.dice.between(Duration::from_secs(60), Duration::from_secs(1_200));
        if self.out(now) {
            self.unanswered += 1;
            return Outcome::Unknown;
        }
        let charge = self.charges.entry(key).or_insert(Charge { amount, ..Charge::default() });
        if charge.void {
            return Outcome::Failed;
        }
        if charge.captured > 0 {
            return Outcome::Done;
        }
        if roll < declined {
            charge.void = true;
            return Outcome::Failed;
        }
        if roll < declined + dropped + late {
            self.unanswered += 1;
            charge.arrives = (roll >= declined + dropped).then_some(now + delay);
            return Outcome::Unknown;
        }
        charge.captured = amount;
        if roll < declined + dropped + late + lost {
            self.unanswered += 1;
            return Outcome::Unknown;
        }
        Outcome::Done
    }

    /// Whether `key` was charged. What may still arrive is not known.
    pub fn query(&mut self, key: u64, now: Time) -> Outcome {
        if self.out(now) || self.dice.below(100) < self.temper.mute {
            self.unanswered += 1;
            return Outcome::Unknown;
        }
        match self.charges.get(&key) {
            Some(charge) if charge.captured > 0 => Outcome::Done,
            Some(charge) if charge.arrives.is_some() && !charge.void => Outcome::Unknown,
            Some(_) | None => {
                // "It has not happened" is only true if it cannot happen any more.
                self.charges.entry(key).or_default().void = true;
                Outcome::Failed
            }
        }
    }

    /// Calls `key` off: refunds what was charged, and refuses what arrives later.
    pub fn undo(&mut self, key: u64, now: Time) -> Outcome {
        if self.out(now) || self.dice.below(100) < self.temper.mute / 2 {
            self.unanswered += 1;
            return Outcome::Unknown;
        }
        let charge = self.charges.entry(key).or_default();
        self.late += u64::from(charge.arrives.is_some() && !charge.void);
        charge.void = true;
        charge.refunded = charge.captured;
        Outcome::Done
    }

    /// Sets what is kept of `key` to `amount`: a refund or another capture under the same card.
    pub fn settle(&mut self, key: u64, amount: i64) {
        if let Some(charge) = self.charges.get_mut(&key) {
            charge.captured = charge.captured.max(amount);
            charge.refunded = charge.captured - amount;
        }
    }

    /// Charges that were under way arrive.
    pub fn arrive(&mut self, now: Time) {
        for charge in self.charges.values_mut() {
            if charge.arrives.is_some_and(|at| at <= now) {
                charge.arrives = None;
                if !charge.void {
                    charge.captured = charge.amount;
                }
            }
        }
    }

    /// What the guest has paid in the end.
    #[must_use]
    pub fn net(&self, key: u64) -> i64 {
        self.charges.get(&key).map_or(0, |charge| charge.captured - charge.refunded)
    }

    /// Whether a charge is still under way.
    #[must_use]
    pub fn under_way(&self, key: u64) -> bool {
        self.charges.get(&key).is_some_and(|charge| charge.arrives.is_some() && !charge.void)
    }
}
