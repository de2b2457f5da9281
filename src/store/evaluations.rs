//! What drafts make of targets' outputs: during training, of the held-out examples; in an evaluation, of its prompts.

use rusqlite::{Connection, Row, params};

use super::{Result, Store, runs};
use crate::record::{CheckpointId, ExampleId, HeldOutFigures, OutputEvaluation, RunId};

/// The columns that the table `train_evaluation_summaries` shares with the view `train_evaluations`.
const COLUMNS: &str = "run_id, step, num_examples, num_positions, expected_acceptance, top1_agreement, loss, \
    acceptance_rate, mean_acceptance_length";

impl Store {
    /// Stores what a training run's draft makes of held-out examples after so many steps, in place of what there is of them
    /// already, and marks the run as alive: one commit.
    ///
    /// # Errors
    /// If the run is not running or has not such an example, or a sum is no number.
    pub fn record_train_evaluation(
        &mut self,
        run: RunId,
        step: u32,
        evaluations: &[(ExampleId, OutputEvaluation)],
    ) -> Result<()> {
        self.write(|transaction| {
            runs::beat(transaction, run)?;
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO example_evaluations (
                    run_id, step, example_id, num_positions, expected_acceptance, num_agreements, loss, num_rounds,
                    num_drafted, num_accepted, num_emitted
                )
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            for (example, evaluation) in evaluations {
                insert.execute(params![
                    run.0,
                    step,
                    example.0,
                    evaluation.num_positions,
                    evaluation.expected_acceptance,
                    evaluation.num_agreements,
                    evaluation.loss,
                    evaluation.num_rounds,
                    evaluation.num_drafted,
                    evaluation.num_accepted,
                    evaluation.num_emitted,
                ])?;
            }
            summarise(transaction, run, step)
        })
    }

    /// Returns a training run's held-out figures, in the order of their steps.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn train_evaluations(&self, run: RunId) -> Result<Vec<HeldOutFigures>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT step, expected_acceptance, top1_agreement, loss, acceptance_rate, mean_acceptance_length
                FROM train_evaluations
                WHERE run_id = ?1
                ORDER BY step",
            )?;
            let figures = statement.query_map([run.0], |row| {
                Ok(HeldOutFigures {
                    step: row.get("step")?,
                    expected_acceptance: row.get("expected_acceptance")?,
                    top1_agreement: row.get("top1_agreement")?,
                    loss: row.get("loss")?,
                    acceptance_rate: row.get("acceptance_rate")?,
                    mean_acceptance_length: row.get("mean_acceptance_length")?,
                })
            })?;
            Ok(figures.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Returns what a training run's draft made of each held-out example after so many steps, in the order of their ids.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn example_evaluations(&self, run: RunId, step: u32) -> Result<Vec<(ExampleId, OutputEvaluation)>> {
        self.read(|connection| {
            let mut statement = connection.prepare(
                "SELECT
                    example_id, num_positions, expected_acceptance, num_agreements, loss, num_rounds, num_drafted,
                    num_accepted, num_emitted
                FROM example_evaluations
                WHERE run_id = ?1 AND step = ?2
                ORDER BY example_id",
            )?;
            let evaluations = statement.query_map(params![run.0, step], |row| {
                Ok((ExampleId(row.get("example_id")?), evaluation(row)?))
            })?;
            Ok(evaluations.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Stores what a draft makes of the target's output to a prompt of a run, in place of what there is of it already, and
    /// marks the run as alive: one commit. Without a checkpoint, it is the draft as it is.
    ///
    /// # Errors
    /// If the run is not running or has not such a prompt, the checkpoint is unknown, or a sum is no number.
    pub fn record_prompt_evaluation(
        &mut self,
        run: RunId,
        prompt_index: u32,
        checkpoint: Option<CheckpointId>,
        evaluation: &OutputEvaluation,
    ) -> Result<()> {
        self.write(|transaction| {
            runs::beat(transaction, run)?;
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO prompt_evaluations (
                        run_id, prompt_index, checkpoint_id, num_positions, expected_acceptance, num_agreements,
                        num_rounds, num_drafted, num_accepted, num_emitted
                    )
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    run.0,
                    prompt_index,
                    checkpoint.map(|id| id.0),
                    evaluation.num_positions,
                    evaluation.expected_acceptance,
                    evaluation.num_agreements,
                    evaluation.num_rounds,
                    evaluation.num_drafted,
                    evaluation.num_accepted,
                    evaluation.num_emitted,
                ])?;
            Ok(())
        })
    }
}

fn evaluation(row: &Row<'_>) -> rusqlite::Result<OutputEvaluation> {
    Ok(OutputEvaluation {
        num_positions: row.get("num_positions")?,
        expected_acceptance: row.get("expected_acceptance")?,
        num_agreements: row.get("num_agreements")?,
        loss: row.get("loss")?,
        num_rounds: row.get("num_rounds")?,
        num_drafted: row.get("num_drafted")?,
        num_accepted: row.get("num_accepted")?,
        num_emitted: row.get("num_emitted")?,
    })
}

/// Stores what the view says of a step, in place of what it said before.
fn summarise(connection: &Connection, run: RunId, step: u32) -> Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO train_evaluation_summaries ({COLUMNS})
        SELECT {COLUMNS} FROM train_evaluations WHERE run_id = ?1 AND step = ?2"
    );
    connection.execute(&sql, params![run.0, step])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn held_out_figures_are_means_over_positions_by_step() {
        let (_folder, mut store, run, ids) = sample::training();
        let (a, b) = (sample::evaluation(9.0), sample::evaluation(3.0));
        store.record_train_evaluation(run, 4, &[(ids[1], a), (ids[2], b)]).unwrap();
        store.record_train_evaluation(run, 0, &[(ids[2], a)]).unwrap();
        store.record_train_evaluation(run, 0, &[(ids[2], b)]).unwrap();
        let at = |step, expected_acceptance| HeldOutFigures {
            step,
            expected_acceptance,
            top1_agreement: 0.6,
            loss: 0.5,
            acceptance_rate: Some(0.625),
            mean_acceptance_length: Some(2.25),
        };
        assert_eq!(store.train_evaluations(run).unwrap(), [at(0, 0.3), at(4, 0.6)]);
        assert_eq!(store.example_evaluations(run, 4).unwrap(), [(ids[1], a), (ids[2], b)]);
        assert_eq!(store.example_evaluations(run, 0).unwrap(), [(ids[2], b)]);
        assert_eq!(store.example_evaluations(run, 1).unwrap(), []);
    }

    #[test]
    fn evaluation_of_a_prompt_is_stored_once_for_each_draft() {
        let (_folder, mut store) = sample::store();
        let checkpoint = store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
        let run = store.begin_run(&sample::run(2)).unwrap();
        for expected_acceptance in [1.0, 4.0] {
            for (prompt_index, checkpoint) in [(0, None), (1, None), (0, Some(checkpoint))] {
                let evaluation = sample::evaluation(expected_acceptance);
                store.record_prompt_evaluation(run, prompt_index, checkpoint, &evaluation).unwrap();
            }
        }
        assert_eq!(sample::count(&store, "prompt_evaluations"), 3);
        let figures: Vec<f64> = sample::column(
            &store,
            "SELECT expected_acceptance FROM draft_evaluations ORDER BY checkpoint_id",
        );
        assert_eq!(figures, [0.4, 0.4]);
        let evaluation = sample::evaluation(1.0);
        assert!(store.record_prompt_evaluation(run, 7, None, &evaluation).is_err());
    }
}
