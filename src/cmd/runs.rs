//! `speclora runs`: lists stored runs and shows one.

mod figures;

use clap::{Args, Subcommand};
use serde_json::Value as Json;

use super::UsageError;
use super::config::stored_settings_grid;
use super::context::{Context, select_run};
use super::facts::Facts;
use super::present::{Shown, View, chosen_grid, labelled_text, objects, whole_grid};
use crate::record::RunId;
use crate::report::{Format, Grid, Style};
use crate::store::{Rows, Store, Value};
use figures::figures;

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
    after_help = "Took: from the beginning to the end, with the pause before a --resume. Done: generations stored out of \
    planned, warm-ups and failures included. Of training runs, Loss: the last step's; Best ᾱ: the highest expected \
    acceptance on held-out prompts."
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

/// The columns of a list of runs, each with the kinds of run that it is for; where there are none, it is for all.
const LISTED: [(&[&str], Shown); 14] = [
    (&[], ("run_id", "Run", View::Integer)),
    (&[], ("name", "Name", View::Text)),
    (&[], ("kind", "Kind", View::Text)),
    (&[], ("state", "State", View::Text)),
    (&[], ("started_at", "Started (UTC)", View::Minute)),
    (&[], ("duration", "Took", View::Real(Style::Seconds(1)))),
    (&[], ("num_prompts", "Prompts", View::Integer)),
    (&["bench", "collect", "evaluate"], ("num_generations", "Done", View::OutOf("num_planned_generations"))),
    (&["bench"], ("target_tokens_per_second", "Target Tok/s", View::Real(Style::Decimals(1)))),
    (&["bench"], ("spec_base_speedup", "Base ×", View::Real(Style::Decimals(2)))),
    (&["bench"], ("spec_lora_speedup", "LoRA ×", View::Real(Style::Decimals(2)))),
    (&["train"], ("num_steps", "Steps", View::Integer)),
    (&["train"], ("train_loss", "Loss", View::Real(Style::Decimals(3)))),
    (&["train"], ("best_expected_acceptance", "Best ᾱ", View::Real(Style::Percent(1)))),
];

/// The columns for these runs: those of figures only where a run is of a kind that has them.
fn listed(runs: &Rows) -> Vec<Shown> {
    let kind = runs.columns.iter().position(|column| column == "kind").expect("the query has this column");
    let has_any = |kinds: &[&str]| {
        runs.rows.iter().any(|run| matches!(&run[kind], Value::Text(kind) if kinds.contains(&kind.as_str())))
    };
    let is_for = |(kinds, _): &&(&[&str], Shown)| kinds.is_empty() || has_any(kinds);
    LISTED.iter().filter(is_for).map(|(_, shown)| *shown).collect()
}

fn list(limit: i64, store: &Store, context: &Context) -> anyhow::Result<()> {
    let rows = store.query("runs_list", &[(":limit", limit.into())])?;
    if rows.rows.is_empty() {
        context.ui.note("no runs yet (speclora bench makes one)");
    }
    context.print(&match context.format() {
        Format::Table | Format::Md => chosen_grid(&rows, &listed(&rows)),
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

/// A run as a whole is no list of rows.
fn refuse_rows(format: Format) -> Result<(), UsageError> {
    if matches!(format, Format::Csv | Format::Jsonl) {
        let problem = "runs show writes table, md or json (speclora export writes csv and jsonl)";
        return Err(UsageError(problem.to_owned()));
    }
    Ok(())
}

fn show(run: RunId, store: &Store, context: &Context) -> anyhow::Result<()> {
    let facts = Facts::read(store, run)?;
    let figures = figures(facts.kind(), run, store)?;
    let models = store.query("run_models", &[(":run_id", run.into())])?;
    let format = context.format();
    if format == Format::Json {
        let settings = store.query("run_settings", &[(":run_id", run.into())])?;
        let mut object = facts.into_object();
        let parts = [("models", objects(&models)), ("settings", objects(&settings))];
        object.extend(parts.map(|(key, rows)| (key.to_owned(), rows.into())));
        object.extend(figures.into_object());
        return Ok(context.ui.data(&format!("{:#}\n", Json::Object(object)))?);
    }
    let text = [
        labelled_text(&facts.labelled(), context),
        part("Models", &chosen_grid(&models, &MODELS), format),
        part("Settings", &stored_settings_grid(&store.run_plan(run)?.settings), format),
        facts.incomplete().map(|line| format!("\n{line}\n")).unwrap_or_default(),
        figures.text(context),
    ];
    Ok(context.ui.data(&text.concat())?)
}

/// A table under its title; nothing where it has no rows.
fn part(title: &str, grid: &Grid, format: Format) -> String {
    if grid.rows.is_empty() { String::new() } else { format!("\n{title}\n{}", grid.render(format)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of these kinds, each with every figure.
    fn runs(kinds: &[&str]) -> Rows {
        let columns = LISTED.iter().map(|(_, (key, ..))| (*key).to_owned());
        let columns: Vec<String> = columns.chain(["num_planned_generations".to_owned()]).collect();
        let value = |key: &String, kind: &str| match key.as_str() {
            "kind" => Value::Text(kind.to_owned()),
            "started_at" => Value::Text("2026-08-01T12:30:59Z".to_owned()),
            "num_planned_generations" if kind == "train" => Value::Integer(0),
            "num_generations" | "num_planned_generations" => Value::Integer(24),
            _ => Value::Null,
        };
        let row = |kind: &&str| columns.iter().map(|key| value(key, kind)).collect();
        Rows { rows: kinds.iter().map(row).collect(), columns }
    }

    #[track_caller]
    fn check(kinds: &[&str], expected: &str) {
        let rows = runs(kinds);
        let table = chosen_grid(&rows, &listed(&rows)).render(Format::Table);
        let heading = table.lines().next().unwrap().split_whitespace().skip(8).collect::<Vec<_>>().join(" ");
        assert_eq!(heading, expected, "{kinds:?}");
        let width = table.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(kinds.len() > 1 || width <= 100, "{width} columns:\n{table}");
    }

    #[test]
    fn a_list_has_the_columns_of_the_kinds_in_it() {
        check(&[], "");
        check(&["bench"], "Done Target Tok/s Base × LoRA ×");
        check(&["collect"], "Done");
        check(&["train"], "Steps Loss Best ᾱ");
        check(&["train", "bench"], "Done Target Tok/s Base × LoRA × Steps Loss Best ᾱ");
    }

    #[test]
    fn training_has_no_generations_to_be_done() {
        let rows = runs(&["train", "collect"]);
        let table = chosen_grid(&rows, &listed(&rows)).render(Format::Table);
        let [training, collecting] = ["train", "collect"].map(|kind| {
            table.lines().find(|line| line.contains(kind)).unwrap().split_whitespace().collect::<Vec<_>>()
        });
        assert_eq!(training[4..6], ["2026-08-01", "12:30"]);
        assert_eq!([training[8], collecting[8]], ["—", "24/24"], "{table}");
    }
}
