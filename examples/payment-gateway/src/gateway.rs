//! The gateway's front: payments and refunds come in, each key once; what happens is told.
//!
//! Every change is one transaction: the payment, its operation, the key, the ledger, the audit line and
//! the message that tells of it. No transaction is open while anybody outside is asked.
//!
//! Over 600 lines: payments and refunds share each of the helpers below, and each is short.

use crate::db::micros;
use crate::io::{Io, Out, Stop, TOPIC, Told};
use crate::method::{Kind, Method};
use crate::risk::{self, Facts, Risk};
use crate::rules::Rules;
use crate::state::Status;
use crate::vault::{Account, Cvv, Vault, mac};
use crate::{audit, webhook};
use archstone_lock::idem::{Begin, Registry, Run};
use kit::breaker::{Breaker, Call, Settings};
use kit::money::{Currency, Money};
use kit::store::{Message, inbox, outbox};
use kit::{Stream, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a key is remembered after its answer.
pub const RETENTION: Duration = Duration::from_secs(86_400);
/// How long a request may be under way before a repeat takes it over.
pub const LEASE: Duration = Duration::from_secs(30);

/// How long a client is kept waiting for the outcome; then it is 202, and the outcome follows.
pub const REPLY: Duration = Duration::from_millis(1_900);

/// A payment that is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Who sells.
    pub merchant: String,
    /// The `Idempotency-Key`: the merchant's own, once for each order.
    pub key: String,
    /// How it is paid.
    pub method: Method,
    /// How much.
    pub amount: Money,
    /// Who pays.
    pub account: Account,
    /// For cards; kept in memory until the first request is sent.
    pub cvv: Option<Cvv>,
    /// Countries of the account and the payer's address.
    pub countries: Option<(String, String)>,
}

/// What is said at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is being done; the answer follows as [`Out::Told`].
    Pending(i64, Option<String>),
    /// It was done: the answer that was given then.
    Done(Told),
    /// Another request with this key is under way until then at the latest: 409.
    InFlight(Time),
    /// The key was used for another request: 422.
    Mismatch,
    /// Too many attempts: 429; of what, and the wait.
    TooFast(risk::TooFast),
    /// It cannot be done: 400; why.
    Invalid(String),
    /// Too many keys are under way: 503.
    Full,
}

/// One gateway process. What is in memory only may be lost at any time.
#[derive(Debug)]
pub struct Gateway {
    pub(crate) database: Connection,
    pub(crate) rules: Rules,
    pub(crate) vault: Vault,
    pub(crate) stream: Stream,
    pub(crate) breakers: BTreeMap<Method, Breaker>,
    /// Calls under way, for the breaker.
    pub(crate) calls: BTreeMap<String, Call>,
    pub(crate) cvvs: BTreeMap<i64, Cvv>,
    /// What to tell and to publish once the transaction is committed.
    pub(crate) after: After,
    /// Whether anything may wait in the outbox or the log: a new process does not know.
    pub(crate) fresh: bool,
    keys: Registry<String, Told>,
    runs: BTreeMap<String, Run>,
    risk: Risk,
    secret: [u8; 32],
}

/// See [`Gateway::after`].
#[derive(Debug, Default)]
pub(crate) struct After {
    publish: Vec<Message>,
    told: Vec<(String, Told)>,
}

impl Gateway {
    /// A process on `database`, as it is left by whoever ran before.
    #[must_use]
    pub fn new(database: Connection, rules: Rules, vault: Vault, stream: Stream) -> Self {
        let breaker = |method| (method, Breaker::new(Settings::default()));
        Self {
            database,
            rules,
            vault,
            stream,
            breakers: Method::ALL.map(breaker).into(),
            calls: BTreeMap::new(),
            cvvs: BTreeMap::new(),
            after: After::default(),
            fresh: true,
            // What a run that came to nothing was asked for is not remembered here: after a restart the
            // first to use a key may be a misuse, and the true repeat must not be measured by it. The
            // durable row knows.
            keys: Registry::new(RETENTION).keep_unfinished(Duration::ZERO).max_keys(1 << 20),
            runs: BTreeMap::new(),
            risk: Risk::new(rules.velocity),
            secret: *b"demo: webhook secrets come of it",
        }
    }

