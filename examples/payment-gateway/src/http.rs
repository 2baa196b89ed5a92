//! What a request and an answer look like between gateway and provider; and a small HTTP client.

use crate::method::{Callback, Kind, Method, Outcome, Request};
use crate::vault::Cvv;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use kit::Failure;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// An answer longer than this is none.
const LONGEST: usize = 1 << 20;

/// Sends one request over a connection of its own; status and body. Everything within `patience`.
///
/// # Errors
/// When there is no answer in time.
pub async fn send(
    method: &str,
    to: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
    patience: Duration,
) -> Result<(u16, String), Failure> {
    let mut request = hyper::Request::builder().method(method).uri(path);
    request = request.header("host", to.to_string()).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body)))?;
    let answer = async move {
        let stream = tokio::net::TcpStream::connect(to).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body =
            Limited::new(body, LONGEST).collect().await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok::<_, Failure>((parts.status.as_u16(), text))
    };
    tokio::time::timeout(patience, answer).await?
}

/// A request as JSON.
#[must_use]
pub fn request(request: &Request) -> Value {
    json!({
        "method": request.method.name(),
        "kind": request.kind.map(Kind::name),
        "reference": request.reference,
        "attempt": request.attempt,
        "amount": request.amount,
        "currency": request.currency,
        "target": request.target,
        "valid_until": request.valid_until,
        "account": request.account,
        "cvv": request.cvv.as_ref().map(Cvv::reveal),
    })
}

/// A request from JSON; `None` when it is none.
#[must_use]
pub fn parse_request(value: &Value) -> Option<Request> {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let kind = match &value["kind"] {
        Value::Null => None,
        kind => Some(Kind::named(kind.as_str()?)?),
    };
    Some(Request {
        method: Method::named(value["method"].as_str()?)?,
        kind,
        reference: text("reference")?,
        attempt: u32::try_from(value["attempt"].as_u64()?).ok()?,
        amount: value["amount"].as_i64().filter(|&amount| amount > 0)?,
        currency: text("currency")?,
        target: text("target"),
        valid_until: value["valid_until"].as_i64()?,
        account: text("account"),
        cvv: text("cvv").and_then(|digits| Cvv::new(&digits)),
    })
}

/// An outcome as JSON.
#[must_use]
pub fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Approved(id) => json!({"outcome": "approved", "id": id}),
        Outcome::Declined(why) => json!({"outcome": "declined", "why": why}),
        other => json!({"outcome": other.to_string()}),
    }
}

/// An outcome from JSON; `None` when it is none.
#[must_use]
pub fn parse_outcome(value: &Value) -> Option<Outcome> {
    Some(match value["outcome"].as_str()? {
        "approved" => Outcome::Approved(value["id"].as_str()?.to_owned()),
        "declined" => {
            let known = ["insufficient funds", "do not honour", "card reported lost"];
            let why = value["why"].as_str().unwrap_or_default();
            Outcome::Declined(known.into_iter().find(|known| *known == why).unwrap_or("declined"))
        }
        "busy" => Outcome::Busy,
        "expired" => Outcome::Expired,
        "waiting" => Outcome::Waiting,
        "duplicate" => Outcome::Duplicate,
        "not found" => Outcome::NotFound,
        _ => return None,
    })
}

/// A callback as JSON.
#[must_use]
pub fn callback(callback: &Callback) -> Value {
    let said = callback.outcome.as_ref().map(outcome);
    json!({"id": callback.id, "reference": callback.reference, "outcome": said})
}

/// A callback from JSON; `None` when it is none.
#[must_use]
pub fn parse_callback(value: &Value) -> Option<Callback> {
    let outcome = match &value["outcome"] {
        Value::Null => None,
        said => Some(parse_outcome(said)?),
    };
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    Some(Callback { id: text("id")?, reference: text("reference")?, outcome })
}
