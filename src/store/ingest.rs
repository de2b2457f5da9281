//! What `benches/ingest.rs` times of the store: how fast it takes in what runs measure. Not part of the API; nothing in the
//! program calls it.

use std::path::Path;

use super::{Result, Store};
use crate::record::{ExampleId, Generation, NewRun, Purpose, RunId, TrainStep};

/// A database that takes in rows as a command's does.
#[derive(Debug)]
pub struct Ingest(Store);

impl Ingest {
    /// Opens a database, which is made if there is none.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        Store::open(path).map(Self)
    }

    /// Begins a run that generates.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn begin_run(&mut self, new: &NewRun) -> Result<RunId> {
        self.0.begin_run(new)
    }

    /// Begins a run that trains.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn begin_training(&mut self, new: &NewRun, examples: &[(ExampleId, Purpose)]) -> Result<RunId> {
        self.0.begin_training(new, examples)
    }

    /// Commits a generation with its rounds.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn record_generation(&mut self, run: RunId, generation: &Generation) -> Result<()> {
        self.0.record_generation(run, generation)
    }

    /// Commits a step of training with what it learned from.
    ///
    /// # Errors
    /// If it cannot be stored.
    pub fn record_train_step(&mut self, run: RunId, step: &TrainStep) -> Result<()> {
        self.0.record_train_step(run, step)
    }
}
