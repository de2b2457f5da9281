//! `speclora runs note`: adds a note to a run.

use std::io::Read as _;

use anyhow::Context as _;
use clap::Args;

use crate::cmd::UsageError;
use crate::cmd::context::Context;
use crate::cmd::selectors::selector;

/// Arguments of `speclora runs note`.
#[derive(Debug, Args)]
#[command(
    after_help = "Notes are added to those that are there; speclora runs show says when each was made."
)]
pub(super) struct NoteArgs {
    /// The run (12, @latest, @latest~1, a name, or the beginning of a uid), and the note; - reads it from standard input
    #[arg(value_names = ["RUN", "TEXT"], required = true, num_args = 2..)]
    words: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &NoteArgs, context: &Context) -> anyhow::Result<()> {
    let num_words = if args.words[0] == "run" && args.words.len() > 2 { 2 } else { 1 };
    let (words, text) = args.words.split_at(num_words);
    let selector = selector(words)?;
    let mut store = context.open_store()?;
    let run = store.resolve_run(selector)?;
    let text = match text.join(" ").as_str() {
        "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("cannot read the note from standard input")?;
            text
        }
        text => text.to_owned(),
    };
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(UsageError("a note has at least one word".to_owned()).into());
    }
    store.add_note(run, text)?;
    context.ui.status(format!("noted on run {run}"));
    Ok(())
}
