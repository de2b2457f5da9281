//! What is collected, and what training leaves.

use half::f16;
use serde::Serialize;

use super::{CheckpointId, ExampleId};

/// What was seen of an answer while it was decoded, to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// Ids of the rendered prompt.
    pub prompt_tokens: Vec<u32>,
    /// What the target thought at each output position.
    pub target: TargetProbabilities,
    /// The first refused proposal of each round that has one.
    pub disagreements: Vec<Disagreement>,
}

/// A target's probabilities at output positions, softmax(logits / temperature), cut to the likeliest tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetProbabilities {
    /// Temperature that they were taken at.
    pub temperature: f64,
    /// Tokens kept at each position, k.
    pub top_k: u32,
    /// Token ids, likeliest first: `[num_positions, k]`, row-major.
    pub tokens: Vec<u32>,
    /// Their probabilities: `[num_positions, k]`, row-major.
    pub probabilities: Vec<f16>,
    /// The mass of all other tokens: `[num_positions]`.
    pub left_over: Vec<f32>,
}

/// A proposal of the draft that the target refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Disagreement {
    /// The round, from 0.
    pub round: u32,
    /// The output position, from 0.
    pub position: u32,
    /// What the draft proposed.
    pub draft_token: u32,
    /// What the target chose.
    pub target_token: u32,
    /// The draft's probability of its proposal, softmax(logits).
    pub draft_probability: f32,
    /// The target's probability of its choice, softmax(logits).
    pub target_probability: f32,
}

/// A stored example, without what the target thought.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleSummary {
    /// Its id.
    pub id: ExampleId,
    /// The prompt's words.
    pub prompt: String,
    /// Ids of the rendered prompt.
    pub prompt_tokens: Vec<u32>,
    /// Ids of the output.
    pub output_tokens: Vec<u32>,
    /// Output positions at which a draft's proposal was refused when the example was first collected.
    pub rejected_positions: Vec<u32>,
    /// Accepted ÷ drafted then; `None` where nothing was drafted, or the generation is gone.
    pub acceptance_rate: Option<f64>,
    /// In [0, 1), from the prompt's hash: below the share that is held out, it is.
    pub split_key: f64,
}

/// What an example is for in a training run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// New to the adapter.
    Train,
    /// Matched well already, or trained on before.
    Replay,
    /// Never trained on.
    HeldOut,
}

impl Purpose {
    /// The stored spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Replay => "replay",
            Self::HeldOut => "held_out",
        }
    }
}

/// One step of the optimiser.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainStep {
    /// From 1.
    pub step: u32,
    /// From 1.
    pub epoch: u32,
    /// Mean loss over its positions; not finite where training broke.
    pub loss: f64,
    /// Norm of the gradient before it was clipped.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Output positions with a loss.
    pub num_positions: u32,
    /// Tokens that went through the model.
    pub num_tokens: u32,
    /// How long it took.
    pub step_ns: u64,
    /// The examples that it learned from.
    pub examples: Vec<ExampleId>,
}

/// What a draft makes of one of the target's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutputEvaluation {
    /// Output positions.
    pub num_positions: u32,
    /// Σ over positions of Σ_v min(p, q).
    pub expected_acceptance: f64,
    /// Positions where both models' likeliest tokens are equal.
    pub num_agreements: u32,
    /// The loss, summed over positions.
    pub loss: f64,
    /// Rounds that greedy speculation would have had.
    pub num_rounds: u32,
    /// Tokens that it would have proposed.
    pub num_drafted: u32,
    /// Those that would have stood.
    pub num_accepted: u32,
    /// Tokens that would have been emitted in rounds.
    pub num_emitted: u32,
}

/// A training run's held-out figures after so many steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeldOutFigures {
    /// Steps done; 0 before the first.
    pub step: u32,
    /// Mean of Σ_v min(p, q) over positions.
    pub expected_acceptance: f64,
    /// Share of positions where both models' likeliest tokens are equal.
    pub top1_agreement: f64,
    /// Mean loss.
    pub loss: f64,
    /// Accepted ÷ drafted that greedy speculation would have had.
    pub acceptance_rate: Option<f64>,
    /// Emitted ÷ rounds that greedy speculation would have had.
    pub mean_acceptance_length: Option<f64>,
}

/// From where a training run goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    /// Steps done.
    pub step: u32,
    /// The adapter after them.
    pub checkpoint_id: CheckpointId,
    /// The optimiser's state (safetensors).
    pub optimizer: Vec<u8>,
}
