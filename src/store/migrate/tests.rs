use std::thread;
use std::time::Duration;

use rusqlite::Error::SqliteFailure;
use rusqlite::TransactionBehavior;
use tempfile::TempDir;

use super::*;
use crate::record::{CheckpointId, Mode, RunId};
use crate::store::{Store, sample};

/// What a schema consists of: the text of every table, index and view.
fn schema(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT name, sql
        FROM sqlite_schema
        WHERE name NOT LIKE 'sqlite_%' AND tbl_name <> 'refinery_schema_history'
        ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let objects = statement.query_map([], |row| row.try_into()).unwrap();
    objects.map(|object| object.unwrap()).collect()
}

/// The schema version of this program.
fn current() -> i64 {
    embedded::migrations::runner().get_migrations().len() as i64
}

/// A runner of this program's migrations and one more, which `next` sets up and which sets its version.
fn runner_with(next: &str) -> Runner {
    let mut migrations = embedded::migrations::runner().get_migrations().clone();
    let name = format!("V{}__next", migrations.len() + 1);
    let next = format!("{next} PRAGMA user_version = {};", current() + 1);
    migrations.push(Migration::unapplied(&name, &next).unwrap());
    Runner::new(&migrations)
}

/// A database of today's schema with one run, closed.
fn database() -> (TempDir, PathBuf) {
    let (folder, mut store) = sample::store();
    store.begin_run(&sample::run(1)).unwrap();
    let path = store.path().to_owned();
    (folder, path)
}

#[test]
fn fresh_schema_is_what_the_migrations_make() {
    let (_folder, store) = sample::store();
    let plain = Connection::open_in_memory().unwrap();
    let runner = embedded::migrations::runner();
    for (number, migration) in (1..).zip(runner.get_migrations()) {
        plain.execute_batch(migration.sql().unwrap()).unwrap();
        assert_eq!(version(&plain).unwrap(), number, "a migration ends by setting user_version");
    }
    assert_eq!(schema(&store.connection), schema(&plain));
    assert_eq!(version(&store.connection).unwrap(), latest(&runner));
}

#[test]
fn upgrade_keeps_the_rows_and_a_copy_of_the_file_as_it_was() {
    let (_folder, path) = database();
    let mut connection = Connection::open(&path).unwrap();
    let next = "CREATE TABLE extras (id INTEGER PRIMARY KEY) STRICT;";
    upgrade_with(&mut connection, &path, runner_with(next)).unwrap();

    let copy = Connection::open(beside(&path, &format!(".backup-v{}", current()))).unwrap();
    let num_runs = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM runs", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((version(&connection).unwrap(), num_runs(&connection)), (current() + 1, 1));
    assert_eq!((version(&copy).unwrap(), num_runs(&copy)), (current(), 1));
    assert_eq!(schema(&connection).len(), schema(&copy).len() + 1);
}

/// Databases as earlier versions left them, each with a row in every table.
const EARLIER: [(i64, &str); 4] = [
    (1, include_str!("../../../tests/sql/create_v1.sql")),
    (2, include_str!("../../../tests/sql/create_v2.sql")),
    (3, include_str!("../../../tests/sql/create_v3.sql")),
    (4, include_str!("../../../tests/sql/create_v4.sql")),
];

/// A closed database as a version left it.
fn earlier(version: i64) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speclora.db");
    let (_, sql) = EARLIER.iter().find(|(found, _)| *found == version).unwrap();
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (folder, path)
}

/// The tables of a database and how many rows each has.
fn counts(connection: &Connection) -> Vec<(String, i64)> {
    let sql = "SELECT name
        FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'refinery%'
        ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| row.get(0)).unwrap();
    let count = |table: String| {
        let sql = format!("SELECT count(*) FROM {table}");
        let num_rows = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        (table, num_rows)
    };
    tables.map(|table| count(table.unwrap())).collect()
}

