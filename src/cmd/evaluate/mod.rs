//! `speclora evaluate`: answers prompts once, and says what the draft, plain and with adapters, makes of the answers.

mod job;
mod prepare;
mod summary;

use clap::Args;

use super::bench::check_none_failed;
use super::bench::flags::{GreedyArgs, ModelArgs, PromptArgs, run_name};
use super::bench::job::Ended;
use super::context::Context;
use super::is_closed_pipe;
use crate::config::Overrides;

/// Arguments of `speclora evaluate`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "The target answers each prompt once, greedily, with the plain draft's help. The plain draft and each adapter then read \
    these answers (teacher forcing). Greedy speculation gives the target's own output whatever the draft, so that where a draft \
    agrees with the target decides every round that it would have had: acceptance (accepted / drafted) and the mean acceptance \
    length τ (emitted / rounds) follow without decoding again, and without timing. Avg Acceptance is the mean over prompts, as \
    bench has it; Pooled is over all tokens together. They are close to those of bench: adapters are \
    judged in f32, where decoding rounds them beside quantised weights, and in the last round of an answer bench drafts one token \
    fewer where --max-tokens cut it off, and may draft past a stop token. Drafts are judged with the whole vocabulary: --draft-vocab of a bench may accept less.\n\n\
    Expected acceptance is the mean over output positions of the sum over tokens of min(p, q), p the target's distribution \
    and q the draft's, both at temperature 1; of p, the --target-top-k likeliest tokens are kept. Top-1 is the \
    share of positions where both models' likeliest tokens are equal. Gains are differences from the plain draft on the same \
    prompts, with 95 % bootstrap intervals over prompts; a prompt is better where its acceptance rate is higher.\n\n\
    The answers are stored with the run, and are no examples: training never sees them."
)]
pub struct EvaluateArgs {
    #[command(flatten)]
    prompts: PromptArgs,

    #[command(flatten)]
    models: ModelArgs,
    /// LoRA adapter to judge beside the plain draft: an alias, a checkpoint id, or a PEFT folder; may be given more than once
    /// [default: best, if it was made for this draft]
    #[arg(short, long = "adapter", alias = "lora-adapter", value_name = "ADAPTER", help_heading = "Models")]
    adapters: Vec<String>,

    #[command(flatten)]
    decoding: GreedyArgs,
    /// Likeliest tokens of the target that count at each position [default: 64]
    #[arg(long, value_name = "K", help_heading = "Decoding", allow_negative_numbers = true)]
    target_top_k: Option<String>,

    /// Name of the run: not a number, not "run", and without a leading @
    #[arg(long, value_name = "NAME", value_parser = run_name, help_heading = "Run")]
    name: Option<String>,
    /// Tag of the run; may be given more than once, each key once
    #[arg(long = "tag", value_name = "KEY=VALUE", help_heading = "Run")]
    tags: Vec<String>,
    /// Note on the run
    #[arg(long, value_name = "TEXT", help_heading = "Run")]
    note: Option<String>,
}

impl EvaluateArgs {
    /// The settings that flags decide.
    fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::NONE;
        self.prompts.decide(&mut overrides);
        self.models.decide(&mut overrides);
        self.decoding.decide(&mut overrides);
        overrides.set("target_top_k", self.target_top_k.as_deref());
        overrides
    }
}

/// Runs the command.
pub(crate) fn run(args: &EvaluateArgs, context: &Context) -> anyhow::Result<()> {
    let job = prepare::prepared(args, context)?;
    let Ended { store, run, error } = job::carry_out(job, context)?;
    if let Some(error) = error {
        // What ended before is worth a look. The error counts more than one that keeps it from being read.
        let _ = summary::print(&store, run, context);
        return Err(error);
    }
    match summary::print(&store, run, context) {
        Err(error) if is_closed_pipe(&error) => {}
        printed => printed?,
    }
    check_none_failed(&store.mode_metrics(run)?, run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::bench::flags::tests::check_help;
    use crate::record::RunKind;

    #[test]
    fn defaults_that_help_names_are_those_of_the_settings() {
        // An evaluation is greedy, answers each prompt once in one mode, and keeps the draft's vocabulary whole.
        let fixed = ["modes", "iterations", "warmup", "temperature", "draft_vocab"];
        check_help::<EvaluateArgs>(RunKind::Evaluate, &fixed);
    }
}
