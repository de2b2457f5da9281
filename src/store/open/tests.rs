use std::{fs, thread};

use super::*;
use crate::record::Mode;
use crate::store::{RunEnd, sample};

fn pragma<T: rusqlite::types::FromSql>(store: &Store, name: &str) -> T {
    store.connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

#[test]
fn new_file_has_its_pragmas() {
    let (_folder, store) = sample::store();
    assert_eq!(pragma::<i64>(&store, "application_id"), APPLICATION_ID);
    assert_eq!(pragma::<i64>(&store, "auto_vacuum"), 2, "incremental");
    assert_eq!(pragma::<String>(&store, "journal_mode"), "wal");
    assert_eq!(pragma::<i64>(&store, "synchronous"), 1, "normal");
    assert_eq!(pragma::<i64>(&store, "foreign_keys"), 1);
    assert_eq!(pragma::<i64>(&store, "busy_timeout"), 10_000);
    assert!(!store.is_read_only());
}

#[test]
fn durable_write_leaves_the_connection_as_it_was() {
    let (_folder, mut store) = sample::store();
    let synchronous = store.write_durably(|transaction| {
        Ok(transaction.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?)
    });
    assert_eq!(synchronous.unwrap(), 2, "full");
    assert_eq!(pragma::<i64>(&store, "synchronous"), 1, "normal");
    let failed: Result<()> = store.write_durably(|transaction| Ok(transaction.execute_batch("nonsense")?));
    assert!(failed.is_err());
    assert_eq!(pragma::<i64>(&store, "synchronous"), 1, "normal");
}

#[test]
fn path_without_a_database_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let check = |opened: Result<Store>, expected: &str| {
        let message = opened.unwrap_err().to_string();
        assert_eq!(message.replace(folder.path().to_str().unwrap(), "DIR"), expected);
    };
    check(
        Store::open_existing(place("none.db")),
        "no database DIR/none.db (speclora bench and speclora collect create one; --db or SPECLORA_DB names another)",
    );
    check(
        Store::open(place("none/speclora.db")),
        "no folder DIR/none to write to (create it, or name another place)",
    );
    check(Store::open(folder.path()), "DIR is a folder, not a database (name a file in it with --db)");
    check(
        Store::open_existing(folder.path()),
        "DIR is a folder, not a database (name a file in it with --db)",
    );
    assert!(!place("none.db").exists(), "nothing is created where a database must exist");
}

#[test]
fn file_of_another_kind_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, expected: &str| {
        let path = folder.path().join(name);
        let before = fs::read(&path).unwrap();
        for opened in [Store::open(&path), Store::open_existing(&path)] {
            let message = opened.unwrap_err().to_string();
            assert_eq!(message, format!("{} {expected} (name another file with --db)", path.display()));
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!log_of(&path).exists());
    };

    fs::write(folder.path().join("text"), "not a database, but longer than the header of one. ".repeat(9))
        .unwrap();
    check("text", "is not an SQLite database");

    let other = Connection::open(folder.path().join("other.db")).unwrap();
    other.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    other.close().unwrap();
    check("other.db", "is the SQLite database of another program");

    let marked = Connection::open(folder.path().join("marked.db")).unwrap();
    marked.execute_batch("PRAGMA application_id = 7").unwrap();
    marked.close().unwrap();
    check("marked.db", "is the SQLite database of another program");
}

#[test]
fn file_whose_creation_was_cut_short_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    let claimed = folder.path().join("claimed.db");
    let mut connection = Connection::open(&claimed).unwrap();
    claim(&mut connection, &claimed).unwrap();
    // refinery makes its table before it applies anything.
    connection
        .execute_batch(
            "CREATE TABLE refinery_schema_history (
                version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)
            )",
        )
        .unwrap();
    connection.close().unwrap();
    for path in [empty, claimed] {
        let mut store = Store::open(path).unwrap();
        store.begin_run(&sample::run(1)).unwrap();
    }
}

#[test]
fn path_with_characters_of_a_uri_is_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100%41 ?mode=rw#1.db");
    drop(Store::open(&path).unwrap());
    assert!(open_read_only(&path).unwrap().is_read_only());
}

#[test]
fn read_only_store_answers_and_refuses_to_write() {
    let (folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(1)).unwrap();
    drop(store);
    let path = folder.path().join("speclora.db");
    for parameters in ["mode=ro", "mode=ro&immutable=1"] {
        let mut store = open_uri(&path, parameters).unwrap();
        assert_eq!(store.resolve_run("@latest").unwrap(), run);
        let message = store.heartbeat(run).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write {}", path.display())), "{message}");
    }
}

#[test]
fn only_a_log_with_changes_stands_against_reading_a_file_as_it_lies() {
    let (_folder, store) = sample::store();
    let path = store.path().to_owned();
    assert!(has_log(&path), "the schema is still in the log");
    drop(store);
    assert!(!has_log(&path), "closing empties it");
    fs::write(log_of(&path), "").unwrap();
    assert!(!has_log(&path));
}

#[test]
fn eight_writers_create_and_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speclora.db");
    let write = || {
        let mut store = Store::open(&path).unwrap();
        let run = store.begin_run(&sample::run(10)).unwrap();
        for index in 0..10 {
            let slot = sample::slot(index, Mode::SpecBase, 0);
            let generation = sample::generation(slot, vec![1, 2, 3, 4], 1.0, &[(4, 2)]);
            store.record_generation(run, &generation).unwrap();
        }
        store.finish_run(run, &RunEnd::Completed).unwrap();
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(write);
        }
    });
    let store = Store::open_existing(&path).unwrap();
    let tables = ["runs", "generations", "rounds", "mode_summaries", "prompts", "models"];
    assert_eq!(tables.map(|table| sample::count(&store, table)), [8, 80, 80, 8, 10, 2]);
}
