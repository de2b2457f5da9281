//! Examples: what targets answered, kept once each, and where drafts disagreed with them.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::value::{get_tokens, to_integer, token_bytes};
use super::{Error, Result, Store, blobs, target_probabilities};
use crate::environment::now_ms;
use crate::hash::Sha256Hex;
use crate::record::{
    Completion, Disagreement, ExampleId, ExampleSummary, Observations, RunId, TargetProbabilities,
};

/// Which examples are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExampleFilter {
    /// Those of the target of this SHA-256 alone, in hex.
    pub target_model_sha256: Option<String>,
    /// Those that one of these runs collected; of any run if empty.
    pub runs: Vec<RunId>,
}

/// The columns that [`summary`] reads, of `examples` as e and `prompts` as p.
pub(super) const SUMMARY: &str =
    "e.id, p.text AS prompt, e.prompt_tokens, e.output_tokens, e.generation_id, e.split_key,
    (
        SELECT 1.0 * g.num_accepted / nullif(g.num_drafted, 0)
        FROM generations AS g
        WHERE g.id = e.generation_id
    ) AS acceptance_rate";

impl Store {
    /// Lists examples in the order of their ids. One that only runs in the trash have collected is left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn examples(&self, filter: &ExampleFilter) -> Result<Vec<ExampleSummary>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {SUMMARY}
                FROM examples AS e
                JOIN prompts AS p ON p.id = e.prompt_id
                JOIN models AS m ON m.id = e.target_model_id
                WHERE (:target_model_sha256 IS NULL OR m.sha256 = :target_model_sha256)
                    AND EXISTS (
                        SELECT 1
                        FROM generation_examples AS ge
                        JOIN generations AS g ON g.id = ge.generation_id
                        JOIN runs AS r ON r.id = g.run_id
                        WHERE ge.example_id = e.id
                            AND r.deleted_at_ms IS NULL
                            AND (:runs IS NULL OR r.id IN (SELECT value FROM json_each(:runs)))
                    )
                ORDER BY e.id"
            );
            let runs = serde_json::to_string(&filter.runs).expect("ids are numbers");
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(named_params! {
                ":target_model_sha256": filter.target_model_sha256,
                ":runs": (!filter.runs.is_empty()).then_some(runs),
            })?;
            let mut examples = Vec::new();
            while let Some(row) = rows.next()? {
                examples.push(summary(connection, row)?);
            }
            Ok(examples)
        })
    }

    /// Counts the examples of a target, or of all, also those that only runs in the trash or deleted ones have collected.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn num_stored_examples(&self, target_model_sha256: Option<&str>) -> Result<i64> {
        self.read(|connection| {
            let sql = "SELECT count(*)
                FROM examples AS e
                JOIN models AS m ON m.id = e.target_model_id
                WHERE ?1 IS NULL OR m.sha256 = ?1";
            Ok(connection.query_row(sql, [target_model_sha256], |row| row.get(0))?)
        })
    }

    /// Returns what the target thought at each output position of an example, checked against its SHA-256.
    ///
    /// # Errors
    /// If there is no such example, or its bytes are damaged.
    pub fn target_probabilities(&self, id: ExampleId) -> Result<TargetProbabilities> {
        self.read(|connection| {
            let sql = "SELECT target_blob_id, temperature, top_k FROM examples WHERE id = ?1";
            let found = connection.query_row(sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
            let (blob_id, temperature, top_k) = found.optional()?.ok_or(Error::NoExample(id))?;
            let origin = format!("target probabilities of example {id}");
            let bytes = blobs::get_checked(connection, blob_id, &origin)?;
            Ok(target_probabilities::from_bytes(&bytes, temperature, top_k))
        })
    }
}

/// Stores what was observed of a generation's answer, if anything was: the example that it is, and the disagreements. An
/// answer without a token is no example.
pub(super) fn insert(connection: &Connection, generation_id: i64, completion: &Completion) -> Result<()> {
    let Some(observations) = &completion.observations else {
        return Ok(());
    };
    if !completion.decoded.tokens.is_empty() {
        let example = find_or_insert(connection, generation_id, &completion.decoded.tokens, observations)?;
        connection.execute(
            "INSERT INTO generation_examples (generation_id, example_id) VALUES (?1, ?2)",
            params![generation_id, example.0],
        )?;
    }
    insert_disagreements(connection, generation_id, &observations.disagreements)
}

/// Reads the summary of an example from a row of [`SUMMARY`].
pub(super) fn summary(connection: &Connection, row: &Row<'_>) -> Result<ExampleSummary> {
    Ok(ExampleSummary {
        id: ExampleId(row.get("id")?),
        prompt: row.get("prompt")?,
        prompt_tokens: get_tokens(row, "prompt_tokens")?,
        output_tokens: get_tokens(row, "output_tokens")?,
        rejected_positions: rejected_positions(connection, row.get("generation_id")?)?,
        acceptance_rate: row.get("acceptance_rate")?,
        split_key: row.get("split_key")?,
    })
}

