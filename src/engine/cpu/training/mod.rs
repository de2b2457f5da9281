//! The forward and gradient that LoRA is trained with, over the very weights that decode.
//!
//! A [`TrainingModel`] adds the transposes of all matrices to a model. Where a model is quantised, they have eight bits a
//! weight, and gradients that meet them are rounded as activations are, in blocks of 32; where it is not, all is f32. The
//! adapter, its gradient and everything between the products are f32. Sums have one order, so that the same batch gives
//! the same bits on any number of threads.
//!
//! [`batch`] lays sequences side by side, [`layer`] and [`attention`] go through the blocks and back, [`head`] says what
//! the draft thinks at each output position, [`matmul`] and [`ops`] have the float arithmetic.

mod attention;
mod batch;
mod head;
mod layer;
mod matmul;
mod ops;
#[cfg(test)]
mod tests;
mod transpose;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

pub use batch::{Batch, Sequence};
pub use head::{DraftRow, Judged, Wanted};

use super::decoder::rotary_tables;
use super::head::HeadWeights;
use super::linear::{Linear, Rows};
use super::model::{CpuModel, Weights};
use crate::engine::adapter::{Adapter, LoraWeights};
use crate::engine::config::{ModelConfig, Module};
use head::TrainingHead;
use layer::Pass;
use transpose::transposed;

/// A model that an adapter can be trained for.
#[derive(Debug)]
pub struct TrainingModel {
    weights: Arc<Weights>,
    head: Arc<HeadWeights>,
    /// Made for the first gradient: judging needs none.
    transposes: OnceLock<Transposes>,
    vocab_size: usize,
}

/// Transposes of all matrices.
#[derive(Debug)]
struct Transposes {
    /// Wᵀ of each block, in the order of [`Module::ALL`].
    layers: Vec<[Linear; 7]>,
    head: Linear,
}

/// Dropout of the adapter's inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Share of values that are dropped, below 1.
    pub share: f32,
    /// Decides which.
    pub seed: u64,
}

/// How a gradient is computed.
#[derive(Debug, Clone, Copy, Default)]
pub struct GradientOptions {
    /// Dropout; none if absent.
    pub dropout: Option<Dropout>,
    /// Whether blocks are computed again for the gradient, so that of each its input alone is kept.
    pub checkpointing: bool,
}

/// Gradients of an adapter's tensors.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Gradients {
    /// By block and module.
    pub layers: BTreeMap<(usize, Module), LoraGradient>,
}

/// Gradients of one layer's tensors, in their layout.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct LoraGradient {
    /// ∂A: `[rank, in]`.
    pub a: Vec<f32>,
    /// ∂B: `[out, rank]`.
    pub b: Vec<f32>,
}

impl Gradients {
    /// The sums of a layer, zero at first.
    fn of(&mut self, place: (usize, Module), weights: &LoraWeights) -> &mut LoraGradient {
        let zeros = || LoraGradient { a: vec![0.0; weights.a.len()], b: vec![0.0; weights.b.len()] };
        self.layers.entry(place).or_insert_with(zeros)
    }

    /// All values, in the order of the tensors.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut f32> {
        self.layers.values_mut().flat_map(|layer| layer.a.iter_mut().chain(&mut layer.b))
    }

    /// Adds others of the same adapter.
    pub fn add(&mut self, other: Self) {
        for (place, layer) in other.layers {
            match self.layers.get_mut(&place) {
                None => {
                    self.layers.insert(place, layer);
                }
                Some(sum) => {
                    sum.a.iter_mut().zip(layer.a).for_each(|(sum, value)| *sum += value);
                    sum.b.iter_mut().zip(layer.b).for_each(|(sum, value)| *sum += value);
                }
            }
        }
    }
}

