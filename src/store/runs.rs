//! The life of a run: it begins, gives signs of life, ends, and may be taken up again.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use uuid::Uuid;

use super::process::Process;
use super::value::get_parsed;
use super::{Error, Result, Store, environments, lookup, models, prompts, summaries, vocabularies};
use crate::environment::now_ms;
use crate::record::{Environment, NewRun, RunId, RunModel, RunStatus, Setting};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEnd {
    /// Everything planned was done.
    Completed,
    /// The user stopped it.
    Interrupted,
    /// This error stopped it.
    Failed(String),
}

impl RunEnd {
    fn status(&self) -> RunStatus {
        match self {
            Self::Completed => RunStatus::Completed,
            Self::Interrupted => RunStatus::Interrupted,
            Self::Failed(_) => RunStatus::Failed,
        }
    }

    fn error(&self) -> Option<&str> {
        if let Self::Failed(error) = self { Some(error) } else { None }
    }
}

impl Store {
    /// Stores a run with its settings, models and prompts, as running in this process.
    ///
    /// # Errors
    /// If the database cannot be written, or a value breaks a rule of the schema.
    pub fn begin_run(&mut self, new: &NewRun) -> Result<RunId> {
        self.write(|transaction| insert(transaction, new))
    }

    /// Says that a run is alive. Each recorded generation says so too; this is for what takes long between them.
    ///
    /// # Errors
    /// If the run is not running.
    pub fn heartbeat(&mut self, run: RunId) -> Result<()> {
        self.write(|transaction| beat(transaction, run))
    }

    /// Ends a run and stores the summaries of what it measured, in one commit that a power cut cannot undo.
    ///
    /// # Errors
    /// If the run is not running.
    pub fn finish_run(&mut self, run: RunId, end: &RunEnd) -> Result<()> {
        self.write_durably(|transaction| {
            let num_changed = transaction.execute(
                "UPDATE runs
                SET status = ?2, error = ?3, ended_at_ms = ?4, heartbeat_at_ms = ?4
                WHERE id = ?1 AND status = 'running'",
                params![run.0, end.status().as_str(), end.error(), now_ms()],
            )?;
            if num_changed == 0 {
                return Err(Error::RunNotRunning { run });
            }
            summaries::insert(transaction, run)
        })
    }

    /// Lists the runs that processes work on now, as far as can be told.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn live_runs(&self) -> Result<Vec<RunId>> {
        self.read(|connection| running(connection, |is_gone| !is_gone))
    }

    /// Finds out whether a run can be taken up again, before anything is made ready for it.
    ///
    /// # Errors
    /// If there is no such run, it is complete, or its process is still there.
    pub fn check_resumable(&self, run: RunId) -> Result<()> {
        self.read(|connection| check_resumable(connection, run, &Process::current()))
    }

    /// Takes up a run that was interrupted, failed or crashed: it is running again, in this process and environment, and
    /// its summaries are gone until it ends again.
    ///
    /// # Errors
    /// If the run is complete, or its process is still there.
    pub fn resume_run(&mut self, run: RunId, environment: &Environment) -> Result<()> {
        let current = Process::current();
        self.write(|transaction| {
            check_resumable(transaction, run, &current)?;
            summaries::delete(transaction, run)?;
            transaction.execute(
                "UPDATE runs
                SET status = 'running', error = NULL, ended_at_ms = NULL, environment_id = :environment_id,
                    heartbeat_at_ms = :now, pid = :pid, boot_id = :boot_id, process_start_ticks = :start_ticks
                WHERE id = :run",
                named_params! {
                    ":run": run.0,
                    ":environment_id": environments::insert(transaction, environment)?,
                    ":now": now_ms(),
                    ":pid": current.pid,
                    ":boot_id": current.boot_id,
                    ":start_ticks": current.start_ticks,
                },
            )?;
            Ok(())
        })
    }
}

/// Refuses a run that is complete, or that another process works on.
fn check_resumable(connection: &Connection, run: RunId, current: &Process) -> Result<()> {
    let (status, process, heartbeat_at_ms) = standing(connection, run)?;
    if status == RunStatus::Completed {
        return Err(Error::RunCompleted { run });
    }
    if status == RunStatus::Running && process != *current && !process.is_gone(heartbeat_at_ms) {
        return Err(Error::RunAlive { run, pid: process.pid });
    }
    Ok(())
}

/// Refuses a run that a process works on, this one included.
pub(super) fn check_ended(connection: &Connection, run: RunId) -> Result<()> {
    let (status, process, heartbeat_at_ms) = standing(connection, run)?;
    if status == RunStatus::Running && !process.is_gone(heartbeat_at_ms) {
        return Err(Error::RunAlive { run, pid: process.pid });
    }
    Ok(())
}

/// Milliseconds for which a sign of life is not given again: what is stored several times a second need not say each time
/// that it was.
const HEARTBEAT_INTERVAL_MS: i64 = 1000;

/// Marks a running run as alive now.
pub(super) fn beat(connection: &Connection, run: RunId) -> Result<()> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT heartbeat_at_ms FROM runs WHERE id = ?1 AND status = 'running'")?
        .query_row([run.0], |row| row.get(0))
        .optional()?;
    let (last, now) = (last.ok_or(Error::RunNotRunning { run })?, now_ms());
    if is_due(last, now) {
        connection
            .prepare_cached("UPDATE runs SET heartbeat_at_ms = ?2 WHERE id = ?1")?
            .execute(params![run.0, now])?;
    }
    Ok(())
}

