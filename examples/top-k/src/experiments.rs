//! Block 7: the document's trade-offs and advice, as experiments.

use crate::counters::{CountMinHeap, Counter};
use crate::scenario::Facts;
use crate::shard;
use archstone_sketch::CountMin;
use archstone_sketch::frequency::{LossyCounting, SpaceSaving};
use kit::plot::{Chart, Line};
use kit::{Failure, Run, Seed, Table, TradeOff, Value, human};

/// All of them.
#[must_use]
pub fn all(facts: &Facts, seed: Seed) -> Vec<TradeOff> {
    let mut all = vec![use_cases(facts), width(facts), lossy(facts), counters(facts)];
    all.extend(scale(facts));
    all.push(workers(facts));
    all.push(adversary(facts, seed));
    all
}

fn trade(id: &str, question: &str, table: Table, finding: String) -> TradeOff {
    let (id, question) = (id.to_owned(), question.to_owned());
    TradeOff { id, question, table, finding }
}

/// The document's table of algorithms, measured on the log.
fn use_cases(facts: &Facts) -> TradeOff {
    let said = [
        "small datasets: yes, here",
        "massive streams",
        "frequent items above a share",
        "top K only",
        "no advice in the document",
    ];
    let columns = ["algorithm", "document says", "recall", "memory", "ns/event"];
    let mut table = Table::new(columns).wall("memory").wall("ns/event");
    for (outcome, said) in facts.outcomes.iter().zip(said) {
        table.row([
            outcome.name.into(),
            said.into(),
            outcome.recall.map_or_else(|| "not known".into(), Value::Share),
            Value::Bytes(outcome.meter.peak_bytes()),
            outcome.meter.nanos().into(),
        ]);
    }
    let keys = human::thousands(facts.one.main().1.exact.len() as u64);
    let finding = format!(
        "At {keys} keys the exact map is small, quick and right: use it. Its \"latency: high\" is not what is measured."
    );
    trade(
        "23.T1",
        "The document's table of use cases: what is it worth on this log?",
        table,
        finding,
    )
}

/// How wide must Count-Min be?
fn width(facts: &Facts) -> TradeOff {
    let (_, main) = facts.one.main();
    let columns = ["width x 4 rows", "memory", "bound e/w N", "worst over", "keys over the bound"];
    let mut table = Table::new(columns);
    for width in [512_u64, 2048, 8192, 32_768] {
        let mut sketch = CountMin::<u32>::new(4, width).expect("a small table");
        main.exact.iter().for_each(|(key, count)| sketch.add_n(key, count));
        let over = |(key, truth): (&str, u64)| u64::from(sketch.count(key)).saturating_sub(truth);
        let worst = main.exact.iter().map(over).max();
        let beyond = main.exact.iter().map(over).filter(|&over| over > sketch.error()).count();
        table.row([
            width.into(),
            Value::Bytes(sketch.memory() as u64),
            sketch.error().into(),
            worst.into(),
            beyond.into(),
        ]);
    }
    let finding = "The error is a share of N, the whole stream, not of the key's own count: \"~99 %\" says nothing about a key with less than 1 % of the stream. Twice the width, half the bound.";
    trade("23.T2", "How wide must Count-Min be?", table, finding.to_owned())
}

/// What Lossy Counting keeps for one error, beside Space-Saving.
fn lossy(facts: &Facts) -> TradeOff {
    let (_, main) = facts.one.main();
    let columns =
        ["eps", "Lossy entries", "document's 1/eps", "Space-Saving counters", "share 2 eps found"];
    let mut table = Table::new(columns);
    for inverse in [50_u32, 200, 1000] {
        let eps = 1.0 / f64::from(inverse);
        let mut lossy = LossyCounting::<String>::with_error(eps).expect("a share");
        let mut most = 0;
        for (at, key) in main.keys.iter().enumerate() {
            lossy.add(key);
            if at % 16 == 0 {
                most = most.max(lossy.len());
            }
        }
        let n = main.exact.total() as f64;
        let heavy = main.exact.iter().filter(|&(_, count)| count as f64 > 2.0 * eps * n);
        let above = lossy.above(2.0 * eps);
        let (mut all, mut found) = (0, 0);
        for (key, _) in heavy {
            all += 1;
            found += u64::from(above.iter().any(|hit| hit.item == key));
        }
        table.row([
            format!("1/{inverse}").into(),
            most.into(),
            inverse.into(),
            inverse.into(),
            format!("{found} of {all}").into(),
        ]);
    }
    let finding = "Both find every key above their share. Lossy Counting needs no number of counters beforehand, but what it holds grows with the logarithm of the stream; Space-Saving never grows.";
    trade("23.T3", "Lossy Counting or Space-Saving for one error?", table, finding.to_owned())
}

/// How few counters will do?
fn counters(facts: &Facts) -> TradeOff {
    let (_, main) = facts.one.main();
    let kth = main.exact.kth(facts.k).max(1);
    let columns = ["counters", "recall", "worst error", "bound", "N / counters"];
    let mut table = Table::new(columns);
    for counters in [facts.k, 4 * facts.k, 100.max(facts.k), 512.max(facts.k)] {
        let mut summary = SpaceSaving::<String>::new(counters).expect("a small number");
        main.keys.iter().for_each(|key| drop(summary.add(key)));
        let top = Counter::top(&summary, facts.k);
        let truth = |key: &str| main.exact.count(key).unwrap_or(0);
        let right = top.iter().filter(|hit| truth(&hit.key) >= kth).count();
        let worst = top.iter().map(|hit| hit.count.abs_diff(truth(&hit.key))).max();
        let places = main.exact.len().min(facts.k).max(1);
        table.row([
            counters.into(),
            Value::Share(right as f64 / places as f64),
            worst.into(),
            summary.floor().into(),
            (main.exact.total() / counters as u64).into(),
        ]);
    }
    let finding = "k counters, as the document has it, promise N/k and lose places; ten times k are enough on a real log. The bound printed is the one that holds, not the worst case N/m.";
    trade("23.T4", "How few counters will do for a top K?", table, finding.to_owned())
}

