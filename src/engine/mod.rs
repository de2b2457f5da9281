//! The engine: model files in, tokens out.
//!
//! [`files`] reads models, [`tokenizer`] and [`chat`] turn prompts into ids, a [`decoder::Decoder`] computes forwards,
//! and [`decode`] runs them, alone or with a draft, with [`sampling`] and [`accept`] as pure cores. The engine knows
//! nothing of the store, of commands or of configuration, and prints nothing. [`cpu`] computes forwards for the program, and
//! the gradients that adapters are trained with; [`tensor`] computes forwards with candle, as an independent check.

pub mod accept;
pub mod adapter;
pub mod chat;
pub mod config;
pub mod cpu;
pub mod decode;
pub mod decoder;
mod error;
pub mod files;
pub mod observe;
pub mod pair;
pub mod prompt_cache;
pub mod sampling;
pub mod tensor;
#[cfg(test)]
mod testing;
pub mod threads;
pub mod tokenizer;
pub mod vocabulary;

pub use error::{Error, Result};

/// What computes the forwards, as stored with a run (`cpu-avx512`).
pub fn name(backend: cpu::Backend) -> String {
    format!("cpu-{backend}")
}
