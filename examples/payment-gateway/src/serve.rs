//! `--serve ADDR`: the same gateway over HTTP, the provider on a port of its own, a sample merchant.
//!
//! `Authorization: Bearer demo-acme` is the merchant `acme`. Time is the machine's, commits wait for the
//! disk, and everything that the gateway wants to send is sent by a task of its own.

use crate::bank::{self, Bank};
use crate::gateway::{Ask, Gateway, REPLY, Reply, payment_id};
use crate::io::{Io, Out, Stop, Told};
use crate::method::{Answer, Method, Request};
use crate::orders::MERCHANTS;
use crate::provider::{Faults, Provider};
use crate::rules::Rules;
use crate::vault::{Account, Cvv, Randomness, Vault};
use crate::webhook::{Delivery, PATIENCE, verify};
use crate::worker::TIMEOUT;
use crate::{db, http};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use kit::money::Money;
use kit::store::{Durability, EventLog};
use kit::{Failure, Time};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::broadcast;

const TICK: Duration = Duration::from_millis(20);
/// Webhooks that the sample merchant remembers.
const REMEMBERED: usize = 1_000;

/// A gateway and its provider on a thread of their own.
#[derive(Debug)]
pub struct Server {
    /// Where the gateway listens.
    pub address: SocketAddr,
    /// Where the provider listens.
    pub provider: SocketAddr,
    thread: JoinHandle<()>,
    _folder: Option<tempfile::TempDir>,
}

struct App {
    core: Mutex<(Gateway, Io)>,
    told: broadcast::Sender<Told>,
    changed: broadcast::Sender<()>,
    address: SocketAddr,
    provider: SocketAddr,
    /// Where each merchant wants to hear: address and path.
    hooks: Mutex<BTreeMap<String, (SocketAddr, String)>>,
    /// What the sample merchants have heard.
    heard: Mutex<BTreeMap<String, Vec<Value>>>,
}

/// The machine's wall clock, since 1970: shared with the provider, so not the monotonic one.
#[must_use]
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

fn bind(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), Failure> {
    let listener = std::net::TcpListener::bind(address)
        .map_err(|error| format!("--serve {address}: {error}"))?;
    listener.set_nonblocking(true)?;
    let at = listener.local_addr()?;
    Ok((listener, at))
}

