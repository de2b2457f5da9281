//! Bringing a file to the schema of this program, never past it, and never without a copy of what was there.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use refinery::error::Kind;
use refinery::{Migration, Runner};
use rusqlite::Connection;
use uuid::Uuid;

use super::{Error, Result};

mod embedded {
    //! The files of `migrations/`.
    refinery::embed_migrations!("migrations");
}

/// Refuses a file that a newer speclora, or one with other migrations, has made.
pub(super) fn refuse_unknown_schema(connection: &Connection, path: &Path) -> Result<()> {
    refuse_unknown(connection, path, &embedded::migrations::runner())
}

/// Refuses a file that would have to be upgraded.
pub(super) fn refuse_outdated_schema(connection: &Connection, path: &Path) -> Result<()> {
    let found = version(connection)?;
    let supported = latest(&embedded::migrations::runner());
    if found < supported {
        return Err(Error::OutdatedReadOnly { path: path.to_owned(), found, supported });
    }
    Ok(())
}

/// Applies the migrations that are missing, all or none; keeps a copy of a database that had some already, and returns
/// where that is.
pub(super) fn upgrade(connection: &mut Connection, path: &Path) -> Result<Option<PathBuf>> {
    upgrade_with(connection, path, embedded::migrations::runner())
}

/// The lower-case names of the tables, views and indexes that the migrations make.
pub(super) fn schema_names() -> Result<HashSet<String>> {
    let mut connection = Connection::open_in_memory()?;
    upgrade(&mut connection, Path::new(":memory:"))?;
    let mut statement = connection.prepare("SELECT lower(name) FROM sqlite_schema")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

fn upgrade_with(connection: &mut Connection, path: &Path, runner: Runner) -> Result<Option<PathBuf>> {
    let runner = runner.set_grouped(true);
    let found = version(connection)?;
    if found == latest(&runner) {
        return Ok(None);
    }
    let copy = match found {
        0 => None,
        _ => Some(back_up(connection, path, found)?),
    };
    match runner.run(connection) {
        Ok(_) => Ok(copy),
        // Another process did the same between the runner's look and its transaction.
        Err(_) if version(connection)? == latest(&runner) => Ok(copy),
        Err(error) => Err(migration_error(error, path)),
    }
}

fn refuse_unknown(connection: &Connection, path: &Path, runner: &Runner) -> Result<()> {
    let found = version(connection)?;
    let supported = latest(runner);
    if found > supported {
        return Err(Error::NewerSchema { path: path.to_owned(), found, supported });
    }
    if found == 0 {
        return Ok(());
    }
    let known = runner.get_migrations();
    let mut statement = connection.prepare("SELECT version, name, checksum FROM refinery_schema_history")?;
    let mut applied = statement.query([])?;
    while let Some(row) = applied.next()? {
        let (version, name, checksum): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_known = |migration: &Migration| {
            i64::from(migration.version()) == version && migration.checksum().to_string() == checksum
        };
        if !known.iter().any(is_known) {
            return Err(Error::DivergentSchema {
                path: path.to_owned(),
                migration: format!("V{version}__{name}"),
            });
        }
    }
    Ok(())
}

/// Returns the file's version: the number of its last migration, 0 before the first.
fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn latest(runner: &Runner) -> i64 {
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

/// Copies the database to `<path>.backup-v<version>`. It is written under another name first, so that what bears this
/// one is whole. Returns the path of the copy.
fn back_up(connection: &Connection, path: &Path, version: i64) -> Result<PathBuf> {
    let copy = beside(path, &format!(".backup-v{version}"));
    let partial = beside(&copy, &format!(".{}.partial", Uuid::now_v7()));
    let failed = |source: io::Error| Error::Backup { path: path.to_owned(), copy: copy.clone(), source };
    let vacuum = || -> Result<bool> {
        connection.execute("VACUUM INTO ?1", [partial.to_string_lossy()])?;
        Ok(self::version(&Connection::open(&partial)?)? == version)
    };
    match vacuum() {
        Ok(true) => fs::rename(&partial, &copy).map_err(failed)?,
        // Another process has upgraded the database meanwhile, and has made the copy before.
        Ok(false) => fs::remove_file(&partial).map_err(failed)?,
        Err(error) => {
            // What there is of it is of no use; if it cannot be removed, the first error says more.
            fs::remove_file(&partial).ok();
            return Err(failed(io::Error::other(error)));
        }
    }
    Ok(copy)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Names a lock, a full disk and the like for what they are, where refinery only passes on what SQLite said.
fn migration_error(error: refinery::Error, path: &Path) -> Error {
    if let Kind::Connection(_, source) = error.kind()
        && let Some(rusqlite::Error::SqliteFailure(failure, _)) = source.downcast_ref()
    {
        let known = Error::from(rusqlite::Error::SqliteFailure(*failure, None)).in_file(path);
        if !matches!(known, Error::Sqlite { .. }) {
            return known;
        }
    }
    let cause = match error.kind() {
        Kind::Connection(_, source) => source.to_string(),
        _ => error.to_string(),
    };
    Error::Migration { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests;
