//! What the trash holds, what of it somebody needs, and its end.
//!
//! Apart from statements that users write themselves, nothing else deletes a run. What can go is worked out in tables of the
//! connection, by `plan.sql`, so that a dry run and the deletion agree.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{Result, Store, statistics};
use crate::record::{CheckpointId, RunId};

/// What goes, and what stays although it was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Garbage {
    /// The runs that go.
    pub runs: Vec<RunId>,
    /// Rows that go, by table; tables that keep all of theirs are left out.
    pub tables: Vec<DeletedRows>,
    /// How many training runs lose the state of their optimiser, from which nothing can go on.
    pub num_states: i64,
    /// The runs that stay in the trash because something needs them.
    pub kept: Vec<KeptRun>,
    /// How many runs have not been in the trash for long enough.
    pub num_too_young: i64,
    /// Training runs that stay, each with the number of examples that stay because it has them, although all runs that
    /// collected them go.
    pub kept_examples: Vec<(RunId, i64)>,
}

/// The rows of a table that go.
#[derive(Debug, Clone, PartialEq)]
pub struct DeletedRows {
    /// The table.
    pub table: &'static str,
    /// How many.
    pub num_rows: i64,
    /// About how many bytes of the file they take, indexes included.
    pub bytes: i64,
}

/// A run that stays in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRun {
    /// The run.
    pub run: RunId,
    /// What needs it.
    pub needs: Vec<Need>,
}

/// Why a run stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// A name stands for an adapter that it made.
    Alias {
        /// The name.
        name: String,
        /// The adapter.
        checkpoint: CheckpointId,
    },
    /// Another run used, judged or went on from an adapter that it made.
    Adapter {
        /// The other run.
        run: RunId,
        /// The adapter.
        checkpoint: CheckpointId,
    },
    /// Another run can be resumed, and learns from examples that it collected.
    Examples {
        /// The other run.
        run: RunId,
    },
}

const OF_RUN: &str = "run_id IN (SELECT run_id FROM gc_runs)";
const OF_GENERATION: &str = "generation_id IN (SELECT generation_id FROM gc_generations)";

/// Each table that something may be deleted of, and which rows of it.
const DELETED: [(&str, &str); 28] = [
    ("runs", "id IN (SELECT run_id FROM gc_runs)"),
    ("run_settings", OF_RUN),
    ("run_models", OF_RUN),
    ("run_prompts", OF_RUN),
    ("run_tags", OF_RUN),
    ("run_notes", OF_RUN),
    ("run_draft_vocabularies", OF_RUN),
    ("mode_summaries", OF_RUN),
    ("generations", OF_RUN),
    ("rounds", OF_GENERATION),
    ("disagreements", OF_GENERATION),
    ("generation_examples", OF_GENERATION),
    ("run_examples", OF_RUN),
    ("train_steps", OF_RUN),
    ("train_step_examples", OF_RUN),
    ("example_evaluations", OF_RUN),
    ("train_evaluation_summaries", OF_RUN),
    ("train_checkpoints", OF_RUN),
    ("prompt_evaluations", OF_RUN),
    ("checkpoints", "id IN (SELECT checkpoint_id FROM gc_checkpoints)"),
    ("examples", "id IN (SELECT example_id FROM gc_examples)"),
    ("blobs", "id IN (SELECT blob_id FROM gc_blobs)"),
    ("blob_chunks", "blob_id IN (SELECT blob_id FROM gc_blobs)"),
    ("prompts", "id IN (SELECT prompt_id FROM gc_prompts)"),
    ("prompt_sets", "id IN (SELECT prompt_set_id FROM gc_prompt_sets)"),
    ("models", "id IN (SELECT model_id FROM gc_models)"),
    ("model_files", "model_id IN (SELECT model_id FROM gc_models)"),
    ("environments", "id IN (SELECT environment_id FROM gc_environments)"),
];

