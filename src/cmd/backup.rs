//! `speclora backup`: copies the database as a whole.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;

use super::UsageError;
use super::context::Context;
use super::output::is_stdout;
use crate::config::Overrides;
use crate::report::{Cell, Column, Grid, shown_bytes};

/// Arguments of `speclora backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "The copy is the database at one moment, made while others read and write, checked, and never put in place \
    of a file. It is a database like any other: --db names it. Before a database is brought to a newer schema, a copy is kept \
    beside it by itself, as FILE.backup-vN."
)]
pub struct BackupArgs {
    /// The copy [default: beside the database, with the time (UTC) in its name]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(args: &BackupArgs, context: &Context) -> anyhow::Result<()> {
    if args.file.as_deref().is_some_and(is_stdout) {
        return Err(UsageError("backup writes a file, and not standard output".to_owned()).into());
    }
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let database = context.database_path(&spec)?;
    let path = match &args.file {
        Some(path) => path.clone(),
        None => beside(&database, &chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string()),
    };
    if let Some(what) = context.protected(&spec)?.find(&path)
        && !path.exists()
    {
        return Err(UsageError(format!("{} is {what} (name another file)", path.display())).into());
    }
    let backup = context.open_database(&database)?.back_up(&path)?;
    let is_for_people = context.format().is_for_people();
    let mut grid = Grid::new([
        Column::new("path", "Copy"),
        Column::number("size_bytes", "Size"),
        Column::number("schema_version", "Schema"),
        Column::number("num_runs", "Runs"),
    ]);
    grid.push([
        Cell::Text(backup.path.display().to_string()),
        match is_for_people {
            true => Cell::Text(shown_bytes(backup.size_bytes)),
            false => Cell::integer(i64::try_from(backup.size_bytes).ok()),
        },
        Cell::Integer(backup.schema_version),
        Cell::Integer(backup.num_runs),
    ]);
    context.print(&grid)
}

/// The name of a copy that was made at a time.
fn beside(database: &Path, time: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(format!(".backup-{time}"));
    PathBuf::from(name)
}
