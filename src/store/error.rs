//! What can go wrong with the database, each with its place and what to do about it.

use std::path::{Path, PathBuf};
use std::{io, result};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::record::{CheckpointId, ExampleId, RunId};

/// The result of an operation of the store.
pub type Result<T> = result::Result<T, Error>;

/// Why an operation of the store failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such file.
    #[error("no database {} (speclora bench and speclora collect create one; --db or SPECLORA_DB names another)", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file's folder is missing.
    #[error("no folder {} to write to (create it, or name another place)", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The path names a folder.
    #[error("{} is a folder, not a database (name a file in it with --db)", path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not an SQLite database (name another file with --db)", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file is SQLite's, but not speclora's.
    #[error("{} is the SQLite database of another program (name another file with --db)", path.display())]
    OtherProgram {
        /// The file.
        path: PathBuf,
    },
    /// A newer speclora has upgraded the file.
    #[error(
        "{} has schema version {found}, this speclora knows {supported} (install a newer speclora; \
         the file is unchanged)",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest version that this program knows.
        supported: i64,
    },
    /// The file needs an upgrade but cannot be written.
    #[error(
        "{} has schema version {found} and cannot be upgraded to {supported}: it is read-only \
         (copy it to where you may write)",
        path.display()
    )]
    OutdatedReadOnly {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The version that it needs.
        supported: i64,
    },
    /// The file was made with other text of a migration than this program has.
    #[error(
        "{} was made by an unreleased speclora: its migration {migration} is not this one's \
         (use the program that made it, or another file with --db)",
        path.display()
    )]
    DivergentSchema {
        /// The file.
        path: PathBuf,
        /// The migration, as `V1__initial`.
        migration: String,
    },
    /// A migration failed; the file is as it was.
    #[error("cannot bring {} to this speclora's schema (the file is unchanged): {cause}", path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// What the migration ran into, in SQLite's words: refinery says them again at every level of its error.
        cause: String,
    },
    /// The copy that must be made before a migration could not be made.
    #[error(
        "cannot keep a copy of {} as {} before its upgrade (make room, or move it)",
        path.display(),
        copy.display()
    )]
    Backup {
        /// The file.
        path: PathBuf,
        /// The copy.
        copy: PathBuf,
        /// What stood against it.
        source: io::Error,
    },
    /// A copy never replaces a file.
    #[error("{} already exists (a backup replaces nothing: name another file)", path.display())]
    BackupExists {
        /// The file.
        path: PathBuf,
    },
    /// The system did not keep a copy.
    #[error("cannot write the copy {}", path.display())]
    BackupFile {
        /// The copy.
        path: PathBuf,
        /// What stood against it.
        source: io::Error,
    },
    /// A copy is not what was copied.
    #[error("the copy {} is not sound and was removed: {problem} (speclora stats --check says whether the database itself is sound)", path.display())]
    BackupDamaged {
        /// The copy.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file or its folder may not be written.
    #[error(
        "cannot write {} (allow writing to the file and its folder, or name another place with --db)",
        path.display()
    )]
    NotWritable {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be read, or not without writing beside it.
    #[error(
        "cannot read {} (allow reading; if there is a file {0}-wal, copy both to a folder where you may write)",
        path.display()
    )]
    NotReadable {
        /// The file.
        path: PathBuf,
    },
    /// Another process held the file too long.
    #[error("{} has been locked by another process for too long (end that process, then try again)", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no room left.
    #[error("no room left to write {} (make room, or move it and name its place with --db)", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// The system did not read or write.
    #[error(
        "the system did not read or write {} (look for a failing disk, a quota or a limit on the size of files; what was \
         reported as stored is kept)",
        path.display()
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error("{} is damaged (sqlite3 {0} .recover may save what is left)", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// SQLite refused, in a way that has no better name here.
    #[error("SQLite refused a statement on {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// SQLite refused, in a place that does not know the file. It is given its place before it leaves the store.
    #[error(transparent)]
    Unplaced(#[from] rusqlite::Error),

    /// No run answers to what was typed.
    #[error("no run {selector} ({}; speclora runs list)", newest_run(*newest))]
    NoRun {
        /// What was typed.
        selector: String,
        /// The newest run there is.
        newest: Option<RunId>,
    },
    /// The run that was typed is in the trash.
    #[error("run {run} is in the trash (speclora runs restore {run} brings it back)")]
    RunInTrash {
        /// The run.
        run: RunId,
    },
    /// No run in the trash answers to what was typed.
    #[error("no run {selector} in the trash (speclora runs list --deleted)")]
    NoRunInTrash {
        /// What was typed.
        selector: String,
    },
    /// No run has a setting, tag or figure of that name.
    #[error("no run has a value named {name} ({hint})")]
    NoRunColumn {
        /// What was asked for.
        name: String,
        /// Names like it, or where to find all.
        hint: String,
    },
    /// A prefix that several runs' uids share.
    #[error("{prefix} begins the uid of {num_matches} runs (type more of it; speclora runs list)")]
    AmbiguousRun {
        /// What was typed.
        prefix: String,
        /// How many runs it fits.
        num_matches: u64,
    },
    /// The run has ended, so that nothing can be added to it.
    #[error("run {run} is not running (speclora runs show {run})")]
    RunNotRunning {
        /// The run.
        run: RunId,
    },
    /// The run is complete.
    #[error("run {run} is complete, nothing is left to resume (speclora runs show {run})")]
    RunCompleted {
        /// The run.
        run: RunId,
    },
    /// Another process is at work on the run.
    #[error("run {run} is still running in process {pid} (end that process first, or wait for it)")]
    RunAlive {
        /// The run.
        run: RunId,
        /// Its process.
        pid: i64,
    },

    /// There is no such checkpoint.
    #[error("no checkpoint {0} (speclora adapters list)")]
    NoCheckpoint(CheckpointId),
    /// An adapter's bytes are not what its hash says.
    #[error("adapter {origin} is damaged: its SHA-256 is {found}, not {expected} (import it again)")]
    DamagedAdapter {
        /// Folder or checkpoint.
        origin: String,
        /// The hash it should have.
        expected: String,
        /// The hash it has.
        found: String,
    },

    /// A name that could be taken for something else than an alias.
    #[error(
        "an alias must not be empty, be a number, begin with one of . / ~ @ or have white space, got \"{name}\" \
         (choose another name)"
    )]
    BadAlias {
        /// The name.
        name: String,
    },

    /// There is no such example.
    #[error("no example {0} (the table examples of the database lists them)")]
    NoExample(ExampleId),
    /// What was observed of an answer is not of its shape.
    #[error("target probabilities of an answer must have {expected} {what}, got {found}")]
    MisshapenObservations {
        /// What there is too much or too little of.
        what: &'static str,
        /// How many there should be.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Stored bytes are not what their hash says.
    #[error(
        "{origin}: the stored bytes are damaged, their SHA-256 is {found}, not {expected} (use a copy of the database)"
    )]
    DamagedBytes {
        /// What the bytes are.
        origin: String,
        /// The hash they should have.
        expected: String,
        /// The hash they have.
        found: String,
    },

    /// There is no such query.
    #[error("no query {name} ({}speclora query lists them)", did_you_mean(*nearest))]
    NoQuery {
        /// What was asked for.
        name: String,
        /// A name that is near to it.
        nearest: Option<&'static str>,
    },
    /// A query's parameter got no value.
    #[error("query {query} needs a value for {parameter} (its parameters are {known})")]
    MissingParameter {
        /// The query.
        query: &'static str,
        /// The parameter, with its colon.
        parameter: String,
        /// The parameters it has.
        known: String,
    },
    /// A statement that was typed is wrong, or fails.
    #[error("{message}{excerpt}")]
    Sql {
        /// SQLite's words, with what may have been meant.
        message: String,
        /// The line and the place in it, below a line feed; empty where SQLite does not tell.
        excerpt: String,
    },
    /// A statement that was typed would do what it must not.
    #[error("{what} ({advice})")]
    SqlRefused {
        /// What it would do.
        what: String,
        /// How that is done.
        advice: &'static str,
    },
    /// A statement that was typed took too long.
    #[error("stopped after {seconds} s (--timeout allows more; 0 for no limit)")]
    SqlTimedOut {
        /// How long it was allowed to take.
        seconds: f64,
    },
    /// The user stopped a statement.
    #[error("interrupted")]
    SqlInterrupted,
    /// Nothing to do.
    #[error("no SQL statement was given (pass one, or - to read from standard input)")]
    NoSql,
    /// A parameter of a statement that was typed got no value.
    #[error("the statement needs a value for {parameter} (--param {}=VALUE)", parameter.trim_start_matches([':', '@', '$']))]
    UnboundParameter {
        /// The parameter, with its mark.
        parameter: String,
    },
    /// A parameter that has no name.
    #[error("a parameter of the statement has no name (write :name for ?, and give --param name=VALUE)")]
    NamelessParameter,
    /// A value that no statement asks for.
    #[error("no statement has the parameter :{0} (write :{0} in the statement, or leave --param {0} out)")]
    UnusedParameter(String),
    /// A value for a parameter that the query does not have.
    #[error("query {query} has no parameter {parameter} (its parameters are {known})")]
    UnknownParameter {
        /// The query.
        query: &'static str,
        /// The parameter, with its colon.
        parameter: String,
        /// The parameters it has.
        known: String,
    },
}

impl Error {
    /// Says which file it was, where only SQLite's words are known, and what to do where they are understood.
    pub(super) fn in_file(self, path: &Path) -> Self {
        let Self::Unplaced(source) = self else {
            return self;
        };
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            Some(
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Locked { path },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::NotWritable { path }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, source },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            _ => Self::Sqlite { path, source },
        }
    }
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map_or(String::new(), |name| format!("did you mean {name}? "))
}

fn newest_run(newest: Option<RunId>) -> String {
    newest.map_or("there are none yet".to_owned(), |run| format!("the newest is {run}"))
}
