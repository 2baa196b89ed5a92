//! `--serve ADDR`: an HTTP gateway that lets through what the gate passes, to a sample upstream of
//! its own or to `--upstream`.
//!
//! The API key says who asks ([`ACCOUNTS`]); whoever shows none is limited by address and by all
//! together. The address is the peer's; `X-Forwarded-For` is believed only when told to, for else
//! anybody has as many addresses as they like.

use crate::answer;
#[cfg(feature = "redis")]
use crate::gate::Decision;
use crate::gate::{Caller, Dimension, Gate, Receipt, Standing, tier};
use archstone_ratelimit::headers::PROBLEM_JSON;
#[cfg(feature = "redis")]
use archstone_ratelimit::headers::{Problem, ProblemKind};
use archstone_ratelimit::{Clock, OnOutage};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use kit::Failure;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The sample accounts: API key, user, tier. `trial` is a tier that nobody knows, so it is free.
pub const ACCOUNTS: [(&str, &str, &str); 4] = [
    ("demo-free", "ann", "free"),
    ("demo-basic", "bob", "basic"),
    ("demo-premium", "cat", "premium"),
    ("demo-trial", "dan", "trial"),
];

/// How long the upstream may take to accept, and to begin its answer.
const CONNECT: Duration = Duration::from_secs(2);
/// See [`CONNECT`].
const ANSWER: Duration = Duration::from_secs(30);

/// What stands between clients and the upstream.
pub struct Gateway {
    /// The limits of this process.
    pub gate: Gate,
    /// The limits of all processes, kept in a store, and what to do when it does not answer.
    #[cfg(feature = "redis")]
    pub shared: Option<std::sync::Mutex<crate::redis_store::RedisStore>>,
    /// See [`Gateway::shared`].
    pub on_outage: OnOutage,
    /// Where time comes from.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// Where requests go; `None`: the sample upstream.
    pub upstream: Option<SocketAddr>,
    /// Whether a proxy of ours stands in front and writes `X-Forwarded-For`.
    pub trust_forwarded: bool,
    /// Whether waits are told as they are.
    pub honest: bool,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("gate", &self.gate).finish_non_exhaustive()
    }
}

/// A gateway on a thread of its own.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    thread: JoinHandle<()>,
}

struct App {
    gateway: Gateway,
    upstream: SocketAddr,
}

/// Whether a request goes on, and how its limits stand then.
type Entered<'a> = (Result<Option<Receipt<'a>>, Refused>, Option<Vec<Standing>>);

/// Why a request does not go on.
enum Refused {
    /// A limit: which, and how long to wait.
    Limit(Dimension, Option<Duration>),
    /// The store is away and the rule is to refuse.
    #[cfg(feature = "redis")]
    Store,
}

impl Server {
    /// Listens on `address`.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn start(address: SocketAddr, gateway: Gateway) -> Result<Self, Failure> {
        let bind = |address| -> Result<(std::net::TcpListener, SocketAddr), Failure> {
            let listener = std::net::TcpListener::bind(address)
                .map_err(|error| format!("--serve {address}: {error}"))?;
            listener.set_nonblocking(true)?;
            let at = listener.local_addr()?;
            Ok((listener, at))
        };
        let (listener, at) = bind(address)?;
        let sample = match gateway.upstream {
            Some(_) => None,
            None => Some(bind(SocketAddr::from(([127, 0, 0, 1], 0)))?),
        };
        let upstream = gateway.upstream.or(sample.as_ref().map(|sample| sample.1));
        let app = Arc::new(App { gateway, upstream: upstream.ok_or("no upstream")? });
        let help = HELP.replace("PORT", &at.port().to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            let served = runtime.block_on(async {
                if let Some((listener, _)) = sample {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    tokio::spawn(async move { axum::serve(listener, sample_upstream()).await });
                }
                let listener = tokio::net::TcpListener::from_std(listener)?;
                let routes = Router::new()
                    .route("/", get(|| async { help }))
                    .fallback(limited)
                    .with_state(app)
                    .into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, routes).await
            });
            if let Err(error) = served {
                eprintln!("error: the gateway stopped: {error}");
            }
        });
        Ok(Self { address: at, thread })
    }

    /// Serves until the process ends.
    pub fn wait(self) {
        let _ = self.thread.join();
    }
}

