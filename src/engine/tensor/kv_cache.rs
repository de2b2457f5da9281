//! Keys and values of past positions, in memory that is allocated once.

use candle_core::{DType, Device, Result, Tensor};

/// The cache of one block.
#[derive(Debug)]
pub(super) struct LayerCache {
    /// `[kv_heads, capacity, head_dim]`, f32.
    keys: Tensor,
    /// `[kv_heads, capacity, head_dim]`, f32.
    values: Tensor,
}

impl LayerCache {
    pub(super) fn new(
        num_kv_heads: usize,
        capacity: usize,
        head_dim: usize,
        device: &Device,
    ) -> Result<Self> {
        let zeros = || Tensor::zeros((num_kv_heads, capacity, head_dim), DType::F32, device);
        Ok(Self { keys: zeros()?, values: zeros()? })
    }

    /// Writes positions `start..start + T`. keys, values: `[kv_heads, T, head_dim]`, f32, contiguous; the
    /// graph is not kept.
    pub(super) fn write(&self, start: usize, keys: &Tensor, values: &Tensor) -> Result<()> {
        self.keys.slice_set(keys, 1, start)?;
        self.values.slice_set(values, 1, start)
    }

    /// Keys and values of positions `0..len`: `[kv_heads, len, head_dim]`, views.
    pub(super) fn read(&self, len: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.keys.narrow(1, 0, len)?, self.values.narrow(1, 0, len)?))
    }
}
