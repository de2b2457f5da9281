//! Generations with their rounds: what is measured, stored the moment it exists.

use std::collections::HashSet;

use rusqlite::{Connection, Transaction, named_params, params};

use super::value::{finite, get_parsed, to_integer, token_bytes};
use super::{Result, Store, examples, runs};
use crate::hash::sha256_hex;
use crate::record::{Decoded, Generation, Mode, Round, RunId, Slot};

/// What tells one generation of a run from another: its place in the plan without the order of execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotKey {
    /// Index into the run's prompts.
    pub prompt_index: u32,
    /// How it was generated.
    pub mode: Mode,
    /// Repetition, from 0.
    pub iteration: u32,
    /// Whether it only warmed up.
    pub is_warmup: bool,
}

impl From<Slot> for SlotKey {
    fn from(slot: Slot) -> Self {
        let Slot { prompt_index, mode, iteration, is_warmup, exec_order: _ } = slot;
        Self { prompt_index, mode, iteration, is_warmup }
    }
}

impl Store {
    /// Stores a generation that ended, well or not, with its rounds, what was observed of it and the run's present
    /// environment, and marks the run as alive: one commit.
    ///
    /// # Errors
    /// If the run is not running, has this generation already, or observations do not fit the output.
    pub fn record_generation(&mut self, run: RunId, generation: &Generation) -> Result<()> {
        self.write(|transaction| {
            runs::beat(transaction, run)?;
            let id = insert(transaction, run, generation)?;
            match &generation.outcome {
                Ok(completion) => examples::insert(transaction, id, completion),
                Err(_) => Ok(()),
            }
        })
    }

