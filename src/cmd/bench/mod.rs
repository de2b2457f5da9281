//! `speclora bench`: measures modes over prompts and stores every generation as it ends.
//!
//! `speclora collect` answers prompts the same way, in one mode: flags, preparation, the job and taking up a run are shared.

pub(super) mod flags;
pub(super) mod job;
pub(super) mod prepare;
pub(super) mod resume;

use std::path::{Path, PathBuf};

use clap::Args;

use super::context::Context;
use super::facts::Facts;
use super::measured::{self, lines_below};
use super::{UsageError, is_closed_pipe, output, present};
use crate::config::Overrides;
use crate::record::{RunId, RunKind};
use crate::report::{Format, OutputFormat, summary_grid};
use crate::store::{ModeMetrics, Store};
use flags::{Asked, DecodingArgs, ModelArgs, PromptArgs, RunArgs};
use job::Ended;

/// Arguments of `speclora bench`.
#[derive(Debug, Default, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    prompts: PromptArgs,
    /// Times that each prompt is measured in each mode [default: 1]
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<String>,
    /// Warm-up generations of each mode, which count in no figure [default: 1]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    warmup: Option<String>,

    #[command(flatten)]
    models: ModelArgs,
    /// LoRA adapter of the draft: an alias, a checkpoint id, or a PEFT folder [default: best]
    #[arg(short, long, alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapter: Option<String>,

    /// Modes to measure: target_only, spec_base, spec_lora, control
    #[arg(long, value_name = "MODES", help_heading = "Decoding")]
    modes: Option<String>,
    /// Leaves out spec_lora
    #[arg(long, conflicts_with_all = ["modes", "adapter"], help_heading = "Decoding")]
    skip_lora: bool,
    /// Measures target_only twice (A/A): what differs is noise
    #[arg(long, conflicts_with = "modes", help_heading = "Decoding")]
    control: bool,
    #[command(flatten)]
    decoding: DecodingArgs,

    #[command(flatten)]
    run: RunArgs,
    /// Writes the results as JSON to this file when the run is complete (- for standard output, in place of the table)
    #[arg(short, long, value_name = "FILE", help_heading = "Run")]
    output: Option<PathBuf>,
}

impl BenchArgs {
    /// A bench of the built-in pair over a built-in prompt file.
    pub(super) fn of_builtin_pair(name: &str, prompts_file: &str) -> Self {
        Self {
            prompts: PromptArgs {
                prompts_file: Some(prompts_file.into()),
                max_tokens: Some("96".to_owned()),
                ..PromptArgs::default()
            },
            models: ModelArgs::of_builtin_pair(),
            skip_lora: true,
            run: RunArgs { name: Some(name.to_owned()), ..RunArgs::default() },
            ..Self::default()
        }
    }

    /// The same with an adapter.
    pub(super) fn with_adapter(self, name: &str) -> Self {
        Self { skip_lora: false, adapter: Some(name.to_owned()), ..self }
    }

    /// What the flags ask for.
    fn asked(&self) -> Asked<'_> {
        Asked {
            kind: RunKind::Bench,
            prompts: &self.prompts,
            run: &self.run,
            output: self.output.as_deref(),
            takes_other_draft: self.models.force,
            overrides: self.overrides(),
        }
    }

    /// The settings that flags decide.
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::NONE;
        self.prompts.decide(&mut overrides);
        self.models.decide(&mut overrides);
        self.decoding.decide(&mut overrides);
        overrides
            .set("iterations", self.iterations.as_deref())
            .set("warmup", self.warmup.as_deref())
            .set("adapter", self.adapter.as_deref())
            .set("modes", self.modes.as_deref());
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
    if let Some(path) = &args.output {
        refuse_other_format(path)?;
    }
    let job = prepare::prepared(args.asked(), context)?;
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
        None | Some(OutputFormat::Text(Format::Json)) => Ok(()),
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
    context.write(path, &measured::bench_export(store, run)?.to_json())?;
    printed
}

fn print_summary(store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let format = context.format();
    match format {
        Format::Json => context.ui.data(&measured::bench_export(store, run)?.to_json())?,
        Format::Table | Format::Md => {
            let summaries = measured::summaries(store, run)?;
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

/// A run with failed generations did not go well, and its exit code says so.
pub(super) fn check_none_failed(metrics: &[ModeMetrics], run: RunId) -> anyhow::Result<()> {
    let num_failed: u64 = metrics.iter().map(|m| m.num_failed).sum();
    let num_generations: u64 = metrics.iter().map(|m| m.num_generations).sum();
    if num_failed > 0 {
        anyhow::bail!(
            "{num_failed} of {num_generations} generations failed (speclora runs show {run} says why)"
        );
    }
    Ok(())
}

/// Nor did a bench with outputs that differ.
fn check_outcome(metrics: &[ModeMetrics], run: RunId) -> anyhow::Result<()> {
    check_none_failed(metrics, run)?;
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

    #[test]
    fn defaults_that_help_names_are_those_of_the_settings() {
        flags::tests::check_help::<BenchArgs>(RunKind::Bench, &["modes"]);
    }
}
