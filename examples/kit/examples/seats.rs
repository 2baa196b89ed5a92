//! A whole small design: seats sold to buyers who come too many at once.
//! `cargo run --release -p kit --example seats -- --without check`

use kit::estimate::units::*;
use kit::{Arrivals, Estimate, Failure, Invariants, Report, Run, Safeguards, Time, Value, Zipf};

const DESIGN: kit::Design = kit::Design {
    system: "seats",
    number: 0,
    title: "Seats for one show",
    about: "sells each seat once",
    safeguards: &[kit::Safeguard {
        name: "check",
        what: "looks whether the seat is free before it is sold",
        breaks: "no seat is sold twice",
    }],
    source: &[
        kit::SourceRow { id: "0.FR1", name: "sell a seat", document: "each seat once" },
        kit::SourceRow { id: "0.E1", name: "peak load", document: "174 bookings/s" },
    ],
    backends: &[],
    serve: None,
    next: &["cargo run --release -p kit --example seats -- --without check"],
};

const DIAGRAM: &str = "buyers ──{  asked  }──▶ box office ──{  sold   }──▶ tickets";

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
    kit::run(&DESIGN, &cli.shared, |run| report(run, &cli))
}

fn report(run: &Run, cli: &Cli) -> Result<Report, Failure> {
    let mut report = Report::new(run);
    let buyers = run.scale.pick(2_000, 200_000, 20_000_000);
    let sales = sell(run.seed, &run.safeguards, cli.seats, buyers)?;
    report.answer.text(format!("{} of {} seats sold to {buyers} buyers", sales.sold, cli.seats));
    let peak = 15e6 * EVENT / DAY;
    report.estimates =
        vec![Estimate::new("0.E1", "peak load", "bookings/s", peak).document("174 bookings/s")];
    report.diagram = DIAGRAM;
    report.flow.edge("asked", "buyers", "box office", buyers, "requests");
    report.flow.edge("sold", "box office", "tickets", sales.sold, "seats");
    report.invariants = sales.invariants.into_records();
    report.ablations = kit::ablate(&DESIGN, 1..=20, |seed, on| {
        sell(seed, on, 50, 500).map_or_else(|_| Vec::new(), |sales| sales.invariants.into_records())
    });
    report.claims.judge("0.FR1", report.all_held(), Value::Int(sales.sold)).unit("seats");
    report.claims.estimate(&report.estimates[0]);
    report.wall.events = buyers;
    Ok(report)
}

struct Sales {
    sold: u64,
    invariants: Invariants,
}

/// The real path: everything above only tells about it.
fn sell(seed: u64, on: &Safeguards, seats: u64, buyers: u64) -> Result<Sales, Failure> {
    let random = kit::Seed::new(seed);
    let favourites = Zipf::new(seats, 0.8).ok_or("--seats: at least one")?;
    let mut wishes = random.stream("wishes");
    let arrivals = Arrivals::poisson(random.stream("arrivals"), 174.0);
    let mut taken = vec![0_u32; seats as usize];
    let mut sales = Sales { sold: 0, invariants: Invariants::new(seed) };
    let once = sales.invariants.declare("no seat is sold twice");
    for at in arrivals.take(buyers as usize) {
        let seat = favourites.sample(&mut wishes) as usize - 1;
        if on.on("check") && taken[seat] > 0 {
            continue;
        }
        taken[seat] += 1;
        sales.sold += 1;
        sales.invariants.event(format!("{} ms: seat {} sold", Time::as_millis(at), seat + 1));
        sales.invariants.check(once, taken[seat] == 1, || {
            format!("seat {} is sold {} times", seat + 1, taken[seat])
        });
    }
    Ok(sales)
}
