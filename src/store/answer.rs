//! Answers on their way out: rows are handed on as SQLite finds them, so that no answer has to fit into memory.

use rusqlite::Statement;
use serde::Serialize;

use super::value::Value;
use super::{Error, Result};

/// Takes the rows of answers as they come.
pub trait Receiver {
    /// Why it could not take them.
    type Error: From<Error>;

    /// An answer begins, with columns of these names.
    ///
    /// # Errors
    /// If the answer cannot be taken.
    fn begin(&mut self, columns: Vec<String>) -> std::result::Result<(), Self::Error>;

    /// One row, with a value a column.
    ///
    /// # Errors
    /// If the row cannot be taken; no other follows.
    fn row(&mut self, values: Vec<Value>) -> std::result::Result<(), Self::Error>;

    /// The answer is complete.
    ///
    /// # Errors
    /// If what is left of it cannot be taken.
    fn end(&mut self) -> std::result::Result<(), Self::Error>;
}

/// The answer to a query: named columns, and rows of as many values.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// Returns the value of a column in a row, if there are both.
    #[cfg(test)]
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|name| name == column)?;
        self.rows.get(row)?.get(index)
    }
}

impl Receiver for Rows {
    type Error = Error;

    fn begin(&mut self, columns: Vec<String>) -> Result<()> {
        self.columns = columns;
        Ok(())
    }

    fn row(&mut self, values: Vec<Value>) -> Result<()> {
        self.rows.push(values);
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Hands the rows of a statement, whose parameters are bound, to a receiver; `explain` says what an error of SQLite means.
pub(super) fn hand_out<R: Receiver>(
    statement: &mut Statement<'_>,
    receiver: &mut R,
    explain: impl Fn(rusqlite::Error) -> Error,
) -> std::result::Result<(), R::Error> {
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let num_columns = columns.len();
    receiver.begin(columns)?;
    let mut answer = statement.raw_query();
    while let Some(row) = answer.next().map_err(&explain)? {
        let values = (0..num_columns).map(|index| Ok(row.get_ref(index)?.into()));
        receiver.row(values.collect::<rusqlite::Result<_>>().map_err(&explain)?)?;
    }
    receiver.end()
}
