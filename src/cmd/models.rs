//! `speclora models`: looks into model files.

use clap::{Args, Subcommand};

use super::context::{Context, FileHashes, find_model};
use crate::config::Overrides;
use crate::engine::pair::Identified;
use crate::report::{Cell, Column, Grid};

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
    let model =
        Identified::open(&find_model(&args.model, &spec)?, &mut FileHashes { store: None, ui: &context.ui })?;
    context.print(&facts(&model)?)
}

fn facts(model: &Identified) -> anyhow::Result<Grid> {
    let (info, config) = (&model.info, model.files.config());
    let tokenizer = model.files.tokenizer()?;
    let count = |number: usize| Cell::Integer(number as i64);
    let text = |text: &str| Cell::Text(text.to_owned());
    let stop_tokens: Vec<String> = tokenizer.stop_tokens().iter().map(u32::to_string).collect();
    let facts = [
        ("path", text(&model.files.path().display().to_string())),
        ("name", Cell::text(info.name.clone())),
        ("format", text(&info.format)),
        ("family", text(&info.family)),
        ("quantization", text(&info.quantization)),
        ("num_parameters", Cell::Integer(info.num_parameters as i64)),
        ("size_bytes", Cell::Integer(info.size_bytes as i64)),
        ("num_layers", count(config.num_layers)),
        ("hidden_size", count(config.hidden_size)),
        ("intermediate_size", count(config.intermediate_size)),
        ("num_heads", count(config.num_heads)),
        ("num_kv_heads", count(config.num_kv_heads)),
        ("head_dim", count(config.head_dim)),
        ("vocab_size", count(config.vocab_size)),
        ("context_length", count(config.context_length)),
        ("tokenizer_vocab_size", count(tokenizer.vocab_size())),
        ("stop_tokens", text(&stop_tokens.join(", "))),
        ("chat_template", text(if tokenizer.chat_template().is_some() { "yes" } else { "no" })),
        ("tokenizer_sha256", text(&info.tokenizer_sha256)),
        ("sha256", text(&info.sha256)),
    ];
    let mut grid = Grid::new([Column::new("key", "Model"), Column::new("value", "")]);
    for (key, value) in facts {
        grid.push([text(key), value]);
    }
    Ok(grid)
}
