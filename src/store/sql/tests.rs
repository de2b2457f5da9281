use std::sync::atomic::Ordering;

use super::*;
use crate::record::AnswerColumn;
use crate::store::{Result, Rows, sample};

/// Answers, one after the other.
#[derive(Default)]
struct Answers(Vec<Rows>);

impl Receiver for Answers {
    type Error = Error;

    fn begin(&mut self, columns: &[AnswerColumn]) -> Result<()> {
        self.0.push(Rows::default());
        self.0.last_mut().unwrap().begin(columns)
    }

    fn row(&mut self, values: Vec<Value>) -> Result<()> {
        self.0.last_mut().unwrap().row(values)
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A database with rows, opened for reading alone.
fn reading() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    sample::fill(&mut store);
    let path = store.path().to_owned();
    drop(store);
    (folder, Store::open_to_read(path).unwrap())
}

fn with(parameters: &[(&str, Value)]) -> SqlOptions {
    let owned = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    SqlOptions { parameters: parameters.iter().map(owned).collect(), ..SqlOptions::default() }
}

fn read(store: &Store, sql: &str) -> Result<Vec<Rows>> {
    let mut answers = Answers::default();
    store.read_sql(sql, &SqlOptions::default(), &mut answers)?;
    Ok(answers.0)
}

fn write(store: &mut Store, sql: &str) -> Result<Vec<Changed>> {
    store.write_sql(sql, &SqlOptions::default(), &mut Answers::default())
}

#[test]
fn statements_are_answered_one_after_the_other() {
    let (_folder, store) = reading();
    let answers = read(&store, "SELECT 1 AS a; -- none\n; SELECT id FROM runs ORDER BY id;\n").unwrap();
    assert_eq!(answers[0], Rows { columns: vec!["a".to_owned()], rows: vec![vec![1.into()]] });
    assert_eq!(answers[1].rows, [[1.into()], [2.into()], [3.into()]]);
    assert_eq!(answers.len(), 2);
    assert!(matches!(read(&store, " -- nothing\n;"), Err(Error::NoSql)));
}

#[test]
fn parameters_get_their_values_and_no_slip_passes() {
    let (_folder, store) = reading();
    let ask = |sql: &str, parameters: &[(&str, Value)]| {
        let mut answers = Answers::default();
        let done = store.read_sql(sql, &with(parameters), &mut answers);
        done.map(|()| answers.0[0].rows.concat()).map_err(|error| error.to_string())
    };
    let values = [("a", 1.into()), ("b", "x".into())];
    assert_eq!(ask("SELECT :a, @b, $a", &values), Ok(vec![1.into(), "x".into(), 1.into()]));
    let check = |sql: &str, parameters: &[(&str, Value)], expected: &str| {
        assert_eq!(ask(sql, parameters).unwrap_err(), expected);
    };
    check("SELECT :a", &[], "the statement needs a value for :a (--param a=VALUE)");
    check(
        "SELECT :a",
        &values,
        "no statement has the parameter :b (write :b in the statement, or leave --param b out)",
    );
    let nameless =
        "a parameter of the statement has no name (write :name for ?, and give --param name=VALUE)";
    check("SELECT ?", &[], nameless);
    check("SELECT ?1", &[], nameless);
}

#[test]
fn reading_refuses_every_change_and_says_what_it_would_do() {
    let (_folder, store) = reading();
    let check = |sql: &str, expected: &str| {
        let message = read(&store, sql).unwrap_err().to_string();
        assert!(message.contains(expected), "{sql}: {message}");
    };
    check("DELETE FROM runs", "this would delete rows of runs (speclora sql --write allows it)");
    check("UPDATE runs SET name = 'x'", "update rows of runs");
    check("INSERT INTO run_tags VALUES (1, 'a', 'b')", "insert rows into run_tags");
    check("CREATE TABLE mine (a)", "this would make the table mine");
    check("DROP VIEW run_states", "this would drop the view run_states");
    check("DROP TABLE runs", "this would drop the table runs");
    check("DELETE FROM sqlite_schema", "table sqlite_master may not be modified");
    check("ATTACH 'other.db' AS other", "open another file, other.db");
    check("PRAGMA user_version = 9", "PRAGMA user_version");
    check("PRAGMA writable_schema = 1", "PRAGMA writable_schema");
    check("BEGIN", "all statements are one transaction already");
    check("SELECT load_extension('x')", "load code");
    check("VACUUM INTO '/tmp/never.db'", "VACUUM");
    assert_eq!(sample::count(&store, "runs"), 3);
    assert_eq!(read(&store, "PRAGMA user_version").unwrap()[0].rows.len(), 1);
    assert!(!read(&store, "SELECT name FROM pragma_table_info('runs')").unwrap()[0].rows.is_empty());
    let own =
        "CREATE TEMP TABLE mine AS SELECT id FROM runs; DELETE FROM mine WHERE id = 1; SELECT * FROM mine";
    assert_eq!(read(&store, own).unwrap()[0].rows.len(), 2);
}

#[test]
fn connection_that_reads_could_not_write_even_if_it_was_asked_to() {
    let (_folder, store) = reading();
    assert!(store.is_read_only());
    assert!(store.connection.is_readonly("main").unwrap());
    assert!(
        store.connection.execute("DELETE FROM runs", []).is_err(),
        "no authorizer is left, and none is needed"
    );
}

#[test]
fn error_says_where_and_what_may_have_been_meant() {
    let (_folder, store) = reading();
    let check = |sql: &str, expected: &str| {
        assert_eq!(read(&store, sql).unwrap_err().to_string(), expected);
    };
    check(
        "SELECT 1;\nSELECT statu FROM runs",
        "no such column: statu (did you mean status?)\n  line 2: SELECT statu FROM runs\n                 ^",
    );
    check(
        "SELECT r.ids FROM runs AS r",
        "no such column: r.ids (did you mean id?)\n  SELECT r.ids FROM runs AS r\n         ^",
    );
    check("SELECT 1 FORM runs", "near \"runs\": syntax error\n  SELECT 1 FORM runs\n                ^");
    check(
        "SELECT * FROM run",
        "no such table: run (did you mean runs?)\n  SELECT * FROM run\n                ^",
    );
    check(
        "SELECT counts(*) FROM runs",
        "no such function: counts (did you mean count?)\n  SELECT counts(*) FROM runs\n         ^",
    );
    check("SELECT (", "incomplete input");
    let message = read(&store, "SELECT abs(-9223372036854775807 - 1)").unwrap_err().to_string();
    assert_eq!(message, "integer overflow");
}

/// A statement that has no end.
const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

#[test]
fn statement_ends_when_its_time_is_up_or_the_user_says_so() {
    let (_folder, store) = reading();
    let short = SqlOptions { timeout: Some(Duration::from_millis(5)), ..SqlOptions::default() };
    let error = store.read_sql(ENDLESS, &short, &mut Answers::default()).unwrap_err();
    assert_eq!(error.to_string(), "stopped after 0.005 s (--timeout allows more; 0 for no limit)");
    let stopped = SqlOptions::default();
    stopped.interrupted.store(true, Ordering::Relaxed);
    assert!(matches!(store.read_sql(ENDLESS, &stopped, &mut Answers::default()), Err(Error::SqlInterrupted)));
    assert_eq!(
        read(&store, "SELECT count(*) FROM runs").unwrap()[0].rows,
        [[3.into()]],
        "the clock is off again"
    );
}

#[test]
fn writing_is_all_or_nothing_and_counts_what_it_changed() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    let failed =
        write(&mut store, "UPDATE runs SET name = 'x'; UPDATE runs SET status = 'gone' WHERE id = 1");
    let message = failed.unwrap_err().to_string();
    assert!(message.starts_with("CHECK constraint failed"), "{message}");
    assert_eq!(sample::count(&store, "runs WHERE name = 'x'"), 0);
    let referring: i64 = sample::value(
        &store,
        "SELECT (SELECT count(*) FROM rounds JOIN generations AS g ON g.id = generation_id WHERE g.run_id = 1)
            + (SELECT count(*) FROM generations WHERE run_id = 1) + (SELECT count(*) FROM run_settings WHERE run_id = 1)
            + (SELECT count(*) FROM run_models WHERE run_id = 1) + (SELECT count(*) FROM run_prompts WHERE run_id = 1)
            + (SELECT count(*) FROM mode_summaries WHERE run_id = 1)",
    );
    let changed =
        write(&mut store, "UPDATE runs SET name = 'x'; SELECT 1; DELETE FROM runs WHERE id = 1").unwrap();
    let expected = [
        Changed { num_rows: 3, num_dependent: 0 },
        Changed { num_rows: 1, num_dependent: referring.unsigned_abs() },
    ];
    assert_eq!(changed, expected);
    assert_eq!(sample::count(&store, "runs WHERE name = 'x'"), 2);
    assert!(store.begin_run(&sample::run(1)).is_ok(), "the store goes on as before");
}

