//! The claims of the source document, each with its verdict.

use crate::design::SourceRow;
use crate::estimate::{self, Estimate};
use crate::term::mark;
use crate::value::Value;
use serde::Serialize;

/// One row for every id of the source document's section.
///
/// ```
/// use kit::{Claims, SourceRow, Value};
///
/// const SOURCE: &[SourceRow] = &[
///     SourceRow { id: "6.FR1", name: "search by radius", document: "5 to 50 km" },
///     SourceRow { id: "6.NFR2", name: "search latency", document: "< 300 ms" },
///     SourceRow { id: "6.T1", name: "geohash or R-tree", document: "9 cells cover 10 km" },
/// ];
/// let mut claims = Claims::new(SOURCE);
/// claims.met("6.FR1", "all 412 hotels within 50 km found").evidence("tests/radius.rs");
/// claims.at_most("6.NFR2", 0.8, 300.0, "ms").wall();
/// assert_eq!(claims.check_complete().unwrap_err(), ["6.T1 has no row"]);
/// claims.wrong_figure("6.T1", "9 cells guarantee 0.61 km");
/// assert_eq!(claims.check_complete(), Ok(()));
/// ```
#[derive(Clone, Debug)]
pub struct Claims {
    source: &'static [SourceRow],
    rows: Vec<Claim>,
}

/// One row.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// `6.FR3`
    pub id: String,
    /// A few words.
    pub name: String,
    /// What the document says.
    pub document: String,
    /// What was found: a number, or words that are the evidence (or why it is not built).
    pub measured: Value,
    /// The unit of a number.
    pub unit: String,
    /// Met or not.
    pub verdict: Verdict,
    /// Where to see it: printed, not part of the JSON.
    #[serde(skip)]
    pub evidence: String,
    /// Whether the machine's clock or memory decides it.
    #[serde(skip)]
    pub wall: bool,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The design does it, with evidence.
    Met,
    /// The design does not reach it.
    Missed,
    /// The document's own figure is wrong.
    WrongFigure,
    /// Not part of this design; `measured` says why.
    NotBuilt,
    /// Decided by the machine's clock or memory: the row with its verdict is in `wall.claims`, so
    /// that everything else is equal for equal seeds.
    InWall,
}

impl Verdict {
    /// The verdict with its mark.
    #[must_use]
    pub fn human(self) -> String {
        let (mark, word) = match self {
            Self::Met => (mark::GOOD, "met"),
            Self::Missed => (mark::BAD, "missed"),
            Self::WrongFigure => (mark::WARN, "wrong figure"),
            Self::NotBuilt => (mark::NONE, "not built"),
            Self::InWall => (mark::NONE, "in wall"),
        };
        format!("{mark} {word}")
    }
}

impl Claims {
    /// No rows yet, to answer `source`.
    #[must_use]
    pub const fn new(source: &'static [SourceRow]) -> Self {
        Self { source, rows: Vec::new() }
    }

    /// The design does `id`; `measured` is the number or the evidence.
    pub fn met(&mut self, id: &str, measured: impl Into<Value>) -> &mut Claim {
        self.row(id, Verdict::Met, measured.into())
    }

    /// The design does not reach `id`.
    pub fn missed(&mut self, id: &str, measured: impl Into<Value>) -> &mut Claim {
        self.row(id, Verdict::Missed, measured.into())
    }

    /// The document's figure for `id` is wrong; `correct` is what it should be.
    pub fn wrong_figure(&mut self, id: &str, correct: impl Into<Value>) -> &mut Claim {
        self.row(id, Verdict::WrongFigure, correct.into())
    }

    /// The design leaves `id` out, and why.
    pub fn not_built(&mut self, id: &str, why: &str) -> &mut Claim {
        self.row(id, Verdict::NotBuilt, why.into())
    }

    /// Met when `holds`, otherwise missed.
    pub fn judge(&mut self, id: &str, holds: bool, measured: impl Into<Value>) -> &mut Claim {
        let verdict = if holds { Verdict::Met } else { Verdict::Missed };
        self.row(id, verdict, measured.into())
    }

