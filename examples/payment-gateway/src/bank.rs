//! The provider as a real HTTP server on its own port, with the faults of [`crate::provider`] in real time.

use crate::http;
use crate::method::{Callback, Outcome};
use crate::provider::{Faults, Provider};
use crate::serve::now;
use crate::webhook::sign;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What provider and gateway sign callbacks with.
pub const SECRET: &[u8] = b"demo: shared by provider and gateway";

/// A provider that calls `gateway` back.
#[derive(Debug)]
pub struct Bank {
    provider: Mutex<Provider>,
    gateway: SocketAddr,
}

impl Bank {
    /// Its routes.
    pub fn routes(provider: Provider, gateway: SocketAddr) -> Router {
        let bank = Arc::new(Self { provider: Mutex::new(provider), gateway });
        Router::new()
            .route("/requests", post(request))
            .route("/done", get(done))
            .route("/faults", put(faults))
            .route("/disputes", post(dispute))
            .with_state(bank)
    }

    fn provider(&self) -> std::sync::MutexGuard<'_, Provider> {
        self.provider.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Calls back after `delay`, again until the gateway says 2xx.
    fn call(self: &Arc<Self>, delay: Duration, callback: Callback) {
        let bank = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let calls = if callback.outcome == Some(Outcome::Waiting) {
                bank.provider().approve(now(), callback)
            } else {
                vec![(Duration::ZERO, callback)]
            };
            for (delay, callback) in calls {
                tokio::time::sleep(delay).await;
                let body = http::callback(&callback).to_string();
                for wait in [1, 2, 4, 8, 16, 32, 64] {
                    let signature = sign(SECRET, now(), &body);
                    let headers = [("provider-signature", signature.as_str())];
                    let patience = Duration::from_secs(5);
                    let sent = http::send(
                        "POST",
                        bank.gateway,
                        "/provider/callbacks",
                        &headers,
                        body.clone(),
                        patience,
                    );
                    let took = sent.await.is_ok_and(|(status, _)| (200..300).contains(&status));
                    if took {
                        break;
                    }
                    tokio::time::sleep(Duration::from_secs(wait)).await;
                }
            }
        });
    }
}

async fn request(State(bank): State<Arc<Bank>>, body: String) -> Response {
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(request) = http::parse_request(&value) else {
        return (StatusCode::BAD_REQUEST, "no request\n").into_response();
    };
    let fate = bank.provider().fate(&request);
    // What is held is executed even if the gateway has hung up: so it is a task of its own.
    let work = tokio::spawn(async move {
        tokio::time::sleep(fate.held).await;
        let (outcome, calls) = bank.provider().execute(now(), &request);
        for (delay, callback) in calls {
            bank.call(delay, callback);
        }
        if fate.silent {
            // Longer than any gateway waits.
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        outcome
    });
    match work.await {
        Ok(outcome) => (StatusCode::OK, http::outcome(&outcome).to_string()).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// All it has done: what a test, or a person, compares with.
async fn done(State(bank): State<Arc<Bank>>) -> String {
    let provider = bank.provider();
    let rows = provider.done().iter().map(|done| {
        json!({
            "id": done.id, "reference": done.reference, "kind": done.kind.name(),
            "amount": done.amount, "currency": done.currency, "approved": done.approved,
        })
        .to_string()
    });
    rows.map(|row| row + "\n").collect()
}

/// `none`, `usual`, `nasty` or `silent`.
async fn faults(State(bank): State<Arc<Bank>>, name: String) -> Response {
    let faults = match name.trim() {
        "none" => Faults::NONE,
        "usual" => Faults::USUAL,
        "nasty" => Faults::NASTY,
        "silent" => Faults { silent: 1.0, ..Faults::NONE },
        _ => return (StatusCode::BAD_REQUEST, "none, usual, nasty or silent\n").into_response(),
    };
    bank.provider().behave(faults);
    StatusCode::NO_CONTENT.into_response()
}

/// The payer's bank takes back what the reference took.
async fn dispute(State(bank): State<Arc<Bank>>, reference: String) -> Response {
    let reference = reference.trim();
    let took = |done: &crate::provider::Done| done.approved && done.reference == reference;
    if !bank.provider().done().iter().any(took) {
        return (StatusCode::NOT_FOUND, "no such charge\n").into_response();
    }
    let callback = bank.provider().dispute(reference);
    bank.call(Duration::ZERO, callback);
    StatusCode::ACCEPTED.into_response()
}
