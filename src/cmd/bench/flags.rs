//! The flags that commands share which answer prompts, and what a command was asked for with them.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::Overrides;
use crate::engine::files::builtin;
use crate::record::RunKind;

/// Which prompts are answered.
#[derive(Debug, Default, Args)]
pub(in crate::cmd) struct PromptArgs {
    /// Prompts, one a line (or .jsonl, .csv with a prompt column; - for standard input; builtin:general, builtin:bench, builtin:train, builtin:replay)
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(in crate::cmd) prompts_file: Option<PathBuf>,
    /// A prompt; may be given more than once
    #[arg(short, long = "prompt", value_name = "TEXT", conflicts_with = "prompts_file")]
    pub(in crate::cmd) prompts: Vec<String>,
    /// Draws this many of the prompts at random, by --seed
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub(in crate::cmd) limit: Option<String>,
    /// Most tokens that one generation emits [default: 256]
    #[arg(short, long, value_name = "N", allow_negative_numbers = true)]
    pub(in crate::cmd) max_tokens: Option<String>,
}

/// Which models answer, and what computes them.
#[derive(Debug, Default, Args)]
pub(in crate::cmd) struct ModelArgs {
    /// Model whose output is wanted: a .gguf file, a Hugging Face folder, a name in the folder of models, or builtin:target
    /// [default: the built-in pair]
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    pub(in crate::cmd) target: Option<String>,
    /// Small model that proposes tokens
    #[arg(long, value_name = "MODEL", help_heading = "Models")]
    pub(in crate::cmd) draft: Option<String>,
    /// Folder in which names of models are looked up [default: ~/.cache/speclora/models]
    #[arg(long, value_name = "FOLDER", help_heading = "Models")]
    pub(in crate::cmd) models: Option<String>,
    /// Threads that compute [default: the physical cores]
    #[arg(long, value_name = "N", help_heading = "Models", allow_negative_numbers = true)]
    pub(in crate::cmd) threads: Option<String>,
    /// Instruction set of the kernels: avx512, avxvnni, avx2, neon, or scalar for any processor [default: the fastest]
    #[arg(long, value_name = "NAME", help_heading = "Models")]
    pub(in crate::cmd) simd: Option<String>,
    /// Takes an adapter that was made for another draft, if its shapes fit
    #[arg(long, help_heading = "Models")]
    pub(in crate::cmd) force: bool,
}

/// How tokens are proposed and chosen.
#[derive(Debug, Default, Args)]
pub(in crate::cmd) struct DecodingArgs {
    #[command(flatten)]
    greedy: GreedyArgs,
    /// Tokens that the draft chooses from: auto, full or a number [default: auto]
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    draft_vocab: Option<String>,
    /// Temperature of sampling; 0 is greedy [default: 0]
    #[arg(long, value_name = "T", help_heading = "Decoding", allow_negative_numbers = true)]
    temperature: Option<String>,
    /// Probability mass that sampling keeps [default: 1]
    #[arg(long, value_name = "P", help_heading = "Decoding", allow_negative_numbers = true)]
    top_p: Option<String>,
    /// Likeliest tokens that sampling keeps; 0 keeps all [default: 0]
    #[arg(long, value_name = "K", help_heading = "Decoding", allow_negative_numbers = true)]
    top_k: Option<String>,
}

/// The part of it that greedy decoding over a whole vocabulary needs.
#[derive(Debug, Default, Args)]
pub(in crate::cmd) struct GreedyArgs {
    /// Tokens that the draft proposes in each round, 1 to 32 [default: 4]
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    num_draft_tokens: Option<String>,
    /// Rounds the draft's larger weights to this type: q4_0
    #[arg(long, value_name = "TYPE", help_heading = "Decoding")]
    draft_quant: Option<String>,
    /// Seed of every random choice [default: 0]
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    seed: Option<String>,
    /// System prompt
    #[arg(long, value_name = "TEXT", help_heading = "Decoding")]
    system: Option<String>,
    /// Sends prompts without the model's chat template
    #[arg(long, conflicts_with = "system", help_heading = "Decoding")]
    raw: bool,
    /// Cap on the tokens of prompt and output together
    #[arg(long, value_name = "N", help_heading = "Decoding", allow_negative_numbers = true)]
    context_length: Option<String>,
}

/// Under which name a run is kept, or which run goes on.
#[derive(Debug, Default, Args)]
pub(in crate::cmd) struct RunArgs {
    /// Name of the run: not a number, not "run", and without a leading @
    #[arg(long, value_name = "NAME", value_parser = run_name, help_heading = "Run")]
    pub(in crate::cmd) name: Option<String>,
    /// Tag of the run; may be given more than once, each key once
    #[arg(long = "tag", value_name = "KEY=VALUE", help_heading = "Run")]
    pub(in crate::cmd) tags: Vec<String>,
    /// Note on the run
    #[arg(long, value_name = "TEXT", help_heading = "Run")]
    pub(in crate::cmd) note: Option<String>,
    /// Finishes an interrupted or crashed run with its own plan and settings: only what is missing (what failed stays
    /// failed), in training what follows the last checkpoint
    #[arg(long, value_name = "RUN", help_heading = "Run")]
    pub(in crate::cmd) resume: Option<String>,
}

