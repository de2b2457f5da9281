//! Tables of rows that are still coming, in memory that does not grow with their number.
//!
//! The text is that of a [`Grid`](super::Grid) with the same rows, but for this: the first rows decide widths and sides of
//! columns, and a later value that is wider sticks out of its column.

use std::iter::repeat_n;

use unicode_width::UnicodeWidthStr as _;

use super::grid::{Cell, escape_controls};

/// Rows that are waited for before the layout of a table is decided.
const NUM_SAMPLED: usize = 1000;

/// What a table looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Columns of one width each.
    Aligned,
    /// Markdown.
    Markdown,
}

/// A table on its way to text.
#[derive(Debug)]
pub struct TableStream {
    look: Look,
    columns: Vec<String>,
    /// Rows that wait for the layout.
    waiting: Vec<Vec<Cell>>,
    layout: Option<Layout>,
}

/// How the columns of a table stand.
#[derive(Debug)]
struct Layout {
    widths: Vec<usize>,
    is_numeric: Vec<bool>,
}

impl TableStream {
    /// Begins a table with columns of these names.
    pub(super) fn new(look: Look, columns: Vec<String>) -> Self {
        Self { look, columns, waiting: vec![], layout: None }
    }

    /// Takes a row, with a cell a column, and returns what can be written by now.
    pub(super) fn push(&mut self, row: &[Cell]) -> String {
        if self.layout.is_some() {
            return self.line(row);
        }
        self.waiting.push(row.to_vec());
        if self.waiting.len() < NUM_SAMPLED { String::new() } else { self.lay_out() }
    }

    /// Ends the table, and returns what is left to be written.
    pub(super) fn finish(mut self) -> String {
        if self.layout.is_none() { self.lay_out() } else { String::new() }
    }

    /// Decides widths and sides, and returns the head with the rows that have waited.
    fn lay_out(&mut self) -> String {
        let rows = std::mem::take(&mut self.waiting);
        let is_numeric = |column: usize| {
            let mut cells =
                rows.iter().map(|row| &row[column]).filter(|cell| **cell != Cell::Missing).peekable();
            cells.peek().is_some() && cells.all(|cell| matches!(cell, Cell::Integer(_) | Cell::Float(..)))
        };
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].shown().width());
            cells.chain([escape_controls(&self.columns[column]).width()]).max().unwrap_or(0)
        };
        let layout = Layout {
            widths: (0..self.columns.len()).map(width).collect(),
            is_numeric: (0..self.columns.len()).map(is_numeric).collect(),
        };
        let names: Vec<Cell> = self.columns.iter().map(|name| Cell::Text(name.clone())).collect();
        let rule = match self.look {
            Look::Markdown => {
                let side = |is_numeric: &bool| if *is_numeric { "---:" } else { "---" };
                format!("| {} |\n", layout.is_numeric.iter().map(side).collect::<Vec<_>>().join(" | "))
            }
            Look::Aligned => format!("{}\n", "─".repeat(layout.widths.iter().map(|width| width + 2).sum())),
        };
        self.layout = Some(layout);
        let head = self.line(&names) + &rule;
        rows.iter().fold(head, |text, row| text + &self.line(row))
    }

    /// A row of a table, whose layout is decided.
    fn line(&self, row: &[Cell]) -> String {
        if self.look == Look::Markdown {
            let cells: Vec<String> = row.iter().map(|cell| cell.shown().replace('|', "\\|")).collect();
            return format!("| {} |\n", cells.join(" | "));
        }
        let layout = self.layout.as_ref().expect("rows wait for the layout");
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let text = cell.shown();
            let room = layout.widths[column].saturating_sub(text.width());
            let (before, after) = if layout.is_numeric[column] { (room, 0) } else { (0, room) };
            line.extend(repeat_n(' ', before + 1));
            line += &text;
            line.extend(repeat_n(' ', after + 1));
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_wait_for_the_layout_and_later_ones_for_nothing() {
        let mut stream = TableStream::new(Look::Aligned, vec!["a".to_owned()]);
        for row in 1..NUM_SAMPLED as i64 {
            assert_eq!(stream.push(&[Cell::Integer(row)]), "");
        }
        assert_eq!(stream.push(&[Cell::Integer(5)]).lines().count(), NUM_SAMPLED + 2);
        assert_eq!(stream.push(&[Cell::Integer(1_000_000)]), " 1000000\n", "sticks out");
        assert_eq!(stream.push(&[Cell::Integer(1)]), "   1\n");
        assert_eq!(stream.finish(), "");
    }
}
