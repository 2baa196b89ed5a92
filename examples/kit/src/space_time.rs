//! Who said what to whom, and when: a space-time diagram as SVG.

use archstone_core::Time;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// How a mark is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As everything else.
    Plain,
    /// What the picture is about.
    Good,
    /// What went wrong.
    Bad,
}

/// Nodes as columns, time downwards.
///
/// Instants are spaced evenly, whatever lies between them, so that labels do not run into each
/// other; the time of each stands at the left edge. For the short history of a violation, not for
/// thousands of messages.
///
/// ```
/// use kit::Time;
/// use kit::space_time::{SpaceTime, Tone};
///
/// let at = Time::from_millis;
/// let mut diagram = SpaceTime::new("A stale read", ["client", "primary", "replica"]);
/// diagram.message(0, at(0), 1, Some(at(10)), "write x = 1");
/// diagram.message(1, at(10), 2, None, "replicate x = 1");
/// diagram.mark(2, at(20), "x = 0", Tone::Bad);
/// let svg = diagram.to_svg();
/// assert!(svg.starts_with("<svg") && svg.contains("replicate x = 1"));
/// ```
#[derive(Clone, Debug)]
pub struct SpaceTime {
    title: String,
    nodes: Vec<String>,
    messages: Vec<Message>,
    marks: Vec<(usize, Time, String, Tone)>,
    spans: Vec<(usize, Time, Time, String, Tone)>,
}

#[derive(Clone, Debug)]
struct Message {
    from: usize,
    sent: Time,
    to: usize,
    arrived: Option<Time>,
    label: String,
}

const COLUMN: usize = 190;
const ROW: usize = 30;
const LEFT: usize = 110;
const TOP: usize = 70;

impl SpaceTime {
    /// An empty diagram of `nodes`.
    pub fn new<S: Into<String>>(title: &str, nodes: impl IntoIterator<Item = S>) -> Self {
        Self {
            title: title.to_owned(),
            nodes: nodes.into_iter().map(Into::into).collect(),
            messages: Vec::new(),
            marks: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// A message; one that did not arrive ends in a cross half way. Between nodes that are not
    /// there: ignored.
    pub fn message(
        &mut self,
        from: usize,
        sent: Time,
        to: usize,
        arrived: Option<Time>,
        label: impl Into<String>,
    ) {
        if from.max(to) < self.nodes.len() {
            self.messages.push(Message { from, sent, to, arrived, label: label.into() });
        }
    }

    /// Something that happened at a node.
    pub fn mark(&mut self, node: usize, at: Time, label: impl Into<String>, tone: Tone) {
        if node < self.nodes.len() {
            self.marks.push((node, at, label.into(), tone));
        }
    }

    /// A time that a node spent: down, holding a lock, leading.
    pub fn span(
        &mut self,
        node: usize,
        from: Time,
        to: Time,
        label: impl Into<String>,
        tone: Tone,
    ) {
        if node < self.nodes.len() {
            self.spans.push((node, from, to.max(from), label.into(), tone));
        }
    }

    /// The instants at which something happens, sorted.
    fn instants(&self) -> Vec<Time> {
        let mut instants = BTreeSet::new();
        for message in &self.messages {
            instants.insert(message.sent);
            instants.extend(message.arrived);
        }
        instants.extend(self.marks.iter().map(|mark| mark.1));
        for &(_, from, to, ..) in &self.spans {
            instants.extend([from, to]);
        }
        instants.into_iter().collect()
    }

    /// The diagram as an SVG document: equal for equal input.
    #[must_use]
    pub fn to_svg(&self) -> String {
        let instants = self.instants();
        let row = |at: Time| instants.partition_point(|&instant| instant < at);
        let (x, y) =
            (|node: usize| LEFT + COLUMN / 2 + node * COLUMN, |at: Time| TOP + ROW * row(at));
        let width = LEFT + COLUMN * self.nodes.len().max(1);
        let height = TOP + ROW * instants.len() + 20;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
            escaped(&self.title)
        );
        let mut line = |text: std::fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = writeln!(svg, "{text}");
        };
        for (row, at) in instants.iter().enumerate() {
            let y = TOP + ROW * row;
            line(format_args!(
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666\">{}</text>",
                LEFT - 12,
                y + 4,
                escaped(&stamp(*at))
            ));
        }
        for (node, name) in self.nodes.iter().enumerate() {
            let x = x(node);
            line(format_args!(
                "<text x=\"{x}\" y=\"48\" text-anchor=\"middle\" font-weight=\"bold\">{}</text>\
                 <line x1=\"{x}\" y1=\"56\" x2=\"{x}\" y2=\"{}\" stroke=\"#999\"/>",
                escaped(name),
                height - 10
            ));
        }
        for (node, from, to, label, tone) in &self.spans {
            let (x, top, bottom) = (x(*node), y(*from), y(*to));
            line(format_args!(
                "<rect x=\"{}\" y=\"{top}\" width=\"10\" height=\"{}\" fill=\"{}\" opacity=\"0.35\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#444\">{}</text>",
                x - 5,
                (bottom - top).max(4),
                color(*tone),
                x - 9,
                top + 12,
                escaped(label)
            ));
        }
        for Message { from, sent, to, arrived, label } in &self.messages {
            let (x1, y1) = (x(*from), y(*sent));
            let (x2, y2) = match arrived {
                Some(at) => (x(*to), y(*at)),
                None => ((x1 + x(*to)) / 2, y1 + ROW / 2),
            };
            let color = color(if arrived.is_some() { Tone::Plain } else { Tone::Bad });
            line(format_args!(
                "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"{color}\"/>\
                 <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                (x1 + x2) / 2,
                (y1 + y2) / 2 - 4,
                escaped(label)
            ));
            // The head: a dot where it arrives, a cross where it is lost.
            match arrived {
                Some(_) => line(format_args!(
                    "<circle cx=\"{x2}\" cy=\"{y2}\" r=\"3.5\" fill=\"{color}\"/>"
                )),
                None => line(format_args!(
                    "<path d=\"M{} {}l8 8m0-8l-8 8\" stroke=\"{color}\" stroke-width=\"2\"/>",
                    x2 - 4,
                    y2 - 4
                )),
            }
        }
        for (node, at, label, tone) in &self.marks {
            let (x, y) = (x(*node), y(*at));
            line(format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"4.5\" fill=\"{}\"/>\
                 <text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>",
                color(*tone),
                x + 9,
                y + 4,
                color(*tone),
                escaped(label)
            ));
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Writes the diagram.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        std::fs::write(path, self.to_svg())
    }
}

