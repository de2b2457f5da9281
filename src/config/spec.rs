//! The table of all settings, and the typed [`Spec`] that it makes.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::error::ConfigError;
use super::key::{Key, Kind};
use super::layer;
use crate::record::{LossKind, Mode, Quantization, RunKind, Setting};

/// Declares every setting once; field, key, range, default and documentation all follow from its line.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $kind:expr, $default:expr;)+) => {
        /// The resolved settings of a command. A value that exists is a value that passed every check.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        pub struct Spec {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// Every setting, in the order in which they are shown.
        pub const KEYS: &[Key] = &[
            $(Key { name: stringify!($name), doc: concat!($($doc),+).trim_ascii(), kind: $kind, default: $default }),+
        ];
    };
}

settings! {
    /// Model whose output is wanted: a path, or a name in `models`; built-in if no model is named.
    target: Option<String>, Kind::NameOrPath, None;
    /// Small model that proposes tokens: a path, or a name in `models`; built-in if no model is named.
    draft: Option<String>, Kind::NameOrPath, None;
    /// Folder in which the names of models are looked up.
    models: PathBuf, Kind::Path, Some(r#""~/.cache/speclora/models""#);
    /// LoRA adapter of the draft: an alias, a checkpoint id, or a PEFT folder.
    adapter: String, Kind::NameOrPath, Some(r#""best""#);

    /// Tokens that the draft proposes in each round.
    num_draft_tokens: u32, Kind::Integer { min: 1, max: 32 }, Some("4");
    /// Tokens that the draft chooses from, beside those of the text at hand; auto keeps 32768 of a large vocabulary.
    draft_vocab: VocabularySize, Kind::VocabularySize, Some(r#""auto""#);
    /// Type that the draft's larger weights are rounded to when they are loaded; as they are if absent.
    draft_quant: Option<Quantization>, Kind::Choice(&["q4_0"]), None;
    /// Most tokens that one generation emits.
    max_tokens: u32, Kind::Integer { min: 1, max: 1_048_576 }, Some("256");
    /// Most tokens that prompt and output may take together; the model's own length if absent.
    context_length: Option<u32>, Kind::Integer { min: 1, max: 1_000_000_000 }, None;

    /// Temperature of sampling; 0 is greedy decoding.
    temperature: f64, Kind::Number { min: 0.0, max: 10.0 }, Some("0.0");
    /// Probability mass that sampling keeps (nucleus sampling); 1 keeps all.
    top_p: f64, Kind::Fraction, Some("1.0");
    /// Number of likeliest tokens that sampling keeps; 0 keeps all.
    top_k: u32, Kind::Integer { min: 0, max: 1_000_000 }, Some("0");
    /// Seed of every random choice: sampling, the choice of prompts, the order of a benchmark.
    seed: u64, Kind::Integer { min: 0, max: i64::MAX }, Some("0");

    /// System prompt that the chat template receives; the template's own if absent.
    system_prompt: Option<String>, Kind::Text, None;
    /// Whether prompts go to the model as they are, without the chat template.
    raw: bool, Kind::Switch, Some("false");

    /// Modes that a benchmark measures.
    modes: Vec<Mode>, Kind::Modes, Some(r#"["target_only", "spec_base", "spec_lora"]"#);
    /// Times that each prompt is measured in each mode.
    iterations: u32, Kind::Integer { min: 1, max: 10_000 }, Some("1");
    /// Generations of each mode that run first and count in no figure.
    warmup: u32, Kind::Integer { min: 0, max: 100 }, Some("1");
    /// Number of prompts to draw at random; all if absent.
    limit: Option<u32>, Kind::Integer { min: 1, max: 1_000_000_000 }, None;

    /// Likeliest tokens of the target that collecting keeps at each position.
    target_top_k: u32, Kind::Integer { min: 1, max: 4096 }, Some("64");
    /// Acceptance rate below which an example is a failure of the draft; the others are only replayed.
    acceptance_threshold: f64, Kind::Number { min: 0.0, max: 1.0 }, Some("0.7");

    /// Rank of the adapter.
    rank: u32, Kind::Integer { min: 1, max: 1024 }, Some("16");
    /// Numerator of the adapter's scale, alpha / rank; twice the rank if absent.
    alpha: Option<f64>, Kind::Number { min: 0.001, max: 1e6 }, None;
    /// Modules of each block that the adapter changes.
    target_modules: Vec<String>, Kind::Words(&MODULES), Some(
        r#"["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]"#
    );
    /// What training makes small.
    loss: LossKind, Kind::Choice(&["ce", "forward_kl", "reverse_kl", "jsd", "tvd", "lk_hybrid"]), Some(r#""forward_kl""#);
    /// Times that training goes through the examples.
    epochs: u32, Kind::Integer { min: 1, max: 1000 }, Some("3");
    /// Learning rate after the warm-up, at its highest; by the draft's width if absent.
    learning_rate: Option<f64>, Kind::Number { min: 0.0, max: 1.0 }, None;
    /// Share of the steps over which the learning rate rises.
    warmup_ratio: f64, Kind::Number { min: 0.0, max: 1.0 }, Some("0.1");
    /// Weight decay of AdamW.
    weight_decay: f64, Kind::Number { min: 0.0, max: 10.0 }, Some("0.0");
    /// Norm that a gradient is scaled down to where it is larger.
    max_gradient_norm: f64, Kind::Number { min: 1e-6, max: 1e6 }, Some("1.0");
    /// Examples that go through the model together.
    batch_size: u32, Kind::Integer { min: 1, max: 1024 }, Some("8");
    /// Batches whose gradients make one step of the optimiser.
    gradient_accumulation: u32, Kind::Integer { min: 1, max: 1024 }, Some("1");
    /// Share of the adapter's inputs that training drops at random.
    dropout: f64, Kind::Number { min: 0.0, max: 0.9 }, Some("0.0");
    /// Weight of positions where a proposal of the draft was refused; all others have 1.
    rejected_weight: f64, Kind::Number { min: 0.0, max: 1000.0 }, Some("1.0");
    /// Share of an epoch's examples that are replayed: matched well already, or trained on before.
    replay_ratio: f64, Kind::Number { min: 0.0, max: 0.95 }, Some("0.25");
    /// Share of the prompts that are never trained on, and decide which checkpoint is best.
    holdout: f64, Kind::Number { min: 0.0, max: 0.9 }, Some("0.2");
    /// Whether the adapted draft learns to do without what most prompts begin with, a system prompt say, and does not read it.
    skip_shared_prompt: bool, Kind::Switch, Some("false");
    /// Steps between evaluations on held-out examples; about eight in a run if absent.
    eval_every: Option<u32>, Kind::Integer { min: 1, max: 1_000_000_000 }, None;
    /// Evaluations without a better one after which training stops early; never if absent.
    patience: Option<u32>, Kind::Integer { min: 1, max: 1_000_000 }, None;
    /// Whether activations are computed again for the gradient, which takes longer and less memory.
    gradient_checkpointing: bool, Kind::Switch, Some("false");

    /// Threads that compute; the physical cores if absent.
    threads: Option<u32>, Kind::Integer { min: 1, max: 1024 }, None;
    /// Instruction set of the kernels; the fastest that the processor has if absent.
    simd: Option<String>, Kind::Choice(&["avx512", "avxvnni", "avx2", "neon", "scalar"]), None;
    /// Database file; the nearest `speclora.db` in this folder or a parent if absent.
    db: Option<PathBuf>, Kind::Path, None;
}

/// Modules that an adapter can change.
const MODULES: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// Settings that only training reads.
const TRAINING: [&str; 18] = [
    "rank",
    "alpha",
    "target_modules",
    "loss",
    "epochs",
    "learning_rate",
    "warmup_ratio",
    "weight_decay",
    "max_gradient_norm",
    "batch_size",
    "gradient_accumulation",
    "dropout",
    "rejected_weight",
    "replay_ratio",
    "skip_shared_prompt",
    "eval_every",
    "patience",
    "gradient_checkpointing",
];

/// Settings that training reads beside its own.
const SHARED_WITH_TRAINING: [&str; 11] = [
    "target",
    "draft",
    "models",
    "num_draft_tokens",
    "draft_quant",
    "seed",
    "acceptance_threshold",
    "holdout",
    "threads",
    "simd",
    "db",
];

impl Spec {
    /// Rebuilds the spec of a stored run. A key that the run does not have yet takes its default.
    ///
    /// # Errors
    /// If this version does not know a stored key or value.
    pub fn from_settings(settings: &[Setting]) -> Result<Self, ConfigError> {
        let mut values: serde_json::Map<_, _> = layer::defaults()
            .into_iter()
            .map(|default| (default.key.name.to_owned(), default.value))
            .collect();
        for Setting { key, value, .. } in settings {
            if let Some(value) = layer::stored(key, value)? {
                values.insert(key.clone(), value);
            }
        }
        Ok(serde_json::from_value(values.into()).expect("checked values have the types of their fields"))
    }
}

/// Settings that only collecting and what uses its examples read.
const COLLECTING: [&str; 3] = ["target_top_k", "acceptance_threshold", "holdout"];

/// Settings that evaluating does not read, beside those of training and collecting: it is greedy, and names any number of
/// adapters.
const NOT_OF_EVALUATING: [&str; 3] = ["adapter", "top_p", "top_k"];

/// Whether a kind of run reads a setting, and so keeps it.
pub fn is_read_by(key: &str, kind: RunKind) -> bool {
    match kind {
        RunKind::Train => TRAINING.contains(&key) || SHARED_WITH_TRAINING.contains(&key),
        RunKind::Collect => !TRAINING.contains(&key),
        RunKind::Bench => !TRAINING.contains(&key) && !COLLECTING.contains(&key),
        RunKind::Evaluate => {
            key == "target_top_k"
                || !(TRAINING.contains(&key) || COLLECTING.contains(&key) || NOT_OF_EVALUATING.contains(&key))
        }
    }
}

/// How many tokens a draft chooses from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum VocabularySize {
    /// By the size of the vocabulary, or every token.
    Named(NamedSize),
    /// This many.
    Tokens(u32),
}

/// A size in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedSize {
    /// What suits the vocabulary.
    Auto,
    /// Every token.
    Full,
}

impl<'de> Deserialize<'de> for LossKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Quantization {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
