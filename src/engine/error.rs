//! What can go wrong between a model's files and its tokens.

use std::path::{Path, PathBuf};

/// An error of the engine; each names the value, the place and, where there is one, the mend.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
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
    /// A tensor operation failed.
    #[error("tensor: {0}")]
    Tensor(#[from] candle_core::Error),
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

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;
