//! The gateway's back: operations are sent to providers, and what comes back is applied.
//!
//! An operation is *ready*, is noted as *sent* before it is sent, and becomes *done* or *failed* by an
//! outcome. Silence makes it *unknown*, and then only a query tells: on a rail that executes whatever
//! comes, sending again may take the money twice. "Not found" is believed only once the request can no
//! longer be executed (`valid_until`), for until then it may be on its way. A process that finds an
//! operation *sent* after a crash is in the same place, so there is no other way of recovery.

use crate::db::{instant, micros};
use crate::gateway::{Gateway, answer, money, operation, refuse, step, tell};
use crate::io::{Io, Out, Stop};
use crate::ledger;
use crate::method::{Answer, Callback, Kind, Method, Outcome, Request};
use crate::state::Status;
use crate::{audit, webhook};
use kit::retry::Retry;
use kit::store::inbox;
use kit::{Stream, Time};
use rusqlite::{OptionalExtension, Transaction, params};
use std::time::Duration;

/// A provider is silent after this.
pub const TIMEOUT: Duration = Duration::from_millis(1_000);
/// A request is executed so long after it was sent, or never.
pub const VALID: Duration = Duration::from_millis(2_500);
/// How far the clocks of gateway and provider may be apart, and then some.
pub const MARGIN: Duration = Duration::from_millis(500);
/// An operation is sent at most so often.
pub const ATTEMPTS: u32 = 5;
/// Between queries of what waits for a person.
const POLL: Duration = Duration::from_secs(5);

/// 200 ms, doubled, at most 5 s, with full jitter; five in all.
fn backoff() -> Retry {
    Retry::new(Duration::from_millis(200), Duration::from_secs(5), ATTEMPTS)
}

/// When to send again after `made` sendings; `None` when that was the last.
fn again(now: Time, made: u32, stream: &mut Stream) -> Option<Time> {
    let mut attempts = backoff().start(now);
    // The count is durable, the policy's own is not: it is brought up to it.
    for _ in 1..made {
        attempts.failed(now, &mut stream.clone());
    }
    attempts.failed(now, stream)
}

struct Operation {
    reference: String,
    payment: i64,
    kind: Kind,
    amount: i64,
    state: String,
    attempts: u32,
    queries: u32,
    valid_until: i64,
    method: Method,
    currency: String,
    token: String,
    status: Status,
    provider_id: Option<String>,
}

impl Operation {
    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "failed")
    }
}

fn load(change: &Transaction<'_>, reference: &str) -> rusqlite::Result<Option<Operation>> {
    let select = "SELECT o.payment, kind, o.amount, state, attempts, queries, valid_until, method,
             currency, token, status, p.provider_id
         FROM operations AS o JOIN payments AS p USING (payment) WHERE operation = ?1";
    let row = |row: &rusqlite::Row<'_>| {
        // The database checks these names.
        let text = |at| row.get::<_, String>(at);
        Ok(Operation {
            reference: reference.to_owned(),
            payment: row.get(0)?,
            kind: Kind::named(&text(1)?).unwrap_or(Kind::Void),
            amount: row.get(2)?,
            state: text(3)?,
            attempts: row.get(4)?,
            queries: row.get(5)?,
            valid_until: row.get(6)?,
            method: Method::named(&text(7)?).unwrap_or(Method::Card),
            currency: text(8)?,
            token: text(9)?,
            status: Status::named(&text(10)?).unwrap_or(Status::Failed),
            provider_id: row.get(11)?,
        })
    };
    change.prepare_cached(select)?.query_row([reference], row).optional()
}

fn set(change: &Transaction<'_>, reference: &str, state: &str, due: Time) -> rusqlite::Result<()> {
    let update = "UPDATE operations SET state = ?2, due_at = ?3 WHERE operation = ?1";
    change.prepare_cached(update)?.execute(params![reference, state, micros(due)]).map(drop)
}

impl Gateway {
    /// All that can be done now: events published and applied, operations sent or asked after,
    /// webhooks delivered.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn work(&mut self, now: Time, io: &mut Io) -> Result<(), Stop> {
        let select = "SELECT operation FROM operations
             WHERE state IN ('ready', 'sent', 'unknown') AND due_at <= ?1
             ORDER BY due_at, operation LIMIT 1000";
        let due: Vec<String> = self
            .database
            .prepare_cached(select)?
            .query_map([micros(now)], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for reference in due {
            self.advance(now, io, &reference)?;
        }
        if self.fresh && !io.away {
            self.relay(io)?;
            self.consume(now, io)?;
            self.fresh = false;
        }
        self.deliver(now, io)
    }

