//! `speclora bench`: measures modes over prompts and stores every generation as it ends.

mod job;
mod prepare;
mod resume;

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::facts::Facts;
use super::present::lines_below;
use super::{UsageError, is_closed_pipe, output, present};
use crate::config::Overrides;
use crate::engine::files::builtin;
use crate::record::RunId;
use crate::report::{Format, summary_grid};
use crate::store::{ModeMetrics, Store};
use job::Ended;

/// Arguments of `speclora bench`.
#[derive(Debug, Default, Args)]
pub struct BenchArgs {
    /// Prompts, one a line (or .jsonl, .csv with a prompt column; - for standard input; builtin:general, builtin:bench, builtin:train)
    #[arg(short = 'f', long, value_name = "FILE")]
    prompts_file: Option<PathBuf>,
    /// A prompt; may be given more than once
    #[arg(short, long = "prompt", value_name = "TEXT", conflicts_with = "prompts_file")]
    prompts: Vec<String>,
    /// Draws this many of the prompts at random, by --seed
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    limit: Option<String>,
    /// Most tokens that one generation emits [default: 256]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    max_tokens: Option<String>,
    /// Times that each prompt is measured in each mode [default: 1]
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<String>,
    /// Warm-up generations of each mode, which count in no figure [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    warmup: Option<String>,

    /// Model whose output is wanted: a .gguf file, a Hugging Face folder, a name in the folder of models, or builtin:target
    /// [default: the built-in pair]
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    target: Option<String>,
    /// Small model that proposes tokens
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    draft: Option<String>,
    /// LoRA adapter of the draft: an alias, a checkpoint id, or a PEFT folder [default: best]
    #[arg(short, long, alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapter: Option<String>,
    /// Takes an adapter that was made for another draft, if its shapes fit
    #[arg(long, help_heading = "Models")]
    force: bool,
    /// Folder in which names of models are looked up [default: ~/.cache/speclora/models]
    #[arg(long, value_name = "FOLDER", help_heading = "Models")]
    models: Option<String>,
    /// Threads that compute [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Models", allow_negative_numbers = true)]
    threads: Option<String>,
    /// Instruction set of the kernels: avx512, avxvnni, avx2, neon, or scalar for any processor [default: the fastest]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    simd: Option<String>,

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
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    num_draft_tokens: Option<String>,
    /// Tokens that the draft chooses from: auto, full or a number [default: auto]
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    draft_vocab: Option<String>,
    /// Rounds the draft's larger weights to this type: q4_0
    #[arg(long, value_name = "TYPE", help_heading = "Decoding")]
    draft_quant: Option<String>,
    /// Temperature of sampling; 0 is greedy [default: 0]
    #[arg(long, value_name = "T", help_heading = "Decoding", allow_negative_numbers = true)]
    temperature: Option<String>,
    /// Probability mass that sampling keeps [default: 1]
    #[arg(long, value_name = "P", help_heading = "Decoding", allow_negative_numbers = true)]
    top_p: Option<String>,
    /// Likeliest tokens that sampling keeps; 0 keeps all [default: 0]
    #[arg(long, value_name = "K", help_heading = "Decoding", allow_negative_numbers = true)]
    top_k: Option<String>,
    /// Seed of every random choice [default: 0]
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    seed: Option<String>,
    /// System prompt
    #[arg(long, value_name = "TEXT", help_heading = "Decoding")]
    system: Option<String>,
    /// Sends prompts without the model's chat template
    #[arg(long, conflicts_with = "system", help_heading = "Decoding")]
    raw: bool,
    /// Cap on the tokens of prompt and output together
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    context_length: Option<String>,

    /// Name of the run: not a number, not "run", and without a leading @
    #[arg(long, value_name = "NAME", value_parser = run_name, help_heading = "Run")]
    name: Option<String>,
    /// Tag of the run; may be given more than once, each key once
    #[arg(long = "tag", value_name = "KEY=VALUE", help_heading = "Run")]
    tags: Vec<String>,
    /// Note on the run
    #[arg(long, value_name = "TEXT", help_heading = "Run")]
    note: Option<String>,
    /// Finishes an interrupted or crashed run: its plan and settings, only what is missing (what failed stays failed)
    #[arg(long, value_name = "RUN", help_heading = "Run")]
    resume: Option<String>,
    /// Writes the results as JSON to this file when the run is complete (- for standard output, in place of the table)
    #[arg(short, long, value_name = "FILE", help_heading = "Run")]
    output: Option<PathBuf>,
}