impl TrainingModel {
    /// Takes a model; its first `vocab_size` logits count, where its head has rows of padding.
    ///
    /// # Panics
    /// If the model's head has a part of its rows alone.
    pub fn new(model: &CpuModel, vocab_size: usize) -> Self {
        assert!(matches!(*model.head, HeadWeights::Whole(_)), "an adapter is trained with the whole head");
        Self {
            transposes: OnceLock::new(),
            vocab_size: vocab_size.min(model.weights.config.vocab_size),
            weights: Arc::clone(&model.weights),
            head: Arc::clone(&model.head),
        }
    }

    fn head(&self) -> &Linear {
        match &*self.head {
            HeadWeights::Whole(linear) | HeadWeights::Part { kept: linear, .. } => linear,
        }
    }

    fn transposes(&self) -> &Transposes {
        self.transposes.get_or_init(|| {
            let layers = self.weights.layers.iter();
            Transposes {
                layers: layers.map(|layer| Module::ALL.map(|m| transposed(layer.linear(m)))).collect(),
                head: transposed(self.head()),
            }
        })
    }

    /// The model's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.weights.config
    }

    /// Judges what the model thinks at each output position of a batch, in their order.
    pub fn judge<T: Send>(
        &self,
        adapter: Option<&Adapter>,
        batch: &Batch,
        wanted: &[Wanted],
        judge: impl Fn(usize, &DraftRow) -> T + Sync,
    ) -> Vec<T> {
        let (cos, sin) = self.rotary_tables(batch);
        let pass = Pass { model: self, adapter, batch, dropout: None, cos: &cos, sin: &sin };
        let mut x = self.embedded(batch);
        for index in 0..self.weights.layers.len() {
            x = pass.forward(index, &x).0;
        }
        let judge = |row: usize, seen: &DraftRow| Judged { value: judge(row, seen), gradient: vec![] };
        TrainingHead { pass, vocab_size: self.vocab_size }.judge(&x, wanted, judge, None)
    }

    /// Judges each output position, and returns the values with the gradient of the adapter.
    pub fn gradients<T: Send>(
        &self,
        adapter: &Adapter,
        batch: &Batch,
        wanted: &[Wanted],
        options: GradientOptions,
        judge: impl Fn(usize, &DraftRow) -> Judged<T> + Sync,
    ) -> (Vec<T>, Gradients) {
        let GradientOptions { dropout, checkpointing } = options;
        let (cos, sin) = self.rotary_tables(batch);
        let pass = Pass { model: self, adapter: Some(adapter), batch, dropout, cos: &cos, sin: &sin };
        let mut x = self.embedded(batch);
        let mut kept = Vec::new();
        for index in 0..self.weights.layers.len() {
            let (out, activations) = pass.forward(index, &x);
            kept.push((std::mem::replace(&mut x, out), (!checkpointing).then_some(activations)));
        }
        let mut gradient = Rows::default();
        gradient.resize(batch.num_rows(), x.width);
        let head = TrainingHead { pass, vocab_size: self.vocab_size };
        let values = head.judge(&x, wanted, judge, Some(&mut gradient));
        let mut gradients = Gradients::default();
        for (index, (input, activations)) in kept.into_iter().enumerate().rev() {
            let activations = activations.unwrap_or_else(|| pass.forward(index, &input).1);
            gradient = pass.backward(index, &input, activations, gradient, &mut gradients);
        }
        (values, gradients)
    }

    fn rotary_tables(&self, batch: &Batch) -> (Vec<f32>, Vec<f32>) {
        let num_positions = batch.positions.iter().max().map_or(0, |last| last + 1);
        rotary_tables(&self.weights.config.rope_frequencies, num_positions)
    }

    /// The embeddings of a batch's tokens: `[T, hidden]`.
    fn embedded(&self, batch: &Batch) -> Rows {
        let mut x = Rows::default();
        x.resize(batch.num_rows(), self.weights.config.hidden_size);
        for (row, &token) in batch.tokens.iter().enumerate() {
            self.weights.embedding.read_row(token as usize, x.row_mut(row));
        }
        x
    }
}
