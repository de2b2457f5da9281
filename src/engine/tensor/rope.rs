//! Rotary position embeddings (Su et al., "RoFormer", 2021): pair (x_i, x_{i + d/2}) of a head at position t is turned by
//! the angle t·ω_i.

use candle_core::{Device, Result, Tensor};

/// Cosines and sines of all positions.
#[derive(Debug, Clone)]
pub(super) struct Rope {
    /// `[capacity, head_dim / 2]`.
    cos: Tensor,
    /// `[capacity, head_dim / 2]`.
    sin: Tensor,
}

impl Rope {
    /// Tables for `capacity` positions.
    pub(super) fn new(frequencies: &[f32], capacity: usize, device: &Device) -> Result<Self> {
        let positions: Vec<f32> = (0..capacity).map(|position| position as f32).collect();
        let positions = Tensor::from_vec(positions, (capacity, 1), device)?;
        let frequencies = Tensor::from_slice(frequencies, (1, frequencies.len()), device)?;
        let angles = positions.matmul(&frequencies)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    /// Turns heads at positions `start..start + T`. x: `[heads, T, head_dim]`, f32, contiguous -> the same; the
    /// graph is not kept.
    pub(super) fn turn(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let num_positions = x.dim(1)?;
        let cos = self.cos.narrow(0, start, num_positions)?;
        let sin = self.sin.narrow(0, start, num_positions)?;
        candle_nn::rotary_emb::rope(&x.unsqueeze(0)?, &cos, &sin)?.squeeze(0)
    }
}
