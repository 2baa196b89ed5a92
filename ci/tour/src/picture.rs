//! A terminal's output as SVG: text, bold, dim and the sixteen colours; nothing that moves a cursor.

use std::fmt::Write as _;

const FONT: f64 = 14.0;
/// The advance of a monospaced glyph; `textLength` holds every viewer's font to it.
const ADVANCE: f64 = 8.4;
const LINE: f64 = 19.0;
const MARGIN: f64 = 16.0;
const BAR: f64 = 34.0;

/// The colours 0..=15 on a dark ground.
const COLOURS: [&str; 16] = [
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4",
    "#6e7681", "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
];

/// How a run of characters looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Style {
    colour: Option<usize>,
    bold: bool,
    dim: bool,
}

/// Draws `output` as a window headed by `title`.
#[must_use]
pub fn svg(title: &str, output: &str) -> String {
    let lines: Vec<Vec<(Style, String)>> = parse(output);
    let length = |l: &Vec<(Style, String)>| l.iter().map(|(_, s)| s.chars().count()).sum::<usize>();
    let columns = lines.iter().map(length).max().unwrap_or(0).max(80);
    let width = (columns as f64).mul_add(ADVANCE, 2.0 * MARGIN);
    let height = (lines.len() as f64).mul_add(LINE, BAR + MARGIN);
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" \
         font-size=\"{FONT}\" role=\"img\" aria-label=\"{}\">",
        escape(title)
    );
    out.push_str("<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n");
    for (at, colour) in [(0.0, "#ff5f56"), (1.0, "#ffbd2e"), (2.0, "#27c93f")] {
        let x = 20.0 * at + 20.0;
        let _ = writeln!(out, "<circle cx=\"{x}\" cy=\"17\" r=\"6\" fill=\"{colour}\"/>");
    }
    let _ = writeln!(
        out,
        "<text x=\"{:.0}\" y=\"22\" fill=\"#8b949e\" text-anchor=\"middle\">{}</text>",
        width / 2.0,
        escape(title)
    );
    for (row, line) in lines.iter().enumerate() {
        let y = (row as f64).mul_add(LINE, BAR + FONT);
        let mut column = 0;
        for (style, text) in line {
            let count = text.chars().count();
            if !text.trim().is_empty() {
                let x = (column as f64).mul_add(ADVANCE, MARGIN);
                let _ = writeln!(
                    out,
                    "<text xml:space=\"preserve\" x=\"{x:.1}\" y=\"{y:.0}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\"{}>{}</text>",
                    count as f64 * ADVANCE,
                    attributes(*style),
                    escape(text)
                );
            }
            column += count;
        }
    }
    out.push_str("</svg>\n");
    out
}

fn attributes(style: Style) -> String {
    let fill = style.colour.map_or("#c9d1d9", |c| COLOURS[c]);
    let bold = if style.bold { " font-weight=\"bold\"" } else { "" };
    let dim = if style.dim { " opacity=\"0.65\"" } else { "" };
    format!(" fill=\"{fill}\"{bold}{dim}")
}

/// Lines of runs of one style. A carriage return starts the line anew, as a progress line does.
fn parse(output: &str) -> Vec<Vec<(Style, String)>> {
    let mut style = Style::default();
    let mut lines = Vec::new();
    for line in output.replace("\r\n", "\n").trim_end().split('\n') {
        let line = line.rsplit('\r').next().unwrap_or_default();
        let mut runs: Vec<(Style, String)> = Vec::new();
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            if c == '\u{1b}' {
                escape_sequence(&mut chars, &mut style);
            } else if !c.is_control() {
                match runs.last_mut() {
                    Some((last, text)) if *last == style => text.push(c),
                    _ => runs.push((style, c.to_string())),
                }
            }
        }
        lines.push(runs);
    }
    lines
}

/// Reads `[...m` (other sequences are skipped) and changes `style`.
fn escape_sequence(chars: &mut std::str::Chars<'_>, style: &mut Style) {
    if chars.next() != Some('[') {
        return;
    }
    let mut codes = String::new();
    let end = loop {
        match chars.next() {
            Some(c) if c.is_ascii_alphabetic() => break c,
            Some(c) => codes.push(c),
            None => return,
        }
    };
    if end != 'm' {
        return;
    }
    for code in codes.split(';').map(|c| c.parse::<usize>().unwrap_or(0)) {
        match code {
            0 => *style = Style::default(),
            1 => style.bold = true,
            2 => style.dim = true,
            22 => (style.bold, style.dim) = (false, false),
            30..=37 => style.colour = Some(code - 30),
            39 => style.colour = None,
            90..=97 => style.colour = Some(code - 90 + 8),
            _ => {}
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(colour: Option<usize>, bold: bool, text: &str) -> (Style, String) {
        (Style { colour, bold, dim: false }, text.to_owned())
    }

    #[test]
    fn colours_and_bold_become_runs_and_reset_ends_them() {
        let lines = parse("a\u{1b}[1;32mok\u{1b}[0m b\n\u{1b}[91mx");
        assert_eq!(
            lines[0],
            [run(None, false, "a"), run(Some(2), true, "ok"), run(None, false, " b")]
        );
        assert_eq!(lines[1], [run(Some(9), false, "x")]);
    }

    #[test]
    fn a_progress_line_shows_what_it_said_last_and_cursor_moves_are_skipped() {
        let lines = parse("1 %\r50 %\r\u{1b}[2Kdone\r\nnext");
        assert_eq!(lines, [vec![run(None, false, "done")], vec![run(None, false, "next")]]);
    }

    #[test]
    fn what_xml_reads_as_markup_is_escaped() {
        let picture = svg("a < b", "x & <y>");
        assert!(picture.contains("a &lt; b") && picture.contains("x &amp; &lt;y&gt;"), "{picture}");
    }

    #[test]
    fn a_broken_escape_at_the_end_is_not_an_error() {
        assert_eq!(parse("a\u{1b}["), [[run(None, false, "a")]]);
    }
}
