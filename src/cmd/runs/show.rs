//! `speclora runs show`: shows one run.

use clap::Args;
use serde_json::Value as Json;

use super::figures::figures;
use crate::cmd::UsageError;
use crate::cmd::config::stored_settings_grid;
use crate::cmd::context::{Context, select_run};
use crate::cmd::facts::Facts;
use crate::cmd::present::{Shown, View, chosen_grid, labelled_text, objects};
use crate::record::RunId;
use crate::report::{Format, Grid};
use crate::store::{Rows, Store, Value};

/// Arguments of `speclora runs show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// The run: 12, @latest, @latest~1, a name, or the beginning of a uid
    #[arg(value_name = "RUN", required = true, num_args = 1..=2)]
    run: Vec<String>,
}

const MODELS: [Shown; 6] = [
    ("role", "Role", View::Text),
    ("path", "Path", View::Text),
    ("family", "Family", View::Text),
    ("quantization", "Weights", View::Text),
    ("num_parameters", "Parameters", View::Integer),
    ("sha256", "SHA-256", View::Hash),
];

/// The runs that are related to a run.
const RELATED: [Shown; 7] = [
    ("run_id", "Run", View::Integer),
    ("name", "Name", View::Text),
    ("kind", "Kind", View::Text),
    ("started_at", "Started (UTC)", View::Minute),
    ("relation", "What it is to this one", View::Text),
    ("num_examples", "Examples", View::Integer),
    ("checkpoint_id", "Adapter", View::Integer),
];

/// Runs the command.
pub(super) fn run(args: &ShowArgs, context: &Context) -> anyhow::Result<()> {
    refuse_rows(context.format())?;
    let store = context.open_store()?;
    show(select_run(&store, &args.run)?, &store, context)
}

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
    let related = store.query("related_runs", &[(":run_id", run.into())])?;
    let format = context.format();
    if format == Format::Json {
        let settings = store.query("run_settings", &[(":run_id", run.into())])?;
        let mut object = facts.into_object();
        let parts = [("models", &models), ("settings", &settings), ("related_runs", &related)];
        object.extend(parts.map(|(key, rows)| (key.to_owned(), objects(rows).into())));
        object.extend(figures.into_object());
        return Ok(context.ui.data(&format!("{:#}\n", Json::Object(object)))?);
    }
    let text = [
        labelled_text(&facts.labelled(), context),
        part("Models", &chosen_grid(&models, &MODELS), format),
        part("Settings", &stored_settings_grid(&store.run_plan(run)?.settings), format),
        part("Related runs", &chosen_grid(&in_words(related), &RELATED), format),
        facts.incomplete().map(|line| format!("\n{line}\n")).unwrap_or_default(),
        figures.text(context),
    ];
    Ok(context.ui.data(&text.concat())?)
}

/// Relations in words, where the rows have their names.
fn in_words(mut related: Rows) -> Rows {
    let place = related.columns.iter().position(|column| column == "relation");
    let place = place.expect("the query has this column");
    for row in &mut related.rows {
        if let Value::Text(relation) = &row[place] {
            row[place] = match relation.as_str() {
                "learned_from" => "collected what this one learned from",
                "taught" => "learned from what this one collected",
                "made_adapter" => "made the adapter of this one",
                "used_adapter" => "used an adapter of this one",
                "judged_adapter" => "judged an adapter of this one",
                "continued" => "went on from an adapter of this one",
                other => other,
            }
            .into();
        }
    }
    related
}

/// A table under its title; nothing where it has no rows.
pub(super) fn part(title: &str, grid: &Grid, format: Format) -> String {
    if grid.rows.is_empty() { String::new() } else { format!("\n{title}\n{}", grid.render(format)) }
}
