//! One block of a decoder over a batch, and its gradient with regard to its input and its adapter.
//!
//! Products with frozen weights run on the kernels that decode: what is trained is the model that is served, the rounding of
//! its frozen weights included; the adapter is f32 here. Of frozen weights there is no gradient, and nothing is kept for one.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::attention::{Attention, Heads};
use super::batch::Batch;
use super::matmul::{View, ViewMut, multiply};
use super::ops::{GateGradient, add_norm_gradient};
use super::{Dropout, Gradients, TrainingModel};
use crate::engine::adapter::Adapter;
use crate::engine::config::{ModelConfig, Module};
use crate::engine::cpu::decoder::{add_rows, norm_rows};
use crate::engine::cpu::linear::{Linear, Rows, SharedInput};
use crate::engine::cpu::model::Layer;
use crate::engine::cpu::ops::{GateRow, RmsNorm, turn};
use crate::engine::cpu::pool::{self, Pieces};
use crate::engine::cpu::product::Onto;

/// Rows of elementwise work that one thread does before another is asked to help.
const ROWS_AT_ONCE: usize = 16;

/// A pass of a batch through a model with an adapter.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) model: &'a TrainingModel,
    pub(super) adapter: Option<&'a Adapter>,
    pub(super) batch: &'a Batch,
    pub(super) dropout: Option<Dropout>,
    /// cos and sin by position: `[positions, head_dim / 2]`.
    pub(super) cos: &'a [f32],
    pub(super) sin: &'a [f32],
}

/// What a block's gradient needs of its forward.
#[derive(Debug, Default)]
pub(super) struct Activations {
    /// Queries and keys before norm and turn, where heads are normed.
    unnormed: Option<(Rows, Rows)>,
    heads: Heads,
    attended: Rows,
    /// The residual stream between attention and MLP: `[T, hidden]`.
    middle: Rows,
    gate: Rows,
    up: Rows,
    /// A·x of each adapted module, in the order of [`Module::ALL`]: `[T, rank]`.
    low: [Rows; 7],
}

