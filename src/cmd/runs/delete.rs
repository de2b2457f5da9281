//! `speclora runs delete`: moves runs to the trash.

use clap::Args;

use crate::cmd::context::Context;
use crate::cmd::selectors::each_once;
use crate::record::RunId;

/// Arguments of `speclora runs delete`.
#[derive(Debug, Args)]
#[command(
    after_help = "A run in the trash is in no list and answers to no selector, no new training learns from what only it \
    collected, and no draft's vocabulary counts its outputs. Its rows and adapters stay, and what was made of them goes on \
    working, until speclora runs gc --apply. A run that a process works on is refused."
)]
pub(super) struct DeleteArgs {
    /// The runs: 12, @latest, @latest~1, a name, or the beginning of a uid; all or none of them go
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &DeleteArgs, context: &Context) -> anyhow::Result<()> {
    let mut store = context.open_store()?;
    let runs = each_once(&args.runs, |selector| store.resolve_run(selector))?;
    store.trash_runs(&runs)?;
    let ids = numbers(&runs);
    context.ui.status(format!(
        "{} in the trash (speclora runs restore {ids} brings {} back, speclora runs gc deletes for good)",
        runs_are(&runs),
        if runs.len() == 1 { "it" } else { "them" }
    ));
    Ok(())
}

/// `12 13`: what a command line takes.
fn numbers(runs: &[RunId]) -> String {
    runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(" ")
}

/// `run 12 is`, or `runs 12, 13 are`.
pub(super) fn runs_are(runs: &[RunId]) -> String {
    let ids = runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ");
    if runs.len() == 1 { format!("run {ids} is") } else { format!("runs {ids} are") }
}
