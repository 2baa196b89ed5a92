//! The architecture as a drawing with live counters on its edges.

use crate::human;
use crate::term;
use serde::Serialize;

/// What flowed: one counter for each edge of the diagram.
///
/// ```
/// use kit::{Flow, diagram};
///
/// let mut flow = Flow::default();
/// flow.edge("parsed", "log", "parser", 1_569_898, "lines");
/// flow.edge("bad", "parser", "report", 12, "lines");
/// let text = diagram::fill(
///     "log ──{ parsed }──▶ parser\n                      └─{ bad }─▶ report", &flow).unwrap();
/// assert_eq!(text, "log ──  1.57 M  ──▶ parser\n                      └─  12   ─▶ report");
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Flow {
    edges: Vec<Edge>,
}

/// One edge and its counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The name of its slot in the drawing.
    pub name: String,
    /// The component it leaves.
    pub from: String,
    /// The component it enters.
    pub to: String,
    /// What passed over it.
    pub count: u64,
    /// Of what: `events`, `bytes`.
    pub unit: String,
}

impl Flow {
    /// Adds `count` to the edge called `name`, which goes `from` one component `to` another.
    pub fn edge(&mut self, name: &str, from: &str, to: &str, count: u64, unit: &str) {
        if let Some(edge) = self.edges.iter_mut().find(|edge| edge.name == name) {
            edge.count = edge.count.saturating_add(count);
            return;
        }
        let text = |text: &str| text.to_owned();
        let (name, from, to, unit) = (text(name), text(from), text(to), text(unit));
        self.edges.push(Edge { name, from, to, count, unit });
    }

    /// The counter of the edge called `name`.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<u64> {
        self.edges.iter().find(|edge| edge.name == name).map(|edge| edge.count)
    }

    /// All edges, in the order they were first counted.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }
}

/// Fills the slots of a drawing: `{ name }` becomes the counter of the edge `name`, centred in
/// the width of the slot, so that the drawing stays aligned. Make a slot at least 8 columns wide
/// to hold any count.
///
/// Fails with what does not fit: a slot without an edge, an edge without a slot, a counter wider
/// than its slot.
pub fn fill(drawing: &str, flow: &Flow) -> Result<String, Vec<String>> {
    let mut problems = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::with_capacity(drawing.len());
    let mut rest = drawing;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let slot = &rest[open..];
        let Some(close) = slot.find('}') else {
            problems.push("a slot is not closed".to_owned());
            break;
        };
        let columns = term::width(&slot[..=close]);
        let name = slot[1..close].trim();
        seen.push(name);
        rest = &slot[close + 1..];
        match flow.count(name) {
            None => problems.push(format!("slot {name:?} has no edge")),
            Some(count) => {
                let text = human::count(count as f64);
                if text.len() > columns {
                    problems.push(format!("{text} does not fit the slot {name:?}"));
                }
                out.push_str(&format!("{text:^columns$}"));
            }
        }
    }
    out.push_str(rest);
    for edge in flow.edges() {
        if !seen.contains(&edge.name.as_str()) {
            problems.push(format!("edge {:?} is not in the drawing", edge.name));
        }
    }
    if problems.is_empty() { Ok(out) } else { Err(problems) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(edges: &[(&str, u64)]) -> Flow {
        let mut flow = Flow::default();
        for (name, count) in edges {
            flow.edge(name, "a", "b", *count, "events");
        }
        flow
    }

    #[test]
    fn a_filled_drawing_keeps_its_width() {
        let drawing = "a ──{   x    }──▶ b ◀──{ y }── c";
        for count in [0, 7, 999, 123_456, u64::MAX] {
            let text = fill(drawing, &flow(&[("x", count), ("y", 1)])).unwrap();
            assert_eq!(term::width(&text), term::width(drawing), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(fill("{ x }", &flow(&[])), Err(vec!["slot \"x\" has no edge".to_owned()]));
        let unused = vec!["edge \"y\" is not in the drawing".to_owned()];
        assert_eq!(fill("", &flow(&[("y", 1)])), Err(unused));
        assert!(fill("{x}", &flow(&[("x", 123_456)])).is_err());
        assert!(fill("{x", &flow(&[("x", 1)])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_drawing_makes_it_panic(drawing in "[{} a─é\n]{0,40}") {
            let _ = fill(&drawing, &flow(&[("a", 1)]));
        }
    }

    #[test]
    fn counting_an_edge_again_adds() {
        let mut flow = flow(&[("x", 2)]);
        flow.edge("x", "a", "b", 3, "events");
        assert_eq!((flow.count("x"), flow.edges().len()), (Some(5), 1));
    }
}