impl<'a> Pass<'a> {
    fn config(&self) -> &'a ModelConfig {
        &self.model.weights.config
    }

    fn layer(&self, index: usize) -> &'a Layer {
        &self.model.weights.layers[index]
    }

    fn attention(&self) -> Attention<'a> {
        Attention { backend: self.model.weights.backend, config: self.config(), batch: self.batch }
    }

    fn norm(&self, x: &Rows, weight: &[f32]) -> Rows {
        let mut normed = Rows::default();
        norm_rows(self.model.weights.backend, x, weight, self.config().rms_norm_eps, &mut normed);
        normed
    }

    /// x: `[T, hidden]` -> `[T, hidden]`, with what the gradient needs.
    pub(super) fn forward(&self, index: usize, x: &Rows) -> (Rows, Activations) {
        let layer = self.layer(index);
        let mut kept = Activations::default();
        let normed = self.norm(x, &layer.attention_norm);
        let [queries, keys, values] = [Module::Query, Module::Key, Module::Value]
            .map(|module| self.linear(index, module, &normed, &mut kept.low));
        kept.heads = Heads { queries, keys, values };
        if layer.head_norms.is_some() {
            kept.unnormed = Some((clone_rows(&kept.heads.queries), clone_rows(&kept.heads.keys)));
        }
        self.norm_and_turn(layer, &mut kept.heads);
        self.attention().forward(&kept.heads, &mut kept.attended);
        kept.middle = self.linear(index, Module::Output, &kept.attended, &mut kept.low);
        add_rows(&mut kept.middle, x);

        let normed = self.norm(&kept.middle, &layer.mlp_norm);
        kept.gate = self.linear(index, Module::Gate, &normed, &mut kept.low);
        kept.up = self.linear(index, Module::Up, &normed, &mut kept.low);
        let gated = self.gated(&kept);
        let mut out = self.linear(index, Module::Down, &gated, &mut kept.low);
        add_rows(&mut out, &kept.middle);
        (out, kept)
    }

    /// W·x + b + s·B·(A·x), with A·x in its place in `low`.
    fn linear(&self, index: usize, module: Module, x: &Rows, low: &mut [Rows; 7]) -> Rows {
        let mut out = self.product(self.layer(index).linear(module), x);
        let Some(lora) = self.adapter.and_then(|adapter| adapter.layers.get(&(index, module))) else {
            return out;
        };
        let (rank, width) = (lora.rank, x.width);
        let low = &mut low[module as usize];
        low.resize(x.num_rows(), rank);
        let dropped = self.mask(index, module, x.data.len()).map(|mask| masked(x, &mask));
        let x = dropped.as_ref().unwrap_or(x);
        let a = View::dense(&lora.a, rank, width);
        multiply(ViewMut::of(low), Onto::Replace, 1.0, View::of(x), a.transposed());
        let b = View::dense(&lora.b, out.width, rank);
        multiply(ViewMut::of(&mut out), Onto::Add, lora.scale, View::of(low), b.transposed());
        out
    }

    /// W·x + b with frozen weights.
    pub(super) fn product(&self, linear: &Linear, x: &Rows) -> Rows {
        let mut out = Rows::default();
        SharedInput::new().apply(self.model.weights.backend, x, [(linear, None)], [&mut out]);
        out
    }

    /// What each value is multiplied with: 0, or 1/(1 − p).
    fn mask(&self, index: usize, module: Module, len: usize) -> Option<Vec<f32>> {
        let Dropout { share, seed } = self.dropout?;
        let place = (index * Module::ALL.len() + module as usize) as u64;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(place);
        let keep = 1.0 / (1.0 - share);
        Some((0..len).map(|_| if rng.random::<f32>() < share { 0.0 } else { keep }).collect())
    }

    fn norm_and_turn(&self, layer: &Layer, heads: &mut Heads) {
        let config = self.config();
        let (half, eps) = (config.head_dim / 2, config.rms_norm_eps as f32);
        let norms = layer.head_norms.as_ref();
        let (query_norm, key_norm) = (norms.map(|(query, _)| query), norms.map(|(_, key)| key));
        for (rows, norm) in [(&mut heads.queries, query_norm), (&mut heads.keys, key_norm)] {
            for (row, &position) in self.batch.positions.iter().enumerate() {
                let table = position * half..(position + 1) * half;
                for head in rows.row_mut(row).chunks_exact_mut(config.head_dim) {
                    if let Some(weight) = norm {
                        let x = head.to_vec();
                        self.model.weights.backend.run(RmsNorm { x: &x, weight, eps, out: head });
                    }
                    turn(head, &self.cos[table.clone()], &self.sin[table.clone()]);
                }
            }
        }
    }

    /// The gradient of [`Self::norm_and_turn`], in place.
    fn turn_back(&self, layer: &Layer, kept: &Activations, gradients: &mut Heads) {
        let config = self.config();
        let (half, eps) = (config.head_dim / 2, config.rms_norm_eps as f32);
        let unnormed = layer.head_norms.as_ref().zip(kept.unnormed.as_ref());
        let query = unnormed.map(|((norm, _), (x, _))| (norm, x));
        let key = unnormed.map(|((_, norm), (_, x))| (norm, x));
        for (rows, normed) in [(&mut gradients.queries, query), (&mut gradients.keys, key)] {
            for (row, &position) in self.batch.positions.iter().enumerate() {
                let table = position * half..(position + 1) * half;
                // The inverse of a turn is a turn by the opposite angle.
                let back: Vec<f32> = self.sin[table.clone()].iter().map(|sin| -sin).collect();
                for (number, head) in rows.row_mut(row).chunks_exact_mut(config.head_dim).enumerate() {
                    turn(head, &self.cos[table.clone()], &back);
                    if let Some((weight, x)) = normed {
                        let x = &x.row(row)[number * config.head_dim..][..config.head_dim];
                        let turned = head.to_vec();
                        head.fill(0.0);
                        add_norm_gradient(x, weight, eps, &turned, head);
                    }
                }
            }
        }
    }

    /// silu(gate) · up: `[T, intermediate]`.
    fn gated(&self, kept: &Activations) -> Rows {
        let mut gated = clone_rows(&kept.gate);
        let (stride, up) = (gated.stride, &kept.up.data);
        let gate = Pieces::new(&mut gated.data);
        pool::for_each_range(gate.len() / stride, ROWS_AT_ONCE, |rows| {
            let part = rows.start * stride..rows.end * stride;
            // SAFETY: each row comes once.
            let gate = unsafe { gate.get(part.clone()) };
            self.model.weights.backend.run(GateRow { up: &up[part], gate });
        });
        gated
    }

    /// From the gradient with regard to a block's output to that with regard to its input x, both `[T, hidden]`; what its
    /// adapter gets is added to `gradients`.
    pub(super) fn backward(
        &self,
        index: usize,
        x: &Rows,
        mut kept: Activations,
        gradient: Rows,
        gradients: &mut Gradients,
    ) -> Rows {
        let layer = self.layer(index);
        let gated = self.gated(&kept);
        let d_gated = self.linear_gradient(index, Module::Down, &gated, &kept, &gradient, gradients);
        self.gate_gradient(&mut kept, &d_gated);
        let normed = self.norm(&kept.middle, &layer.mlp_norm);
        let mut d_normed = self.linear_gradient(index, Module::Gate, &normed, &kept, &kept.gate, gradients);
        let d_up = self.linear_gradient(index, Module::Up, &normed, &kept, &kept.up, gradients);
        add_rows(&mut d_normed, &d_up);
        let mut d_middle = gradient;
        self.add_norm_gradients(&kept.middle, &layer.mlp_norm, &d_normed, &mut d_middle);

        let d_attended =
            self.linear_gradient(index, Module::Output, &kept.attended, &kept, &d_middle, gradients);
        let mut d_heads = self.attention().backward(&kept.heads, &kept.attended, &d_attended);
        self.turn_back(layer, &kept, &mut d_heads);
        let normed = self.norm(x, &layer.attention_norm);
        let Heads { queries, keys, values } = &d_heads;
        let mut d_normed = self.linear_gradient(index, Module::Query, &normed, &kept, queries, gradients);
        for (module, gradient) in [(Module::Key, keys), (Module::Value, values)] {
            let more = self.linear_gradient(index, module, &normed, &kept, gradient, gradients);
            add_rows(&mut d_normed, &more);
        }
        self.add_norm_gradients(x, &layer.attention_norm, &d_normed, &mut d_middle);
        d_middle
    }

    /// Wᵀ·∂y + s·Aᵀ·Bᵀ·∂y; ∂A = s·(∂y·B)ᵀ·x and ∂B = s·∂yᵀ·(A·x) are added to `gradients`.
    fn linear_gradient(
        &self,
        index: usize,
        module: Module,
        x: &Rows,
        kept: &Activations,
        gradient: &Rows,
        gradients: &mut Gradients,
    ) -> Rows {
        let mut out = self.product(&self.model.transposes().layers[index][module as usize], gradient);
        let place = (index, module);
        let Some(lora) = self.adapter.and_then(|adapter| adapter.layers.get(&place)) else {
            return out;
        };
        let (rank, scale, low) = (lora.rank, lora.scale, &kept.low[module as usize]);
        let sums = gradients.of(place, lora);
        let mut d_low = Rows::default();
        d_low.resize(gradient.num_rows(), rank);
        let b = View::dense(&lora.b, gradient.width, rank);
        multiply(ViewMut::of(&mut d_low), Onto::Replace, scale, View::of(gradient), b);
        let d_b = ViewMut::dense(&mut sums.b, gradient.width, rank);
        multiply(d_b, Onto::Add, scale, View::of(gradient).transposed(), View::of(low));

        let mask = self.mask(index, module, x.data.len());
        let dropped = mask.as_ref().map(|mask| masked(x, mask));
        let seen = dropped.as_ref().unwrap_or(x);
        let d_a = ViewMut::dense(&mut sums.a, rank, x.width).transposed();
        multiply(d_a, Onto::Add, 1.0, View::of(seen).transposed(), View::of(&d_low));
        let a = View::dense(&lora.a, rank, x.width);
        match mask {
            None => multiply(ViewMut::of(&mut out), Onto::Add, 1.0, View::of(&d_low), a),
            Some(mask) => {
                let mut update = clone_rows(x);
                multiply(ViewMut::of(&mut update), Onto::Replace, 1.0, View::of(&d_low), a);
                update.data.iter_mut().zip(mask).for_each(|(x, factor)| *x *= factor);
                add_rows(&mut out, &update);
            }
        }
        out
    }

    /// Puts the gradients with regard to gate and up in their place.
    fn gate_gradient(&self, kept: &mut Activations, gradient: &Rows) {
        let stride = gradient.stride;
        let (gate, up) = (Pieces::new(&mut kept.gate.data), Pieces::new(&mut kept.up.data));
        pool::for_each_range(gradient.num_rows(), ROWS_AT_ONCE, |rows| {
            let part = rows.start * stride..rows.end * stride;
            // SAFETY: each row comes once.
            let (gate, up) = unsafe { (gate.get(part.clone()), up.get(part.clone())) };
            self.model.weights.backend.run(GateGradient { gate, up, gradient: &gradient.data[part] });
        });
    }

    pub(super) fn add_norm_gradients(&self, x: &Rows, weight: &[f32], gradient: &Rows, out: &mut Rows) {
        let (eps, stride) = (self.config().rms_norm_eps as f32, out.stride);
        let width = out.width;
        let pieces = Pieces::new(&mut out.data);
        pool::for_each_range(x.num_rows(), ROWS_AT_ONCE, |rows| {
            for row in rows {
                // SAFETY: each row comes once.
                let out = unsafe { pieces.get(row * stride..row * stride + width) };
                add_norm_gradient(x.row(row), weight, eps, gradient.row(row), out);
            }
        });
    }
}

/// An input with some of its values dropped.
fn masked(x: &Rows, mask: &[f32]) -> Rows {
    let mut masked = clone_rows(x);
    masked.data.iter_mut().zip(mask).for_each(|(x, factor)| *x *= factor);
    masked
}

pub(super) fn clone_rows(rows: &Rows) -> Rows {
    Rows { data: rows.data.clone(), width: rows.width, stride: rows.stride }
}
