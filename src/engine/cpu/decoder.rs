//! The decoder-only transformer of the Llama, Qwen2 and Qwen3 families, over tiles and slices.

use std::collections::HashMap;
use std::sync::Arc;

use super::attention::attend_rows;
use super::head::Head;
use super::kv_cache::LayerCache;
use super::linear::{Lora, Rows, SharedInput};
use super::model::{CpuModel, Layer, Weights};
use super::ops::{GateRow, RmsNorm, turn};
use super::pool::{self, Pieces};
use super::simd::Backend;
use crate::engine::config::Module;
use crate::engine::decoder::{Decoder, DecoderOptions, Logits, Rows as WantedRows, check_pass};
use crate::engine::error::Result;

/// Positions of a long prompt that are computed in one pass.
const PROMPT_CHUNK: usize = 512;

/// Rows of elementwise work that one thread does before another is asked to help.
const ROWS_AT_ONCE: usize = 16;

/// A [`CpuModel`] at work on one sequence.
#[derive(Debug)]
pub struct CpuDecoder {
    weights: Arc<Weights>,
    head: Head,
    loras: HashMap<(usize, Module), Lora>,
    caches: Vec<LayerCache>,
    cos: Vec<f32>,
    sin: Vec<f32>,
    capacity: usize,
    vocab_size: usize,
    len: usize,
    /// Layers whose hidden states are handed out, with those of the last pass: `[T, hidden]`.
    hidden_states: Vec<(usize, Vec<f32>)>,
    scratch: Scratch,
}

/// Memory that passes use again.
#[derive(Debug)]
struct Scratch {
    input: SharedInput,
    /// The residual stream: `[T, hidden]`.
    hidden: Rows,
    normed: Rows,
    queries: Rows,
    keys: Rows,
    values: Rows,
    attended: Rows,
    gate: Rows,
    up: Rows,
    update: Rows,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            input: SharedInput::new(),
            hidden: Rows::default(),
            normed: Rows::default(),
            queries: Rows::default(),
            keys: Rows::default(),
            values: Rows::default(),
            attended: Rows::default(),
            gate: Rows::default(),
            up: Rows::default(),
            update: Rows::default(),
        }
    }
}

/// Cosines and sines of position · frequency: `[capacity, head_dim / 2]` each.
pub(super) fn rotary_tables(frequencies: &[f32], capacity: usize) -> (Vec<f32>, Vec<f32>) {
    let angles = (0..capacity).flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
    angles.map(|angle| (angle.cos(), angle.sin())).unzip()
}

impl CpuDecoder {
    /// A decoder with a cache of its own.
    ///
    /// # Panics
    /// If it is to keep hidden states of a layer that the model does not have.
    pub(super) fn new(model: &CpuModel, options: DecoderOptions) -> Self {
        let weights = Arc::clone(&model.weights);
        let config = &weights.config;
        let DecoderOptions { capacity, vocab_size, adapter, hidden_layers } = options;
        let num_layers = config.num_layers;
        assert!(
            hidden_layers.iter().all(|&layer| layer < num_layers),
            "hidden states are of {num_layers} layers"
        );
        let vocab_size = vocab_size.min(config.vocab_size);
        let cache = |_| LayerCache::new(config.num_kv_heads, capacity, config.head_dim);
        let loras = adapter.iter().flat_map(|adapter| &adapter.layers);
        let (cos, sin) = rotary_tables(&config.rope_frequencies, capacity);
        Self {
            head: Head::new(&model.head, capacity, vocab_size),
            loras: loras
                .map(|(place, lora)| (*place, Lora::new(lora, weights.layers[place.0].linear(place.1))))
                .collect(),
            caches: (0..config.num_layers).map(cache).collect(),
            cos,
            sin,
            capacity,
            vocab_size,
            len: 0,
            hidden_states: hidden_layers.iter().map(|&layer| (layer, vec![])).collect(),
            scratch: Scratch::default(),
            weights,
        }
    }

    /// Runs tokens through all blocks: the residual stream after the last is in `scratch.hidden`.
    fn run_layers(&mut self, tokens: &[u32]) {
        let weights = Arc::clone(&self.weights);
        self.scratch.hidden.resize(tokens.len(), weights.config.hidden_size);
        for (row, &token) in tokens.iter().enumerate() {
            weights.embedding.read_row(token as usize, self.scratch.hidden.row_mut(row));
        }
        for (index, layer) in weights.layers.iter().enumerate() {
            self.attention(index, layer);
            self.mlp(index, layer);
            for (_, states) in self.hidden_states.iter_mut().filter(|(wanted, _)| *wanted == index) {
                let hidden = &self.scratch.hidden;
                (0..tokens.len()).for_each(|row| states.extend_from_slice(hidden.row(row)));
            }
        }
        self.len += tokens.len();
    }

