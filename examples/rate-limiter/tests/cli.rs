//! The program as a person runs it.

use kit::program::{Program, summary, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_rate-limiter"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "no request in 1 lines"),
        (&["--limit", "fast"], "expected"),
        (&["--limit", "0/min"], "a limit of nothing"),
        (&["--set", "ip"], "expected NAME=QUOTA"),
        (&["--set", "moon=1/min"], "no limit is called \"moon\""),
        (&["--set", "ip=many"], "ip=many"),
        (&["--upstream", "nowhere"], "invalid socket address"),
        (&["--serve", "300.0.0.1:80"], "expected IP:PORT"),
        (&["--on-outage", "maybe"], "possible values: open, closed"),
        (&["--backend", "ftp://x"], "unknown backend"),
        (&["--backend", "redis"], "no scheme"),
    ];
    PROGRAM.refuses(cases, "hello world\n");
}

#[test]
#[cfg(not(feature = "redis"))]
fn what_is_not_built_in_names_the_exact_command() {
    let out = PROGRAM.run(&["--backend", "redis://h:1", "--set", "ip=5/min burst 2"], "");
    let stderr = text(&out.stderr);
    let command = "cargo run --release -p rate-limiter --features redis -- --backend redis://h:1 \
                   --set 'ip=5/min burst 2'";
    assert!(stderr.contains(command), "{stderr}");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("rate-limiter", 22);
    let shown = summary(&report);
    for name in ["sliding log", "counter, 8 parts", "fixed window", "token bucket", "leaky queue"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn ones_own_log_with_malformed_lines_is_replayed_and_they_are_counted() {
    let mut log = String::from("not a request\n1 ann extra words are part of the key\n");
    log.extend((0..40).map(|n| format!("{}.5 ann\n", n / 4)));
    log.push_str("x bob\n\n-1 bob\n");
    let args = ["--data", "-", "--limit", "5/10s", "--scale", "quick"];
    let out = PROGRAM.run(&args, &log);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("line 1 is no request, skipped: not a request"));
    let report = text(&out.stdout);
    assert!(
        report.contains("41 requests of 2 clients, 5/10s each. An exact log denies 35"),
        "{report}"
    );
    assert!(report.contains("3 malformed"), "{report}");
    assert!(report.contains("extra") || report.contains("line 1 is no request"), "{report}");
}

#[test]
fn a_limit_too_large_for_a_log_in_memory_leaves_that_algorithm_out() {
    let out =
        PROGRAM.run(&["--data", "-", "--limit", "5000/min", "--scale", "quick"], "1 a\n2 b\n");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let report = text(&out.stdout);
    assert!(report.contains("fixed window"));
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("all-or-nothing", "blocked by ip");
}

#[test]
fn charts_are_written_and_are_svg() {
    let folder = std::env::temp_dir().join(format!("rate-limiter-charts-{}", std::process::id()));
    let out = PROGRAM.run(&["--scale", "quick", "--svg", &folder.display().to_string()], "");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    for chart in ["admitted.svg", "wrong.svg"] {
        let svg = std::fs::read_to_string(folder.join(chart)).expect(chart);
        assert!(svg.starts_with("<svg") && svg.len() > 1_000, "{chart}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn serve_says_where_and_answers_while_and_after_the_report_is_made() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rate-limiter"))
        .args(["--serve", "127.0.0.1:0", "--scale", "quick", "--set", "ip=3/hour"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says where");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or_else(|| panic!("no address in {line:?}")).to_owned();
    let status = |path: &str| {
        let mut stream = TcpStream::connect(&address).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()).expect("a status")
    };
    let before = status("/a");
    // The second line comes when the report is done.
    line.clear();
    said.read_line(&mut line).expect("it says so again");
    let seen = [status("/a"), status("/a"), status("/a"), status("/")];
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.contains("until it is stopped"), "{line}");
    assert_eq!((before, seen), (200, [200, 200, 429, 200]));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let out = PROGRAM.run(&["--serve", &address, "--scale", "quick"], "");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains(&format!("--serve {address}")), "{}", text(&out.stderr));
}
