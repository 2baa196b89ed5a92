//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_consistency-models"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] =
        &[(&["--data", "-"], "no call in 1 lines"), (&["--backend", "ftp://x"], "no backends")];
    PROGRAM.refuses(cases, "hello world\n");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("consistency-models", 20);
    let shown = summary(&report);
    for name in ["replicated log", "quorum register", "causal", "CRDT", "LWW", "write skew"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("deterministic-ties", "replicas that are left alone agree");
}

#[test]
fn ones_own_script_is_played_by_every_model_and_its_anomalies_are_drawn() {
    // Two nodes are cut off; a client writes on one side and another reads on the other.
    let script = "# a stale read\n0 0 4 write x 1\n300 cut 3 4\n350 1 0 write x 2\n\
                  1300 2 4 read x\n1400 heal\nnonsense\n";
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--data", "-", "--scale", "quick", "--svg", &folder.path().display().to_string()];
    let out = PROGRAM.run(&args, script);
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
