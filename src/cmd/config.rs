//! `speclora config`: shows the resolved settings.

use clap::{Args, Subcommand};

use super::context::Context;
use super::present::shortened;
use crate::config::{KEYS, Overrides};
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
pub(crate) fn run(args: &ConfigArgs, context: &Context) -> anyhow::Result<()> {
    let ConfigCommand::Show(args) = &args.command;
    let (_, settings) = context.resolve(Overrides::NONE)?;
    let mut columns = SHOWN.to_vec();
    if args.origin {
        columns.extend(ORIGIN);
    }
    let settings = if context.format().is_for_people() { in_short(settings) } else { settings };
    context.print(&settings_grid(&settings, &columns))
}

/// Characters of a value that people see; programs get them all.
const VALUE_CHARACTERS: usize = 100;

/// A column: its key, its heading, and its cell.
type SettingColumn = (&'static str, &'static str, fn(&Setting) -> Cell);

const SHOWN: [SettingColumn; 2] =
    [("key", "Setting", |setting| Cell::Text(setting.key.clone())), ("value", "Value", value)];

const ORIGIN: [SettingColumn; 2] = [
    ("origin", "Origin", |setting| Cell::Text(setting.origin.to_string())),
    ("source", "Source", |setting| Cell::text(setting.source.clone())),
];

/// The settings of a run as this command shows them to people, with their origin.
pub(super) fn stored_settings_grid(settings: &[Setting]) -> Grid {
    let place = |setting: &Setting| KEYS.iter().position(|key| key.name == setting.key);
    let mut settings = in_short(settings.to_vec());
    settings.sort_by_key(place);
    settings_grid(&settings, &[SHOWN, ORIGIN].concat())
}

/// The settings with the beginning of what is long: a system prompt has no place in a table.
fn in_short(mut settings: Vec<Setting>) -> Vec<Setting> {
    for setting in &mut settings {
        if let serde_json::Value::String(text) = &mut setting.value {
            *text = shortened(text, VALUE_CHARACTERS);
        }
    }
    settings
}

fn settings_grid(settings: &[Setting], columns: &[SettingColumn]) -> Grid {
    let mut grid = Grid::new(columns.iter().map(|(key, title, _)| Column::new(*key, *title)));
    for setting in settings {
        grid.push(columns.iter().map(|(_, _, cell)| cell(setting)));
    }
    grid
}

fn value(setting: &Setting) -> Cell {
    match &setting.value {
        serde_json::Value::Null => Cell::Missing,
        serde_json::Value::String(text) => Cell::Text(text.clone()),
        other => Cell::Text(other.to_string()),
    }
}
