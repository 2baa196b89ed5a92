//! The program as a person runs it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn program(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_consistency-models"))
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
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    for (args, said) in [
        (&["--without", "nothing"][..], "unknown safeguard \"nothing\""),
        (&["--data", "no-such-file"], "no-such-file"),
        (&["--data", "."], "directory"),
        (&["--data", "-"], "no call in 1 lines"),
        (&["--backend", "ftp://x"], "no backends"),
        (&["--colour"], "--colour"),
    ] {
        let out = program(args, "hello world\n");
        let stderr = text(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(said), "{args:?}: {stderr}");
        assert!(out.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let out = program(&["--scale", "quick"], "");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let report = text(&out.stdout);
    let summary: Vec<_> =
        report.lines().take_while(|line| !line.contains("1  The problem")).collect();
    assert!(summary.len() <= 25, "{} lines", summary.len());
    assert!(report.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns");
    let shown = summary.join("\n");
    for name in ["replicated log", "quorum register", "causal", "CRDT", "LWW", "write skew"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }

    let out = program(&["--scale", "quick", "--json"], "");
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
    assert_eq!((&json["system"], &json["number"]), (&"consistency-models".into(), &20.into()));
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    let out = program(&["--scale", "quick", "--without", "deterministic-ties"], "");
    assert_eq!(out.status.code(), Some(1));
    let report = text(&out.stdout);
    let screen: Vec<_> = report.lines().take(24).collect();
    let screen = screen.join("\n");
    assert!(screen.contains("seed 1, event"), "{screen}");
    assert!(screen.contains("replicas that are left alone agree"), "{screen}");
}

#[test]
fn ones_own_script_is_played_by_every_model_and_its_anomalies_are_drawn() {
    // Two nodes are cut off; a client writes on one side and another reads on the other.
    let script = "# a stale read\n0 0 4 write x 1\n300 cut 3 4\n350 1 0 write x 2\n\
                  1300 2 4 read x\n1400 heal\nnonsense\n";
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--data", "-", "--scale", "quick", "--svg", &folder.path().display().to_string()];
    let out = program(&args, script);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("line 7 is no call, skipped: nonsense"));
    let report = text(&out.stdout);
    assert!(report.contains("Your script, 3 calls, 1 lines skipped"), "{report}");
    for slug in ["causal", "crdt", "lww"] {
        let file = folder.path().join(format!("{slug}-stale-read.svg"));
        let svg = std::fs::read_to_string(file).expect(slug);
        assert!(svg.starts_with("<svg") && svg.contains("stale read"), "{slug}");
    }
    assert!(!folder.path().join("log-stale-read.svg").exists());
    assert!(!folder.path().join("quorum-stale-read.svg").exists());
}
