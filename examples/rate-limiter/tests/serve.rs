//! The gateway over HTTP, with a real client (hyper) that reads the fields with the crate's parser.

use archstone_ratelimit::headers::parse;
use archstone_ratelimit::{Manual, OnOutage, Time};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rate_limiter::gate::{Gate, Limits};
use rate_limiter::serve::{Gateway, Server};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A gateway whose clock the test turns.
struct Scene {
    clock: Arc<Manual>,
    server: Server,
    runtime: tokio::runtime::Runtime,
}

fn scene(limits: &[&str], change: impl FnOnce(&mut Gateway)) -> Scene {
    let mut quotas = Limits::default();
    limits.iter().for_each(|limit| quotas.set(limit).expect("a limit"));
    let clock = Arc::new(Manual::new(Time::from_secs(1_000)));
    let mut gateway = Gateway {
        gate: Gate::new(quotas, 1_024),
        #[cfg(feature = "redis")]
        shared: None,
        on_outage: OnOutage::FailClosed,
        clock: Arc::clone(&clock) as _,
        upstream: None,
        trust_forwarded: false,
        honest: true,
    };
    change(&mut gateway);
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(any, gateway).expect("a free port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Scene { clock, server, runtime: runtime.expect("a runtime") }
}

impl Scene {
    /// `GET path` with these headers.
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response<String> {
        let mut request = Request::get(path).header("host", self.server.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        let address = self.server.address;
        self.runtime.block_on(async move {
            let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
            tokio::spawn(connection);
            let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned())
        })
    }
}

fn field<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

#[test]
fn what_passes_reaches_the_upstream_and_is_told_what_is_left() {
    let scene = scene(&[], |_| ());
    let answer = scene.get("/hello?x=1", &[("x-api-key", "demo-premium")]);
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.body(), "GET /hello?x=1 is request 1 of the upstream\n");
    let headers = answer.headers();
    let limits = parse::limits(field(headers, "ratelimit")).expect("draft 10");
    let left: Vec<_> = limits.iter().map(|l| (l.name.as_str(), l.remaining)).collect();
    let expected =
        [("tier", 9_999), ("user", 999), ("api-key", 4_999), ("ip", 99), ("global", 49_999)];
    assert_eq!(left, expected);
    let policies = parse::policies(field(headers, "ratelimit-policy")).expect("draft 10");
    assert_eq!(policies.len(), 5);
    // The old form tells the tightest: the address.
    assert_eq!(field(headers, "x-ratelimit-limit"), "100");
    assert_eq!(field(headers, "x-ratelimit-remaining"), "99");
    let reset: u64 = field(headers, "x-ratelimit-reset").parse().expect("a number");
    assert!(reset > 1_700_000_000, "seconds since 1970: {reset}");
    assert!(headers.get("retry-after").is_none());
}

#[test]
fn the_hundred_and_first_request_of_an_address_is_429_and_passes_after_retry_after() {
    let scene = scene(&[], |_| ());
    for n in 0..100 {
        assert_eq!(scene.get("/", &[]).status(), 200, "the help is not limited");
        assert_eq!(scene.get("/a", &[]).status(), 200, "request {n}");
    }
    let denied = scene.get("/a", &[]);
    assert_eq!(denied.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(field(denied.headers(), "content-type"), "application/problem+json");
    let problem: serde_json::Value = serde_json::from_str(denied.body()).expect("JSON");
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["violated-policies"], serde_json::json!(["ip"]));
    assert_eq!(field(denied.headers(), "x-ratelimit-remaining"), "0");
    // `t` is until one more is there, Reset until all are.
    let limits = parse::limits(field(denied.headers(), "ratelimit")).expect("draft 10");
    let ip = limits.iter().find(|l| l.name == "ip").expect("its policy");
    assert_eq!((ip.remaining, ip.reset), (0, Some(Duration::from_secs(1))));
    let reset: u64 = field(denied.headers(), "x-ratelimit-reset").parse().expect("a number");
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let unix = unix.expect("after 1970").as_secs();
    assert!((unix + 50..=unix + 61).contains(&reset), "{reset} at {unix}");
    // 600 ms to the next one, told as a whole second and never as 0.
    let wait = parse::retry_after(field(denied.headers(), "retry-after"), 0).expect("a wait");
    assert_eq!(wait, Duration::from_secs(1));
    scene.clock.advance(wait);
    assert_eq!(scene.get("/a", &[]).status(), 200);
}

