//! `cargo run --release -p top-k`: see README.md, then `scenario.rs`.

use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use top_k::design::DESIGN;
use top_k::field::Field;
use top_k::follow::Follow;
use top_k::input::Format;
use top_k::{Options, merge, scenario};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
    /// Length of the lists
    #[arg(short, long, value_name = "K", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=500))]
    k: u16,
    /// Which part of a log line to count first
    #[arg(long, value_enum)]
    field: Option<Field>,
    /// How to read a line; found from the first lines unless told
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Distinct keys up to which exact counts are kept
    #[arg(long, value_name = "N", default_value_t = 5_000_000)]
    exact_limit: usize,
    /// Workers of the distributed run
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Write the state (summaries and log offset) to this file, when following also every 10 s
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Merge saved states and print their lists instead of running
    #[arg(long, value_name = "FILE", num_args = 1..)]
    merge: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    let options = Options {
        k: cli.k.into(),
        field: cli.field,
        format: cli.format,
        exact_limit: cli.exact_limit,
        workers: cli.workers.into(),
        save: cli.save,
        merge: cli.merge,
        json: cli.shared.json,
    };
    if !options.merge.is_empty() {
        return match merge::run(&options, &kit::Terminal::stdout()) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(2)
            }
        };
    }
    let mut serving = None;
    let code = kit::run(&DESIGN, &cli.shared, |run| {
        let mut follow = Follow::new(run, &options)?;
        let report = scenario::run(run, &options, &mut follow)?;
        serving = Some(follow);
        Ok(report)
    });
    if let Some(follow) = serving {
        follow.serve_on();
    }
    code
}
