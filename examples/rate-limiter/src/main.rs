//! `cargo run --release -p rate-limiter`: see README.md, then `scenario.rs`.

use archstone_ratelimit::{Monotonic, OnOutage, Quota};
use clap::Parser;
use kit::Failure;
use rate_limiter::design::DESIGN;
use rate_limiter::gate::{Gate, Limits};
use rate_limiter::serve::{Gateway, Server};
use rate_limiter::{Options, scenario};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
    /// The limit of each client of the log
    #[arg(long, value_name = "QUOTA", default_value = "10/min", value_parser = quota)]
    limit: Quota,
    /// Change a limit of the gate: free, basic, premium, user, api-key, ip, global (repeatable)
    #[arg(long, value_name = "NAME=QUOTA")]
    set: Vec<String>,
    /// Where the gateway sends what passes; a sample of its own unless told
    #[arg(long, value_name = "IP:PORT")]
    upstream: Option<SocketAddr>,
    /// Limit by the last address in X-Forwarded-For: only behind a proxy of yours
    #[arg(long)]
    trust_forwarded: bool,
    /// What the gateway does when the store of --backend is away
    #[arg(long, value_enum, value_name = "RULE", default_value_t = Rule::Closed)]
    on_outage: Rule,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Rule {
    /// Let requests through
    Open,
    /// Refuse them with 503
    Closed,
}

/// A limit of the log: one that lets something pass.
fn quota(text: &str) -> Result<Quota, String> {
    let quota: Quota = text.parse().map_err(|error| format!("{error}, as in 10/min"))?;
    if quota.is_closed() { Err("a limit of nothing".to_owned()) } else { Ok(quota) }
}

fn main() -> ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    let mut serving = None;
    let code = kit::run(&DESIGN, &cli.shared, |run| {
        let mut limits = Limits::default();
        cli.set.iter().try_for_each(|set| limits.set(set)).map_err(|e| format!("--set {e}"))?;
        // The gateway answers while the report is made.
        serving = run.serve.map(|address| serve(address, &cli, limits, run)).transpose()?;
        scenario::run(run, &Options { limit: cli.limit, limits })
    });
    if let (Some(server), true) = (serving, code == ExitCode::SUCCESS) {
        eprintln!("serving http://{}/ until it is stopped", server.address);
        server.wait();
    }
    code
}

fn serve(
    address: SocketAddr,
    cli: &Cli,
    limits: Limits,
    run: &kit::Run,
) -> Result<Server, Failure> {
    let guard = |name| run.safeguards.on(name);
    let gate = Gate::new(limits, 1 << 20);
    let gateway = Gateway {
        gate: gate.guarded(guard("all-or-nothing"), guard("tier-keeps-debt")),
        #[cfg(feature = "redis")]
        shared: match run.backend("redis") {
            Some(url) => Some(rate_limiter::redis_store::RedisStore::connect(url, "gate")?.into()),
            None => None,
        },
        on_outage: match cli.on_outage {
            Rule::Open => OnOutage::FailOpen,
            Rule::Closed => OnOutage::FailClosed,
        },
        clock: Arc::new(Monotonic::new()),
        upstream: cli.upstream,
        trust_forwarded: cli.trust_forwarded,
        honest: guard("honest-wait"),
    };
    let server = Server::start(address, gateway)?;
    run.say(&format!("serving http://{}/", server.address));
    Ok(server)
}
