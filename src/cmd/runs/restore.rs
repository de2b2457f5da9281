//! `speclora runs restore`: takes runs out of the trash.

use clap::Args;

use super::delete::are;
use crate::cmd::context::Context;
use crate::cmd::selectors::selectors;

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
    let mut runs = Vec::new();
    for selector in selectors(&args.runs) {
        let run = store.resolve_trashed_run(selector)?;
        if !runs.contains(&run) {
            runs.push(run);
        }
    }
    store.restore_runs(&runs)?;
    context.ui.status(format!("{} back", are(&runs)));
    Ok(())
}
