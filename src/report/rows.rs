//! Rows as programs read them, written one after the other: no more of them is in memory than a writer needs.

use std::io::{self, Write};

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Format;
use super::grid::Cell;
use super::parquet::ParquetWriter;
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

/// What rows are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowFormat {
    /// An array of objects.
    Json,
    /// One object a line.
    Jsonl,
    /// A header and rows.
    Csv,
    /// Apache Parquet: typed columns.
    Parquet,
}

/// Writes rows of cells.
pub enum RowWriter<W: Write + Send> {
    /// An array of objects, of which so many are written.
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
    pub fn new(out: W, format: RowFormat, columns: &[AnswerColumn]) -> io::Result<Self> {
        Ok(match format {
            RowFormat::Json => Self::Json(Objects::new(out, columns)),
            RowFormat::Jsonl => Self::Jsonl(Objects::new(out, columns)),
            RowFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(columns.iter().map(|column| &column.name)).map_err(to_io)?;
                Self::Csv(Box::new(writer))
            }
            RowFormat::Parquet => Self::Parquet(Box::new(ParquetWriter::new(out, columns)?)),
        })
    }

    /// Writes a row: one cell a column.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn push(&mut self, cells: &[Cell]) -> io::Result<()> {
        match self {
            Self::Json(objects) => {
                objects.out.write_all(if objects.num_written == 0 { b"[\n  " } else { b",\n  " })?;
                objects.push(cells, ["{\n    ", ",\n    ", ": ", "\n  }"])
            }
            Self::Jsonl(objects) => objects.push(cells, ["{", ",", ":", "}\n"]),
            Self::Csv(writer) => writer.write_record(cells.iter().map(Cell::to_field)).map_err(to_io),
            Self::Parquet(writer) => writer.push(cells),
        }
    }

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Json(mut objects) => {
                let end = if objects.num_written == 0 { "[]\n" } else { "\n]\n" };
                objects.out.write_all(end.as_bytes())?;
                objects.out.flush()
            }
            Self::Jsonl(mut objects) => objects.out.flush(),
            Self::Csv(mut writer) => writer.flush(),
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
    fn new(out: W, columns: &[AnswerColumn]) -> Self {
        let keys = columns.iter().map(|column| serde_json::Value::from(column.name.as_str()).to_string());
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
            [Cell::Text("a, \"b\"\n".to_owned()), Cell::Integer(-12), rate(1.0 / 3.0)],
            [Cell::Missing, Cell::Missing, rate(0.5)],
        ]
    }

    fn written(format: RowFormat, rows: &[[Cell; 3]]) -> String {
        let mut out = Vec::new();
        let mut writer = RowWriter::new(&mut out, format, &columns()).unwrap();
        rows.iter().for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_one_by_one_are_the_same_bytes_as_a_grid() {
        for num_rows in 0..=2 {
            let mut grid = Grid::new(columns().iter().map(|column| Column::from(column.name.as_str())));
            rows().into_iter().take(num_rows).for_each(|row| grid.push(row));
            for (format, of_grid) in [
                (RowFormat::Json, Format::Json),
                (RowFormat::Jsonl, Format::Jsonl),
                (RowFormat::Csv, Format::Csv),
            ] {
                assert_eq!(written(format, &rows()[..num_rows]), grid.render(of_grid), "{format:?}");
            }
        }
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
        for format in [RowFormat::Json, RowFormat::Jsonl, RowFormat::Csv, RowFormat::Parquet] {
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
        assert_eq!(written(RowFormat::Jsonl, &row), expected);
        assert_eq!(written(RowFormat::Csv, &row), "\"na\"\"me\",num_tokens,rate\n7 0 9,,7 0 9\n");
        assert!(written(RowFormat::Json, &row).contains("\"rate\": [7,0,9]\n"));
    }
}
