//! `speclora runs rename`: gives a run a name.

use clap::Args;

use crate::cmd::UsageError;
use crate::cmd::bench::flags::run_name;
use crate::cmd::context::Context;
use crate::cmd::selectors::selector;
use crate::record::RunId;
use crate::store::Store;

/// Arguments of `speclora runs rename`.
#[derive(Debug, Args)]
#[command(after_help = "Several runs may bear one name: it selects the newest of them.")]
pub(super) struct RenameArgs {
    /// The run (12, @latest, @latest~1, a name, or the beginning of a uid), and its new name
    #[arg(value_names = ["RUN", "NAME"], required = true, num_args = 1..)]
    words: Vec<String>,
    /// Takes the name away
    #[arg(long)]
    clear: bool,
}

/// Runs the command.
pub(super) fn run(args: &RenameArgs, context: &Context) -> anyhow::Result<()> {
    let num_words = if args.words[0] == "run" && args.words.len() > 2 { 2 } else { 1 };
    let (words, name) = match args.clear {
        true => (args.words.as_slice(), None),
        false if args.words.len() > num_words && args.words[..] != ["run"] => {
            let (words, name) = args.words.split_at(num_words);
            (words, Some(name.join(" ")))
        }
        false => {
            let problem = "name the run and its new name, like \"run 12 baseline\" (or --clear)";
            return Err(UsageError(problem.to_owned()).into());
        }
    };
    let name =
        name.map(|name| run_name(&name).map_err(|problem| UsageError(format!("\"{name}\": {problem}"))));
    let name = name.transpose()?;
    let selector = selector(words)?;
    let mut store = context.open_store()?;
    let run = store.resolve_run(selector)?;
    let former = store.run_name(run)?;
    store.rename_run(run, name.as_deref())?;
    let before = former.map(|former| format!(" (before: {former})")).unwrap_or_default();
    match name {
        None => context.ui.status(format!("run {run} has no name{before}")),
        Some(name) => {
            context.ui.status(format!("run {run} is {name}{before}"));
            note_others(&name, run, &store, context)?;
        }
    }
    Ok(())
}

/// Says which run a name selects, where several bear it.
fn note_others(name: &str, run: RunId, store: &Store, context: &Context) -> anyhow::Result<()> {
    let bearers = store.runs_of_name(name)?;
    let others: Vec<String> = bearers.iter().filter(|bearer| **bearer != run).map(RunId::to_string).collect();
    if let (Some(newest), false) = (bearers.first(), others.is_empty()) {
        let word = if others.len() == 1 { "run" } else { "runs" };
        let others = others.join(", ");
        context
            .ui
            .note(format!("{word} {others} had this name already: {name} selects the newest, run {newest}"));
    }
    Ok(())
}
