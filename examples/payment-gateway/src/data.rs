//! `--data`: one's own orders, a line each.

use crate::gateway::Ask;
use crate::method::Method;
use crate::world::{account, cvv};
use kit::args::Input;
use kit::money::Money;
use kit::{Failure, Time};
use std::io::Read;

/// What was read.
#[derive(Debug, Default)]
pub struct Own {
    /// When, and what.
    pub orders: Vec<(Time, Ask)>,
    /// Lines that are none: number and why.
    pub skipped: Vec<(usize, String)>,
}

/// At most so many orders, and so many bytes.
const MOST: usize = 20_000;
const BYTES: u64 = 4 << 20;

/// `SECONDS MERCHANT KEY METHOD CURRENCY AMOUNT ACCOUNT`; `#` begins a comment.
#[must_use]
pub fn parse(text: &str) -> Own {
    let mut own = Own::default();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match order(line) {
            Ok(order) => own.orders.push(order),
            Err(why) => own.skipped.push((number, why)),
        }
    }
    own.orders.sort_by_key(|order| order.0);
    own
}

fn order(line: &str) -> Result<(Time, Ask), String> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [seconds, merchant, key, method, currency, amount, number] = fields[..] else {
        return Err(format!("{} fields, not 7", fields.len()));
    };
    let seconds: f64 = seconds.parse().map_err(|_| "no seconds".to_owned())?;
    if !(0.0..=1e6).contains(&seconds) {
        return Err("seconds: from 0 to 1,000,000".to_owned());
    }
    let method = Method::named(method).ok_or("no method: card, wallet or upi")?;
    let amount: Money =
        format!("{currency} {amount}").parse().map_err(|_| "no amount: USD 12.34".to_owned())?;
    method.check(number)?;
    let ask = Ask {
        merchant: merchant.to_owned(),
        key: key.to_owned(),
        method,
        amount,
        account: account(number.to_owned()),
        cvv: if method == Method::Card { cvv() } else { None },
        countries: None,
    };
    crate::gateway::check(&ask)?;
    Ok((Time::from_nanos((seconds * 1e9) as u64), ask))
}

/// Reads `input`.
///
/// # Errors
/// When it cannot be read, or holds no order or too many.
pub fn read(input: &Input) -> Result<Own, Failure> {
    let mut text = String::new();
    input.open()?.take(BYTES).read_to_string(&mut text).map_err(|e| format!("{input}: {e}"))?;
    let own = parse(&text);
    if own.orders.is_empty() {
        return Err(format!("{input}: no order in {} lines", text.lines().count()).into());
    }
    if own.orders.len() > MOST {
        return Err(format!("{input}: {} orders, at most {MOST}", own.orders.len()).into());
    }
    Ok(own)
}