    /// Met when `measured <= limit`; NaN is missed.
    pub fn at_most(&mut self, id: &str, measured: f64, limit: f64, unit: &str) -> &mut Claim {
        self.judge(id, measured <= limit, measured).unit(unit)
    }

    /// Met when `measured >= limit`; NaN is missed.
    pub fn at_least(&mut self, id: &str, measured: f64, limit: f64, unit: &str) -> &mut Claim {
        self.judge(id, measured >= limit, measured).unit(unit)
    }

    /// The row of an estimate: met when the document's figure agrees with the arithmetic.
    pub fn estimate(&mut self, estimate: &Estimate) -> &mut Claim {
        let verdict = match estimate.verdict() {
            estimate::Verdict::Agrees | estimate::Verdict::NotGiven => Verdict::Met,
            estimate::Verdict::WrongFigure | estimate::Verdict::WrongUnit => Verdict::WrongFigure,
        };
        let computed = Value::Num(estimate.computed_value());
        self.row(&estimate.id, verdict, computed).unit(&estimate.unit).evidence(&estimate.working)
    }

    /// The rows, in the order of the source.
    #[must_use]
    pub fn rows(&self) -> Vec<&Claim> {
        let place = |row: &&Claim| self.source.iter().position(|s| s.id == row.id);
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|row| place(row).unwrap_or(usize::MAX));
        rows
    }

    /// The rows that one seed determines, with a reference to `wall` where it does not.
    #[must_use]
    pub fn stable(&self) -> Vec<Claim> {
        let hide = |row: &Claim| match row.wall {
            true => Claim { measured: Value::Missing, verdict: Verdict::InWall, ..row.clone() },
            false => row.clone(),
        };
        self.rows().into_iter().map(hide).collect()
    }

    /// The rows that the machine decides.
    #[must_use]
    pub fn walled(&self) -> Vec<Claim> {
        self.rows().into_iter().filter(|row| row.wall).cloned().collect()
    }

    /// How many rows have `verdict`.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict == verdict).count()
    }

    /// Every id of the source has exactly one row, every row is of the source, and none is
    /// without evidence. The test of a design calls it; a run prints what it finds.
    pub fn check_complete(&self) -> Result<(), Vec<String>> {
        let times = |id: &str| self.rows.iter().filter(|row| row.id == id).count();
        let mut problems = Vec::new();
        for (at, source) in self.source.iter().enumerate() {
            if self.source[..at].iter().any(|other| other.id == source.id) {
                problems.push(format!("{} is twice in the source list", source.id));
            }
            match times(source.id) {
                0 => problems.push(format!("{} has no row", source.id)),
                1 => {}
                n => problems.push(format!("{} has {n} rows", source.id)),
            }
        }
        for row in &self.rows {
            if !self.source.iter().any(|source| source.id == row.id) {
                problems.push(format!("{} is not in the source list", row.id));
            }
            let empty = match &row.measured {
                Value::Missing => true,
                Value::Text(text) => text.trim().is_empty(),
                _ => false,
            };
            if empty && row.evidence.is_empty() {
                problems.push(format!("{} has no evidence", row.id));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn row(&mut self, id: &str, verdict: Verdict, measured: Value) -> &mut Claim {
        let source = self.source.iter().find(|source| source.id == id);
        let unit = match measured {
            Value::Bytes(_) => "B",
            Value::Span(_) => "ns",
            Value::Share(_) => "share",
            _ => "",
        };
        self.rows.push(Claim {
            id: id.to_owned(),
            name: source.map_or("", |source| source.name).to_owned(),
            document: source.map_or("", |source| source.document).to_owned(),
            measured,
            unit: unit.to_owned(),
            verdict,
            evidence: String::new(),
            wall: false,
        });
        self.rows.last_mut().expect("just pushed")
    }
}

impl Claim {
    /// Where to see it: a test, a file, a block of the report.
    pub fn evidence(&mut self, evidence: &str) -> &mut Self {
        evidence.clone_into(&mut self.evidence);
        self
    }

    /// The unit of the number.
    pub fn unit(&mut self, unit: &str) -> &mut Self {
        unit.clone_into(&mut self.unit);
        self
    }

    /// The machine's clock or memory decides it: in JSON it goes to `wall`.
    pub const fn wall(&mut self) -> &mut Self {
        self.wall = true;
        self
    }

    /// What was found, with its unit.
    #[must_use]
    pub fn measured_text(&self) -> String {
        let own_unit = matches!(self.measured, Value::Bytes(_) | Value::Span(_) | Value::Share(_));
        let text = self.measured.human();
        match self.unit.strip_prefix('$') {
            Some(rest) => format!("${text}{rest}"),
            None if own_unit || self.unit.is_empty() => text,
            None => format!("{text} {}", self.unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &[SourceRow] = &[
        SourceRow { id: "1.FR1", name: "play", document: "users can play" },
        SourceRow { id: "1.E1", name: "bandwidth", document: "640 Gbps" },
    ];

    #[test]
    fn a_missing_a_doubled_an_unknown_and_an_empty_row_are_each_named() {
        let mut claims = Claims::new(SOURCE);
        claims.met("1.FR1", "yes");
        claims.met("1.FR1", "again");
        claims.met("1.FR9", "");
        let problems = claims.check_complete().unwrap_err();
        assert_eq!(
            problems,
            [
                "1.FR1 has 2 rows",
                "1.E1 has no row",
                "1.FR9 is not in the source list",
                "1.FR9 has no evidence",
            ]
        );
    }

    #[test]
    fn a_source_list_with_one_id_twice_is_refused() {
        const TWICE: &[SourceRow] = &[SOURCE[0], SOURCE[0]];
        let mut claims = Claims::new(TWICE);
        claims.met("1.FR1", "yes");
        assert!(claims.check_complete().unwrap_err()[0].contains("twice"));
    }

    #[test]
    fn rows_come_in_the_order_of_the_source() {
        let mut claims = Claims::new(SOURCE);
        claims.wrong_figure("1.E1", "3.2 Tbps");
        claims.met("1.FR1", "yes");
        let ids: Vec<_> = claims.rows().iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids, ["1.FR1", "1.E1"]);
    }

    #[test]
    fn what_the_machine_decides_leaves_only_a_reference_behind() {
        let mut claims = Claims::new(SOURCE);
        claims.at_least("1.FR1", 5e6, 1e6, "events/s").wall();
        let stable = claims.stable();
        assert_eq!(stable[0].verdict, Verdict::InWall);
        assert_eq!(stable[0].measured, Value::Missing);
        assert_eq!(claims.walled()[0].verdict, Verdict::Met);
    }

    #[test]
    fn an_estimate_is_a_row_with_its_number_and_unit() {
        use crate::estimate::units::{BYTE, SECOND, USD};
        let mut claims = Claims::new(SOURCE);
        let estimate = Estimate::new("1.E1", "bandwidth", "GB/s", 3.2e9 * BYTE / SECOND);
        let row = claims.estimate(&estimate.document("640 GB/s"));
        assert_eq!(
            (row.verdict, row.measured_text().as_str()),
            (Verdict::WrongFigure, "3.20 GB/s")
        );
        let row = claims.estimate(&Estimate::new("1.E1", "cost", "$/s", 0.175 * USD / SECOND));
        assert_eq!((row.verdict, row.measured_text().as_str()), (Verdict::Met, "$0.175/s"));
    }

    #[test]
    fn limits_are_inclusive_and_nan_never_meets_one() {
        let mut claims = Claims::new(SOURCE);
        assert_eq!(claims.at_most("1.FR1", 2.0, 2.0, "s").verdict, Verdict::Met);
        assert_eq!(claims.at_least("1.FR1", 2.0, 2.0, "s").verdict, Verdict::Met);
        assert_eq!(claims.at_most("1.FR1", f64::NAN, 2.0, "s").verdict, Verdict::Missed);
        assert_eq!(claims.at_least("1.FR1", f64::NAN, 2.0, "s").verdict, Verdict::Missed);
    }
}
