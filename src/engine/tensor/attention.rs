//! Causal attention of new positions over the cache: softmax(q·kᵀ/√d)·v, query heads in groups that share a key head.

use candle_core::{Device, Result, Tensor};

use super::kv_cache::LayerCache;
use crate::engine::decoder::MAX_EXACT_ROWS;

/// Attends from positions `start..start + T`, whose keys and values are in the cache.
///
/// queries: `[heads, T, head_dim]`, f32, contiguous -> `[T, heads · head_dim]`; the graph is not kept. For T up to
/// [`MAX_EXACT_ROWS`] each position is computed as if it were alone.
pub(super) fn attend(queries: &Tensor, cache: &LayerCache, start: usize) -> Result<Tensor> {
    let (_, num_positions, _) = queries.dims3()?;
    if num_positions > MAX_EXACT_ROWS {
        return attend_together(queries, cache, start);
    }
    let rows = (0..num_positions).map(|offset| {
        let query = queries.narrow(1, offset, 1)?.contiguous()?;
        attend_together(&query, cache, start + offset)
    });
    Tensor::cat(&rows.collect::<Result<Vec<_>>>()?, 0)
}

/// All positions in one product, those to come masked.
fn attend_together(queries: &Tensor, cache: &LayerCache, start: usize) -> Result<Tensor> {
    let (num_heads, num_positions, head_dim) = queries.dims3()?;
    let len = start + num_positions;
    let (keys, values) = cache.read(len)?;
    let num_kv_heads = keys.dim(0)?;
    let group = num_heads / num_kv_heads;

    // (heads, T, D) -> (kv_heads, group · T, D): query heads of a group lie side by side.
    let queries = queries.reshape((num_kv_heads, group * num_positions, head_dim))?;
    let scores = (queries.matmul(&keys.t()?)? * (1.0 / (head_dim as f64).sqrt()))?;
    let scores = if num_positions == 1 {
        scores
    } else {
        let mask = causal_mask(num_positions, start, queries.device())?;
        let scores = scores.reshape((num_kv_heads, group, num_positions, len))?.broadcast_add(&mask)?;
        scores.reshape((num_kv_heads, group * num_positions, len))?
    };
    let weights = candle_nn::ops::softmax_last_dim(&scores)?;
    let attended = weights.matmul(&values)?;
    // (kv_heads, group · T, D) -> (heads, T, D) -> (T, heads · D)
    let attended = attended.reshape((num_heads, num_positions, head_dim))?.transpose(0, 1)?;
    attended.contiguous()?.reshape((num_positions, num_heads * head_dim))
}

/// 0 where position `start + row` may look, −∞ beyond: `[T, start + T]`.
fn causal_mask(num_positions: usize, start: usize, device: &Device) -> Result<Tensor> {
    let len = start + num_positions;
    let mask: Vec<f32> = (0..num_positions)
        .flat_map(|row| (0..len).map(move |col| if col <= start + row { 0.0 } else { f32::NEG_INFINITY }))
        .collect();
    Tensor::from_vec(mask, (num_positions, len), device)
}
