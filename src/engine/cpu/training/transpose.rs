//! Transposes of weight matrices, for products with gradients.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use crate::engine::cpu::blocks::BLOCK;
use crate::engine::cpu::linear::Linear;
use crate::engine::cpu::pool;
use crate::engine::cpu::rows::blocks_of;
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
        pack_row(dtype, lane, &blocks_of(&values, dtype), panel);
    })
}
