//! The wrong figures of the source document, computed again with units.
//!
//! `data/estimate_errata.json` gives the document's figure, the right one and the working; here
//! each is arithmetic that the units check, and the estimate must call the document wrong.

use kit::Estimate;
use kit::estimate::units::*;
use kit::estimate::{Quantity, UnitError, Verdict};

#[derive(serde::Deserialize)]
struct Erratum {
    section: u32,
    what: String,
    document: String,
    correct: String,
}

/// One row: section and what, the unit, the figure computed, the document's figure as parsed
/// text, the right number in that unit as the errata state it.
struct Case {
    section: u32,
    what: &'static str,
    unit: &'static str,
    computed: Quantity,
    document: &'static str,
    right: f64,
}

fn cases() -> Vec<Case> {
    let case = |section, what, unit, computed, document, right| Case {
        section,
        what,
        unit,
        computed,
        document,
        right,
    };
    let per_user = REQUEST / USER;
    let misses_4 = 1000.0 * REQUEST / SECOND * 0.3;
    let misses_11 = 5000.0 * REQUEST / SECOND * 0.2;
    let due = [(10e6, HOUR), (50e6, DAY), (440e6, WEEK)].map(|(n, every)| n * ITEM / every);
    let due = due[0].plus(due[1]).and_then(|sum| sum.plus(due[2])).unwrap();
    let hours = 500.0 * HOUR / MINUTE;
    vec![
        case(
            1,
            "song requests/s (average)",
            "requests/s",
            50e6 * USER * 3.0 * per_user / DAY,
            "~350 requests/s",
            1736.0,
        ),
        case(1, "peak bandwidth", "Tbps", 10e6 * (320.0 * KBPS), "640 Gbps", 3.2),
        case(
            3,
            "log volume/day",
            "TB/day",
            100e3 * EVENT / SECOND * (KB / EVENT),
            "8.64 GB/day",
            8.64,
        ),
        case(
            4,
            "API cost/s at 175 searches/s",
            "$/s",
            175.0 * REQUEST / SECOND * (0.001 * USD / REQUEST),
            "$175/s",
            0.175,
        ),
        case(4, "provider quota at peak", "req/s", misses_4, "100 req/s", 300.0),
        case(5, "hours uploaded/day", "h/day", hours, "30K h/day", 720e3),
        case(5, "raw storage/day", "PB/day", hours * (5.0 * GB / HOUR), "9 PB/day", 3.6),
        case(
            5,
            "average view bandwidth",
            "Tbps",
            1e9 / DAY * (600.0 * SECOND) * (5.0 * MBPS),
            "580 Gbps",
            34.7,
        ),
        case(6, "coverage of 9 geohash-6 cells", "km", 0.61 * KM, "10 km", 0.61),
        case(7, "due URLs/s", "URLs/s", due, "~12K URLs/s", 4084.0),
        case(11, "provider calls at peak", "calls/s", misses_11 * 50.0, "5000 calls/s", 50_000.0),
        case(
            12,
            "location history/day",
            "GB/day",
            5e6 * ITEM / (30.0 * SECOND) * (50.0 * BYTE / ITEM),
            "100 GB/day",
            720.0,
        ),
        case(
            13,
            "deliveries/s (fan-out)",
            "deliveries/s",
            100e9 * EVENT / DAY * (0.6 + 0.4 * 9.0),
            "1.16M deliveries/s",
            4.86e6,
        ),
        case(9, "block index", "blocks", EB / (4.0 * MB / ITEM), "", 250e9),
        case(
            18,
            "refreshes under linear early expiry",
            "s",
            (std::f64::consts::PI * 300.0 / 20.0).sqrt() * SECOND,
            "150 s",
            6.9,
        ),
        case(16, "L1 access time", "ns", 100.0 * NANOSECOND, "0.1 ms", 100.0),
    ]
}

#[test]
fn every_wrong_figure_of_the_document_is_computed_and_flagged() {
    let errata: Vec<Erratum> =
        serde_json::from_str(include_str!("data/estimate_errata.json")).unwrap();
    let cases = cases();
    assert_eq!(errata.len(), cases.len());
    for erratum in &errata {
        let found = cases.iter().find(|c| c.section == erratum.section && c.what == erratum.what);
        let case = found.unwrap_or_else(|| panic!("{} is not computed here", erratum.what));
        let estimate = Estimate::new("0.E1", case.what, case.unit, case.computed);
        let value = estimate.computed_value();
        assert!(
            (value / case.right - 1.0).abs() < 0.01,
            "{}: {value}, not {}",
            case.what,
            erratum.correct
        );
        if case.document.is_empty() {
            assert_eq!(erratum.document, "not given");
            assert_eq!(estimate.verdict(), Verdict::NotGiven);
        } else {
            let estimate = estimate.document(case.document);
            assert_eq!(estimate.verdict(), Verdict::WrongFigure, "{}", case.what);
            assert!(estimate.off_by().is_some());
        }
    }
}

