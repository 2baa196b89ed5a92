//! Free-form parts of a report: words, tables, drawings.

use crate::table::Table;
use crate::term::{self, Terminal};
use serde::Serialize;

/// A sequence of paragraphs, tables and preformatted drawings.
///
/// ```
/// use kit::{Block, Terminal};
///
/// let mut block = Block::default();
/// block.text("The three busiest hours:").lines("14h ████\n15h ███");
/// let text = block.render(&Terminal::plain());
/// assert_eq!(text, "The three busiest hours:\n14h ████\n15h ███");
/// ```
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Block {
    items: Vec<Item>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Lines(String),
    Table(Table),
}

impl Block {
    /// Adds a paragraph, wrapped to the terminal.
    pub fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.items.push(Item::Text(text.into()));
        self
    }

    /// Adds lines that are printed as they are: a chart, a drawing.
    pub fn lines(&mut self, lines: impl Into<String>) -> &mut Self {
        self.items.push(Item::Lines(lines.into()));
        self
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) -> &mut Self {
        self.items.push(Item::Table(table));
        self
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The block as lines, an empty line before and after each table.
    #[must_use]
    pub fn render(&self, terminal: &Terminal) -> String {
        let mut out = String::new();
        let mut after_table = false;
        for item in &self.items {
            let is_table = matches!(item, Item::Table(_));
            if !out.is_empty() {
                out.push_str(if is_table || after_table { "\n\n" } else { "\n" });
            }
            after_table = is_table;
            match item {
                Item::Text(text) => {
                    let lines = text
                        .lines()
                        .flat_map(|line| term::wrap(&term::clean(line), terminal.width));
                    out.push_str(&lines.collect::<Vec<_>>().join("\n"));
                }
                Item::Lines(lines) => out.push_str(lines.trim_end()),
                Item::Table(table) => out.push_str(&table.render(terminal)),
            }
        }
        out
    }

    /// The tables among it without their wall columns: what JSON may show outside of `wall`.
    #[must_use]
    pub(crate) fn stable_tables(&self) -> Vec<Table> {
        let table = |item: &Item| match item {
            Item::Table(table) => Some(table.stable()),
            _ => None,
        };
        self.items.iter().filter_map(table).collect()
    }
}
