//! SVG charts for `--svg DIR` (feature `plot`).

use crate::human;
use plotters::prelude::*;
use std::fmt::Display;
use std::path::Path;

/// Lines over one axis.
///
/// ```no_run
/// use kit::plot::{Chart, Line};
///
/// let chart = Chart::new("Recall by memory", "KiB", "recall");
/// let exact = Line::new("exact", [(1.0, 1.0), (64.0, 1.0)]);
/// let sketch = Line::new("sketch", [(1.0, 0.31), (64.0, 1.0)]);
/// chart.lines("recall.svg", &[exact, sketch])?;
/// # Ok::<(), kit::plot::PlotError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    title: String,
    x: String,
    y: String,
    size: (u32, u32),
}

/// A named series of points.
#[derive(Clone, Debug)]
pub struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Why a chart could not be written: the path and what went wrong.
#[derive(Debug)]
pub struct PlotError(String);

/// Colours that colour-blind readers tell apart (Okabe and Ito 2008), dark enough on white.
const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

impl Line {
    /// The series `name`; points that are not finite (or past 10^100) are left out.
    #[must_use]
    pub fn new(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let finite = |point: &(f64, f64)| drawable(point.0) && drawable(point.1);
        Self { name: name.to_owned(), points: points.into_iter().filter(finite).collect() }
    }
}

impl Chart {
    /// An empty chart of 800 x 450 with its title and what the axes show.
    #[must_use]
    pub fn new(title: &str, x: &str, y: &str) -> Self {
        Self { title: title.to_owned(), x: x.to_owned(), y: y.to_owned(), size: (800, 450) }
    }

    /// The same with another size in pixels.
    #[must_use]
    pub const fn with_size(mut self, width: u32, height: u32) -> Self {
        self.size = (width, height);
        self
    }

    /// Writes the lines as an SVG file.
    pub fn lines(&self, path: impl AsRef<Path>, lines: &[Line]) -> Result<(), PlotError> {
        write(path.as_ref(), |text| self.draw_lines(text, lines))
    }

    /// Writes one bar for each `(label, value)` as an SVG file; values that are not finite (or past
    /// 10^100) are drawn as 0.
    pub fn bars(&self, path: impl AsRef<Path>, bars: &[(String, f64)]) -> Result<(), PlotError> {
        write(path.as_ref(), |text| self.draw_bars(text, bars))
    }

