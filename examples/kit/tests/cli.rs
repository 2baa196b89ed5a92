//! A design as its user meets it: exit statuses, standard output, standard error.
//!
//! This program is both sides: run with a first argument `design` it is the example of the guide,
//! run plainly it starts itself so and looks at what comes out.

use std::io::Read;
use std::process::{Command, ExitCode, Output, Stdio};

#[allow(dead_code)]
mod example {
    include!("../examples/seats.rs");

    pub(crate) fn design(args: impl Iterator<Item = String>) -> std::process::ExitCode {
        use clap::Parser;
        let cli = Cli::parse_from(std::iter::once("seats".to_owned()).chain(args));
        kit::run(&DESIGN, &cli.shared, |run| {
            if let Some(input) = &run.data {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut input.open()?, &mut text)?;
                run.say(&format!("read {} bytes", text.len()));
            }
            report(run, cli.seats)
        })
    }

    pub(crate) fn help() -> ! {
        let _: Cli = kit::parse(&DESIGN);
        unreachable!("--help ends the process")
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("design") => return example::design(args),
        Some("--help") => example::help(),
        // `cargo test -- --list` and the like.
        Some("--list") => return ExitCode::SUCCESS,
        _ => {}
    }
    let checks: [(&str, fn()); 9] = [
        ("a_run_that_holds_ends_with_0_and_says_so_on_standard_output", holds),
        ("a_run_that_breaks_ends_with_1_and_prints_seed_and_history", breaks),
        ("json_is_one_object_on_standard_output_and_nothing_else", json),
        ("two_runs_with_one_seed_differ_in_wall_only", deterministic),
        ("usage_errors_end_with_2_and_leave_standard_output_empty", usage),
        ("help_ends_with_0_and_lists_the_safeguards", help),
        ("data_is_read_from_standard_input", data),
        ("a_folder_for_charts_is_made_and_missed_charts_are_told", svg),
        ("a_closed_pipe_is_no_failure", closed_pipe),
    ];
    for (name, check) in checks {
        check();
        println!("{name}: ok");
    }
    ExitCode::SUCCESS
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn quick(args: &[&str]) -> Output {
    command(&[&["design", "--scale", "quick"], args].concat()).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn holds() {
    let done = quick(&[]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
    assert!(text(&done.stdout).contains("✓ all 1 held in 428 checks"), "{}", text(&done.stdout));
}

fn breaks() {
    let done = quick(&["--without", "check", "--seed", "3"]);
    assert_eq!(done.status.code(), Some(1));
    let first: String = text(&done.stdout).lines().take(24).collect::<Vec<_>>().join("\n");
    for part in ["✗ broke: one seat, one buyer", "seed 3, event", "≠ without check"] {
        assert!(first.contains(part), "{part}: {first}");
    }
}

fn json() {
    for (args, code) in [(&["--json"][..], 0), (&["--json", "--without", "check"], 1)] {
        let done = quick(args);
        assert_eq!(done.status.code(), Some(code));
        let value: serde_json::Value = serde_json::from_slice(&done.stdout).expect("one object");
        assert_eq!(value["system"], "seats");
        let broke = &value["ablations"][0]["broke"];
        assert_eq!(broke.as_str(), (code == 1).then_some("one seat, one buyer"));
        assert!(value["wall"]["elapsed_ms"].as_f64().unwrap() > 0.0);
    }
}

fn deterministic() {
    let run = |seed| -> serde_json::Value {
        let done = quick(&["--json", "--seed", seed]);
        let mut value: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert!(value.as_object_mut().unwrap().remove("wall").is_some());
        value
    };
    assert_eq!(run("7"), run("7"));
    assert_ne!(run("7"), run("8"));
}

fn usage() {
    let cases: [(&[&str], &str); 9] = [
        (&["--no-such-flag"], "--no-such-flag"),
        (&["--seed", "-1"], "--seed"),
        (&["--scale", "huge"], "[possible values: quick, demo, full]"),
        (&["--without", "nothing"], "check  looks first"),
        (&["--backend", "redis://x"], "no backends"),
        (&["--serve", ":80"], "serves nothing"),
        (&["--data", "no/such/file"], "no/such/file"),
        (&["--svg", "Cargo.toml/x"], "--svg Cargo.toml/x"),
        (&["--seats", "0"], "--seats: at least one"),
    ];
    for (args, said) in cases {
        let done = command(&[&["design"], args].concat()).output().expect("it runs");
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        assert_eq!(text(&done.stdout), "", "{args:?}");
        let error = text(&done.stderr);
        assert!(error.contains(said) && !error.contains("panicked"), "{args:?}: {error}");
    }
}

fn help() {
    let done = command(&["--help"]).output().unwrap();
    assert_eq!(done.status.code(), Some(0));
    let help = text(&done.stdout);
    for part in ["Seats for one show (design 0)", "check  looks first", "--seats", "Exit status"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(!help.contains("```"), "{help}");
}

fn svg() {
    let folder = std::env::temp_dir().join(format!("kit-cli-{}", std::process::id()));
    let done = quick(&["--svg", folder.to_str().expect("UTF-8")]);
    assert!(folder.is_dir(), "it is made");
    std::fs::remove_dir(&folder).expect("it is empty");
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stderr).starts_with("warning: seats wrote no charts to "));
}

fn data() {
    use std::io::Write;
    let mut child = command(&["design", "--scale", "quick", "--data", "-"]);
    let mut child = child.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"12345").unwrap();
    let done = child.wait_with_output().unwrap();
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), "read 5 bytes\n".to_owned()));
}

fn closed_pipe() {
    let mut child = command(&["design", "--scale", "quick"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error), (Some(0), String::new()));
}
