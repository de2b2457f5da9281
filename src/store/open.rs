//! Opening the file: what it is, whether it is ours, and how SQLite shall treat it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{Error, Result, Store, migrate};

/// Marks the file as speclora's ("SPLR").
const APPLICATION_ID: i64 = 0x5350_4C52;

/// How long to wait for other processes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a file holds before anything is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    Speclora,
}

impl Store {
    /// Opens the database, creates it if there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// If the file is of another program or a newer schema, is no database, or may not be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        check_place(path)?;
        open_writable(path, OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// Finds out whether a database that does not exist could be made, and makes none.
    ///
    /// # Errors
    /// If its folder is missing or may not be written.
    pub fn check_creatable(path: &Path) -> Result<()> {
        check_place(path)?;
        let mut probe = OsString::from(path);
        probe.push(format!("-{}.probe", std::process::id()));
        let created = File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
        created.map_err(|_| Error::NotWritable { path: path.to_owned() })
    }

    /// Opens a database that must exist, brings its schema up to date, and is content with reading where the file or
    /// its folder may not be written.
    ///
    /// # Errors
    /// If there is no such file, or as [`Store::open`].
    pub fn open_existing(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        check_exists(path)?;
        match open_writable(path, OpenFlags::empty()) {
            Err(Error::NotWritable { .. }) => open_read_only(path),
            opened => opened,
        }
    }
}

/// Refuses a place where no file is.
pub(super) fn check_exists(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::IsFolder { path: path.to_owned() });
    }
    // An empty file is no database yet: reading one must not make it one.
    if path.metadata().map_or(true, |file| file.is_file() && file.len() == 0) {
        return Err(Error::NoDatabase { path: path.to_owned() });
    }
    Ok(())
}

/// Refuses a place where no file can be.
pub(super) fn check_place(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::IsFolder { path: path.to_owned() });
    }
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            Err(Error::NoFolder { folder: folder.to_owned() })
        }
        _ => Ok(()),
    }
}

fn open_writable(path: &Path, create: OpenFlags) -> Result<Store> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | create;
    let open = || -> Result<Store> {
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        if connection.is_readonly("main")? {
            return Err(Error::NotWritable { path: path.to_owned() });
        }
        let backup =
            retry_while_locked(|| prepare(&mut connection, path).map_err(|error| error.in_file(path)))?;
        Ok(Store { connection, path: path.to_owned(), is_read_only: false, backup })
    };
    open().map_err(|error| error.in_file(path))
}

/// Makes an open file a database of ours, ready for use. Each step may be repeated. Returns the copy of a database that was
/// upgraded.
fn prepare(connection: &mut Connection, path: &Path) -> Result<Option<PathBuf>> {
    let content = look(connection, path)?;
    migrate::refuse_unknown_schema(connection, path)?;
    if content == Content::Nothing {
        // Counts only before the first page is written, which the next pragma does.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    // Where a file system has no shared memory, SQLite stays with its rollback journal: slower, as safe.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.set_transaction_behavior(TransactionBehavior::Immediate);
    claim(connection, path)?;
    // Off for migrations: a table that others refer to can only be rebuilt so (sqlite.org/lang_altertable.html).
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    let backup = migrate::upgrade(connection, path)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    Ok(backup)
}

/// Says whether a file is empty or ours; anything else is refused before it is touched.
fn look(connection: &Connection, path: &Path) -> Result<Content> {
    let num_objects: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application_id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    match (application_id, num_objects) {
        (APPLICATION_ID, _) => Ok(Content::Speclora),
        (0, 0) => Ok(Content::Nothing),
        _ => Err(Error::OtherProgram { path: path.to_owned() }),
    }
}

/// Marks an empty file as ours, before the first table: a process that looks in between must know it again.
fn claim(connection: &mut Connection, path: &Path) -> Result<()> {
    if look(connection, path)? == Content::Nothing {
        let transaction = connection.transaction()?;
        look(&transaction, path)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Repeats what fails because another process holds a lock. SQLite's own timeout does not cover all: the switch to the
/// write-ahead log, for one, fails at once.
fn retry_while_locked<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match attempt() {
            Err(Error::Locked { .. }) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

/// Opens for reading alone. A write-ahead log needs files beside the database even for that; where they cannot be made
/// and there is no log, nobody is writing, and the file can be read as it lies.
pub(super) fn open_read_only(path: &Path) -> Result<Store> {
    match open_uri(path, "mode=ro") {
        Err(Error::NotWritable { .. }) if !has_log(path) => open_uri(path, "mode=ro&immutable=1"),
        opened => opened,
    }
    .map_err(|error| match error {
        Error::NotWritable { path } => Error::NotReadable { path },
        other => other,
    })
}

fn open_uri(path: &Path, parameters: &str) -> Result<Store> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let open = || -> Result<Connection> {
        let connection = Connection::open_with_flags(uri(path, parameters), flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        look(&connection, path)?;
        migrate::refuse_unknown_schema(&connection, path)?;
        migrate::refuse_outdated_schema(&connection, path)?;
        Ok(connection)
    };
    let connection = open().map_err(|error| error.in_file(path))?;
    Ok(Store { connection, path: path.to_owned(), is_read_only: true, backup: None })
}

/// Writes a path as a URI, with the characters that mean something there escaped.
fn uri(path: &Path, parameters: &str) -> String {
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?{parameters}")
}

/// Whether there are changes that have not reached the database itself yet.
fn has_log(path: &Path) -> bool {
    log_of(path).metadata().is_ok_and(|log| log.len() > 0)
}

/// Where changes are until they reach the database itself.
pub(super) fn log_of(path: &Path) -> PathBuf {
    beside(path, "-wal")
}

/// The path of a file beside another: the same name and more.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
