//! `cargo run --release -p caching-techniques`: see README.md, then `scenario.rs`.

use caching_techniques::design::DESIGN;
use caching_techniques::{Options, scenario};
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
    /// Entries that the cache holds, as a share of the trace's keys
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    capacity: f64,
    /// The share of requests that write, where the trace does not say
    #[arg(long, value_name = "PERCENT", default_value_t = 10.0, value_parser = percent)]
    writes: f64,
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 = text.trim_end_matches('%').parse().map_err(|_| "no number".to_owned())?;
    if (0.0..=100.0).contains(&value) { Ok(value) } else { Err("outside 0 to 100".to_owned()) }
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    let options = Options { capacity: cli.capacity / 100.0, writes: cli.writes / 100.0 };
    kit::run(&DESIGN, &cli.shared, |run| scenario::run(run, &options))
}
