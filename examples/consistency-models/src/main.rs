//! `cargo run --release -p consistency-models`: see README.md, then `scenario.rs`.

use clap::Parser;
use consistency_models::design::DESIGN;
use consistency_models::scenario;
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
