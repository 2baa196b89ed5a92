//! Tables: numbers to the right, no boxes, as wide as the terminal at most.

use crate::term::{Terminal, Tone};
use crate::value::Value;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};
use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

/// Rows of [`Value`]s under named columns.
///
/// A column may be marked as *wall*: it holds what comes from the machine's clock or memory. It
/// is printed beside the others, and in JSON it moves to the report's `wall`.
///
/// ```
/// use kit::{Table, Terminal, Value};
///
/// let mut table = Table::new(["algorithm", "recall", "memory", "ns/event"]).wall("ns/event");
/// table.row(["exact".into(), Value::Share(1.0), Value::Bytes(650_000), 48.2.into()]);
/// table.row(["Space-Saving".into(), Value::Share(0.98), Value::Bytes(65_536), 31.0.into()]);
/// let text = table.render(&Terminal::plain());
/// assert_eq!(text.lines().nth(2).unwrap(), "exact          100 %   635 KiB      48.2");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Clone, Debug)]
struct Column {
    name: String,
    wall: bool,
}

impl Table {
    /// A table with these columns and no rows.
    #[must_use]
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let column = |name: &str| Column { name: name.to_owned(), wall: false };
        Self { columns: columns.into_iter().map(column).collect(), rows: Vec::new() }
    }

    /// Marks a column as one that holds what the machine's clock or memory says.
    ///
    /// # Panics
    /// When there is no such column.
    #[must_use]
    pub fn wall(mut self, column: &str) -> Self {
        let found = self.columns.iter_mut().find(|c| c.name == column);
        found.unwrap_or_else(|| panic!("no column {column:?}")).wall = true;
        self
    }

    /// Adds a row; missing cells stay empty, cells past the last column are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Value>) -> &mut Self {
        let mut row: Vec<_> = cells.into_iter().take(self.columns.len()).collect();
        row.resize(self.columns.len(), Value::Missing);
        self.rows.push(row);
        self
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The columns that one seed determines.
    #[must_use]
    pub fn stable(&self) -> Self {
        self.only(|_, column| !column.wall)
    }

    /// The first column and those marked as wall; `None` when none is.
    #[must_use]
    pub fn walled(&self) -> Option<Self> {
        let any = self.columns.iter().any(|column| column.wall);
        any.then(|| self.only(|at, column| at == 0 || column.wall))
    }

    fn only(&self, keep: impl Fn(usize, &Column) -> bool) -> Self {
        let kept: Vec<usize> =
            (0..self.columns.len()).filter(|&at| keep(at, &self.columns[at])).collect();
        Self {
            columns: kept.iter().map(|&at| self.columns[at].clone()).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| kept.iter().map(|&at| row[at].clone()).collect())
                .collect(),
        }
    }

    /// The table as lines; text wraps inside its column when the terminal is narrow.
    #[must_use]
    pub fn render(&self, terminal: &Terminal) -> String {
        let mut table = comfy_table::Table::new();
        // A rule under the header and two spaces between columns: nothing else to read past.
        let rule = LineStyle::none().fill('─');
        table.load_style(TableStyle::new().header_separator(rule));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX));
        table.set_header(self.columns.iter().map(|column| column.name.as_str()));
        for row in &self.rows {
            table.add_row(row.iter().map(Value::human));
        }
        for (at, column) in table.column_iter_mut().enumerate() {
            let last = at + 1 == self.columns.len();
            column.set_padding((0, if last { 0 } else { 2 }));
            let mut cells = self.rows.iter().map(|row| &row[at]);
            if cells.any(Value::is_number) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        // A header may wrap, so the rule is where the library put it, but as wide as the text.
        let is_rule = |line: &&str| !line.is_empty() && line.chars().all(|c| c == '─');
        let at = lines.iter().position(is_rule).unwrap_or(lines.len());
        let rows = lines.get(at + 1..).unwrap_or_default();
        let texts = lines[..at].iter().chain(rows);
        let widest = texts.map(|line| crate::term::width(line)).max().unwrap_or(0);
        let rule = "─".repeat(widest);
        // Toned after the layout, as all colour is: it must not count as width.
        let head = lines[..at].iter().copied().chain([rule.as_str()]);
        let head = head.map(|line| terminal.tone(Tone::Dim, line));
        head.chain(rows.iter().map(|line| (*line).to_owned())).collect::<Vec<_>>().join("\n")
    }
}

impl Serialize for Table {
    /// An array of objects, one a row.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            let names = self.columns.iter().map(|column| column.name.as_str());
            rows.serialize_element(&Object(names.zip(row).collect()))?;
        }
        rows.end()
    }
}

struct Object<'a>(Vec<(&'a str, &'a Value)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_below_a_header_that_wraps() {
        let mut table = Table::new(["eps", "what one algorithm needs", "what another one needs"]);
        table.row(["1/50".into(), 56_u64.into(), 50_u64.into()]);
        let text = table.render(&Terminal { width: 40, color: false });
        let lines: Vec<_> = text.lines().collect();
        let rule = lines.iter().position(|line| line.starts_with('─')).unwrap();
        assert!(rule >= 2, "the header wraps:\n{text}");
        assert!(lines[rule + 1].starts_with("1/50"), "{text}");
        assert_eq!(lines.len(), rule + 2, "{text}");
    }
}
