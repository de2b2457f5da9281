//! The decoder over candle tensors.
//!
//! candle owns its weights: loading copies them out of the mapped file, block types as they are and floats as f32.
//! Activations are f32. The forward is written over rows, `[T, width]`, one sequence at a time, with fused operations
//! that keep no graph: nothing can be trained through it.

mod attention;
mod decoder;
mod kv_cache;
mod linear;
mod rope;

pub use decoder::{TensorDecoder, TensorModel};
