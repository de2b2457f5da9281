//! A target and its draft, loaded and found to speak the same tokens.

use std::path::Path;

use super::adapter::Adapter;
use super::config::ModelConfig;
use super::cpu::{Backend, CpuModel, LoadOptions};
use super::decoder::{Decoder, DecoderOptions};
use super::error::{Error, Result};
use super::files::{HashMemo, ModelFiles};
use super::tokenizer::Tokenizer;
use crate::record::{ModelInfo, Quantization, Role};

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

/// How a pair is loaded.
#[derive(Debug, Clone, Copy)]
pub struct PairOptions<'a> {
    /// What the kernels run on.
    pub backend: Backend,
    /// Type that the draft's larger weights are rounded to; as they are if absent.
    pub draft_quantization: Option<Quantization>,
    /// Tokens that the draft may propose beside those of the text at hand, each once; all if absent.
    pub draft_vocabulary: Option<&'a [u32]>,
}

/// Loaded models.
#[derive(Debug)]
pub struct ModelPair {
    target: CpuModel,
    draft: Option<CpuModel>,
    tokenizer: Tokenizer,
}

impl ModelPair {
    /// Loads a target and, if there is one, a draft. A draft that is the target itself shares its weights, unless they are
    /// to be rounded.
    ///
    /// `on_layer` is told of each block that is loaded, out of all of that model.
    ///
    /// # Errors
    /// If weights are missing, or the two models number their tokens differently.
    pub fn load(
        target: &Identified,
        draft: Option<&Identified>,
        options: PairOptions,
        mut on_layer: impl FnMut(Role, usize, usize),
    ) -> Result<Self> {
        let tokenizer = target.tokenizer.clone();
        if let Some(draft) = draft {
            check_tokenizers(target, draft)?;
        }
        let PairOptions { backend, draft_quantization: quantization, draft_vocabulary: vocabulary } = options;
        let mut load = |model: &Identified, role, options| {
            CpuModel::load(&model.files, options, |done, all| on_layer(role, done, all))
        };
        let whole = LoadOptions { backend, quantization: None, vocabulary: None };
        let target_model = load(target, Role::Target, whole)?;
        let is_shared =
            |draft: &Identified| draft.info.sha256 == target.info.sha256 && quantization.is_none();
        let draft_model = match (draft, vocabulary) {
            (Some(draft), None) if is_shared(draft) => Some(target_model.clone()),
            (Some(draft), Some(tokens)) if is_shared(draft) => Some(target_model.with_vocabulary(tokens)?),
            (Some(draft), _) => {
                Some(load(draft, Role::Draft, LoadOptions { backend, quantization, vocabulary })?)
            }
            (None, _) => None,
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

    /// The draft alone, if there is one: the target is let go.
    pub fn into_draft(self) -> Option<CpuModel> {
        self.draft
    }

    /// A decoder of the target. Its logits end where the tokenizer's ids do.
    pub fn target_decoder(&self, capacity: usize) -> Box<dyn Decoder> {
        let vocab_size = self.vocab_size();
        let options = DecoderOptions { vocab_size, ..DecoderOptions::with_capacity(capacity) };
        Box::new(self.target.decoder(options))
    }

    /// A decoder of the draft, if there is one; its cache is no longer than its own context.
    pub fn draft_decoder(&self, capacity: usize, adapter: Option<&Adapter>) -> Option<Box<dyn Decoder>> {
        let draft = self.draft.as_ref()?;
        let capacity = capacity.min(draft.config().context_length);
        let vocab_size = self.vocab_size();
        let options = DecoderOptions { vocab_size, adapter, ..DecoderOptions::with_capacity(capacity) };
        Some(Box::new(draft.decoder(options)))
    }

    /// Ids that both head and tokenizer of the target know: a draft proposes none beyond them.
    fn vocab_size(&self) -> usize {
        self.tokenizer.vocab_size().min(self.target.config().vocab_size)
    }
}

/// Speculation needs every id to mean the same to both models.
///
/// # Errors
/// If one does not.
pub fn check_tokenizers(target: &Identified, draft: &Identified) -> Result<()> {
    if target.info.tokenizer_sha256 == draft.info.tokenizer_sha256 {
        return Ok(());
    }
    let difference = target.tokenizer.first_difference(&draft.tokenizer);
    Err(Error::Mismatch(format!(
        "target and draft have different tokenizers: {difference} (choose a draft of the target's model family)"
    )))
}
