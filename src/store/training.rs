//! What training does, step by step: its examples, its steps, and what each learned from.

use rusqlite::{Connection, named_params, params};

use super::value::{finite, to_integer};
use super::{Result, Store, examples, runs};
use crate::environment::now_ms;
use crate::record::{ExampleId, ExampleSummary, NewRun, Purpose, RunId, TrainStep};

impl Store {
    /// Stores a training run with the examples that it has, and what each is for, as running in this process.
    ///
    /// # Errors
    /// If the database cannot be written, an example is unknown or there twice, or a value breaks a rule of the schema.
    pub fn begin_training(&mut self, new: &NewRun, examples: &[(ExampleId, Purpose)]) -> Result<RunId> {
        self.write(|transaction| {
            let run = runs::insert(transaction, new)?;
            let mut insert = transaction
                .prepare("INSERT INTO run_examples (run_id, example_id, purpose) VALUES (?1, ?2, ?3)")?;
            for (example, purpose) in examples {
                insert.execute(params![run.0, example.0, purpose.as_str()])?;
            }
            Ok(run)
        })
    }

    /// Lists the examples of a training run in the order of their ids, each with what it is for.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn run_examples(&self, run: RunId) -> Result<Vec<(ExampleSummary, Purpose)>> {
        self.read(|connection| {
            let sql = format!(
                "SELECT {}, re.purpose
                FROM run_examples AS re
                JOIN examples AS e ON e.id = re.example_id
                JOIN prompts AS p ON p.id = e.prompt_id
                WHERE re.run_id = ?1
                ORDER BY re.example_id",
                examples::SUMMARY
            );
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([run.0])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let purpose = purpose(&row.get::<_, String>("purpose")?);
                found.push((examples::summary(connection, row)?, purpose));
            }
            Ok(found)
        })
    }

    /// Stores a step with the examples that it learned from, in place of what there is of it already (a run that is
    /// resumed repeats the steps after its last checkpoint), and marks the run as alive: one commit.
    ///
    /// # Errors
    /// If the run is not running, or has not such an example.
    pub fn record_train_step(&mut self, run: RunId, step: &TrainStep) -> Result<()> {
        self.write(|transaction| {
            runs::beat(transaction, run)?;
            insert_step(transaction, run, step)?;
            // An example that is in a step twice has still been learned from.
            let mut insert = transaction.prepare_cached(
                "INSERT INTO train_step_examples (run_id, step, example_id)
                VALUES (?1, ?2, ?3)
                ON CONFLICT (run_id, step, example_id) DO NOTHING",
            )?;
            for example in &step.examples {
                insert.execute(params![run.0, step.step, example.0])?;
            }
            Ok(())
        })
    }
}

/// Stores a step in place of one of that number. There hardly ever is one, so that it is only looked for where it stands in
/// the way.
fn insert_step(connection: &Connection, run: RunId, step: &TrainStep) -> Result<()> {
    if insert_new_step(connection, run, step)? == 0 {
        connection
            .prepare_cached("DELETE FROM train_steps WHERE run_id = ?1 AND step = ?2")?
            .execute(params![run.0, step.step])?;
        insert_new_step(connection, run, step)?;
    }
    Ok(())
}

/// Stores a step unless there is one of that number, and returns how many rows that made.
fn insert_new_step(connection: &Connection, run: RunId, step: &TrainStep) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO train_steps (
                run_id, step, epoch, loss, nonfinite, gradient_norm, learning_rate, num_positions, num_tokens, step_ns,
                ended_at_ms
            )
            VALUES (
                :run_id, :step, :epoch, :loss, :nonfinite, :gradient_norm, :learning_rate, :num_positions, :num_tokens,
                :step_ns, :ended_at_ms
            )
            ON CONFLICT (run_id, step) DO NOTHING",
        )?
        .execute(named_params! {
            ":run_id": run.0,
            ":step": step.step,
            ":epoch": step.epoch,
            ":loss": finite(step.loss),
            ":nonfinite": nonfinite(step.loss),
            ":gradient_norm": finite(step.gradient_norm),
            ":learning_rate": step.learning_rate,
            ":num_positions": step.num_positions,
            ":num_tokens": step.num_tokens,
            ":step_ns": to_integer(step.step_ns),
            ":ended_at_ms": now_ms(),
        })
}

/// Names a loss that is no number.
fn nonfinite(loss: f64) -> Option<&'static str> {
    match loss {
        _ if loss.is_nan() => Some("nan"),
        f64::INFINITY => Some("inf"),
        f64::NEG_INFINITY => Some("-inf"),
        _ => None,
    }
}

fn purpose(text: &str) -> Purpose {
    let known = [Purpose::Train, Purpose::Replay, Purpose::HeldOut];
    known.into_iter().find(|purpose| purpose.as_str() == text).expect("the schema knows these three alone")
}

#[cfg(test)]
mod tests;
