//! Rows of runs, written as the database gives them.

use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Place, Wanted};
use crate::cmd::context::Context;
use crate::cmd::facts::Facts;
use crate::cmd::output::{self, Output};
use crate::cmd::present::cell;
use crate::cmd::{Interrupted, interrupt};
use crate::record::{AnswerColumn, ColumnType};
use crate::report::{BenchExport, Cell, RowWriter, Style};
use crate::store::{Query, Receiver, Value, tokens_of};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 18;

/// What rows are written to.
type Out<'a, 'ui> = BufWriter<&'a mut Output<'ui>>;

/// Writes the rows of runs, one run after the other.
pub(super) fn export(wanted: &Wanted, place: Place, context: &Context) -> anyhow::Result<()> {
    let Wanted { store, runs, what } = *wanted;
    let progress = (runs.len() > 1).then(|| context.ui.progress("export", "runs", runs.len() as u64));
    let num_rows = write_to(place, context, |out, cancel| {
        let query = Query::find(what.query())?;
        let mut sink =
            Sink { place, out: Some(out), writer: None, columns: vec![], cells: vec![], num_rows: 0, cancel };
        for &run in runs {
            store.stream_query(query, &[(":run_id", run.into())], &mut sink)?;
            if let Some(progress) = &progress {
                progress.advance(1);
            }
        }
        sink.finish()
    })?;
    drop(progress);
    if num_rows == 0 {
        context.ui.note(no_rows_note(wanted)?);
    }
    say_written(place, &format!(" ({num_rows} {})", what.plural()), context);
    Ok(())
}

/// Writes the figures of a benchmark, one row a prompt and mode.
pub(super) fn export_figures(export: &BenchExport, place: Place, context: &Context) -> anyhow::Result<()> {
    write_to(place, context, |out, _| {
        let write = || {
            let mut writer = RowWriter::new(out, place.format, &BenchExport::columns())?;
            export.rows().iter().try_for_each(|row| writer.push(row))?;
            writer.finish()
        };
        write().map_err(|error| output::failed(place.path, error))
    })?;
    say_written(place, "", context);
    Ok(())
}

/// Opens the place, has it written, and puts a file where it belongs; a signal ends the writing of a file, which stays as
/// it was.
fn write_to<T>(
    place: Place,
    context: &Context,
    write: impl FnOnce(Out<'_, '_>, &AtomicBool) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let cancel = match output::is_stdout(place.path) {
        true => Arc::default(),
        false => {
            let last_words = format!("{} is as it was", place.path.display());
            interrupt::listen_until(context.ui.speaker(), last_words)?
        }
    };
    let failed = |error| output::failed(place.path, error);
    let mut output = Output::create(place.path, &context.ui).map_err(failed)?;
    let written = write(BufWriter::with_capacity(BUFFER_BYTES, &mut output), &cancel)?;
    output.finish().map_err(failed)?;
    Ok(written)
}

fn say_written(place: Place, how_much: &str, context: &Context) {
    if !output::is_stdout(place.path) {
        context.ui.status(format!("wrote {}{how_much}", place.path.display()));
    }
}

/// Says that there are no such rows.
fn no_rows_note(wanted: &Wanted) -> anyhow::Result<String> {
    let plural = wanted.what.plural();
    Ok(match wanted.runs {
        &[run] => {
            format!("run {run} has no {plural} (its kind is {})", Facts::read(wanted.store, run)?.kind())
        }
        runs => format!("none of {} runs has {plural}", runs.len()),
    })
}

/// Writes the answers to one query, for one run after the other.
struct Sink<'a, 'ui> {
    place: Place<'a>,
    /// Where to write, until the columns are known.
    out: Option<Out<'a, 'ui>>,
    writer: Option<RowWriter<Out<'a, 'ui>>>,
    columns: Vec<AnswerColumn>,
    cells: Vec<Cell>,
    num_rows: u64,
    cancel: &'a AtomicBool,
}

impl Receiver for Sink<'_, '_> {
    type Error = anyhow::Error;

    fn begin(&mut self, columns: &[AnswerColumn]) -> anyhow::Result<()> {
        if let Some(out) = self.out.take() {
            let writer = RowWriter::new(out, self.place.format, columns);
            self.writer = Some(writer.map_err(|error| output::failed(self.place.path, error))?);
            self.columns = columns.to_vec();
        }
        Ok(())
    }

    fn row(&mut self, values: Vec<Value>) -> anyhow::Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(interrupted(self.place.path));
        }
        self.cells.clear();
        self.cells.extend(self.columns.iter().zip(values).map(|(column, value)| typed(column.holds, value)));
        if let Some(writer) = &mut self.writer {
            writer.push(&self.cells).map_err(|error| output::failed(self.place.path, error))?;
        }
        self.num_rows += 1;
        Ok(())
    }

    /// The answer for the next run follows.
    fn end(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl Sink<'_, '_> {
    /// Writes what comes after the last row, and returns how many rows there were.
    fn finish(self) -> anyhow::Result<u64> {
        if let Some(writer) = self.writer {
            writer.finish().map_err(|error| output::failed(self.place.path, error))?;
        }
        Ok(self.num_rows)
    }
}

/// A value as programs read it.
fn typed(holds: ColumnType, value: Value) -> Cell {
    match (holds, &value) {
        (ColumnType::Tokens, Value::Blob(bytes)) => Cell::Tokens(tokens_of(bytes).collect()),
        _ => cell(&value, Style::Decimals(4)),
    }
}

fn interrupted(path: &Path) -> anyhow::Error {
    Interrupted(format!("interrupted: {} is as it was", path.display())).into()
}
