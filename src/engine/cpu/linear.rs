//! Linear layers over tiles, with an optional low-rank update beside them.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use half::f16;

use super::activations::{Activations, Grain, quantize};
use super::product::{Input, Onto, Product, multiply};
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
    /// The update of a layer: in half precision beside weights that are rounded further, else as exact as it is.
    pub(super) fn new(weights: &LoraWeights, beside: &Linear) -> Self {
        let dtype = if beside.tiles.grain().is_some() { GgmlDType::F16 } else { GgmlDType::F32 };
        let scaled: Vec<f32> = weights.b.iter().map(|b| b * weights.scale).collect();
        let rank = weights.rank;
        Self {
            down: pack(dtype, rank, weights.a.len() / rank, &weights.a),
            up: pack(dtype, weights.b.len() / rank, rank, &scaled),
        }
    }
}

/// Packs a matrix of floats as F16 or F32.
fn pack(dtype: GgmlDType, num_rows: usize, width: usize, values: &[f32]) -> Tiles {
    let bytes: Vec<u8> = match dtype {
        GgmlDType::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    };
    Tiles::pack(dtype, num_rows, width, &bytes)
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

    /// Adds s·B·(A·x) where a layer has it: all A·x as one piece of work, then all updates as another.
    fn add_updates<const N: usize>(
        &mut self,
        backend: Backend,
        x: &Rows,
        loras: [Option<&Lora>; N],
        out: [&mut Rows; N],
    ) {
        let updates: Vec<(&Lora, &mut Rows)> =
            loras.into_iter().zip(out).filter_map(|(lora, out)| Some((lora?, out))).collect();
        if updates.is_empty() {
            return;
        }
        self.low.resize_with(updates.len().max(self.low.len()), Rows::default);
        let low = &mut self.low[..updates.len()];
        let input = Input::Floats { x: &x.data, stride: x.stride };
        let mut products: Vec<Product> = updates
            .iter()
            .zip(&mut *low)
            .map(|((lora, _), low)| {
                low.resize(x.num_rows(), lora.down.num_rows());
                let stride = low.stride;
                Product { tiles: &lora.down, input, out: &mut low.data, stride, onto: Onto::Nothing }
            })
            .collect();
        multiply(backend, &mut products);
        let mut products: Vec<Product> = updates
            .into_iter()
            .zip(low)
            .map(|((lora, out), low)| {
                let input = Input::Floats { x: &low.data, stride: low.stride };
                Product { tiles: &lora.up, input, stride: out.stride, out: &mut out.data, onto: Onto::Out }
            })
            .collect();
        multiply(backend, &mut products);
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
                Product {
                    tiles: &layer.tiles,
                    input,
                    stride: out.stride,
                    out: &mut out.data,
                    onto: Onto::Nothing,
                }
            })
            .collect();
        multiply(backend, &mut products);
        drop(products);
        self.small.mark_stale();
        self.large.mark_stale();
        for ((layer, _), out) in layers.iter().zip(&mut out) {
            if let Some(bias) = &layer.bias {
                for row in 0..out.num_rows() {
                    out.row_mut(row).iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
                }
            }
        }
        self.add_updates(backend, x, layers.map(|(_, lora)| lora), out);
    }
}
