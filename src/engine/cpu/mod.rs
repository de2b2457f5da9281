//! The engine for CPUs: plain slices, weights in tiles, kernels chosen at run time.
//!
//! Verifying a few tokens costs little more than decoding one, because each weight that is unpacked serves all of them;
//! and every position's logits are the same to the last bit, however tokens are cut into passes, on any number of threads
//! and on any backend.
//!
//! [`simd`] has the vectors that kernels are written in; [`model`] reads weights into [`tiles`], with [`blocks`] and [`rows`];
//! [`linear`] multiplies them ([`product`]) with [`activations`]; [`decoder`] puts layers together, with [`attention`] over a
//! [`kv_cache`], [`ops`] between the products, and a [`head`]; [`training`] goes back through them; [`pool`] has the threads.
//! Every pointer and every `unsafe` is in `simd`, `pool`, the kernels of `product`, `activations`, `attention` and `ops`, and
//! where `decoder`, `attention` and `training` share rows out to threads; [`bench`] has its own.

mod activations;
mod attention;
#[doc(hidden)]
pub mod bench;
mod blocks;
mod decoder;
mod head;
mod kv_cache;
mod linear;
mod model;
mod ops;
mod pool;
mod product;
mod rows;
mod simd;
mod tiles;
pub mod training;

pub use decoder::CpuDecoder;
pub use model::{CpuModel, LoadOptions};
pub use simd::Backend;
