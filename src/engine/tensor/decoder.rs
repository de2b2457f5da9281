//! The decoder-only transformer of the Llama, Qwen2 and Qwen3 families.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::attention::attend;
use super::kv_cache::LayerCache;
use super::linear::{Linear, Lora, Matrix, RmsNorm, dense_tensor};
use super::rope::Rope;
use crate::engine::config::{Family, ModelConfig, Module};
use crate::engine::decoder::{Decoder, DecoderOptions, Logits, Rows, check_pass};
use crate::engine::error::{Error, Result};
use crate::engine::files::ModelFiles;

/// Positions of a long prompt that are computed in one pass: bounds the memory of attention scores.
const PROMPT_CHUNK: usize = 256;

/// A model's weights, to be shared by any number of decoders.
#[derive(Debug, Clone)]
pub struct TensorModel {
    weights: Arc<Weights>,
}

#[derive(Debug)]
struct Weights {
    config: ModelConfig,
    device: Device,
    embedding: Matrix,
    layers: Vec<Layer>,
    norm: RmsNorm,
    head: Linear,
}

#[derive(Debug)]
struct Layer {
    attention_norm: RmsNorm,
    mlp_norm: RmsNorm,
    /// Norms of each head's query and key, in Qwen3.
    head_norms: Option<(RmsNorm, RmsNorm)>,
    linears: HashMap<Module, Linear>,
}

impl TensorModel {
    /// Loads the weights onto the CPU; `on_layer` is told of each block that is done, out of all.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than the configuration says. An output head that is not tied to the
    /// embedding must be there; one that is tied is not read, even if the files hold one.
    pub fn load(files: &ModelFiles, mut on_layer: impl FnMut(usize, usize)) -> Result<Self> {
        let config = files.config().clone();
        let loader = Loader { files, config: &config, device: Device::Cpu };
        let table = [config.vocab_size, config.hidden_size];
        let embedding = loader.matrix("model.embed_tokens.weight", &table)?;
        let head = match config.is_head_tied {
            true => embedding.clone(),
            false => loader.matrix("lm_head.weight", &table)?,
        };
        let norm = loader.norm("model.norm.weight", config.hidden_size)?;
        let layers = (0..config.num_layers).map(|index| {
            let layer = loader.layer(index);
            on_layer(index + 1, config.num_layers);
            layer
        });
        let layers = layers.collect::<Result<_>>()?;
        let (device, head) = (loader.device, Linear::new(head, None));
        Ok(Self { weights: Arc::new(Weights { config, device, embedding, layers, norm, head }) })
    }

    /// A decoder with a cache of its own. Without the memory for it the process ends, as candle's allocations do.
    ///
    /// # Errors
    /// If candle fails to make the tables and the cache.
    pub fn decoder(&self, options: DecoderOptions) -> Result<TensorDecoder> {
        let Weights { config, device, .. } = &*self.weights;
        let DecoderOptions { capacity, vocab_size, adapter, hidden_layers } = options;
        let cache = |_| LayerCache::new(config.num_kv_heads, capacity, config.head_dim, device);
        let mut loras = HashMap::new();
        for (place, weights) in adapter.iter().flat_map(|adapter| &adapter.layers) {
            loras.insert(*place, Lora::new(weights, device)?);
        }
        Ok(TensorDecoder {
            rope: Rope::new(&config.rope_frequencies, capacity, device)?,
            caches: (0..config.num_layers).map(cache).collect::<candle_core::Result<_>>()?,
            loras,
            capacity,
            vocab_size: vocab_size.min(config.vocab_size),
            len: 0,
            hidden_states: hidden_layers.iter().map(|&layer| (layer, vec![])).collect(),
            weights: Arc::clone(&self.weights),
        })
    }

    /// The decoder's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.weights.config
    }
}

/// Reads the parts of a model from its files.
struct Loader<'a> {
    files: &'a ModelFiles,
    config: &'a ModelConfig,
    device: Device,
}

impl Loader<'_> {
    fn matrix(&self, name: &str, shape: &[usize]) -> Result<Matrix> {
        Ok(Matrix::load(self.files.tensor(name, shape)?, &self.device)?)
    }

    fn vector(&self, name: &str, len: usize) -> Result<Tensor> {
        let raw = self.files.tensor(name, &[len])?;
        if raw.dtype.block_size() > 1 {
            let problem = format!("tensor {name} is quantised, a vector was expected");
            return Err(Error::model(self.files.path(), problem));
        }
        Ok(dense_tensor(&raw, &self.device)?)
    }

    fn norm(&self, name: &str, len: usize) -> Result<RmsNorm> {
        Ok(RmsNorm::new(self.vector(name, len)?, self.config.rms_norm_eps))
    }

    fn layer(&self, index: usize) -> Result<Layer> {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let head_norm = |part: &str| self.norm(&name(part), self.config.head_dim);
        let linear = |module: Module| -> Result<Linear> {
            let shape = module.shape(self.config);
            let weight = self.matrix(&name(&format!("{}.weight", module.path())), &shape)?;
            let bias_name = name(&format!("{}.bias", module.path()));
            let bias = match self.files.contains(&bias_name) {
                true => Some(self.vector(&bias_name, shape[0])?),
                false => None,
            };
            Ok(Linear::new(weight, bias))
        };
        let hidden_size = self.config.hidden_size;
        Ok(Layer {
            attention_norm: self.norm(&name("input_layernorm.weight"), hidden_size)?,
            mlp_norm: self.norm(&name("post_attention_layernorm.weight"), hidden_size)?,
            head_norms: match self.config.family {
                Family::Qwen3 => {
                    Some((head_norm("self_attn.q_norm.weight")?, head_norm("self_attn.k_norm.weight")?))
                }
                Family::Llama | Family::Qwen2 => None,
            },
            linears: Module::ALL
                .into_iter()
                .map(|module| Ok((module, linear(module)?)))
                .collect::<Result<_>>()?,
        })
    }
}