impl PromptArgs {
    pub(in crate::cmd) fn decide(&self, overrides: &mut Overrides) {
        overrides.set("limit", self.limit.as_deref()).set("max_tokens", self.max_tokens.as_deref());
    }
}

impl ModelArgs {
    /// The built-in pair.
    pub(in crate::cmd) fn of_builtin_pair() -> Self {
        Self {
            target: Some(builtin::TARGET.to_owned()),
            draft: Some(builtin::DRAFT.to_owned()),
            ..Self::default()
        }
    }

    pub(in crate::cmd) fn decide(&self, overrides: &mut Overrides) {
        overrides
            .set("target", self.target.as_deref())
            .set("draft", self.draft.as_deref())
            .set("models", self.models.as_deref())
            .set("threads", self.threads.as_deref())
            .set("simd", self.simd.as_deref());
    }
}

impl DecodingArgs {
    pub(in crate::cmd) fn decide(&self, overrides: &mut Overrides) {
        self.greedy.decide(overrides);
        overrides
            .set("draft_vocab", self.draft_vocab.as_deref())
            .set("temperature", self.temperature.as_deref())
            .set("top_p", self.top_p.as_deref())
            .set("top_k", self.top_k.as_deref());
    }
}

impl GreedyArgs {
    pub(in crate::cmd) fn decide(&self, overrides: &mut Overrides) {
        overrides
            .set("num_draft_tokens", self.num_draft_tokens.as_deref())
            .set("draft_quant", self.draft_quant.as_deref())
            .set("seed", self.seed.as_deref())
            .set("system_prompt", self.system.as_deref())
            .set("raw", self.raw.then_some(true))
            .set("context_length", self.context_length.as_deref());
    }
}

/// What a command was asked for that answers prompts.
pub(in crate::cmd) struct Asked<'a> {
    /// Which command it is.
    pub(in crate::cmd) kind: RunKind,
    pub(in crate::cmd) prompts: &'a PromptArgs,
    pub(in crate::cmd) run: &'a RunArgs,
    /// The file that it writes when the run is complete.
    pub(in crate::cmd) output: Option<&'a Path>,
    /// Whether an adapter that was made for another draft is taken.
    pub(in crate::cmd) takes_other_draft: bool,
    /// The settings that flags decide.
    pub(in crate::cmd) overrides: Overrides,
}

/// Reads a name that later selects its run, and nothing else: numbers are ids, @ begins @latest, and "run" is a word of
/// the command line.
pub(in crate::cmd) fn run_name(text: &str) -> Result<String, String> {
    let problem = match text {
        "" => "a name has at least one character",
        "run" => "this word stands before a run, as in \"run 12\"",
        _ if text.trim() != text => "a name does not begin or end with spaces",
        _ if text.starts_with('@') => "@ begins selectors like @latest",
        _ if text.bytes().all(|byte| byte.is_ascii_digit()) => "a number selects a run by its id",
        _ => return Ok(text.to_owned()),
    };
    Err(problem.to_owned())
}

#[cfg(test)]
pub(in crate::cmd) mod tests {
    use super::*;
    use crate::config::{KEYS, is_read_by};

    #[test]
    fn name_selects_its_run_and_nothing_else() {
        for bad in ["", "12", "@latest", "@x", "run", " a"] {
            assert!(run_name(bad).is_err(), "{bad:?}");
        }
        for good in ["baseline", "12a", "run 1", "-1"] {
            assert_eq!(run_name(good).as_deref(), Ok(good));
        }
    }

    /// The defaults that a command's help names are those of the settings, and there is a flag for each setting that it
    /// reads but for `without`.
    pub(in crate::cmd) fn check_help<A: Args>(kind: RunKind, without: &[&str]) {
        let command = A::augment_args(clap::Command::new(kind.as_str()));
        let keys = KEYS.iter().filter(|key| is_read_by(key.name, kind) && !without.contains(&key.name));
        for key in keys.filter(|key| key.name != "db") {
            let flag = key.flag();
            let argument = command.get_arguments().find(|argument| argument.get_long() == Some(&flag[2..]));
            let help = argument.and_then(|argument| argument.get_help()).unwrap_or_else(|| panic!("{flag}"));
            let help = help.to_string();
            let Some(default) = key.default.filter(|_| key.name != "raw") else {
                continue;
            };
            let (_, named) = help.split_once("[default: ").unwrap_or_else(|| panic!("{flag}: {help}"));
            let named = named.strip_suffix(']').unwrap();
            let is_same = match (named.parse::<f64>(), default.parse::<f64>()) {
                (Ok(named), Ok(default)) => named == default,
                _ => named == default.trim_matches('"'),
            };
            assert!(is_same, "{flag}: help says {named}, the default is {default}");
        }
    }
}
