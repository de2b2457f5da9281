//! The columns of an answer, each with the type of its values.

use rusqlite::Statement;

use crate::record::{AnswerColumn, ColumnType};

/// The columns of a statement with their types: those of the tables that they come from, where every value has its column's
/// type (STRICT); of what is computed, [`computed`].
pub(super) fn columns(statement: &Statement<'_>) -> Vec<AnswerColumn> {
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
    use crate::store::queries::Query;
    use crate::store::value::Value;
    use crate::store::{Error, Receiver, Result, Store, sample};

    /// Remembers what came.
    #[derive(Default)]
    struct Taken {
        columns: Vec<AnswerColumn>,
        rows: Vec<Vec<Value>>,
    }

    impl Receiver for Taken {
        type Error = Error;

        fn begin(&mut self, columns: &[AnswerColumn]) -> Result<()> {
            self.columns = columns.to_vec();
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
        store.stream_query(Query::find(query).unwrap(), &parameters, &mut taken).unwrap();
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
}
