//! `speclora train`: teaches the draft what the target said, from stored examples.

mod flags;
mod job;
mod prepare;
mod promote;
pub(super) mod summary;

pub use flags::TrainArgs;

use super::bench::job::Ended;
use super::context::Context;
use super::is_closed_pipe;

/// Runs the command.
pub(crate) fn run(args: &TrainArgs, context: &Context) -> anyhow::Result<()> {
    let job = prepare::prepared(args, context)?;
    let Ended { store, run, error } = job::carry_out(job, context)?;
    match summary::print(&store, run, context) {
        Err(error) if is_closed_pipe(&error) => {}
        printed if error.is_none() => printed?,
        // What ended the run counts more.
        _ => {}
    }
    error.map_or(Ok(()), Err)
}