    /// When there is work again, if nothing comes from outside.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn next_due(&self) -> rusqlite::Result<Option<Time>> {
        let select =
            "SELECT min(due_at) FROM operations WHERE state IN ('ready', 'sent', 'unknown')";
        let due: Option<i64> =
            self.database.prepare_cached(select)?.query_row([], |row| row.get(0))?;
        let hook = webhook::next_due(&self.database)?;
        Ok(due.map(instant).into_iter().chain(hook).min())
    }

    fn advance(&mut self, now: Time, io: &mut Io, reference: &str) -> Result<(), Stop> {
        let change = self.database.transaction()?;
        let Some(op) = load(&change, reference)? else { return Ok(()) };
        match op.state.as_str() {
            "ready" => {
                drop(change);
                self.send(now, io, &op)
            }
            "sent" => {
                if let (Some(call), Some(breaker)) =
                    (self.calls.remove(reference), self.breakers.get_mut(&op.method))
                {
                    breaker.failed(call, now);
                }
                audit::append(&change, now, &format!("{reference}: no answer"))?;
                // Where the rail keeps our reference itself, or the safeguard is off, send again.
                let blind = op.method == Method::Wallet || !self.rules.query_before_retry;
                let again = if blind { again(now, op.attempts, &mut self.stream) } else { None };
                match again {
                    Some(at) => set(&change, reference, "ready", at)?,
                    None => set(&change, reference, "unknown", now)?,
                }
                change.commit()?;
                if again.is_none() { self.advance(now, io, reference) } else { Ok(()) }
            }
            _ if !self.rules.unknown_is_not_failed && op.attempts + op.queries >= ATTEMPTS => {
                // The text: "max 5 attempts, then mark as failed".
                drop(change);
                self.fail(now, &op, "no answer after 5 attempts")?;
                self.committed(now, io)
            }
            _ => {
                // Asking moves no money: as often as it takes, at longer and longer intervals.
                let wait = TIMEOUT.saturating_mul(1 << op.queries.min(6));
                let update = "UPDATE operations SET queries = queries + 1, due_at = ?2
                     WHERE operation = ?1";
                let due = micros(now + wait.min(Duration::from_secs(60)));
                change.prepare_cached(update)?.execute(params![reference, due])?;
                change.commit()?;
                io.out.push(Out::Provider(request(&op, None, op.attempts)));
                io.pass("query sent")
            }
        }
    }

    fn send(&mut self, now: Time, io: &mut Io, op: &Operation) -> Result<(), Stop> {
        let breaker = self.breakers.get_mut(&op.method);
        match breaker.map(|breaker| breaker.allow(now)) {
            Some(Err(refused)) => {
                let change = self.database.transaction()?;
                set(&change, &op.reference, "ready", refused.until)?;
                return Ok(change.commit()?);
            }
            Some(Ok(call)) => drop(self.calls.insert(op.reference.clone(), call)),
            None => {}
        }
        let valid_until = micros(now + VALID);
        let mut request = request(op, Some(op.kind), op.attempts + 1);
        request.valid_until = if self.rules.request_expiry { valid_until } else { i64::MAX };
        if op.kind == op.method.first() {
            request.account = Some(self.vault.open(&self.database, &op.token)?.number);
            request.cvv = self.cvvs.remove(&op.payment);
        }
        // Who sends first and notes then does not know, after a crash, that it has sent.
        if !self.rules.write_ahead {
            io.out.push(Out::Provider(request.clone()));
            io.pass("sent, not noted")?;
        }
        let change = self.database.transaction()?;
        let update = "UPDATE operations SET state = 'sent', attempts = attempts + 1,
             valid_until = ?2, due_at = ?3 WHERE operation = ?1";
        let row = params![op.reference, valid_until, micros(now + TIMEOUT)];
        change.prepare_cached(update)?.execute(row)?;
        let line = format!("{}: sent, attempt {}", op.reference, op.attempts + 1);
        audit::append(&change, now, &line)?;
        io.pass("noted as sent, not committed")?;
        change.commit()?;
        io.pass("noted as sent, not sent")?;
        if self.rules.write_ahead {
            io.out.push(Out::Provider(request));
            io.pass("sent")?;
        }
        Ok(())
    }

    /// A provider has answered.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn answered(&mut self, now: Time, io: &mut Io, said: &Answer) -> Result<(), Stop> {
        io.pass("an answer has arrived")?;
        let change = self.database.transaction()?;
        let Some(op) = load(&change, &said.reference)? else { return Ok(()) };
        drop(change);
        if let (Some(call), Some(breaker)) =
            (self.calls.remove(&said.reference), self.breakers.get_mut(&op.method))
        {
            breaker.succeeded(call);
        }
        // It came late, or twice: what it says is known.
        if op.is_over() && self.rules.once_only {
            return Ok(());
        }
        match &said.outcome {
            Outcome::Approved(id) => self.approve(now, io, &op, id)?,
            Outcome::Declined(why) => self.fail(now, &op, why)?,
            // Of an earlier sending: says nothing of the present one.
            _ if said.attempt != op.attempts || op.is_over() => return Ok(()),
            Outcome::Waiting => self.put_off(&op, "unknown", now + POLL)?,
            Outcome::Duplicate => self.put_off(&op, "unknown", now)?,
            Outcome::Busy | Outcome::Expired => self.retry(now, &op)?,
            Outcome::NotFound => {
                let settled = instant(op.valid_until) + MARGIN;
                if now > settled || !self.rules.request_expiry {
                    self.retry(now, &op)?;
                } else {
                    self.put_off(&op, "unknown", settled + Duration::from_millis(1))?;
                }
            }
        }
        io.pass("answer applied")?;
        self.committed(now, io)
    }

    fn put_off(&mut self, op: &Operation, state: &str, due: Time) -> Result<(), Stop> {
        let change = self.database.transaction()?;
        set(&change, &op.reference, state, due)?;
        Ok(change.commit()?)
    }

    /// It is known that nothing was executed: once more, or it has failed.
    fn retry(&mut self, now: Time, op: &Operation) -> Result<(), Stop> {
        match again(now, op.attempts, &mut self.stream) {
            Some(at) => self.put_off(op, "ready", at),
            // Letting go of what is held is never given up.
            None if op.kind == Kind::Void => self.put_off(op, "ready", now + POLL),
            None => self.fail(now, op, "the provider does not take it"),
        }
    }

    fn approve(&mut self, now: Time, io: &mut Io, op: &Operation, id: &str) -> Result<(), Stop> {
        let (rules, after) = (self.rules, &mut self.after);
        let change = self.database.transaction()?;
        let update = "UPDATE operations SET state = 'done', provider_id = ?2, finished_at = ?3
             WHERE operation = ?1";
        change.prepare_cached(update)?.execute(params![op.reference, id, micros(now)])?;
        audit::append(&change, now, &format!("{}: approved as {id}", op.reference))?;
        let (payment, provider) = (op.payment, format!("provider:{}", op.method.name()));
        let select = "SELECT merchant FROM payments WHERE payment = ?1";
        let merchant: String =
            change.prepare_cached(select)?.query_row([payment], |row| row.get(0))?;
        let seller = format!("merchant:{merchant}");
        let amount = money(op.amount, &op.currency);
        match op.kind {
            Kind::Authorise => {
                let keep = "UPDATE payments SET provider_id = ?2 WHERE payment = ?1";
                change.prepare_cached(keep)?.execute(params![payment, id])?;
                if op.status == Status::Pending {
                    step(&change, now, payment, Status::Authorised, None)?;
                    tell(&change, rules, after, now, payment, 0)?;
                    let capture = format!("pay_{payment}/capture");
                    operation(&change, now, &capture, payment, Kind::Capture, op.amount)?;
                }
            }
            Kind::Capture | Kind::Sale => {
                let fee = ledger::fee(amount).map_err(ledger::LedgerError::Money)?.minor();
                let lines =
                    [(provider.as_str(), op.amount), (&seller, fee - op.amount), ("fees", -fee)];
                ledger::post(&change, &op.reference, amount.currency(), &lines)?;
                if !op.status.is_answer() {
                    step(&change, now, payment, Status::Captured, None)?;
                    tell(&change, rules, after, now, payment, op.amount)?;
                    answer(&change, after, now, payment, None)?;
                }
            }
            Kind::Refund => {
                let lines = [(seller.as_str(), op.amount), (&provider, -op.amount)];
                ledger::post(&change, &op.reference, amount.currency(), &lines)?;
                let add = "UPDATE payments SET refunded = refunded + ?2, updated_at = ?3,
                     version = version + (refunded + ?2 < amount OR status <> 'captured')
                     WHERE payment = ?1 RETURNING refunded >= amount AND status = 'captured'";
                let row = params![payment, op.amount, micros(now)];
                let all: bool = change.prepare_cached(add)?.query_row(row, |row| row.get(0))?;
                if all {
                    step(&change, now, payment, Status::Refunded, None)?;
                }
                tell(&change, rules, after, now, payment, -op.amount)?;
                answer(&change, after, now, payment, Some((&op.reference, op.amount, None)))?;
            }
            Kind::Void => {
                if op.status == Status::Authorised {
                    refuse(&change, rules, after, now, payment, "the capture was declined")?;
                }
            }
        }
        io.pass("outcome written, not committed")?;
        change.commit()?;
        Ok(())
    }

    fn fail(&mut self, now: Time, op: &Operation, why: &str) -> Result<(), Stop> {
        let (rules, after) = (self.rules, &mut self.after);
        let change = self.database.transaction()?;
        let update =
            "UPDATE operations SET state = 'failed', finished_at = ?2 WHERE operation = ?1";
        change.prepare_cached(update)?.execute(params![op.reference, micros(now)])?;
        audit::append(&change, now, &format!("{}: failed, {why}", op.reference))?;
        match op.kind {
            // Something is held: it is let go, and only then has the payment failed.
            Kind::Capture if op.status == Status::Authorised => {
                let void = format!("pay_{}/void", op.payment);
                let there = "SELECT count(*) FROM operations WHERE operation = ?1";
                if change.query_row(there, [&void], |row| row.get::<_, i64>(0))? == 0 {
                    operation(&change, now, &void, op.payment, Kind::Void, op.amount)?;
                }
            }
            Kind::Authorise | Kind::Sale if !op.status.is_answer() => {
                refuse(&change, rules, after, now, op.payment, why)?;
            }
            Kind::Refund => {
                let told = Some((op.reference.as_str(), op.amount, Some(why)));
                answer(&change, after, now, op.payment, told)?;
            }
            _ => {}
        }
        Ok(change.commit()?)
    }

    /// A provider tells something unasked: an outcome (late, or once more), or a dispute.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn called(&mut self, now: Time, io: &mut Io, callback: &Callback) -> Result<(), Stop> {
        let Callback { id, reference, outcome } = callback;
        if let Some(outcome) = outcome {
            let (reference, outcome) = (reference.clone(), outcome.clone());
            return self.answered(now, io, &Answer { reference, attempt: 0, outcome });
        }
        let (rules, after) = (self.rules, &mut self.after);
        let change = self.database.transaction()?;
        let first = inbox::first_time(&change, "provider", id)?;
        let Some(op) = load(&change, reference)?.filter(|_| first || !rules.once_only) else {
            return Ok(());
        };
        audit::append(&change, now, &format!("{reference}: disputed, {id}"))?;
        if op.status == Status::Captured {
            let merchant = "SELECT merchant FROM payments WHERE payment = ?1";
            let merchant: String =
                change.prepare_cached(merchant)?.query_row([op.payment], |row| row.get(0))?;
            let (seller, provider) =
                (format!("merchant:{merchant}"), format!("provider:{}", op.method.name()));
            let lines = [(seller.as_str(), op.amount), (&provider, -op.amount)];
            let currency = money(op.amount, &op.currency).currency();
            ledger::post(&change, &format!("pay_{}/dispute", op.payment), currency, &lines)?;
            step(&change, now, op.payment, Status::ChargedBack, None)?;
            tell(&change, rules, after, now, op.payment, -op.amount)?;
        }
        io.pass("dispute written, not committed")?;
        change.commit()?;
        io.pass("dispute applied")?;
        self.committed(now, io)
    }
}

fn request(op: &Operation, kind: Option<Kind>, attempt: u32) -> Request {
    Request {
        method: op.method,
        kind,
        reference: op.reference.clone(),
        attempt,
        amount: op.amount,
        currency: op.currency.clone(),
        target: op.provider_id.clone(),
        valid_until: i64::MAX,
        account: None,
        cvv: None,
    }
}
