//! Prompts, each stored once by its text, and the files they came from.

use rusqlite::{Connection, params};

use super::Result;
use crate::hash::sha256_hex;
use crate::record::{Prompt, PromptSource, RunId};

/// Stores where prompts came from, unless it is there already, and returns its id.
pub(super) fn insert_set(connection: &Connection, source: &PromptSource) -> Result<i64> {
    connection.execute(
        "INSERT INTO prompt_sets (name, sha256) VALUES (?1, ?2) ON CONFLICT (sha256, name) DO NOTHING",
        [&source.name, &source.sha256],
    )?;
    let sql = "SELECT id FROM prompt_sets WHERE name = ?1 AND sha256 = ?2";
    Ok(connection.query_row(sql, [&source.name, &source.sha256], |row| row.get(0))?)
}

/// Stores the prompts of a run in their order, and the text of each unless it is there already.
pub(super) fn insert_for_run(connection: &Connection, run: RunId, prompts: &[Prompt]) -> Result<()> {
    let mut insert_text = connection
        .prepare("INSERT INTO prompts (sha256, text) VALUES (?1, ?2) ON CONFLICT (sha256) DO NOTHING")?;
    let mut insert_prompt = connection.prepare(
        "INSERT INTO run_prompts (run_id, prompt_index, prompt_id, external_id, category)
        SELECT ?1, ?2, id, ?4, ?5
        FROM prompts
        WHERE sha256 = ?3",
    )?;
    for (index, prompt) in (0_u32..).zip(prompts) {
        let sha256 = sha256_hex(prompt.text.as_bytes());
        insert_text.execute([&sha256, &prompt.text])?;
        insert_prompt.execute(params![run.0, index, sha256, prompt.external_id, prompt.category])?;
    }
    Ok(())
}

/// Reads the prompts of a run in their order.
pub(super) fn of_run(connection: &Connection, run: RunId) -> Result<Vec<Prompt>> {
    let mut statement = connection.prepare(
        "SELECT p.text, r.external_id, r.category
        FROM run_prompts AS r
        JOIN prompts AS p ON p.id = r.prompt_id
        WHERE r.run_id = ?1
        ORDER BY r.prompt_index",
    )?;
    let prompts = statement.query_map([run.0], |row| {
        Ok(Prompt {
            text: row.get("text")?,
            external_id: row.get("external_id")?,
            category: row.get("category")?,
        })
    })?;
    Ok(prompts.collect::<rusqlite::Result<_>>()?)
}
