//! Linear layers over tiles, with an optional low-rank update beside them.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use super::activations::{Activations, Grain, quantize};
use super::blocks::BLOCK;
use super::product::{Input, Onto, Product, multiply};
use super::rows::blocks_of;
use super::simd::{Backend, LANES};
use super::tiles::Tiles;
use crate::engine::adapter::LoraWeights;

/// y = W·x + b.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) tiles: Arc<Tiles>,
    /// `[out]`.
    pub(super) bias: Option<Vec<f32>>,
}

/// Rows of floats: `[num_rows, stride]`, of which `width` entries of a row count.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) data: Vec<f32>,
    pub(super) width: usize,
    pub(super) stride: usize,
}

impl Rows {
    /// Makes room for rows; what was there is lost.
    pub(super) fn resize(&mut self, num_rows: usize, width: usize) {
        (self.width, self.stride) = (width, width.next_multiple_of(LANES));
        self.data.resize(num_rows * self.stride, 0.0);
    }

    pub(super) fn num_rows(&self) -> usize {
        self.data.len() / self.stride.max(1)
    }

    /// `[width]`.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.stride..][..self.width]
    }

    /// `[width]`.
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.stride..][..self.width]
    }
}

/// s·B·(A·x).
#[derive(Debug)]
pub(super) struct Lora {
    /// A: `[rank, in]`.
    down: Tiles,
    /// s·B: `[out, rank]`.
    up: Tiles,
}

impl Lora {
    /// The update of a layer. Beside weights that are not rounded it is exact; beside others, A has eight bits and meets
    /// rounded activations too (those of weights in blocks of 32; beside super-blocks the input is rounded once more), and B
    /// has half precision.
    pub(super) fn new(weights: &LoraWeights, beside: &Linear) -> Self {
        let (rank, inside) = (weights.rank, weights.a.len() / weights.rank);
        let is_exact = beside.tiles.grain().is_none();
        let down = match is_exact {
            true => GgmlDType::F32,
            false if inside.is_multiple_of(BLOCK) => GgmlDType::Q8_0,
            false => GgmlDType::F16,
        };
        let up = if is_exact { GgmlDType::F32 } else { GgmlDType::F16 };
        let scaled: Vec<f32> = weights.b.iter().map(|b| b * weights.scale).collect();
        Self {
            down: Tiles::pack(down, rank, inside, &blocks_of(&weights.a, down)),
            up: Tiles::pack(up, weights.b.len() / rank, rank, &blocks_of(&scaled, up)),
        }
    }
}

/// Activations of the current input at either grain, rounded once for all layers that take it.
#[derive(Debug)]
pub(super) struct SharedInput {
    small: Activations,
    large: Activations,
    /// A·x of the layers that have an update.
    low: Vec<Rows>,
}

impl SharedInput {
    pub(super) fn new() -> Self {
        Self { small: Activations::new(Grain::Small), large: Activations::new(Grain::Large), low: vec![] }
    }

    /// Applies layers that take the same input: W·x of all layers and A·x of all updates as one piece of work, then B·(A·x)
    /// as another. out\[i\]: `[num_rows, out_i]`.
    pub(super) fn apply<const N: usize>(
        &mut self,
        backend: Backend,
        x: &Rows,
        layers: [(&Linear, Option<&Lora>); N],
        mut out: [&mut Rows; N],
    ) {
        let loras = layers.map(|(_, lora)| lora);
        let matrices = || {
            let downs = loras.into_iter().flatten().map(|lora| &lora.down);
            layers.iter().map(|(layer, _)| &*layer.tiles).chain(downs)
        };
        for tiles in matrices() {
            self.round(backend, x, tiles);
        }
        let num_updates = loras.iter().flatten().count();
        if self.low.len() < num_updates {
            self.low.resize_with(num_updates, Rows::default);
        }
        let Self { small, large, low } = self;
        let low = &mut low[..num_updates];
        let rows = out.iter_mut().map(|out| &mut **out).chain(low.iter_mut());
        let mut products: Vec<Product> = matrices()
            .zip(rows)
            .map(|(tiles, out)| {
                out.resize(x.num_rows(), tiles.num_rows());
                let input = match tiles.grain() {
                    Some(Grain::Small) => Input::Rounded(small),
                    Some(Grain::Large) => Input::Rounded(large),
                    None => Input::Floats { x: &x.data, stride: x.stride },
                };
                Product { tiles, input, stride: out.stride, out: &mut out.data, onto: Onto::Replace }
            })
            .collect();
        multiply(backend, &mut products);
        drop(products);
        small.mark_stale();
        large.mark_stale();
        for ((layer, _), out) in layers.iter().zip(&mut out) {
            if let Some(bias) = &layer.bias {
                for row in 0..out.num_rows() {
                    out.row_mut(row).iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
                }
            }
        }
        let updated = loras.into_iter().zip(out).filter_map(|(lora, out)| Some((lora?, out)));
        let mut updates: Vec<Product> = updated
            .zip(low)
            .map(|((lora, out), low)| {
                let input = Input::Floats { x: &low.data, stride: low.stride };
                Product { tiles: &lora.up, input, stride: out.stride, out: &mut out.data, onto: Onto::Add }
            })
            .collect();
        multiply(backend, &mut updates);
    }

    /// Rounds the input as weights ask, unless that was done for others.
    fn round(&mut self, backend: Backend, x: &Rows, tiles: &Tiles) {
        let activations = match tiles.grain() {
            Some(Grain::Small) => &mut self.small,
            Some(Grain::Large) => &mut self.large,
            None => return,
        };
        if activations.is_stale() {
            quantize(backend, &x.data, x.stride, x.width, activations);
        }
    }
}