    /// The secret that a merchant checks signatures with.
    #[must_use]
    pub fn secret(&self, merchant: &str) -> [u8; 32] {
        mac(&self.secret, &[merchant.as_bytes()])
    }

    /// The database, to look at.
    #[must_use]
    pub const fn database(&self) -> &Connection {
        &self.database
    }

    /// The process dies: its connection, with whatever was not committed undone.
    #[must_use]
    pub fn into_database(self) -> Connection {
        self.database
    }

    /// A payment is asked for.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn submit(&mut self, now: Time, io: &mut Io, ask: Ask) -> Result<Reply, Stop> {
        if let Err(why) = check(&ask) {
            return Ok(Reply::Invalid(why));
        }
        let scope = self.scope(&ask.merchant, "", &ask.key)?;
        let body = format!("{}/{}/{}", ask.amount, ask.method.name(), ask.account.number);
        let (run, print) = match self.begin(now, &scope, &body)? {
            Ok(begun) => begun,
            Err(reply) => return Ok(reply),
        };
        let card = self.vault.print(&ask.account.number);
        let before = "SELECT count(*) FROM vault WHERE print = ?1";
        let before = self.database.prepare_cached(before)?.query_row([&card[..]], |r| r.get(0))?;
        let countries = ask.countries.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
        let facts = Facts {
            print: &card,
            merchant: &ask.merchant,
            amount: ask.amount.minor(),
            before,
            countries,
        };
        if let Err(fast) = self.risk.attempt(now, &facts) {
            self.forget(now, run);
            return Ok(Reply::TooFast(fast));
        }
        let score = risk::score(&facts);