#[test]
fn a_rate_times_a_bit_rate_is_no_bandwidth() {
    // Section 1: "2000 req/sec x 320 kbps = 640 Gbps".
    let product = 2000.0 * REQUEST / SECOND * (320.0 * KBPS);
    let error = product.in_unit(GBPS).unwrap_err();
    assert_eq!(error.to_string(), "bit·request/s^2 is not bit/s");
    // With the second that each start streams, it is one, and 1,000 times smaller.
    let per_start = SECOND / REQUEST;
    let right =
        Estimate::new("1.E6", "bandwidth", "Gbps", product * per_start).document("640 Gbps");
    assert_eq!(right.computed_text(), "0.640 Gbps");
    assert_eq!(right.off_by().as_deref(), Some("1,000x too high"));
}

#[test]
fn a_figure_of_another_kind_is_a_wrong_unit() {
    let stored = Estimate::new("3.E1", "log volume", "TB/day", 8.64 * TB / DAY).document("8.64 TB");
    assert_eq!(stored.verdict(), Verdict::WrongUnit);
    let nonsense = Estimate::new("3.E1", "log volume", "TB/day", 8.64 * TB / DAY).document("much");
    assert_eq!(nonsense.verdict(), Verdict::WrongUnit);
}

#[test]
fn a_figure_that_rounds_agrees() {
    let average = Estimate::new("13.E2", "messages/s", "msg/s", 100e9 * EVENT / DAY);
    assert_eq!(average.clone().document("1.16M msg/s").verdict(), Verdict::Agrees);
    assert_eq!(average.clone().document("1.2 M msg/s").verdict(), Verdict::Agrees);
    assert_eq!(average.document("1.16K msg/s").verdict(), Verdict::WrongFigure);
}

#[test]
fn documents_figures_are_read_as_they_are_written() {
    let in_unit = |text: &str, unit| Quantity::parse(text).and_then(|q| q.in_unit(unit)).unwrap();
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} is not {b}");
    close(in_unit("~350 requests/sec", REQUEST / SECOND), 350.0);
    close(in_unit("12K URLs/s", ITEM / SECOND), 12_000.0);
    close(in_unit("$0.175/s", USD / SECOND), 0.175);
    close(in_unit("$15.1K/day", USD / DAY), 15_100.0);
    close(in_unit("8.64 TB/day", BYTE / SECOND), 1e8);
    close(in_unit("640 Gbps", MBPS), 640_000.0);
    close(in_unit("50M users", USER), 50e6);
    close(in_unit("1,736 req/s", REQUEST / SECOND), 1736.0);
    close(in_unit("<300ms", SECOND), 0.3);
    close(in_unit("5 M", ONE), 5e6);
    close(in_unit("2 GiB", BYTE), 2_147_483_648.0);
    close(in_unit("4 MB/file", BYTE / ITEM), 4e6);
}

#[test]
fn what_is_no_figure_is_refused() {
    for text in ["", "many", "GB", "-", "1.2.3 GB", "$", "~"] {
        assert!(matches!(Quantity::parse(text), Err(UnitError::Number(_))), "{text}");
    }
    for text in ["3 parsecs", "3 GB/fortnight", "3 GB//s", "3 ms extra"] {
        assert!(Quantity::parse(text).is_err(), "{text}");
    }
}

#[test]
fn adding_asks_for_one_kind() {
    assert!(GB.plus(SECOND).is_err());
    assert_eq!(GB.plus(GB).unwrap().in_unit(MB), Ok(2_000.0));
    assert_eq!(GB.minus(MB).unwrap().in_unit(MB), Ok(999.0));
}

#[test]
#[should_panic(expected = "estimate 1.E1")]
fn a_design_that_shows_bytes_in_seconds_fails_at_once() {
    let _ = Estimate::new("1.E1", "nonsense", "s", 3.0 * GB);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,20}", figure in "[~$]?[0-9.,]{1,6} ?[KMGT]?[a-zA-Zµ/$]{0,6}") {
        let _ = Quantity::parse(&text);
        let _ = Quantity::parse(&figure);
        let _ = Quantity::unit(&text);
    }
}
