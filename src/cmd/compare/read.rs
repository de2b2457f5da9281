//! Reads runs from the queries that anyone may copy, and remembers what was asked.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use crate::cmd::facts::Facts;
use crate::compare::{Generation, Leakage, Model, Position, Prompt, Run};
use crate::record::{Mode, Role, RunId};
use crate::store::{Query, Rows, Store, Value};

/// Facts of a run that are worth knowing where they differ, by their column in `run_show`.
const FACTS: [&str; 17] = [
    "prompt_set",
    "num_draft_vocabulary_tokens",
    "draft_vocabulary_sha256",
    "checkpoint_id",
    "adapter_source",
    "adapter_sha256",
    "num_environments",
    "hostname",
    "os",
    "kernel",
    "cpu_model",
    "num_cpus",
    "memory_bytes",
    "engine",
    "speclora_version",
    "git_commit",
    "git_dirty",
];

/// Asks a database about runs.
pub(super) struct Reader<'a> {
    store: &'a Store,
    asked: Vec<(&'static str, &'static str, Value)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, asked: vec![] }
    }

    /// Reads all of a run that a comparison asks.
    pub(super) fn run(&mut self, id: RunId) -> anyhow::Result<Run> {
        self.asked.push(("run_show", ":run_id", id.into()));
        let facts = Facts::read(self.store, id)?;
        let models = self.ask("run_models", id)?;
        let settings = self.ask("run_settings", id)?;
        let text = |key: &str| facts.get(key).as_str().map(str::to_owned);
        let count = |key: &str| facts.get(key).as_u64().unwrap_or_default();
        Ok(Run {
            id,
            name: text("name"),
            kind: facts.kind().parse().map_err(anyhow::Error::msg)?,
            state: text("state").unwrap_or_default(),
            num_generations: count("num_generations"),
            num_planned_generations: count("num_planned_generations"),
            models: models.each(model)?,
            settings: settings.each(setting)?.into_iter().collect(),
            facts: all_facts(&facts, &models)?,
            prompts: self.ask("run_prompts", id)?.each(prompt)?,
            generations: self.ask("compare_generations", id)?.each(generation)?,
            positions: self.ask("acceptance_by_position", id)?.each(position)?,
            leakage: self.leakage(id, facts.get("checkpoint_id").as_i64())?,
        })
    }

    /// What an adapter has seen of the prompts of a run.
    fn leakage(&mut self, run: RunId, checkpoint: Option<i64>) -> anyhow::Result<Option<Leakage>> {
        let Some(checkpoint_id) = checkpoint else {
            return Ok(None);
        };
        let seen = self.ask("leakage", run)?;
        let mut trained = HashSet::new();
        let mut held_out = HashSet::new();
        for row in seen.rows() {
            let prompts = if row.text("purpose")? == "trained" { &mut trained } else { &mut held_out };
            prompts.insert(row.integer("prompt_index")?);
        }
        self.asked.push(("checkpoint_lineage", ":checkpoint_id", checkpoint_id.into()));
        let lineage = self.store.query("checkpoint_lineage", &[(":checkpoint_id", checkpoint_id.into())])?;
        let lineage = Answer::new(lineage);
        let is_trained_here = lineage.rows().all(|row| row.optional_integer("run_id").is_some());
        let num_held_out = held_out.difference(&trained).count();
        Ok(Some(Leakage { checkpoint_id, is_trained_here, num_trained: trained.len(), num_held_out }))
    }

    fn ask(&mut self, query: &'static str, run: RunId) -> anyhow::Result<Answer> {
        self.asked.push((query, ":run_id", run.into()));
        Ok(Answer::new(self.store.query(query, &[(":run_id", run.into())])?))
    }

    /// What was asked, as `sqlite3` takes it: each parameter, then its statement.
    pub(super) fn script(&self) -> String {
        let mut script = String::from(".timeout 5000\n.parameter set :crashed_run_ids NULL\n");
        for (name, parameter, value) in &self.asked {
            let query = Query::find(name).expect("it was asked");
            let value = match value {
                Value::Integer(number) => number.to_string(),
                other => json!(other).to_string(),
            };
            let _ =
                write!(script, "\n-- queries/{name}.sql\n.parameter set {parameter} {value}\n{}", query.sql);
        }
        script
    }
}

/// The answer to a query, by row and name.
struct Answer(Rows);

struct AnswerRow<'a> {
    columns: &'a [String],
    values: &'a [Value],
}

impl Answer {
    fn new(rows: Rows) -> Self {
        Self(rows)
    }

