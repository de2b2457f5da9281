//! Rows in any format, written one after the other: no more of them is in memory than a writer needs.

use std::io::{self, Write};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Format;
use super::grid::Cell;
use super::parquet::ParquetWriter;
use super::stream::{Look, TableStream};
use crate::record::AnswerColumn;

/// What data can be written as: text, or what is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Text.
    Text(Format),
    /// Apache Parquet.
    Parquet,
}

impl OutputFormat {
    /// The name, as people type it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text(format) => format.as_str(),
            Self::Parquet => "parquet",
        }
    }
}

impl ValueEnum for OutputFormat {
    fn value_variants<'a>() -> &'a [Self] {
        use Format::{Csv, Json, Jsonl, Md, Table};
        const ALL: &[OutputFormat] = &[
            OutputFormat::Text(Table),
            OutputFormat::Text(Json),
            OutputFormat::Text(Jsonl),
            OutputFormat::Text(Csv),
            OutputFormat::Text(Md),
            OutputFormat::Parquet,
        ];
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Text(format) => format.to_possible_value(),
            Self::Parquet => Some(PossibleValue::new("parquet").help("Apache Parquet, for export alone")),
        }
    }
}

/// Writes rows of cells.
pub enum RowWriter<W: Write + Send> {
    /// A table, for people.
    Table(TableStream, W),
    /// An array of objects.
    Json(Objects<W>),
    /// One object a line.
    Jsonl(Objects<W>),
    /// A header and rows.
    Csv(Box<csv::Writer<W>>),
    /// Groups of rows.
    Parquet(Box<ParquetWriter<W>>),
}

/// Objects with the same keys.
pub struct Objects<W> {
    out: W,
    /// The keys as JSON.
    keys: Vec<String>,
    num_written: usize,
}

impl<W: Write + Send> RowWriter<W> {
    /// Begins with what comes before the first row.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn new(out: W, format: OutputFormat, columns: &[AnswerColumn]) -> io::Result<Self> {
        let names = || columns.iter().map(|column| column.name.clone());
        let table = |look, out| Self::Table(TableStream::new(look, names().collect()), out);
        Ok(match format {
            OutputFormat::Text(Format::Table) => table(Look::Aligned, out),
            OutputFormat::Text(Format::Md) => table(Look::Markdown, out),
            OutputFormat::Text(Format::Json) => Self::Json(Objects::new(out, names().collect())),
            OutputFormat::Text(Format::Jsonl) => Self::Jsonl(Objects::new(out, names().collect())),
            OutputFormat::Text(Format::Csv) => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(names()).map_err(to_io)?;
                Self::Csv(Box::new(writer))
            }
            OutputFormat::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out, columns)?)),
        })
    }

    /// Writes a row: one cell a column.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, cells: &[Cell]) -> io::Result<()> {
        match self {
            Self::Table(table, out) => out.write_all(table.push(cells).as_bytes()),
            Self::Json(objects) => {
                objects.out.write_all(if objects.num_written == 0 { b"[\n  " } else { b",\n  " })?;
                objects.push(cells, ["{\n    ", ",\n    ", ": ", "\n  }"])
            }
            Self::Jsonl(objects) => objects.push(cells, ["{", ",", ":", "}\n"]),
            Self::Csv(writer) => writer.write_record(cells.iter().map(Cell::to_field)).map_err(to_io),
            Self::Parquet(writer) => writer.push(cells),
        }
    }

    /// Hands on what is written by now, as far as the format can.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Table(_, out) => out.flush(),
            Self::Json(objects) | Self::Jsonl(objects) => objects.out.flush(),
            Self::Csv(writer) => writer.flush(),
            Self::Parquet(_) => Ok(()),
        }
    }

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        match self {
            Self::Table(table, mut out) => {
                out.write_all(table.finish().as_bytes())?;
                out.flush()
            }
            Self::Json(mut objects) => {
                let end = if objects.num_written == 0 { "[]\n" } else { "\n]\n" };
                objects.out.write_all(end.as_bytes())?;
                objects.out.flush()
            }
            Self::Jsonl(_) | Self::Csv(_) => self.flush(),
            Self::Parquet(writer) => writer.finish(),
        }
    }
}

