//! The program as a person runs it.

use kit::program::{Program, text};
use std::path::Path;

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_top-k"));

#[test]
fn wrong_flags_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--k", "0"], "0 is not in 1..=500"),
        (&["--field", "colour"], "colour"),
        (&["--format", "tsv", "--data", "-"], "no TSV header"),
        (&["--backend", "ftp://x"], "unknown backend"),
        (&["--merge", "no-such-state"], "no-such-state"),
        (&["--workers", "0"], "0 is not in 1..=256"),
    ];
    PROGRAM.refuses(cases, "x\n");
}

#[test]
#[cfg(not(any(feature = "redis", feature = "serve")))]
fn what_is_not_built_in_names_the_exact_command() {
    let out = PROGRAM.run(&["--backend", "redis://h:1", "--data", "a b.log"], "");
    let stderr = text(&out.stderr);
    let command =
        "cargo run --release -p top-k --features redis -- --backend redis://h:1 --data 'a b.log'";
    assert!(stderr.contains(command), "{stderr}");
    let out = PROGRAM.run(&["--serve", ":0"], "");
    assert!(text(&out.stderr).contains("--features serve"));
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("top-k", 23);
    assert!(report.contains("equal to sort | uniq: yes") || report.contains("uniq: yes"));
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("heap-update", "the counts add up to");
}

#[test]
fn exact_counting_is_dropped_aloud_and_recall_is_then_not_known() {
    let lines: String = (0..500).map(|i| format!("item {}\n", i % 100)).collect();
    let out = PROGRAM.run(&["--data", "-", "--exact-limit", "50", "--scale", "quick"], &lines);
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
        let out = PROGRAM.run(&["--data", "-", "--scale", "quick", "--save", file], log);
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    }
    let out = PROGRAM.run(&["--merge", &one, &two, "--save", &both, "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    assert_eq!(json["url"]["top"][0], serde_json::json!({"key": "b", "count": 4, "at_least": 4}));
    assert_eq!(json["url"]["events"], 7);
    assert!(Path::new(&both).is_file());

    let mut bytes = std::fs::read(&both).expect("saved");
    bytes[5] ^= 1;
    std::fs::write(&both, bytes).expect("written");
    let out = PROGRAM.run(&["--merge", &both], "");
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("checksum"));
}
