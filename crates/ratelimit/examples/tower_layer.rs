//! A tower layer that answers 429 with every header a client could want.
//!
//! `cargo run -p archstone-ratelimit --example tower_layer`
//!
//! The layer wraps any service of `http` requests, so it stands as well in front of axum, hyper or
//! tonic. It has two limits, one for each client and one for all, charged together or not at all.

use archstone_ratelimit::headers::{
    Legacy, Limit, Limits, PROBLEM_JSON, Policies, Policy, Problem, ProblemKind, RATELIMIT,
    RATELIMIT_POLICY, RETRY_AFTER, Reset, RetryAfter as RetryAfterField,
};
use archstone_ratelimit::{
    Clock, Gcra, Grant, Keyed, Monotonic, Part, Quota, RetryAfter, Shared, check_all,
};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

/// A reset is told as ten minutes at the most: a day told to every client brings all of them back
/// at the same moment.
const LONGEST_RESET: Duration = Duration::from_secs(600);

/// The limits, shared by every copy of the service.
struct RateLimits<C> {
    clients: Keyed<String>,
    all: Shared<Gcra>,
    quotas: [Quota; 2],
    clock: C,
}

impl<C: Clock> RateLimits<C> {
    fn new(client: Quota, all: Quota, clock: C) -> Arc<Self> {
        let clients = Keyed::new(Gcra::new(client));
        Arc::new(Self { clients, all: Shared::new(Gcra::new(all)), quotas: [client, all], clock })
    }
}

/// Makes services that keep to the limits.
struct RateLimitLayer<C>(Arc<RateLimits<C>>);

impl<S, C> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimited<S, C>;
    fn layer(&self, inner: S) -> RateLimited<S, C> {
        RateLimited { inner, limits: self.0.clone() }
    }
}

/// A service behind limits.
struct RateLimited<S, C> {
    inner: S,
    limits: Arc<RateLimits<C>>,
}

impl<S, B, C> Service<Request<B>> for RateLimited<S, C>
where
    S: Service<Request<B>, Response = Response<String>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    C: Clock + Send + Sync + 'static,
{
    type Response = Response<String>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let RateLimits { clients, all, quotas, clock } = &*self.limits;
        // Real servers take the address of the connection: a header is what the client says.
        let client = request.headers().get("x-client").and_then(|name| name.to_str().ok());
        // One reading of the clock serves both limits.
        let (now, client) = (clock.now(), client.unwrap_or("unknown"));
        let part = clients.key(client);
        match check_all(now, &[Part::new(&part, 1), Part::new(all, 1)]) {
            Ok(pass) => {
                let mut grants = pass.grants();
                let left = grants.next().map_or(0, Grant::remaining);
                let more = clients.more_after_tier_at(now, client, 0);
                let fields = fields("client", quotas[0], left, more);
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let mut response = answer.await?;
                    fields.into_iter().for_each(|(name, value)| set(&mut response, name, value));
                    Ok(response)
                })
            }
            Err(blocked) => {
                let name = ["client", "all"][blocked.index];
                let problem =
                    Problem { kind: ProblemKind::QuotaExceeded, status: 429, policies: &[name] };
                let mut response = Response::new(problem.to_string());
                *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
                set(&mut response, "content-type", PROBLEM_JSON.to_owned());
                // Without a wait the request could never pass: a quota of nothing.
                if let RetryAfter::After(wait) = blocked.retry_after() {
                    set(&mut response, RETRY_AFTER, RetryAfterField(wait).to_string());
                    let quota = quotas[blocked.index];
                    for (name, value) in fields(name, quota, blocked.denial.remaining(), wait) {
                        set(&mut response, name, value);
                    }
                }
                Box::pin(ready(Ok(response)))
            }
        }
    }
}

