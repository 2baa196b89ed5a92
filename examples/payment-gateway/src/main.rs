//! `cargo run --release -p payment-gateway`: see README.md, then `scenario.rs`.

use clap::Parser;
use payment_gateway::design::DESIGN;
use payment_gateway::scenario;
use payment_gateway::serve::Server;
use std::process::ExitCode;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
    /// Where --serve keeps its database and its log; a temporary folder unless told
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    let mut serving = None;
    let code = kit::run(&DESIGN, &cli.shared, |run| {
        // The gateway answers while the report is made.
        serving = run.serve.map(|at| Server::start(at, cli.keep.as_deref(), run)).transpose()?;
        scenario::run(run)
    });
    if let (Some(server), true) = (serving, code == ExitCode::SUCCESS) {
        eprintln!("serving http://{}/ until it is stopped", server.address);
        server.wait();
    }
    code
}
