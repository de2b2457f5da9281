//! `speclora runs`: lists stored runs and shows one.

use clap::{Args, Subcommand};
use serde_json::Value as Json;

use super::UsageError;
use super::config::stored_settings_grid;
use super::context::{Context, select_run};
use super::facts::Facts;
use super::present::{self, Shown, View, chosen_grid, facts_text, lines_below, objects, whole_grid};
use crate::record::RunId;
use crate::report::{Format, Grid, Style, details_grid, summary_grid};
use crate::store::Store;

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
#[command(
    after_help = "Generations: stored out of planned, warm-ups and failures included. Took: from the beginning \
    to the end, with the pause before a --resume."
)]
struct ListArgs {
    /// Shows no more than this many
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<String>,
}

impl ListArgs {
    fn limit(&self) -> Result<i64, UsageError> {
        let Some(text) = &self.limit else {
            return Ok(-1);
        };
        let problem =
            || UsageError(format!("--limit: limit must be a whole number of at least 1, got \"{text}\""));
        text.parse().ok().filter(|limit| *limit >= 1).ok_or_else(problem)
    }
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
        RunsCommand::List(args) => {
            let limit = args.limit()?;
            list(limit, &context.open_store()?, context)
        }
        RunsCommand::Show(args) => {
            refuse_rows(context.format())?;
            let store = context.open_store()?;
            show(select_run(&store, &args.run)?, &store, context)
        }
    }
}

const LISTED: [Shown; 10] = [
    ("run_id", "Run", View::Integer),
    ("name", "Name", View::Text),
    ("state", "State", View::Text),
    ("started_at", "Started", View::Text),
    ("duration", "Took", View::Real(Style::Seconds(1))),
    ("num_prompts", "Prompts", View::Integer),
    ("num_generations", "Generations", View::OutOf("num_planned_generations")),
    ("target_tokens_per_second", "Target Tok/s", View::Real(Style::Decimals(1))),
    ("spec_base_speedup", "Base ×", View::Real(Style::Decimals(2))),
    ("spec_lora_speedup", "LoRA ×", View::Real(Style::Decimals(2))),
];

fn list(limit: i64, store: &Store, context: &Context) -> anyhow::Result<()> {
    let rows = store.query("runs_list", &[(":limit", limit.into())])?;
    if rows.rows.is_empty() {
        context.ui.note("no runs yet (speclora bench makes one)");
    }
    context.print(&match context.format() {
        Format::Table | Format::Md => chosen_grid(&rows, &LISTED),
        _ => whole_grid(&rows),
    })
}

const MODELS: [Shown; 6] = [
    ("role", "Role", View::Text),
    ("path", "Path", View::Text),
    ("family", "Family", View::Text),
    ("quantization", "Weights", View::Text),
    ("num_parameters", "Parameters", View::Integer),
    ("sha256", "SHA-256", View::Hash),
];

const POSITIONS: [Shown; 6] = [
    ("mode", "Mode", View::Text),
    ("position", "Position", View::Integer),
    ("num_proposed", "Proposed", View::Integer),
    ("num_accepted", "Accepted", View::Integer),
    ("acceptance_rate", "Acceptance", View::Real(Style::Percent(1))),
    ("conditional_acceptance_rate", "Given the ones before", View::Real(Style::Percent(1))),
];

const ERRORS: [Shown; 5] = [
    ("prompt_index", "Prompt", View::Integer),
    ("mode", "Mode", View::Text),
    ("iteration", "Iteration", View::Integer),
    ("started_at", "Started", View::Text),
    ("error", "Error", View::Text),
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
    let facts = Facts::read(store, run)?;
    let parts = [
        ("models", query("run_models")?),
        ("settings", query("run_settings")?),
        ("modes", query("mode_metrics")?),
        ("acceptance_by_position", query("acceptance_by_position")?),
        ("errors", query("run_errors")?),
    ];
    let format = context.format();
    if format == Format::Json {
        let mut object = facts.into_object();
        object.extend(parts.map(|(key, rows)| (key.to_owned(), objects(&rows))));
        return Ok(context.ui.data(&format!("{:#}\n", Json::Object(object)))?);
    }
    let summaries = present::summaries(&store.mode_metrics(run)?);
    let [(_, models), _, _, (_, positions), (_, errors)] = parts;
    let part = |title: &str, grid: Grid| match grid.rows.is_empty() {
        true => String::new(),
        false => format!("\n{title}\n{}", grid.render(format)),
    };
    let text = [
        facts_text(&facts.labelled(), context),
        part("Models", chosen_grid(&models, &MODELS)),
        part("Settings", stored_settings_grid(&store.run_plan(run)?.settings)),
        facts.incomplete().map(|line| format!("\n{line}\n")).unwrap_or_default(),
        part("Summary", summary_grid(&summaries)),
        part("Beside the means over prompts", details_grid(&summaries)),
        part("Acceptance by position in the draft", chosen_grid(&positions, &POSITIONS)),
        part("Failed generations", chosen_grid(&errors, &ERRORS)),
        lines_below(&summaries),
    ];
    Ok(context.ui.data(&text.concat())?)
}
