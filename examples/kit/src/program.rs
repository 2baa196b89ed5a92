//! A design as a person runs it: what the tests of every design ask of its program.
//!
//! They panic with what the program said, so they belong in `tests/cli.rs` and nowhere else.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// A design's program, by the path that cargo gives: `env!("CARGO_BIN_EXE_top-k")`.
#[derive(Clone, Copy, Debug)]
pub struct Program(pub &'static str);

impl Program {
    /// Runs it to its end with `input` as standard input.
    #[must_use]
    pub fn run(self, args: &[&str], input: &str) -> Output {
        let mut child = Command::new(self.0)
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

    /// Each of `cases`, and of what every design refuses, ends with status 2, says what is wrong, and
    /// prints no report.
    pub fn refuses(self, cases: &[(&[&str], &str)], input: &str) {
        let of_all: &[(&[&str], &str)] = &[
            (&["--without", "nothing"], "unknown safeguard \"nothing\""),
            (&["--data", "no-such-file"], "no-such-file"),
            (&["--data", "."], "directory"),
            (&["--colour"], "--colour"),
        ];
        for (args, said) in of_all.iter().chain(cases) {
            let out = self.run(args, input);
            let stderr = text(&out.stderr);
            assert_eq!(out.status.code(), Some(2), "{args:?}: {stderr}");
            assert!(stderr.contains(said), "{args:?}: {stderr}");
            assert!(out.stdout.is_empty(), "{args:?}");
        }
    }

    /// A quick run has its summary on one screen, nothing wider than 80 columns, and one object
    /// with `--json`; the report.
    #[must_use]
    pub fn reports(self, system: &str, number: u8) -> String {
        let out = self.run(&["--scale", "quick"], "");
        assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
        let report = text(&out.stdout);
        let lines = summary(&report).lines().count();
        assert!(lines <= 25, "{lines} lines");
        assert!(report.lines().all(|line| line.chars().count() <= 80), "wider than 80 columns");

        let out = self.run(&["--scale", "quick", "--json"], "");
        let json: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one object");
        assert_eq!((&json["system"], &json["number"]), (&system.into(), &number.into()));
        report
    }

    /// Without `safeguard` it ends with status 1, and the first screen has the history and `said`.
    pub fn breaks(self, safeguard: &str, said: &str) {
        let out = self.run(&["--scale", "quick", "--without", safeguard], "");
        assert_eq!(out.status.code(), Some(1));
        let report = text(&out.stdout);
        let screen = report.lines().take(24).collect::<Vec<_>>().join("\n");
        assert!(screen.contains("seed 1, event"), "{screen}");
        assert!(screen.contains(said), "{screen}");
    }
}

/// What a program wrote.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A report's first screen: all before its first block.
#[must_use]
pub fn summary(report: &str) -> &str {
    let end = report.lines().take_while(|line| !line.contains("1  The problem"));
    let len = end.map(|line| line.len() + 1).sum::<usize>();
    &report[..len.min(report.len())]
}