    /// hidden += o(attention(q, k, v of norm(hidden))).
    fn attention(&mut self, index: usize, layer: &Layer) {
        let Weights { config, backend, .. } = &*self.weights;
        let scratch = &mut self.scratch;
        let lora = |module: Module| self.loras.get(&(index, module));
        norm_rows(*backend, &scratch.hidden, &layer.attention_norm, config.rms_norm_eps, &mut scratch.normed);
        let layers = [Module::Query, Module::Key, Module::Value].map(|m| (layer.linear(m), lora(m)));
        let out = [&mut scratch.queries, &mut scratch.keys, &mut scratch.values];
        scratch.input.apply(*backend, &scratch.normed, layers, out);

        let half = config.head_dim / 2;
        let (query_norm, key_norm) =
            layer.head_norms.as_ref().map_or((None, None), |(q, k)| (Some(q), Some(k)));
        for row in 0..scratch.hidden.num_rows() {
            let position = self.len + row;
            let table = position * half..(position + 1) * half;
            let (cos, sin) = (&self.cos[table.clone()], &self.sin[table]);
            for (heads, norm) in
                [(scratch.queries.row_mut(row), query_norm), (scratch.keys.row_mut(row), key_norm)]
            {
                for head in heads.chunks_exact_mut(config.head_dim) {
                    if let Some(weight) = norm {
                        let x = head.to_vec();
                        let eps = config.rms_norm_eps as f32;
                        backend.run(RmsNorm { x: &x, weight, eps, out: head });
                    }
                    turn(head, cos, sin);
                }
            }
            self.caches[index].write(position, scratch.keys.row(row), scratch.values.row(row));
        }
        attend_rows(*backend, &self.caches[index], self.len, &scratch.queries, &mut scratch.attended);
        let layers = [(layer.linear(Module::Output), lora(Module::Output))];
        scratch.input.apply(*backend, &scratch.attended, layers, [&mut scratch.update]);
        add_rows(&mut scratch.hidden, &scratch.update);
    }

    /// hidden += down(silu(gate) · up), of norm(hidden).
    fn mlp(&mut self, index: usize, layer: &Layer) {
        let Weights { config, backend, .. } = &*self.weights;
        let scratch = &mut self.scratch;
        let lora = |module: Module| self.loras.get(&(index, module));
        norm_rows(*backend, &scratch.hidden, &layer.mlp_norm, config.rms_norm_eps, &mut scratch.normed);
        let layers = [Module::Gate, Module::Up].map(|m| (layer.linear(m), lora(m)));
        scratch.input.apply(*backend, &scratch.normed, layers, [&mut scratch.gate, &mut scratch.up]);
        let (stride, up) = (scratch.gate.stride, &scratch.up.data);
        let gate = Pieces::new(&mut scratch.gate.data);
        pool::for_each_range(gate.len() / stride, ROWS_AT_ONCE, |rows| {
            let part = rows.start * stride..rows.end * stride;
            // SAFETY: each row comes once.
            backend.run(GateRow { up: &up[part.clone()], gate: unsafe { gate.get(part) } });
        });
        let layers = [(layer.linear(Module::Down), lora(Module::Down))];
        scratch.input.apply(*backend, &scratch.gate, layers, [&mut scratch.update]);
        add_rows(&mut scratch.hidden, &scratch.update);
    }

    /// Logits of the residual stream's rows from `first` on.
    fn logits(&mut self, first: usize) -> Logits<'_> {
        let Weights { config, backend, norm, .. } = &*self.weights;
        let scratch = &mut self.scratch;
        let stride = scratch.hidden.stride;
        scratch.hidden.data.drain(..first * stride);
        norm_rows(*backend, &scratch.hidden, norm, config.rms_norm_eps, &mut scratch.normed);
        self.head.logits(*backend, &mut scratch.input, &scratch.normed)
    }
}

/// Norms each row. x, out: `[T, width]`.
pub(super) fn norm_rows(backend: Backend, x: &Rows, weight: &[f32], eps: f64, out: &mut Rows) {
    out.resize(x.num_rows(), x.width);
    for row in 0..x.num_rows() {
        backend.run(RmsNorm { x: x.row(row), weight, eps: eps as f32, out: out.row_mut(row) });
    }
}

pub(super) fn add_rows(to: &mut Rows, update: &Rows) {
    to.data.iter_mut().zip(&update.data).for_each(|(to, update)| *to += update);
}

impl Decoder for CpuDecoder {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn len(&self) -> usize {
        self.len
    }

    fn forward(&mut self, tokens: &[u32], rows: WantedRows) -> Result<Logits<'_>> {
        check_pass(tokens, self.weights.config.vocab_size, self.len, self.capacity)?;
        self.head.meet(tokens, self.len);
        self.hidden_states.iter_mut().for_each(|(_, states)| states.clear());
        let chunks = tokens.chunks(PROMPT_CHUNK);
        if rows == WantedRows::Last {
            chunks.for_each(|chunk| self.run_layers(chunk));
            return Ok(self.logits(self.scratch.hidden.num_rows() - 1));
        }
        if tokens.len() <= PROMPT_CHUNK {
            self.run_layers(tokens);
            return Ok(self.logits(0));
        }
        let mut data = Vec::with_capacity(tokens.len() * self.vocab_size);
        for chunk in chunks {
            self.run_layers(chunk);
            let logits = self.logits(0);
            (0..logits.num_rows()).for_each(|row| data.extend_from_slice(logits.row(row)));
        }
        Ok(Logits::new(data, self.vocab_size, self.vocab_size))
    }

    fn hidden_states(&self, layer: usize) -> Option<&[f32]> {
        self.hidden_states.iter().find(|(kept, _)| *kept == layer).map(|(_, states)| &states[..])
    }

    fn truncate(&mut self, len: usize) {
        assert!(len <= self.len, "cannot truncate {} positions to {len}", self.len);
        self.len = len;
        self.head.forget_from(len);
    }
}
