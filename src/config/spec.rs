//! The table of all settings, and the typed [`Spec`] that it makes.

use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::error::ConfigError;
use super::key::{Key, Kind};
use super::layer;
use crate::record::{Mode, Quantization, Setting};

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

    /// Threads that compute; the physical cores if absent.
    threads: Option<u32>, Kind::Integer { min: 1, max: 1024 }, None;
    /// Instruction set of the kernels; the fastest that the processor has if absent.
    simd: Option<String>, Kind::Choice(&["avx512", "avxvnni", "avx2", "neon", "scalar"]), None;
    /// Database file; the nearest `speclora.db` in this folder or a parent if absent.
    db: Option<PathBuf>, Kind::Path, None;
}

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