/// A [`TensorModel`] at work on one sequence.
#[derive(Debug)]
pub struct TensorDecoder {
    weights: Arc<Weights>,
    loras: HashMap<(usize, Module), Lora>,
    rope: Rope,
    caches: Vec<LayerCache>,
    capacity: usize,
    vocab_size: usize,
    len: usize,
    /// Layers whose hidden states are handed out, with those of the last pass: `[T, hidden]`.
    hidden_states: Vec<(usize, Vec<f32>)>,
}

impl TensorDecoder {
    /// Runs tokens through all blocks and appends them to the cache. tokens: `[T]` -> `[T, hidden]`, f32; the
    /// graph is not kept.
    fn run_layers(&mut self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        let weights = Arc::clone(&self.weights);
        let ids = Tensor::from_slice(tokens, tokens.len(), &weights.device)?;
        let mut x = weights.embedding.rows(&ids)?;
        for (index, layer) in weights.layers.iter().enumerate() {
            let attended = self.attention(index, layer, &layer.attention_norm.forward(&x)?)?;
            x = (x + attended)?;
            let updated = self.mlp(index, layer, &layer.mlp_norm.forward(&x)?)?;
            x = (x + updated)?;
            for (_, states) in self.hidden_states.iter_mut().filter(|(wanted, _)| *wanted == index) {
                states.extend(x.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        self.len += tokens.len();
        Ok(x)
    }

    fn linear(&self, index: usize, layer: &Layer, module: Module, x: &Tensor) -> candle_core::Result<Tensor> {
        layer.linears[&module].forward(x, self.loras.get(&(index, module)))
    }

    /// x: `[T, hidden]`, f32, normed -> the same; the graph is not kept.
    fn attention(&self, index: usize, layer: &Layer, x: &Tensor) -> candle_core::Result<Tensor> {
        let ModelConfig { num_heads, num_kv_heads, head_dim, .. } = self.weights.config;
        let num_positions = x.dim(0)?;
        // (T, heads · D) -> (heads, T, D)
        let heads = |module: Module, count: usize| -> candle_core::Result<Tensor> {
            let projected = self.linear(index, layer, module, x)?;
            projected.reshape((num_positions, count, head_dim))?.transpose(0, 1)?.contiguous()
        };
        let mut queries = heads(Module::Query, num_heads)?;
        let mut keys = heads(Module::Key, num_kv_heads)?;
        let values = heads(Module::Value, num_kv_heads)?;
        if let Some((query_norm, key_norm)) = &layer.head_norms {
            queries = query_norm.forward(&queries)?;
            keys = key_norm.forward(&keys)?;
        }
        let queries = self.rope.turn(&queries, self.len)?;
        let keys = self.rope.turn(&keys, self.len)?;
        self.caches[index].write(self.len, &keys, &values)?;
        let attended = attend(&queries, &self.caches[index], self.len)?;
        self.linear(index, layer, Module::Output, &attended)
    }

    /// SwiGLU: down(silu(gate(x)) · up(x)). x: `[T, hidden]`, f32, normed -> the same; the graph is not kept.
    fn mlp(&self, index: usize, layer: &Layer, x: &Tensor) -> candle_core::Result<Tensor> {
        let gate = self.linear(index, layer, Module::Gate, x)?.silu()?;
        let up = self.linear(index, layer, Module::Up, x)?;
        self.linear(index, layer, Module::Down, &(gate * up)?)
    }

    /// x: `[T, hidden]`, f32 -> logits of its rows, `[T, vocab]`, row-major; the graph is not kept.
    fn logits(&self, x: &Tensor) -> candle_core::Result<Vec<f32>> {
        let normed = self.weights.norm.forward(x)?;
        self.weights.head.forward(&normed, None)?.flatten_all()?.to_vec1()
    }
}

impl Decoder for TensorDecoder {
    fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn len(&self) -> usize {
        self.len
    }

    fn forward(&mut self, tokens: &[u32], rows: Rows) -> Result<Logits<'_>> {
        check_pass(tokens, self.weights.config.vocab_size, self.len, self.capacity)?;
        self.hidden_states.iter_mut().for_each(|(_, states)| states.clear());
        let mut data = Vec::new();
        let mut chunks = tokens.chunks(PROMPT_CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            let x = self.run_layers(chunk)?;
            match rows {
                Rows::All => data.extend(self.logits(&x)?),
                Rows::Last if chunks.peek().is_none() => {
                    data = self.logits(&x.narrow(0, chunk.len() - 1, 1)?)?
                }
                Rows::Last => {}
            }
        }
        Ok(Logits::new(data, self.weights.config.vocab_size, self.vocab_size))
    }

    fn hidden_states(&self, layer: usize) -> Option<&[f32]> {
        self.hidden_states.iter().find(|(kept, _)| *kept == layer).map(|(_, states)| &states[..])
    }

    fn truncate(&mut self, len: usize) {
        assert!(len <= self.len, "cannot truncate {} positions to {len}", self.len);
        self.len = len;
    }
}
