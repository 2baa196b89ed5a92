//! Orders as merchants place them: generated.

use crate::gateway::Ask;
use crate::method::Method;
use crate::vault::luhn;
use crate::world::{account, cvv};
use kit::Stream;
use kit::money::{Currency, Money};

/// Who sells.
pub const MERCHANTS: [&str; 5] = ["acme", "books", "cinema", "dairy", "energy"];

/// The order `nth`: six in ten by card, two by wallet, two by UPI; about 50.00 on average.
#[must_use]
pub fn ask(nth: u64, dice: &mut Stream) -> Ask {
    let method = match dice.below(10) {
        0..6 => Method::Card,
        6 | 7 => Method::Wallet,
        _ => Method::Upi,
    };
    // Exponential, as small payments are many; from 1.00 on.
    let minor = 100 + (dice.exponential() * 4_900.0).min(400_000.0) as i64;
    let currency = if method == Method::Upi { Currency::INR } else { Currency::USD };
    let number = match method {
        Method::Card => card(nth),
        Method::Wallet => format!("4915{nth:08}"),
        Method::Upi => format!("payer{nth}@bank"),
    };
    let merchant = dice.pick(&MERCHANTS).copied().unwrap_or("acme").to_owned();
    Ask {
        merchant,
        key: format!("order-{nth}"),
        method,
        amount: Money::new(minor, currency),
        account: account(number),
        cvv: if method == Method::Card { cvv() } else { None },
        countries: None,
    }
}

/// A card number of a range that no bank has, with its check digit.
#[must_use]
pub fn card(nth: u64) -> String {
    let body = format!("400000{nth:09}");
    (0..10).map(|digit| format!("{body}{digit}")).find(|number| luhn(number)).unwrap_or(body)
}
