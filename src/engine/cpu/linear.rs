//! Linear layers over tiles, with an optional low-rank update beside them.

use std::sync::Arc;

use super::activations::{Activations, Grain, quantize};
use super::product::{Input, Product, multiply};
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
    pub(super) fn new(weights: &LoraWeights) -> Self {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let scaled: Vec<f32> = weights.b.iter().map(|b| b * weights.scale).collect();
        let pack = |num_rows: usize, width: usize, values: &[f32]| {
            Tiles::pack(candle_core::quantized::GgmlDType::F32, num_rows, width, &bytes(values))
        };
        let rank = weights.rank;
        Self {
            down: pack(rank, weights.a.len() / rank, &weights.a),
            up: pack(weights.b.len() / rank, rank, &scaled),
        }
    }

    fn add_to(&self, backend: Backend, x: &Rows, out: &mut Rows) {
        let (mut low, mut update) = (Rows::default(), Rows::default());
        low.resize(x.num_rows(), self.down.num_rows());
        let input = Input::Floats { x: &x.data, stride: x.stride };
        let stride = low.stride;
        multiply(backend, &mut [Product { tiles: &self.down, input, out: &mut low.data, stride }]);
        update.resize(x.num_rows(), self.up.num_rows());
        let input = Input::Floats { x: &low.data, stride: low.stride };
        let stride = update.stride;
        multiply(backend, &mut [Product { tiles: &self.up, input, out: &mut update.data, stride }]);
        out.data.iter_mut().zip(&update.data).for_each(|(out, update)| *out += update);
    }
}

/// Activations of the current input at either grain, rounded once for all layers that take it.
#[derive(Debug)]
pub(super) struct SharedInput {
    small: Activations,
    large: Activations,
}

impl SharedInput {
    pub(super) fn new() -> Self {
        Self { small: Activations::new(Grain::Small), large: Activations::new(Grain::Large) }
    }

    /// Applies layers that take the same input, as one piece of parallel work. out\[i\]: `[num_rows, out_i]`.
    pub(super) fn apply<const N: usize>(
        &mut self,
        backend: Backend,
        x: &Rows,
        layers: [(&Linear, Option<&Lora>); N],
        mut out: [&mut Rows; N],
    ) {
        for (layer, _) in layers {
            let activations = match layer.tiles.grain() {
                Some(Grain::Small) => &mut self.small,
                Some(Grain::Large) => &mut self.large,
                None => continue,
            };
            if activations.is_stale() {
                quantize(backend, &x.data, x.stride, x.width, activations);
            }
        }
        let mut products: Vec<Product> = layers
            .iter()
            .zip(&mut out)
            .map(|((layer, _), out)| {
                out.resize(x.num_rows(), layer.tiles.num_rows());
                let input = match layer.tiles.grain() {
                    Some(Grain::Small) => Input::Rounded(&self.small),
                    Some(Grain::Large) => Input::Rounded(&self.large),
                    None => Input::Floats { x: &x.data, stride: x.stride },
                };
                Product { tiles: &layer.tiles, input, stride: out.stride, out: &mut out.data }
            })
            .collect();
        multiply(backend, &mut products);
        drop(products);
        self.small.mark_stale();
        self.large.mark_stale();
        for ((layer, lora), out) in layers.into_iter().zip(out) {
            if let Some(bias) = &layer.bias {
                for row in 0..out.num_rows() {
                    out.row_mut(row).iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
                }
            }
            if let Some(lora) = lora {
                lora.add_to(backend, x, out);
            }
        }
    }
}
