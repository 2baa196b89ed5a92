//! The gateway over real HTTP: a person's curl, the provider on its own port, the signed webhook.

use kit::Run;
use payment_gateway::design::DESIGN;
use payment_gateway::http;
use payment_gateway::serve::Server;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const CARD: &str = "4111111111111111";

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

fn scene(faults: &str) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(any, Some(folder.path()), &Run::test(&DESIGN, 1)).expect("a port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let scene = Scene { server, folder, runtime: runtime.expect("a runtime") };
    assert_eq!(scene.bank("PUT", "/faults", faults).0, 204);
    scene
}

impl Scene {
    fn send(
        &self,
        to: SocketAddr,
        method: &str,
        path: &str,
        key: &str,
        body: String,
    ) -> (u16, Value) {
        let headers = [("authorization", "Bearer demo-acme"), ("idempotency-key", key)];
        let patience = Duration::from_secs(20);
        let sent = http::send(method, to, path, &headers, body, patience);
        let (status, text) = self.runtime.block_on(sent).expect("an answer");
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, value)
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        self.send(self.server.address, method, path, key, body.to_string())
    }

    fn bank(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.send(self.server.provider, method, path, "", body.to_owned())
    }

    /// Charges of a reference that the provider has executed.
    fn executed(&self, reference: &str) -> usize {
        let (_, text) = self.bank("GET", "/done", "");
        // One line alone parses as JSON.
        let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
        text.lines().filter(|line| line.contains(&format!("\"{reference}\""))).count()
    }

    /// Asks until `good`, for as long as a slow machine may take.
    fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let (_, value) = self.ask("GET", path, "", &Value::Null);
            if good(&value) {
                return value;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{path}: {value}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

fn card(amount: &str) -> Value {
    json!({"amount": amount, "method": "card", "number": CARD, "cvv": "123", "holder": "Ann Example"})
}

#[test]
fn a_payment_is_made_once_refunded_and_told_by_signed_webhooks() {
    let scene = scene("none");
    let (status, paid) = scene.ask("POST", "/payments", "order-1", &card("USD 12.34"));
    // On a slow machine the outcome may follow.
    assert!(status == 200 || status == 202, "{status} {paid}");
    let now = scene.until("/payments/pay_1", |value| value["status"] == "captured");
    assert_eq!((&now["amount"], &now["account"]), (&json!("USD 12.34"), &json!("…1111")));

    let (status, again) = scene.ask("POST", "/payments", "order-1", &card("USD 12.34"));
    assert_eq!(
        (status, &again["payment"], &again["status"]),
        (200, &json!("pay_1"), &json!("captured"))
    );
    assert_eq!(scene.ask("POST", "/payments", "order-1", &card("USD 99.00")).0, 422);
    assert_eq!((scene.executed("pay_1/authorise"), scene.executed("pay_1/capture")), (1, 1));

    let five = json!({"amount": "USD 5.00"});
    assert!(scene.ask("POST", "/payments/pay_1/refunds", "refund-1", &five).0 < 300);
    assert!(scene.ask("POST", "/payments/pay_1/refunds", "refund-1", &five).0 < 300);
    scene.until("/payments/pay_1", |value| value["refunded"] == "USD 5.00");
    assert_eq!(
        scene.ask("POST", "/payments/pay_1/refunds", "refund-2", &json!({"amount": "USD 8.00"})).0,
        400
    );
    assert_eq!(scene.executed("pay_1/refund/refund-1"), 1);

    // Four changes, signed, in order: the sample merchant keeps what verifies.
    let heard = scene.until("/sample-merchant/acme", |value| {
        value.as_str().is_some_and(|text| text.lines().count() >= 4)
    });
    let lines: Vec<Value> = heard
        .as_str()
        .expect("lines")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let events: Vec<_> = lines
        .iter()
        .map(|line| (line["body"]["version"].as_u64(), line["body"]["event"].as_str()))
        .collect();
    let expected =
        ["pending", "authorised", "captured", "captured"].map(|name| format!("payment.{name}"));
    for (nth, (event, expected)) in events.iter().zip(&expected).enumerate() {
        assert_eq!(*event, (Some(nth as u64 + 1), Some(expected.as_str())));
    }
    assert!(
        lines.iter().all(|line| line["signature"].as_str().is_some_and(|s| s.starts_with("t=")))
    );

    // The payer's bank takes the rest back.
    assert_eq!(scene.bank("POST", "/disputes", "pay_1/capture").0, 202);
    scene.until("/payments/pay_1", |value| value["status"] == "charged_back");
}

#[test]
fn a_silent_provider_is_asked_and_the_card_is_charged_once() {
    let scene = scene("silent");
    let (status, _) = scene.ask("POST", "/payments", "order-1", &card("USD 1.00"));
    assert_eq!(status, 202, "the outcome is not known within two seconds");
    // Queries go the same way, and nobody answers them either.
    assert_eq!(scene.bank("PUT", "/faults", "none").0, 204);
    scene.until("/payments/pay_1", |value| value["status"] == "captured");
    assert_eq!((scene.executed("pay_1/authorise"), scene.executed("pay_1/capture")), (1, 1));
}

#[test]
fn changes_are_streamed_and_a_merchant_hears_at_its_own_address() {
    let scene = scene("none");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let (status, secret) = scene.ask("PUT", "/webhook", "", &json!({"url": url}));
    assert_eq!(status, 200);
    assert_eq!(scene.ask("PUT", "/webhook", "", &json!({"url": "http://10.0.0.1:80/"})).0, 400);
    let wallet = json!({"amount": "USD 3.00", "method": "wallet", "number": "491511111111"});
    assert!(scene.ask("POST", "/payments", "order-7", &wallet).0 < 300);

    let (mut stream, _) = listener.accept().expect("the gateway knocks");
    let (mut request, mut part) = (String::new(), [0; 4096]);
    while !request.contains("moved") {
        let read = stream.read(&mut part).expect("a request");
        request.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("answered");
    let header = |name: &str| {
        let line = request.lines().find(|line| line.to_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("", |pair| pair.1).to_owned()
    };
    let body = request.split_once("\r\n\r\n").expect("a body").1;
    let secret = secret["secret"].as_str().expect("hex");
    let secret: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&secret[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    let now = payment_gateway::serve::now();
    assert!(payment_gateway::webhook::verify(&secret, now, body, &header("webhook-signature")));
    assert_eq!(header("webhook-id"), "pay_1/1");

    // Server-sent events: what is, then each change.
    let mut events = TcpStream::connect(scene.server.address).expect("it listens");
    events.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let get =
        "GET /payments/pay_1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer demo-acme\r\n\r\n";
    events.write_all(get.as_bytes()).expect("sent");
    let mut seen = String::new();
    while !seen.contains("event: captured") {
        let read = events.read(&mut part).expect("an event");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..read]));
    }
    assert!(seen.contains("text/event-stream"), "{seen}");
    assert!(
        scene.ask("POST", "/payments/pay_1/refunds", "all", &json!({"amount": "USD 3.00"})).0 < 300
    );
    while !seen.contains("event: refunded") {
        let read = events.read(&mut part).expect("an event");
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part[..read]));
    }
}

