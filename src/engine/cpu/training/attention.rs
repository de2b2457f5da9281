//! Causal attention within segments, and its gradient: P = softmax(Q·Kᵀ/√d) and O = P·V, heads in groups that share keys.
//!
//! P is computed again for the gradient (Dao et al., "FlashAttention", 2022, section 3.1, without its tiles): it would take
//! more memory than all other activations.

use std::ops::Range;

use super::batch::{Batch, Segment};
use super::matmul::{View, ViewMut, multiply_here};
use super::ops::Exponentiate;
use crate::engine::config::ModelConfig;
use crate::engine::cpu::linear::Rows;
use crate::engine::cpu::pool::{self, Pieces};
use crate::engine::cpu::product::Onto;
use crate::engine::cpu::simd::{Backend, LANES};

/// Queries, keys and values of a batch, turned.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// `[T, heads · head_dim]`.
    pub(super) queries: Rows,
    /// `[T, kv_heads · head_dim]`.
    pub(super) keys: Rows,
    /// `[T, kv_heads · head_dim]`.
    pub(super) values: Rows,
}

/// What attention is computed over.
#[derive(Clone, Copy)]
pub(super) struct Attention<'a> {
    pub(super) backend: Backend,
    pub(super) config: &'a ModelConfig,
    pub(super) batch: &'a Batch,
}

/// One head's columns in rows of a segment.
fn columns<'a>(rows: &'a Rows, segment: &Range<usize>, head: usize, head_dim: usize) -> View<'a> {
    let start = segment.start * rows.stride + head * head_dim;
    View::strided(&rows.data[start..], segment.len(), head_dim, rows.stride)
}

