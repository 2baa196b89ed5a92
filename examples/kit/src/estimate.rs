//! Back-of-the-envelope arithmetic that minds its units.

pub mod units;

pub use units::{Quantity, UnitError};

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

/// One figure of the source document beside the same figure computed.
///
/// The document's figure is parsed with its unit, so `8.64 GB/day` where the arithmetic gives
/// `8.64 TB/day` is a wrong figure, and a rate times a bit rate is no bandwidth.
///
/// ```
/// use kit::estimate::{Estimate, Verdict, units::*};
///
/// let volume = 100e3 * EVENT / SECOND * (1.0 * KB / EVENT);
/// let estimate = Estimate::new("3.E1", "log volume", "TB/day", volume)
///     .working("100,000 events/s × 1 KB × 86,400 s")
///     .document("8.64 GB/day");
/// assert_eq!(estimate.computed_text(), "8.64 TB/day");
/// assert_eq!(estimate.verdict(), Verdict::WrongFigure);
/// ```
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The id of the source row: `3.E1`.
    pub id: String,
    /// A few words.
    pub what: String,
    /// The document's figure as it stands there; empty when it gives none.
    pub document: String,
    /// The figure computed.
    pub computed: Quantity,
    /// The unit to show it in.
    pub unit: String,
    /// The arithmetic in words.
    pub working: String,
    figure: Option<Result<Quantity, UnitError>>,
    tolerance: f64,
}

/// Whether the document's figure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Within the tolerance.
    Agrees,
    /// Another number.
    WrongFigure,
    /// Another kind of thing: bytes for bytes a second.
    WrongUnit,
    /// The document gives no figure.
    NotGiven,
}

impl Estimate {
    /// The figure `what` of the source row `id`, `computed`, to be shown in `unit`.
    ///
    /// # Panics
    /// When `unit` is not a unit or measures another kind of thing than `computed`: that is an
    /// error in the design's own arithmetic, found by its first test.
    #[must_use]
    pub fn new(id: &str, what: &str, unit: &str, computed: Quantity) -> Self {
        let text = |text: &str| text.to_owned();
        if let Err(error) = Quantity::unit(unit).and_then(|unit| computed.in_unit(unit)) {
            panic!("estimate {id} ({what}) in {unit:?}: {error}");
        }
        Self {
            id: text(id),
            what: text(what),
            document: String::new(),
            computed,
            unit: text(unit),
            working: String::new(),
            figure: None,
            tolerance: 0.1,
        }
    }

    /// The arithmetic in words.
    #[must_use]
    pub fn working(mut self, working: &str) -> Self {
        working.clone_into(&mut self.working);
        self
    }

    /// The document's figure: a number with a unit, as [`Quantity::parse`] reads it.
    #[must_use]
    pub fn document(self, figure: &str) -> Self {
        let parsed = Quantity::parse(figure);
        self.document_as(figure, parsed)
    }

    /// The document's figure as it stands there, and what it means.
    #[must_use]
    pub fn document_as(mut self, text: &str, figure: Result<Quantity, UnitError>) -> Self {
        text.clone_into(&mut self.document);
        self.figure = Some(figure);
        self
    }

    /// How far the document may be off, as a share of the computed figure; 0.1 unless told:
    /// envelopes round.
    #[must_use]
    pub const fn tolerance(mut self, share: f64) -> Self {
        self.tolerance = share;
        self
    }

    /// Whether the document's figure stands.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.figure {
            None => Verdict::NotGiven,
            Some(Err(_)) => Verdict::WrongUnit,
            Some(Ok(figure)) => match figure.ratio(self.computed) {
                Err(_) => Verdict::WrongUnit,
                Ok(ratio) if (ratio - 1.0).abs() <= self.tolerance => Verdict::Agrees,
                Ok(_) => Verdict::WrongFigure,
            },
        }
    }

    /// By what factor the document is off, when it is: "1,000x too low".
    #[must_use]
    pub fn off_by(&self) -> Option<String> {
        let Some(Ok(figure)) = &self.figure else { return None };
        let ratio = figure.ratio(self.computed).ok()?;
        match self.verdict() {
            Verdict::WrongFigure if ratio > 1.0 => {
                Some(format!("{}x too high", crate::human::number(ratio)))
            }
            Verdict::WrongFigure if ratio > 0.0 => {
                Some(format!("{}x too low", crate::human::number(1.0 / ratio)))
            }
            _ => None,
        }
    }

    /// The computed number in [`Estimate::unit`].
    #[must_use]
    pub fn computed_value(&self) -> f64 {
        let unit = Quantity::unit(&self.unit).expect("checked when made");
        self.computed.in_unit(unit).expect("checked when made")
    }

    /// The computed figure with its unit.
    #[must_use]
    pub fn computed_text(&self) -> String {
        let value = crate::human::number(self.computed_value());
        if let Some(rest) = self.unit.strip_prefix('$') {
            format!("${value}{rest}")
        } else if self.unit.is_empty() {
            value
        } else {
            format!("{value} {}", self.unit)
        }
    }
}

impl Serialize for Estimate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Estimate", 7)?;
        out.serialize_field("id", &self.id)?;
        out.serialize_field("what", &self.what)?;
        out.serialize_field("document", &self.document)?;
        out.serialize_field("computed", &self.computed_value())?;
        out.serialize_field("unit", &self.unit)?;
        out.serialize_field("working", &self.working)?;
        out.serialize_field("verdict", &self.verdict())?;
        out.end()
    }
}