        io.pass("a payment has arrived")?;
        let change = self.database.transaction()?;
        let token = self.vault.store(&change, &ask.account)?;
        let insert = "INSERT INTO payments (merchant, key, method, token, amount, currency, status,
                 risk, reasons, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, ?9, ?9) RETURNING payment";
        let currency = ask.amount.currency();
        let row = params![
            ask.merchant,
            ask.key,
            ask.method.name(),
            token,
            ask.amount.minor(),
            currency.code(),
            score.points,
            score.words(),
            micros(now)
        ];
        let payment: i64 = change.prepare_cached(insert)?.query_row(row, |row| row.get(0))?;
        if self.rules.durable_key {
            remember(&change, now, &scope, print, payment, None)?;
        }
        tell(&change, self.rules, &mut self.after, now, payment, 0)?;
        if score.points >= risk::REFUSE {
            let why = format!("risk {}: {}", score.points, score.words());
            refuse(&change, self.rules, &mut self.after, now, payment, &why)?;
        } else {
            let reference = format!("pay_{payment}/{}", ask.method.first().name());
            operation(&change, now, &reference, payment, ask.method.first(), ask.amount.minor())?;
        }
        io.pass("payment written, not committed")?;
        change.commit()?;
        if let Some(cvv) = ask.cvv {
            self.cvvs.insert(payment, cvv);
        }
        if let Some(run) = run {
            self.runs.insert(scope, run);
        }
        io.pass("payment committed")?;
        self.committed(now, io)?;
        Ok(Reply::Pending(payment, None))
    }

    /// `amount` of a payment is to be given back.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn refund(
        &mut self,
        now: Time,
        io: &mut Io,
        (merchant, key): (&str, &str),
        payment: i64,
        amount: i64,
    ) -> Result<Reply, Stop> {
        let scope = self.scope(merchant, "refund/", key)?;
        let (run, print) = match self.begin(now, &scope, &format!("{payment}/{amount}"))? {
            Ok(begun) => begun,
            Err(reply) => return Ok(reply),
        };
        let change = self.database.transaction()?;
        let select = "SELECT amount - refunded - CASE WHEN ?3 THEN (SELECT coalesce(sum(amount), 0)
                 FROM operations AS o WHERE o.payment = p.payment AND kind = 'refund'
                 AND state NOT IN ('done', 'failed')) ELSE 0 END
             FROM payments AS p WHERE payment = ?1 AND merchant = ?2 AND status = 'captured'";
        let row = params![payment, merchant, self.rules.refund_reserve];
        // Refunds under way count: else two of them give back more than was taken.
        let left: Option<i64> =
            change.prepare_cached(select)?.query_row(row, |row| row.get(0)).optional()?;
        let invalid = match left {
            None => Some(format!("pay_{payment} is not captured")),
            Some(left) if amount > left => Some(format!("{amount} asked, {left} left to refund")),
            _ if amount <= 0 => Some("nothing to refund".to_owned()),
            _ => None,
        };
        if let Some(why) = invalid {
            drop(change);
            self.forget(now, run);
            return Ok(Reply::Invalid(why));
        }
        let reference = format!("pay_{payment}/refund/{}", scope.rsplit('/').next().unwrap_or(key));
        if self.rules.durable_key {
            remember(&change, now, &scope, print, payment, Some(&reference))?;
        }
        operation(&change, now, &reference, payment, Kind::Refund, amount)?;
        audit::append(&change, now, &format!("{reference}: asked, {amount}"))?;
        io.pass("refund written, not committed")?;
        change.commit()?;
        if let Some(run) = run {
            self.runs.insert(scope, run);
        }
        io.pass("refund committed")?;
        Ok(Reply::Pending(payment, Some(reference)))
    }

    /// A key belongs to its merchant, and to one kind of request.
    fn scope(&self, merchant: &str, kind: &str, key: &str) -> rusqlite::Result<String> {
        if self.rules.idempotency {
            return Ok(format!("{merchant}/{kind}{key}"));
        }
        // No memory of keys: each request is its own.
        let n: u64 = self.database.query_row(
            "SELECT (SELECT count(*) FROM payments) + (SELECT count(*) FROM operations)",
            [],
            |row| row.get(0),
        )?;
        Ok(format!("{merchant}/{kind}{key}#{n}"))
    }

    /// First the registry of this process (in flight, replay, mismatch), then what is durable.
    fn begin(
        &mut self,
        now: Time,
        scope: &str,
        body: &str,
    ) -> rusqlite::Result<Result<(Option<Run>, i64), Reply>> {
        let digest = self.vault.print(body);
        let print = u64::from_le_bytes(digest[..8].try_into().unwrap_or_default()) >> 1;
        // Without it, a key names whatever request came first.
        let print = if self.rules.fingerprint { print } else { 0 };
        let run = match self.keys.begin(now, scope, print, LEASE) {
            Begin::Run(run) => run,
            Begin::InFlight(until) => return Ok(Err(Reply::InFlight(until))),
            Begin::Replay(told) => return Ok(Err(Reply::Done(told))),
            Begin::Mismatch => return Ok(Err(Reply::Mismatch)),
            Begin::Full => return Ok(Err(Reply::Full)),
        };
        let print = print as i64;
        if !self.rules.durable_key {
            return Ok(Ok((Some(run), print)));
        }
        let select = "SELECT print, payment, operation, answer FROM idempotency
             WHERE key = ?1 AND expires_at > ?2";
        let kept = self
            .database
            .prepare_cached(select)?
            .query_row(params![scope, micros(now)], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, Option<String>>(2)?,
                    row.get::<_, Option<String>>(3)?,
                ))
            })
            .optional()?;
        Ok(match kept {
            None => Ok((Some(run), print)),
            Some((other, ..)) if other != print => {
                self.forget(now, Some(run));
                Err(Reply::Mismatch)
            }
            Some((_, payment, operation, None)) => {
                // A process before this one began it, and its operation is in the database: wait.
                self.runs.insert(scope.to_owned(), run);
                Err(Reply::Pending(payment, operation))
            }
            Some((_, payment, operation, Some(answer))) => {
                let told = parse(payment, operation, &answer);
                // Gone only when the lease ran out within this call.
                let _ = self.keys.complete(now, run, told.clone());
                Err(Reply::Done(told))
            }
        })
    }

    fn forget(&self, now: Time, run: Option<Run>) {
        if let Some(run) = run {
            let _ = self.keys.fail(now, run);
        }
    }

    /// After a commit: who waits is told; and, without the outbox, the log, if nothing happens before.
    pub(crate) fn committed(&mut self, now: Time, io: &mut Io) -> Result<(), Stop> {
        self.fresh = true;
        let After { publish, told } = std::mem::take(&mut self.after);
        for message in publish {
            io.pass("committed, not published")?;
            if !io.away {
                io.log.append(TOPIC, &message)?;
            }
        }
        for (scope, told) in told {
            if let Some(run) = self.runs.remove(&scope) {
                // A run that was taken over has a younger owner, who tells the same.
                let _ = self.keys.complete(now, run, told.clone());
            }
            io.out.push(Out::Told(told));
        }
        Ok(())
    }

    /// Carries what waits in the outbox to the log.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn relay(&mut self, io: &mut Io) -> Result<u64, Stop> {
        if io.away {
            return Ok(0);
        }
        outbox::relay(&mut self.database, 1_000, |topic, message| {
            io.pass("not published")?;
            io.log.append(topic, message)?;
            io.pass("published, not taken out of the outbox")
        })
    }

    /// The two consumers of the log: the queue of webhooks, and the sum of each merchant's sales.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn consume(&mut self, now: Time, io: &mut Io) -> Result<(), Stop> {
        let ordered = self.rules.webhook_order;
        for consumer in if io.away { &[][..] } else { &["webhooks", "sales"] } {
            let consumer = *consumer;
            let from = io.log.position(consumer, TOPIC)?;
            for entry in io.log.read(TOPIC, from, 1_000)? {
                let Message { id, payload, .. } = &entry.message;
                let apply = |effect: &Transaction<'_>| -> Result<(), Stop> {
                    let event: serde_json::Value =
                        serde_json::from_str(payload).unwrap_or_default();
                    let merchant = event["merchant"].as_str().unwrap_or_default();
                    if consumer == "webhooks" {
                        let payment = event["payment"].as_str().and_then(payment_id).unwrap_or(0);
                        let version = event["version"].as_u64().unwrap_or(0);
                        webhook::queue(
                            effect,
                            now,
                            (payment, version),
                            merchant,
                            payload,
                            ordered,
                        )?;
                    } else {
                        let add = "INSERT INTO sales VALUES (?1, ?2)
                             ON CONFLICT DO UPDATE SET taken = taken + excluded.taken";
                        let moved = event["moved"].as_i64().unwrap_or(0);
                        effect.prepare_cached(add)?.execute(params![merchant, moved])?;
                    }
                    Ok(())
                };
                if self.rules.inbox {
                    inbox::apply_once(&mut self.database, consumer, id, apply)?;
                } else {
                    let effect = self.database.transaction()?;
                    apply(&effect)?;
                    effect.commit()?;
                }
                io.pass("event applied, offset not committed")?;
                io.log.commit(consumer, TOPIC, entry.offset + 1)?;
            }
        }
        Ok(())
    }

    /// Puts the webhooks that are due into `io`.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn deliver(&mut self, now: Time, io: &mut Io) -> Result<(), Stop> {
        let key = self.secret;
        let secret = |merchant: &str| mac(&key, &[merchant.as_bytes()]);
        let due = webhook::due(&mut self.database, now, &mut self.stream, secret)?;
        for delivery in due {
            io.out.push(Out::Webhook(delivery));
            io.pass("webhook sent")?;
        }
        Ok(())
    }

    /// A merchant has said 2xx.
    ///
    /// # Errors
    /// [`Stop`].
    pub fn delivered(&mut self, now: Time, payment: i64, version: u64) -> Result<(), Stop> {
        Ok(webhook::delivered(&mut self.database, now, payment, version)?)
    }

    /// Forgets keys whose time is over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn purge(&mut self, now: Time) -> rusqlite::Result<usize> {
        self.database.execute("DELETE FROM idempotency WHERE expires_at <= ?1", [micros(now)])
    }

    /// How a payment stands, as JSON; `None` when this merchant has none of that number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn status(
        &self,
        merchant: &str,
        payment: i64,
    ) -> rusqlite::Result<Option<serde_json::Value>> {
        let select =
            "SELECT p.status, amount, currency, refunded, version, method, v.shown, failure,
                 risk, reasons
             FROM payments AS p JOIN vault AS v USING (token) WHERE payment = ?1 AND merchant = ?2";
        let row = |row: &rusqlite::Row<'_>| {
            let amount = money(row.get(1)?, &row.get::<_, String>(2)?);
            Ok(serde_json::json!({
                "payment": format!("pay_{payment}"),
                "status": row.get::<_, String>(0)?,
                "amount": amount.to_string(),
                "refunded": Money::new(row.get(3)?, amount.currency()).to_string(),
                "version": row.get::<_, u64>(4)?,
                "method": row.get::<_, String>(5)?,
                "account": row.get::<_, String>(6)?,
                "failure": row.get::<_, Option<String>>(7)?,
                "risk": row.get::<_, u32>(8)?,
                "reasons": row.get::<_, String>(9)?,
            }))
        };
        self.database.prepare_cached(select)?.query_row(params![payment, merchant], row).optional()
    }
}

