//! `speclora collect`: answers prompts speculatively, and keeps what the target said and thought, to train the draft on.

mod examples;
pub(super) mod summary;

use std::path::{Path, PathBuf};

use clap::Args;

use super::bench::flags::{Asked, DecodingArgs, ModelArgs, PromptArgs, RunArgs};
use super::bench::job::{self, Ended};
use super::bench::{check_none_failed, prepare};
use super::context::Context;
use super::{UsageError, is_closed_pipe, output};
use crate::config::{Overrides, Spec};
use crate::engine::tokenizer::Tokenizer;
use crate::record::{RunId, RunKind};
use crate::report::{Format, OutputFormat};
use crate::store::Store;

/// Arguments of `speclora collect`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Each answer of the target becomes an example, kept once however often it is given; with --temperature above 0, \
    each iteration and seed gives another. An example has the target's likeliest tokens at each position. Whether a prompt \
    is held out is drawn from its text, so that it stays on the same side in every run.\n\n\
    A line of --output is an object for one example of this run: example_id, prompt, output (text), tokens (ids), \
    acceptance_rate, num_drafted, num_accepted, num_rounds, split (train or held_out), and disagreements, a list of objects \
    with round, position, draft_token, target_token, draft_text, target_text, draft_probability and target_probability. A \
    disagreement is the first proposal of a round that the target refused; positions and rounds count from 0, probabilities \
    are softmax(logits), and the text of a special token is empty. The figures are those of the first time that this run \
    came by the answer."
)]
pub struct CollectArgs {
    #[command(flatten)]
    prompts: PromptArgs,
    /// Times that each prompt is answered; greedy answers are the same each time [default: 1]
    #[arg(short = 'n', long, value_name = "N", allow_negative_numbers = true)]
    iterations: Option<String>,

    #[command(flatten)]
    models: ModelArgs,
    /// LoRA adapter of the draft that is watched: an alias, a checkpoint id, or a PEFT folder; the plain draft if not given
    #[arg(short, long, alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapter: Option<String>,
    /// Watches the plain draft, whatever files and variables say of an adapter
    #[arg(long, conflicts_with = "adapter", help_heading = "Models")]
    skip_lora: bool,

    #[command(flatten)]
    decoding: DecodingArgs,

    /// Likeliest tokens of the target that are kept at each position; an example that is there already keeps those it has [default: 64]
    #[arg(long, value_name = "K", help_heading = "Examples", allow_negative_numbers = true)]
    target_top_k: Option<String>,
    /// Acceptance rate below which an example counts as a failure of the draft [default: 0.7]
    #[arg(long, value_name = "RATE", help_heading = "Examples", allow_negative_numbers = true)]
    acceptance_threshold: Option<String>,
    /// Share of the prompts that training will hold out, to say how many examples that are [default: 0.2]
    #[arg(long, value_name = "SHARE", help_heading = "Examples", allow_negative_numbers = true)]
    holdout: Option<String>,

    #[command(flatten)]
    run: RunArgs,
    /// Writes the examples as JSON Lines to this file when the run is complete (- for standard output, in place of the summary)
    #[arg(short, long, value_name = "FILE", help_heading = "Run")]
    output: Option<PathBuf>,
}

impl CollectArgs {
    /// Collects from some of the built-in pair's training prompts.
    pub(super) fn of_builtin_pair(name: &str, limit: u32) -> Self {
        Self {
            prompts: PromptArgs {
                prompts_file: Some("builtin:train".into()),
                limit: Some(limit.to_string()),
                max_tokens: Some("96".to_owned()),
                ..PromptArgs::default()
            },
            models: ModelArgs::of_builtin_pair(),
            skip_lora: true,
            run: RunArgs { name: Some(name.to_owned()), ..RunArgs::default() },
            ..Self::default()
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            kind: RunKind::Collect,
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
            .set("adapter", self.adapter.as_deref())
            .set_by("--skip-lora", "modes", self.skip_lora.then_some("spec_base"))
            .set("target_top_k", self.target_top_k.as_deref())
            .set("acceptance_threshold", self.acceptance_threshold.as_deref())
            .set("holdout", self.holdout.as_deref());
        overrides
    }
}

/// Runs the command.
pub(crate) fn run(args: &CollectArgs, context: &Context) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        refuse_other_format(path)?;
    }
    let job = prepare::prepared(args.asked(), context)?;
    let tokenizer = args.output.is_some().then(|| job.models.target.tokenizer.clone());
    let Ended { store, run, error } = job::carry_out(job, context)?;
    let collected = Collected::of(&store, run)?;
    if let Some(error) = error {
        // What ended before is worth a look. The error counts more than one that keeps it from being read.
        if !args.output.as_deref().is_some_and(output::is_stdout) {
            let _ = summary::print(&collected, context);
        }
        return Err(error);
    }
    let output = args.output.as_deref().zip(tokenizer.as_ref());
    match report(&collected, output, context) {
        Err(error) if is_closed_pipe(&error) => {}
        reported => reported?,
    }
    check_none_failed(&store.mode_metrics(run)?, run)?;
    context.ui.status("speclora train learns from the examples");
    Ok(())
}

/// What a run has collected.
pub(super) struct Collected<'a> {
    store: &'a Store,
    run: RunId,
    /// Share of the prompts that training will hold out.
    holdout: f64,
}

impl<'a> Collected<'a> {
    /// A run with the holdout of its settings.
    pub(super) fn of(store: &'a Store, run: RunId) -> anyhow::Result<Self> {
        let holdout = Spec::from_settings(&store.run_plan(run)?.settings)?.holdout;
        Ok(Self { store, run, holdout })
    }
}

/// The file of examples is JSON Lines.
fn refuse_other_format(output: &Path) -> Result<(), UsageError> {
    match output::format_of(output) {
        None | Some(OutputFormat::Text(Format::Jsonl)) => Ok(()),
        Some(_) => Err(UsageError(format!(
            "collect writes JSON Lines to --output, got {} (name a file that ends in .jsonl)",
            output.display()
        ))),
    }
}

/// Prints the summary, and writes the file that was asked for; `-` is that file on standard output, and nothing else goes
/// there.
fn report(
    collected: &Collected,
    output: Option<(&Path, &Tokenizer)>,
    context: &Context,
) -> anyhow::Result<()> {
    let Some((path, tokenizer)) = output else {
        return summary::print(collected, context);
    };
    let printed = match output::is_stdout(path) {
        true => Ok(()),
        false => summary::print(collected, context),
    };
    context.write(path, &examples::lines(collected, tokenizer)?)?;
    printed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::bench::flags::tests::check_help;

    #[test]
    fn defaults_that_help_names_are_those_of_the_settings() {
        // An adapter is used only where somebody names one; a run that collects has one mode and no warm-up.
        check_help::<CollectArgs>(RunKind::Collect, &["adapter", "modes", "warmup"]);
    }

    #[test]
    fn examples_are_written_as_json_lines_alone() {
        let refused = |name: &str| refuse_other_format(Path::new(name)).is_err();
        assert_eq!(
            ["-", "x", "x.jsonl", "x.txt", "x.json", "x.csv"].map(refused),
            [false, false, false, false, true, true]
        );
    }
}
