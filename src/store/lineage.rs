//! What an adapter has learned from, and all that it continues.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::types::FromSql;

use super::{Result, Store};
use crate::hash::sha256_hex;
use crate::record::{CheckpointId, ExampleId, Prompt};

/// The steps of a checkpoint (?1) and of those that it continues, each up to the step at which it was made: the rows of
/// `checkpoint_lineage` for this one, found by index, with the examples of their steps.
const LEARNED: &str = "WITH RECURSIVE
    lineage (checkpoint_id) AS (
        SELECT ?1
        UNION
        SELECT r.checkpoint_id
        FROM lineage AS l
        JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.checkpoint_id
        JOIN runs AS r ON r.id = tc.run_id
        WHERE r.checkpoint_id IS NOT NULL
    ),
    learned AS (
        SELECT DISTINCT tse.example_id
        FROM lineage AS l
        JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.checkpoint_id
        JOIN train_step_examples AS tse ON tse.run_id = tc.run_id AND tse.step <= tc.step
    )";

impl Store {
    /// Lists the examples that a checkpoint, or any that it continues, was trained on, in the order of their ids.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn trained_examples(&self, checkpoint: CheckpointId) -> Result<Vec<ExampleId>> {
        self.read(|connection| {
            let sql = format!("{LEARNED} SELECT example_id FROM learned ORDER BY example_id");
            Ok(column(connection, &sql, checkpoint)?.into_iter().map(ExampleId).collect())
        })
    }

    /// Counts the prompts whose text a checkpoint, or any that it continues, was trained on.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn leaked_prompts(&self, checkpoint: CheckpointId, prompts: &[Prompt]) -> Result<usize> {
        let learned: HashSet<String> = self.read(|connection| {
            let sql = format!(
                "{LEARNED}
                SELECT DISTINCT p.sha256
                FROM learned
                JOIN examples AS e ON e.id = learned.example_id
                JOIN prompts AS p ON p.id = e.prompt_id"
            );
            Ok(column(connection, &sql, checkpoint)?.into_iter().collect())
        })?;
        Ok(prompts.iter().filter(|prompt| learned.contains(&sha256_hex(prompt.text.as_bytes()))).count())
    }
}

fn column<T: FromSql>(connection: &Connection, sql: &str, checkpoint: CheckpointId) -> Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let values = statement.query_map([checkpoint.0], |row| row.get(0))?;
    Ok(values.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Purpose;
    use crate::store::sample;

    #[test]
    fn adapter_has_learned_what_it_and_its_ancestors_did_up_to_their_steps() {
        let (_folder, mut store, run, ids) = sample::training();
        store.record_train_step(run, &sample::step(1, &ids[..1])).unwrap();
        let early = sample::record_checkpoint(&mut store, run, 1);
        store.record_train_step(run, &sample::step(2, &ids[1..2])).unwrap();
        let late = sample::record_checkpoint(&mut store, run, 2);

        let from_early =
            store.begin_training(&sample::train_run(Some(early)), &[(ids[2], Purpose::Train)]).unwrap();
        store.record_train_step(from_early, &sample::step(1, &ids[2..])).unwrap();
        let child = sample::record_checkpoint(&mut store, from_early, 9);
        let imported = store.import_adapter(&sample::adapter(3), &sample::model("draft")).unwrap();

        let prompts = ["prompt 0", "prompt 2", "prompt 2", "unheard of"].map(|text| Prompt {
            text: text.to_owned(),
            external_id: None,
            category: None,
        });
        let check = |checkpoint, examples: &[ExampleId], num_leaked| {
            assert_eq!(store.trained_examples(checkpoint).unwrap(), examples);
            assert_eq!(store.leaked_prompts(checkpoint, &prompts).unwrap(), num_leaked);
        };
        check(early, &ids[..1], 1);
        check(late, &ids[..2], 1);
        check(child, &[ids[0], ids[2]], 3);
        check(imported, &[], 0);
    }
}
