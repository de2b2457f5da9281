//! From rows that are still coming to standard output.

use std::time::{Duration, Instant};

use super::context::Context;
use super::present::HASH_DIGITS;
use crate::report::{Cell, Format, RowStream, Style};
use crate::store::{Hex, Receiver, Value};
use crate::ui::OutputError;

/// Text that is written together.
const WRITTEN_AT_ONCE: usize = 32 << 10;
/// How long text waits for more.
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
    answer: Option<RowStream>,
    num_rows: u64,
    is_first: bool,
    text: String,
    written: Option<Instant>,
    /// Whether the rest is taken and thrown away once the reader has gone.
    outlives_reader: bool,
}

impl<'a> Printer<'a> {
    /// Ends with an error as soon as the reader has gone.
    pub(super) fn new(context: &'a Context) -> Self {
        let format = context.format();
        let text = String::new();
        Self {
            context,
            format,
            answer: None,
            num_rows: 0,
            is_first: true,
            text,
            written: None,
            outlives_reader: false,
        }
    }

    /// Goes on without a reader: what is being changed does not depend on who looks on.
    pub(super) fn outliving_its_reader(self) -> Self {
        Self { outlives_reader: true, ..self }
    }

    /// How many rows there were in all answers.
    pub(super) fn num_rows(&self) -> u64 {
        self.num_rows
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let text = std::mem::take(&mut self.text);
        self.written = Some(Instant::now());
        if text.is_empty() {
            return Ok(());
        }
        match self.context.ui.data(&text) {
            Err(OutputError::Closed) if self.outlives_reader => Ok(()),
            written => Ok(written?),
        }
    }

    /// The first text is written at once; later, little waits for more.
    fn write_if_due(&mut self) -> anyhow::Result<()> {
        let is_due = self.written.is_none_or(|written| written.elapsed() >= WAIT);
        if is_due || self.text.len() >= WRITTEN_AT_ONCE { self.write() } else { Ok(()) }
    }
}

impl Receiver for Printer<'_> {
    type Error = anyhow::Error;

    fn begin(&mut self, columns: Vec<String>) -> anyhow::Result<()> {
        if !self.is_first && matches!(self.format, Format::Table | Format::Md | Format::Csv) {
            self.text.push('\n');
        }
        self.is_first = false;
        self.answer = Some(RowStream::new(self.format, columns));
        Ok(())
    }

    fn row(&mut self, values: Vec<Value>) -> anyhow::Result<()> {
        self.num_rows += 1;
        let is_cut = self.format == Format::Table && values.len() > 1;
        let cells = values.into_iter().map(|value| match cell(value, self.format) {
            Cell::Text(text) if is_cut => Cell::Text(cut(text)),
            cell => cell,
        });
        let cells = cells.collect();
        self.text += &self.answer.as_mut().expect("an answer has begun").push(cells);
        self.write_if_due()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.text += &self.answer.take().expect("an answer has begun").finish();
        self.write()
    }
}

/// A value as people or programs see it.
fn cell(value: Value, format: Format) -> Cell {
    let is_for_people = matches!(format, Format::Table | Format::Md);
    match value {
        Value::Null => Cell::Missing,
        Value::Integer(number) => Cell::Integer(number),
        Value::Real(number) => Cell::float(Some(number), Style::Significant(SIGNIFICANT_DIGITS)),
        Value::Text(text) => Cell::Text(text),
        Value::Blob(bytes) if is_for_people => Cell::Text(shown_bytes(&bytes)),
        Value::Blob(bytes) => Cell::Text(Hex(&bytes).to_string()),
    }
}

/// A text as it stands beside others: of a hash the first digits, of a long one the beginning.
fn cut(text: String) -> String {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kept = if is_hash { HASH_DIGITS } else { TEXT_CHARACTERS };
    if !is_hash && text.chars().count() <= kept {
        return text;
    }
    let end = if is_hash { "" } else { "…" };
    let kept: String = text.chars().take(kept - end.chars().count()).collect();
    kept + end
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
        let check = |text: &str, expected: &str| assert_eq!(cut(text.to_owned()), expected);
        check("short", "short");
        check(&"ä".repeat(80), &"ä".repeat(80));
        check(&"ä".repeat(81), &format!("{}…", "ä".repeat(79)));
        check(&"0a".repeat(32), "0a0a0a0a0a0a");
        check(&"xy".repeat(32), &"xy".repeat(32));
    }
}
