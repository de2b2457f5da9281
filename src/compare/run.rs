//! What comes in: a run, as far as a comparison asks.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::record::{Mode, Role, RunId, RunKind};

/// A run with all that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it did.
    pub kind: RunKind,
    /// How it stands: completed, running, crashed, …
    pub state: String,
    /// Generations that are stored, warm-ups and failures included.
    pub num_generations: u64,
    /// Generations that were planned.
    pub num_planned_generations: u64,
    /// Its models.
    pub models: Vec<Model>,
    /// Its settings by key.
    pub settings: BTreeMap<String, Json>,
    /// What else is known of draft, adapter, machine and program, in the order in which it is shown.
    pub facts: Vec<(String, Json)>,
    /// Its prompts, by their place.
    pub prompts: Vec<Prompt>,
    /// Its generations but warm-ups, in the order of execution.
    pub generations: Vec<Generation>,
    /// How often each place of a proposal was accepted.
    pub positions: Vec<Position>,
    /// What its adapter has seen of its prompts; none without an adapter.
    pub leakage: Option<Leakage>,
}

/// A model of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its part.
    pub role: Role,
    /// What people call it.
    pub name: String,
    /// Hash of its content.
    pub sha256: String,
    /// Hash of its tokenizer.
    pub tokenizer_sha256: String,
}

/// A prompt of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Its place in the run.
    pub prompt_index: u32,
    /// Hash of its text: the same text is the same prompt in every run.
    pub sha256: String,
    /// Its text.
    pub text: String,
    /// Identifier in the prompt file.
    pub external_id: Option<String>,
}

/// A generation; times are in seconds, and what cannot exist is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The place of its prompt.
    pub prompt_index: u32,
    /// Its mode.
    pub mode: Mode,
    /// Its repetition.
    pub iteration: u32,
    /// Its place in the order of execution.
    pub exec_order: u32,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_at_ms: i64,
    /// The machine's load average then.
    pub load_average: Option<f64>,
    /// Whether it failed, and so has no figures.
    pub has_failed: bool,
    /// Request to last token.
    pub tokens_per_second: Option<f64>,
    /// From the first token on.
    pub decode_tokens_per_second: Option<f64>,
    /// The inverse of it.
    pub time_per_output_token: Option<f64>,
    /// From the request.
    pub time_to_first_token: Option<f64>,
    /// From the request.
    pub time_to_last_token: Option<f64>,
    /// Accepted ÷ drafted.
    pub acceptance_rate: Option<f64>,
    /// Tokens that rounds emitted.
    pub num_emitted: Option<f64>,
    /// Rounds.
    pub num_rounds: Option<f64>,
    /// Whether its output equals target_only's; none where that is not to be expected.
    pub is_lossless: Option<bool>,
    /// Hash of its output.
    pub output_sha256: Option<String>,
}

/// How often the tokens at one place of a proposal were accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// The mode.
    pub mode: Mode,
    /// The place, from 1.
    pub position: u32,
    /// Accepted ÷ proposed.
    pub acceptance_rate: Option<f64>,
}

/// Prompts whose outputs were compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EqualOutputs {
    /// How many were compared.
    pub num_compared: usize,
    /// How many of them were equal.
    pub num_equal: usize,
}

impl EqualOutputs {
    /// Counts prompts by whether their outputs are equal.
    pub fn count(prompts: impl IntoIterator<Item = bool>) -> Self {
        let start = Self { num_compared: 0, num_equal: 0 };
        prompts.into_iter().fold(start, |Self { num_compared, num_equal }, is_equal| Self {
            num_compared: num_compared + 1,
            num_equal: num_equal + usize::from(is_equal),
        })
    }
}

/// What an adapter, or any that it continues, has seen of the prompts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leakage {
    /// The adapter.
    pub checkpoint_id: i64,
    /// Whether it was trained here; of one that came from elsewhere nobody knows what it has seen.
    pub is_trained_here: bool,
    /// Prompts that training learned from.
    pub num_trained: usize,
    /// Prompts that only decided which checkpoint is best.
    pub num_held_out: usize,
}

impl Run {
    /// What people call it: `run 12`, or `run 12 (baseline)`.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("run {} ({name})", self.id),
            None => format!("run {}", self.id),
        }
    }

    /// The modes that have a result, in the order in which modes are shown.
    pub fn modes(&self) -> Vec<Mode> {
        let has_result = |mode: &Mode| self.generations.iter().any(|g| g.mode == *mode && !g.has_failed);
        Mode::ALL.iter().copied().filter(has_result).collect()
    }

    /// The model in a role.
    pub fn model(&self, role: Role) -> Option<&Model> {
        self.models.iter().find(|model| model.role == role)
    }

    /// A setting; null where it has none.
    pub fn setting(&self, key: &str) -> &Json {
        self.settings.get(key).unwrap_or(&Json::Null)
    }

    /// Whether it decoded greedily.
    pub fn is_greedy(&self) -> bool {
        self.setting("temperature").as_f64() == Some(0.0)
    }

    /// How many prompts of a mode have target_only's output, to the token.
    pub fn lossless(&self, mode: Mode) -> EqualOutputs {
        let mut by_prompt: BTreeMap<u32, bool> = BTreeMap::new();
        for generation in self.generations.iter().filter(|g| g.mode == mode) {
            if let Some(is_lossless) = generation.is_lossless {
                *by_prompt.entry(generation.prompt_index).or_insert(true) &= is_lossless;
            }
        }
        EqualOutputs::count(by_prompt.into_values())
    }

    /// Its generations in a mode that have a result.
    pub fn generations_of(&self, mode: Mode) -> impl Iterator<Item = &Generation> {
        self.generations.iter().filter(move |g| g.mode == mode && !g.has_failed)
    }

    /// Generations that failed, warm-ups left out.
    pub fn num_failed(&self) -> usize {
        self.generations.iter().filter(|g| g.has_failed).count()
    }

    /// When the first and the last of its generations began, if it has any.
    pub fn period(&self) -> Option<(i64, i64)> {
        let starts = || self.generations.iter().map(|g| g.started_at_ms);
        Some((starts().min()?, starts().max()?))
    }

    /// The mean of the load averages at the starts of its generations.
    pub fn load_average(&self) -> Option<f64> {
        let loads: Vec<f64> = self.generations.iter().filter_map(|g| g.load_average).collect();
        crate::stats::mean(&loads)
    }
}

impl Prompt {
    /// What people call it: its identifier, or the beginning of its text.
    pub fn label(&self) -> String {
        const MOST: usize = 48;
        if let Some(id) = &self.external_id {
            return id.clone();
        }
        let line = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(MOST) {
            Some((end, _)) => format!("{}…", line[..end].trim_end()),
            None => line,
        }
    }
}