#[test]
fn writing_makes_tables_of_its_own_and_leaves_the_schema_alone() {
    let (_folder, mut store) = sample::store();
    write(
        &mut store,
        "CREATE TABLE mine (a); INSERT INTO mine VALUES (1); CREATE VIEW my_view AS SELECT a FROM mine",
    )
    .unwrap();
    assert_eq!(sample::count(&store, "my_view"), 1);
    for sql in [
        "DROP TABLE runs",
        "DROP VIEW mode_metrics",
        "DROP INDEX runs_by_name",
        "DROP TRIGGER generation_is_counted",
        "ALTER TABLE runs ADD COLUMN mine",
        "CREATE TRIGGER mine AFTER INSERT ON runs BEGIN DELETE FROM run_tags; END",
        "DELETE FROM refinery_schema_history",
        "PRAGMA foreign_keys = OFF",
    ] {
        assert!(matches!(write(&mut store, sql), Err(Error::SqlRefused { .. })), "{sql}");
    }
    write(&mut store, "DROP VIEW my_view; ALTER TABLE mine RENAME TO yours; DROP TABLE yours").unwrap();
}

#[test]
fn older_database_is_upgraded_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../../tests/sql/create_v1.sql")).unwrap();
    drop(old);
    let store = Store::open_to_read(&path).unwrap();
    assert!(store.is_read_only() && store.backup().is_some_and(Path::exists));
    assert!(read(&store, "SELECT count(*) FROM train_steps").is_ok());
    assert!(matches!(Store::open_to_read(folder.path().join("none.db")), Err(Error::NoDatabase { .. })));
}
