//! The HTTP interface while a log is read: `cargo test -p top-k --features serve`.
#![cfg(feature = "serve")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of `GET path`.
fn get(address: &str, path: &str) -> (u16, serde_json::Value) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn a_query_is_answered_within_100_ms_while_a_log_is_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_top-k"))
        .args(["--data", "-", "--serve", "127.0.0.1:0", "--scale", "quick"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut log = child.stdin.take().expect("piped");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let _server = Server(child);
    let mut line = String::new();
    said.read_line(&mut line).expect("it says where");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut second = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                second += 1;
                let time = format!(
                    "01/Aug/1995:{:02}:{:02}:{:02} +0000",
                    second / 3600 % 24,
                    second / 60 % 60,
                    second % 60
                );
                let batch: String = (0..200)
                    .map(|i| {
                        format!(
                            "h{} - - [{time}] \"GET /{} HTTP/1.0\" 200 1\n",
                            i % 50,
                            i % (7 + i % 90)
                        )
                    })
                    .collect();
                if log.write_all(batch.as_bytes()).is_err() {
                    return;
                }
            }
        });
        // Wait for the first event: a bound on how long, not a sleep of a fixed length.
        let started = Instant::now();
        while get(&address, "/top").1["events"].as_u64().unwrap_or(0) == 0 {
            assert!(started.elapsed() < Duration::from_secs(30), "no event is counted");
        }
        let mut times = Vec::new();
        let mut counted = Vec::new();
        for round in 0..60 {
            let query = ["/top?field=url&k=10&window=5m", "/top?field=host&window=all"][round % 2];
            let started = Instant::now();
            let (status, list) = get(&address, query);
            times.push(started.elapsed());
            assert_eq!(status, 200);
            assert!(list["top"].as_array().is_some_and(|top| !top.is_empty()), "{list}");
            counted.push(get(&address, "/top").1["events"].as_u64().expect("a number"));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(counted.last() > counted.first(), "it was not reading: {counted:?}");
        times.sort();
        // The machine may be busy with other tests: the median tells about the server.
        assert!(times[times.len() / 2] < Duration::from_millis(100), "{times:?}");
    });

    for wrong in ["k=0", "k=x", "k=501", "field=colour", "window=5", "window=61m", "window=0m"] {
        let (status, answer) = get(&address, &format!("/top?{wrong}"));
        assert_eq!(status, 400, "{wrong}");
        assert!(answer["error"].is_string(), "{wrong}: {answer}");
    }
}