pub(crate) fn check(ask: &Ask) -> Result<(), String> {
    let named = |what: &str, text: &str, most: usize| {
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = (1..=most).contains(&text.len()) && text.bytes().all(good);
        if fits { Ok(()) } else { Err(format!("{what}: 1 to {most} letters, digits, - _ .")) }
    };
    named("merchant", &ask.merchant, 32)?;
    named("Idempotency-Key", &ask.key, 64)?;
    if !(1..=100_000_000).contains(&ask.amount.minor()) {
        return Err("amount: from 1 to 100,000,000 minor units".to_owned());
    }
    if ask.account.holder.len() > 200 {
        return Err("holder: at most 200 bytes".to_owned());
    }
    ask.method.check(&ask.account.number).map_err(str::to_owned)
}

fn remember(
    change: &Transaction<'_>,
    now: Time,
    scope: &str,
    print: i64,
    payment: i64,
    operation: Option<&str>,
) -> rusqlite::Result<()> {
    // A row whose time is over is replaced.
    let insert = "INSERT OR REPLACE INTO idempotency VALUES (?1, ?2, ?3, ?4, NULL, ?5)";
    let row = params![scope, print, payment, operation, micros(now + RETENTION)];
    change.prepare_cached(insert)?.execute(row).map(drop)
}

