//! `speclora adapters`: lists and shows stored adapters, names them, and moves them out to PEFT folders and in again.

mod show;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::UsageError;
use super::adapter::{
    AdapterOrigin, FittedAdapter, OtherDraft, fit_folder, for_another_draft, select_checkpoint,
};
use super::context::{Context, FileHashes, find_model};
use crate::config::Overrides;
use crate::engine::adapter::write_peft_folder;
use crate::engine::pair::Identified;
use crate::record::{AdapterRecord, CheckpointId};
use crate::report::Format;
use crate::store::{Rows, Store, Value};
use show::{list, show};

/// Arguments of `speclora adapters`.
#[derive(Debug, Args)]
pub struct AdaptersArgs {
    #[command(subcommand)]
    command: AdaptersCommand,
}

#[derive(Debug, Subcommand)]
enum AdaptersCommand {
    /// Lists stored adapters, newest first
    #[command(visible_alias = "ls")]
    List,
    /// Shows an adapter: shape, draft, training, what it continues, configuration
    Show(AdapterArgs),
    /// Makes a name stand for an adapter, and for no other of its draft
    Alias(AliasArgs),
    /// Writes an adapter for other programs
    Export(ExportArgs),
    /// Stores the adapter of a PEFT folder for a draft that it fits
    Import(ImportArgs),
}

#[derive(Debug, Args)]
struct AdapterArgs {
    /// The adapter: an alias (where several drafts have it, the one set last) or a checkpoint id
    #[arg(value_name = "ADAPTER")]
    adapter: String,
}

#[derive(Debug, Args)]
struct AliasArgs {
    /// The name: no number, no path, and without spaces
    #[arg(value_name = "NAME", value_parser = alias_name)]
    name: String,
    #[command(flatten)]
    adapter: AdapterArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "What was stored is written, byte for byte: importing it for the same draft gives the same adapter."
)]
struct ExportArgs {
    #[command(flatten)]
    adapter: AdapterArgs,
    /// The folder to write; there must be nothing in it
    #[arg(long, value_name = "FOLDER")]
    peft: PathBuf,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// A PEFT folder, with adapter_config.json and adapter_model.safetensors
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// A name for the adapter
    #[arg(long, value_name = "NAME", value_parser = alias_name)]
    alias: Option<String>,
    /// The draft model that it is for [default: the setting draft, or the built-in draft]
    #[arg(long, value_name = "MODEL")]
    draft: Option<String>,
    /// Imports weights that are stored for another draft, if their shapes fit
    #[arg(long)]
    force: bool,
}

