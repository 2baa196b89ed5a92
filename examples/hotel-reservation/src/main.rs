//! `cargo run --release -p hotel-reservation`: see README.md, then `scenario.rs`.

use clap::Parser;
use hotel_reservation::design::DESIGN;
use hotel_reservation::scenario;
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