/// Something for a provider to do.
pub(crate) fn operation(
    change: &Transaction<'_>,
    now: Time,
    reference: &str,
    payment: i64,
    kind: Kind,
    amount: i64,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO operations (operation, payment, kind, amount, state, due_at)
         VALUES (?1, ?2, ?3, ?4, 'ready', ?5)";
    let row = params![reference, payment, kind.name(), amount, micros(now)];
    change.prepare_cached(insert)?.execute(row).map(drop)
}

/// Writes the event of a payment's present version, and its audit line. `moved` is what the merchant
/// has more by it.
pub(crate) fn tell(
    change: &Transaction<'_>,
    rules: Rules,
    after: &mut After,
    now: Time,
    payment: i64,
    moved: i64,
) -> rusqlite::Result<()> {
    let select = "SELECT merchant, status, amount, currency, refunded, version, failure
         FROM payments WHERE payment = ?1";
    let (id, payload) = change.prepare_cached(select)?.query_row([payment], |row| {
        let (status, version): (String, u64) = (row.get(1)?, row.get(5)?);
        let event = serde_json::json!({
            "event": format!("payment.{status}"),
            "payment": format!("pay_{payment}"),
            "version": version,
            "merchant": row.get::<_, String>(0)?,
            "status": status,
            "amount": row.get::<_, i64>(2)?,
            "currency": row.get::<_, String>(3)?,
            "refunded": row.get::<_, i64>(4)?,
            "failure": row.get::<_, Option<String>>(6)?,
            "moved": moved,
        });
        Ok((format!("pay_{payment}/{version}"), event.to_string()))
    })?;
    audit::append(change, now, &payload)?;
    let message = Message::new(id, format!("pay_{payment}"), payload);
    if rules.outbox {
        outbox::put(change, TOPIC, &message)?;
    } else {
        after.publish.push(message);
    }
    Ok(())
}