/// Colours that colour-blind readers tell apart (Okabe and Ito 2008).
const fn color(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "#0072b2",
        Tone::Good => "#007a5a",
        Tone::Bad => "#d55e00",
    }
}

fn stamp(at: Time) -> String {
    let micros = at.as_nanos() / 1_000;
    if micros.is_multiple_of(1_000) {
        format!("{} ms", micros / 1_000)
    } else {
        format!("{}.{:03} ms", micros / 1_000, micros % 1_000)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_is_there_escaped_and_in_its_place() {
        let at = Time::from_millis;
        let mut diagram = SpaceTime::new("a < b & \"c\"", ["one", "two"]);
        diagram.message(0, at(5), 1, Some(at(9)), "<x>");
        diagram.message(1, at(5), 0, None, "lost");
        diagram.message(0, at(1), 2, None, "nowhere");
        diagram.mark(1, at(9), "here", Tone::Good);
        diagram.mark(7, at(9), "nowhere", Tone::Good);
        diagram.span(0, at(20), at(10), "down", Tone::Bad);
        let svg = diagram.to_svg();
        for text in
            ["a &lt; b &amp; &quot;c&quot;", "&lt;x&gt;", "lost", "here", "down", "5 ms", "20 ms"]
        {
            assert!(svg.contains(text), "{text}");
        }
        assert!(!svg.contains("nowhere") && !svg.contains("10 ms"));
        // Three instants: 5, 9 and 20 ms, one row each; the message runs from the first to the second.
        let (x1, x2) = (LEFT + COLUMN / 2, LEFT + COLUMN / 2 + COLUMN);
        assert!(
            svg.contains(&format!("x1=\"{x1}\" y1=\"{TOP}\" x2=\"{x2}\" y2=\"{}\"", TOP + ROW))
        );
        assert_eq!(svg.matches('<').count(), svg.matches('>').count());
        assert_eq!(svg, diagram.to_svg());
    }

    #[test]
    fn an_empty_diagram_is_one() {
        let svg = SpaceTime::new("nothing", Vec::<String>::new()).to_svg();
        assert!(svg.contains("nothing") && svg.ends_with("</svg>\n"));
        assert_eq!(stamp(Time::from_micros(1_500)), "1.500 ms");
    }
}