#[test]
fn a_denied_request_costs_no_other_dimension_anything() {
    let scene = scene(&["ip=3/hour"], |_| ());
    let bob = [("x-api-key", "demo-basic")];
    for _ in 0..3 {
        assert_eq!(scene.get("/a", &bob).status(), 200);
    }
    for _ in 0..5 {
        let denied = scene.get("/a", &bob);
        assert_eq!(denied.status(), 429);
        let limits = parse::limits(field(denied.headers(), "ratelimit")).expect("draft 10");
        let left = |name: &str| limits.iter().find(|l| l.name == name).map(|l| l.remaining);
        assert_eq!([left("tier"), left("user"), left("ip")], [Some(997), Some(997), Some(0)]);
    }
}

#[test]
fn an_unknown_tier_is_free_and_an_unknown_key_is_nobody() {
    let scene = scene(&["free=2/hour", "ip=8/hour"], |_| ());
    let dan = [("x-api-key", "demo-trial")];
    assert_eq!(scene.get("/a", &dan).status(), 200);
    assert_eq!(scene.get("/a", &dan).status(), 200);
    let denied = scene.get("/a", &dan);
    assert_eq!(denied.status(), 429);
    assert!(denied.body().contains("\"tier\""), "{}", denied.body());
    // Guessing keys is limited by address.
    let mut seen = Vec::new();
    for guess in 0..8 {
        let key = format!("guess-{guess}");
        seen.push(scene.get("/a", &[("x-api-key", &key)]).status().as_u16());
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 401, 429, 429]);
}

#[test]
fn a_forwarded_address_is_believed_only_when_told_to() {
    let one = [("x-forwarded-for", "10.9.9.9, 10.0.0.1")];
    let two = [("x-forwarded-for", "10.9.9.9, 10.0.0.2")];
    for (trusts, expected) in [(false, [200, 429, 429]), (true, [200, 429, 200])] {
        let scene = scene(&["ip=1/hour"], |gateway| gateway.trust_forwarded = trusts);
        let seen = [&one, &one, &two].map(|headers| scene.get("/a", headers).status().as_u16());
        assert_eq!(seen, expected, "trusts: {trusts}");
    }
}

#[test]
fn what_the_upstream_does_not_answer_is_502_and_not_charged() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    drop(nobody);
    let scene = scene(&["ip=2/hour"], |gateway| gateway.upstream = Some(address));
    for _ in 0..6 {
        let answer = scene.get("/a", &[]);
        assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
        let limits = parse::limits(field(answer.headers(), "ratelimit")).expect("draft 10");
        assert_eq!(limits[0].remaining, 2, "given back");
    }
}

#[test]
fn hostile_headers_are_answered() {
    let scene = scene(&["ip=1000/min"], |gateway| gateway.trust_forwarded = true);
    let long = "x".repeat(4_000);
    for value in ["", ",", "::1", "not an address", "1.2.3.4, ", "\u{fffd}", &long] {
        let status = scene.get("/a", &[("x-forwarded-for", value)]).status();
        assert_eq!(status, 200, "{value:?}");
        let status = scene.get("/a", &[("x-api-key", value)]).status();
        assert_eq!(status, 401, "{value:?}");
    }
    assert_eq!(scene.get("/a?%00%ff&q=%3Cscript%3E", &[]).status(), 200);
}
