//! Answers row by row, for those that are too long to be held in memory, each column with the type of its values.

use std::result;

use rusqlite::Statement;

use super::queries::{Query, prepared};
use super::value::Value;
use super::{Error, Store};
use crate::record::{AnswerColumn, ColumnType};

/// Takes an answer row by row.
pub trait RowSink {
    /// Why a row could not be taken.
    type Error: From<Error>;

    /// Is told the columns, before the first row of each answer.
    ///
    /// # Errors
    /// If what comes cannot be taken.
    fn begin(&mut self, columns: &[AnswerColumn]) -> result::Result<(), Self::Error>;

    /// Takes a row: one value a column.
    ///
    /// # Errors
    /// If the row cannot be taken; no other follows.
    fn push(&mut self, row: &[Value]) -> result::Result<(), Self::Error>;
}

impl Store {
    /// Answers the query of that name as [`Store::query`] does, one row at a time: what is committed meanwhile is not part
    /// of the answer.
    ///
    /// # Errors
    /// As [`Store::query`], or if `sink` cannot take the rows.
    pub fn stream<S: RowSink>(
        &self,
        name: &str,
        parameters: &[(&str, Value)],
        sink: &mut S,
    ) -> result::Result<(), S::Error> {
        let query = Query::find(name)?;
        let placed = |error: rusqlite::Error| Error::from(error).in_file(&self.path);
        let connection = &self.connection;
        let mut statement =
            prepared(connection, query, query.sql, parameters).map_err(|error| error.in_file(&self.path))?;
        let columns = columns(&statement);
        sink.begin(&columns)?;
        let mut answer = statement.raw_query();
        let mut values = Vec::with_capacity(columns.len());
        while let Some(row) = answer.next().map_err(placed)? {
            values.clear();
            for index in 0..columns.len() {
                values.push(row.get_ref(index).map_err(placed)?.into());
            }
            sink.push(&values)?;
        }
        Ok(())
    }
}

/// The columns of a statement with their types: those of the tables that they come from, where every value has its column's
/// type (STRICT); of what is computed, [`computed`].
fn columns(statement: &Statement<'_>) -> Vec<AnswerColumn> {
    let column = |column: &rusqlite::Column<'_>| AnswerColumn {
        name: column.name().to_owned(),
        holds: column_type(column.name(), column.decl_type()),
    };
    statement.columns().iter().map(column).collect()
}

fn column_type(name: &str, declared: Option<&str>) -> ColumnType {
    match declared {
        _ if name.starts_with("is_") => ColumnType::Boolean,
        Some("INTEGER") => ColumnType::Integer,
        Some("REAL") => ColumnType::Real,
        Some("BLOB") if name.ends_with("_tokens") => ColumnType::Tokens,
        Some(_) => ColumnType::Text,
        None => computed(name),
    }
}

/// The type of a column that is computed, by its name, which means one thing everywhere: counts and ids are whole, names and
/// times of day are text, every other figure is a ratio or a duration. So a column has one type in all runs, also in those
/// where each of its values is missing.
fn computed(name: &str) -> ColumnType {
    let is_integer = ["num_", "total_"].iter().any(|prefix| name.starts_with(prefix))
        || ["_id", "_ns", "_ms", "_index", "_bytes"].iter().any(|suffix| name.ends_with(suffix))
        || ["step", "position", "depth"].contains(&name);
    let is_text = ["_at", "_sha256"].iter().any(|suffix| name.ends_with(suffix))
        || ["aliases", "mode", "prompt", "purpose", "state"].contains(&name);
    match (is_integer, is_text) {
        // A mean of whole numbers is none.
        (true, _) if name.starts_with("mean_") => ColumnType::Real,
        (true, _) => ColumnType::Integer,
        (_, true) => ColumnType::Text,
        _ => ColumnType::Real,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Result, sample};

    /// Remembers what came.
    #[derive(Default)]
    struct Taken {
        columns: Vec<AnswerColumn>,
        rows: Vec<Vec<Value>>,
    }

    impl RowSink for Taken {
        type Error = Error;

        fn begin(&mut self, columns: &[AnswerColumn]) -> Result<()> {
            self.columns = columns.to_vec();
            Ok(())
        }

        fn push(&mut self, row: &[Value]) -> Result<()> {
            self.rows.push(row.to_vec());
            Ok(())
        }
    }

    /// The queries whose rows are exported.
    const EXPORTED: [&str; 9] = [
        "mode_metrics",
        "prompt_metrics",
        "generations",
        "rounds",
        "run_examples",
        "example_disagreements",
        "train_steps",
        "train_evaluations",
        "prompt_evaluations",
    ];

    fn taken(store: &Store, query: &str, run: i64) -> Taken {
        let parameters = [(":run_id", Value::Integer(run))];
        let mut taken = Taken::default();
        store.stream(query, &parameters, &mut taken).unwrap();
        let whole = store.query(query, &parameters).unwrap();
        assert_eq!(taken.rows, whole.rows, "{query}");
        assert!(taken.columns.iter().map(|column| &column.name).eq(&whole.columns), "{query}");
        taken
    }

    #[test]
    fn every_value_is_of_its_columns_type() {
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        sample::fill_training(&mut store);
        for query in EXPORTED {
            let mut num_rows = 0;
            for Taken { columns, rows } in (1..=7).map(|run| taken(&store, query, run)) {
                num_rows += rows.len();
                for (column, value) in rows.iter().flat_map(|row| columns.iter().zip(row)) {
                    let fits = match (column.holds, value) {
                        (_, Value::Null) => true,
                        (ColumnType::Boolean, Value::Integer(value)) => [0, 1].contains(value),
                        (ColumnType::Integer, value) => matches!(value, Value::Integer(_)),
                        (ColumnType::Real, value) => matches!(value, Value::Real(_)),
                        (ColumnType::Text, value) => matches!(value, Value::Text(_)),
                        (ColumnType::Tokens, Value::Blob(bytes)) => bytes.len() % 4 == 0,
                        _ => false,
                    };
                    assert!(fits, "{query}: {column:?} has {value:?}");
                }
            }
            assert!(num_rows > 0, "{query} finds nothing");
        }
    }

    #[test]
    fn a_sink_that_has_enough_ends_the_answer() {
        struct Full(usize);
        impl RowSink for Full {
            type Error = Error;
            fn begin(&mut self, _: &[AnswerColumn]) -> Result<()> {
                Ok(())
            }
            fn push(&mut self, _: &[Value]) -> Result<()> {
                self.0 += 1;
                if self.0 == 2 { Err(Error::NoExample(crate::record::ExampleId(0))) } else { Ok(()) }
            }
        }
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        let mut full = Full(0);
        assert!(store.stream("generations", &[(":run_id", 1.into())], &mut full).is_err());
        assert_eq!(full.0, 2);
    }
}
