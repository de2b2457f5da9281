//! From what people type to a run: `12`, `@latest`, `@latest~1`, a name, or the beginning of a uid.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::{Error, Place, Result, Store};
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
        self.read(|connection| match find(connection, selector, Place::Kept)? {
            Some(run) => Ok(run),
            None => Err(match find(connection, selector, Place::Trash)? {
                // An age counts the runs there are, and means another run in the trash.
                Some(run) if !selector.starts_with('@') => Error::RunInTrash { run },
                _ => Error::NoRun {
                    selector: selector.to_owned(),
                    newest: newest(connection, 0, Place::Kept)?,
                },
            }),
        })
    }

    /// Finds the run in the trash that `selector` means, as [`Store::resolve_run`] does outside of it; `@latest` is the
    /// newest that is there.
    ///
    /// # Errors
    /// If no run in the trash, or the uids of several, match.
    pub fn resolve_trashed_run(&self, selector: &str) -> Result<RunId> {
        self.read(|connection| {
            let found = find(connection, selector, Place::Trash)?;
            found.ok_or_else(|| Error::NoRunInTrash { selector: selector.to_owned() })
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
    Ok(Error::NoRun { selector: run.to_string(), newest: newest(connection, 0, Place::Kept)? })
}

fn find(connection: &Connection, selector: &str, place: Place) -> Result<Option<RunId>> {
    if let Some(rest) = selector.strip_prefix("@latest") {
        return by_age(connection, rest, place);
    }
    if let Some(run) = by_id(connection, selector, place)? {
        return Ok(Some(run));
    }
    if let Some(run) = by_name(connection, selector, place)? {
        return Ok(Some(run));
    }
    by_uid(connection, selector, place)
}

fn by_age(connection: &Connection, rest: &str, place: Place) -> Result<Option<RunId>> {
    let age = if rest.is_empty() {
        Some(0)
    } else {
        rest.strip_prefix('~').and_then(|age| age.parse::<u32>().ok())
    };
    age.map_or(Ok(None), |age| newest(connection, age, place))
}

fn by_id(connection: &Connection, selector: &str, place: Place) -> Result<Option<RunId>> {
    let Ok(id) = selector.parse::<i64>() else {
        return Ok(None);
    };
    let sql = "SELECT id FROM runs WHERE id = ?1 AND (deleted_at_ms IS NOT NULL) = ?2";
    one(connection, sql, params![id, place == Place::Trash])
}

fn by_name(connection: &Connection, name: &str, place: Place) -> Result<Option<RunId>> {
    let sql =
        "SELECT id FROM runs WHERE name = ?1 AND (deleted_at_ms IS NOT NULL) = ?2 ORDER BY id DESC LIMIT 1";
    one(connection, sql, params![name, place == Place::Trash])
}

fn by_uid(connection: &Connection, selector: &str, place: Place) -> Result<Option<RunId>> {
    let prefix = selector.to_ascii_lowercase();
    let is_prefix = |c: char| c.is_ascii_hexdigit() || c == '-';
    if prefix.len() < MIN_PREFIX_LENGTH || !prefix.chars().all(is_prefix) {
        return Ok(None);
    }
    // 'g' follows every character of a uid, so that this range is found by index.
    let (num_matches, run): (i64, Option<i64>) = connection.query_row(
        "SELECT count(*), max(id)
        FROM runs
        WHERE uid >= ?1 AND uid < ?1 || 'g' AND (deleted_at_ms IS NOT NULL) = ?2",
        params![prefix, place == Place::Trash],
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
fn newest(connection: &Connection, age: u32, place: Place) -> Result<Option<RunId>> {
    let sql = "SELECT id FROM runs WHERE (deleted_at_ms IS NOT NULL) = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?1";
    one(connection, sql, params![age, place == Place::Trash])
}

fn one(connection: &Connection, sql: &str, parameters: impl Params) -> Result<Option<RunId>> {
    Ok(connection.query_row(sql, parameters, |row| row.get(0)).optional()?.map(RunId))
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
        let check = |selector: &str, expected: &str| {
            assert_eq!(store.resolve_run(selector).unwrap_err().to_string(), expected);
        };
        check("1", "run 1 is in the trash (speclora runs restore 1 brings it back)");
        check("@latest", "no run @latest (there are none yet; speclora runs list)");
        check("2", "no run 2 (there are none yet; speclora runs list)");
        assert_eq!(store.run_ids().unwrap(), []);
    }
}
