//! `speclora runs restore`: takes runs out of the trash.

use clap::Args;

use super::delete::runs_are;
use crate::cmd::context::Context;
use crate::cmd::selectors::each_once;

/// Arguments of `speclora runs restore`.
#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The runs in the trash (speclora runs list --deleted): 12, @latest, a name, or the beginning of a uid
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &RestoreArgs, context: &Context) -> anyhow::Result<()> {
    let mut store = context.open_store()?;
    let runs = each_once(&args.runs, |selector| store.resolve_trashed_run(selector))?;
    store.restore_runs(&runs)?;
    context.ui.status(format!("{} back", runs_are(&runs)));
    Ok(())
}