impl Server {
    /// Listens on `address`; database and log in `keep`, or in a folder that goes with the server.
    ///
    /// # Errors
    /// When the address cannot be had, or the database not opened.
    pub fn start(
        address: SocketAddr,
        keep: Option<&std::path::Path>,
        run: &kit::Run,
    ) -> Result<Self, Failure> {
        let folder = if keep.is_none() { Some(tempfile::tempdir()?) } else { None };
        let path = keep.or(folder.as_ref().map(tempfile::TempDir::path)).ok_or("no folder")?;
        std::fs::create_dir_all(path)?;
        let rules = Rules::of(&run.safeguards);
        let database = db::open(&path.join("gateway.sqlite"), Durability::Power)?;
        let vault = Vault::new(&vault_key(path)?, Randomness::System, rules.sealed_vault);
        let log = EventLog::open(&path.join("log.sqlite"), Durability::Power)?;
        // Jitter and the provider's moods only: secrets come from the system.
        let gateway = Gateway::new(database, rules, vault, run.random().stream("serve"));
        let ((listener, at), (bank, provider)) =
            (bind(address)?, bind(SocketAddr::from(([127, 0, 0, 1], 0)))?);
        let local = SocketAddr::from(([127, 0, 0, 1], at.port()));
        let hooks =
            MERCHANTS.map(|name| (name.to_owned(), (local, format!("/sample-merchant/{name}"))));
        let app = Arc::new(App {
            core: Mutex::new((gateway, Io::new(log))),
            told: broadcast::channel(1_024).0,
            changed: broadcast::channel(16).0,
            address: local,
            provider,
            hooks: Mutex::new(hooks.into()),
            heard: Mutex::default(),
        });
        let truth = Provider::new(Faults::USUAL, run.random().stream("serve provider"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            let served = runtime.block_on(async {
                let bank = tokio::net::TcpListener::from_std(bank)?;
                let routes = Bank::routes(truth, app.address);
                tokio::spawn(async move { axum::serve(bank, routes).await });
                tokio::spawn(tick(Arc::clone(&app)));
                axum::serve(tokio::net::TcpListener::from_std(listener)?, routes_of(app)).await
            });
            if let Err(error) = served {
                eprintln!("error: the gateway stopped: {error}");
            }
        });
        run.say(&format!("serving http://{at}/, its provider at http://{provider}/"));
        Ok(Self { address: at, provider, thread, _folder: folder })
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

/// The vault's key: made by the system's randomness, kept beside the database for the demo. In
/// production it is a key service's, never on the disk that it protects.
fn vault_key(folder: &std::path::Path) -> Result<[u8; 32], Failure> {
    use chacha20poly1305::aead::OsRng;
    use chacha20poly1305::aead::rand_core::RngCore;
    let path = folder.join("vault.key");
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes.try_into().map_err(|_| format!("{}: not 32 bytes", path.display()).into());
    }
    let mut key = [0; 32];
    OsRng.fill_bytes(&mut key);
    std::fs::write(&path, key)?;
    Ok(key)
}

fn routes_of(app: Arc<App>) -> Router {
    let help = HELP
        .replace("PORT", &app.address.port().to_string())
        .replace("BANK", &app.provider.port().to_string());
    Router::new()
        .route("/", get(|| async { help }))
        .route("/payments", post(pay))
        .route("/payments/{payment}", get(status))
        .route("/payments/{payment}/events", get(events))
        .route("/payments/{payment}/refunds", post(refund))
        .route("/webhook", put(hook))
        .route("/provider/callbacks", post(called))
        .route("/sample-merchant/{name}", post(hear).get(heard))
        .with_state(app)
}

const HELP: &str = r#"A payment gateway; its provider listens on port BANK. Try:

  curl -i localhost:PORT/payments -H 'Authorization: Bearer demo-acme' \
    -H 'Idempotency-Key: order-1' -d '{"amount":"USD 12.34","method":"card",
    "number":"4111111111111111","cvv":"123","holder":"Ann Example"}'
                                               pays; the same again: the same answer
  ... with another amount                      422: the key names one request
  curl localhost:PORT/payments/pay_1 -H 'Authorization: Bearer demo-acme'
  curl -N localhost:PORT/payments/pay_1/events -H 'Authorization: Bearer demo-acme'
  curl localhost:PORT/payments/pay_1/refunds -H 'Authorization: Bearer demo-acme' \
    -H 'Idempotency-Key: refund-1' -d '{"amount":"USD 5.00"}'
  curl localhost:PORT/sample-merchant/acme     the signed webhooks that it got
  curl -X PUT localhost:PORT/webhook -H 'Authorization: Bearer demo-acme' \
    -d '{"url":"http://127.0.0.1:9000/hook"}'  send them to you instead
  curl -X PUT localhost:BANK/faults -d nasty   none, usual, nasty, silent
  curl localhost:BANK/done                     what the provider has really done
  curl localhost:BANK/disputes -d pay_1/capture

Methods: card (number, cvv), wallet (a telephone number), upi (name@bank).
"#;

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    /// Does something with the gateway, then what is due, and sends what comes of it.
    fn with<T>(
        self: &Arc<Self>,
        act: impl FnOnce(&mut Gateway, &mut Io, Time) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let (done, out) = {
            let mut core = locked(&self.core);
            let (gateway, io) = &mut *core;
            let at = now();
            let done = act(gateway, io, at);
            let done = done.and_then(|done| gateway.work(at, io).map(|()| done));
            (done, std::mem::take(&mut io.out))
        };
        if !out.is_empty() {
            let _ = self.changed.send(());
        }
        for out in out {
            match out {
                Out::Provider(request) => {
                    drop(tokio::spawn(ask_provider(Arc::clone(self), request)));
                }
                Out::Webhook(delivery) => drop(tokio::spawn(deliver(Arc::clone(self), delivery))),
                Out::Told(told) => drop(self.told.send(told)),
            }
        }
        if let Err(stop) = &done {
            eprintln!("error: {stop}");
        }
        done
    }
}

