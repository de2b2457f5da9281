//! What a training run leaves on its way: adapters, and the state from which it can go on.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::{Result, Store, aliases, blobs, checkpoints, runs};
use crate::environment::now_ms;
use crate::record::{AdapterRecord, CheckpointId, ModelInfo, RunId, TrainingState};

/// The name that stands for the checkpoint that was made last.
const LATEST: &str = "latest";

impl Store {
    /// Stores the adapter of a training run after so many steps with the optimiser's state, in place of what there is of
    /// that step already, so that a power cut cannot undo it. The name `latest` moves to it, and the states of the run's
    /// other checkpoints go.
    ///
    /// # Errors
    /// If the run is not running, the weights are not those that the adapter's SHA-256 promises, or a value breaks a rule
    /// of the schema.
    pub fn record_checkpoint(
        &mut self,
        run: RunId,
        step: u32,
        adapter: &AdapterRecord,
        draft: &ModelInfo,
        optimizer: &[u8],
    ) -> Result<CheckpointId> {
        checkpoints::check_weights(&adapter.source, &adapter.sha256, &adapter.weights)?;
        self.write_durably(|transaction| {
            runs::beat(transaction, run)?;
            let checkpoint = checkpoints::find_or_insert(transaction, adapter, draft)?;
            let former = states(transaction, run)?;
            transaction.execute("UPDATE train_checkpoints SET state_blob_id = NULL WHERE run_id = ?1", [run.0])?;
            transaction.execute(
                "INSERT OR REPLACE INTO train_checkpoints (run_id, step, checkpoint_id, state_blob_id, created_at_ms)
                VALUES (:run_id, :step, :checkpoint_id, :state_blob_id, :created_at_ms)",
                named_params! {
                    ":run_id": run.0,
                    ":step": step,
                    ":checkpoint_id": checkpoint.0,
                    ":state_blob_id": blobs::insert(transaction, optimizer)?,
                    ":created_at_ms": now_ms(),
                },
            )?;
            for blob_id in former {
                blobs::delete_unused(transaction, blob_id)?;
            }
            aliases::set(transaction, LATEST, checkpoint)?;
            Ok(checkpoint)
        })
    }

    /// Returns from where a training run goes on: its newest checkpoint, with the optimiser's state checked against its
    /// SHA-256. `None` before the first.
    ///
    /// # Errors
    /// If the state is damaged.
    pub fn training_state(&self, run: RunId) -> Result<Option<TrainingState>> {
        self.read(|connection| {
            let sql = "SELECT step, checkpoint_id, state_blob_id
                FROM train_checkpoints
                WHERE run_id = ?1 AND state_blob_id IS NOT NULL
                ORDER BY step DESC
                LIMIT 1";
            let found = connection
                .query_row(sql, [run.0], |row| Ok((row.get(0)?, CheckpointId(row.get(1)?), row.get(2)?)));
            let Some((step, checkpoint_id, blob_id)) = found.optional()? else {
                return Ok(None);
            };
            let origin = format!("state of run {run} after step {step}");
            let optimizer = blobs::get_checked(connection, blob_id, &origin)?;
            Ok(Some(TrainingState { step, checkpoint_id, optimizer }))
        })
    }

    /// Lists the checkpoints of a training run, in the order of their steps.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn train_checkpoints(&self, run: RunId) -> Result<Vec<(u32, CheckpointId)>> {
        self.read(|connection| {
            let sql = "SELECT step, checkpoint_id FROM train_checkpoints WHERE run_id = ?1 ORDER BY step";
            let mut statement = connection.prepare(sql)?;
            let checkpoints =
                statement.query_map(params![run.0], |row| Ok((row.get(0)?, CheckpointId(row.get(1)?))))?;
            Ok(checkpoints.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// The blobs that have states of a run.
fn states(connection: &Connection, run: RunId) -> Result<Vec<i64>> {
    let sql = "SELECT DISTINCT state_blob_id
        FROM train_checkpoints
        WHERE run_id = ?1 AND state_blob_id IS NOT NULL";
    let mut statement = connection.prepare(sql)?;
    let states = statement.query_map([run.0], |row| row.get(0))?;
    Ok(states.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn run_goes_on_from_its_newest_checkpoint_and_keeps_no_other_state() {
        let (_folder, mut store, run, _) = sample::training();
        assert_eq!(store.training_state(run).unwrap(), None);
        let checkpoints = [2, 4].map(|step| sample::record_checkpoint(&mut store, run, step));
        let expected =
            TrainingState { step: 4, checkpoint_id: checkpoints[1], optimizer: sample::optimizer(4) };
        assert_eq!(store.training_state(run).unwrap(), Some(expected));
        assert_eq!(store.train_checkpoints(run).unwrap(), [(2, checkpoints[0]), (4, checkpoints[1])]);
        assert_eq!(store.alias("latest", None).unwrap(), Some(checkpoints[1]));
        let states = sample::count(&store, "train_checkpoints WHERE state_blob_id IS NOT NULL");
        assert_eq!(states, 1);
        // Three examples, one adapter's weights, one state.
        assert_eq!(sample::count(&store, "blobs"), 5);
        assert_eq!(sample::count(&store, "blob_chunks"), 5);
    }

    #[test]
    fn checkpoint_that_is_made_again_takes_the_place_of_the_first() {
        let (_folder, mut store, run, _) = sample::training();
        let first = sample::record_checkpoint(&mut store, run, 2);
        assert_eq!(sample::record_checkpoint(&mut store, run, 2), first);
        assert_eq!(store.training_state(run).unwrap().unwrap().optimizer, sample::optimizer(2));
        let other = sample::trained_adapter(7);
        let second = store.record_checkpoint(run, 2, &other, &sample::model("draft"), b"other").unwrap();
        assert_eq!(store.train_checkpoints(run).unwrap(), [(2, second)]);
        assert_eq!(store.training_state(run).unwrap().unwrap().optimizer, b"other");
        assert_eq!(sample::count(&store, "blobs"), 5);
    }

    #[test]
    fn state_that_something_else_refers_to_is_kept() {
        let (_folder, mut store, run, _) = sample::training();
        let other = store.begin_training(&sample::train_run(None), &[]).unwrap();
        let state = sample::optimizer(2);
        sample::record_checkpoint(&mut store, run, 2);
        sample::record_checkpoint(&mut store, other, 2);
        sample::record_checkpoint(&mut store, run, 4);
        assert_eq!(store.training_state(other).unwrap().unwrap().optimizer, state);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn damaged_state_is_noticed() {
        let (_folder, mut store, run, _) = sample::training();
        sample::record_checkpoint(&mut store, run, 2);
        store.connection.execute("UPDATE blob_chunks SET data = x'00'", []).unwrap();
        let message = store.training_state(run).unwrap_err().to_string();
        assert!(
            message.starts_with("state of run 2 after step 2: the stored bytes are damaged"),
            "{message}"
        );
    }
}
