//! A run as a whole: what it was, and what its kind leaves.

use serde_json::{Map, Value as Json, json};

use super::{Place, Wanted, What, rows};
use crate::cmd::collect::{Collected, summary as collected};
use crate::cmd::context::Context;
use crate::cmd::facts::Facts;
use crate::cmd::measured::{bench_export, run_metadata};
use crate::cmd::present::objects;
use crate::record::RunId;
use crate::report::{Format, OutputFormat, SCHEMA_VERSION};
use crate::store::Store;

/// What is known of training beside what every run has.
const TRAINING_FACTS: [&str; 7] = [
    "num_steps",
    "train_loss",
    "num_train_examples",
    "num_replay_examples",
    "num_held_out_examples",
    "checkpoint_id",
    "adapter_source",
];

/// Writes a run as one JSON object; in formats of rows, those that say most of it.
pub(super) fn export(store: &Store, run: RunId, place: Place, context: &Context) -> anyhow::Result<()> {
    let facts = Facts::read(store, run)?;
    if place.format != OutputFormat::Text(Format::Json) {
        return match facts.kind() {
            "train" => rows::export(&Wanted { store, runs: &[run], what: What::TrainSteps }, place, context),
            "evaluate" => {
                rows::export(&Wanted { store, runs: &[run], what: What::PromptEvaluations }, place, context)
            }
            _ => rows::export_figures(&bench_export(store, run)?, place, context),
        };
    }
    let text = match facts.kind() {
        "train" => format!("{:#}\n", training(store, run, &facts)?),
        "evaluate" => format!("{:#}\n", evaluation(store, run, &facts)?),
        "collect" => {
            let mut value = bench_export(store, run)?.to_value();
            value["collected"] = collected::counters(&Collected::of(store, run)?)?.into();
            format!("{value:#}\n")
        }
        _ => bench_export(store, run)?.to_json(),
    };
    context.write(place.path, &text)
}

fn training(store: &Store, run: RunId, facts: &Facts) -> anyhow::Result<Json> {
    let mut metadata = metadata(store, run, facts)?;
    metadata.extend(TRAINING_FACTS.map(|key| (key.to_owned(), facts.get(key).clone())));
    let query = |name: &str| store.query(name, &[(":run_id", run.into())]);
    Ok(json!({
        "schema_version": SCHEMA_VERSION,
        "metadata": metadata,
        "evaluations": objects(&query("train_evaluations")?),
        "steps": objects(&query("train_steps")?),
    }))
}

fn evaluation(store: &Store, run: RunId, facts: &Facts) -> anyhow::Result<Json> {
    let query = |name: &str| store.query(name, &[(":run_id", run.into())]);
    Ok(json!({
        "schema_version": SCHEMA_VERSION,
        "metadata": metadata(store, run, facts)?,
        "drafts": objects(&query("draft_evaluations")?),
        "prompts": objects(&query("prompt_evaluations")?),
    }))
}

fn metadata(store: &Store, run: RunId, facts: &Facts) -> anyhow::Result<Map<String, Json>> {
    let times = ["started_at", "ended_at", "duration"];
    let first = [("timestamp", facts.get("started_at"))].into_iter();
    let first = first
        .chain(times.map(|key| (key, facts.get(key))))
        .map(|(key, value)| (key.to_owned(), value.clone()));
    Ok(first.chain(run_metadata(&store.run_plan(run)?, facts)).collect())
}
