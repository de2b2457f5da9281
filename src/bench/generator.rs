//! Models that answer prompts in every mode.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::measure::{Generate, GenerateOptions};
use crate::engine::adapter::{Adapter, SkippedPrompt};
use crate::engine::decode::{Drafting, Request, decode_observed};
use crate::engine::decoder::Decoder;
use crate::engine::observe::{Observer, Recorder, RecorderOptions};
use crate::engine::pair::ModelPair;
use crate::engine::prompt_cache::PromptCache;
use crate::engine::sampling::Sampling;
use crate::engine::tokenizer::Tokenizer;
use crate::engine::{self, Error};
use crate::record::{Completion, Mode, Prompt};

/// How prompts are answered, the same in every mode.
#[derive(Debug, Clone)]
pub struct GeneratorSettings {
    /// Tokens that the draft proposes a round.
    pub num_draft_tokens: usize,
    /// Most tokens to emit.
    pub max_tokens: usize,
    /// Cap on prompt and output together, beside the target's own.
    pub context_length: Option<usize>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// System prompt, where a chat template is used.
    pub system_prompt: Option<String>,
    /// Whether prompts go to the model without a chat template.
    pub raw: bool,
    /// What is kept of each answer to learn from, where a run collects. Such a run times nothing, so that what a prompt
    /// shares with the one before it is computed once.
    pub recording: Option<RecorderOptions>,
}

impl GeneratorSettings {
    /// Ids of a prompt as the model reads it.
    ///
    /// # Errors
    /// If the model has no chat template, or template or tokenizer fail.
    pub fn prompt_ids(&self, tokenizer: &Tokenizer, text: &str) -> engine::Result<Vec<u32>> {
        if self.raw {
            return tokenizer.encode_raw(text);
        }
        let template =
            tokenizer.chat_template().ok_or_else(|| Error::Template("the target has none".to_owned()))?;
        tokenizer.encode_rendered(&template.prompt(self.system_prompt.as_deref(), text)?)
    }

    /// Longest sequence with a target of this many positions.
    pub fn context_length(&self, target: &ModelPair) -> usize {
        target.context_length().min(self.context_length.unwrap_or(usize::MAX))
    }
}

/// Loaded models with a cache for each part they play.
pub struct ModelGenerator<'a> {
    pair: &'a ModelPair,
    settings: GeneratorSettings,
    context_length: usize,
    target: Box<dyn Decoder>,
    /// The draft as it is, where a mode uses it.
    draft: Option<Box<dyn Decoder>>,
    /// The draft with the adapter, where a mode uses it.
    adapted_draft: Option<Box<dyn Decoder>>,
    /// What the adapted draft does not read of prompts.
    skipped_prompt: SkippedPrompt,
    cancel: &'a AtomicBool,
}

impl<'a> ModelGenerator<'a> {
    /// Prepares for `prompts` in `modes`: caches hold the longest prompt and its output, no more.
    ///
    /// # Errors
    /// If a prompt cannot be tokenised or leaves no room for output (the error names it), or a cache cannot be had.
    pub fn new(
        pair: &'a ModelPair,
        adapter: Option<&Adapter>,
        settings: GeneratorSettings,
        workload: &Workload,
        cancel: &'a AtomicBool,
    ) -> engine::Result<Self> {
        let context_length = settings.context_length(pair);
        let longest = longest_prompt(pair, &settings, workload.prompts)?;
        let capacity = context_length.min(longest.saturating_add(settings.max_tokens));
        let is_timed = settings.recording.is_none();
        let shared = |decoder: Box<dyn Decoder>| -> Box<dyn Decoder> {
            if is_timed { decoder } else { Box::new(PromptCache::new(decoder)) }
        };
        let draft = |mode: Mode, adapter| match workload.modes.contains(&mode) {
            true => pair.draft_decoder(capacity, adapter).map(shared),
            false => None,
        };
        Ok(Self {
            pair,
            context_length,
            target: shared(pair.target_decoder(capacity)),
            draft: draft(Mode::SpecBase, None),
            adapted_draft: draft(Mode::SpecLora, adapter),
            skipped_prompt: adapter.map(|adapter| adapter.skipped_prompt.clone()).unwrap_or_default(),
            settings,
            cancel,
        })
    }
}

