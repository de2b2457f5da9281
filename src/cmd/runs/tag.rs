//! `speclora runs tag`: gives a run tags, or takes them away.

use clap::Args;

use crate::cmd::UsageError;
use crate::cmd::bench::prepare::parse_tags;
use crate::cmd::context::Context;
use crate::cmd::selectors::selector;

/// Arguments of `speclora runs tag`.
#[derive(Debug, Args)]
#[command(after_help = "A key has one value: a tag that is there already gets the new one.")]
pub(super) struct TagArgs {
    /// The run (12, @latest, @latest~1, a name, or the beginning of a uid), and its tags, each KEY=VALUE
    #[arg(value_names = ["RUN", "KEY=VALUE"], required = true, num_args = 1..)]
    words: Vec<String>,
    /// Removes the tag of this key; may be given more than once
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &TagArgs, context: &Context) -> anyhow::Result<()> {
    // A run's name may have a = in it, but comes first.
    let num_words = if args.words[0] == "run" && args.words.len() > 1 { 2 } else { 1 };
    let (words, tags) = args.words.split_at(num_words);
    let selector = selector(words)?;
    let tags = parse_tags(tags)?;
    if tags.is_empty() && args.remove.is_empty() {
        let problem = format!("name tags to set on run {selector} (KEY=VALUE), or to remove (--remove KEY)");
        return Err(UsageError(problem).into());
    }
    if let Some((key, _)) = tags.iter().find(|(key, _)| args.remove.contains(key)) {
        return Err(UsageError(format!("tag {key} is given and removed at once")).into());
    }
    let mut store = context.open_store()?;
    let run = store.resolve_run(selector)?;
    let removed = store.change_tags(run, &tags, &args.remove)?;
    let given = tags.iter().map(|(key, value)| format!("{key}={value}"));
    let gone = removed.iter().map(|key| format!("removed {key}"));
    let changes: Vec<String> = given.chain(gone).collect();
    if !changes.is_empty() {
        context.ui.status(format!("run {run}: {}", changes.join(", ")));
    }
    for key in args.remove.iter().filter(|key| !removed.contains(key)) {
        context.ui.note(format!("run {run} had no tag {key}"));
    }
    Ok(())
}
