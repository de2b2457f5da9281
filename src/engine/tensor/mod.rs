//! The decoder over candle tensors.
//!
//! Weights stay as the file has them; activations are f32. The forward is written over rows, `[T, width]`, one sequence
//! at a time.

mod attention;
mod decoder;
mod kv_cache;
mod linear;
mod rope;

/// What computes the forwards, as stored with a run.
pub const ENGINE: &str = "candle-cpu 0.11.1";

pub use decoder::{TensorDecoder, TensorModel};