/// The payment takes a step, which must be an arrow.
pub(crate) fn step(
    change: &Transaction<'_>,
    now: Time,
    payment: i64,
    to: Status,
    failure: Option<&str>,
) -> rusqlite::Result<()> {
    let update = "UPDATE payments SET status = ?2, version = version + 1, updated_at = ?3,
         failure = coalesce(?4, failure) WHERE payment = ?1";
    let row = params![payment, to.name(), micros(now), failure];
    change.prepare_cached(update)?.execute(row).map(drop)
}

/// The payment fails: no money has moved, and none will.
pub(crate) fn refuse(
    change: &Transaction<'_>,
    rules: Rules,
    after: &mut After,
    now: Time,
    payment: i64,
    why: &str,
) -> rusqlite::Result<()> {
    step(change, now, payment, Status::Failed, Some(why))?;
    tell(change, rules, after, now, payment, 0)?;
    answer(change, after, now, payment, None)
}

/// The first answer to the key, for it and every repeat.
pub(crate) fn answer(
    change: &Transaction<'_>,
    after: &mut After,
    now: Time,
    payment: i64,
    operation: Option<(&str, i64, Option<&str>)>,
) -> rusqlite::Result<()> {
    let select = "SELECT merchant, key, status, amount, failure FROM payments WHERE payment = ?1";
    let (merchant, key, status, amount, failure) =
        change.prepare_cached(select)?.query_row([payment], |row| {
            let status = Status::named(&row.get::<_, String>(2)?).unwrap_or(Status::Pending);
            let (merchant, key): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((merchant, key, status, row.get(3)?, row.get::<_, Option<String>>(4)?))
        })?;
    let (scope, told) = match operation {
        None => {
            let told = Told { payment, operation: None, status, amount, failure };
            (format!("{merchant}/{key}"), told)
        }
        Some((reference, amount, failure)) => {
            let key = reference.rsplit('/').next().unwrap_or_default();
            let (operation, failure) = (Some(reference.to_owned()), failure.map(str::to_owned));
            let told = Told { payment, operation, status, amount, failure };
            (format!("{merchant}/refund/{key}"), told)
        }
    };
    let text = serde_json::json!([told.status.name(), told.amount, told.failure]).to_string();
    let update =
        "UPDATE idempotency SET answer = ?2, expires_at = ?3 WHERE key = ?1 AND answer IS NULL";
    change.prepare_cached(update)?.execute(params![scope, text, micros(now + RETENTION)])?;
    after.told.push((scope, told));
    Ok(())
}

fn parse(payment: i64, operation: Option<String>, answer: &str) -> Told {
    let value: serde_json::Value = serde_json::from_str(answer).unwrap_or_default();
    Told {
        payment,
        operation,
        status: value[0].as_str().and_then(Status::named).unwrap_or(Status::Pending),
        amount: value[1].as_i64().unwrap_or(0),
        failure: value[2].as_str().map(str::to_owned),
    }
}

/// The number in `pay_7`.
#[must_use]
pub fn payment_id(text: &str) -> Option<i64> {
    text.strip_prefix("pay_")?.parse().ok().filter(|&id| id > 0)
}

/// A stored amount.
#[must_use]
pub fn money(minor: i64, currency: &str) -> Money {
    Money::new(minor, Currency::new(currency).unwrap_or(Currency::USD))
}
