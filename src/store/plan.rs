//! What a run set out to do, read back so that it can be taken up again.

use rusqlite::Connection;

use super::value::get_parsed;
use super::{Result, Store, environments, lookup, models, prompts, vocabularies};
use crate::record::{CheckpointId, NewRun, PromptSource, RunId, RunModel, Setting};

impl Store {
    /// Returns a run as it was begun, except that settings and tags come in the order of their keys, the target before
    /// the draft, and a model's files in the order of their names.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn run_plan(&self, run: RunId) -> Result<NewRun> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT
                    r.kind, r.name, r.command_line, r.environment_id, r.checkpoint_id, r.num_planned_generations,
                    s.name AS prompt_set_name, s.sha256 AS prompt_set_sha256,
                    (SELECT n.text FROM run_notes AS n WHERE n.run_id = r.id ORDER BY n.id LIMIT 1) AS note
                FROM runs AS r
                JOIN prompt_sets AS s ON s.id = r.prompt_set_id
                WHERE r.id = ?1",
            )?;
            let mut rows = statement.query([run.0])?;
            let Some(row) = rows.next()? else {
                return Err(lookup::no_run(connection, run)?);
            };
            Ok(NewRun {
                kind: get_parsed(row, "kind")?,
                name: row.get("name")?,
                note: row.get("note")?,
                tags: tags(connection, run)?,
                command_line: row.get("command_line")?,
                settings: settings(connection, run)?,
                environment: environments::get(connection, row.get("environment_id")?)?,
                models: run_models(connection, run)?,
                checkpoint_id: row.get::<_, Option<i64>>("checkpoint_id")?.map(CheckpointId),
                draft_vocabulary: vocabularies::of_run(connection, run)?,
                prompt_source: PromptSource {
                    name: row.get("prompt_set_name")?,
                    sha256: row.get("prompt_set_sha256")?,
                },
                prompts: prompts::of_run(connection, run)?,
                num_planned_generations: row.get("num_planned_generations")?,
            })
        })
    }
}

fn settings(connection: &Connection, run: RunId) -> Result<Vec<Setting>> {
    let sql = "SELECT key, value, origin, source FROM run_settings WHERE run_id = ?1 ORDER BY key";
    let mut statement = connection.prepare(sql)?;
    let settings = statement.query_map([run.0], |row| {
        Ok(Setting {
            key: row.get("key")?,
            value: get_parsed(row, "value")?,
            origin: get_parsed(row, "origin")?,
            source: row.get("source")?,
        })
    })?;
    Ok(settings.collect::<rusqlite::Result<_>>()?)
}

fn tags(connection: &Connection, run: RunId) -> Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare("SELECT key, value FROM run_tags WHERE run_id = ?1 ORDER BY key")?;
    let tags = statement.query_map([run.0], |row| Ok((row.get("key")?, row.get("value")?)))?;
    Ok(tags.collect::<rusqlite::Result<_>>()?)
}

/// Reads the models of a run, the target first.
fn run_models(connection: &Connection, run: RunId) -> Result<Vec<RunModel>> {
    let sql = "SELECT role, model_id, path FROM run_models WHERE run_id = ?1 ORDER BY role DESC";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([run.0])?;
    let mut run_models = Vec::new();
    while let Some(row) = rows.next()? {
        run_models.push(RunModel {
            role: get_parsed(row, "role")?,
            path: row.get("path")?,
            info: models::get(connection, row.get("model_id")?)?,
        });
    }
    Ok(run_models)
}