async fn tick(app: Arc<App>) {
    for n in 1_u64.. {
        tokio::time::sleep(TICK).await;
        // Once an hour: keys whose time is over.
        let purge = n.is_multiple_of(180_000);
        let _ = app.with(|gateway, _, at| {
            if purge {
                gateway.purge(at)?;
            }
            Ok(())
        });
    }
}

async fn ask_provider(app: Arc<App>, request: Request) {
    let body = http::request(&request).to_string();
    let sent = http::send("POST", app.provider, "/requests", &[], body, TIMEOUT).await;
    let Ok((200, text)) = sent else {
        // Silence: the worker's own time-out takes it from here.
        return;
    };
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(outcome) = http::parse_outcome(&value) {
        let answer = Answer { reference: request.reference, attempt: request.attempt, outcome };
        let _ = app.with(|gateway, io, at| gateway.answered(at, io, &answer));
    }
}

async fn deliver(app: Arc<App>, delivery: Delivery) {
    let to = locked(&app.hooks).get(&delivery.merchant).cloned();
    let Some((address, path)) = to else { return };
    let Delivery { payment, version, body, signature, .. } = delivery;
    let id = format!("pay_{payment}/{version}");
    let headers = [("webhook-signature", signature.as_str()), ("webhook-id", id.as_str())];
    let sent = http::send("POST", address, &path, &headers, body, PATIENCE).await;
    if sent.is_ok_and(|(status, _)| (200..300).contains(&status)) {
        let _ = app.with(|gateway, _, at| gateway.delivered(at, payment, version));
    }
}

fn problem(status: StatusCode, title: &str) -> Response {
    let body = json!({"title": title, "status": status.as_u16()}).to_string();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body + "\n").into_response()
}

fn broken() -> Response {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the gateway cannot say; ask again with the same key",
    )
}

fn merchant(headers: &HeaderMap) -> Result<&'static str, Box<Response>> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let name = given.and_then(|text| text.strip_prefix("Bearer demo-"));
    let found = name.and_then(|name| MERCHANTS.into_iter().find(|merchant| *merchant == name));
    found.ok_or_else(|| {
        Box::new(problem(
            StatusCode::UNAUTHORIZED,
            "Authorization: Bearer demo-acme (or books, cinema)",
        ))
    })
}

