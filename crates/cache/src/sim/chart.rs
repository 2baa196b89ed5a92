//! Curves as a table and as a picture.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::Point;

/// Curves over the same capacities.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What stands above it.
    pub title: String,
    /// What all distinct keys weigh: capacities are shown as a share of it.
    pub all: u64,
    /// A curve a policy.
    pub series: Vec<Series>,
}

/// One curve.
#[derive(Clone, Debug)]
pub struct Series {
    /// Whose.
    pub name: String,
    /// At each capacity.
    pub points: Vec<Point>,
}

/// A line a policy, a column a capacity: the hit ratio in percent.
#[must_use]
pub fn table(chart: &Chart) -> String {
    let mut text = format!("{}\n", chart.title);
    let width = chart.series.iter().map(|series| series.name.len()).max().unwrap_or(0).max(8);
    let Some(first) = chart.series.first() else { return text };
    let _ = write!(text, "{:width$}", "capacity");
    for (capacity, _) in &first.points {
        let _ = write!(text, " {capacity:>9}");
    }
    let _ = write!(text, "\n{:width$}", "");
    for (capacity, _) in &first.points {
        let share = format!("{:.1} %", *capacity as f64 * 100.0 / chart.all.max(1) as f64);
        let _ = write!(text, " {share:>9}");
    }
    text.push('\n');
    for series in &chart.series {
        let _ = write!(text, "{:width$}", series.name);
        for (_, outcome) in &series.points {
            let _ = write!(text, " {:>9.2}", outcome.hit_ratio() * 100.0);
        }
        text.push('\n');
    }
    text
}

const COLOURS: [&str; 12] = [
    "#0b6e4f", "#c1440e", "#3455a4", "#8a4fa3", "#b8860b", "#1b9aaa", "#d1495b", "#5c6b73",
    "#7a9e1f", "#a0522d", "#2f4858", "#e07a5f",
];
/// The plot, and where it stands.
const WIDE: f64 = 430.0;
const HIGH: f64 = 250.0;
const LEFT: f64 = 48.0;
const TOP: f64 = 36.0;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Miss ratios over capacities, the latter by powers: lower is better.
#[must_use]
pub fn svg(chart: &Chart) -> String {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let misses = |point: &Point| 1.0 - point.1.hit_ratio();
    let log = |capacity: u64| log2(capacity.max(1));
    let (mut left, mut right, mut low, mut high) = (f64::MAX, f64::MIN, 1.0_f64, 0.0_f64);
    for point in points() {
        (left, right) = (left.min(log(point.0)), right.max(log(point.0)));
        (low, high) = (low.min(misses(point)), high.max(misses(point)));
    }
    if left > right {
        (left, right) = (0.0, 1.0);
    }
    let (low, high) =
        ((low * 10.0) as u32 as f64 / 10.0, (((high * 10.0) as u32 + 1).min(10)) as f64 / 10.0);
    let x = |capacity: u64| LEFT + WIDE * (log(capacity) - left) / (right - left).max(1e-9);
    let y = |miss: f64| TOP + HIGH * (high - miss) / (high - low).max(1e-9);
    let mut text = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 620 330\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"620\" height=\"330\" fill=\"#ffffff\"/>\n",
    );
    let _ = writeln!(
        text,
        "<text x=\"{LEFT}\" y=\"20\" font-size=\"13\">{}</text>",
        escaped(&chart.title)
    );
    let steps = ((high - low) * 10.0 + 0.5) as u32;
    for step in 0..=steps {
        let miss = low + f64::from(step) / 10.0;
        let (at, end) = (y(miss), LEFT + WIDE);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {at:.1}H{end}\" stroke=\"#dddddd\"/><text x=\"42\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            at + 4.0,
            miss * 100.0
        );
    }
    if let Some(first) = chart.series.first() {
        for (capacity, _) in &first.points {
            let share = *capacity as f64 * 100.0 / chart.all.max(1) as f64;
            let _ = writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{share:.1} %</text>",
                x(*capacity),
                TOP + HIGH + 16.0
            );
        }
    }
    for (at, series) in chart.series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let wide = if at == 0 { 3 } else { 1 };
        let path: Vec<String> =
            series.points.iter().map(|p| format!("{:.1} {:.1}", x(p.0), y(misses(p)))).collect();
        let _ = writeln!(
            text,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{wide}\"/>",
            path.join("L")
        );
        let row = TOP + 12.0 + at as f64 * 18.0;
        let _ = writeln!(
            text,
            "<path d=\"M496 {row:.0}h18\" stroke=\"{colour}\" stroke-width=\"{wide}\"/><text x=\"520\" y=\"{:.0}\">{}</text>",
            row + 4.0,
            escaped(&series.name)
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{:.0}\" y=\"322\" text-anchor=\"middle\">capacity, of all distinct keys; the miss ratio, lower is better</text>\n</svg>",
        LEFT + WIDE / 2.0
    );
    text
}

/// The logarithm to the base of two, straight between powers: enough to place a tick, without `std`.
fn log2(number: u64) -> f64 {
    let power = number.ilog2();
    f64::from(power) + (number as f64 / (1_u64 << power) as f64 - 1.0)
}
