//! The races of an area as criterion groups: same ids, same workloads, same code as `compare`.

use std::time::Duration;

use benches::areas::{self, Kind, Run};
use benches::measure::Budget;
use criterion::{Criterion, Throughput};

pub(crate) fn run(area: &str) {
    let area = areas::find(area).expect("a criterion bench requires its area's feature");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    // Criterion has its own rounds; the budget is for `compare`.
    let budget = Budget { min_rounds: 1, max_rounds: 1, time: Duration::ZERO };
    let run = Run { quick: true, trace: None, budget };
    for entry in area.entries {
        let Kind::Race(make) = entry.kind else { continue };
        if entry.id.contains(".trace") {
            continue;
        }
        let mut group = criterion.benchmark_group(&entry.id);
        for mut runner in make(&run).into_runners() {
            group.throughput(Throughput::Elements(runner.operations()));
            group.bench_function(runner.name().to_owned(), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| runner.round()).sum());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
