//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_kv-store"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "0 calls in 1 lines"),
        (&["--backend", "ftp://x"], "unknown backend \"ftp\""),
        (&["--serve", "nowhere"], "nowhere"),
    ];
    PROGRAM.refuses(cases, "hello world\n");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("kv-store", 26);
    let shown = summary(&report);
    for name in ["R = 1", "R = 3", "W = 3", "Linearizable", "stale reads where R + W > N"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("hinted-handoff", "no acknowledged write is lost");
}

#[test]
fn ones_own_calls_are_played_and_drawn() {
    // Two clients write what neither has read: siblings, which a third merges.
    let script = "# siblings\n0 0 0 put cart milk\n0 1 4 put cart eggs\n100 2 5 get cart\n\
                  200 2 5 put cart both\n300 3 7 get cart\nnonsense\n400 cut 3\n900 heal\n";
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--data", "-", "--scale", "quick", "--svg", &folder.path().display().to_string()];
    let out = PROGRAM.run(&args, script);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("line 7 is no call, skipped: nonsense"));
    let report = text(&out.stdout);
    assert!(report.contains("Your 5 calls (1 lines skipped)"), "{report}");
    assert!(report.contains("milk | eggs") || report.contains("eggs | milk"), "{report}");
    for name in ["your-calls", "stale-reads", "merkle-bytes"] {
        let svg = std::fs::read_to_string(folder.path().join(format!("{name}.svg"))).expect(name);
        assert!(svg.starts_with("<svg"), "{name}");
    }
}
