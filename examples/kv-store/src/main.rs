//! `cargo run --release -p kv-store`: see README.md, then `scenario.rs`.

use clap::Parser;
use kit::Failure;
use kv_store::config::Config;
use kv_store::design::DESIGN;
use kv_store::scenario;
use kv_store::serve::Server;
use kv_store::store::Store;
use kv_store::trials;
use std::process::ExitCode;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    let mut serving = None;
    let code = kit::run(&DESIGN, &cli.shared, |run| {
        // The store answers while the report is made.
        serving = run.serve.map(|address| serve(address, run)).transpose()?;
        scenario::run(run)
    });
    if let (Some(server), true) = (serving, code == ExitCode::SUCCESS) {
        eprintln!("serving RESP at {} until it is stopped", server.address);
        server.wait();
    }
    code
}

fn serve(address: std::net::SocketAddr, run: &kit::Run) -> Result<Server, Failure> {
    // Comparing all rows every second is for simulations; an hour of virtual time will do.
    let rules = trials::rules(&run.safeguards);
    let config = Config { compare: 36_000, rules, ..Config::usual() };
    let server = Server::start(address, Store::new(config, run.random().child("served"))?)?;
    run.say(&format!("serving RESP: redis-cli -p {} SET k v", server.address.port()));
    Ok(server)
}
