//! What is generated: the places of a plan, and what came of them.

use serde::Serialize;

use super::{CheckpointId, Mode, Observations, StopReason};

/// One place in a run's plan: which prompt, which mode, which repetition, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Index into the run's prompts.
    pub prompt_index: u32,
    /// How to generate.
    pub mode: Mode,
    /// Repetition, from 0.
    pub iteration: u32,
    /// Position in the run's order of execution, from 0.
    pub exec_order: u32,
    /// Whether it only warms up caches and clocks; warm-ups count in no figure.
    pub is_warmup: bool,
}

/// One round of speculation: a draft's proposal and the target's verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Round {
    /// Tokens proposed.
    pub num_drafted: u32,
    /// Leading proposals that the target accepted.
    pub num_accepted: u32,
    /// Tokens that entered the output: the accepted ones, and the correction or bonus token.
    pub num_emitted: u32,
    /// Time the draft took.
    pub draft_ns: u64,
    /// Time of the target's pass and of the verdict.
    pub verify_ns: u64,
}

/// What decoding one prompt gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Emitted token ids, the stop token included if one was emitted.
    pub tokens: Vec<u32>,
    /// Rounds of speculation; none in a target-only mode. The first token is the prompt pass's and belongs to no round.
    pub rounds: Vec<Round>,
    /// Why it ended.
    pub stop_reason: StopReason,
    /// Tokens of the rendered prompt.
    pub num_prompt_tokens: u32,
    /// Passes through the target, the prompt's included.
    pub num_target_forwards: u32,
    /// Passes through the draft, the prompt's included.
    pub num_draft_forwards: u32,
    /// Request to first token: templating, tokenising and prompt passes included.
    pub time_to_first_token_ns: u64,
    /// Request to last token.
    pub time_to_last_token_ns: u64,
}

/// A generation that ended, well or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Its place in the plan.
    pub slot: Slot,
    /// The adapter in use, for `spec_lora`.
    pub checkpoint_id: Option<CheckpointId>,
    /// Seed of its random choices; below 2⁶³, as columns have a sign.
    pub seed: u64,
    /// Start, in milliseconds since 1970-01-01 UTC.
    pub started_at_ms: i64,
    /// The machine's load average over one minute at the start.
    pub load_average: Option<f64>,
    /// The result, or why there is none.
    pub outcome: Result<Completion, String>,
}

/// Decoded tokens with their text.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// Tokens, rounds and times.
    pub decoded: Decoded,
    /// The output as text, special tokens left out.
    pub text: String,
    /// What was seen meanwhile, where a run collects.
    pub observations: Option<Observations>,
}