/// Whether another sign of life is due. A clock that was set back has the last one ahead of it.
fn is_due(last_ms: i64, now_ms: i64) -> bool {
    !(now_ms - HEARTBEAT_INTERVAL_MS..=now_ms).contains(&last_ms)
}

/// Lists the runs that are stored as running, but whose process is gone: all, or this one alone if it is.
pub(super) fn crashed(connection: &Connection, only: Option<RunId>) -> Result<Vec<RunId>> {
    let Some(run) = only else {
        return running(connection, |is_gone| is_gone);
    };
    match standing(connection, run) {
        Ok((RunStatus::Running, process, heartbeat_ms)) if process.is_gone(heartbeat_ms) => Ok(vec![run]),
        Ok(_) | Err(Error::NoRun { .. }) => Ok(vec![]),
        Err(error) => Err(error),
    }
}

/// Lists the runs that are stored as running, by whether their process is gone.
fn running(connection: &Connection, is_wanted: impl Fn(bool) -> bool) -> Result<Vec<RunId>> {
    let mut statement = connection.prepare(
        "SELECT id, pid, boot_id, process_start_ticks, heartbeat_at_ms
        FROM runs
        WHERE status = 'running'
        ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if is_wanted(process(row)?.is_gone(row.get("heartbeat_at_ms")?)) {
            found.push(RunId(row.get("id")?));
        }
    }
    Ok(found)
}

/// Returns how a run stands: its status as stored, its process, and that one's last sign of life.
fn standing(connection: &Connection, run: RunId) -> Result<(RunStatus, Process, i64)> {
    let sql = "SELECT status, pid, boot_id, process_start_ticks, heartbeat_at_ms FROM runs WHERE id = ?1";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([run.0])?;
    match rows.next()? {
        Some(row) => Ok((get_parsed(row, "status")?, process(row)?, row.get("heartbeat_at_ms")?)),
        None => Err(lookup::no_run(connection, run)?),
    }
}

fn process(row: &Row<'_>) -> rusqlite::Result<Process> {
    Ok(Process {
        pid: row.get("pid")?,
        boot_id: row.get("boot_id")?,
        start_ticks: row.get("process_start_ticks")?,
    })
}

/// Stores a run with its settings, models and prompts, as running in this process.
pub(super) fn insert(connection: &Connection, new: &NewRun) -> Result<RunId> {
    let run = insert_run(connection, new)?;
    insert_settings(connection, run, &new.settings)?;
    insert_models(connection, run, &new.models)?;
    prompts::insert_for_run(connection, run, &new.prompts)?;
    insert_tags(connection, run, &new.tags)?;
    if let Some(vocabulary) = &new.draft_vocabulary {
        vocabularies::insert(connection, run, vocabulary)?;
    }
    if let Some(note) = &new.note {
        insert_note(connection, run, note)?;
    }
    Ok(run)
}

/// Adds a note to those that a run has.
pub(super) fn insert_note(connection: &Connection, run: RunId, text: &str) -> Result<()> {
    connection.execute(
        "INSERT INTO run_notes (run_id, text, created_at_ms) VALUES (?1, ?2, ?3)",
        params![run.0, text, now_ms()],
    )?;
    Ok(())
}

fn insert_run(connection: &Connection, new: &NewRun) -> Result<RunId> {
    let process = Process::current();
    connection.execute(
        "INSERT INTO runs (
            uid, kind, name, status, command_line, environment_id, prompt_set_id, checkpoint_id,
            num_planned_generations, started_at_ms, heartbeat_at_ms, pid, boot_id, process_start_ticks
        )
        VALUES (
            :uid, :kind, :name, 'running', :command_line, :environment_id, :prompt_set_id, :checkpoint_id,
            :num_planned_generations, :now, :now, :pid, :boot_id, :process_start_ticks
        )",
        named_params! {
            ":uid": Uuid::now_v7().to_string(),
            ":kind": new.kind.as_str(),
            ":name": new.name,
            ":command_line": new.command_line,
            ":environment_id": environments::insert(connection, &new.environment)?,
            ":prompt_set_id": prompts::insert_set(connection, &new.prompt_source)?,
            ":checkpoint_id": new.checkpoint_id.map(|id| id.0),
            ":num_planned_generations": new.num_planned_generations,
            ":now": now_ms(),
            ":pid": process.pid,
            ":boot_id": process.boot_id,
            ":process_start_ticks": process.start_ticks,
        },
    )?;
    Ok(RunId(connection.last_insert_rowid()))
}

fn insert_settings(connection: &Connection, run: RunId, settings: &[Setting]) -> Result<()> {
    let mut insert = connection.prepare(
        "INSERT INTO run_settings (run_id, key, value, origin, source) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for setting in settings {
        let value = setting.value.to_string();
        insert.execute(params![run.0, setting.key, value, setting.origin.as_str(), setting.source])?;
    }
    Ok(())
}

fn insert_models(connection: &Connection, run: RunId, run_models: &[RunModel]) -> Result<()> {
    for model in run_models {
        let model_id = models::insert(connection, &model.info)?;
        connection.execute(
            "INSERT INTO run_models (run_id, role, model_id, path) VALUES (?1, ?2, ?3, ?4)",
            params![run.0, model.role.as_str(), model_id, model.path],
        )?;
    }
    Ok(())
}

/// Stores tags; of two with one key the later holds.
pub(super) fn insert_tags(connection: &Connection, run: RunId, tags: &[(String, String)]) -> Result<()> {
    for (key, value) in tags {
        connection.execute(
            "INSERT INTO run_tags (run_id, key, value)
            VALUES (?1, ?2, ?3)
            ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value",
            params![run.0, key, value],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
