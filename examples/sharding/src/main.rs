//! `cargo run --release -p sharding`: see README.md, then `scenario.rs`.

use clap::Parser;
use sharding::design::DESIGN;
use sharding::scenario;
use std::process::ExitCode;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    kit::run(&DESIGN, &cli.shared, scenario::run)
}
