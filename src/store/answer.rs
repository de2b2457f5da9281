//! Answers on their way out: rows are handed on as SQLite finds them, so that no answer has to fit into memory.

mod columns;

use rusqlite::Statement;
use serde::Serialize;

use super::value::Value;
use super::{Error, Result};
use crate::record::AnswerColumn;

/// Takes the rows of answers as they come.
pub trait Receiver {
    /// Why it could not take them.
    type Error: From<Error>;

    /// An answer begins, with these columns.
    ///
    /// # Errors
    /// If the answer cannot be taken.
    fn begin(&mut self, columns: &[AnswerColumn]) -> std::result::Result<(), Self::Error>;

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

    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<()> {
        self.columns = columns.iter().map(|column| column.name.clone()).collect();
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
pub(super) fn stream_rows<R: Receiver>(
    statement: &mut Statement<'_>,
    receiver: &mut R,
    explain: impl Fn(rusqlite::Error) -> Error,
) -> std::result::Result<(), R::Error> {
    let num_columns = statement.column_count();
    receiver.begin(&columns::columns(statement))?;
    let mut answer = statement.raw_query();
    while let Some(row) = answer.next().map_err(&explain)? {
        let mut values = Vec::with_capacity(num_columns);
        for index in 0..num_columns {
            values.push(row.get_ref(index).map_err(&explain)?.into());
        }
        receiver.row(values)?;
    }
    receiver.end()
}

#[cfg(test)]
mod tests {
    use super::super::queries::Query;
    use super::super::sample;
    use super::*;
    use crate::record::ExampleId;

    #[test]
    fn a_receiver_that_has_enough_ends_the_answer() {
        struct Full(usize);
        impl Receiver for Full {
            type Error = Error;
            fn begin(&mut self, _: &[AnswerColumn]) -> Result<()> {
                Ok(())
            }
            fn row(&mut self, _: Vec<Value>) -> Result<()> {
                self.0 += 1;
                if self.0 == 2 { Err(Error::NoExample(ExampleId(0))) } else { Ok(()) }
            }
            fn end(&mut self) -> Result<()> {
                unreachable!("not all rows were taken")
            }
        }
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        let mut full = Full(0);
        let query = Query::find("generations").unwrap();
        assert!(store.stream_query(query, &[(":run_id", 1.into())], &mut full).is_err());
        assert_eq!(full.0, 2);
    }
}