impl Store {
    /// Says what would go if the trash were emptied of runs that came into it by a time, and deletes nothing.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn garbage(&self, trashed_by_ms: i64) -> Result<Garbage> {
        self.read(|connection| {
            // Tables of this connection go with the transaction.
            let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Deferred)?;
            let mut garbage = plan(&transaction, trashed_by_ms)?;
            estimate_bytes(&transaction, &mut garbage.tables)?;
            Ok(garbage)
        })
    }

    /// Deletes for good the runs that came into the trash by a time and what nobody else needs of theirs, in one
    /// transaction: all of it, or nothing. Returns what went; how many bytes, is estimated before the transaction, since that
    /// reads the whole file.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn collect_garbage(&mut self, trashed_by_ms: i64) -> Result<Garbage> {
        let expected = self.garbage(trashed_by_ms)?;
        if expected.tables.is_empty() {
            return Ok(expected);
        }
        self.write_durably(|transaction| {
            let mut garbage = plan(transaction, trashed_by_ms)?;
            transaction.execute_batch(include_str!("garbage/apply.sql"))?;
            drop_plan(transaction)?;
            for rows in &mut garbage.tables {
                let like = expected.tables.iter().find(|expected| expected.table == rows.table);
                rows.bytes = like.map_or(0, |like| like.bytes * rows.num_rows / like.num_rows);
            }
            Ok(garbage)
        })
    }

    /// Gives pages that hold nothing back to the file system, some at a time, so that other processes get their turn.
    /// Returns by how many bytes the file has shrunk.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn shrink(&mut self) -> Result<i64> {
        let before = self.read(statistics::num_bytes)?;
        self.read(|connection| {
            let is_incremental = statistics::pragma(connection, "auto_vacuum")? == 2;
            if !is_incremental {
                connection.execute_batch("VACUUM")?;
            }
            let mut num_free = statistics::pragma(connection, "freelist_count")?;
            while is_incremental && num_free > 0 {
                run_pragma(connection, &format!("PRAGMA incremental_vacuum({PAGES_AT_ONCE})"))?;
                let left = statistics::pragma(connection, "freelist_count")?;
                if left >= num_free {
                    break;
                }
                num_free = left;
            }
            run_pragma(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
        })?;
        Ok(before - self.read(statistics::num_bytes)?)
    }
}

/// Pages that are given back in one transaction: 16 MB.
const PAGES_AT_ONCE: u32 = 4096;

/// Steps through all that a pragma does.
fn run_pragma(connection: &Connection, sql: &str) -> Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// The tables of the plan.
const PLAN: [&str; 14] = [
    "bounds",
    "asked",
    "needs",
    "kept",
    "runs",
    "generations",
    "checkpoints",
    "examples",
    "states",
    "blobs",
    "prompts",
    "prompt_sets",
    "models",
    "environments",
];

fn drop_plan(connection: &Connection) -> Result<()> {
    for table in PLAN {
        connection.execute_batch(&format!("DROP TABLE temp.gc_{table}"))?;
    }
    Ok(())
}

/// Works out what can go, into tables of the connection, and reads it.
fn plan(connection: &Connection, trashed_by_ms: i64) -> Result<Garbage> {
    connection.execute_batch("CREATE TEMP TABLE gc_bounds (before_ms INTEGER NOT NULL)")?;
    connection.execute("INSERT INTO gc_bounds (before_ms) VALUES (?1)", [trashed_by_ms])?;
    connection.execute_batch(include_str!("garbage/plan.sql"))?;
    Ok(Garbage {
        runs: runs(connection)?,
        tables: deleted_rows(connection)?,
        num_states: count(connection, "SELECT count(DISTINCT run_id) FROM gc_states")?,
        kept: kept(connection)?,
        num_too_young: count(
            connection,
            "SELECT count(*) FROM runs WHERE deleted_at_ms > (SELECT before_ms FROM gc_bounds)",
        )?,
        kept_examples: kept_examples(connection)?,
    })
}

