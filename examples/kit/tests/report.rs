//! The report as a person and as a program meet it.

use kit::estimate::units::*;
use kit::report::{Ablation, Capacity, Fault, TradeOff, WorstError};
use kit::{Estimate, Invariants, Report, Run, SourceRow, Table, Terminal, Value, term};
use std::time::Duration;

const DESIGN: kit::Design = kit::Design {
    system: "demo",
    number: 99,
    title: "A design for the tests of the kit",
    about: "exercises every part of a report",
    safeguards: &[kit::Safeguard { name: "fence", what: "compares tokens", breaks: "one writer" }],
    source: &[
        SourceRow {
            id: "99.FR1",
            name: "write through one writer at a time",
            document: "a distributed lock with a time to live guards every write to the store",
        },
        SourceRow { id: "99.NFR1", name: "latency of a query", document: "< 100 ms" },
        SourceRow { id: "99.E1", name: "volume", document: "8.64 GB/day" },
        SourceRow { id: "99.T1", name: "exact or sketch", document: "sketch for billions" },
    ],
    backends: &[],
    serve: None,
    next: &[
        "cargo run --release -p demo -- --without fence",
        "cargo run --release -p demo -- --scale full",
        "cargo run --release -p demo -- --data access.log",
    ],
};

fn filled(run: &Run) -> Report {
    let mut report = Report::new(run);
    let mut top = Table::new(["url", "count", "share"]);
    for n in 0..10_u64 {
        let url = format!("/shuttle/missions/sts-{n}/a/rather/long/path/to/an/image/of/it.gif");
        top.row([url.into(), (10_000_u64 >> n).into(), Value::Share(0.5_f64.powi(n as i32 + 1))]);
    }
    report.answer.table(top);
    report.worst_error = Some(WorstError {
        what: "Count-Min over-count".into(),
        seen: 12_u64.into(),
        bound: 104_u64.into(),
    });
    let volume = 100e3 * EVENT / SECOND * (KB / EVENT);
    report.estimates =
        vec![Estimate::new("99.E1", "volume", "TB/day", volume).document("8.64 GB/day")];
    report.diagram = "log ──{ events }──▶ store";
    report.flow.edge("events", "log", "store", 1_569_898, "events");
    report.latency.record("query", Duration::from_millis(3));
    report.wall.latency.record("query", Duration::from_micros(17));
    report.faults.push(Fault {
        kind: "worker 2 killed mid-stream".into(),
        at_ms: 4_500,
        recovered_ms: Some(120),
        effect: "its events wait in the log".into(),
    });
    let mut invariants: Invariants = Invariants::new(run.seed);
    let one_writer = invariants.declare("one writer");
    for n in 0..20 {
        invariants.event(format!("write {n} with token {}", n % 7));
        let holds = run.safeguards.on("fence") || n != 15;
        invariants.check(one_writer, holds, || "token 1 wrote after token 2\x1b[2J".into());
    }
    report.invariants = invariants.into_records();
    report.ablations.push(Ablation {
        safeguard: "fence".into(),
        broke: Some("one writer".into()),
        seed: Some(1),
    });
    report.claims.met("99.FR1", "20 writes, each by the holder").evidence("tests/report.rs");
    report.claims.at_most("99.NFR1", 0.017, 100.0, "ms").wall();
    report.claims.estimate(&report.estimates[0]);
    report.claims.met("99.T1", "block 7");
    let mut table = Table::new(["algorithm", "recall", "memory", "ns/event"]).wall("ns/event");
    table.row(["exact".into(), Value::Share(1.0), Value::Bytes(650_000), 48.2.into()]);
    table.row(["sketch".into(), Value::Share(0.98), Value::Bytes(65_536), 31.0.into()]);
    report.trade_offs.push(TradeOff {
        id: "99.T1".into(),
        question: "Exact counting or a sketch?".into(),
        table,
        finding: "Exact wins until its table no longer fits.".into(),
    });
    report.wall.events = 1_569_898;
    report.wall.elapsed = Duration::from_millis(1_234);
    report.wall.memory = vec![("sketch".into(), 65_536), ("exact".into(), 412_000_000)];
    report.wall.capacity.push(Capacity {
        component: "counter".into(),
        per_core: 5e6,
        needed: 1e8,
        unit: "events/s".into(),
        engine: "Kafka Streams".into(),
        utilisation: 0.6,
    });
    report
}

fn run() -> Run {
    Run::test(&DESIGN, 1)
}

fn plain(width: usize) -> Terminal {
    Terminal { width, ..Terminal::plain() }
}