#[test]
fn what_is_wrong_is_said_and_no_card_number_reaches_the_disk() {
    let scene = scene("none");
    let bad = |body: &Value| scene.ask("POST", "/payments", "k", body);
    assert_eq!(bad(&Value::Null).0, 400);
    assert_eq!(bad(&card("12.34")).0, 400);
    assert_eq!(bad(&card("USD 0.00")).0, 400);
    let (status, said) =
        bad(&json!({"amount": "USD 1.00", "method": "card", "number": "4111111111111112"}));
    assert_eq!(status, 400);
    assert!(!said.to_string().contains("4111"), "{said}");
    assert_eq!(scene.ask("POST", "/payments", "", &card("USD 1.00")).0, 400, "no key");
    assert_eq!(scene.ask("GET", "/payments/pay_9", "", &Value::Null).0, 404);
    assert_eq!(scene.ask("POST", "/provider/callbacks", "", &json!({"id": "x"})).0, 401);
    let nobody = http::send(
        "POST",
        scene.server.address,
        "/payments",
        &[],
        String::new(),
        Duration::from_secs(9),
    );
    assert_eq!(scene.runtime.block_on(nobody).expect("an answer").0, 401);

    assert!(scene.ask("POST", "/payments", "k", &card("USD 1.00")).0 < 300);
    scene.until("/payments/pay_1", |value| value["status"] == "captured");
    // A sixth attempt of one card at once is too fast.
    let tries: Vec<u16> = (0..5)
        .map(|n| scene.ask("POST", "/payments", &format!("t{n}"), &card("USD 1.00")).0)
        .collect();
    assert_eq!(tries.last(), Some(&429), "{tries:?}");
    let (mut files, mut bytes) = (0, Vec::new());
    for file in std::fs::read_dir(scene.folder.path()).expect("the folder") {
        bytes.extend(std::fs::read(file.expect("a file").path()).expect("its bytes"));
        files += 1;
    }
    assert!(files >= 3 && bytes.len() > 10_000);
    for secret in [CARD, "Ann Example", "\"123\""] {
        assert!(
            !payment_gateway::trials::holds(&bytes, secret.as_bytes()),
            "{secret} is on the disk"
        );
    }
}