/// Reads a name that later selects its adapter, and nothing else: numbers are ids, and what looks like a path or a flag is
/// one.
fn alias_name(text: &str) -> Result<String, String> {
    let problem = match text {
        "" => "a name has at least one character",
        _ if text.contains(char::is_whitespace) => "a name has no spaces",
        _ if text.starts_with(['.', '/', '~']) => "this looks like a path",
        _ if text.starts_with(['-', '@']) => "a name does not begin with - or @",
        // The type also reads `inf` and `nan`, which are as good names as any.
        _ if text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() => {
            "a number selects an adapter by its id"
        }
        _ => return Ok(text.to_owned()),
    };
    Err(problem.to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &AdaptersArgs, context: &Context) -> anyhow::Result<()> {
    match &args.command {
        AdaptersCommand::List => list(&context.open_store()?, context),
        AdaptersCommand::Show(args) => {
            show::refuse_rows(context.format())?;
            let store = context.open_store()?;
            show(select_checkpoint(&args.adapter, &store, None)?, &store, context)
        }
        AdaptersCommand::Alias(args) => {
            let mut store = context.open_store()?;
            let id = select_checkpoint(&args.adapter.adapter, &store, None)?;
            set_alias(&args.name, id, &mut store, context)
        }
        AdaptersCommand::Export(args) => {
            let store = context.open_store()?;
            export(select_checkpoint(&args.adapter.adapter, &store, None)?, &args.peft, &store, context)
        }
        AdaptersCommand::Import(args) => import(args, context),
    }
}

fn set_alias(name: &str, id: CheckpointId, store: &mut Store, context: &Context) -> anyhow::Result<()> {
    let draft = store.checkpoint(id)?.draft_model_sha256;
    let former = store.alias(name, Some(&draft))?.filter(|former| *former != id);
    store.set_alias(name, id)?;
    let former = former.map(|former| format!(" (before: {former})")).unwrap_or_default();
    context.ui.status(format!("{name} is adapter {id}{former}"));
    Ok(())
}

fn export(id: CheckpointId, folder: &Path, store: &Store, context: &Context) -> anyhow::Result<()> {
    write_peft_folder(&store.load_adapter(id)?, folder)?;
    let draft = store.checkpoint(id)?.draft_model_name.map(|name| format!(" of {name}")).unwrap_or_default();
    context.ui.status(format!("wrote adapter {id}{draft} to {}", folder.display()));
    Ok(())
}

/// Stores an adapter. Nothing is written before it is found to fit: an import that fails leaves no database.
fn import(args: &ImportArgs, context: &Context) -> anyhow::Result<()> {
    if !args.folder.is_dir() {
        let folder = args.folder.display();
        anyhow::bail!("no folder {folder} (give one with adapter_config.json and adapter_model.safetensors)");
    }
    let mut overrides = Overrides::NONE;
    overrides.set("draft", args.draft.as_deref());
    let (spec, _) = context.resolve(overrides)?;
    let no_draft = || UsageError("no draft model (give --draft, or set draft in speclora.toml)".to_owned());
    let draft = find_model(spec.draft.as_deref().ok_or_else(no_draft)?, &spec)?;
    let database = context.database_path(&spec)?;
    let mut existing = database.exists().then(|| Store::open(&database)).transpose()?;
    if let Some(store) = &existing {
        context.note_upgrade(store);
    }
    let draft = Identified::open(&draft, &mut FileHashes::new(existing.as_mut(), &context.ui))?;
    let FittedAdapter { origin: AdapterOrigin::Folder(record), .. } = fit_folder(&args.folder, &draft)?
    else {
        unreachable!("it was read from a folder");
    };
    if let Some(store) = &existing {
        let other_draft = OtherDraft::by_force(args.force, &context.ui);
        meet_stored_weights(&record, &draft, store, other_draft)?;
    }
    let mut store = existing.map_or_else(|| Store::open(&database), Ok)?;
    let id = store.import_adapter(&record, &draft.info)?;
    context.ui.status(format!(
        "imported {} as adapter {id}, for {}",
        args.folder.display(),
        draft.files.path().display()
    ));
    if let Some(name) = &args.alias {
        set_alias(name, id, &mut store, context)?;
    }
    match context.format() {
        Format::Json => show(id, &store, context),
        _ => Ok(()),
    }
}

/// Weights that are stored for other drafts alone were made for one of them.
fn meet_stored_weights(
    record: &AdapterRecord,
    draft: &Identified,
    store: &Store,
    other_draft: OtherDraft<'_>,
) -> anyhow::Result<()> {
    let rows = store.query("checkpoints", &[(":limit", Value::Integer(-1))])?;
    let is = |row: &[Value], column: &str, text: &str| {
        *column_of(&rows, row, column) == Value::Text(text.to_owned())
    };
    let same = rows.rows.iter().filter(|row| is(row, "adapter_sha256", &record.sha256));
    let (ours, others): (Vec<_>, Vec<_>) =
        same.partition(|row| is(row, "draft_model_sha256", &draft.info.sha256));
    let Some(Value::Integer(id)) = others.first().map(|row| column_of(&rows, row, "checkpoint_id")) else {
        return Ok(());
    };
    match for_another_draft(CheckpointId(*id), store, draft)? {
        Some(problem) if ours.is_empty() => {
            let problem = format!("the weights of {} are stored already: {problem}", record.source);
            other_draft.meet(&problem, "give that model as --draft")
        }
        _ => Ok(()),
    }
}

/// A row's value in a column.
fn column_of<'a>(rows: &Rows, row: &'a [Value], name: &str) -> &'a Value {
    let index = rows.columns.iter().position(|column| column == name);
    &row[index.expect("the query has this column")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_selects_its_adapter_and_nothing_else() {
        for bad in ["", "12", "-3", "1.5", "+7", "./x", "/x", "~x", "@latest", "--force", "my name", " a"] {
            assert!(alias_name(bad).is_err(), "{bad:?}");
        }
        for good in ["best", "v1.2", "12b", "größer", "inf", "code/rust"] {
            assert_eq!(alias_name(good).as_deref(), Ok(good));
        }
    }
}