/// What a generator must be ready for.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The prompts.
    pub prompts: &'a [Prompt],
    /// The modes.
    pub modes: &'a [Mode],
}

/// Tokens of the longest prompt; a prompt without room for output is an error.
fn longest_prompt(
    pair: &ModelPair,
    settings: &GeneratorSettings,
    prompts: &[Prompt],
) -> engine::Result<usize> {
    let context_length = settings.context_length(pair);
    let mut longest = 0;
    for (index, prompt) in prompts.iter().enumerate() {
        let num_tokens = settings.prompt_ids(pair.tokenizer(), &prompt.text)?.len();
        if num_tokens >= context_length {
            let number = index + 1;
            return Err(Error::Mismatch(format!(
                "prompt {number} has {num_tokens} tokens, the context holds {context_length} with the output \
                 (shorten it, or raise context_length if it is set)"
            )));
        }
        longest = longest.max(num_tokens);
    }
    Ok(longest)
}

impl ModelGenerator<'_> {
    /// Answers a prompt while somebody looks on.
    ///
    /// # Errors
    /// As [`Generate::generate`].
    pub fn generate_observed(
        &mut self,
        prompt: &Prompt,
        options: GenerateOptions,
        observer: &mut dyn Observer,
    ) -> engine::Result<Completion> {
        let started = Instant::now();
        let ids = self.settings.prompt_ids(self.pair.tokenizer(), &prompt.text)?;
        self.answer(&ids, started, options, observer)
    }

    /// Answers a prompt with these ids.
    fn answer(
        &mut self,
        prompt: &[u32],
        started: Instant,
        options: GenerateOptions,
        observer: &mut dyn Observer,
    ) -> engine::Result<Completion> {
        let tokenizer = self.pair.tokenizer();
        let request = Request {
            prompt,
            max_tokens: self.settings.max_tokens.min(options.token_limit.unwrap_or(usize::MAX)),
            context_length: self.context_length,
            stop_tokens: tokenizer.stop_tokens(),
            sampling: self.settings.sampling,
            seed: options.seed,
            started,
            cancel: self.cancel,
        };
        let reads_all = SkippedPrompt::default();
        let draft = match options.mode {
            Mode::TargetOnly | Mode::Control => None,
            Mode::SpecBase => Some((&mut self.draft, &reads_all)),
            Mode::SpecLora => Some((&mut self.adapted_draft, &self.skipped_prompt)),
        };
        let missing = || Error::Mismatch(format!("{} needs a draft", options.mode));
        let drafting = match draft {
            None => None,
            Some((draft, skipped_prompt)) => Some(Drafting {
                decoder: draft.as_deref_mut().ok_or_else(missing)?,
                num_draft_tokens: self.settings.num_draft_tokens,
                skipped_prompt,
            }),
        };
        let decoded = decode_observed(self.target.as_mut(), drafting, &request, observer)?;
        let text = tokenizer.decode(&decoded.tokens)?;
        Ok(Completion { decoded, text, observations: None })
    }
}

impl Generate for ModelGenerator<'_> {
    fn generate(&mut self, prompt: &Prompt, options: GenerateOptions) -> engine::Result<Completion> {
        let Some(recording) = self.settings.recording else {
            return self.generate_observed(prompt, options, &mut ());
        };
        let started = Instant::now();
        let ids = self.settings.prompt_ids(self.pair.tokenizer(), &prompt.text)?;
        let mut recorder = Recorder::new(recording);
        let completion = self.answer(&ids, started, options, &mut recorder)?;
        Ok(Completion { observations: Some(recorder.into_observations(ids)), ..completion })
    }
}
