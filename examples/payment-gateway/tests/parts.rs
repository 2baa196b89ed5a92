//! The parts by themselves: each rule where it stands.

use kit::money::{Currency, Money};
use kit::store::{Durability, EventLog};
use kit::{Seed, Time};
use payment_gateway::gateway::{Gateway, RETENTION, Reply};
use payment_gateway::io::{Io, Out};
use payment_gateway::method::{Answer, Callback, Method, Outcome};
use payment_gateway::provider::{Faults, Provider};
use payment_gateway::rules::Rules;
use payment_gateway::state::{ARROWS, Status};
use payment_gateway::vault::{Account, Randomness, Vault, VaultError, luhn};
use payment_gateway::webhook::{FRESH, sign, verify};
use payment_gateway::worker::{ATTEMPTS, MARGIN, TIMEOUT, VALID};
use payment_gateway::{audit, db, ledger, orders, risk, sample, trials, vault};
use rusqlite::Connection;
use std::time::Duration;

fn database() -> Connection {
    db::open(":memory:".as_ref(), Durability::Process).expect("memory")
}

fn gateway_on(database: Connection) -> (Gateway, Io) {
    let vault = Vault::new(&[7; 32], Randomness::System, true);
    let gateway = Gateway::new(database, Rules::ALL, vault, Seed::new(1).stream("gateway"));
    (gateway, Io::new(EventLog::in_memory().expect("memory")))
}

fn order(nth: u64, method: Method) -> payment_gateway::gateway::Ask {
    let mut dice = Seed::new(nth).stream("orders");
    let mut ask = (0..).map(|n| orders::ask(n, &mut dice)).find(|ask| ask.method == method);
    let mut ask = ask.take().expect("every method comes");
    ask.key = format!("order-{nth}");
    ask
}

/// What the gateway wants sent to the provider.
fn requests(io: &mut Io) -> Vec<payment_gateway::method::Request> {
    let out = std::mem::take(&mut io.out).into_iter();
    out.filter_map(|out| if let Out::Provider(request) = out { Some(request) } else { None })
        .collect()
}

fn status(gateway: &Gateway, payment: i64) -> String {
    let select = "SELECT status FROM payments WHERE payment = ?1";
    gateway.database().query_row(select, [payment], |row| row.get(0)).expect("it is there")
}

#[test]
fn a_payment_moves_along_the_arrows_and_the_database_refuses_any_other_step() {
    for from in Status::ALL {
        for to in Status::ALL {
            let database = database();
            database
                .execute(
                    "INSERT INTO payments (payment, merchant, key, method, token, amount, currency,
                         status, risk, reasons, created_at, updated_at)
                     VALUES (1, 'm', 'k', 'card', 't', 1, 'USD', ?1, 0, '', 0, 0)",
                    [from.name()],
                )
                .expect("a payment");
            let moved = database.execute("UPDATE payments SET status = ?1", [to.name()]);
            assert_eq!(moved.is_ok(), ARROWS.contains(&(from, to)), "{from} to {to}");
            assert_eq!(from.may_become(to), moved.is_ok());
        }
    }
}

#[test]
fn ledger_entries_and_audit_lines_cannot_be_changed_and_a_changed_one_shows() {
    let mut database = database();
    let change = database.transaction().expect("free");
    let lines = [("provider:card", 100), ("merchant:m", -97), ("fees", -3)];
    ledger::post(&change, "t", Currency::USD, &lines).expect("balanced");
    let off = ledger::post(&change, "u", Currency::USD, &[("bank", 100), ("fees", -99)]);
    assert!(matches!(off, Err(ledger::LedgerError::Unbalanced(1))));
    for n in 0..5 {
        audit::append(&change, Time::from_secs(n), &format!("line {n}")).expect("appended");
    }
    change.commit().expect("committed");
    assert_eq!(ledger::trial_balance(&database).expect("read"), (0, 0));
    assert_eq!(ledger::balance(&database, "fees", Currency::USD).expect("read"), -3);
    for change in [
        "UPDATE entries SET amount = 1",
        "DELETE FROM entries",
        "UPDATE audit SET what = 'x'",
        "DELETE FROM audit",
    ] {
        assert!(database.execute(change, []).is_err(), "{change}");
    }
    assert_eq!(audit::verify(&database).expect("read"), Ok(5));
    // Who gets past the triggers breaks the chain.
    database
        .execute_batch("DROP TRIGGER audit_stays; UPDATE audit SET what = 'x' WHERE place = 3")
        .expect("forced");
    assert_eq!(audit::verify(&database).expect("read"), Err(3));
}

