//! Plain data that travels between the parts: what was asked, what ran, what was measured.
//!
//! Nothing here opens a file, prints, holds a tensor or knows SQL. Field names are the names of columns, keys and
//! flags, so that one word means one thing from the command line to the database.

mod column;
mod generation;
mod training;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use column::{AnswerColumn, ColumnType};
pub use generation::{Completion, Decoded, Generation, Round, Slot};
pub use training::{
    Disagreement, ExampleSummary, HeldOutFigures, Observations, OutputEvaluation, Purpose,
    TargetProbabilities, TrainStep, TrainingState,
};

/// Declares an integer database key as a type of its own, so that a run's id is never passed for a prompt's.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id_type!(
    /// A run: what people type in `speclora runs show 12`.
    RunId
);
id_type!(
    /// A stored adapter checkpoint.
    CheckpointId
);
id_type!(
    /// A stored answer of a target, to learn from.
    ExampleId
);

/// Declares an enum whose variants have one stored spelling each (columns, JSON keys, flags).
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every value, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored spelling.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => {
                        let known: Vec<_> = Self::ALL.iter().map(|v| v.as_str()).collect();
                        Err(format!("{} must be one of {}, got \"{text}\"", $what, known.join(", ")))
                    }
                }
            }
        }
    };
}

named_enum!(
    /// How tokens are generated.
    Mode, "mode" {
        /// The target alone, one token a pass: what every speedup is measured against.
        TargetOnly = "target_only",
        /// Speculative decoding with the draft as it is.
        SpecBase = "spec_base",
        /// Speculative decoding with a LoRA adapter on the draft.
        SpecLora = "spec_lora",
        /// The target alone once more (A/A): its "speedup" is the noise of the measurement.
        Control = "control",
    }
);

impl Mode {
    /// Whether this mode proposes tokens with the draft.
    pub fn is_speculative(self) -> bool {
        matches!(self, Self::SpecBase | Self::SpecLora)
    }
}

named_enum!(
    /// A type that a draft's weights are rounded to when they are loaded.
    Quantization, "quantization" {
        /// Blocks of 32 weights of 4 bits with one scale.
        Q4_0 = "q4_0",
    }
);

named_enum!(
    /// How far a draft's distribution q is from the target's p, as training sees it.
    LossKind, "loss" {
        /// Cross-entropy of the target's chosen token.
        CrossEntropy = "ce",
        /// KL(p ‖ q).
        ForwardKl = "forward_kl",
        /// KL(q ‖ p).
        ReverseKl = "reverse_kl",
        /// Jensen–Shannon divergence.
        JensenShannon = "jsd",
        /// Total variation, ½ Σ |p − q| = 1 − Σ min(p, q): what is rejected.
        TotalVariation = "tvd",
        /// λ·KL(p ‖ q) + (1 − λ)·TV, λ falling with the acceptance reached.
        LkHybrid = "lk_hybrid",
    }
);

named_enum!(
    /// What a run does.
    RunKind, "kind" {
        /// Measures modes over prompts.
        Bench = "bench",
        /// Answers prompts and keeps what was seen, to learn from.
        Collect = "collect",
        /// Trains an adapter.
        Train = "train",
        /// Says what drafts make of the target's answers, without timing.
        Evaluate = "evaluate",
    }
);

named_enum!(
    /// How a run stands, as stored. A run that is stored as running but whose process is gone shows as crashed.
    RunStatus, "status" {
        /// Its process is at work (or died without a word).
        Running = "running",
        /// Ran to its end.
        Completed = "completed",
        /// Stopped by an error.
        Failed = "failed",
        /// Stopped by the user.
        Interrupted = "interrupted",
    }
);

named_enum!(
    /// Where the value of a setting came from.
    Origin, "origin" {
        /// Built in.
        Default = "default",
        /// A configuration file.
        File = "file",
        /// A `SPECLORA_*` environment variable.
        Environment = "environment",
        /// A command-line flag.
        Flag = "flag",
    }
);

named_enum!(
    /// Why a generation ended.
    StopReason, "stop_reason" {
        /// The model emitted one of its stop tokens.
        StopToken = "stop_token",
        /// `max_tokens` were emitted.
        MaxTokens = "max_tokens",
        /// The context is full.
        ContextLength = "context_length",
    }
);

named_enum!(
    /// The part a model plays in a run.
    Role, "role" {
        /// The model whose output is wanted.
        Target = "target",
        /// The small model that proposes tokens.
        Draft = "draft",
    }
);

/// One resolved setting of a run, with where it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// The name, the same as TOML key and flag (`num_draft_tokens`).
    pub key: String,
    /// The value; `null` where the setting is optional and absent.
    pub value: serde_json::Value,
    /// Which layer decided it.
    pub origin: Origin,
    /// The file, variable or flag that decided it (`./speclora.toml`, `SPECLORA_SEED`, `--seed`).
    pub source: Option<String>,
}