/// What the file below could not do, as it said it; a closed pipe stays one.
fn to_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(cause) => cause,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl<W: Write> Objects<W> {
    fn new(out: W, columns: Vec<String>) -> Self {
        let keys = distinct(columns).into_iter().map(|key| serde_json::Value::from(key).to_string());
        Self { out, keys: keys.collect(), num_written: 0 }
    }

    /// Writes an object with these marks: before its first key, before the others, before a value, after the last value.
    fn push(&mut self, cells: &[Cell], [first, next, colon, end]: [&str; 4]) -> io::Result<()> {
        for (index, (key, cell)) in self.keys.iter().zip(cells).enumerate() {
            let before = if index == 0 { first } else { next };
            for part in [before, key, colon] {
                self.out.write_all(part.as_bytes())?;
            }
            serde_json::to_writer(&mut self.out, cell)?;
        }
        self.num_written += 1;
        self.out.write_all(end.as_bytes())
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

#[cfg(test)]
mod tests {
    use super::super::{Column, Grid, Style};
    use super::*;
    use crate::record::ColumnType;

    fn columns() -> Vec<AnswerColumn> {
        let column = |(name, holds): (&str, _)| AnswerColumn { name: name.to_owned(), holds };
        [("na\"me", ColumnType::Text), ("num_tokens", ColumnType::Integer), ("rate", ColumnType::Real)]
            .map(column)
            .to_vec()
    }

    fn rows() -> [[Cell; 3]; 2] {
        let rate = |number| Cell::Float(number, Style::Decimals(4));
        [
            [Cell::Text("a|, 日本 \"b\"\n".to_owned()), Cell::Integer(-12), rate(1.0 / 3.0)],
            [Cell::Missing, Cell::Missing, rate(0.5)],
        ]
    }

    fn written(format: Format, columns: &[AnswerColumn], rows: &[impl AsRef<[Cell]>]) -> String {
        let mut out = Vec::new();
        let mut writer = RowWriter::new(&mut out, OutputFormat::Text(format), columns).unwrap();
        rows.iter().for_each(|row| writer.push(row.as_ref()).unwrap());
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_one_by_one_are_the_same_bytes_as_a_grid() {
        for num_rows in [0, 1, 2, 5, 1000] {
            for format in [Format::Table, Format::Md, Format::Json, Format::Jsonl, Format::Csv] {
                let column = |(name, holds): (&str, ColumnType)| match holds {
                    // Of no rows it is not known that they are numbers.
                    ColumnType::Text => Column::from(name),
                    _ if num_rows == 0 => Column::from(name),
                    _ => Column::number(name, name),
                };
                let mut grid = Grid::new(columns().iter().map(|c| column((&c.name, c.holds))));
                let rows: Vec<_> = rows().into_iter().cycle().take(num_rows).collect();
                rows.iter().for_each(|row| grid.push(row.clone()));
                assert_eq!(
                    written(format, &columns(), &rows),
                    grid.render(format),
                    "{format:?} of {num_rows}"
                );
            }
        }
    }

    #[test]
    fn rows_are_handed_on_as_they_come() {
        for format in [Format::Json, Format::Jsonl, Format::Csv] {
            let mut out = Vec::new();
            let mut writer = RowWriter::new(&mut out, OutputFormat::Text(format), &columns()).unwrap();
            writer.push(&rows()[0]).and_then(|()| writer.flush()).unwrap();
            std::mem::forget(writer);
            assert!(String::from_utf8(out).unwrap().contains("-12"), "{format:?}");
        }
    }

    #[test]
    fn columns_of_one_name_are_told_apart_in_objects_alone() {
        let columns =
            ["a", "a", "a_2"].map(|name| AnswerColumn { name: name.to_owned(), holds: ColumnType::Integer });
        let row = [[1, 2, 3].map(Cell::Integer)];
        assert_eq!(written(Format::Jsonl, &columns, &row), "{\"a\":1,\"a_3\":2,\"a_2\":3}\n");
        assert_eq!(written(Format::Csv, &columns, &row), "a,a,a_2\n1,2,3\n");
    }

    #[test]
    fn closed_pipe_is_known_as_one() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let texts =
            [Format::Table, Format::Md, Format::Json, Format::Jsonl, Format::Csv].map(OutputFormat::Text);
        for format in texts.into_iter().chain([OutputFormat::Parquet]) {
            let write = || {
                let mut writer = RowWriter::new(Closed, format, &columns())?;
                // CSV is buffered.
                (0..10_000).try_for_each(|_| writer.push(&rows()[0]))?;
                writer.finish()
            };
            assert_eq!(write().map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe), "{format:?}");
        }
    }

    #[test]
    fn token_ids_are_an_array_or_words() {
        let tokens = Cell::Tokens(vec![7, 0, 9]);
        let row = [[tokens.clone(), Cell::Tokens(vec![]), tokens]];
        let expected = "{\"na\\\"me\":[7,0,9],\"num_tokens\":[],\"rate\":[7,0,9]}\n";
        assert_eq!(written(Format::Jsonl, &columns(), &row), expected);
        assert_eq!(written(Format::Csv, &columns(), &row), "\"na\"\"me\",num_tokens,rate\n7 0 9,,7 0 9\n");
        assert!(written(Format::Json, &columns(), &row).contains("\"rate\": [7,0,9]\n"));
    }
}