    fn draw_lines(&self, text: &mut String, lines: &[Line]) -> Result<(), String> {
        let points = || lines.iter().flat_map(|line| line.points.iter().copied());
        let (low_x, high_x) = span(points().map(|point| point.0));
        // 0 belongs to the axis unless there are values below: a cut axis exaggerates.
        let (low_y, high_y) = span(points().map(|point| point.1).chain([0.0]));
        let root = SVGBackend::with_string(text, self.size).into_drawing_area();
        root.fill(&WHITE).map_err(shown)?;
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(low_x..high_x, low_y..high_y)
            .map_err(shown)?;
        chart
            .configure_mesh()
            .x_desc(&self.x)
            .y_desc(&self.y)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()
            .map_err(shown)?;
        for (line, color) in lines.iter().zip(COLORS.iter().cycle()) {
            let series = LineSeries::new(line.points.iter().copied(), color.stroke_width(2));
            chart
                .draw_series(series)
                .map_err(shown)?
                .label(&line.name)
                .legend(|(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
        }
        if lines.len() > 1 {
            let mut labels = chart.configure_series_labels();
            labels.position(emptiest(points(), (low_x + high_x) / 2.0, (low_y + high_y) / 2.0));
            labels.background_style(WHITE.mix(0.8)).border_style(TRANSPARENT);
            labels.draw().map_err(shown)?;
        }
        root.present().map_err(shown)
    }

    fn draw_bars(&self, text: &mut String, bars: &[(String, f64)]) -> Result<(), String> {
        let (low, high) = span(bars.iter().map(|bar| bar.1).chain([0.0]));
        let root = SVGBackend::with_string(text, self.size).into_drawing_area();
        root.fill(&WHITE).map_err(shown)?;
        let count = bars.len().max(1);
        let mut chart = ChartBuilder::on(&root)
            .caption(&self.title, ("sans-serif", 20))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d((0..count - 1).into_segmented(), low..high)
            .map_err(shown)?;
        let name = |at: &SegmentValue<usize>| match at {
            SegmentValue::CenterOf(at) | SegmentValue::Exact(at) => {
                bars.get(*at).map_or_else(String::new, |bar| bar.0.clone())
            }
            SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(count)
            .x_label_formatter(&name)
            .x_desc(&self.x)
            .y_desc(&self.y)
            .y_label_formatter(&label)
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .draw()
            .map_err(shown)?;
        let boxes = bars.iter().enumerate().map(|(at, (_, value))| {
            let value = if drawable(*value) { *value } else { 0.0 };
            let ends = [(SegmentValue::Exact(at), 0.0), (SegmentValue::Exact(at + 1), value)];
            let mut bar = Rectangle::new(ends, COLORS[0].filled());
            bar.set_margin(0, 0, 6, 6);
            bar
        });
        chart.draw_series(boxes).map_err(shown)?;
        root.present().map_err(shown)
    }
}

/// Draws into memory first: a chart that fails leaves no half-written file.
fn write(
    path: &Path,
    draw: impl FnOnce(&mut String) -> Result<(), String>,
) -> Result<(), PlotError> {
    let mut text = String::new();
    let written = draw(&mut text).and_then(|()| std::fs::write(path, &text).map_err(shown));
    written.map_err(|error| PlotError(format!("{}: {error}", path.display())))
}

/// The quarter of the chart with the fewest points: the legend hides least there.
fn emptiest(
    points: impl Iterator<Item = (f64, f64)>,
    middle_x: f64,
    middle_y: f64,
) -> SeriesLabelPosition {
    use SeriesLabelPosition::{LowerLeft, LowerRight, UpperLeft, UpperRight};
    let mut quarters = [0_usize; 4];
    for (x, y) in points {
        quarters[usize::from(x < middle_x) + 2 * usize::from(y < middle_y)] += 1;
    }
    let least = (0..4).min_by_key(|&quarter| quarters[quarter]).unwrap_or(0);
    [UpperRight, UpperLeft, LowerRight, LowerLeft][least].clone()
}

fn label(value: &f64) -> String {
    human::axis(*value)
}

/// The ends of an axis, never empty, with a little room above.
fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| drawable(*value));
    let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = (high - low) * 0.02;
    match low < high {
        true => (low, high + room),
        false if low.is_finite() => (low, low + low.abs().max(1.0)),
        false => (0.0, 1.0),
    }
}

/// Ranges near the end of doubles overflow inside plotters.
fn drawable(value: f64) -> bool {
    value.abs() < 1e100
}

fn shown(error: impl Display) -> String {
    error.to_string()
}

impl Display for PlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlotError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(draw: impl FnOnce(&mut String) -> Result<(), String>) -> String {
        let mut text = String::new();
        draw(&mut text).unwrap();
        assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"), "{text}");
        text
    }

    #[test]
    fn lines_have_their_title_axes_and_legend() {
        let chart = Chart::new("Recall", "KiB", "share");
        let lines = [
            Line::new("exact", [(1.0, 1.0), (2.0, 1.0)]),
            Line::new("sketch", [(1.0, 0.3), (2.0, 0.9)]),
        ];
        let text = drawn(|text| chart.draw_lines(text, &lines));
        for word in ["Recall", "KiB", "share", "exact", "sketch"] {
            assert!(text.contains(word), "{word}");
        }
        assert_eq!(
            text.matches("<polyline").count(),
            text.matches("<polyline fill=\"none\"").count()
        );
    }

    #[test]
    fn bars_have_their_labels() {
        let chart = Chart::new("Memory", "", "bytes");
        let bars = [("exact".to_owned(), 8.0), ("sketch".to_owned(), 1.0)];
        let text = drawn(|text| chart.draw_bars(text, &bars));
        assert!(text.contains("exact") && text.contains("sketch"));
    }

    #[test]
    fn the_legend_stays_out_of_the_way() {
        let rising = (0..9).map(|n| (f64::from(n), f64::from(n)));
        let corner = emptiest(rising.chain([(7.0, 3.9)]), 4.0, 4.0);
        assert!(matches!(corner, SeriesLabelPosition::UpperLeft));
    }

    #[test]
    fn hostile_values_and_names_are_drawn_without_a_panic() {
        let chart = Chart::new("<script>&\"", "", "");
        for values in
            [vec![], vec![f64::NAN], vec![0.0], vec![-1.0, f64::INFINITY], vec![f64::MAX, f64::MIN]]
        {
            let line = Line::new("<b>", values.iter().map(|&v| (v, v)));
            let text = drawn(|text| chart.draw_lines(text, &[line.clone(), line]));
            assert!(!text.contains("<script>") && !text.contains("<b>"));
            let bars: Vec<_> = values.iter().map(|&v| ("<b>".to_owned(), v)).collect();
            assert!(!drawn(|text| chart.draw_bars(text, &bars)).contains("<b>"));
        }
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let error = Chart::new("", "", "").lines("no/such/folder/x.svg", &[]).unwrap_err();
        assert!(error.to_string().starts_with("no/such/folder/x.svg: "), "{error}");
    }
}
