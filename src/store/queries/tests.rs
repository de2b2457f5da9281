use super::*;
use crate::record::{CheckpointId, ExampleId, NewRun, Purpose, RunId};
use crate::store::sample;

/// Answers a statement that is no query of ours.
fn answer(store: &Store, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = store.connection.prepare(sql).unwrap();
    let num_columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..num_columns).map(|i| Ok(row.get_ref(i)?.into())).collect());
    rows.unwrap().map(|row| row.unwrap()).collect()
}

/// The values that a query needs, for a run.
fn parameters(query: &Query, run: RunId) -> Vec<(&'static str, Value)> {
    let all = [
        (":run_id", run.into()),
        (":limit", Value::Integer(-1)),
        (":checkpoint_id", Value::Integer(3)),
        (":acceptance_threshold", Value::Real(0.5)),
        (":confidence", Value::Real(0.5)),
    ];
    let has = |name: &str| query.parameters().iter().any(|parameter| parameter.name == name);
    all.into_iter().filter(|(name, _)| has(name)).collect()
}

/// A database with benches, and then a run of each other kind.
fn filled() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    store.add_note(RunId(1), "a note").unwrap();
    (folder, store)
}

#[test]
fn list_is_newest_first_and_leaves_out_what_is_deleted() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    let ids = |limit: i64| -> Vec<Value> {
        let rows = store.query("runs_list", &[(":limit", limit.into())]).unwrap().rows;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    };
    assert_eq!(ids(-1), [3.into(), 2.into(), 1.into()]);
    assert_eq!(ids(2), [3.into(), 2.into()]);
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = 2", []).unwrap();
    assert_eq!(ids(-1), [3.into(), 1.into()]);
}

#[test]
fn values_become_json() {
    let rows = Rows {
        columns: vec!["a".to_owned()],
        rows: vec![vec![
            Value::Null,
            Value::Integer(i64::MAX),
            Value::Real(0.5),
            Value::Text("x".to_owned()),
            Value::Blob(vec![0, 255]),
        ]],
    };
    let json = serde_json::to_string(&rows).unwrap();
    assert_eq!(json, r#"{"columns":["a"],"rows":[[null,9223372036854775807,0.5,"x","00ff"]]}"#);
}

/// The values of columns in all rows of an answer.
fn values(rows: &Rows, columns: &[&str]) -> Vec<Vec<Value>> {
    let row = |index| columns.iter().map(|column| rows.get(index, column).unwrap().clone()).collect();
    (0..rows.rows.len()).map(row).collect()
}

/// The columns of a table or view.
fn columns(store: &Store, name: &str) -> Vec<String> {
    sample::column(store, &format!("SELECT name FROM pragma_table_info('{name}')"))
}

mod benches;
mod contract;
mod training;
