//! One chart a crate, from what `compare --write` left in `benches/results/`: every timed row beside
//! the fastest peer in it, on a logarithmic axis where 1 is equal. Rows that lose are drawn too.

use std::fmt::Write as _;

use serde_json::Value;

const WIDTH: f64 = 760.0;
const ROW: f64 = 22.0;
const TOP: f64 = 40.0;
/// Where the bars start: names are left of it.
const LEFT: f64 = 400.0;
/// A bar of this ratio fills its side.
const MOST: f64 = 16.0;

/// A row of `compare` and the peer that did best in it.
#[derive(Debug, PartialEq)]
struct Bar {
    row: String,
    peer: String,
    ratio: f64,
}

/// The chart of `results`, the lines of an area's file; `None` when no row was timed beside a peer.
#[must_use]
pub fn svg(area: &str, results: &str) -> Option<String> {
    let bars = bars(area, results);
    if bars.is_empty() {
        return None;
    }
    let height = (bars.len() as f64).mul_add(ROW, TOP + 12.0);
    // Half of what is right of the names, less room for the figure.
    let half = (WIDTH - LEFT - 60.0) / 2.0;
    let zero = LEFT + half;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"system-ui,sans-serif\" font-size=\"12\" role=\"img\" \
         aria-label=\"archstone-{area} beside the fastest peer of each row\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-weight=\"bold\" fill=\"#1f2328\">archstone-{area}: times as fast as the fastest peer of each row</text>\n\
         <line x1=\"{zero}\" y1=\"{}\" x2=\"{zero}\" y2=\"{}\" stroke=\"#8c959f\"/>\n",
        TOP - 6.0,
        height - 8.0
    );
    for (at, Bar { row, peer, ratio }) in bars.iter().enumerate() {
        let y = (at as f64).mul_add(ROW, TOP);
        let length = (ratio.ln() / MOST.ln()).clamp(-1.0, 1.0) * half;
        let (x, colour) = if length < 0.0 { (zero + length, "#cf222e") } else { (zero, "#1a7f37") };
        let _ = writeln!(
            out,
            "<text x=\"12\" y=\"{:.0}\" fill=\"#1f2328\">{} <tspan fill=\"#656d76\">{}</tspan></text>\n\
             <rect x=\"{x:.1}\" y=\"{:.0}\" width=\"{:.1}\" height=\"13\" fill=\"{colour}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.0}\" fill=\"#1f2328\">{ratio:.2}</text>",
            y + 12.0,
            escape(row),
            escape(peer),
            y + 2.0,
            length.abs(),
            zero + length.max(0.0) + 6.0,
            y + 12.0,
        );
    }
    out.push_str("</svg>\n");
    Some(out)
}

/// One bar a row: an id is `area.row/peer`, and of a row's peers the lowest ratio is the fastest.
fn bars(area: &str, results: &str) -> Vec<Bar> {
    let mut found: Vec<Bar> = Vec::new();
    for line in results.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let id = text(&value["id"]);
        let Some((row, _)) =
            id.strip_prefix(area).and_then(|r| r.strip_prefix('.')?.rsplit_once('/'))
        else {
            continue;
        };
        let peer = text(&value["peer"]["name"]);
        let (Some(ratio), "ns") =
            (value["ratio"].as_f64(), value["unit"].as_str().unwrap_or_default())
        else {
            continue;
        };
        if peer.is_empty() || peer.starts_with("floor") || ratio <= 0.0 {
            continue;
        }
        match found.iter_mut().find(|bar| bar.row == row) {
            Some(bar) if ratio < bar.ratio => *bar = Bar { row: row.to_owned(), peer, ratio },
            Some(_) => {}
            None => found.push(Bar { row: row.to_owned(), peer, ratio }),
        }
    }
    found
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"{"area":"sketch","machine":"m"}
{"id":"sketch.P1/add/slow","unit":"ns","peer":{"name":"slow","value":9.0},"ratio":3.0}
{"id":"sketch.P1/add/fast","unit":"ns","peer":{"name":"fast <4>","value":2.0},"ratio":0.5}
{"id":"sketch.P1/bytes/slow","unit":"B","peer":{"name":"slow","value":9.0},"ratio":3.0}
{"id":"sketch.P2/add/floor","unit":"ns","peer":{"name":"floor: memcpy","value":9.0},"ratio":3.0}
{"id":"sketch.P3/add/none","unit":"ns","peer":null,"ratio":null}"#;

    #[test]
    fn a_row_is_beside_its_fastest_peer_even_where_we_lose() {
        let lost = Bar { row: "P1/add".to_owned(), peer: "fast <4>".to_owned(), ratio: 0.5 };
        assert_eq!(bars("sketch", ROWS), [lost]);
        let chart = svg("sketch", ROWS).expect("one bar");
        assert!(
            chart.contains("#cf222e")
                && chart.contains("fast &lt;4&gt;")
                && chart.contains(">0.50<")
        );
    }

    #[test]
    fn no_timed_row_no_chart() {
        assert_eq!(svg("sketch", ""), None);
    }
}
