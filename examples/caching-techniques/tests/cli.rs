//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_caching-techniques"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "no request in 1 lines"),
        (&["--capacity", "many"], "no number"),
        (&["--capacity", "-1"], "unexpected argument"),
        (&["--writes", "101"], "outside 0 to 100"),
        (&["--writes", "nan"], "outside 0 to 100"),
        (&["--backend", "ftp://x"], "unknown backend"),
        (&["--serve", ":8080"], "serves nothing"),
    ];
    PROGRAM.refuses(cases, "what is this\n");
}

#[test]
#[cfg(not(feature = "redis"))]
fn what_is_not_built_in_names_the_exact_command() {
    let out = PROGRAM.run(&["--backend", "redis://h:1"], "");
    let command =
        "cargo run --release -p caching-techniques --features redis -- --backend redis://h:1";
    assert!(text(&out.stderr).contains(command), "{}", text(&out.stderr));
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("caching-techniques", 18);
    let shown = summary(&report);
    for name in ["cache-aside", "read-through", "write-through", "write-behind", "Belady", "XFetch"]
    {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("single-flight", "loads under way");
    PROGRAM.breaks("bounded-dirty", "the process dies");
}

#[test]
fn ones_own_trace_is_played_and_malformed_lines_are_counted() {
    let mut trace = String::from("# mine\nthis is none\nr a\nw a\nGET b\n");
    trace.extend((0..400).map(|n| format!("key-{}\n", n % 37)));
    let out = PROGRAM.run(&["--data", "-", "--scale", "quick"], &trace);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("line 2 is no request, skipped: this is none"));
    let report = text(&out.stdout);
    let said = "standard input: 403 requests, 39 keys, 4 entries, 1 malformed lines skipped";
    assert!(report.contains(said), "{report}");
    assert!(report.contains("as the trace says"), "{report}");
}

#[test]
fn a_trace_of_one_request_and_caches_of_nothing_and_of_everything_are_played() {
    for (trace, flags) in [
        ("a\n", &["--data", "-", "--scale", "quick"][..]),
        ("w a\n", &["--data", "-", "--scale", "quick"]),
        ("a\nb\na\n", &["--data", "-", "--scale", "quick", "--capacity", "0", "--writes", "100"]),
        ("a\nb\na\n", &["--data", "-", "--scale", "quick", "--capacity", "100", "--writes", "0"]),
    ] {
        let out = PROGRAM.run(flags, trace);
        assert_eq!(out.status.code(), Some(0), "{trace:?}: {}", text(&out.stderr));
        assert!(!text(&out.stderr).contains("panicked"));
        let wide = text(&out.stdout).lines().take(24).any(|line| line.chars().count() > 80);
        assert!(!wide, "{}", text(&out.stdout));
    }
}

#[test]
fn charts_are_written_and_are_svg() {
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--scale", "quick", "--svg", &folder.path().display().to_string()];
    let out = PROGRAM.run(&args, "");
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    for chart in ["miss-ratios.svg", "miss-ratios-2.svg", "herd.svg", "node-lost.svg"] {
        let svg = std::fs::read_to_string(folder.path().join(chart)).expect(chart);
        assert!(svg.starts_with("<svg") && svg.len() > 1_000, "{chart}");
    }
}
