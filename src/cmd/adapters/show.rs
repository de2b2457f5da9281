//! What is known of stored adapters, for people and for programs.

use anyhow::Context as _;
use serde_json::{Map, Value as Json, json};

use super::column_of;
use crate::cmd::UsageError;
use crate::cmd::context::Context;
use crate::cmd::present::{HASH_DIGITS, Shown, View, chosen_grid, labelled_text, objects, whole_grid};
use crate::engine::adapter::{Adapter, SkippedPrompt};
use crate::engine::config::Module;
use crate::record::CheckpointId;
use crate::report::{Cell, Column, Format, Grid, Style};
use crate::store::{Rows, Store, Value};

const LISTED: [Shown; 11] = [
    ("checkpoint_id", "Adapter", View::Integer),
    ("aliases", "Aliases", View::Text),
    ("draft_model", "Draft", View::Text),
    ("rank", "Rank", View::Integer),
    ("alpha", "α", View::Integer),
    ("target_modules", "Modules", View::Text),
    ("train_run_id", "Run", View::Integer),
    ("train_step", "Step", View::Integer),
    ("expected_acceptance", "Held-out ᾱ", View::Real(Style::Decimals(3))),
    ("size_bytes", "Size", View::Integer),
    ("created_at", "Stored", View::Text),
];

const LINEAGE: [Shown; 7] = [
    ("depth", "Depth", View::Integer),
    ("ancestor_id", "Adapter", View::Integer),
    ("aliases", "Aliases", View::Text),
    ("run_id", "Run", View::Integer),
    ("step", "Step", View::Integer),
    ("source", "Source", View::Text),
    ("created_at", "Stored", View::Text),
];

pub(super) fn list(store: &Store, context: &Context) -> anyhow::Result<()> {
    let rows = all(store)?;
    if rows.rows.is_empty() {
        context.ui.note("no adapters yet (speclora adapters import stores one)");
    }
    context.print(&match context.format() {
        Format::Table | Format::Md => chosen_grid(&for_people(rows), &LISTED),
        _ => whole_grid(&rows),
    })
}

fn all(store: &Store) -> anyhow::Result<Rows> {
    Ok(store.query("checkpoints", &[(":limit", Value::Integer(-1))])?)
}

/// The rows with values that people read more easily; a draft without a name goes by its hash.
fn for_people(Rows { columns, mut rows }: Rows) -> Rows {
    let index =
        |key: &str| columns.iter().position(|column| column == key).expect("the query has this column");
    let (name, hash) = (index("draft_model"), index("draft_model_sha256"));
    for row in &mut rows {
        if let (Value::Null, Value::Text(hash)) = (&row[name], &row[hash]) {
            row[name] = Value::Text(format!("SHA-256 {}", start_of(hash)));
        }
    }
    for (index, column) in columns.iter().enumerate() {
        for value in rows.iter_mut().map(|row| &mut row[index]) {
            *value = match (column.as_str(), &*value) {
                ("alpha", Value::Real(alpha)) => Value::Text(alpha.to_string()),
                ("size_bytes", Value::Integer(size)) => Value::Text(size_text(*size)),
                ("target_modules", Value::Text(names)) => Value::Text(modules_text(names)),
                _ => continue,
            };
        }
    }
    Rows { columns, rows }
}

/// As much of a hash as people see.
fn start_of(hash: &str) -> &str {
    hash.get(..HASH_DIGITS).unwrap_or(hash)
}

fn size_text(size_bytes: i64) -> String {
    match size_bytes as f64 {
        size if size < 1e6 => format!("{:.1} kB", size / 1e3),
        size => format!("{:.1} MB", size / 1e6),
    }
}

/// `q, v`, from a JSON list of names; `all` where it has every module.
fn modules_text(json: &str) -> String {
    let names: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    if Module::ALL.iter().all(|module| names.iter().any(|name| name == module.name())) {
        return "all".to_owned();
    }
    let short: Vec<&str> = names.iter().map(|name| name.strip_suffix("_proj").unwrap_or(name)).collect();
    short.join(", ")
}

/// An adapter as a whole is no list of rows.
pub(super) fn refuse_rows(format: Format) -> Result<(), UsageError> {
    if matches!(format, Format::Csv | Format::Jsonl) {
        let problem = "adapters show writes table, md or json (speclora adapters list writes csv and jsonl)";
        return Err(UsageError(problem.to_owned()));
    }
    Ok(())
}