/// The machine and the program that measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Environment {
    /// The machine's name.
    pub hostname: Option<String>,
    /// Operating system and its version.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// CPU as the vendor names it.
    pub cpu_model: Option<String>,
    /// Logical processors.
    pub num_cpus: Option<u32>,
    /// Installed memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// What computes the forwards, with its version (`cpu-avx512`).
    pub engine: String,
    /// Version of this program.
    pub speclora_version: String,
    /// Commit that this program was built from.
    pub git_commit: Option<String>,
    /// Whether the sources differed from that commit.
    pub git_dirty: Option<bool>,
}

/// One file of a model, identified by its content.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelFile {
    /// File name inside the model (no directories of this machine).
    pub name: String,
    /// SHA-256 of the content, in hex.
    pub sha256: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// What a model is, independent of where it lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelInfo {
    /// The model's identity, in hex: the SHA-256 of its only file, or one over the sorted hashes of its files. Names do
    /// not count.
    pub sha256: String,
    /// `gguf` or `safetensors`.
    pub format: String,
    /// Architecture family (`llama`, `qwen2`, `qwen3`).
    pub family: String,
    /// Name the model gives itself, if any.
    pub name: Option<String>,
    /// Type of most weights (`Q4_K`, `BF16`).
    pub quantization: String,
    /// Number of weights.
    pub num_parameters: u64,
    /// Transformer blocks.
    pub num_layers: u32,
    /// Width of the residual stream.
    pub hidden_size: u32,
    /// Rows of the output head.
    pub vocab_size: u32,
    /// Longest sequence the model was made for, in tokens.
    pub context_length: u32,
    /// SHA-256 over the tokenizer's ids and tokens, in hex (its rules do not count): equal where two models may speculate
    /// together.
    pub tokenizer_sha256: String,
    /// Size of all files, in bytes.
    pub size_bytes: u64,
    /// The files.
    pub files: Vec<ModelFile>,
}

/// A model in a run: what it is and where it was loaded from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunModel {
    /// Target or draft.
    pub role: Role,
    /// Path it was loaded from.
    pub path: String,
    /// Identity and shape.
    pub info: ModelInfo,
}

/// A prompt to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompt {
    /// The user's words, before any chat template.
    pub text: String,
    /// Identifier in the prompt file, if it has one.
    pub external_id: Option<String>,
    /// Category in the prompt file, if it has one.
    pub category: Option<String>,
}

/// Where prompts came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PromptSource {
    /// File name, `-` for standard input, `command line` for `--prompt`.
    pub name: String,
    /// SHA-256 over the texts of all its prompts (before `limit` took some), in hex.
    pub sha256: String,
}

/// Everything that is known of a run before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// What it does.
    pub kind: RunKind,
    /// Name the user gave it.
    pub name: Option<String>,
    /// Note the user gave it.
    pub note: Option<String>,
    /// Tags the user gave it.
    pub tags: Vec<(String, String)>,
    /// Command line, as typed.
    pub command_line: String,
    /// Resolved settings.
    pub settings: Vec<Setting>,
    /// Machine and program.
    pub environment: Environment,
    /// Models by role.
    pub models: Vec<RunModel>,
    /// The adapter of `spec_lora`, if any.
    pub checkpoint_id: Option<CheckpointId>,
    /// The tokens that the draft may propose; every one if absent.
    pub draft_vocabulary: Option<DraftVocabulary>,
    /// Where the prompts came from.
    pub prompt_source: PromptSource,
    /// The prompts, in the order of the file; a prompt's index in this list is its `prompt_index`.
    pub prompts: Vec<Prompt>,
    /// How many generations the plan holds, warm-ups included.
    pub num_planned_generations: u32,
}

/// The part of the vocabulary from which a draft proposes, beside the tokens of the text at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftVocabulary {
    /// Ids, each once: special tokens first, then the others from the most frequent on.
    pub tokens: Vec<u32>,
    /// How many of them are special tokens.
    pub num_special: u32,
    /// How many were counted in stored outputs.
    pub num_from_outputs: u32,
    /// How many come from the list of tokens that are frequent in English and code.
    pub num_from_list: u32,
    /// How many were filled in by lowest id, which in most tokenizers means the most frequent.
    pub num_from_lowest: u32,
}

/// A LoRA adapter: identity, shape and bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterRecord {
    /// SHA-256 of `weights`, in hex.
    pub sha256: String,
    /// Rank r (the largest, where ranks differ by module).
    pub rank: u32,
    /// α of the scale α/r.
    pub alpha: f64,
    /// Modules that carry it (`q_proj`, …), sorted.
    pub target_modules: Vec<String>,
    /// Content of `adapter_config.json`.
    pub config_json: String,
    /// Content of `adapter_model.safetensors`.
    pub weights: Vec<u8>,
    /// Where it came from (a folder's path).
    pub source: String,
}
