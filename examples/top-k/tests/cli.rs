//! The program as a person runs it.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn top_k(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_top-k"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that refuses its flags does not read its input.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn wrong_flags_are_answered_with_status_2_and_what_is_wrong() {
    for (args, said) in [
        (&["--without", "nothing"][..], "unknown safeguard \"nothing\""),
        (&["--data", "no-such-file"], "no-such-file"),
        (&["--k", "0"], "0 is not in 1..=500"),
        (&["--field", "colour"], "colour"),
        (&["--format", "tsv", "--data", "-"], "no TSV header"),
        (&["--backend", "ftp://x"], "unknown backend"),
        (&["--merge", "no-such-state"], "no-such-state"),
        (&["--workers", "0"], "0 is not in 1..=256"),
    ] {
        let out = top_k(args, "x\n");
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
    }
}

#[test]
#[cfg(not(any(feature = "redis", feature = "serve")))]
fn what_is_not_built_in_names_the_exact_command() {
    let out = top_k(&["--backend", "redis://h:1", "--data", "a b.log"], "");
    let stderr = text(&out.stderr);
    let command =
        "cargo run --release -p top-k --features redis -- --backend redis://h:1 --data 'a b.log'";
    assert!(stderr.contains(command), "{stderr}");
    let out = top_k(&["--serve", ":0"], "");
    assert!(text(&out.stderr).contains("--features serve"));
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let out = top_k(&["--scale", "quick"], "");
    assert_eq!(out.status.code(), Some(0));
    let report = text(&out.stdout);
    let summary: Vec<_> =
        report.lines().take_while(|line| !line.contains("1  The problem")).collect();
    assert!(summary.len() <= 25, "{} lines", summary.len());
    assert!(report.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns");
    assert!(report.contains("equal to sort | uniq: yes") || report.contains("uniq: yes"));

    let out = top_k(&["--scale", "quick", "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    assert_eq!((&json["system"], &json["number"]), (&"top-k".into(), &23.into()));
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    let out = top_k(&["--scale", "quick", "--without", "heap-update"], "");
    assert_eq!(out.status.code(), Some(1));
    let report = text(&out.stdout);
    let screen: String = report.lines().take(24).collect();
    assert!(screen.contains("seed 1, event"), "{screen}");
    assert!(screen.contains("the counts add up to"), "{screen}");
}

#[test]
fn exact_counting_is_dropped_aloud_and_recall_is_then_not_known() {
    let lines: String = (0..500).map(|i| format!("item {}\n", i % 100)).collect();
    let out = top_k(&["--data", "-", "--exact-limit", "50", "--scale", "quick"], &lines);
    assert_eq!(out.status.code(), Some(0));
    assert!(text(&out.stderr).contains("exact counting of url dropped at event 51"));
    assert!(text(&out.stdout).contains("recall is not known"));
}

#[test]
fn states_of_two_logs_merge_into_one_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (one, two, both) = (path("one"), path("two"), path("both"));
    for (file, log) in [(&one, "a\na\nb\n"), (&two, "a\nb\nb\nb\n")] {
        let out = top_k(&["--data", "-", "--scale", "quick", "--save", file], log);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
    let out = top_k(&["--merge", &one, &two, "--save", &both, "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    assert_eq!(json["url"]["top"][0], serde_json::json!({"key": "b", "count": 4, "at_least": 4}));
    assert_eq!(json["url"]["events"], 7);
    assert!(Path::new(&both).is_file());

    let mut bytes = std::fs::read(&both).expect("saved");
    bytes[5] ^= 1;
    std::fs::write(&both, bytes).expect("written");
    let out = top_k(&["--merge", &both], "");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("checksum"));
}
