use kit::estimate::units::*;
use kit::{Estimate, Failure, Invariants, Report, Run, Safeguard, Safeguards, SourceRow, Zipf};

const DESIGN: kit::Design = kit::Design {
    system: "seats",
    number: 0,
    title: "Seats for one show",
    about: "sells each seat once",
    safeguards: &[Safeguard { name: "check", what: "looks first", breaks: "one seat, one buyer" }],
    source: &[
        SourceRow { id: "0.FR1", name: "sell a seat", document: "each seat once" },
        SourceRow { id: "0.E1", name: "peak load", document: "174 bookings/s" },
    ],
    backends: &[],
    serve: None,
    next: &["cargo run --release -p kit --example seats -- --without check"],
};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    shared: kit::Args,
    /// Seats of the show
    #[arg(long, default_value_t = 500)]
    seats: u64,
}

fn main() -> std::process::ExitCode {
    let cli: Cli = kit::parse(&DESIGN);
    kit::run(&DESIGN, &cli.shared, |run| report(run, cli.seats))
}

fn report(run: &Run, seats: u64) -> Result<Report, Failure> {
    let buyers = run.scale.pick(2_000, 200_000, 20_000_000);
    let (sold, invariants) = sell(run.seed, &run.safeguards, seats, buyers)?;
    let mut report = Report::new(run);
    report.answer.text(format!("{sold} of {seats} seats sold to {buyers} buyers"));
    let peak = Estimate::new("0.E1", "peak load", "bookings/s", 15e6 * EVENT / DAY);
    report.estimates.push(peak.document("174 bookings/s").working("15 M bookings / 86,400 s"));
    report.diagram = "buyers ──{  asked  }──▶ box office ──{  sold   }──▶ tickets";
    report.flow.edge("asked", "buyers", "box office", buyers, "requests");
    report.flow.edge("sold", "box office", "tickets", sold, "seats");
    report.invariants = invariants.into_records();
    report.claims.judge("0.FR1", report.all_held(), sold).unit("seats sold");
    report.claims.estimate(&report.estimates[0]);
    report.wall.events = buyers;
    Ok(report)
}

fn sell(seed: u64, on: &Safeguards, seats: u64, n: u64) -> Result<(u64, Invariants), Failure> {
    let favourites = Zipf::new(seats, 0.8).ok_or("--seats: at least one")?;
    let mut wishes = kit::Seed::new(seed).stream("wishes");
    let (mut buyers, mut sold) = (vec![0_u32; seats as usize], 0);
    let mut invariants = Invariants::new(seed);
    let once = invariants.declare("one seat, one buyer");
    for buyer in 1..=n {
        let seat = favourites.sample(&mut wishes) as usize;
        if buyers[seat - 1] == 0 || !on.on("check") {
            buyers[seat - 1] += 1;
            sold += 1;
            invariants.event(format!("buyer {buyer} gets seat {seat}"));
            invariants.check(once, buyers[seat - 1] == 1, || format!("seat {seat} sold again"));
        }
    }
    Ok((sold, invariants))
}
