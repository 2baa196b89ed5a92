//! Charts for the terminal: plain text, aligned, no colour needed.

use crate::value::Value;
use crate::{human, term};

/// One character a value, eight heights, scaled to the largest; `·` where there is none (NaN).
///
/// ```
/// assert_eq!(kit::chart::sparkline(&[0.0, 1.0, 4.0, 8.0, f64::NAN]), "▁▂▅█·");
/// ```
#[must_use]
pub fn sparkline(values: &[f64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = most(values);
    let step = |value: &f64| match value.is_finite() {
        true if most > 0.0 => STEPS[((value / most).clamp(0.0, 1.0) * 7.0).round() as usize],
        true => STEPS[0],
        false => '·',
    };
    values.iter().map(step).collect()
}

/// Horizontal bars with their labels and values, `columns` wide in all.
///
/// ```
/// use kit::{Value, chart};
///
/// let text = chart::bars(&[("exact".into(), 8.0, Value::Bytes(8192)),
///                          ("sketch".into(), 1.0, Value::Bytes(1024))], 32);
/// assert_eq!(text, "exact   ███████████████ 8.00 KiB\nsketch  █▉              1.00 KiB");
/// ```
#[must_use]
pub fn bars(rows: &[(String, f64, Value)], columns: usize) -> String {
    let values: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let most = most(&values);
    let widest = |texts: &[String]| texts.iter().map(|text| term::width(text)).max().unwrap_or(0);
    let shown: Vec<String> = rows.iter().map(|row| row.2.human()).collect();
    let names: Vec<String> =
        rows.iter().map(|row| term::shorten(&term::clean(&row.0), columns / 2)).collect();
    let (name_width, value_width) = (widest(&names), widest(&shown));
    let room = columns.saturating_sub(name_width + value_width + 3).max(8);
    let line = |((name, value), shown): ((&String, &f64), &String)| {
        let share = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let share = if share.is_nan() { 0.0 } else { share };
        let bar = term::pad(&bar(share, room), room);
        format!("{}  {bar} {shown:>value_width$}", term::pad(name, name_width))
    };
    names.iter().zip(&values).zip(&shown).map(line).collect::<Vec<_>>().join("\n")
}

/// A line over `columns` x `rows` characters, two by four dots each, with its axis at the left:
/// points are `(x, y)`; those that are not finite are left out.
#[must_use]
pub fn line(points: &[(f64, f64)], columns: usize, rows: usize) -> String {
    let points: Vec<_> =
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let (columns, rows) = (columns.clamp(16, 400), rows.clamp(2, 100));
    let xs = range(points.iter().map(|point| point.0));
    // The axis starts at 0 unless there are values below: a cut axis exaggerates.
    let ys = range(points.iter().map(|point| point.1).chain([0.0]));
    let labels = [ys.1, ys.0].map(human::axis);
    let margin = labels.iter().map(|label| term::width(label)).max().unwrap_or(0) + 1;
    let width = columns.saturating_sub(margin + 1).max(4);
    let mut dots = Dots::new(width, rows);
    let place = |(x, y): (f64, f64)| {
        let at = |value: f64, (low, high): (f64, f64), last: usize| {
            (((value - low) / (high - low)).clamp(0.0, 1.0) * last as f64).round() as usize
        };
        (at(x, xs, width * 2 - 1), rows * 4 - 1 - at(y, ys, rows * 4 - 1))
    };
    for pair in points.windows(2) {
        dots.segment(place(pair[0]), place(pair[1]));
    }
    if let [only] = points[..] {
        dots.set(place(only));
    }
    let label = |row: usize| match row {
        0 => labels[0].as_str(),
        row if row + 1 == rows => labels[1].as_str(),
        _ => "",
    };
    let line = |(row, text): (usize, String)| format!("{:>margin$}┤{text}", label(row));
    dots.lines().into_iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// A bar of `share` of `room` columns, to an eighth of a column; anything above 0 is seen.
fn bar(share: f64, room: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * room as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + PARTS[eighths % 8]
}

fn most(values: &[f64]) -> f64 {
    values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// The ends of a range that is never empty.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match low < high {
        true if (high - low).is_finite() => (low, high),
        true => (low / 2.0, high / 2.0),
        false if low.is_finite() => (low, low + low.abs().max(1.0)),
        false => (0.0, 1.0),
    }
}

/// A grid of braille dots.
struct Dots {
    width: usize,
    cells: Vec<u8>,
}

impl Dots {
    fn new(width: usize, rows: usize) -> Self {
        Self { width, cells: vec![0; width * rows] }
    }

    fn set(&mut self, (x, y): (usize, usize)) {
        /// The bit of each dot of a braille cell, by row and column (Unicode, block 2800).
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        if let Some(cell) = self.cells.get_mut(y / 4 * self.width + x / 2) {
            *cell |= BITS[y % 4][x % 2];
        }
    }

    fn segment(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, step: usize| {
            let share = step as f64 / steps as f64;
            (a as f64 + (b as f64 - a as f64) * share).round() as usize
        };
        for step in 0..=steps {
            self.set((between(from.0, to.0, step), between(from.1, to.1, step)));
        }
    }

    fn lines(&self) -> Vec<String> {
        let braille = |cell: &u8| char::from_u32(0x2800 + u32::from(*cell)).unwrap_or(' ');
        self.cells.chunks(self.width).map(|row| row.iter().map(braille).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rising_line_goes_from_the_lower_left_to_the_upper_right() {
        let points: Vec<_> = (0..=10).map(|n| (f64::from(n), f64::from(n))).collect();
        let text = line(&points, 24, 4);
        let rows: Vec<Vec<char>> = text.lines().map(|line| line.chars().collect()).collect();
        assert!(text.lines().next().unwrap().starts_with(" 10┤"), "{text}");
        assert!(text.lines().last().unwrap().starts_with("  0┤"), "{text}");
        let empty = '\u{2800}';
        assert_ne!(*rows[0].last().unwrap(), empty, "{text}");
        assert_ne!(rows[3][4], empty, "{text}");
        assert_eq!(rows[0][4], empty, "{text}");
    }

    #[test]
    fn a_small_value_is_still_seen_and_zero_is_not() {
        let rows = [
            ("a".to_owned(), 1e9, Value::Int(1)),
            ("b".to_owned(), 1.0, Value::Int(1)),
            ("c".to_owned(), 0.0, Value::Int(0)),
        ];
        let text = bars(&rows, 40);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].contains('▏'), "{text}");
        assert!(lines[2].starts_with("c   "), "{text}");
    }

    proptest! {
        #[test]
        fn no_values_make_a_chart_panic_or_overflow_its_width(
            values in proptest::collection::vec(proptest::num::f64::ANY, 0..40),
            columns in 0_usize..130, rows in 0_usize..20, name in "\\PC{0,50}",
        ) {
            prop_assert_eq!(sparkline(&values).chars().count(), values.len());
            let points: Vec<_> = values.iter().map(|&v| (v, -v)).chain(values.iter().map(|&v| (1.0, v))).collect();
            for text in line(&points, columns, rows).lines() {
                prop_assert!(term::width(text) <= columns.max(24));
            }
            let rows: Vec<_> = values.iter().map(|&v| (name.clone(), v, Value::Int(9))).collect();
            for text in bars(&rows, columns.max(40)).lines() {
                prop_assert!(term::width(text) <= columns.max(40), "{}", text);
            }
        }
    }
}
