//! The flags of `speclora train`.

use clap::Args;

use crate::cmd::bench::flags::{ModelArgs, RunArgs};
use crate::config::Overrides;

/// Arguments of `speclora train`.
#[derive(Debug, Default, Args)]
#[command(
    after_help = "Learns from the examples that speclora collect stored for this target, and stores each step as it ends. \
    Every evaluation on held-out prompts leaves a checkpoint; the alias latest follows the newest, final is a run's last, \
    and best moves to the run's best one only where the 95 % interval of its gain in expected acceptance over the present \
    best excludes zero. Expected acceptance is the mean over output positions of the sum over tokens of min(p, q), p the \
    target's distribution and q the draft's."
)]
pub struct TrainArgs {
    #[command(flatten)]
    pub(super) models: ModelArgs,
    /// Rounds the draft's larger weights to this type, as it will decode: q4_0
    #[arg(long, value_name = "TYPE", help_heading = "Models")]
    pub(super) draft_quant: Option<String>,
    /// Tokens that the draft proposes in each round, for what evaluations say of rounds [default: 4]
    #[arg(long, value_name = "N", help_heading = "Models", allow_negative_numbers = true)]
    pub(super) num_draft_tokens: Option<String>,

    /// Learns only from the examples of this run; may be given more than once [default: every run that collected]
    #[arg(long = "collected", value_name = "RUN", help_heading = "Examples")]
    pub(super) collected: Vec<String>,
    /// Acceptance rate, as first collected, from which on an example is only replayed; where every one is, all are learned
    /// [default: 0.7]
    #[arg(long, value_name = "RATE", help_heading = "Examples", allow_negative_numbers = true)]
    pub(super) acceptance_threshold: Option<String>,
    /// Share of an epoch's examples that are replayed [default: 0.25]
    #[arg(long, value_name = "SHARE", help_heading = "Examples", allow_negative_numbers = true)]
    pub(super) replay_ratio: Option<String>,
    /// Share of the prompts that are held out [default: 0.2]
    #[arg(long, value_name = "SHARE", help_heading = "Examples", allow_negative_numbers = true)]
    pub(super) holdout: Option<String>,

    /// Goes on from this adapter (an alias or a checkpoint id), whose rank, alpha, modules and skipped prompt stay
    #[arg(long, value_name = "ADAPTER", conflicts_with_all = ["rank", "alpha", "target_modules", "skip_shared_prompt"], help_heading = "Adapter")]
    pub(super) from: Option<String>,
    /// Rank of the adapter [default: 16]
    #[arg(long, value_name = "R", help_heading = "Adapter", allow_negative_numbers = true)]
    pub(super) rank: Option<String>,
    /// Numerator of the adapter's scale, alpha / rank [default: twice the rank]
    #[arg(long, value_name = "ALPHA", help_heading = "Adapter", allow_negative_numbers = true)]
    pub(super) alpha: Option<String>,
    /// Modules of each block that it changes: some of q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj [default: all]
    #[arg(long, value_name = "MODULES", help_heading = "Adapter")]
    pub(super) target_modules: Option<String>,

    /// What is made small: ce, forward_kl, reverse_kl, jsd, tvd or lk_hybrid [default: forward_kl]
    #[arg(long, value_name = "LOSS", help_heading = "Training")]
    pub(super) loss: Option<String>,
    /// Times through the examples [default: 3]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) epochs: Option<String>,
    /// Learning rate after the warm-up [default: by the draft's width: 5e-4 at a hidden size of 896, 1e-3 up to 564]
    #[arg(long, value_name = "RATE", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) learning_rate: Option<String>,
    /// Share of the steps over which the learning rate rises [default: 0.1]
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) warmup_ratio: Option<String>,
    /// Weight decay of AdamW [default: 0]
    #[arg(long, value_name = "DECAY", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) weight_decay: Option<String>,
    /// Norm that a larger gradient is scaled down to [default: 1]
    #[arg(long, value_name = "NORM", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) max_gradient_norm: Option<String>,
    /// Examples that go through the model together [default: 8]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) batch_size: Option<String>,
    /// Batches whose gradients make one step [default: 1]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) gradient_accumulation: Option<String>,
    /// Share of the adapter's inputs that are dropped at random [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) dropout: Option<String>,
    /// Weight of positions where a proposal was refused [default: 1]
    #[arg(long, value_name = "WEIGHT", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) rejected_weight: Option<String>,
    /// Teaches the draft to do without what most prompts begin with (a system prompt, say), and not to read it any more
    #[arg(long, help_heading = "Training")]
    pub(super) skip_shared_prompt: bool,
    /// Steps between evaluations on held-out examples [default: an eighth of the run]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) eval_every: Option<String>,
    /// Stops after this many evaluations without a better one [default: never]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) patience: Option<String>,
    /// Computes activations again for the gradient: takes longer, and less memory
    #[arg(long, help_heading = "Training")]
    pub(super) gradient_checkpointing: bool,
    /// Seed of every random choice [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true)]
    pub(super) seed: Option<String>,

    #[command(flatten)]
    pub(super) run: RunArgs,
}

impl TrainArgs {
    /// Trains the built-in draft on the examples of a run.
    pub(in crate::cmd) fn of_builtin_pair(name: &str, collected: &str) -> Self {
        Self {
            models: ModelArgs::of_builtin_pair(),
            collected: vec![collected.to_owned()],
            run: RunArgs { name: Some(name.to_owned()), ..RunArgs::default() },
            ..Self::default()
        }
    }

    /// The settings that flags decide.
    pub(super) fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::NONE;
        self.models.decide(&mut overrides);
        overrides
            .set("draft_quant", self.draft_quant.as_deref())
            .set("num_draft_tokens", self.num_draft_tokens.as_deref())
            .set("acceptance_threshold", self.acceptance_threshold.as_deref())
            .set("replay_ratio", self.replay_ratio.as_deref())
            .set("holdout", self.holdout.as_deref())
            .set("rank", self.rank.as_deref())
            .set("alpha", self.alpha.as_deref())
            .set("target_modules", self.target_modules.as_deref())
            .set("loss", self.loss.as_deref())
            .set("epochs", self.epochs.as_deref())
            .set("learning_rate", self.learning_rate.as_deref())
            .set("warmup_ratio", self.warmup_ratio.as_deref())
            .set("weight_decay", self.weight_decay.as_deref())
            .set("max_gradient_norm", self.max_gradient_norm.as_deref())
            .set("batch_size", self.batch_size.as_deref())
            .set("gradient_accumulation", self.gradient_accumulation.as_deref())
            .set("dropout", self.dropout.as_deref())
            .set("rejected_weight", self.rejected_weight.as_deref())
            .set("skip_shared_prompt", self.skip_shared_prompt.then_some(true))
            .set("eval_every", self.eval_every.as_deref())
            .set("patience", self.patience.as_deref())
            .set("gradient_checkpointing", self.gradient_checkpointing.then_some(true))
            .set("seed", self.seed.as_deref());
        overrides
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cmd::bench::flags::tests::check_help;
    use crate::record::RunKind;

    #[test]
    fn defaults_that_help_names_are_those_of_the_settings() {
        check_help::<TrainArgs>(
            RunKind::Train,
            &["target_modules", "skip_shared_prompt", "gradient_checkpointing"],
        );
    }
}
