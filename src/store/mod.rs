//! The database: one SQLite file that holds every run, generation, round, adapter and summary.
//!
//! What holds here, and nowhere else has to be thought of:
//! - No SQL and no rusqlite outside this folder; no printing, no tensor and no configuration inside it.
//! - What a table means is said in `migrations/`, what a figure means in the views there. `queries/` holds the
//!   statements that answer questions; this folder holds those that write.
//! - A write is one `BEGIN IMMEDIATE` transaction: all of it, or none. It waits for other processes, so that any number
//!   of them may share a file.
//! - Nothing that is stored is summed up in memory: a figure that is shown is the answer of a query over committed
//!   rows.
//! - No NaN and no infinity enters a column. What cannot exist is NULL.

mod aliases;
mod answer;
mod backup;
mod blobs;
mod check;
mod checkpoints;
mod environments;
mod error;
mod evaluations;
mod examples;
mod garbage;
mod generations;
pub mod ingest;
mod lineage;
mod lookup;
mod metrics;
mod migrate;
mod models;
mod open;
mod plan;
mod process;
mod prompts;
mod queries;
mod run_columns;
mod run_labels;
mod run_search;
mod runs;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod schema_document;
mod sql;
mod statistics;
mod summaries;
mod target_probabilities;
mod train_checkpoints;
mod training;
mod trash;
mod value;
mod vocabularies;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction};

pub use answer::{Receiver, Rows};
pub use error::{Error, Result};
pub use examples::ExampleFilter;
pub use garbage::{DeletedRows, Garbage, KeptRun, Need};
pub use generations::SlotKey;
pub use metrics::ModeMetrics;
pub use models::FileStamp;
pub use queries::{Parameter, Query};
pub use run_columns::{Better, RunColumn};
pub use run_search::{Comparison, Direction, Operand, Place, RunFilter, RunOrder, RunSearch};
pub use runs::RunEnd;
pub use sql::{Changed, SqlOptions};
pub use statistics::Statistics;
pub use value::{Hex, Value, tokens_of};

/// An open database.
///
/// It belongs to one thread at a time; another thread or process opens its own.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    is_read_only: bool,
    /// The copy that was kept of an older database when this one was opened.
    backup: Option<PathBuf>,
}

impl Store {
    /// Where the database lies as it was, if opening it brought it to this version's schema.
    pub fn backup(&self) -> Option<&Path> {
        self.backup.as_deref()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file could be opened for reading alone.
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Reads, and says in an error which file it was.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        query(&self.connection).map_err(|error| error.in_file(&self.path))
    }

    /// Writes in one transaction. A crash of this process loses nothing of it; a power cut may undo it.
    fn write<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        if self.is_read_only {
            return Err(Error::NotWritable { path: self.path.clone() });
        }
        let commit = || {
            let transaction = self.connection.transaction()?;
            let value = change(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        commit().map_err(|error: Error| error.in_file(&self.path))
    }

    /// Writes in one transaction that a power cut cannot undo either, nor any that came before it.
    fn write_durably<T>(&mut self, change: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        self.read(|connection| Ok(connection.pragma_update(None, "synchronous", "FULL")?))?;
        let written = self.write(change);
        self.read(|connection| Ok(connection.pragma_update(None, "synchronous", "NORMAL")?))?;
        written
    }
}
