//! Copies of a database as a whole, made while others read and write.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use uuid::Uuid;

use super::open::{beside, check_place};
use super::{Error, Result, Store, statistics};

/// A copy that was made, and found to be sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Its file.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// The version of its schema.
    pub schema_version: i64,
    /// How many runs it has, those in the trash included.
    pub num_runs: i64,
}

impl Store {
    /// Copies the database, as it is at one moment, to a file that does not exist yet, and checks the copy. It is written
    /// under another name first, so that what bears this one is whole.
    ///
    /// # Errors
    /// If there is such a file, it cannot be written, or the copy is not sound.
    pub fn back_up(&self, path: &Path) -> Result<Backup> {
        check_place(path)?;
        let exists = || Error::BackupExists { path: path.to_owned() };
        if path.symlink_metadata().is_ok() {
            return Err(exists());
        }
        let partial = beside(path, &format!(".{}.partial", Uuid::now_v7()));
        let copied = self.copy(path, &partial).and_then(|backup| match give_name(&partial, path) {
            Ok(()) => Ok(backup),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists()),
            Err(source) => Err(Error::BackupFile { path: path.to_owned(), source }),
        });
        // It has its other name by now, or is of no use; what stood against removing it says nothing of the copy.
        fs::remove_file(&partial).ok();
        copied
    }

    /// The file that is to blame for an error of copying: damage and locks are the database's own, all else is the copy's.
    fn blamed<'a>(&'a self, error: &Error, copy: &'a Path) -> &'a Path {
        let Error::Unplaced(error) = error else {
            return copy;
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                &self.path
            }
            _ => copy,
        }
    }

    fn copy(&self, path: &Path, partial: &Path) -> Result<Backup> {
        let schema_version = self.read(|connection| statistics::pragma(connection, "user_version"))?;
        vacuum_into(&self.connection, partial).map_err(|error| {
            let blamed = self.blamed(&error, path);
            error.in_file(blamed)
        })?;
        let damaged = |problem: String| Error::BackupDamaged { path: path.to_owned(), problem };
        let check = || -> Result<Backup> {
            let copy = Connection::open_with_flags(partial, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(damaged(verdict));
            }
            let found = statistics::pragma(&copy, "user_version")?;
            if found != schema_version {
                return Err(damaged(format!("schema version {found} instead of {schema_version}")));
            }
            Ok(Backup {
                path: path.to_owned(),
                size_bytes: 0,
                schema_version,
                num_runs: copy.query_row("SELECT count(*) FROM runs", [], |row| row.get(0))?,
            })
        };
        let backup = check().map_err(|error| error.in_file(path))?;
        let size =
            partial.metadata().map_err(|source| Error::BackupFile { path: path.to_owned(), source })?;
        Ok(Backup { size_bytes: size.len(), ..backup })
    }
}

/// Copies a database to a new file, and sees it on the disk.
pub(super) fn vacuum_into(connection: &Connection, path: &Path) -> Result<()> {
    connection.execute("VACUUM INTO ?1", [path.to_string_lossy()])?;
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| Error::BackupFile { path: path.to_owned(), source })
}

/// Gives a file a name that nobody has.
fn give_name(partial: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(partial, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) if !path.exists() => fs::rename(partial, path),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Mode;
    use crate::store::sample;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn copy_is_a_database_with_all_rows() {
        let (folder, mut store) = sample::store();
        sample::fill(&mut store);
        sample::fill_training(&mut store);
        let path = folder.path().join("copy.db");
        let backup = store.back_up(&path).unwrap();
        assert_eq!((backup.path.as_path(), backup.num_runs), (path.as_path(), 7));
        assert_eq!(backup.size_bytes, path.metadata().unwrap().len());
        let copy = Store::open_existing(&path).unwrap();
        assert_eq!(copy.backup(), None, "a copy needs no upgrade");
        for table in ["runs", "rounds", "blob_chunks", "train_evaluation_summaries"] {
            assert_eq!(sample::count(&copy, table), sample::count(&store, table), "{table}");
        }
        assert_eq!(copy.check().unwrap(), Vec::<String>::new());
        sample::check_kept_figures(&copy);
    }

    #[test]
    fn copy_is_made_while_a_run_goes_on() {
        let (folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(2)).unwrap();
        let other = Store::open_existing(store.path()).unwrap();
        // A transaction that is not committed is no part of the copy, and is not in its way.
        let transaction = store.connection.transaction().unwrap();
        transaction.execute("UPDATE runs SET name = 'halfway'", []).unwrap();
        let path = folder.path().join("copy.db");
        other.back_up(&path).unwrap();
        transaction.commit().unwrap();
        let slot = sample::slot(0, Mode::TargetOnly, 0);
        store.record_generation(run, &sample::generation(slot, vec![1, 2], 1.0, &[])).unwrap();
        let copy = Store::open_existing(&path).unwrap();
        assert_eq!((copy.run_name(run).unwrap(), sample::count(&copy, "generations")), (None, 0));
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let (folder, store) = sample::store();
        let path = folder.path().join("notes.txt");
        fs::write(&path, "mine").unwrap();
        let check = |path: &Path, expected: &str| {
            let message = store.back_up(path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        check(&path, "already exists");
        check(store.path(), "already exists");
        check(&folder.path().join("none/copy.db"), "no folder");
        check(folder.path(), "is a folder");
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
        assert!(!names(folder.path()).iter().any(|name| name.contains("partial")));
    }
}
