//! Transposes of weight matrices, for products with gradients.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use half::f16;

use crate::engine::cpu::blocks::BLOCK;
use crate::engine::cpu::linear::Linear;
use crate::engine::cpu::pool;
use crate::engine::cpu::simd::LANES;
use crate::engine::cpu::tiles::{Tiles, pack_row};

/// Wᵀ: `[in, out]` of W: `[out, in]`. Quantised weights get eight bits, where their rows are whole blocks of that; others
/// stay as exact as they are.
pub(super) fn transposed(linear: &Linear) -> Linear {
    let source = &*linear.tiles;
    let is_quantized = source.grain().is_some() && source.num_rows().is_multiple_of(BLOCK);
    let dtype = if is_quantized { GgmlDType::Q8_0 } else { GgmlDType::F32 };
    Linear { tiles: Arc::new(transposed_as(source, dtype)), bias: None }
}

/// Wᵀ as F32 or Q8_0.
pub(super) fn transposed_as(source: &Tiles, dtype: GgmlDType) -> Tiles {
    let (num_rows, width) = (source.num_rows(), source.width());
    let mut dense = vec![0.0; num_rows * width];
    pool::for_each_chunk(&mut dense, width, |row, out| source.read_row(row, out));
    Tiles::build(dtype, width, num_rows, |column, lane, panel| {
        // The sixteen columns of a panel share cache lines.
        debug_assert_eq!(column % LANES, lane);
        let values: Vec<f32> = dense[column..].iter().step_by(width).copied().collect();
        pack_row(dtype, lane, &bytes(&values, dtype), panel);
    })
}

/// Values as they lie in a file of this type.
fn bytes(values: &[f32], dtype: GgmlDType) -> Vec<u8> {
    if dtype == GgmlDType::F32 {
        return values.iter().flat_map(|value| value.to_le_bytes()).collect();
    }
    assert_eq!(dtype, GgmlDType::Q8_0, "a transpose has 32 or 8 bits a weight");
    values.chunks_exact(BLOCK).flat_map(eight_bits).collect()
}

/// A block of Q8_0: w ≈ d·code with d = max |w| / 127.
fn eight_bits(weights: &[f32]) -> Vec<u8> {
    let highest = weights.iter().fold(0.0f32, |highest, w| highest.max(w.abs()));
    let scale = highest / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let codes = weights.iter().map(|w| (w * inverse).round() as i8 as u8);
    f16::from_f32(scale).to_le_bytes().into_iter().chain(codes).collect()
}