#[test]
fn a_fee_is_rounded_half_to_even_and_never_more_than_the_amount() {
    let fee = |minor| ledger::fee(Money::new(minor, Currency::USD)).expect("small").minor();
    assert_eq!((fee(10_000), fee(500), fee(1_500), fee(10)), (320, 44, 74, 10));
}

#[test]
fn a_sealed_account_opens_under_its_own_token_and_key_only() {
    let database = database();
    let vault = |key: u8| Vault::new(&[key; 32], Randomness::System, true);
    let account = Account { number: "4111111111111111".into(), holder: "Ann, 12/29".into() };
    let mut ours = vault(1);
    let (a, b) = (
        ours.store(&database, &account).expect("stored"),
        ours.store(&database, &account).expect("stored"),
    );
    assert_ne!(a, b, "tokens are not a function of the number");
    assert_eq!(ours.open(&database, &a).expect("opens"), account);
    assert!(matches!(ours.open(&database, "tok_x"), Err(VaultError::NoSuchToken)));
    assert!(matches!(vault(2).open(&database, &a), Err(VaultError::Sealed)));
    assert_eq!(ours.print(&account.number), vault(1).print(&account.number));
    assert_ne!(ours.print(&account.number), vault(2).print(&account.number));
    // A row that is moved to another token does not open there.
    let swap = "UPDATE vault SET (nonce, sealed) = (SELECT nonce, sealed FROM vault WHERE token = ?1) WHERE token = ?2";
    database.execute(swap, [&a, &b]).expect("swapped");
    assert!(matches!(ours.open(&database, &b), Err(VaultError::Sealed)));
}

