//! What is missing is said aloud, and fails where it is required. The harness must not swallow the
//! line, so this looks at a run of this very binary from outside.

use std::process::{Command, Output};

const CHILD: &str = "ARCHSTONE_TESTKIT_CHILD";

#[test]
fn inner() {
    if std::env::var_os(CHILD).is_some() {
        testkit::skip("unobtainium", "not installed");
    }
}

fn inner_with(required: &str) -> Output {
    let this = std::env::current_exe().expect("this binary");
    let mut child = Command::new(this);
    child.args(["inner", "--exact"]).env(CHILD, "1").env("ARCHSTONE_REQUIRE", required);
    child.output().expect("it runs")
}

#[test]
fn a_skip_passes_and_is_said_aloud_although_the_harness_captures() {
    let out = inner_with("redis,postgres");
    assert!(out.status.success());
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(said.contains("SKIPPED inner: unobtainium: not installed"), "{said}");
}

#[test]
fn a_skip_fails_when_the_thing_is_required() {
    let out = inner_with("redis,unobtainium");
    assert!(!out.status.success());
}
