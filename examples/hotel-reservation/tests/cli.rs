//! The program as a person runs it.

use kit::program::{Program, summary, text};

const PROGRAM: Program = Program(env!("CARGO_BIN_EXE_hotel-reservation"));

#[test]
fn wrong_flags_and_inputs_are_answered_with_status_2_and_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&["--data", "-"], "no stay in 1 lines"),
        (&["--backend", "ftp://x"], "ftp"),
        (&["--serve", "127.0.0.1:0"], "serve"),
    ];
    PROGRAM.refuses(cases, "hello world\n");
}

#[test]
fn the_summary_is_one_screen_and_json_is_one_object() {
    let report = PROGRAM.reports("hotel-reservation", 15);
    let shown = summary(&report);
    for name in ["double booking", "phantom night", "stale holder", "write skew", "lost edit"] {
        assert!(shown.contains(name), "{name} is not on the first screen:\n{shown}");
    }
}

#[test]
fn a_removed_safeguard_ends_with_status_1_and_prints_the_history() {
    PROGRAM.breaks("night-lock", "two leases of one room never share a night");
}

#[test]
fn ones_own_stays_are_searched_for_and_booked_until_there_is_no_room() {
    let mut lines =
        "# a weekend\nParis; 2024-12-20; 2; 1; 2\nnonsense\nParis;2024-02-30;1;1;1\n".to_owned();
    // 150 rooms of one house at once: there is none.
    lines += "Vienna;2024-12-24;3;100;200\nvienna;2024-12-24;3;2;5\n";
    let out = PROGRAM.run(&["--data", "-", "--scale", "quick"], &lines);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("line 3 is no stay, skipped: nonsense"));
    let report = text(&out.stdout);
    assert!(report.contains("Your stays: 2 of 3 booked, 2 lines skipped"), "{report}");
    assert!(report.contains("nothing free"), "{report}");
}