    /// Returns the generations that a run has already, failed ones included.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn finished_slots(&self, run: RunId) -> Result<HashSet<SlotKey>> {
        self.read(|connection| {
            let sql = "SELECT prompt_index, mode, iteration, is_warmup FROM generations WHERE run_id = ?1";
            let mut statement = connection.prepare(sql)?;
            let slots = statement.query_map([run.0], |row| {
                Ok(SlotKey {
                    prompt_index: row.get("prompt_index")?,
                    mode: get_parsed(row, "mode")?,
                    iteration: row.get("iteration")?,
                    is_warmup: row.get("is_warmup")?,
                })
            })?;
            Ok(slots.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Stores the row of a generation, in which what is `None` is NULL, and its rounds. Returns its id.
fn insert(transaction: &Transaction<'_>, run: RunId, generation: &Generation) -> Result<i64> {
    let Generation { slot, outcome, .. } = generation;
    let completion = outcome.as_ref().ok();
    let decoded = completion.map(|completion| &completion.decoded);
    let totals = decoded.map(Totals::of);
    let tokens = decoded.map(|decoded| token_bytes(&decoded.tokens));
    transaction
        .prepare_cached(
            "INSERT INTO generations (
                run_id, environment_id, prompt_index, mode, iteration, is_warmup, exec_order, checkpoint_id, seed,
                started_at_ms, load_average, error, stop_reason, num_prompt_tokens, total_tokens, num_rounds,
                num_drafted, num_accepted, num_emitted, num_target_forwards, num_draft_forwards,
                time_to_first_token_ns, time_to_last_token_ns, output_tokens, output_sha256, output_text
            )
            SELECT
                id, environment_id, :prompt_index, :mode, :iteration, :is_warmup, :exec_order, :checkpoint_id, :seed,
                :started_at_ms, :load_average, :error, :stop_reason, :num_prompt_tokens, :total_tokens, :num_rounds,
                :num_drafted, :num_accepted, :num_emitted, :num_target_forwards, :num_draft_forwards,
                :time_to_first_token_ns, :time_to_last_token_ns, :output_tokens, :output_sha256, :output_text
            FROM runs
            WHERE id = :run_id",
        )?
        .execute(named_params! {
            ":run_id": run.0,
            ":prompt_index": slot.prompt_index,
            ":mode": slot.mode.as_str(),
            ":iteration": slot.iteration,
            ":is_warmup": slot.is_warmup,
            ":exec_order": slot.exec_order,
            ":checkpoint_id": generation.checkpoint_id.map(|id| id.0),
            ":seed": to_integer(generation.seed),
            ":started_at_ms": generation.started_at_ms,
            ":load_average": generation.load_average.and_then(finite),
            ":error": outcome.as_ref().err(),
            ":stop_reason": decoded.map(|decoded| decoded.stop_reason.as_str()),
            ":num_prompt_tokens": decoded.map(|decoded| decoded.num_prompt_tokens),
            ":total_tokens": decoded.map(|decoded| to_integer(decoded.tokens.len() as u64)),
            ":num_rounds": decoded.map(|decoded| to_integer(decoded.rounds.len() as u64)),
            ":num_drafted": totals.map(|totals| to_integer(totals.num_drafted)),
            ":num_accepted": totals.map(|totals| to_integer(totals.num_accepted)),
            ":num_emitted": totals.map(|totals| to_integer(totals.num_emitted)),
            ":num_target_forwards": decoded.map(|decoded| decoded.num_target_forwards),
            ":num_draft_forwards": decoded.map(|decoded| decoded.num_draft_forwards),
            ":time_to_first_token_ns": decoded.map(|decoded| to_integer(decoded.time_to_first_token_ns)),
            ":time_to_last_token_ns": decoded.map(|decoded| to_integer(decoded.time_to_last_token_ns)),
            ":output_sha256": tokens.as_deref().map(sha256_hex),
            ":output_tokens": tokens,
            ":output_text": completion.map(|completion| &completion.text),
        })?;
    let rounds = decoded.map_or(&[][..], |decoded| &decoded.rounds);
    let id = transaction.last_insert_rowid();
    insert_rounds(transaction, id, rounds)?;
    Ok(id)
}

fn insert_rounds(connection: &Connection, generation_id: i64, rounds: &[Round]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO rounds (generation_id, round, num_drafted, num_accepted, num_emitted, draft_ns, verify_ns)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (index, round) in (0_u32..).zip(rounds) {
        insert.execute(params![
            generation_id,
            index,
            round.num_drafted,
            round.num_accepted,
            round.num_emitted,
            to_integer(round.draft_ns),
            to_integer(round.verify_ns),
        ])?;
    }
    Ok(())
}

/// Sums over the rounds of one generation.
#[derive(Debug, Clone, Copy)]
struct Totals {
    num_drafted: u64,
    num_accepted: u64,
    num_emitted: u64,
}

impl Totals {
    fn of(decoded: &Decoded) -> Self {
        let sum = |count: fn(&Round) -> u32| decoded.rounds.iter().map(|round| u64::from(count(round))).sum();
        Self {
            num_drafted: sum(|round| round.num_drafted),
            num_accepted: sum(|round| round.num_accepted),
            num_emitted: sum(|round| round.num_emitted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem;

    use super::*;
    use crate::store::{Error, RunEnd, sample};

    #[test]
    fn generation_is_stored_with_its_rounds_and_their_sums() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        let slot = sample::slot(0, Mode::SpecBase, 2);
        let generation =
            sample::generation(slot, vec![7, 0x0102_0304, 5, 6, 9], 2.0, &[(3, 1), (3, 0), (1, 1)]);
        store.record_generation(run, &generation).unwrap();

        let stored: (i64, i64, i64, i64, i64, Vec<u8>, String) = sample::row(
            &store,
            "SELECT seed, num_rounds, num_drafted, num_accepted, num_emitted, output_tokens, stop_reason
                FROM generations",
        );
        let tokens = vec![7, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 6, 0, 0, 0, 9, 0, 0, 0];
        assert_eq!(stored, (i64::MAX, 3, 7, 2, 5, tokens, "max_tokens".to_owned()));

        let sums: (i64, i64, i64, i64) = sample::row(
            &store,
            "SELECT count(*), sum(num_drafted), sum(num_accepted), sum(num_emitted) FROM rounds",
        );
        assert_eq!(sums, (3, 7, 2, 5));
    }

    #[test]
    fn committed_generation_outlives_a_process_that_never_closes() {
        let (folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(2)).unwrap();
        for index in 0..2 {
            let slot = sample::slot(index, Mode::TargetOnly, 0);
            store.record_generation(run, &sample::generation(slot, vec![1, 2], 1.0, &[])).unwrap();
        }
        mem::forget(store);

        let later = Store::open_existing(folder.path().join("speclora.db")).unwrap();
        assert_eq!(later.finished_slots(run).unwrap().len(), 2);
    }

    #[test]
    fn failures_and_warmups_are_finished_slots() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        let slot = sample::slot(0, Mode::Control, 0);
        let warmup = Slot { is_warmup: true, ..slot };
        store.record_generation(run, &sample::failure(slot, "context is full")).unwrap();
        store.record_generation(run, &sample::generation(warmup, vec![1], 1.0, &[])).unwrap();
        let expected = HashSet::from([SlotKey::from(slot), SlotKey::from(warmup)]);
        assert_eq!(store.finished_slots(run).unwrap(), expected);
    }

    #[test]
    fn generation_with_a_bad_round_leaves_nothing() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        let slot = sample::slot(0, Mode::SpecBase, 0);
        let mut generation = sample::generation(slot, vec![1, 2, 3, 4], 1.0, &[(2, 1), (2, 1)]);
        let Ok(completion) = &mut generation.outcome else { unreachable!() };
        completion.decoded.rounds[1].num_emitted = 0;
        assert!(store.record_generation(run, &generation).is_err());
        assert_eq!(["generations", "rounds"].map(|table| sample::count(&store, table)), [0, 0]);
    }

    #[test]
    fn generation_is_refused_twice_and_after_the_end() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        let generation = sample::generation(sample::slot(0, Mode::TargetOnly, 0), vec![1], 1.0, &[]);
        store.record_generation(run, &generation).unwrap();
        let twice = sample::message(store.record_generation(run, &generation).unwrap_err());
        assert!(twice.contains("UNIQUE constraint failed"), "{twice}");

        store.finish_run(run, &RunEnd::Completed).unwrap();
        let other = sample::generation(sample::slot(0, Mode::Control, 0), vec![1], 1.0, &[]);
        assert!(matches!(store.record_generation(run, &other), Err(Error::RunNotRunning { .. })));
    }

    #[test]
    fn load_average_that_is_no_number_is_stored_as_null() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        for (iteration, load_average) in [(0, f64::NAN), (1, f64::INFINITY)] {
            let slot = sample::slot(0, Mode::TargetOnly, iteration);
            let generation = Generation { load_average: Some(load_average), ..sample::failure(slot, "none") };
            store.record_generation(run, &generation).unwrap();
        }
        assert_eq!(sample::count(&store, "generations WHERE load_average IS NULL"), 2);
    }
}