fn rejected_positions(connection: &Connection, generation_id: Option<i64>) -> Result<Vec<u32>> {
    let sql = "SELECT position FROM disagreements WHERE generation_id = ?1 ORDER BY position";
    let mut statement = connection.prepare_cached(sql)?;
    let positions = statement.query_map([generation_id], |row| row.get(0))?;
    Ok(positions.collect::<rusqlite::Result<_>>()?)
}

/// What an example hangs on: the target, and the prompt.
struct Asked {
    target_model_id: i64,
    target_model_sha256: String,
    prompt_id: i64,
    prompt: String,
}

fn asked(connection: &Connection, generation_id: i64) -> Result<Asked> {
    let sql =
        "SELECT m.id AS target_model_id, m.sha256 AS target_model_sha256, p.id AS prompt_id, p.text AS prompt
        FROM generations AS g
        JOIN run_models AS rm ON rm.run_id = g.run_id AND rm.role = 'target'
        JOIN models AS m ON m.id = rm.model_id
        JOIN run_prompts AS rp ON rp.run_id = g.run_id AND rp.prompt_index = g.prompt_index
        JOIN prompts AS p ON p.id = rp.prompt_id
        WHERE g.id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([generation_id], |row| {
        Ok(Asked {
            target_model_id: row.get("target_model_id")?,
            target_model_sha256: row.get("target_model_sha256")?,
            prompt_id: row.get("prompt_id")?,
            prompt: row.get("prompt")?,
        })
    })?)
}

/// Returns the example that an answer is, which is stored unless it is there already. Where the generation that it was
/// collected in is gone, this one takes its place.
fn find_or_insert(
    connection: &Connection,
    generation_id: i64,
    output_tokens: &[u32],
    observations: &Observations,
) -> Result<ExampleId> {
    let asked = asked(connection, generation_id)?;
    let (prompt, output) = (token_bytes(&observations.prompt_tokens), token_bytes(output_tokens));
    let target = target_probabilities::to_bytes(&observations.target, output_tokens.len())?;
    let sha256 = identity(&asked.target_model_sha256, &prompt, &output, observations.target.temperature);
    let sql = "SELECT id FROM examples WHERE sha256 = ?1";
    if let Some(id) = connection.query_row(sql, [&sha256], |row| row.get(0)).optional()? {
        connection.execute(
            "UPDATE examples SET generation_id = ?2 WHERE id = ?1 AND generation_id IS NULL",
            params![id, generation_id],
        )?;
        return Ok(ExampleId(id));
    }
    connection.execute(
        "INSERT INTO examples (
            sha256, target_model_id, prompt_id, generation_id, split_key, num_prompt_tokens, num_output_tokens,
            prompt_tokens, output_tokens, temperature, top_k, target_blob_id, created_at_ms
        )
        VALUES (
            :sha256, :target_model_id, :prompt_id, :generation_id, :split_key, :num_prompt_tokens, :num_output_tokens,
            :prompt_tokens, :output_tokens, :temperature, :top_k, :target_blob_id, :created_at_ms
        )",
        named_params! {
            ":sha256": sha256,
            ":target_model_id": asked.target_model_id,
            ":prompt_id": asked.prompt_id,
            ":generation_id": generation_id,
            ":split_key": split_key(&asked.prompt),
            ":num_prompt_tokens": to_integer(observations.prompt_tokens.len() as u64),
            ":num_output_tokens": to_integer(output_tokens.len() as u64),
            ":prompt_tokens": prompt,
            ":output_tokens": output,
            ":temperature": observations.target.temperature,
            ":top_k": observations.target.top_k,
            ":target_blob_id": blobs::insert(connection, &target)?,
            ":created_at_ms": now_ms(),
        },
    )?;
    Ok(ExampleId(connection.last_insert_rowid()))
}

/// The hash by which an example is known. Each part comes after its length, so that no two lists of parts are the same
/// bytes.
fn identity(target_model_sha256: &str, prompt: &[u8], output: &[u8], temperature: f64) -> String {
    let mut hasher = Sha256Hex::new();
    for part in [target_model_sha256.as_bytes(), prompt, output, &temperature.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finish()
}

/// Draws a number in [0, 1) from a prompt: the first 53 bits of the SHA-256 of `split`, a zero byte and its text. It must
/// never change, or what was held out would be trained on.
fn split_key(prompt: &str) -> f64 {
    let mut hasher = Sha256Hex::new();
    hasher.update(b"split\0");
    hasher.update(prompt.as_bytes());
    let first = u64::from_str_radix(&hasher.finish()[..16], 16).expect("a hash is in hex");
    (first >> 11) as f64 / (1_u64 << 53) as f64
}

fn insert_disagreements(
    connection: &Connection,
    generation_id: i64,
    disagreements: &[Disagreement],
) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO disagreements (
            generation_id, round, position, draft_token, target_token, draft_probability, target_probability
        )
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    // A softmax that is rounded may end one bit above 1.
    let probability = |probability: f32| f64::from(probability.clamp(0.0, 1.0));
    for disagreement in disagreements {
        insert.execute(params![
            generation_id,
            disagreement.round,
            disagreement.position,
            disagreement.draft_token,
            disagreement.target_token,
            probability(disagreement.draft_probability),
            probability(disagreement.target_probability),
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