#[test]
fn database_of_any_earlier_version_is_upgraded_without_losing_a_row() {
    let (_fresh_folder, fresh) = sample::store();
    let versions: Vec<i64> = EARLIER.iter().map(|(version, _)| *version).collect();
    assert_eq!(versions, (1..current()).collect::<Vec<_>>(), "every landed migration has its fixture");
    for version in versions {
        let (_folder, path) = earlier(version);
        let old = Connection::open(&path).unwrap();
        assert_eq!(super::version(&old).unwrap(), version);
        let before = counts(&old);
        drop(old);
        let without_rows = before.iter().find(|(_, num_rows)| *num_rows == 0);
        assert_eq!(without_rows, None, "every table of version {version} has rows");

        let store = Store::open(&path).unwrap();
        let mut after = counts(&store.connection);
        after.retain(|(table, _)| before.iter().any(|(known, _)| known == table));
        assert_eq!(after, before, "version {version}");
        assert_eq!(schema(&store.connection), schema(&fresh.connection), "version {version}");
        assert_eq!(store.check().unwrap(), Vec::<String>::new(), "version {version}");
        assert!(!store.mode_metrics(RunId(1)).unwrap().is_empty());
        assert_eq!(store.run_plan(RunId(1)).unwrap().prompts.len(), 2);
        sample::check_kept_figures(&store);
    }
}

#[test]
fn run_of_an_earlier_version_has_what_that_version_knew() {
    let vocabulary = |version| {
        let (_folder, path) = earlier(version);
        Store::open(&path).unwrap().run_plan(RunId(1)).unwrap().draft_vocabulary
    };
    assert_eq!(vocabulary(1), None);
    assert_eq!(vocabulary(2).map(|vocabulary| vocabulary.tokens.len()), Some(512));
    for version in [3, 4] {
        assert_eq!(vocabulary(version).map(|vocabulary| vocabulary.tokens.len()), Some(64));
    }
}

#[test]
fn processes_that_upgrade_at_once_all_succeed_and_keep_one_whole_copy() {
    let (folder, path) = database();
    let next = "CREATE TABLE extras (id INTEGER PRIMARY KEY) STRICT;";
    let upgrade = || {
        let mut connection = Connection::open(&path).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        upgrade_with(&mut connection, &path, runner_with(next)).unwrap();
        assert_eq!(version(&connection).unwrap(), current() + 1);
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(upgrade);
        }
    });
    let copy = Connection::open(beside(&path, &format!(".backup-v{}", current()))).unwrap();
    assert_eq!(version(&copy).unwrap(), current());
    let partial = fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"));
    assert_eq!(partial.count(), 0);
}

#[test]
fn failed_upgrade_leaves_the_file_as_it_was() {
    let (_folder, path) = database();
    let mut connection = Connection::open(&path).unwrap();
    let before = schema(&connection);
    let next = "CREATE TABLE extras (id INTEGER PRIMARY KEY) STRICT; SELECT nonsense;";
    let message = sample::message(upgrade_with(&mut connection, &path, runner_with(next)).unwrap_err());
    assert!(message.contains("nonsense") && message.contains("unchanged"), "{message}");
    assert_eq!(schema(&connection), before);
    assert_eq!(version(&connection).unwrap(), current());
}

#[test]
fn newer_and_divergent_schemas_are_refused() {
    let check = |change: &str, expected: &str| {
        let (_folder, path) = database();
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let before = fs::read(&path).unwrap();
        let message = Store::open(&path).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains(path.to_str().unwrap()), "{message}");
        assert_eq!(Store::open_existing(&path).unwrap_err().to_string(), message);
        assert_eq!(fs::read(&path).unwrap(), before, "a refused file is not touched");
    };
    let newer = format!("has schema version 7, this speclora knows {}", current());
    check("PRAGMA user_version = 7", &newer);
    check(
        "UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1",
        "its migration V1__initial is not this one's",
    );
}