/// What a person tries first.
const HELP: &str = "A rate limiter in front of a sample API. Try:

  curl -i  localhost:PORT/hello                                 nobody: 100 a minute
  curl -i  localhost:PORT/hello -H 'X-API-Key: demo-free'       free: 100 an hour
  curl -i  localhost:PORT/hello -H 'X-API-Key: demo-basic'      basic: 1,000 an hour
  curl -i  localhost:PORT/hello -H 'X-API-Key: demo-premium'    premium: 10,000 an hour

and then once too often:

  for i in $(seq 101); do
    curl -s -o /dev/null -w '%{http_code} ' localhost:PORT/hello
  done; curl -i localhost:PORT/hello

Though premium has 1,000 a minute as a user, its one address has 100.
";

/// Every request but that for the help.
async fn limited(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    // A key of any bytes is a key, though none that is known.
    let key = request.headers().get("x-api-key").map(HeaderValue::as_bytes);
    let key = key.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let account = key.as_deref().map(|key| ACCOUNTS.iter().find(|account| account.0 == key));
    let address = app.address(request.headers(), peer.ip());
    let caller = match &account {
        Some(Some((key, user, plan))) => {
            Caller { user: Some(user), tier: tier(plan), api_key: Some(key), address }
        }
        // Who guesses keys is limited as nobody.
        _ => Caller { user: None, tier: 0, api_key: None, address },
    };
    let (passed, standing) = app.enter(&caller).await;
    let mut fields = app.fields(&caller, passed.as_ref().err(), standing.as_deref());
    let mut response = match passed {
        Err(refused) => app.refuse(refused, standing.as_deref(), &mut fields),
        Ok(_) if account == Some(None) => StatusCode::UNAUTHORIZED.into_response(),
        Ok(receipt) => match app.forward(request, address).await {
            Ok(response) => response,
            Err(why) => {
                // Not served, so not charged.
                if let Some(receipt) = receipt {
                    app.gateway.gate.give_back(&receipt);
                    let standing = app.gateway.gate.standing(app.gateway.clock.now(), &caller);
                    fields = app.fields(&caller, None, Some(&standing));
                }
                (StatusCode::BAD_GATEWAY, format!("the upstream does not answer: {why}\n"))
                    .into_response()
            }
        },
    };
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl App {
    /// The address that is limited.
    fn address(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        if !self.gateway.trust_forwarded {
            return peer;
        }
        // The last one is what our own proxy saw; those before it are what the client says.
        let last = text(headers, "x-forwarded-for").and_then(|list| list.rsplit(',').next());
        last.and_then(|address| address.trim().parse().ok()).unwrap_or(peer)
    }

    /// Passes or refuses, with a receipt when it can be given back, and how the limits stand then;
    /// `None` when nobody knows.
    async fn enter<'a>(self: &Arc<Self>, caller: &Caller<'a>) -> Entered<'a> {
        #[cfg(feature = "redis")]
        if self.gateway.shared.is_some() {
            return self.enter_shared(caller).await;
        }
        let (gate, now) = (&self.gateway.gate, self.gateway.clock.now());
        let passed = gate.enter(now, caller, 1);
        let passed = passed.map(Some).map_err(|(by, wait)| Refused::Limit(by, wait));
        (passed, Some(gate.standing(now, caller)))
    }

    /// The same by the store that all processes share.
    #[cfg(feature = "redis")]
    async fn enter_shared<'a>(self: &Arc<Self>, caller: &Caller<'a>) -> Entered<'a> {
        let app = Arc::clone(self);
        let user = caller.user.map(str::to_owned);
        let api_key = caller.api_key.map(str::to_owned);
        let (tier, address) = (caller.tier, caller.address);
        // The client blocks, so it waits on a thread of its own.
        let ask = move || {
            let (user, api_key) = (user.as_deref(), api_key.as_deref());
            let caller = Caller { user, tier, api_key, address };
            let shared = app.gateway.shared.as_ref()?;
            crate::redis_store::decide(shared, app.gateway.gate.limits(), &caller).ok()
        };
        match tokio::task::spawn_blocking(ask).await.ok().flatten() {
            Some((Decision::Pass, standing)) => (Ok(None), Some(standing)),
            Some((Decision::Blocked { by, wait }, standing)) => {
                (Err(Refused::Limit(by, wait)), Some(standing))
            }
            None if self.gateway.on_outage.admits() => (Ok(None), None),
            None => (Err(Refused::Store), None),
        }
    }

    /// What the client is told of its limits.
    fn fields(
        &self,
        caller: &Caller<'_>,
        refused: Option<&Refused>,
        standing: Option<&[Standing]>,
    ) -> Vec<answer::Field> {
        let Some(standing) = standing else {
            return vec![answer::policies(self.gateway.gate.limits(), caller)];
        };
        let blocker = match refused {
            Some(Refused::Limit(by, _)) => Some(*by),
            _ => None,
        };
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |span| span.as_secs());
        answer::fields(standing, blocker, unix)
    }

    fn refuse(
        &self,
        refused: Refused,
        standing: Option<&[Standing]>,
        fields: &mut Vec<answer::Field>,
    ) -> Response {
        let (status, body) = match refused {
            Refused::Limit(by, wait) => {
                let of = standing.unwrap_or_default().iter().find(|s| s.dimension == by);
                let left = of.map_or(0, |standing| standing.remaining);
                let told = wait.and_then(|w| answer::retry_after(w, left, self.gateway.honest));
                fields.extend(told);
                (StatusCode::TOO_MANY_REQUESTS, answer::problem(by))
            }
            #[cfg(feature = "redis")]
            Refused::Store => {
                fields.extend(answer::retry_after(Duration::from_secs(1), 0, true));
                let kind = ProblemKind::TemporaryReducedCapacity;
                let problem = Problem { kind, status: 503, policies: &[] };
                (StatusCode::SERVICE_UNAVAILABLE, problem.to_string())
            }
        };
        (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body + "\n").into_response()
    }

    /// Sends the request on, over a connection of its own.
    async fn forward(&self, request: Request, address: IpAddr) -> Result<Response, Failure> {
        let connecting = tokio::net::TcpStream::connect(self.upstream);
        let stream = tokio::time::timeout(CONNECT, connecting).await??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse::<Uri>()?;
        parts.version = Version::HTTP_11;
        hop_by_hop(&mut parts.headers);
        parts.headers.insert(header::HOST, HeaderValue::from_str(&self.upstream.to_string())?);
        parts.headers.insert("x-forwarded-for", HeaderValue::from_str(&address.to_string())?);
        let answering = sender.send_request(Request::from_parts(parts, body));
        let (mut parts, body) = tokio::time::timeout(ANSWER, answering).await??.into_parts();
        hop_by_hop(&mut parts.headers);
        Ok(Response::from_parts(parts, Body::new(body)))
    }
}

/// Removes what belongs to one connection only (RFC 9110, 7.6.1).
fn hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<_> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"] {
        headers.remove(name);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What is protected: says what it was asked and how often it has been.
fn sample_upstream() -> Router {
    let served = Arc::new(AtomicU64::new(0));
    Router::new().fallback(move |request: Request| {
        let n = served.fetch_add(1, Ordering::Relaxed) + 1;
        async move { format!("{} {} is request {n} of the upstream\n", request.method(), request.uri()) }
    })
}
