//! `speclora models`: looks into model files.

use clap::{Args, Subcommand};
use serde_json::{Map, Value as Json, json};

use super::context::{Context, FileHashes, find_model};
use crate::config::Overrides;
use crate::engine::pair::Identified;
use crate::report::{Cell, Column, Format, Grid};

/// Arguments of `speclora models`.
#[derive(Debug, Args)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Shows what a model is: architecture, shape, weights, tokenizer, hashes
    Inspect(InspectArgs),
}

#[derive(Debug, Args)]
struct InspectArgs {
    /// A .gguf file, a Hugging Face folder, or a name in the folder of models
    #[arg(value_name = "MODEL")]
    model: String,
}

/// Runs the command.
pub(crate) fn run(args: &ModelsArgs, context: &Context) -> anyhow::Result<()> {
    let ModelsCommand::Inspect(args) = &args.command;
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let model = Identified::open(&find_model(&args.model, &spec)?, &mut FileHashes::new(None, &context.ui))?;
    let facts = facts(&model)?;
    match context.format() {
        Format::Json => Ok(context.ui.data(&format!("{:#}\n", Json::Object(facts)))?),
        Format::Jsonl => Ok(context.ui.data(&format!("{}\n", Json::Object(facts)))?),
        _ => context.print(&grid(&facts)),
    }
}

fn facts(model: &Identified) -> anyhow::Result<Map<String, Json>> {
    let (info, config) = (&model.info, model.files.config());
    let tokenizer = &model.tokenizer;
    let facts = json!({
        "path": model.files.path().display().to_string(),
        "name": info.name,
        "format": info.format,
        "family": info.family,
        "quantization": info.quantization,
        "num_parameters": info.num_parameters,
        "size_bytes": info.size_bytes,
        "num_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_heads": config.num_heads,
        "num_kv_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab_size,
        "context_length": config.context_length,
        "tokenizer_vocab_size": tokenizer.vocab_size(),
        "stop_tokens": tokenizer.stop_tokens(),
        "has_chat_template": tokenizer.chat_template().is_some(),
        "tokenizer_sha256": info.tokenizer_sha256,
        "sha256": info.sha256,
    });
    match facts {
        Json::Object(facts) => Ok(facts),
        _ => unreachable!("an object was written"),
    }
}

/// The facts, one below the other.
fn grid(facts: &Map<String, Json>) -> Grid {
    let mut grid = Grid::new([Column::new("key", "Model"), Column::new("value", "")]);
    for (key, value) in facts {
        let value = match value {
            Json::Null => Cell::Missing,
            Json::String(text) => Cell::Text(text.clone()),
            Json::Bool(is) => Cell::Text(if *is { "yes" } else { "no" }.to_owned()),
            Json::Array(items) => {
                Cell::Text(items.iter().map(Json::to_string).collect::<Vec<_>>().join(", "))
            }
            other => Cell::Text(other.to_string()),
        };
        grid.push([Cell::Text(key.clone()), value]);
    }
    grid
}
