//! One comparison: ours against a peer, a limit or nothing.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Nanoseconds an operation.
    #[serde(rename = "ns")]
    Ns,
    #[serde(rename = "B")]
    Bytes,
    /// A share or a factor: recall, hit ratio, relative error, false positives.
    #[serde(rename = "ratio")]
    Ratio,
    #[serde(rename = "count")]
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Lower,
    Higher,
}

/// A name and what was measured; no value if it could not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    pub name: String,
    pub value: Option<f64>,
}

impl Side {
    #[must_use]
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value: Some(value) }
    }

    #[must_use]
    pub fn missing(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None }
    }
}

/// One line of the table and of `--json`. Made by the constructors, which keep `ratio` and `holds`
/// true to the values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub workload: String,
    pub unit: Unit,
    pub better: Better,
    pub ours: Side,
    pub peer: Option<Side>,
    pub limit: Option<f64>,
    /// Larger is better for us, whatever the unit.
    pub ratio: Option<f64>,
    pub goal: Option<f64>,
    pub holds: Option<bool>,
    pub note: String,
}

/// What a row is about; the constructors of [`Row`] turn it into one.
#[derive(Clone, Debug)]
pub struct Subject {
    pub id: String,
    pub workload: String,
    pub unit: Unit,
    pub better: Better,
}

impl Subject {
    #[must_use]
    pub fn new(id: &str, workload: &str, unit: Unit, better: Better) -> Self {
        Self { id: id.to_owned(), workload: workload.to_owned(), unit, better }
    }

    /// The same subject, its id longer by `/suffix`.
    #[must_use]
    pub fn at(&self, suffix: &str) -> Self {
        Self { id: format!("{}/{suffix}", self.id), ..self.clone() }
    }

    /// Ours against a peer; it holds if the ratio reaches `goal`. A goal of "at most 1.15x the
    /// floor" is `Some(1.0 / 1.15)`, and the peer's name begins with `floor: `.
    #[must_use]
    pub fn against(self, ours: Side, peer: Side, goal: Option<f64>) -> Row {
        let ratio = ours.value.zip(peer.value).and_then(|(ours, peer)| {
            let ratio = match self.better {
                Better::Lower => peer / ours,
                Better::Higher => ours / peer,
            };
            ratio.is_finite().then_some(ratio)
        });
        let holds = ratio.zip(goal).map(|(ratio, goal)| ratio >= goal);
        Row { goal, ratio, holds, ..self.row(ours, Some(peer)) }
    }

    /// Ours against an absolute limit, which itself is still good enough.
    #[must_use]
    pub fn limit(self, ours: Side, limit: f64) -> Row {
        let holds = ours.value.filter(|value| !value.is_nan()).map(|value| match self.better {
            Better::Lower => value <= limit,
            Better::Higher => value >= limit,
        });
        Row { limit: Some(limit), holds, ..self.row(ours, None) }
    }

    /// A figure without a goal.
    #[must_use]
    pub fn information(self, ours: Side) -> Row {
        self.row(ours, None)
    }

    fn row(self, ours: Side, peer: Option<Side>) -> Row {
        Row {
            id: self.id,
            workload: self.workload,
            unit: self.unit,
            better: self.better,
            ours,
            peer,
            limit: None,
            ratio: None,
            goal: None,
            holds: None,
            note: String::new(),
        }
    }
}

impl Row {
    /// Adds to the note.
    #[must_use]
    pub fn note(mut self, note: impl AsRef<str>) -> Self {
        if !self.note.is_empty() && !note.as_ref().is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(note.as_ref());
        self
    }

    /// The row of something that could not run: no verdict, and the reason.
    #[must_use]
    pub fn could_not_run(mut self, reason: impl AsRef<str>) -> Self {
        self.holds = None;
        self.note(format!("could not run: {}", reason.as_ref()))
    }

    /// One line of JSON, keys in the order of the fields. A value that is no number is `null`.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a row has string keys and plain values")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(better: Better) -> Subject {
        Subject::new("x.P1/a", "w", Unit::Ns, better)
    }

    #[test]
    fn a_ratio_above_one_means_that_ours_is_better_in_both_directions() {
        let faster = subject(Better::Lower).against(
            Side::new("ours", 2.0),
            Side::new("peer", 6.0),
            Some(3.0),
        );
        assert_eq!((faster.ratio, faster.holds), (Some(3.0), Some(true)));
        let more_hits = subject(Better::Higher).against(
            Side::new("ours", 0.6),
            Side::new("peer", 0.3),
            Some(2.5),
        );
        assert_eq!((more_hits.ratio, more_hits.holds), (Some(2.0), Some(false)));
    }

    #[test]
    fn a_goal_of_at_most_1_15_of_the_floor_holds_at_1_1_and_fails_at_1_2() {
        let at = |ours| {
            let floor = Side::new("floor: load + CAS", 10.0);
            subject(Better::Lower).against(Side::new("ours", ours), floor, Some(1.0 / 1.15)).holds
        };
        assert_eq!((at(11.0), at(12.0)), (Some(true), Some(false)));
    }

    #[test]
    fn an_absolute_limit_has_no_peer_and_no_ratio_and_is_inclusive() {
        let row = subject(Better::Lower).limit(Side::new("ours", 40.0), 40.0);
        assert_eq!((row.holds, row.limit, row.ratio), (Some(true), Some(40.0), None));
        assert!(row.peer.is_none());
        let recall = subject(Better::Higher).limit(Side::new("ours", 0.99), 1.0);
        assert_eq!(recall.holds, Some(false));
        assert_eq!(subject(Better::Lower).limit(Side::new("ours", f64::NAN), 1.0).holds, None);
    }

    #[test]
    fn a_row_for_information_has_no_verdict() {
        let row =
            subject(Better::Lower).against(Side::new("ours", 1.0), Side::new("peer", 2.0), None);
        assert_eq!((row.ratio, row.holds), (Some(2.0), None));
        assert_eq!(subject(Better::Lower).information(Side::new("ours", 1.0)).holds, None);
    }

    #[test]
    fn a_row_that_could_not_run_stays_with_its_reason() {
        let row = subject(Better::Lower)
            .against(Side::new("ours", 1.0), Side::missing("peer"), Some(2.0))
            .could_not_run("needs 8 GiB");
        assert_eq!((row.ratio, row.holds, row.goal), (None, None, Some(2.0)));
        assert_eq!(row.note, "could not run: needs 8 GiB");
    }

    #[test]
    fn the_json_line_has_the_documented_keys_in_order() {
        let row = subject(Better::Lower)
            .against(Side::new("ours", 2.0), Side::new("peer", 5.0), Some(2.0))
            .note("median 2.1 / 5.5");
        assert_eq!(
            row.json(),
            r#"{"id":"x.P1/a","workload":"w","unit":"ns","better":"lower","ours":{"name":"ours","value":2.0},"peer":{"name":"peer","value":5.0},"limit":null,"ratio":2.5,"goal":2.0,"holds":true,"note":"median 2.1 / 5.5"}"#
        );
        let back: Row = serde_json::from_str(&row.json()).unwrap();
        assert_eq!(back, row);
    }

    #[test]
    fn a_value_that_is_no_number_becomes_null_and_the_ratio_is_left_out() {
        let row = subject(Better::Lower).against(
            Side::new("ours", 0.0),
            Side::new("peer", f64::NAN),
            Some(1.0),
        );
        assert_eq!((row.ratio, row.holds), (None, None));
        assert!(row.json().contains(r#""peer":{"name":"peer","value":null}"#));
    }
}
