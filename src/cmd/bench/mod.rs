//! `speclora bench`: measures modes over prompts and stores every generation as it ends.

mod job;
mod prepare;

use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::present;
use crate::config::Overrides;
use crate::record::RunId;
use crate::report::{Format, Grid, comparison_lines, summary_grid};
use crate::store::{ModeMetrics, Store};

/// Arguments of `speclora bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Prompts, one a line (or .jsonl, .csv with a prompt column; - for standard input)
    #[arg(short = 'f', long, value_name = "FILE")]
    prompts_file: Option<PathBuf>,
    /// A prompt; may be given more than once
    #[arg(short, long = "prompt", value_name = "TEXT", conflicts_with = "prompts_file")]
    prompts: Vec<String>,
    /// Draws this many of the prompts at random, by --seed
    #[arg(short, long, value_name = "N")]
    limit: Option<String>,
    /// Most tokens that one generation emits [default: 256]
    #[arg(short, long, value_name = "N")]
    max_tokens: Option<String>,
    /// Times that each prompt is measured in each mode [default: 1]
    #[arg(short = 'n', long, value_name = "N")]
    iterations: Option<String>,
    /// Warm-up generations of each mode, which count in no figure [default: 1]
    #[arg(long, value_name = "N")]
    warmup: Option<String>,

    /// Model whose output is wanted: a .gguf file, a Hugging Face folder, or a name in the folder of models
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    target: Option<String>,
    /// Small model that proposes tokens
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    draft: Option<String>,
    /// LoRA adapter of the draft: an alias, a checkpoint id, or a PEFT folder [default: best]
    #[arg(short, long, alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapter: Option<String>,
    /// Folder in which names of models are looked up [default: ~/.cache/speclora/models]
    #[arg(long, value_name = "FOLDER", help_heading = "Models")]
    models: Option<String>,
    /// Threads that compute [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Models")]
    threads: Option<String>,

    /// Modes to measure: target_only, spec_base, spec_lora, control
    #[arg(long, value_name = "MODES", help_heading = "Decoding")]
    modes: Option<String>,
    /// Leaves out spec_lora
    #[arg(long, conflicts_with_all = ["modes", "adapter"], help_heading = "Decoding")]
    skip_lora: bool,
    /// Measures target_only twice (A/A): what differs is noise
    #[arg(long, conflicts_with = "modes", help_heading = "Decoding")]
    control: bool,
    /// Tokens that the draft proposes in each round, 1 to 32 [default: 4]
    #[arg(long, value_name = "N", help_heading = "Decoding")]
    num_draft_tokens: Option<String>,
    /// Temperature of sampling; 0 is greedy [default: 0]
    #[arg(long, value_name = "T", help_heading = "Decoding")]
    temperature: Option<String>,
    /// Probability mass that sampling keeps [default: 1]
    #[arg(long, value_name = "P", help_heading = "Decoding")]
    top_p: Option<String>,
    /// Likeliest tokens that sampling keeps; 0 keeps all [default: 0]
    #[arg(long, value_name = "K", help_heading = "Decoding")]
    top_k: Option<String>,
    /// Seed of every random choice [default: 0]
    #[arg(long, value_name = "N", help_heading = "Decoding")]
    seed: Option<String>,
    /// System prompt
    #[arg(long, value_name = "TEXT", help_heading = "Decoding")]
    system: Option<String>,
    /// Sends prompts without the model's chat template
    #[arg(long, conflicts_with = "system", help_heading = "Decoding")]
    raw: bool,
    /// Cap on the tokens of prompt and output together
    #[arg(long, value_name = "N", help_heading = "Decoding")]
    context_length: Option<String>,

    /// Name of the run
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    name: Option<String>,
    /// Tag of the run; may be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE", help_heading = "Run")]
    tags: Vec<String>,
    /// Note on the run
    #[arg(long, value_name = "TEXT", help_heading = "Run")]
    note: Option<String>,
    /// Finishes an interrupted or crashed run: its plan and settings, only what is missing
    #[arg(long, value_name = "RUN", help_heading = "Run")]
    resume: Option<String>,
    /// Writes the results as JSON to this file (- for standard output)
    #[arg(short, long, value_name = "FILE", help_heading = "Run")]
    output: Option<PathBuf>,
}

impl BenchArgs {
    /// The settings that flags decide.
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::NONE;
        overrides
            .set("limit", self.limit.as_deref())
            .set("max_tokens", self.max_tokens.as_deref())
            .set("iterations", self.iterations.as_deref())
            .set("warmup", self.warmup.as_deref())
            .set("target", self.target.as_deref())
            .set("draft", self.draft.as_deref())
            .set("adapter", self.adapter.as_deref())
            .set("models", self.models.as_deref())
            .set("threads", self.threads.as_deref())
            .set("modes", self.modes.as_deref())
            .set("num_draft_tokens", self.num_draft_tokens.as_deref())
            .set("temperature", self.temperature.as_deref())
            .set("top_p", self.top_p.as_deref())
            .set("top_k", self.top_k.as_deref())
            .set("seed", self.seed.as_deref())
            .set("system_prompt", self.system.as_deref())
            .set("raw", self.raw.then_some(true))
            .set("context_length", self.context_length.as_deref());
        match (self.skip_lora, self.control) {
            (true, true) => {
                overrides.set_by("--skip-lora --control", "modes", Some("target_only,spec_base,control"))
            }
            (true, false) => overrides.set_by("--skip-lora", "modes", Some("target_only,spec_base")),
            (false, true) => {
                overrides.set_by("--control", "modes", Some("target_only,spec_base,spec_lora,control"))
            }
            (false, false) => &mut overrides,
        };
        overrides
    }
}

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, context: &Context) -> anyhow::Result<()> {
    let job = match &args.resume {
        Some(selector) => prepare::resumed(selector, args, context)?,
        None => prepare::fresh(args, context)?,
    };
    let (store, run) = job::carry_out(job, context)?;
    if let Some(path) = &args.output {
        let json = present::bench_export(&store, run)?.to_json();
        context.write(path, &json)?;
    }
    print_summary(&store, run, context)?;
    check_outcome(&store.mode_metrics(run)?, run)
}

/// Prints what the database now says of a run.
fn print_summary(store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let metrics = store.mode_metrics(run)?;
    let summaries = present::summaries(&metrics);
    let grid: Grid = summary_grid(&summaries);
    match context.format() {
        Format::Json => context.ui.data(&present::bench_export(store, run)?.to_json())?,
        Format::Table | Format::Md => {
            let lines: String = comparison_lines(&summaries).iter().map(|line| format!("{line}\n")).collect();
            context.ui.data(&format!("{}\n{lines}", grid.render(context.format())))?;
        }
        Format::Jsonl | Format::Csv => context.print(&grid)?,
    }
    Ok(())
}

/// A bench with failed generations, or with outputs that differ, did not go well, and its exit code says so.
fn check_outcome(metrics: &[ModeMetrics], run: RunId) -> anyhow::Result<()> {
    let num_failed: u64 = metrics.iter().map(|m| m.num_failed).sum();
    let num_generations: u64 = metrics.iter().map(|m| m.num_generations).sum();
    if num_failed > 0 {
        anyhow::bail!(
            "{num_failed} of {num_generations} generations failed (speclora runs show {run} says why)"
        );
    }
    if let Some(m) = metrics.iter().find(|m| m.num_lossless < m.num_compared) {
        let num_different = m.num_compared - m.num_lossless;
        anyhow::bail!(
            "{num_different} {} outputs differ from target_only's: this is a bug, please report it",
            m.mode
        );
    }
    Ok(())
}