fn runs(connection: &Connection) -> Result<Vec<RunId>> {
    let mut statement = connection.prepare("SELECT run_id FROM gc_runs ORDER BY run_id")?;
    let runs = statement.query_map([], |row| row.get(0).map(RunId))?;
    Ok(runs.collect::<rusqlite::Result<_>>()?)
}

/// Counts the rows that go.
fn deleted_rows(connection: &Connection) -> Result<Vec<DeletedRows>> {
    let mut found = Vec::new();
    for (table, rows) in DELETED {
        let num_rows = count(connection, &format!("SELECT count(*) FROM {table} WHERE {rows}"))?;
        if num_rows > 0 {
            found.push(DeletedRows { table, num_rows, bytes: 0 });
        }
    }
    Ok(found)
}

/// Rows take their share of what their table and its indexes take; blobs, what they are.
fn estimate_bytes(connection: &Connection, tables: &mut [DeletedRows]) -> Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let sizes = statistics::tree_sizes(connection)?;
    for DeletedRows { table, num_rows, bytes } in tables {
        *bytes = if *table == "blob_chunks" {
            count(connection, "SELECT sum(size_bytes) FROM blobs WHERE id IN (SELECT blob_id FROM gc_blobs)")?
        } else {
            let all: i64 = sizes.iter().filter(|size| size.table == *table).map(|size| size.bytes).sum();
            let num_all = count(connection, &format!("SELECT count(*) FROM {table}"))?;
            (all as f64 * (*num_rows as f64 / num_all as f64)) as i64
        };
    }
    Ok(())
}

fn count(connection: &Connection, sql: &str) -> Result<i64> {
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn kept(connection: &Connection) -> Result<Vec<KeptRun>> {
    let mut statement = connection.prepare(
        "SELECT n.run_id, n.checkpoint_id, n.alias, n.by_run_id
        FROM gc_needs AS n
        JOIN gc_kept AS k ON k.run_id = n.run_id
        WHERE n.by_run_id IS NULL OR n.by_run_id NOT IN (SELECT run_id FROM gc_runs)
        ORDER BY n.run_id, n.alias IS NULL, n.alias, n.by_run_id, n.checkpoint_id",
    )?;
    let mut rows = statement.query([])?;
    let mut found: Vec<KeptRun> = Vec::new();
    while let Some(row) = rows.next()? {
        let run = RunId(row.get("run_id")?);
        let checkpoint = row.get::<_, Option<i64>>("checkpoint_id")?.map(CheckpointId);
        let by_run = row.get::<_, Option<i64>>("by_run_id")?.map(RunId);
        let need = match (row.get("alias")?, by_run, checkpoint) {
            (Some(name), _, Some(checkpoint)) => Need::Alias { name, checkpoint },
            (_, Some(run), Some(checkpoint)) => Need::Adapter { run, checkpoint },
            (_, Some(run), None) => Need::Examples { run },
            _ => continue,
        };
        match found.last_mut().filter(|last| last.run == run) {
            Some(last) => last.needs.push(need),
            None => found.push(KeptRun { run, needs: vec![need] }),
        }
    }
    Ok(found)
}

fn kept_examples(connection: &Connection) -> Result<Vec<(RunId, i64)>> {
    let mut statement = connection.prepare(
        "SELECT re.run_id, count(DISTINCT re.example_id)
        FROM gc_generations AS d
        JOIN generation_examples AS ge ON ge.generation_id = d.generation_id
        JOIN run_examples AS re ON re.example_id = ge.example_id
        WHERE re.run_id NOT IN (SELECT run_id FROM gc_runs)
            AND NOT EXISTS (
                SELECT 1
                FROM generation_examples AS other
                WHERE other.example_id = ge.example_id
                    AND other.generation_id NOT IN (SELECT generation_id FROM gc_generations)
            )
        GROUP BY re.run_id
        ORDER BY re.run_id",
    )?;
    let examples = statement.query_map([], |row| Ok((RunId(row.get(0)?), row.get(1)?)))?;
    Ok(examples.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests;