/// Exact counting and a small summary on millions of keys.
fn scale(facts: &Facts) -> Option<TradeOff> {
    let two = facts.two.as_ref()?;
    let columns = ["millions of keys", "top 100 kept", "worst count", "peak memory", "ns/event"];
    let mut table = Table::new(columns).wall("peak memory").wall("ns/event");
    let rows = [
        ("exact map", crate::big::K as u64, 0.0, &two.exact),
        ("TopK", two.kept, two.worst_share, &two.small),
    ];
    for (name, kept, worst, meter) in rows {
        table.row([
            name.into(),
            kept.into(),
            Value::Share(worst),
            Value::Bytes(meter.peak_bytes()),
            meter.nanos().into(),
        ]);
    }
    let finding = format!(
        "{} events of {} distinct keys, drawn from the log's own popularity curve, its tail continued as rank^-{:.2}. Worst count is relative to the key's own count.",
        human::count(two.events as f64),
        human::count(two.distinct as f64),
        two.exponent,
    );
    Some(trade("23.R1", "And on a stream that does not fit?", table, finding))
}

/// Whole summaries or cut lists?
fn workers(facts: &Facts) -> TradeOff {
    let shards = &facts.shards;
    let mut table = Table::new(["merged", "right places", "worst error", "bound it states"]);
    let of = |right: usize| Value::Text(format!("{right} of {}", facts.k));
    table.row([
        format!("{} whole summaries", shards.workers).into(),
        of(shards.right.0),
        shards.worst.0.into(),
        shards.bound.into(),
    ]);
    table.row([
        format!("{} lists cut to {}", shards.workers, facts.k).into(),
        of(shards.right.1),
        shards.worst.1.into(),
        "none".into(),
    ]);
    // Three workers with a favourite each, and one key that is second on all of them.
    let split = |own: &'static str| std::iter::repeat_n(own, 50).chain(["second"; 40]);
    let keys = split("red").chain(split("green")).chain(split("blue")).collect();
    let parts = shard::count(&keys, 3, || SpaceSaving::new(16).expect("sixteen"));
    for (name, whole) in [("3 whole, one key second on each", true), ("3 lists cut to 1", false)] {
        let first = &shard::reduce(&parts, 1, whole)[0];
        let right = usize::from(first.key == "second");
        let error = 120_u64.abs_diff(if right == 1 { first.count } else { 0 });
        let bound: Value = if whole { 0_u64.into() } else { "none".into() };
        table.row([name.into(), format!("{right} of 1").into(), error.into(), bound]);
    }
    let finding = "A list that was cut has no room for what is next on every worker: the reducer of the sample code loses the most frequent key of all. Merge whole summaries, then cut.";
    trade("23.FR10", "What may workers send to the reducer?", table, finding.to_owned())
}

/// The streams made to hurt.
fn adversary(facts: &Facts, seed: Seed) -> TradeOff {
    let mut dice = seed.stream("collisions");
    let (samples, ours) = crate::adversary::collisions(25_600, &mut dice);
    let finding = format!(
        "Certain bounds hold on every stream; what a bound cannot do is make a flat stream have a top. On 256 keys with one Java hash code the sample's Count-Min reads {} for a key seen {} times, ours {}.",
        human::thousands(samples.count),
        100,
        human::thousands(ours.count),
    );
    trade("23.R2", "And when the stream is hostile?", facts.adversary.0.clone(), finding)
}

/// `--svg DIR`: the popularity curve, exact and as Space-Saving has it, and what both hold.
///
/// # Errors
/// When a chart cannot be written.
pub fn draw(run: &Run, facts: &Facts) -> Result<(), Failure> {
    let (field, main) = facts.one.main();
    if let Some(path) = run.svg("popularity") {
        let curve = |counts: Vec<u64>| {
            let place = |(at, count): (usize, u64)| ((at + 1) as f64, count.max(1) as f64);
            let log = |(x, y): (f64, f64)| (x.log10(), y.log10());
            counts.into_iter().enumerate().map(place).map(log).collect::<Vec<_>>()
        };
        let truth = main.exact.top(usize::MAX).iter().map(|&(_, count)| count).collect();
        let small = Counter::top(&main.space_saving, usize::MAX);
        let small = small.iter().map(|hit| hit.count).collect();
        let lines =
            [Line::new("exact", curve(truth)), Line::new("Space-Saving, 512", curve(small))];
        let title = format!("{}: how often each {field} was asked for", facts.one.title);
        Chart::new(&title, "log10 of the rank", "log10 of the count").lines(path, &lines)?;
    }
    if let (Some(path), Some(two)) = (run.svg("memory"), &facts.two) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let title = format!("Peak memory, {} distinct keys", human::count(two.distinct as f64));
        let bars = [
            ("exact".to_owned(), mib(two.exact.peak_bytes())),
            ("summary".to_owned(), mib(two.small.peak_bytes())),
        ];
        Chart::new(&title, "", "MiB").bars(path, &bars)?;
    }
    Ok(())
}

/// Memory of Count-Min with a heap in the document's own shape, 100,000 x 7.
#[must_use]
pub fn documents_sketch() -> u64 {
    let heap = CountMinHeap::new(100).bytes() - CountMinHeap::new(100).sketch().memory();
    (CountMin::<u32>::new(7, 100_000).expect("a table").memory() + heap) as u64
}
