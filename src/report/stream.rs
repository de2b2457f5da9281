//! Renders rows that are still coming, in memory that does not grow with their number.
//!
//! The text is that of a [`Grid`](super::Grid) with the same rows. Where widths and sides of columns have to be known, for
//! people, the first rows decide them: a later value that is wider sticks out of its column.

use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr as _;

use super::grid::{Cell, escape_controls};
use super::render::{Format, csv_record};

/// Rows that are waited for before the layout of a table is decided.
const NUM_SAMPLED: usize = 1000;

/// An answer on its way to text.
#[derive(Debug)]
pub struct RowStream {
    format: Format,
    columns: Vec<String>,
    /// Rows that wait for the layout.
    waiting: Vec<Vec<Cell>>,
    layout: Option<Layout>,
    num_rows: u64,
}

/// How the columns of a table stand.
#[derive(Debug)]
struct Layout {
    widths: Vec<usize>,
    is_numeric: Vec<bool>,
}

impl RowStream {
    /// Begins an answer with columns of these names.
    pub fn new(format: Format, columns: Vec<String>) -> Self {
        let columns =
            if matches!(format, Format::Json | Format::Jsonl) { distinct(columns) } else { columns };
        Self { format, columns, waiting: vec![], layout: None, num_rows: 0 }
    }

    /// Takes a row, with a cell a column, and returns what can be written by now.
    pub fn push(&mut self, row: Vec<Cell>) -> String {
        self.num_rows += 1;
        match self.format {
            Format::Table | Format::Md if self.layout.is_none() => {
                self.waiting.push(row);
                if self.waiting.len() < NUM_SAMPLED { String::new() } else { self.lay_out() }
            }
            Format::Table | Format::Md => self.line(&row),
            Format::Json => {
                let before = if self.num_rows == 1 { "[\n" } else { ",\n" };
                before.to_owned() + indented(&format!("{:#}", self.object(&row))).trim_end()
            }
            Format::Jsonl => format!("{}\n", self.object(&row)),
            Format::Csv => self.head_of_csv() + &csv_record(row.iter().map(Cell::field)),
        }
    }

    /// Ends the answer, and returns what is left to be written.
    pub fn finish(mut self) -> String {
        match self.format {
            Format::Table | Format::Md if self.layout.is_none() => self.lay_out(),
            Format::Json if self.num_rows == 0 => "[]\n".to_owned(),
            Format::Json => "\n]\n".to_owned(),
            Format::Csv if self.num_rows == 0 => csv_record(self.columns.iter().cloned()),
            _ => String::new(),
        }
    }

    /// The names of the columns, before the first row.
    fn head_of_csv(&self) -> String {
        if self.num_rows == 1 { csv_record(self.columns.iter().cloned()) } else { String::new() }
    }

    fn object(&self, row: &[Cell]) -> Value {
        self.columns.iter().cloned().zip(row.iter().map(Cell::to_json)).collect::<Map<_, _>>().into()
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
        let rule = match self.format {
            Format::Md => {
                let side = |is_numeric: &bool| if *is_numeric { "---:" } else { "---" };
                format!("| {} |\n", layout.is_numeric.iter().map(side).collect::<Vec<_>>().join(" | "))
            }
            _ => format!("{}\n", "─".repeat(layout.widths.iter().map(|width| width + 2).sum())),
        };
        self.layout = Some(layout);
        let head = self.line(&names) + &rule;
        rows.iter().fold(head, |text, row| text + &self.line(row))
    }

    /// A row of a table, whose layout is decided.
    fn line(&self, row: &[Cell]) -> String {
        if self.format == Format::Md {
            let cells: Vec<String> = row.iter().map(|cell| cell.shown().replace('|', "\\|")).collect();
            return format!("| {} |\n", cells.join(" | "));
        }
        let layout = self.layout.as_ref().expect("rows wait for the layout");
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let text = cell.shown();
            let room = " ".repeat(layout.widths[column].saturating_sub(text.width()));
            line += &if layout.is_numeric[column] {
                format!(" {room}{text} ")
            } else {
                format!(" {text}{room} ")
            };
        }
        line.truncate(line.trim_end().len());
        line + "\n"
    }
}

/// Names that are all different, as keys of an object have to be: of several alike, the later ones get a number.
fn distinct(columns: Vec<String>) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for column in &columns {
        let mut name = column.clone();
        let mut number = 1;
        while names.contains(&name) || (number > 1 && columns.contains(&name)) {
            number += 1;
            name = format!("{column}_{number}");
        }
        names.push(name);
    }
    names
}

/// JSON as it stands inside a list.
fn indented(json: &str) -> String {
    json.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Column, Grid, Style};
    use super::*;

    const FORMATS: [Format; 5] = [Format::Table, Format::Md, Format::Json, Format::Jsonl, Format::Csv];

    fn streamed(format: Format, columns: &[&str], rows: &[Vec<Cell>]) -> String {
        let mut stream = RowStream::new(format, columns.iter().map(|name| (*name).to_owned()).collect());
        let text: String = rows.iter().map(|row| stream.push(row.clone())).collect();
        text + &stream.finish()
    }

    fn rows(count: i64) -> Vec<Vec<Cell>> {
        let row = |index: i64| {
            let number = if index % 3 == 1 { Cell::Missing } else { Cell::Integer(7 * index) };
            let text = Cell::Text(["a|b", "日本, \"x\"\n\u{1b}[31m", ""][index as usize % 3].to_owned());
            vec![text, number, Cell::Float(1.0 / (index + 1) as f64, Style::Decimals(3))]
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn text_is_that_of_a_grid() {
        for count in [0, 1, 5, NUM_SAMPLED as i64] {
            for format in FORMATS {
                let columns = [Column::from("name"), Column::number("n", "n"), Column::number("x", "x")];
                let columns = if count == 0 { ["name", "n", "x"].map(Column::from) } else { columns };
                let mut grid = Grid::new(columns);
                rows(count).into_iter().for_each(|row| grid.push(row));
                let text = streamed(format, &["name", "n", "x"], &rows(count));
                assert_eq!(text, grid.render(format), "{format:?} of {count} rows");
            }
        }
    }

    #[test]
    fn rows_are_handed_on_as_they_come() {
        for format in [Format::Json, Format::Jsonl, Format::Csv] {
            let mut stream = RowStream::new(format, vec!["a".to_owned()]);
            assert!(stream.push(vec![Cell::Integer(1)]).contains('1'), "{format:?}");
        }
        let mut stream = RowStream::new(Format::Table, vec!["a".to_owned()]);
        for row in 1..NUM_SAMPLED as i64 {
            assert_eq!(stream.push(vec![Cell::Integer(row)]), "");
        }
        assert_eq!(stream.push(vec![Cell::Integer(5)]).lines().count(), NUM_SAMPLED + 2);
        assert_eq!(stream.push(vec![Cell::Integer(1_000_000)]), " 1000000\n", "sticks out");
        assert_eq!(stream.push(vec![Cell::Integer(1)]), "   1\n");
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn columns_of_one_name_are_told_apart_in_objects_alone() {
        let row = vec![vec![Cell::Integer(1), Cell::Integer(2), Cell::Integer(3)]];
        let text = streamed(Format::Jsonl, &["a", "a", "a_2"], &row);
        assert_eq!(text, "{\"a\":1,\"a_3\":2,\"a_2\":3}\n");
        assert_eq!(streamed(Format::Csv, &["a", "a", "a_2"], &row), "a,a,a_2\n1,2,3\n");
    }
}
