//! From rows that are still coming to standard output.

use std::io::{self, BufWriter, Write as _};
use std::time::{Duration, Instant};

use super::context::Context;
use super::present::{HASH_DIGITS, shortened};
use crate::record::AnswerColumn;
use crate::report::{Cell, Format, OutputFormat, RowWriter, Style};
use crate::store::{Hex, Receiver, Value};
use crate::ui::{DataWriter, OutputError};

/// Characters of a hash that is stored as text.
const HASH_LENGTH: usize = 64;

/// Bytes that are written together.
const WRITTEN_AT_ONCE: usize = 32 << 10;
/// How long they wait for more.
const WAIT: Duration = Duration::from_millis(100);
/// Digits of numbers that people see; programs get them all.
const SIGNIFICANT_DIGITS: usize = 6;
/// Bytes of a value that people see; programs get them all.
const BLOB_BYTES: usize = 8;
/// Characters of a text that stand in a table of several columns; other formats have them all.
const TEXT_CHARACTERS: usize = 80;

/// Writes answers to standard output as their rows come, an empty line between two tables.
pub(super) struct Printer<'a> {
    context: &'a Context,
    format: Format,
    answer: Option<RowWriter<BufWriter<DataWriter<'a>>>>,
    num_rows: u64,
    is_first: bool,
    /// When rows were last handed on.
    written: Option<Instant>,
    reader: Reader,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Somebody without whom the work has no sense.
    Needed,
    /// Somebody who may go.
    Optional,
    /// Nobody any more.
    Gone,
}

impl<'a> Printer<'a> {
    /// Ends with an error as soon as the reader has gone.
    pub(super) fn new(context: &'a Context) -> Self {
        let format = context.format();
        let reader = Reader::Needed;
        Self { context, format, answer: None, num_rows: 0, is_first: true, written: None, reader }
    }

    /// Goes on without a reader: what is being changed does not depend on who looks on.
    pub(super) fn outliving_its_reader(self) -> Self {
        Self { reader: Reader::Optional, ..self }
    }

    /// How many rows there were in all answers.
    pub(super) fn num_rows(&self) -> u64 {
        self.num_rows
    }

    /// What came of writing: a reader who may go is let go.
    fn outcome<T>(&mut self, written: io::Result<T>) -> anyhow::Result<Option<T>> {
        match written.map_err(OutputError::from) {
            Ok(written) => Ok(Some(written)),
            Err(OutputError::Closed) if self.reader != Reader::Needed => {
                self.reader = Reader::Gone;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn writer(&self, columns: &[AnswerColumn]) -> io::Result<RowWriter<BufWriter<DataWriter<'a>>>> {
        let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, self.context.ui.data_writer());
        if !self.is_first && matches!(self.format, Format::Table | Format::Md | Format::Csv) {
            out.write_all(b"\n")?;
        }
        RowWriter::new(out, OutputFormat::Text(self.format), columns)
    }

    /// The first row is written at once; later, little waits for more.
    fn write(&mut self, cells: &[Cell]) -> io::Result<()> {
        let Some(answer) = &mut self.answer else { return Ok(()) };
        answer.push(cells)?;
        if self.written.is_none_or(|written| written.elapsed() >= WAIT) {
            answer.flush()?;
            self.written = Some(Instant::now());
        }
        Ok(())
    }
}

impl Receiver for Printer<'_> {
    type Error = anyhow::Error;

    fn begin(&mut self, columns: &[AnswerColumn]) -> anyhow::Result<()> {
        let writer = self.writer(columns);
        self.answer = self.outcome(writer)?;
        self.is_first = false;
        Ok(())
    }

    fn row(&mut self, values: Vec<Value>) -> anyhow::Result<()> {
        self.num_rows += 1;
        if self.reader == Reader::Gone {
            return Ok(());
        }
        let is_cut = self.format == Format::Table && values.len() > 1;
        let cells = values.into_iter().map(|value| match cell(value, self.format) {
            Cell::Text(text) if is_cut && text.len() >= HASH_LENGTH => Cell::Text(cut(&text)),
            cell => cell,
        });
        let written = self.write(&cells.collect::<Vec<_>>());
        self.outcome(written).map(drop)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let written = self.answer.take().map_or(Ok(()), RowWriter::finish);
        self.written = Some(Instant::now());
        self.outcome(written).map(drop)
    }
}

/// A value as people or programs see it.
fn cell(value: Value, format: Format) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Integer(number) => Cell::Integer(number),
        Value::Real(number) => Cell::float(Some(number), Style::Significant(SIGNIFICANT_DIGITS)),
        Value::Text(text) => Cell::Text(text),
        Value::Blob(bytes) if format.is_for_people() => Cell::Text(shown_bytes(&bytes)),
        Value::Blob(bytes) => Cell::Text(Hex(&bytes).to_string()),
    }
}

/// A text as it stands beside others: of a hash the first digits, of a long one the beginning.
fn cut(text: &str) -> String {
    let is_hash = text.len() == HASH_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { text[..HASH_DIGITS].to_owned() } else { shortened(text, TEXT_CHARACTERS) }
}

/// The first bytes, and how many there are.
fn shown_bytes(bytes: &[u8]) -> String {
    let shown = Hex(&bytes[..bytes.len().min(BLOB_BYTES)]);
    let more = if bytes.len() > BLOB_BYTES { "…" } else { "" };
    let count = bytes.len();
    format!("x'{shown}{more}' ({count} byte{})", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shortened_for_people_and_whole_for_programs() {
        let text = |bytes: &[u8], format| match cell(Value::Blob(bytes.to_vec()), format) {
            Cell::Text(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(text(&[], Format::Table), "x'' (0 bytes)");
        assert_eq!(text(&[10], Format::Md), "x'0a' (1 byte)");
        assert_eq!(text(&[255; 9], Format::Table), "x'ffffffffffffffff…' (9 bytes)");
        assert_eq!(text(&[255; 9], Format::Json), "ff".repeat(9));
        assert_eq!(text(&[255; 9], Format::Csv), "ff".repeat(9));
    }

    #[test]
    fn texts_beside_others_are_cut() {
        let check = |text: &str, expected: &str| assert_eq!(cut(text), expected);
        check("short", "short");
        check(&"ä".repeat(80), &"ä".repeat(80));
        check(&"ä".repeat(81), &format!("{}…", "ä".repeat(79)));
        check(&"0a".repeat(32), "0a0a0a0a0a0a");
        check(&"xy".repeat(32), &"xy".repeat(32));
    }
}
