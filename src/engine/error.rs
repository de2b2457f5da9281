//! What can go wrong between a model's files and its tokens.

use std::path::{Path, PathBuf};

/// An error of the engine; each names the value, the place and, where there is one, the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why; not repeated in the message.
        source: std::io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {path}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why; not repeated in the message.
        source: std::io::Error,
    },
    /// A model file or folder is not what it should be.
    #[error("{path}: {problem}")]
    Model {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An adapter does not fit, or is not one.
    #[error("adapter {path}: {problem}")]
    Adapter {
        /// The adapter's folder, or its place in the store.
        path: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The chat template failed on these messages.
    #[error("chat template: {0} (use --raw to send prompts without a template)")]
    Template(String),
    /// The tokenizer failed.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A prompt has no tokens.
    #[error("the prompt has no tokens")]
    EmptyPrompt,
    /// A request asks for no output.
    #[error("max_tokens must be at least 1, got 0")]
    NoOutput,
    /// A prompt leaves no room for output.
    #[error("prompt of {num_tokens} tokens does not fit a context of {context_length} with room for output")]
    PromptTooLong {
        /// Tokens of the rendered prompt.
        num_tokens: usize,
        /// Positions the model has.
        context_length: usize,
    },
    /// The two models cannot speculate together.
    #[error("{0}")]
    Mismatch(String),
    /// A pass was asked for without tokens.
    #[error("a pass needs at least 1 token, got 0")]
    EmptyPass,
    /// A token has no row in the model.
    #[error("token {token} is outside the vocabulary of {vocab_size}")]
    TokenOutOfRange {
        /// The token.
        token: u32,
        /// Rows of the model's embedding.
        vocab_size: usize,
    },
    /// A pass needs more positions than the cache has.
    #[error("{num_tokens} tokens do not fit a cache of {capacity} positions")]
    CacheFull {
        /// Tokens in the cache and in the pass.
        num_tokens: usize,
        /// Positions that the cache holds.
        capacity: usize,
    },
    /// The largest logit of a position is infinite or not a number.
    #[error(
        "the logits at position {position} are not finite (the weights, or the adapter's, may be damaged)"
    )]
    NotFinite {
        /// The position in the sequence, from 0.
        position: usize,
    },
    /// A tensor operation failed.
    #[error("tensor: {0}")]
    Tensor(String),
    /// Decoding was asked to stop.
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// An error about the content of a model's file or folder.
    pub(crate) fn model(path: &Path, problem: impl Into<String>) -> Self {
        Self::Model { path: path.to_owned(), problem: problem.into() }
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        // Later lines are a backtrace.
        Self::Tensor(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;
