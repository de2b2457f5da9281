//! `speclora runs`: lists and shows stored runs, labels them, and takes them away.

mod columns;
mod condition;
mod delete;
mod figures;
mod gc;
mod list;
mod moment;
mod note;
mod rename;
mod restore;
mod show;
mod tag;

use clap::{Args, Subcommand};

use super::context::Context;

/// Arguments of `speclora runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Lists runs, newest first; filters, sorts, ranks
    #[command(visible_alias = "ls")]
    List(Box<list::ListArgs>),
    /// Shows a run: state, models, settings with their origin, figures, and related runs
    Show(show::ShowArgs),
    /// Gives a run tags, or takes them away
    Tag(tag::TagArgs),
    /// Adds a note to a run
    Note(note::NoteArgs),
    /// Gives a run a name
    Rename(rename::RenameArgs),
    /// Moves runs to the trash, from which they can be restored
    #[command(visible_alias = "rm")]
    Delete(delete::DeleteArgs),
    /// Takes runs out of the trash
    Restore(restore::RestoreArgs),
    /// Deletes for good what is in the trash and what nothing needs; without --apply, only says what that is
    Gc(gc::GcArgs),
}

/// Runs the command.
pub(crate) fn run(args: &RunsArgs, context: &Context) -> anyhow::Result<()> {
    match &args.command {
        RunsCommand::List(args) => list::run(args, context),
        RunsCommand::Show(args) => show::run(args, context),
        RunsCommand::Tag(args) => tag::run(args, context),
        RunsCommand::Note(args) => note::run(args, context),
        RunsCommand::Rename(args) => rename::run(args, context),
        RunsCommand::Delete(args) => delete::run(args, context),
        RunsCommand::Restore(args) => restore::run(args, context),
        RunsCommand::Gc(args) => gc::run(args, context),
    }
}