/// What is left of a quota, and how long until more of it comes.
fn fields(name: &str, quota: Quota, left: u64, more: Duration) -> Vec<(&'static str, String)> {
    let window = quota.rate().period().as_secs();
    let policy = Policy::new(name, quota.burst()).map(|policy| policy.window(window));
    let limit = Limit::new(name, left).map(|limit| limit.reset_capped(more, LONGEST_RESET));
    let mut fields = Vec::new();
    // Names of ours are plain ASCII and numbers small, so neither is an error here.
    if let (Ok(policy), Ok(limit)) = (policy, limit) {
        fields.push((RATELIMIT_POLICY, Policies(&[policy]).to_string()));
        fields.push((RATELIMIT, Limits(&[limit]).to_string()));
    }
    let legacy = Legacy { limit: quota.burst(), remaining: left, reset: Reset::After(more) };
    fields.extend(legacy.fields().map(|(name, value)| (name, value.to_string())));
    fields
}

fn set<B>(response: &mut Response<B>, name: &str, value: String) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}

fn main() {
    let limits = RateLimits::new(
        Quota::per_minute(60).with_burst(3),
        Quota::per_minute(50_000),
        Monotonic::new(),
    );
    let upstream = service_fn(|request: Request<()>| async move {
        Ok::<_, std::convert::Infallible>(Response::new(format!("hello from {}\n", request.uri())))
    });
    let mut service = ServiceBuilder::new().layer(RateLimitLayer(limits)).service(upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..5 {
            let request = Request::get("/songs").header("x-client", "ann").body(());
            let request = request.expect("a valid request");
            let response = service.ready().await.expect("infallible").call(request).await;
            let response = response.expect("infallible");
            println!("{}", response.status());
            for (name, value) in response.headers() {
                println!("  {name}: {}", value.to_str().unwrap_or_default());
            }
            println!("  {}", response.body().trim_end());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use archstone_ratelimit::{Manual, Time};

    /// A request through the layer: status, and the fields that were asked for.
    fn ask(limits: &RateLimitLayer<Manual>, who: &str, fields: [&str; 3]) -> (u16, [String; 3]) {
        let upstream = service_fn(|_: Request<()>| async {
            Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
        });
        let mut service = limits.layer(upstream);
        let request = Request::get("/").header("x-client", who).body(()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(service.call(request)).unwrap();
        let field = |name: &str| {
            response
                .headers()
                .get(name)
                .map_or(String::new(), |value| value.to_str().unwrap().into())
        };
        (response.status().as_u16(), fields.map(field))
    }

    #[test]
    fn the_tower_layer_answers_429_with_headers_and_names_the_limit() {
        let limits = RateLimits::new(
            Quota::per_minute(60).with_burst(2),
            Quota::per_minute(6).with_burst(3),
            Manual::new(Time::from_secs(1)),
        );
        let layer = RateLimitLayer(limits);
        let fields = ["ratelimit", "ratelimit-policy", "x-ratelimit-remaining"];
        let (status, [limit, policy, left]) = ask(&layer, "ann", fields);
        assert_eq!(status, 200);
        assert_eq!(limit, r#""client";r=1;t=1"#);
        assert_eq!((policy.as_str(), left.as_str()), (r#""client";q=2;w=60"#, "1"));
        assert_eq!(ask(&layer, "ann", fields).0, 200);
        let fields = ["retry-after", "content-type", "ratelimit"];
        let (status, [wait, kind, limit]) = ask(&layer, "ann", fields);
        assert_eq!((status, wait.as_str()), (429, "1"));
        assert_eq!(
            (kind.as_str(), limit.as_str()),
            ("application/problem+json", r#""client";r=0;t=1"#)
        );
        // Another client passes, the next is stopped by the limit of all, which was not charged for ann.
        assert_eq!(ask(&layer, "bob", fields).0, 200);
        let (status, [wait, _, limit]) = ask(&layer, "cid", fields);
        assert_eq!((status, wait.as_str(), limit.as_str()), (429, "10", r#""all";r=0;t=10"#));
    }
}
