//! Pictures for `--svg DIR`: the ring before and after a fifth shard, and what each scheme moves.

use crate::layout::SHARDS;
use crate::scenario::Facts;
use crate::scheme::ring;
use archstone_hashring::{Plan, Ring};
use kit::plot::Chart;
use kit::{Failure, Run};
use std::f64::consts::TAU;
use std::fmt::Write as _;

/// Colours that colour-blind readers tell apart (Okabe and Ito 2008); the last is the new shard's.
const COLOURS: [&str; SHARDS + 1] = ["#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00"];
const SIZE: f64 = 640.0;

/// Draws all that `--svg` asks for.
///
/// # Errors
/// When a file cannot be written.
pub fn all(run: &Run, facts: &Facts) -> Result<(), Failure> {
    if let Some(path) = run.svg("ring") {
        std::fs::write(&path, ring_svg()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if let Some(path) = run.svg("moved") {
        let bars: Vec<(String, f64)> = facts
            .parts
            .layouts
            .iter()
            .map(|row| (row.kind.name().to_owned(), row.share * 100.0))
            .collect();
        Chart::new("Rows moved by a fifth shard", "scheme", "per cent").bars(path, &bars)?;
    }
    if let Some(path) = run.svg("rows") {
        let bars = facts.parts.layouts.iter().flat_map(|row| {
            let name = row.kind.name();
            row.rows.iter().enumerate().map(move |(n, &rows)| (format!("{name} {n}"), rows as f64))
        });
        let bars: Vec<(String, f64)> = bars.collect();
        let chart = Chart::new("Rows of each of four shards", "scheme and shard", "rows");
        chart.with_size(1_600, 450).bars(path, &bars)?;
    }
    Ok(())
}

/// Two rings, the older inside, arc by arc in the colour of its owner; outside of both what moves.
#[must_use]
pub fn ring_svg() -> String {
    let (old, new) = (ring(SHARDS), ring(SHARDS + 1));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {SIZE} {SIZE}\" \
         font-family=\"sans-serif\" font-size=\"14\">\n\
         <rect width=\"{SIZE}\" height=\"{SIZE}\" fill=\"#fff\"/>\n"
    );
    arcs(&mut svg, &old, 170.0);
    arcs(&mut svg, &new, 220.0);
    let (mut moved, mut moves) = (0.0, 0);
    for step in Plan::new(&old, &new, 1).expect("one copy") {
        let turn = |key: u64| key as f64 / 2_f64.powi(64);
        arc(&mut svg, 255.0, 14.0, turn(step.keys.first), turn(step.keys.last), COLOURS[SHARDS]);
        (moved, moves) = (moved + step.keys.keys() as f64 / 2_f64.powi(64), moves + 1);
    }
    let lines = [
        format!("inside: {SHARDS} shards, {} points", old.point_count()),
        format!("around it: {} shards, {} points", SHARDS + 1, new.point_count()),
        format!("outside: {moves} ranges move, {:.1} % of the keys", moved * 100.0),
        "all of them to the new shard".to_owned(),
    ];
    for (nth, line) in lines.iter().enumerate() {
        let y = SIZE / 2.0 - 60.0 + 22.0 * nth as f64;
        let _ = writeln!(svg, "<text x=\"320\" y=\"{y}\" text-anchor=\"middle\">{line}</text>");
    }
    for (shard, colour) in COLOURS.iter().enumerate() {
        let (x, y) = (216.0 + 44.0 * shard as f64, 374.0);
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"16\" height=\"16\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"{}\">{shard}</text>",
            x + 20.0,
            y + 13.0
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn arcs(svg: &mut String, ring: &Ring, radius: f64) {
    let points: Vec<_> = ring.arcs().collect();
    let turn = |position: u32| f64::from(position) / 2_f64.powi(32);
    // A point owns what lies before it, back to the one before; the first wraps round.
    let mut from = points.last().map_or(0.0, |last| turn(last.0) - 1.0);
    for (position, node) in points {
        let to = turn(position);
        arc(svg, radius, 36.0, from, to, COLOURS[node.index() % COLOURS.len()]);
        from = to;
    }
}

/// A piece of a ring from one turn to another, clockwise from the top.
fn arc(svg: &mut String, radius: f64, width: f64, from: f64, to: f64, colour: &str) {
    let at = |turn: f64| {
        let angle = TAU * turn;
        (SIZE / 2.0 + radius * angle.sin(), SIZE / 2.0 - radius * angle.cos())
    };
    let ((x1, y1), (x2, y2)) = (at(from), at(to));
    let large = u8::from(to - from > 0.5);
    let _ = writeln!(
        svg,
        "<path d=\"M{x1:.2} {y1:.2}A{radius} {radius} 0 {large} 1 {x2:.2} {y2:.2}\" \
         fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"/>"
    );
}
