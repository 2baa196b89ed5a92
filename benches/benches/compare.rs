//! Ours and the peers, interleaved. `--help` says how; `README.md` says how to add a row.

use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    benches::compare::main(std::env::args(), &mut stdout(), &mut stderr()).into()
}