#[test]
fn schema_refuses_what_cannot_be() {
    let (_folder, mut store) = sample::store();
    store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
    let run = store.begin_run(&sample::run(1)).unwrap();
    for (mode, rounds) in [(Mode::SpecBase, &[(4, 2)][..]), (Mode::TargetOnly, &[])] {
        let generation = sample::generation(sample::slot(0, mode, 0), vec![1, 2, 3, 4], 1.0, rounds);
        store.record_generation(run, &generation).unwrap();
    }
    let lora = sample::failure(sample::slot(0, Mode::SpecLora, 0), "context is full");
    assert_eq!(lora.checkpoint_id, Some(CheckpointId(1)));
    store.record_generation(run, &lora).unwrap();

    let check = |sql: &str, expected: &str| match store.connection.execute(sql, []) {
        Err(SqliteFailure(_, Some(message))) => assert!(message.contains(expected), "{sql}: {message}"),
        other => panic!("{sql}: {other:?}"),
    };
    check("UPDATE generations SET num_accepted = 5 WHERE mode = 'spec_base'", "num_accepted <= num_drafted");
    check("UPDATE generations SET num_emitted = 9 WHERE mode = 'spec_base'", "num_emitted <=");
    check("UPDATE generations SET num_rounds = NULL WHERE mode = 'spec_base'", "CHECK");
    check("UPDATE generations SET error = 'both' WHERE mode = 'spec_base'", "CHECK");
    check("UPDATE generations SET error = NULL WHERE mode = 'spec_lora'", "CHECK");
    check(
        "UPDATE generations SET checkpoint_id = NULL WHERE mode = 'spec_lora'",
        "checkpoint_id IS NOT NULL",
    );
    check("UPDATE generations SET output_tokens = x'00'", "length(output_tokens)");
    check("UPDATE generations SET time_to_first_token_ns = 2000000000", "time_to_first_token_ns");
    check("UPDATE generations SET seed = '-1'", "seed");
    check("UPDATE generations SET load_average = 9e999", "load_average");
    check("UPDATE generations SET mode = 'guess' WHERE mode = 'spec_base'", "FOREIGN KEY");
    check("UPDATE generations SET prompt_index = 7", "FOREIGN KEY");
    check("UPDATE generations SET num_drafted = 'many'", "cannot store TEXT value in INTEGER column");
    check("UPDATE rounds SET num_accepted = 5", "num_accepted");
    check("UPDATE rounds SET num_emitted = 4", "num_emitted");
    check("UPDATE runs SET status = 'completed'", "ended_at_ms");
    check("UPDATE runs SET status = 'done'", "status");
    check("UPDATE checkpoints SET alpha = 9e999", "alpha");
    check("UPDATE run_settings SET value = 'bare text'", "malformed JSON");
    check("DELETE FROM models", "FOREIGN KEY");
    check("DELETE FROM checkpoints", "FOREIGN KEY");
}

#[test]
fn schema_refuses_what_cannot_be_learned_from() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    let check = |sql: &str, expected: &str| match store.connection.execute(sql, []) {
        Err(SqliteFailure(_, Some(message))) => assert!(message.contains(expected), "{sql}: {message}"),
        other => panic!("{sql}: {other:?}"),
    };
    check("UPDATE examples SET split_key = 1.0", "split_key");
    check("UPDATE examples SET temperature = 0.0", "temperature");
    check("UPDATE examples SET output_tokens = x'00'", "length(output_tokens)");
    check("UPDATE disagreements SET position = 0", "position");
    check("UPDATE disagreements SET draft_probability = 1.5", "draft_probability");
    check("UPDATE disagreements SET round = 7", "FOREIGN KEY");
    check("UPDATE run_examples SET purpose = 'test' WHERE purpose = 'held_out'", "purpose");
    check("UPDATE train_steps SET loss = NULL", "nonfinite");
    check("UPDATE train_steps SET loss = 9e999", "loss");
    check("UPDATE train_steps SET nonfinite = 'nan'", "nonfinite");
    check("UPDATE train_step_examples SET example_id = 9", "FOREIGN KEY");
    check("UPDATE example_evaluations SET num_agreements = 11", "num_agreements");
    check("UPDATE example_evaluations SET num_accepted = 9", "num_accepted");
    check("UPDATE prompt_evaluations SET checkpoint_id = NULL", "UNIQUE");
    check("DELETE FROM examples", "FOREIGN KEY");
    check("DELETE FROM checkpoints", "FOREIGN KEY");
}

#[test]
fn deleting_a_run_takes_what_it_owns_and_nothing_else() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    let owned = [
        ["generations", "rounds", "mode_summaries", "run_settings", "run_models"],
        ["run_prompts", "disagreements", "generation_examples", "run_examples", "train_steps"],
        ["train_step_examples", "example_evaluations", "train_checkpoints", "prompt_evaluations", "runs"],
    ]
    .concat();
    for table in &owned {
        assert!(sample::count(&store, table) > 0, "{table}");
    }
    store.connection.execute("DELETE FROM runs", []).unwrap();
    for table in &owned {
        assert_eq!(sample::count(&store, table), 0, "{table}");
    }
    for shared in ["models", "prompts", "environments", "prompt_sets", "checkpoints", "blobs", "examples"] {
        assert!(sample::count(&store, shared) > 0, "{shared}");
    }
}

#[test]
fn modes_of_the_schema_are_those_of_the_program() {
    let (_folder, store) = sample::store();
    let stored: Vec<String> = sample::column(&store, "SELECT mode FROM modes ORDER BY display_order");
    assert_eq!(stored, Mode::ALL.iter().map(|mode| mode.as_str()).collect::<Vec<_>>());
}
