//! Renders a grid, for people (table, Markdown) or for programs (JSON, JSON Lines, CSV).

use prettytable::format::{Alignment, FormatBuilder, LinePosition, LineSeparator};
use serde_json::{Map, Value};

use super::grid::{Cell, Grid};

/// What a grid is rendered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// An aligned table.
    #[default]
    Table,
    /// An array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// A header and rows.
    Csv,
    /// A Markdown table.
    Md,
}

impl Format {
    /// The name, as people type it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Md => "md",
        }
    }

    /// Whether people read it, and not programs.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Md)
    }
}

impl Grid {
    /// Renders the grid; the text ends with a line feed.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Table => self.table(),
            Format::Json => self.json(),
            Format::Jsonl => self.objects().map(|object| format!("{object}\n")).collect(),
            Format::Csv => self.csv(),
            Format::Md => self.markdown(),
        }
    }

    fn table(&self) -> String {
        let align = |column| if self.is_numeric(column) { Alignment::RIGHT } else { Alignment::LEFT };
        let alignments: Vec<Alignment> = (0..self.columns.len()).map(align).collect();
        let row = |texts: Vec<String>| {
            let cells = texts.iter().zip(&alignments);
            let cells = cells.map(|(text, alignment)| prettytable::Cell::new_align(text, *alignment));
            prettytable::Row::new(cells.collect())
        };
        let rule = LineSeparator::new('─', '─', '─', '─');
        let mut table = prettytable::Table::new();
        table.set_format(FormatBuilder::new().padding(1, 1).separator(LinePosition::Title, rule).build());
        table.set_titles(row(self.columns.iter().map(|column| column.title.clone()).collect()));
        for cells in &self.rows {
            table.add_row(row(cells.iter().map(Cell::shown).collect()));
        }
        let padded = table.to_string();
        let mut text = String::with_capacity(padded.len());
        for line in padded.lines() {
            text.extend([line.trim_end(), "\n"]);
        }
        text
    }

    fn json(&self) -> String {
        format!("{:#}\n", Value::from_iter(self.objects()))
    }

    /// The rows as objects, by the columns' keys.
    pub(super) fn objects(&self) -> impl Iterator<Item = Value> {
        let keys = || self.columns.iter().map(|column| column.key.clone());
        self.rows
            .iter()
            .map(move |row| keys().zip(row.iter().map(Cell::to_json)).collect::<Map<_, _>>().into())
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let head = self.columns.iter().map(|column| column.key.clone()).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(Cell::to_field).collect());
        for record in std::iter::once::<Vec<String>>(head).chain(rows) {
            writer.write_record(record).expect("memory takes every record");
        }
        let bytes = writer.into_inner().expect("memory takes every record");
        String::from_utf8(bytes).expect("fields are UTF-8")
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |text: &str| text.replace('|', "\\|");
        let rule = |column| if self.is_numeric(column) { "---:" } else { "---" };
        let mut text = line(self.columns.iter().map(|column| escaped(&column.title)).collect());
        text += &line((0..self.columns.len()).map(|column| rule(column).to_owned()).collect());
        text.extend(
            self.rows.iter().map(|row| line(row.iter().map(|cell| escaped(&cell.shown())).collect())),
        );
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Column, Style};
    use super::*;

    fn grid() -> Grid {
        let columns = [
            Column::new("name", "Name"),
            Column::number("num_tokens", "Tokens"),
            Column::number("rate", "Rate"),
        ];
        let mut grid = Grid::new(columns);
        grid.push([Cell::Text("a|b".into()), Cell::Integer(1200), Cell::Float(1.0 / 3.0, Style::Percent(1))]);
        grid.push([
            Cell::Text("日本, \"x\"\n\u{1b}[31m".into()),
            Cell::Missing,
            Cell::Float(0.5, Style::Decimals(2)),
        ]);
        grid
    }

    #[track_caller]
    fn check(format: Format, expected: &str) {
        assert_eq!(grid().render(format), expected.trim_start_matches('\n'));
    }

    #[test]
    fn table_aligns_numbers_to_the_right() {
        check(
            Format::Table,
            r#"
 Name                   Tokens   Rate
──────────────────────────────────────
 a|b                      1200  33.3%
 日本, "x"\n\u{1b}[31m       —   0.50
"#,
        );
    }

    #[test]
    fn markdown_escapes_its_own_marks() {
        check(
            Format::Md,
            r#"
| Name | Tokens | Rate |
| --- | ---: | ---: |
| a\|b | 1200 | 33.3% |
| 日本, "x"\n\u{1b}[31m | — | 0.50 |
"#,
        );
    }

    #[test]
    fn json_holds_full_precision_and_null() {
        check(
            Format::Jsonl,
            r#"
{"name":"a|b","num_tokens":1200,"rate":0.3333333333333333}
{"name":"日本, \"x\"\n\u001b[31m","num_tokens":null,"rate":0.5}
"#,
        );
        let value: Value = serde_json::from_str(&grid().render(Format::Json)).unwrap();
        assert_eq!(value[1]["num_tokens"], Value::Null);
        assert_eq!(value.as_array().unwrap().len(), 2);
    }

    #[test]
    fn csv_quotes_and_leaves_missing_values_empty() {
        check(
            Format::Csv,
            "name,num_tokens,rate\na|b,1200,0.3333333333333333\n\"日本, \"\"x\"\"\n\u{1b}[31m\",,0.5\n",
        );
    }

    #[test]
    fn grid_without_rows_is_a_header_or_an_empty_list() {
        let empty = Grid { rows: vec![], ..grid() };
        assert_eq!(empty.render(Format::Json), "[]\n");
        assert_eq!(empty.render(Format::Jsonl), "");
        assert_eq!(empty.render(Format::Csv), "name,num_tokens,rate\n");
        assert_eq!(empty.render(Format::Table), " Name  Tokens  Rate\n────────────────────\n");
    }

    #[test]
    fn numbers_stand_to_the_right_even_where_all_are_missing() {
        let mut grid = Grid::new([Column::from("name"), Column::number("x", "Speed")]);
        grid.push([Cell::Text("a".to_owned()), Cell::Missing]);
        assert_eq!(grid.render(Format::Table), " name  Speed\n─────────────\n a         —\n");
    }

    #[test]
    fn short_times_are_milliseconds() {
        let shown = |seconds| Cell::float(Some(seconds), Style::Seconds(2)).shown();
        assert_eq!([2.5, 0.1, 0.0999, 0.00123].map(shown), ["2.50s", "0.10s", "99.9ms", "1.2ms"]);
    }

    #[test]
    fn numbers_that_are_not_finite_are_missing() {
        let mut grid = Grid::new([Column::number("x", "x")]);
        grid.push([Cell::float(Some(f64::NAN), Style::Decimals(1))]);
        grid.push([Cell::Float(f64::INFINITY, Style::Decimals(1))]);
        assert_eq!(grid.render(Format::Csv), "x\n\"\"\n\"\"\n");
        assert_eq!(grid.render(Format::Jsonl), "{\"x\":null}\n{\"x\":null}\n");
        assert_eq!(grid.render(Format::Md), "| x |\n| ---: |\n| — |\n| — |\n");
    }
}
