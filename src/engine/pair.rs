//! A target and its draft, loaded and found to speak the same tokens.

use std::path::Path;

use super::adapter::Adapter;
use super::config::ModelConfig;
use super::cpu::{Backend, CpuModel};
use super::decoder::{Decoder, DecoderOptions};
use super::error::{Error, Result};
use super::files::{HashMemo, ModelFiles};
use super::tokenizer::Tokenizer;
use crate::record::{ModelInfo, Role};

/// A model's files, identified, weights not yet loaded.
#[derive(Debug)]
pub struct Identified {
    /// The files.
    pub files: ModelFiles,
    /// Their tokenizer, built once: that of a large vocabulary takes a while.
    pub tokenizer: Tokenizer,
    /// What they are.
    pub info: ModelInfo,
}

impl Identified {
    /// Opens and identifies a model.
    ///
    /// # Errors
    /// If it cannot be read or is not supported.
    pub fn open(path: &Path, memo: &mut dyn HashMemo) -> Result<Self> {
        let files = ModelFiles::open(path)?;
        let tokenizer = files.tokenizer()?;
        let info = files.info(&tokenizer, memo)?;
        Ok(Self { files, tokenizer, info })
    }
}

/// Loaded models.
#[derive(Debug)]
pub struct ModelPair {
    target: CpuModel,
    draft: Option<CpuModel>,
    tokenizer: Tokenizer,
}

impl ModelPair {
    /// Loads a target and, if there is one, a draft. A draft that is the target itself shares its weights.
    ///
    /// `on_layer` is told of each block that is loaded, out of all of that model.
    ///
    /// # Errors
    /// If weights are missing, or the two models number their tokens differently.
    pub fn load(
        target: &Identified,
        draft: Option<&Identified>,
        mut on_layer: impl FnMut(Role, usize, usize),
    ) -> Result<Self> {
        let tokenizer = target.tokenizer.clone();
        if let Some(draft) = draft {
            check_tokenizers(target, draft)?;
        }
        let backend = Backend::detect();
        let mut load = |model: &Identified, role| {
            CpuModel::load(&model.files, backend, |done, all| on_layer(role, done, all))
        };
        let target_model = load(target, Role::Target)?;
        let draft_model = match draft {
            Some(draft) if draft.info.sha256 == target.info.sha256 => Some(target_model.clone()),
            Some(draft) => Some(load(draft, Role::Draft)?),
            None => None,
        };
        Ok(Self { target: target_model, draft: draft_model, tokenizer })
    }

    /// The target's tokenizer, which both models share.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Positions that the target has.
    pub fn context_length(&self) -> usize {
        self.target.config().context_length
    }

    /// The draft's shape, for adapters to fit.
    pub fn draft_config(&self) -> Option<&ModelConfig> {
        self.draft.as_ref().map(CpuModel::config)
    }

    /// A decoder of the target. Its logits end where the tokenizer's ids do.
    pub fn target_decoder(&self, capacity: usize) -> Box<dyn Decoder> {
        let vocab_size = self.vocab_size();
        Box::new(self.target.decoder(DecoderOptions { capacity, vocab_size, adapter: None }))
    }

    /// A decoder of the draft, if there is one; its cache is no longer than its own context.
    pub fn draft_decoder(&self, capacity: usize, adapter: Option<&Adapter>) -> Option<Box<dyn Decoder>> {
        let draft = self.draft.as_ref()?;
        let capacity = capacity.min(draft.config().context_length);
        let vocab_size = self.vocab_size();
        Some(Box::new(draft.decoder(DecoderOptions { capacity, vocab_size, adapter })))
    }

    /// Ids that both head and tokenizer of the target know: a draft proposes none beyond them.
    fn vocab_size(&self) -> usize {
        self.tokenizer.vocab_size().min(self.target.config().vocab_size)
    }
}

/// Speculation needs every id to mean the same to both models.
fn check_tokenizers(target: &Identified, draft: &Identified) -> Result<()> {
    if target.info.tokenizer_sha256 == draft.info.tokenizer_sha256 {
        return Ok(());
    }
    let difference = target.tokenizer.first_difference(&draft.tokenizer);
    Err(Error::Mismatch(format!(
        "target and draft have different tokenizers: {difference} (choose a draft of the target's model family)"
    )))
}