#[test]
fn the_whole_report_in_80_columns_is_as_it_was_judged() {
    let text = filled(&run()).to_text(&Terminal::plain());
    kit::snapshot::check(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/report.txt"), &text);
}

#[test]
fn the_summary_is_at_most_24_lines_and_no_line_is_wider_than_the_terminal() {
    for run in [run(), run().without("fence")] {
        for width in [40, 60, 80, 120] {
            let report = filled(&run);
            let text = report.to_text(&plain(width));
            let summary = text.lines().take_while(|line| !line.starts_with("── 1")).count();
            assert!(summary <= 25, "{summary} lines at {width}");
            for line in text.lines().filter(|line| !line.contains("cargo run")) {
                assert!(term::width(line) <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn a_broken_invariant_is_in_the_summary_with_its_seed_and_history() {
    let report = filled(&run().without("fence"));
    assert!(!report.all_held());
    let text = report.to_text(&Terminal::plain());
    let summary: Vec<_> = text.lines().take(24).collect();
    assert!(summary.iter().any(|line| line.contains("✗ broke: one writer")), "{text}");
    assert!(summary.iter().any(|line| line.contains("seed 1, event 16")), "{text}");
    assert!(summary.iter().any(|line| line.contains("16: write 15 with token 1")), "{text}");
}

#[test]
fn nothing_of_a_hostile_input_reaches_the_terminal_raw() {
    let text = filled(&run().without("fence")).to_text(&Terminal::plain());
    assert!(!text.contains('\x1b'));
    let colored = filled(&run().without("fence")).to_text(&Terminal { width: 80, color: true });
    assert!(!colored.contains("\x1b[2J"));
    assert!(colored.contains("\x1b[1;31m✗ broke"));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let report = filled(&run());
    let colored = report.to_text(&Terminal { width: 80, color: true });
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some(at) = rest.find("\x1b[") {
        stripped.push_str(&rest[..at]);
        let end = rest[at..].find('m').expect("only colour sequences");
        rest = &rest[at + end + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, report.to_text(&Terminal::plain()));
}

#[test]
fn the_json_has_exactly_the_fields_of_the_contract() {
    let json: serde_json::Value = serde_json::from_str(&filled(&run()).to_json_text()).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let mut expected = vec![
        "system",
        "number",
        "seed",
        "scale",
        "safeguards",
        "estimates",
        "flow",
        "invariants",
        "faults",
        "claims",
        "ablations",
        "trade_offs",
        "latency",
        "wall",
    ];
    expected.sort_unstable();
    assert_eq!(keys(&json), expected);
    assert_eq!(keys(&json["invariants"][0]), ["checked", "first_seed_event", "name", "violations"]);
    assert_eq!(keys(&json["faults"][0]), ["at_ms", "kind", "recovered_ms"]);
    let claim = ["document", "id", "measured", "name", "unit", "verdict"];
    assert_eq!(keys(&json["claims"][0]), claim);
    assert_eq!(keys(&json["wall"]["claims"][0]), claim);
    assert_eq!(keys(&json["ablations"][0]), ["broke", "safeguard", "seed"]);
    assert_eq!(keys(&json["latency"]["query"]), ["max", "n", "p50", "p99", "p999"]);
    assert_eq!(json["scale"], "quick");
    assert_eq!(json["safeguards"], serde_json::json!(["fence"]));
    assert_eq!(json["claims"][2]["verdict"], "wrong-figure");
}

#[test]
fn what_the_machine_decides_is_in_wall_only() {
    let one = filled(&run());
    let mut two = filled(&run());
    two.wall.elapsed = Duration::from_secs(9);
    two.wall.latency.record("query", Duration::from_secs(1));
    two.trade_offs[0].table =
        Table::new(["algorithm", "recall", "memory", "ns/event"]).wall("ns/event");
    for (name, recall, bytes, ns) in [("exact", 1.0, 650_000, 99.0), ("sketch", 0.98, 65_536, 77.0)]
    {
        two.trade_offs[0].table.row([
            name.into(),
            Value::Share(recall),
            Value::Bytes(bytes),
            ns.into(),
        ]);
    }
    assert_eq!(one.to_json_masked(), two.to_json_masked());
    assert_ne!(one.to_json(), two.to_json());
    let masked = one.to_json_masked();
    assert_eq!(masked["claims"][1]["verdict"], "in-wall");
    assert_eq!(masked["claims"][1]["measured"], serde_json::Value::Null);
    assert_eq!(masked["wall"], serde_json::Value::Null);
    let wall = &one.to_json()["wall"];
    assert_eq!(wall["claims"][0]["verdict"], "met");
    assert_eq!(wall["trade_offs"]["99.T1"][1]["ns/event"], 31.0);
}

#[test]
fn the_answer_reaches_a_program_too() {
    let json = filled(&run()).to_json();
    let answer = json["flow"].as_array().unwrap().last().unwrap();
    assert_eq!(answer["to"], "answer");
    assert_eq!(answer["rows"][0]["count"], 10_000);
}

#[test]
fn an_empty_report_prints_and_holds() {
    let report = Report::new(&run());
    let text = report.to_text(&plain(40));
    assert!(text.contains("8  Capacity plan"), "{text}");
    assert!(report.all_held());
    assert!(report.to_json()["wall"].is_object());
}

#[test]
fn a_capacity_plan_of_nothing_measured_says_so() {
    let plan = |per_core, needed| Capacity {
        component: "x".into(),
        per_core,
        needed,
        unit: "events/s".into(),
        engine: String::new(),
        utilisation: 0.5,
    };
    assert_eq!(plan(5e6, 1e8).cores(), Some(40));
    assert_eq!(plan(5e6, 1.0).cores(), Some(1));
    for per_core in [0.0, -1.0, f64::NAN] {
        assert_eq!(plan(per_core, 1e8).cores(), None);
    }
}

#[test]
fn the_types_may_go_to_any_thread() {
    fn check<T: Send + Sync + std::fmt::Debug>() {}
    check::<Report>();
    check::<Run>();
    check::<kit::Safeguards>();
    check::<Invariants>();
    check::<kit::Latencies>();
    check::<kit::Progress>();
    check::<kit::Stream>();
    check::<kit::RankCurve>();
    check::<kit::Breaker>();
    check::<kit::retry::Attempts>();
}
