//! `speclora config`: shows the resolved settings.

use clap::{Args, Subcommand};

use super::context::Context;
use crate::config::Overrides;
use crate::record::Setting;
use crate::report::{Cell, Column, Grid};

/// Arguments of `speclora config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Shows every setting as a command would use it
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// Says which layer, and which file, variable or flag, decided each setting
    #[arg(long)]
    origin: bool,
}

/// Runs the command.
pub(super) fn run(args: &ConfigArgs, context: &Context) -> anyhow::Result<()> {
    let ConfigCommand::Show(args) = &args.command;
    let (_, settings) = context.resolve(Overrides::NONE)?;
    context.print(&settings_grid(&settings, args.origin))
}

fn settings_grid(settings: &[Setting], with_origin: bool) -> Grid {
    let columns = [("key", "Setting"), ("value", "Value"), ("origin", "Origin"), ("source", "Source")];
    let num_columns = if with_origin { 4 } else { 2 };
    let mut grid = Grid::new(columns[..num_columns].iter().map(|(key, title)| Column::new(*key, *title)));
    for setting in settings {
        let value = match &setting.value {
            serde_json::Value::Null => Cell::Missing,
            serde_json::Value::String(text) => Cell::Text(text.clone()),
            other => Cell::Text(other.to_string()),
        };
        let cells = [
            Cell::Text(setting.key.clone()),
            value,
            Cell::Text(setting.origin.to_string()),
            Cell::text(setting.source.clone()),
        ];
        grid.push(cells.into_iter().take(num_columns));
    }
    grid
}
