//! How much a run has collected, for people and programs.

use serde_json::{Map, Value as Json, json};

use super::Collected;
use crate::cmd::context::Context;
use crate::cmd::facts::Facts;
use crate::cmd::present::{labelled_text, objects};
use crate::config::Spec;
use crate::report::{Cell, Column, Format, Grid, Style};
use crate::store::Value;

/// The draft's probability of a proposal from which on it was sure of it.
const CONFIDENCE: f64 = 0.9;

/// Prints what the database now says of a run.
pub(super) fn print(collected: &Collected, context: &Context) -> anyhow::Result<()> {
    let counters = counters(collected)?;
    let text = match context.format() {
        Format::Json => format!("{:#}\n", Json::Object(counters)),
        Format::Jsonl => format!("{}\n", Json::Object(counters)),
        Format::Csv => grid(&counters).render(Format::Csv),
        Format::Table | Format::Md => {
            let incomplete = Facts::read(collected.store, collected.run)?.incomplete();
            let above = incomplete.map(|line| format!("{line}\n")).unwrap_or_default();
            format!("{above}{}", labelled_text(&labelled(&counters), context))
        }
    };
    Ok(context.ui.data(&text)?)
}

/// The counters of a run, by name.
pub(in crate::cmd) fn counters(collected: &Collected) -> anyhow::Result<Map<String, Json>> {
    let &Collected { store, run, holdout } = collected;
    let threshold = Spec::from_settings(&store.run_plan(run)?.settings)?.acceptance_threshold;
    let parameters = [
        (":run_id", run.into()),
        (":acceptance_threshold", Value::Real(threshold)),
        (":confidence", Value::Real(CONFIDENCE)),
    ];
    let counted = objects(&store.query("collect_counters", &parameters)?);
    let examples = objects(&store.query("examples", &[(":run_id", run.into())])?);
    let count = |is_counted: &dyn Fn(&Json) -> bool| examples.iter().filter(|e| is_counted(e)).count();
    let metrics = store.mode_metrics(run)?;
    let metrics = metrics.first();
    let more = json!({
        "run_id": run,
        "num_new_examples": count(&|example| example["run_id"] == json!(run)),
        "num_held_out": count(&|example| example["split_key"].as_f64().is_some_and(|key| key < holdout)),
        "total_tokens": metrics.map_or(0, |metrics| metrics.total_tokens),
        "acceptance_rate": metrics.and_then(|metrics| metrics.acceptance_rate),
        "acceptance_threshold": threshold,
        "confidence": CONFIDENCE,
        "holdout": holdout,
    });
    let parts = counted.into_iter().next().into_iter().chain([more]);
    Ok(parts.filter_map(|part| part.as_object().cloned()).flatten().collect())
}

/// The counters that people look for, each with its label.
pub(in crate::cmd) fn labelled(counters: &Map<String, Json>) -> Vec<(&'static str, String)> {
    let whole = |key: &str| counters[key].as_u64().unwrap_or_default();
    let percent = |key: &str, decimals: usize| {
        counters[key].as_f64().map_or("—".to_owned(), |share| format!("{:.decimals$}%", 100.0 * share))
    };
    let failed = match whole("num_errors") {
        0 => String::new(),
        num_errors => format!(", {num_errors} failed"),
    };
    vec![
        ("Answers", format!("{}{failed}", whole("num_answers"))),
        ("Examples", format!("{}, {} new", whole("num_examples"), whole("num_new_examples"))),
        (
            "Held out",
            format!(
                "{} of {} examples, at a holdout of {}",
                whole("num_held_out"),
                whole("num_examples"),
                counters["holdout"]
            ),
        ),
        ("Tokens", whole("total_tokens").to_string()),
        ("Acceptance", format!("{}, over all tokens", percent("acceptance_rate", 1))),
        (
            "Failures",
            format!(
                "{} answers, acceptance below {}",
                whole("num_failures"),
                percent("acceptance_threshold", 0)
            ),
        ),
        ("Matched", format!("{} answers", whole("num_matched"))),
        (
            "Disagreements",
            format!(
                "{}, {} where the draft was sure ({} or more)",
                whole("num_disagreements"),
                whole("num_confident_disagreements"),
                percent("confidence", 0)
            ),
        ),
    ]
}

/// One row with a column a counter.
fn grid(counters: &Map<String, Json>) -> Grid {
    let mut grid = Grid::new(counters.keys().map(|key| Column::number(key.as_str(), key.as_str())));
    grid.push(counters.values().map(|value| match (value.as_i64(), value.as_f64()) {
        (Some(number), _) => Cell::Integer(number),
        (None, number) => Cell::float(number, Style::Decimals(4)),
    }));
    grid
}
