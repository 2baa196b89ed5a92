//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_sharding"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "no request in it"),
        (&["--backend", "postgres://x"], "no backends"),
        (&["--serve", "1"], "serves nothing"),
    ];
    PROGRAM.refuses(cases, "# only a comment\n\n");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("sharding", 17);
    let shown = summary(&report);
    for name in ["range", "hash % n", "geographic", "directory", "consistent ring", "0 failed"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("dual-reads", "resharding: no read fails");
}

#[test]
fn ones_own_log_is_sharded_and_its_malformed_lines_are_counted() {
    let log = "# mine\nann de\nbob\nann\neve nowhere\ncy.co.jp\n";
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--data", "-", "--scale", "quick", "--svg", &folder.path().display().to_string()];
    let out = PROGRAM.run(&args, log);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let said = text(&out.stderr);
    assert!(said.contains("line 5 is no request, skipped: eve nowhere"), "{said}");
    assert!(text(&out.stdout).contains("(3 of your log)"), "{}", text(&out.stdout));
    for name in ["ring", "moved", "rows"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("{name}.svg")));
        assert!(svg.expect(name).contains("<svg"), "{name}");
    }
}
