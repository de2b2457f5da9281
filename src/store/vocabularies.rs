//! The tokens that drafts propose from: counted in stored outputs, and kept with the run that used them.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, named_params};

use super::value::{to_integer, token_bytes, tokens_of};
use super::{Result, Store, blobs};
use crate::record::{DraftVocabulary, RunId};

/// Outputs that are counted, the newest ones: some hundred thousand tokens say what is frequent, and are read at once.
const MAX_OUTPUTS: u32 = 4_000;

impl Store {
    /// Counts the tokens of the newest stored outputs of targets with this tokenizer. Runs of this very prompt set do not
    /// count, since a draft must not know the answers beforehand, nor do runs in the trash.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn count_output_tokens(
        &self,
        tokenizer_sha256: &str,
        prompt_set_sha256: &str,
    ) -> Result<HashMap<u32, u64>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT g.output_tokens
                FROM generations AS g
                WHERE g.output_tokens IS NOT NULL
                    AND g.run_id IN (
                        SELECT r.id
                        FROM runs AS r
                        JOIN run_models AS rm ON rm.run_id = r.id AND rm.role = 'target'
                        JOIN models AS m ON m.id = rm.model_id
                        JOIN prompt_sets AS ps ON ps.id = r.prompt_set_id
                        WHERE m.tokenizer_sha256 = :tokenizer_sha256
                            AND ps.sha256 <> :prompt_set_sha256
                            AND r.deleted_at_ms IS NULL
                    )
                ORDER BY g.id DESC
                LIMIT :limit",
            )?;
            let parameters = named_params! {
                ":tokenizer_sha256": tokenizer_sha256,
                ":prompt_set_sha256": prompt_set_sha256,
                ":limit": MAX_OUTPUTS,
            };
            let mut rows = statement.query(parameters)?;
            let mut counts = HashMap::new();
            while let Some(row) = rows.next()? {
                for token in tokens_of(&row.get::<_, Vec<u8>>("output_tokens")?) {
                    *counts.entry(token).or_default() += 1;
                }
            }
            Ok(counts)
        })
    }
}

/// Stores what a run's draft proposes from.
pub(super) fn insert(connection: &Connection, run: RunId, vocabulary: &DraftVocabulary) -> Result<()> {
    connection.execute(
        "INSERT INTO run_draft_vocabularies (
            run_id, blob_id, num_tokens, num_special, num_from_outputs, num_from_list, num_from_lowest
        )
        VALUES (
            :run_id, :blob_id, :num_tokens, :num_special, :num_from_outputs, :num_from_list, :num_from_lowest
        )",
        named_params! {
            ":run_id": run.0,
            ":blob_id": blobs::insert(connection, &token_bytes(&vocabulary.tokens))?,
            ":num_tokens": to_integer(vocabulary.tokens.len() as u64),
            ":num_special": vocabulary.num_special,
            ":num_from_outputs": vocabulary.num_from_outputs,
            ":num_from_list": vocabulary.num_from_list,
            ":num_from_lowest": vocabulary.num_from_lowest,
        },
    )?;
    Ok(())
}

/// Reads what a run's draft proposes from; `None` where that is the whole vocabulary.
pub(super) fn of_run(connection: &Connection, run: RunId) -> Result<Option<DraftVocabulary>> {
    let sql = "SELECT blob_id, num_special, num_from_outputs, num_from_list, num_from_lowest
        FROM run_draft_vocabularies
        WHERE run_id = ?1";
    let found = connection.query_row(sql, [run.0], |row| {
        let vocabulary = DraftVocabulary {
            tokens: vec![],
            num_special: row.get("num_special")?,
            num_from_outputs: row.get("num_from_outputs")?,
            num_from_list: row.get("num_from_list")?,
            num_from_lowest: row.get("num_from_lowest")?,
        };
        Ok((row.get("blob_id")?, vocabulary))
    });
    let Some((blob_id, vocabulary)) = found.optional()? else {
        return Ok(None);
    };
    let tokens = tokens_of(&blobs::get(connection, blob_id)?).collect();
    Ok(Some(DraftVocabulary { tokens, ..vocabulary }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::NewRun;
    use crate::store::sample;

    #[test]
    fn outputs_of_the_same_tokenizer_are_counted() {
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        let tokenizer: String = sample::value(&store, "SELECT tokenizer_sha256 FROM models LIMIT 1");
        let prompts: String = sample::value(&store, "SELECT sha256 FROM prompt_sets");
        let (other, num_tokens) = ("0".repeat(64), "SELECT sum(total_tokens) FROM generations");
        let counted = |store: &Store, tokenizer: &str, prompts: &str| -> u64 {
            store.count_output_tokens(tokenizer, prompts).unwrap().values().sum()
        };
        let num_tokens: i64 = sample::value(&store, num_tokens);
        assert_eq!(counted(&store, &tokenizer, &other), num_tokens as u64);
        assert_eq!(counted(&store, &tokenizer, &prompts), 0, "answers to the same prompts do not count");
        assert_eq!(counted(&store, &other, &other), 0);
        store.connection.execute("UPDATE runs SET deleted_at_ms = 1", []).unwrap();
        assert_eq!(counted(&store, &tokenizer, &other), 0);
    }

    #[test]
    fn a_vocabulary_comes_back_with_its_run() {
        let (_folder, mut store) = sample::store();
        let vocabulary = DraftVocabulary {
            tokens: vec![7, 70_000, 3],
            num_special: 1,
            num_from_outputs: 1,
            num_from_list: 0,
            num_from_lowest: 1,
        };
        let new = NewRun { draft_vocabulary: Some(vocabulary.clone()), ..sample::run(1) };
        let first = store.begin_run(&new).unwrap();
        let second = store.begin_run(&new).unwrap();
        let whole = store.begin_run(&sample::run(1)).unwrap();
        for run in [first, second] {
            assert_eq!(store.run_plan(run).unwrap().draft_vocabulary, Some(vocabulary.clone()));
        }
        assert_eq!(store.run_plan(whole).unwrap().draft_vocabulary, None);
        let num_blobs: i64 =
            sample::value(&store, "SELECT count(DISTINCT blob_id) FROM run_draft_vocabularies");
        assert_eq!(num_blobs, 1);
    }
}
