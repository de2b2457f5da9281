//! `speclora runs`: lists stored runs and shows one.

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};

use super::UsageError;
use super::context::{Context, select_run};
use super::present::{self, Shown, chosen_grid, whole_grid};
use crate::record::RunId;
use crate::report::{Cell, Column, Format, Grid, Style, comparison_lines, details_grid, summary_grid};
use crate::store::{Rows, Store, Value};

/// Arguments of `speclora runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Debug, Subcommand)]
enum RunsCommand {
    /// Lists runs, newest first
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Shows a run: state, models, settings with their origin, and figures
    Show(ShowArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Shows no more than this many
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    limit: Option<i64>,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The run: 12, @latest, @latest~1, a name, or the beginning of a uid
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    run: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(args: &RunsArgs, context: &Context) -> anyhow::Result<()> {
    match &args.command {
        RunsCommand::List(args) => list(args, &context.open_store()?, context),
        RunsCommand::Show(args) => {
            refuse_rows(context.format())?;
            let store = context.open_store()?;
            show(select_run(&store, &args.run)?, &store, context)
        }
    }
}

const LISTED: [Shown; 10] = [
    ("run_id", "Run", Style::Decimals(0)),
    ("name", "Name", Style::Decimals(0)),
    ("state", "State", Style::Decimals(0)),
    ("started_at", "Started", Style::Decimals(0)),
    ("duration", "Took", Style::Seconds(1)),
    ("num_prompts", "Prompts", Style::Decimals(0)),
    ("num_generations", "Generations", Style::Decimals(0)),
    ("target_tokens_per_second", "Target Tok/s", Style::Decimals(1)),
    ("spec_base_speedup", "Base ×", Style::Decimals(2)),
    ("spec_lora_speedup", "LoRA ×", Style::Decimals(2)),
];

fn list(args: &ListArgs, store: &Store, context: &Context) -> anyhow::Result<()> {
    let rows = store.query("runs_list", &[(":limit", args.limit.unwrap_or(-1).into())])?;
    if rows.rows.is_empty() {
        context.ui.note("no runs yet (speclora bench makes one)");
    }
    context.print(&match context.format() {
        Format::Table | Format::Md => chosen_grid(&rows, &LISTED),
        _ => whole_grid(&rows),
    })
}

const MODELS: [Shown; 6] = [
    ("role", "Role", Style::Decimals(0)),
    ("path", "Path", Style::Decimals(0)),
    ("family", "Family", Style::Decimals(0)),
    ("quantization", "Weights", Style::Decimals(0)),
    ("num_parameters", "Parameters", Style::Decimals(0)),
    ("sha256", "SHA-256", Style::Decimals(0)),
];

const SETTINGS: [Shown; 4] = [
    ("key", "Setting", Style::Decimals(0)),
    ("value", "Value", Style::Decimals(0)),
    ("origin", "Origin", Style::Decimals(0)),
    ("source", "Source", Style::Decimals(0)),
];

const POSITIONS: [Shown; 6] = [
    ("mode", "Mode", Style::Decimals(0)),
    ("position", "Position", Style::Decimals(0)),
    ("num_proposed", "Proposed", Style::Decimals(0)),
    ("num_accepted", "Accepted", Style::Decimals(0)),
    ("acceptance_rate", "Acceptance", Style::Percent(1)),
    ("conditional_acceptance_rate", "Given the ones before", Style::Percent(1)),
];

/// A run as a whole is no list of rows.
fn refuse_rows(format: Format) -> Result<(), UsageError> {
    if matches!(format, Format::Csv | Format::Jsonl) {
        let problem = "runs show writes table, md or json (speclora export writes csv and jsonl)";
        return Err(UsageError(problem.to_owned()));
    }
    Ok(())
}

fn show(run: RunId, store: &Store, context: &Context) -> anyhow::Result<()> {
    let query = |name: &str| store.query(name, &[(":run_id", run.into())]);
    let facts = query("run_show")?;
    let parts = [
        ("models", query("run_models")?),
        ("settings", query("run_settings")?),
        ("modes", query("mode_metrics")?),
        ("acceptance_by_position", query("acceptance_by_position")?),
        ("errors", query("run_errors")?),
    ];
    let format = context.format();
    if format == Format::Json {
        let mut object = Map::new();
        for (key, value) in facts.columns.iter().zip(facts.rows.into_iter().flatten()) {
            object.insert(key.clone(), json!(value));
        }
        object.extend(parts.map(|(key, rows)| (key.to_owned(), objects(&rows))));
        return Ok(context.ui.data(&format!("{:#}\n", Json::Object(object)))?);
    }
    let summaries = present::summaries(&store.mode_metrics(run)?);
    let [(_, models), (_, settings), _, (_, positions), (_, errors)] = parts;
    let mut text = facts_grid(&facts).render(format);
    let mut add = |title: &str, grid: Grid| {
        if !grid.rows.is_empty() {
            text.push_str(&format!("\n{title}\n{}", grid.render(format)));
        }
    };
    add("Models", chosen_grid(&models, &MODELS));
    add("Settings", chosen_grid(&settings, &SETTINGS));
    add("Summary", summary_grid(&summaries));
    add("Beside the means over prompts", details_grid(&summaries));
    add("Acceptance by position in the draft", chosen_grid(&positions, &POSITIONS));
    add("Failed generations", whole_grid(&errors));
    let lines: String = comparison_lines(&summaries).iter().map(|line| format!("{line}\n")).collect();
    Ok(context.ui.data(&format!("{text}\n{lines}"))?)
}

/// The columns of one row, one below the other; those without a value are left out.
fn facts_grid(facts: &Rows) -> Grid {
    let mut grid = Grid::new([Column::new("key", "Run"), Column::new("value", "")]);
    for (key, value) in facts.columns.iter().zip(facts.rows.iter().flatten()) {
        let text = match value {
            Value::Null => continue,
            Value::Integer(number) => number.to_string(),
            Value::Real(number) => number.to_string(),
            Value::Text(text) => text.clone(),
            Value::Blob(_) => continue,
        };
        grid.push([Cell::Text(key.clone()), Cell::Text(text)]);
    }
    grid
}

fn objects(rows: &Rows) -> Json {
    let object = |row: &Vec<Value>| -> Json {
        rows.columns
            .iter()
            .zip(row)
            .map(|(key, value)| (key.clone(), json!(value)))
            .collect::<Map<_, _>>()
            .into()
    };
    rows.rows.iter().map(object).collect()
}