impl Attention<'_> {
    fn scale(&self) -> f32 {
        1.0 / (self.config.head_dim as f32).sqrt()
    }

    /// P of one head in a segment: `[rows, shared + rows]`, rows padded to whole vectors; returns their stride.
    fn weights(&self, heads: &Heads, segment: &Segment, head: usize, weights: &mut Vec<f32>) -> usize {
        let ModelConfig { num_heads, num_kv_heads, head_dim, .. } = *self.config;
        let (num_rows, num_shared) = (segment.rows.len(), segment.num_shared);
        let stride = (num_shared + num_rows).next_multiple_of(LANES);
        weights.resize(num_rows * stride, 0.0);
        let kv_head = head / (num_heads / num_kv_heads);
        let queries = columns(&heads.queries, &segment.rows, head, head_dim);
        for (rows, first) in parts(segment) {
            let keys = columns(&heads.keys, &rows, kv_head, head_dim);
            // SAFETY: these columns of the scores are nobody else's.
            let out = unsafe { ViewMut::raw(weights.as_mut_ptr().add(first), num_rows, rows.len(), stride) };
            multiply_here(out, Onto::Replace, self.scale(), queries, keys.transposed());
        }
        for (row, scores) in weights.chunks_exact_mut(stride).enumerate() {
            let total = self.backend.run(Exponentiate { scores, len: num_shared + row + 1 });
            let inverse = 1.0 / total;
            scores.iter_mut().for_each(|weight| *weight *= inverse);
        }
        stride
    }

    /// O: `[T, heads · head_dim]`.
    pub(super) fn forward(&self, heads: &Heads, out: &mut Rows) {
        let ModelConfig { num_heads, num_kv_heads, head_dim, .. } = *self.config;
        out.resize(heads.queries.num_rows(), heads.queries.width);
        let out_stride = out.stride;
        let pieces = Pieces::new(&mut out.data);
        let segments = &self.batch.segments;
        pool::for_each_range(segments.len() * num_heads, 1, |items| {
            let mut weights = vec![];
            for item in items {
                let (segment, head) = (&segments[item / num_heads], item % num_heads);
                let stride = self.weights(heads, segment, head, &mut weights);
                let num_rows = segment.rows.len();
                let kv_head = head / (num_heads / num_kv_heads);
                let start = pieces.pointer(segment.rows.start * out_stride + head * head_dim);
                for (rows, first) in parts(segment) {
                    let values = columns(&heads.values, &rows, kv_head, head_dim);
                    let weights = View::strided(&weights[first..], num_rows, rows.len(), stride);
                    let onto = if first == 0 { Onto::Replace } else { Onto::Add };
                    // SAFETY: each segment and head comes once, and its columns are its own.
                    let out = unsafe { ViewMut::raw(start, num_rows, head_dim, out_stride) };
                    multiply_here(out, onto, 1.0, weights, values);
                }
            }
        });
    }

    /// ∂Q, ∂K and ∂V from ∂O. attended: O; all shapes as in [`Heads`].
    pub(super) fn backward(&self, heads: &Heads, attended: &Rows, gradient: &Rows) -> Heads {
        let ModelConfig { num_heads, num_kv_heads, .. } = *self.config;
        let mut gradients = Heads::default();
        let pairs = [
            (&heads.queries, &mut gradients.queries),
            (&heads.keys, &mut gradients.keys),
            (&heads.values, &mut gradients.values),
        ];
        for (like, rows) in pairs {
            rows.resize(like.num_rows(), like.width);
            rows.data.fill(0.0);
        }
        let strides = [&gradients.queries, &gradients.keys, &gradients.values].map(|rows| rows.stride);
        let Heads { queries, keys, values } = &mut gradients;
        let out = [queries, keys, values].map(|rows| Pieces::new(&mut rows.data));
        // Heads that share keys add to the same columns, and segments to the same leading rows: they follow each other.
        pool::for_each_range(num_kv_heads, 1, |kv_heads| {
            let mut scratch = Scratch::default();
            for kv_head in kv_heads {
                let group = num_heads / num_kv_heads;
                for head in kv_head * group..(kv_head + 1) * group {
                    for segment in &self.batch.segments {
                        let place = Place { segment, head, kv_head };
                        self.backward_head(heads, (attended, gradient), place, (&out, strides), &mut scratch);
                    }
                }
            }
        });
        gradients
    }

    /// Adds the gradients of one head in one segment.
    fn backward_head(
        &self,
        heads: &Heads,
        (attended, gradient): (&Rows, &Rows),
        Place { segment, head, kv_head }: Place,
        (out, strides): (&[Pieces<f32>; 3], [usize; 3]),
        scratch: &mut Scratch,
    ) {
        let head_dim = self.config.head_dim;
        let num_rows = segment.rows.len();
        let stride = self.weights(heads, segment, head, &mut scratch.weights);
        let own = |rows| columns(rows, &segment.rows, head, head_dim);
        scratch.scores.resize(num_rows * stride, 0.0);
        // ∂P = ∂O·Vᵀ
        for (rows, first) in parts(segment) {
            let values = columns(&heads.values, &rows, kv_head, head_dim);
            // SAFETY: these columns of the scratch are nobody else's.
            let scores =
                unsafe { ViewMut::raw(scratch.scores.as_mut_ptr().add(first), num_rows, rows.len(), stride) };
            multiply_here(scores, Onto::Replace, 1.0, own(gradient), values.transposed());
        }
        // ∂S = P∘(∂P − Σ ∂O∘O)/√d
        for (row, scores) in scratch.scores.chunks_exact_mut(stride).enumerate() {
            let at = |rows: &Rows| (segment.rows.start + row) * rows.stride + head * head_dim;
            let (attended, gradient) =
                (&attended.data[at(attended)..][..head_dim], &gradient.data[at(gradient)..][..head_dim]);
            let along: f32 = attended.iter().zip(gradient).map(|(o, d)| o * d).sum();
            let weights = &scratch.weights[row * stride..(row + 1) * stride];
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score = weight * (*score - along) * self.scale();
            }
        }
        let target = |which: usize, rows: &Range<usize>, head: usize| {
            let start = out[which].pointer(rows.start * strides[which] + head * head_dim);
            // SAFETY: the columns of a key head and of its query heads belong to one thread.
            unsafe { ViewMut::raw(start, rows.len(), head_dim, strides[which]) }
        };
        for (rows, first) in parts(segment) {
            let scores = View::strided(&scratch.scores[first..], num_rows, rows.len(), stride);
            let weights = View::strided(&scratch.weights[first..], num_rows, rows.len(), stride);
            let keys = columns(&heads.keys, &rows, kv_head, head_dim);
            multiply_here(target(0, &segment.rows, head), Onto::Add, 1.0, scores, keys);
            let queries = own(&heads.queries);
            multiply_here(target(1, &rows, kv_head), Onto::Add, 1.0, scores.transposed(), queries);
            multiply_here(target(2, &rows, kv_head), Onto::Add, 1.0, weights.transposed(), own(gradient));
        }
    }
}

/// One head in one segment.
#[derive(Clone, Copy)]
struct Place<'a> {
    segment: &'a Segment,
    head: usize,
    kv_head: usize,
}

#[derive(Default)]
struct Scratch {
    weights: Vec<f32>,
    scores: Vec<f32>,
}

/// The rows that a segment sees, each range with its first column in the scores: those shared, if any, and its own.
fn parts(segment: &Segment) -> impl Iterator<Item = (Range<usize>, usize)> {
    let shared = (segment.num_shared > 0).then_some((0..segment.num_shared, 0));
    shared.into_iter().chain([(segment.rows.clone(), segment.num_shared)])
}