#[test]
fn numbers_are_checked_and_never_shown() {
    assert!(
        luhn("4111111111111111")
            && !luhn("4111111111111112")
            && !luhn("0")
            && !luhn("41111111111x1111")
    );
    assert!(Method::Upi.check("ann@bank").is_ok() && Method::Upi.check("ann").is_err());
    assert!(Method::Wallet.check("491511111111").is_ok() && Method::Wallet.check("4915").is_err());
    let account = Account { number: "4111111111111111".into(), holder: "Ann".into() };
    assert_eq!(format!("{account:?}"), "Account(…1111)");
    let cvv = vault::Cvv::new("123").expect("three digits");
    assert_eq!(format!("{cvv:?}"), "Cvv(***)");
    assert!(vault::Cvv::new("12").is_none() && vault::Cvv::new("12a").is_none());
    assert_eq!(
        vault::hex(&vault::mac(&[0x0b; 20], &[b"Hi There"])),
        // RFC 4231, test case 1.
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
}

#[test]
fn a_signature_is_of_one_body_one_secret_and_five_minutes() {
    let (at, body) = (Time::from_secs(1_000), "{\"event\":\"payment.captured\"}");
    let good = sign(b"secret", at, body);
    assert!(verify(b"secret", at, body, &good));
    assert!(verify(b"secret", at + FRESH, body, &good));
    assert!(!verify(b"secret", at + FRESH + Duration::from_secs(1), body, &good), "replayed later");
    assert!(!verify(b"other", at, body, &good));
    assert!(!verify(b"secret", at, "{}", &good));
    let later = good.replace("t=1000", "t=1001");
    for bad in [
        "",
        "t=1000",
        "t=1000,v1=",
        "v1=00,t=1000",
        "t=1000,v1=zz",
        &good[..good.len() - 2],
        &later,
        &format!("{good},v1=00"),
        "t=99999999999999999999,v1=00",
        "t=1000,v1=éééééééééééééééééééééééééééééééé",
    ] {
        assert!(!verify(b"secret", at, body, bad), "{bad}");
    }
}

#[test]
fn a_key_is_remembered_for_24_hours_across_a_restart_and_purged_after() {
    let (mut gateway, mut io) = gateway_on(database());
    let (ask, at) = (order(1, Method::Card), Time::from_secs(1_000));
    let first = gateway.submit(at, &mut io, ask.clone()).expect("memory");
    assert_eq!(first, Reply::Pending(1, None));
    assert!(matches!(gateway.submit(at, &mut io, ask.clone()), Ok(Reply::InFlight(_))));
    let mut other = ask.clone();
    other.amount = Money::new(1, Currency::USD);
    assert!(matches!(gateway.submit(at, &mut io, other.clone()), Ok(Reply::Mismatch)));
    let (mut gateway, mut io) = gateway_on(gateway.into_database());
    assert!(
        matches!(gateway.submit(at, &mut io, other), Ok(Reply::Mismatch)),
        "also by a new process"
    );
    // The misuse came first to this process, and the true repeat is not taken for one.
    assert_eq!(gateway.submit(at, &mut io, ask.clone()).expect("memory"), first);
    let (mut gateway, mut io) = gateway_on(gateway.into_database());
    let just_before = at + (RETENTION - Duration::from_secs(1));
    assert_eq!(gateway.purge(just_before).expect("memory"), 0);
    assert_eq!(gateway.submit(just_before, &mut io, ask.clone()).expect("memory"), first);
    let (mut gateway, mut io) = gateway_on(gateway.into_database());
    assert_eq!(gateway.purge(at + RETENTION).expect("memory"), 1);
    let again = gateway.submit(at + RETENTION, &mut io, ask).expect("memory");
    assert_eq!(again, Reply::Pending(2, None));
}

#[test]
fn silence_is_asked_after_and_not_found_is_believed_once_the_request_has_expired() {
    let (mut gateway, mut io) = gateway_on(database());
    let mut now = Time::from_secs(1_000);
    gateway.submit(now, &mut io, order(1, Method::Card)).expect("memory");
    gateway.work(now, &mut io).expect("memory");
    let sent = requests(&mut io);
    assert_eq!(
        (sent.len(), sent[0].reference.as_str(), sent[0].attempt),
        (1, "pay_1/authorise", 1)
    );
    assert!(sent[0].account.is_some() && sent[0].cvv.is_some());
    let expires = now + VALID + MARGIN;
    // Nobody answers: the next thing sent is a question, without the number.
    now += TIMEOUT;
    gateway.work(now, &mut io).expect("memory");
    let asked = requests(&mut io);
    assert_eq!((asked.len(), asked[0].kind, asked[0].account.as_ref()), (1, None, None));
    let not_found =
        Answer { reference: sent[0].reference.clone(), attempt: 1, outcome: Outcome::NotFound };
    gateway.answered(now, &mut io, &not_found).expect("memory");
    gateway.work(now + Duration::from_secs(1), &mut io).expect("memory");
    assert!(
        requests(&mut io).iter().all(|request| request.kind.is_none()),
        "it may still be on its way"
    );
    now = expires + Duration::from_millis(1);
    gateway.answered(now, &mut io, &not_found).expect("memory");
    gateway.work(now + Duration::from_secs(10), &mut io).expect("memory");
    let again = requests(&mut io);
    assert_eq!((again.len(), again[0].attempt, again[0].cvv.as_ref()), (1, 2, None));
    // The first sending's "not found" says nothing of the second.
    gateway.answered(now + Duration::from_secs(60), &mut io, &not_found).expect("memory");
    let state = "SELECT state FROM operations";
    let state: String = gateway.database().query_row(state, [], |row| row.get(0)).expect("one");
    assert_eq!(state, "sent");
}

#[test]
fn busy_five_times_fails_the_payment_and_nothing_was_charged() {
    let (mut gateway, mut io) = gateway_on(database());
    let mut now = Time::from_secs(1_000);
    gateway.submit(now, &mut io, order(1, Method::Wallet)).expect("memory");
    for attempt in 1..=ATTEMPTS {
        gateway.work(now, &mut io).expect("memory");
        let sent = requests(&mut io);
        assert_eq!((sent.len(), sent[0].attempt), (1, attempt));
        let busy = Answer { reference: sent[0].reference.clone(), attempt, outcome: Outcome::Busy };
        gateway.answered(now, &mut io, &busy).expect("memory");
        now += Duration::from_secs(10);
    }
    gateway.work(now, &mut io).expect("memory");
    assert_eq!(requests(&mut io), []);
    assert_eq!(status(&gateway, 1), "failed");
}

#[test]
fn a_callback_that_is_late_or_comes_twice_changes_nothing() {
    let (mut gateway, mut io) = gateway_on(database());
    let now = Time::from_secs(1_000);
    gateway.submit(now, &mut io, order(1, Method::Wallet)).expect("memory");
    gateway.work(now, &mut io).expect("memory");
    let reference = requests(&mut io)[0].reference.clone();
    let callback =
        |id: &str, outcome| Callback { id: id.into(), reference: reference.clone(), outcome };
    for id in ["e1", "e1", "e2"] {
        let approved = callback(id, Some(Outcome::Approved("w1".into())));
        gateway.called(now, &mut io, &approved).expect("memory");
    }
    gateway.called(now, &mut io, &callback("e3", Some(Outcome::Declined("late")))).expect("memory");
    assert_eq!(status(&gateway, 1), "captured");
    for id in ["d1", "d1", "d2"] {
        gateway.called(now, &mut io, &callback(id, None)).expect("memory");
    }
    assert_eq!(status(&gateway, 1), "charged_back");
    let owed = ledger::balance(gateway.database(), "provider:wallet", Currency::USD).expect("read");
    assert_eq!(owed, 0);
    let unknown = Callback { id: "x".into(), reference: "pay_99/sale".into(), outcome: None };
    gateway.called(now, &mut io, &unknown).expect("not ours: nothing");
}

#[test]
fn a_stolen_card_is_refused_by_velocity_and_a_risky_payment_by_its_reasons() {
    let facts = |amount, before, countries| risk::Facts {
        print: &[1; 16],
        merchant: "acme",
        amount,
        before,
        countries,
    };
    let score = risk::score(&facts(600_000, 0, Some(("US", "FR"))));
    assert_eq!(
        (score.points, score.words().as_str()),
        (90, "new account 15, very large amount 45, countries differ 30")
    );
    assert_eq!(risk::score(&facts(2_000, 3, Some(("US", "US")))).points, 0);
    let risk = risk::Risk::new(true);
    let try_at = |at| risk.attempt(Time::from_secs(at), &facts(100, 0, None));
    assert!((0..risk::CARD_BURST).all(|_| try_at(10).is_ok()));
    let denied = try_at(10).expect_err("the sixth");
    assert_eq!((denied.of, denied.wait), ("card", Duration::from_secs(360)));
    assert!(try_at(369).is_err() && try_at(370).is_ok());
    // In the gateway: refused at once, no provider asked.
    let (mut gateway, mut io) = gateway_on(database());
    let mut ask = order(1, Method::Card);
    ask.amount = Money::new(600_000, Currency::USD);
    ask.countries = Some(("US".into(), "FR".into()));
    let reply = gateway.submit(Time::from_secs(1), &mut io, ask.clone()).expect("memory");
    assert_eq!((reply, status(&gateway, 1).as_str()), (Reply::Pending(1, None), "failed"));
    let told =
        io.out.iter().any(|out| matches!(out, Out::Told(told) if told.status == Status::Failed));
    assert!(told, "{:?}", io.out);
    gateway.work(Time::from_secs(1), &mut io).expect("memory");
    assert_eq!(requests(&mut io), []);
    assert!(matches!(gateway.submit(Time::from_secs(2), &mut io, ask), Ok(Reply::Done(_))));
}

#[test]
fn each_rail_answers_a_second_request_in_its_own_way() {
    let mut provider = Provider::new(Faults::NONE, Seed::new(1).stream("provider"));
    let now = Time::from_secs(1);
    let (mut gateway, mut io) = gateway_on(database());
    for (nth, method) in (1..).zip(Method::ALL) {
        gateway.submit(now, &mut io, order(nth, method)).expect("memory");
    }
    gateway.work(now, &mut io).expect("memory");
    let sent = requests(&mut io);
    let twice = |provider: &mut Provider, method: Method| {
        let request = sent.iter().find(|request| request.method == method).expect("sent");
        [provider.execute(now, request).0, provider.execute(now, request).0]
    };
    let [a, b] = twice(&mut provider, Method::Card);
    assert!(
        matches!((&a, &b), (Outcome::Approved(a), Outcome::Approved(b)) if a != b),
        "charged twice"
    );
    let [a, b] = twice(&mut provider, Method::Wallet);
    assert!(matches!(&a, Outcome::Approved(_)) && a == b, "the first answer again");
    assert_eq!(twice(&mut provider, Method::Upi), [Outcome::Waiting, Outcome::Duplicate]);
    let mut late = sent[0].clone();
    late.valid_until = 0;
    assert_eq!(provider.execute(now, &late).0, Outcome::Expired);
}

#[test]
fn the_texts_lock_lets_three_charge_and_the_registry_one() {
    let (text, registry) = (sample::text(), sample::registry());
    assert_eq!((text.charges, text.inside), (3, 2));
    assert_eq!((registry.charges, registry.refused), (1, 1));
}

#[test]
fn only_the_outbox_loses_nothing_wherever_it_is_killed() {
    use payment_gateway::dual::{Outcome, Way, killed_everywhere};
    let of = |way| killed_everywhere(way).expect("memory");
    assert_eq!(of(Way::DatabaseFirst), Outcome { killed: 3, lost: 1, phantom: 0, repeated: 0 });
    assert_eq!(of(Way::LogFirst), Outcome { killed: 3, lost: 0, phantom: 1, repeated: 0 });
    assert_eq!(of(Way::Text), Outcome { killed: 4, lost: 1, phantom: 0, repeated: 0 });
    assert_eq!(of(Way::Outbox), Outcome { killed: 5, lost: 0, phantom: 0, repeated: 1 });
}

#[test]
fn a_search_that_finds_card_numbers_would_find_one() {
    assert!(trials::holds(b"xx4111yy", b"4111"));
    assert!(!trials::holds(b"xx411", b"4111"));
}