fn key(headers: &HeaderMap) -> &str {
    headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn pay(State(app): State<Arc<App>>, headers: HeaderMap, body: String) -> Response {
    let merchant = match merchant(&headers) {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    // No message repeats the body: it has a card number in it.
    let Ok(amount) = text("amount").parse::<Money>() else {
        return problem(StatusCode::BAD_REQUEST, "amount: as in \"USD 12.34\"");
    };
    let Some(method) = Method::named(text("method")) else {
        return problem(StatusCode::BAD_REQUEST, "method: card, wallet or upi");
    };
    let countries = match (text("card_country"), text("payer_country")) {
        ("", _) | (_, "") => None,
        (card, payer) => Some((card.to_owned(), payer.to_owned())),
    };
    let ask = Ask {
        merchant: merchant.to_owned(),
        key: key(&headers).to_owned(),
        method,
        amount,
        account: Account { number: text("number").to_owned(), holder: text("holder").to_owned() },
        cvv: Cvv::new(text("cvv")),
        countries,
    };
    let told = app.told.subscribe();
    let reply = app.with(|gateway, io, at| gateway.submit(at, io, ask));
    respond(&app, merchant, told, reply).await
}

async fn refund(
    State(app): State<Arc<App>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let merchant = match merchant(&headers) {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let amount = value["amount"].as_str().unwrap_or_default().parse::<Money>();
    let (Ok(amount), Some(payment)) = (amount, payment_id(&payment)) else {
        return problem(StatusCode::BAD_REQUEST, "amount: as in \"USD 5.00\", of a payment pay_1");
    };
    let key = key(&headers).to_owned();
    if !(1..=64).contains(&key.len())
        || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    {
        return problem(StatusCode::BAD_REQUEST, "Idempotency-Key: 1 to 64 letters, digits, -");
    }
    let told = app.told.subscribe();
    let reply = app.with(|gateway, io, at| {
        let known = gateway.status(merchant, payment)?;
        let same = known.is_some_and(|known| {
            known["amount"].as_str().is_some_and(|text| text.starts_with(amount.currency().code()))
        });
        if !same {
            return Ok(Reply::Invalid(format!(
                "no pay_{payment} of yours in {}",
                amount.currency()
            )));
        }
        gateway.refund(at, io, (merchant, &key), payment, amount.minor())
    });
    respond(&app, merchant, told, reply).await
}

/// Waits a little for the outcome; then it is 202, and the outcome follows.
async fn respond(
    app: &Arc<App>,
    merchant: &str,
    mut told: broadcast::Receiver<Told>,
    reply: Result<Reply, Stop>,
) -> Response {
    let (payment, operation) = match reply {
        Err(_) => return broken(),
        Ok(Reply::Pending(payment, operation)) => (payment, operation),
        Ok(Reply::Done(done)) => return shown(&done, true),
        Ok(Reply::InFlight(until)) => {
            let wait = until.since(now()).as_secs().clamp(1, 2).to_string();
            let mut response = problem(StatusCode::CONFLICT, "the same request is under way");
            if let Ok(value) = wait.parse() {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            return response;
        }
        Ok(Reply::Mismatch) => {
            return problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the key was used for another request",
            );
        }
        Ok(Reply::TooFast(fast)) => {
            let title = format!("too many attempts of this {}", fast.of);
            let mut response = problem(StatusCode::TOO_MANY_REQUESTS, &title);
            if let Ok(value) = (fast.wait.as_secs() + 1).to_string().parse() {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            return response;
        }
        Ok(Reply::Invalid(why)) => return problem(StatusCode::BAD_REQUEST, &why),
        Ok(Reply::Full) => return problem(StatusCode::SERVICE_UNAVAILABLE, "too many keys"),
    };
    let ours = async {
        loop {
            match told.recv().await {
                Ok(told) if told.payment == payment && told.operation == operation => {
                    return Some(told);
                }
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    };
    if let Ok(Some(told)) = tokio::time::timeout(REPLY, ours).await {
        return shown(&told, false);
    }
    let status = app.with(|gateway, _, _| Ok(gateway.status(merchant, payment)?));
    let body = status.ok().flatten().unwrap_or_default().to_string();
    let place = format!("/payments/pay_{payment}");
    let headers =
        [(header::LOCATION, place), (header::CONTENT_TYPE, "application/json".to_owned())];
    (StatusCode::ACCEPTED, headers, body + "\n").into_response()
}

fn shown(told: &Told, replayed: bool) -> Response {
    let body = json!({
        "payment": format!("pay_{}", told.payment),
        "operation": told.operation,
        "status": told.status.name(),
        "amount": told.amount,
        "failure": told.failure,
    });
    let mut response = (StatusCode::OK, body.to_string() + "\n").into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if replayed {
        headers.insert("idempotent-replayed", header::HeaderValue::from_static("true"));
    }
    response
}

async fn status(
    State(app): State<Arc<App>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
) -> Response {
    let merchant = match merchant(&headers) {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let payment = payment_id(&payment).unwrap_or(0);
    match app.with(|gateway, _, _| Ok(gateway.status(merchant, payment)?)) {
        Ok(Some(status)) => {
            ([(header::CONTENT_TYPE, "application/json")], status.to_string() + "\n")
                .into_response()
        }
        Ok(None) => problem(StatusCode::NOT_FOUND, "no such payment of yours"),
        Err(_) => broken(),
    }
}

/// Each change of a payment, as it is committed, until it can change no more.
async fn events(
    State(app): State<Arc<App>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
) -> Response {
    let merchant = match merchant(&headers) {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let payment = payment_id(&payment).unwrap_or(0);
    let look = move |app: &Arc<App>| -> Option<(u64, Value)> {
        let status = app.with(|gateway, _, _| Ok(gateway.status(merchant, payment)?)).ok()??;
        Some((status["version"].as_u64()?, status))
    };
    if look(&app).is_none() {
        return problem(StatusCode::NOT_FOUND, "no such payment of yours");
    }
    let changes = app.changed.subscribe();
    let stream = futures_util::stream::unfold(Some((app, changes, 0)), move |state| async move {
        let (app, mut changes, last) = state?;
        loop {
            let (version, status) = look(&app)?;
            if version > last {
                let name = status["status"].as_str().unwrap_or_default().to_owned();
                let over = matches!(name.as_str(), "failed" | "refunded" | "charged_back");
                let event =
                    Event::default().event(name).id(version.to_string()).data(status.to_string());
                let next = if over { None } else { Some((app, changes, version)) };
                return Some((Ok::<_, Infallible>(event), next));
            }
            // Also after a change that was missed.
            if let Err(broadcast::error::RecvError::Closed) = changes.recv().await {
                return None;
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// The provider calls: believed when it is signed.
async fn called(State(app): State<Arc<App>>, headers: HeaderMap, body: String) -> Response {
    let signature = headers.get("provider-signature").and_then(|value| value.to_str().ok());
    if !verify(bank::SECRET, now(), &body, signature.unwrap_or_default()) {
        return problem(StatusCode::UNAUTHORIZED, "not signed by the provider");
    }
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(callback) = http::parse_callback(&value) else {
        return problem(StatusCode::BAD_REQUEST, "no callback");
    };
    match app.with(|gateway, io, at| gateway.called(at, io, &callback)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(_) => broken(),
    }
}

/// Where a merchant wants to hear: an address of this machine, so that nobody makes the gateway knock
/// at doors inside its network.
async fn hook(State(app): State<Arc<App>>, headers: HeaderMap, body: String) -> Response {
    let merchant = match merchant(&headers) {
        Ok(merchant) => merchant,
        Err(response) => return *response,
    };
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let rest = value["url"].as_str().and_then(|url| url.strip_prefix("http://"));
    let parts = rest.map(|rest| rest.split_once('/').unwrap_or((rest, "")));
    let to = parts.and_then(|(host, path)| {
        let address: SocketAddr = host.replace("localhost", "127.0.0.1").parse().ok()?;
        address.ip().is_loopback().then(|| (address, format!("/{path}")))
    });
    let Some(to) = to else {
        return problem(StatusCode::BAD_REQUEST, "url: http://127.0.0.1:PORT/path");
    };
    locked(&app.hooks).insert(merchant.to_owned(), to);
    let secret = locked(&app.core).0.secret(merchant);
    json!({"secret": crate::vault::hex(&secret)}).to_string().into_response()
}

/// The sample merchant's server.
async fn hear(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    if !MERCHANTS.contains(&name.as_str()) {
        return StatusCode::NOT_FOUND;
    }
    let signature = headers.get("webhook-signature").and_then(|value| value.to_str().ok());
    let secret = locked(&app.core).0.secret(&name);
    if !verify(&secret, now(), &body, signature.unwrap_or_default()) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut heard = locked(&app.heard);
    let list = heard.entry(name).or_default();
    if list.len() < REMEMBERED {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        list.push(json!({"signature": signature, "body": body}));
    }
    StatusCode::NO_CONTENT
}

async fn heard(State(app): State<Arc<App>>, Path(name): Path<String>) -> String {
    let heard = locked(&app.heard);
    let lines = heard.get(&name).into_iter().flatten().map(|line| line.to_string() + "\n");
    lines.collect()
}
