//! From what people type to a run: `12`, `@latest`, `@latest~1`, a name, or the beginning of a uid.

use rusqlite::{Connection, OptionalExtension};

use super::{Error, Result, Store};
use crate::record::RunId;

/// Fewer characters of a uid than this are no prefix: a slip of the keyboard would find something.
const MIN_PREFIX_LENGTH: usize = 4;

impl Store {
    /// Finds the run that `selector` means: an id, `@latest` or `@latest~N` (the N-th before it), a name (the newest
    /// run that bears it) or the beginning of a uid. Where several would do, the first of these kinds wins.
    ///
    /// # Errors
    /// If no run, or the uids of several, match.
    pub fn resolve_run(&self, selector: &str) -> Result<RunId> {
        self.read(|connection| {
            let found = match selector.strip_prefix("@latest") {
                Some(rest) => by_age(connection, rest)?,
                None => by_id_name_or_uid(connection, selector)?,
            };
            match found {
                Some(run) => Ok(run),
                None => Err(Error::NoRun { selector: selector.to_owned(), newest: newest(connection, 0)? }),
            }
        })
    }
}

impl Store {
    /// Lists the runs that are not in the trash, from the first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn run_ids(&self) -> Result<Vec<RunId>> {
        self.read(|connection| {
            let mut statement =
                connection.prepare("SELECT id FROM runs WHERE deleted_at_ms IS NULL ORDER BY id")?;
            let ids = statement.query_map([], |row| row.get(0).map(RunId))?;
            Ok(ids.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// The error for an id that no run has.
pub(super) fn no_run(connection: &Connection, run: RunId) -> Result<Error> {
    Ok(Error::NoRun { selector: run.to_string(), newest: newest(connection, 0)? })
}

fn by_age(connection: &Connection, rest: &str) -> Result<Option<RunId>> {
    let age = if rest.is_empty() {
        Some(0)
    } else {
        rest.strip_prefix('~').and_then(|age| age.parse::<u32>().ok())
    };
    age.map_or(Ok(None), |age| newest(connection, age))
}

fn by_id_name_or_uid(connection: &Connection, selector: &str) -> Result<Option<RunId>> {
    if let Some(run) = by_id(connection, selector)? {
        return Ok(Some(run));
    }
    if let Some(run) = by_name(connection, selector)? {
        return Ok(Some(run));
    }
    by_uid(connection, selector)
}

fn by_id(connection: &Connection, selector: &str) -> Result<Option<RunId>> {
    let Ok(id) = selector.parse::<i64>() else {
        return Ok(None);
    };
    one(connection, "SELECT id FROM runs WHERE id = ?1 AND deleted_at_ms IS NULL", id)
}

fn by_name(connection: &Connection, name: &str) -> Result<Option<RunId>> {
    one(
        connection,
        "SELECT id FROM runs WHERE name = ?1 AND deleted_at_ms IS NULL ORDER BY id DESC LIMIT 1",
        name,
    )
}

fn by_uid(connection: &Connection, selector: &str) -> Result<Option<RunId>> {
    let prefix = selector.to_ascii_lowercase();
    let is_prefix = |c: char| c.is_ascii_hexdigit() || c == '-';
    if prefix.len() < MIN_PREFIX_LENGTH || !prefix.chars().all(is_prefix) {
        return Ok(None);
    }
    // 'g' follows every character of a uid, so that this range is found by index.
    let (num_matches, run): (i64, Option<i64>) = connection.query_row(
        "SELECT count(*), max(id) FROM runs WHERE uid >= ?1 AND uid < ?1 || 'g' AND deleted_at_ms IS NULL",
        [&prefix],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if num_matches > 1 {
        return Err(Error::AmbiguousRun {
            prefix: selector.to_owned(),
            num_matches: num_matches.unsigned_abs(),
        });
    }
    Ok(run.map(RunId))
}

/// Returns the newest run, or one `age` before it.
fn newest(connection: &Connection, age: u32) -> Result<Option<RunId>> {
    one(connection, "SELECT id FROM runs WHERE deleted_at_ms IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?1", age)
}

fn one(connection: &Connection, sql: &str, key: impl rusqlite::ToSql) -> Result<Option<RunId>> {
    Ok(connection.query_row(sql, [key], |row| row.get(0)).optional()?.map(RunId))
}

#[cfg(test)]
mod tests {
    use std::result;

    use crate::record::NewRun;
    use crate::store::sample;

    #[test]
    fn selector_finds_its_run() {
        let (_folder, mut store) = sample::store();
        for name in [None, Some("twice"), Some("twice"), Some("12")] {
            let new = NewRun { name: name.map(str::to_owned), ..sample::run(1) };
            store.begin_run(&new).unwrap();
        }
        store
            .connection
            .execute_batch(
                "UPDATE runs SET uid = '0190aaaa-0000-7000-8000-000000000001' WHERE id = 1;
                UPDATE runs SET uid = '0190abbb-0000-7000-8000-000000000002' WHERE id = 2;
                UPDATE runs SET uid = '01900000-0000-7000-8000-000000000003' WHERE id = 3;
                UPDATE runs SET uid = '01901234-0000-7000-8000-000000000004' WHERE id = 4;",
            )
            .unwrap();
        let check = |selector: &str, expected: result::Result<i64, &str>| {
            let found = store.resolve_run(selector).map(|run| run.0).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{selector}");
        };
        check("1", Ok(1));
        check("@latest", Ok(4));
        check("@latest~1", Ok(3));
        check("@latest~3", Ok(1));
        check("twice", Ok(3));
        check("12", Ok(4));
        check("0190aa", Ok(1));
        check("0190AB", Ok(2));
        check("01901234", Ok(4));
        check("0190a", Err("0190a begins the uid of 2 runs (type more of it; speclora runs list)"));
        check("15", Err("no run 15 (the newest is 4; speclora runs list)"));
        check("@latest~4", Err("no run @latest~4 (the newest is 4; speclora runs list)"));
        check("@latest-1", Err("no run @latest-1 (the newest is 4; speclora runs list)"));
        check("019", Err("no run 019 (the newest is 4; speclora runs list)"));
        check("", Err("no run  (the newest is 4; speclora runs list)"));
    }

    #[test]
    fn deleted_run_is_not_found() {
        let (_folder, mut store) = sample::store();
        store.begin_run(&sample::run(1)).unwrap();
        store.connection.execute("UPDATE runs SET deleted_at_ms = 1", []).unwrap();
        let message = store.resolve_run("1").unwrap_err().to_string();
        assert_eq!(message, "no run 1 (there are none yet; speclora runs list)");
        assert_eq!(store.run_ids().unwrap(), []);
    }
}
