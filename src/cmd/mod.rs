//! The commands: one file each, with its arguments and its handler.
//!
//! A handler is glue. It resolves settings, opens the store, loads models, runs a pure plan, hands results to the store
//! and asks a renderer for text; it holds no maths and no SQL.

mod adapter;
pub mod adapters;
mod answers;
pub mod backup;
pub mod bench;
pub mod collect;
pub mod compare;
pub mod config;
mod context;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod export;
mod facts;
pub mod generate;
mod interrupt;
mod measured;
pub mod models;
mod output;
mod parameters;
mod present;
pub mod query;
pub mod runs;
mod selectors;
pub mod sql;
pub mod stats;
pub mod train;

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::ui::OutputError;
use context::Context;
pub use context::GlobalArgs;

/// Exit code of a command line, configuration file or variable that cannot be used.
const USAGE: u8 = 2;
/// Exit code of a gate that failed.
const GATE_FAILED: u8 = 3;
/// Exit code of what cannot be compared.
const NOT_COMPARABLE: u8 = 4;
/// Exit code of a gate that cannot be decided, where that was asked for.
const INCONCLUSIVE: u8 = 5;
/// Exit code of a command that the user interrupted.
const INTERRUPTED: u8 = 130;

/// A command line that cannot be used, found after it was parsed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// The user stopped a command.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Interrupted(String);

/// A change that must not be is there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct GateFailed(String);

/// What was named cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NotComparable(String);

/// Whether a change that must not be is there cannot be told.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Inconclusive(String);

/// Runs a command with what every command is given, and says how it ended.
pub(crate) fn run(global: GlobalArgs, command: impl FnOnce(&Context) -> anyhow::Result<()>) -> ExitCode {
    let context = Context::new(global);
    match command(&context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            context.ui.error(format!("{error:#}"));
            ExitCode::from(exit_code(&error))
        }
    }
}

/// The error of a command that writes text and was asked for Parquet.
pub(crate) fn refuse_parquet() -> anyhow::Result<()> {
    let problem = "--format parquet: speclora export writes it, other commands write text";
    Err(UsageError(problem.to_owned()).into())
}

/// The reader of our output has what it wanted.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OutputError::Closed))
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<Interrupted>() {
        INTERRUPTED
    } else if error.is::<ConfigError>() || error.is::<UsageError>() {
        USAGE
    } else if error.is::<GateFailed>() {
        GATE_FAILED
    } else if error.is::<NotComparable>() {
        NOT_COMPARABLE
    } else if error.is::<Inconclusive>() {
        INCONCLUSIVE
    } else {
        1
    }
}