    fn rows(&self) -> impl Iterator<Item = AnswerRow<'_>> {
        self.0.rows.iter().map(|values| AnswerRow { columns: &self.0.columns, values })
    }

    fn each<T>(&self, read: impl Fn(&AnswerRow<'_>) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
        self.rows().map(|row| read(&row)).collect()
    }
}

impl AnswerRow<'_> {
    fn value(&self, column: &str) -> &Value {
        let place = self.columns.iter().position(|name| name == column).expect("the query has this column");
        &self.values[place]
    }

    fn optional_text(&self, column: &str) -> Option<&str> {
        match self.value(column) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn text(&self, column: &str) -> anyhow::Result<&str> {
        self.optional_text(column).with_context(|| format!("{column} is no text"))
    }

    fn optional_integer(&self, column: &str) -> Option<i64> {
        match self.value(column) {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    fn integer(&self, column: &str) -> anyhow::Result<i64> {
        self.optional_integer(column).with_context(|| format!("{column} is not an integer"))
    }

    fn count(&self, column: &str) -> anyhow::Result<u32> {
        u32::try_from(self.integer(column)?).with_context(|| format!("{column} is out of range"))
    }

    fn real(&self, column: &str) -> Option<f64> {
        match self.value(column) {
            Value::Real(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }
}

/// Draft and tokenizer by content, then what `run_show` says.
fn all_facts(facts: &Facts, models: &Answer) -> anyhow::Result<Vec<(String, Json)>> {
    let mut all = vec![("kind".to_owned(), json!(facts.kind()))];
    for model in models.rows().filter(|model| model.optional_text("role") == Some("draft")) {
        for (key, column) in
            [("draft", "path"), ("draft_quantization", "quantization"), ("draft_sha256", "sha256")]
        {
            all.push((key.to_owned(), json!(model.text(column)?)));
        }
    }
    all.extend(FACTS.map(|key| (key.to_owned(), facts.get(key).clone())));
    Ok(all)
}

fn model(row: &AnswerRow<'_>) -> anyhow::Result<Model> {
    Ok(Model {
        role: row.text("role")?.parse::<Role>().map_err(anyhow::Error::msg)?,
        name: row.optional_text("name").map_or_else(|| row.text("path"), Ok)?.to_owned(),
        sha256: row.text("sha256")?.to_owned(),
        tokenizer_sha256: row.text("tokenizer_sha256")?.to_owned(),
    })
}

fn setting(row: &AnswerRow<'_>) -> anyhow::Result<(String, Json)> {
    let value = serde_json::from_str(row.text("value")?).context("a setting is JSON")?;
    Ok((row.text("key")?.to_owned(), value))
}

fn prompt(row: &AnswerRow<'_>) -> anyhow::Result<Prompt> {
    Ok(Prompt {
        prompt_index: row.count("prompt_index")?,
        sha256: row.text("sha256")?.to_owned(),
        text: row.text("text")?.to_owned(),
        external_id: row.optional_text("external_id").map(str::to_owned),
    })
}

fn generation(row: &AnswerRow<'_>) -> anyhow::Result<Generation> {
    Ok(Generation {
        prompt_index: row.count("prompt_index")?,
        mode: mode(row)?,
        iteration: row.count("iteration")?,
        exec_order: row.count("exec_order")?,
        started_at_ms: row.integer("started_at_ms")?,
        load_average: row.real("load_average"),
        has_failed: row.integer("num_failed")? > 0,
        tokens_per_second: row.real("tokens_per_second"),
        decode_tokens_per_second: row.real("decode_tokens_per_second"),
        time_per_output_token: row.real("time_per_output_token"),
        time_to_first_token: row.real("time_to_first_token"),
        time_to_last_token: row.real("time_to_last_token"),
        acceptance_rate: row.real("acceptance_rate"),
        num_emitted: row.real("num_emitted"),
        num_rounds: row.real("num_rounds"),
        is_lossless: row.optional_integer("is_lossless").map(|is_lossless| is_lossless == 1),
        output_sha256: row.optional_text("output_sha256").map(str::to_owned),
    })
}

fn position(row: &AnswerRow<'_>) -> anyhow::Result<Position> {
    Ok(Position {
        mode: mode(row)?,
        position: row.count("position")?,
        acceptance_rate: row.real("acceptance_rate"),
    })
}

fn mode(row: &AnswerRow<'_>) -> anyhow::Result<Mode> {
    row.text("mode")?.parse().map_err(anyhow::Error::msg)
}