pub(super) fn show(id: CheckpointId, store: &Store, context: &Context) -> anyhow::Result<()> {
    let Rows { columns, mut rows } = all(store)?;
    let id_column = columns.iter().position(|column| column == "checkpoint_id");
    let id_column = id_column.expect("the query has this column");
    rows.retain(|row| row[id_column] == Value::Integer(id.0));
    let found = Rows { columns, rows };
    let lineage = store.query("checkpoint_lineage", &[(":checkpoint_id", Value::Integer(id.0))])?;
    let adapter = store.load_adapter(id)?;
    let skipped = Adapter::skipped_prompt_of(&adapter)?;
    let config = serde_json::from_str(&adapter.config_json)
        .with_context(|| format!("the configuration of adapter {id} is damaged"))?;
    let format = context.format();
    if format == Format::Json {
        let mut object = object(&found, &lineage, config);
        object["skipped_prompt"] = json!(skipped.tokens());
        return Ok(context.ui.data(&format!("{object:#}\n"))?);
    }
    let part = |title: &str, grid: Grid| format!("\n{title}\n{}", grid.render(format));
    let continues = match lineage.rows.len() {
        0 | 1 => String::new(),
        _ => part("What it continues", chosen_grid(&lineage, &LINEAGE)),
    };
    let text = [
        labelled_text(&labelled(&found, &skipped), context),
        continues,
        part("Configuration, but for what is not set", config_grid(&config)),
    ];
    Ok(context.ui.data(&text.concat())?)
}

/// All there is, for programs.
fn object(found: &Rows, lineage: &Rows, config: Json) -> Json {
    let mut object = objects(found).pop().unwrap_or_default();
    let aliases: Vec<&str> = object["aliases"].as_str().map_or(vec![], |names| names.split(", ").collect());
    object["aliases"] = json!(aliases);
    let modules = object["target_modules"].as_str().and_then(|names| serde_json::from_str(names).ok());
    object["target_modules"] = modules.unwrap_or_default();
    object["lineage"] = objects(lineage).into();
    object["config"] = config;
    object
}

/// What people look for, each with its label; what has no value is left out.
fn labelled(found: &Rows, skipped: &SkippedPrompt) -> Vec<(&'static str, String)> {
    let row = &found.rows[0];
    let value = |key: &str| column_of(found, row, key);
    let text = |key: &str| match value(key) {
        Value::Text(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Real(number) => Some(number.to_string()),
        Value::Null | Value::Blob(_) => None,
    };
    let joined = |parts: [Option<String>; 2]| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let draft = text("draft_model").unwrap_or_else(|| "a model without a name".to_owned());
    let draft_hash = text("draft_model_sha256").unwrap_or_default();
    let shape = joined([
        text("rank").map(|rank| format!("rank {rank}")),
        text("alpha").map(|alpha| format!("α {alpha}")),
    ]);
    let modules: Vec<String> =
        text("target_modules").and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default();
    let trained = joined([
        text("train_run_id").map(|run| format!("run {run}")),
        text("train_step").map(|step| format!("after {step} steps")),
    ]);
    let size = match value("size_bytes") {
        Value::Integer(size) => Some(size_text(*size)),
        _ => None,
    };
    let acceptance = match value("expected_acceptance") {
        Value::Real(acceptance) => Some(format!("{acceptance:.3}")),
        _ => None,
    };
    let facts = [
        ("Adapter", Some(joined([text("checkpoint_id"), text("aliases")]))),
        ("Draft", Some(format!("{draft} (SHA-256 {})", start_of(&draft_hash)))),
        ("LoRA", Some(shape)),
        ("Modules", Some(modules.join(", "))),
        ("Trained by", (!trained.is_empty()).then_some(trained)),
        ("Held-out ᾱ", acceptance),
        ("Skips", (!skipped.is_empty()).then(|| skips_text(skipped))),
        ("Source", text("source")),
        ("Stored", text("created_at")),
        ("Size", size),
        ("Weights", text("adapter_sha256").map(|hash| format!("SHA-256 {}", start_of(&hash)))),
        ("Uid", text("uid")),
    ];
    facts.into_iter().filter_map(|(label, text)| Some((label, text?))).collect()
}

fn skips_text(skipped: &SkippedPrompt) -> String {
    format!(
        "{} tokens of a prompt that begins with them: its draft does not read them",
        skipped.tokens().len()
    )
}

/// The keys of a configuration that say something: neither null nor false nor empty.
fn config_grid(config: &Json) -> Grid {
    let mut grid = Grid::new([Column::new("key", "Key"), Column::new("value", "Value")]);
    let says_nothing = |value: &Json| match value {
        Json::Null | Json::Bool(false) => true,
        Json::Array(items) => items.is_empty(),
        Json::Object(items) => items.is_empty(),
        _ => false,
    };
    let none = Map::new();
    for (key, value) in config.as_object().unwrap_or(&none).iter().filter(|(_, value)| !says_nothing(value)) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        grid.push([Cell::Text(key.clone()), Cell::Text(value)]);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_named_in_short() {
        assert_eq!(modules_text(r#"["q_proj", "v_proj"]"#), "q, v");
        assert_eq!(modules_text(r#"[".*attn.*"]"#), ".*attn.*");
        let all: Vec<&str> = Module::ALL.iter().map(|module| module.name()).collect();
        assert_eq!(modules_text(&json!(all).to_string()), "all");
    }
}