impl BenchArgs {
    /// A bench of the built-in pair over a built-in prompt file.
    pub(super) fn of_builtin_pair(name: &str, prompts_file: &str) -> Self {
        Self {
            prompts_file: Some(prompts_file.into()),
            target: Some(builtin::TARGET.to_owned()),
            draft: Some(builtin::DRAFT.to_owned()),
            skip_lora: true,
            name: Some(name.to_owned()),
            max_tokens: Some("96".to_owned()),
            ..Self::default()
        }
    }

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
            .set("simd", self.simd.as_deref())
            .set("modes", self.modes.as_deref())
            .set("num_draft_tokens", self.num_draft_tokens.as_deref())
            .set("draft_vocab", self.draft_vocab.as_deref())
            .set("draft_quant", self.draft_quant.as_deref())
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

/// Reads a name that later selects its run, and nothing else: numbers are ids, @ begins @latest, and "run" is a word of
/// the command line.
fn run_name(text: &str) -> Result<String, String> {
    let problem = match text {
        "" => "a name has at least one character",
        "run" => "this word stands before a run, as in \"run 12\"",
        _ if text.trim() != text => "a name does not begin or end with spaces",
        _ if text.starts_with('@') => "@ begins selectors like @latest",
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => "a number selects a run by its id",
        _ => return Ok(text.to_owned()),
    };
    Err(problem.to_owned())
}

/// Runs the command.
pub(crate) fn run(args: &BenchArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        refuse_other_format(path)?;
    }
    let job = match &args.resume {
        Some(selector) => resume::resumed(selector, args, context)?,
        None => prepare::fresh(args, context)?,
    };
    let Ended { store, run, error } = job::carry_out(job, context)?;
    if let Some(error) = error {
        // What ended before is worth a look, but the file is for a run that is complete. The error counts more than one
        // that keeps the table from being read.
        if !args.output.as_deref().is_some_and(output::is_stdout) {
            let _ = print_summary(&store, run, context);
        }
        return Err(error);
    }
    // Whether a bench went well does not hang on who reads its table to the end.
    match report(args.output.as_deref(), &store, run, context) {
        Err(error) if is_closed_pipe(&error) => {}
        reported => reported?,
    }
    check_outcome(&store.mode_metrics(run)?, run)
}

/// The file of a bench is JSON.
fn refuse_other_format(output: &Path) -> Result<(), UsageError> {
    match output::format_of(output) {
        None | Some(Format::Json) => Ok(()),
        Some(other) => Err(UsageError(format!(
            "bench writes JSON to --output, got {} (speclora export writes {})",
            output.display(),
            other.as_str()
        ))),
    }
}

/// Prints what the database now says of a run, and writes the file that was asked for; `-` is that file on standard
/// output, and nothing else goes there.
fn report(output: Option<&Path>, store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let Some(path) = output else {
        return print_summary(store, run, context);
    };
    let printed = match output::is_stdout(path) {
        true => Ok(()),
        false => print_summary(store, run, context),
    };
    context.write(path, &present::bench_export(store, run)?.to_json())?;
    printed
}

fn print_summary(store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let format = context.format();
    match format {
        Format::Json => context.ui.data(&present::bench_export(store, run)?.to_json())?,
        Format::Table | Format::Md => {
            let summaries = present::summaries(&store.mode_metrics(run)?);
            let above =
                Facts::read(store, run)?.incomplete().map(|line| format!("{line}\n")).unwrap_or_default();
            let table = summary_grid(&summaries).render(format);
            context.ui.data(&format!("{above}{table}{}", lines_below(&summaries)))?;
        }
        Format::Jsonl | Format::Csv => {
            let rows = store.query("mode_metrics", &[(":run_id", run.into())])?;
            context.print(&present::whole_grid(&rows))?;
        }
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
            "{num_different} of {} prompts: {} output differs from target_only's: this is a bug, please report it",
            m.num_compared,
            m.mode
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KEYS, is_read_by};
    use crate::record::RunKind;

    #[test]
    fn name_selects_its_run_and_nothing_else() {
        for bad in ["", "12", "@latest", "@x", "run", " a"] {
            assert!(run_name(bad).is_err(), "{bad:?}");
        }
        for good in ["baseline", "12a", "run 1", "-1"] {
            assert_eq!(run_name(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn defaults_that_help_names_are_those_of_the_settings() {
        let command = BenchArgs::augment_args(clap::Command::new("bench"));
        let mut num_checked = 0;
        for key in KEYS.iter().filter(|key| is_read_by(key.name, RunKind::Bench)) {
            let flag = key.flag();
            let Some(default) = key.default.filter(|_| !matches!(key.name, "modes" | "raw")) else {
                continue;
            };
            let argument = command.get_arguments().find(|argument| argument.get_long() == Some(&flag[2..]));
            let help = argument.and_then(|argument| argument.get_help()).unwrap().to_string();
            let (_, named) = help.split_once("[default: ").unwrap_or_else(|| panic!("{flag}: {help}"));
            let named = named.strip_suffix(']').unwrap();
            let is_same = match (named.parse::<f64>(), default.parse::<f64>()) {
                (Ok(named), Ok(default)) => named == default,
                _ => named == default.trim_matches('"'),
            };
            assert!(is_same, "{flag}: help says {named}, the default is {default}");
            num_checked += 1;
        }
        assert!(num_checked >= 10, "{num_checked}");
    }
}
