//! The weights of a model in tiles, read from its files.

use std::sync::Arc;

use candle_core::quantized::GgmlDType;

use super::decoder::CpuDecoder;
use super::head::HeadWeights;
use super::linear::Linear;
use super::rows::{converted, requantized_type};
use super::simd::Backend;
use super::tiles::Tiles;
use crate::engine::config::{Family, ModelConfig, Module};
use crate::engine::decoder::DecoderOptions;
use crate::engine::error::{Error, Result};
use crate::engine::files::ModelFiles;
use crate::record::Quantization;

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions<'a> {
    /// What its kernels run on.
    pub backend: Backend,
    /// Type that larger weights are rounded to; as they are in the files if absent. The embedding stays as it is.
    pub quantization: Option<Quantization>,
    /// Tokens whose rows the head keeps, each once; those of the text at hand are added as they come. All if absent.
    pub vocabulary: Option<&'a [u32]>,
}

impl LoadOptions<'_> {
    /// The model as its files have it, on the fastest backend.
    pub fn detect() -> Self {
        Self { backend: Backend::detect(), quantization: None, vocabulary: None }
    }

    fn dtype(&self, tiles: &Tiles) -> GgmlDType {
        match self.quantization {
            Some(Quantization::Q4_0) => requantized_type(tiles),
            None => tiles.dtype(),
        }
    }
}

/// A model's weights, to be shared by any number of decoders.
#[derive(Debug, Clone)]
pub struct CpuModel {
    pub(super) weights: Arc<Weights>,
    pub(super) head: Arc<HeadWeights>,
}

/// All but the head.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) config: ModelConfig,
    pub(super) backend: Backend,
    pub(super) embedding: Arc<Tiles>,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) attention_norm: Vec<f32>,
    pub(super) mlp_norm: Vec<f32>,
    /// Norms of each head's query and key, in Qwen3.
    pub(super) head_norms: Option<(Vec<f32>, Vec<f32>)>,
    /// In the order of [`Module::ALL`].
    linears: [Linear; 7],
}

impl Layer {
    pub(super) fn linear(&self, module: Module) -> &Linear {
        &self.linears[module as usize]
    }
}

impl CpuModel {
    /// Packs the weights; `on_layer` is told of each block that is done, out of all.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than the configuration says, or the vocabulary is not one (see
    /// [`Self::with_vocabulary`]).
    pub fn load(
        files: &ModelFiles,
        options: LoadOptions,
        mut on_layer: impl FnMut(usize, usize),
    ) -> Result<Self> {
        let config = files.config().clone();
        let loader = Loader { files, config: &config, options };
        let table = [config.vocab_size, config.hidden_size];
        let embedding = Arc::new(loader.tiles("model.embed_tokens.weight", table)?);
        let head = match config.is_head_tied {
            true => Arc::clone(&embedding),
            false => Arc::new(loader.tiles("lm_head.weight", table)?),
        };
        let norm = loader.vector("model.norm.weight", config.hidden_size)?;
        let layers = (0..config.num_layers).map(|index| {
            let layer = loader.layer(index);
            // What was packed is not needed a second time in memory.
            files.release();
            on_layer(index + 1, config.num_layers);
            layer
        });
        let layers = layers.collect::<Result<_>>()?;
        let dtype = options.dtype(&head);
        let head = match options.vocabulary {
            Some(tokens) => HeadWeights::part(&head, tokens, dtype)?,
            None => HeadWeights::whole(&head, dtype),
        };
        let weights = Weights { config, backend: options.backend, embedding, layers, norm };
        Ok(Self { weights: Arc::new(weights), head: Arc::new(head) })
    }

    /// The same model with the head's rows of these tokens alone.
    ///
    /// # Errors
    /// If there are none, one comes twice, or one has no row.
    pub fn with_vocabulary(&self, tokens: &[u32]) -> Result<Self> {
        Ok(Self { weights: Arc::clone(&self.weights), head: Arc::new(self.head.with_vocabulary(tokens)?) })
    }

    /// A decoder with a cache of its own.
    pub fn decoder(&self, options: DecoderOptions) -> CpuDecoder {
        CpuDecoder::new(self, options)
    }

    /// The decoder's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.weights.config
    }

    /// Bytes of weights that one step reads.
    pub fn step_bytes(&self) -> usize {
        let linears = self.weights.layers.iter().flat_map(|layer| &layer.linears);
        linears.map(|linear| linear.tiles.size_bytes()).sum::<usize>() + self.head.size_bytes()
    }
}

/// Reads the parts of a model from its files.
struct Loader<'a> {
    files: &'a ModelFiles,
    config: &'a ModelConfig,
    options: LoadOptions<'a>,
}

impl Loader<'_> {
    fn tiles(&self, name: &str, shape: [usize; 2]) -> Result<Tiles> {
        let raw = self.files.tensor(name, &shape)?;
        let tiles = Tiles::pack(raw.dtype, shape[0], shape[1], &raw.data);
        Ok(tiles)
    }

    fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>> {
        let raw = self.files.tensor(name, &[len])?;
        if raw.dtype.block_size() > 1 {
            let problem = format!("tensor {name} is quantised, a vector was expected");
            return Err(Error::model(self.files.path(), problem));
        }
        // One column, read back row by row.
        let column = Tiles::pack(raw.dtype, len, 1, &raw.data);
        let mut vector = vec![0.0; len];
        vector
            .iter_mut()
            .enumerate()
            .for_each(|(row, value)| column.read_row(row, std::slice::from_mut(value)));
        Ok(vector)
    }

    fn layer(&self, index: usize) -> Result<Layer> {
        let name = |part: &str| format!("model.layers.{index}.{part}");
        let linear = |module: Module| -> Result<Linear> {
            let shape = module.shape(self.config);
            let mut tiles = self.tiles(&name(&format!("{}.weight", module.path())), shape)?;
            let dtype = self.options.dtype(&tiles);
            if dtype != tiles.dtype() {
                tiles = converted(&tiles, dtype);
            }
            let bias_name = name(&format!("{}.bias", module.path()));
            let bias = match self.files.contains(&bias_name) {
                true => Some(self.vector(&bias_name, shape[0])?),
                false => None,
            };
            Ok(Linear { tiles: Arc::new(tiles), bias })
        };
        let (hidden_size, head_dim) = (self.config.hidden_size, self.config.head_dim);
        let linears: Vec<Linear> = Module::ALL.into_iter().map(linear).collect::<Result<_>>()?;
        Ok(Layer {
            attention_norm: self.vector(&name("input_layernorm.weight"), hidden_size)?,
            mlp_norm: self.vector(&name("post_attention_layernorm.weight"), hidden_size)?,
            head_norms: match self.config.family {
                Family::Qwen3 => Some((
                    self.vector(&name("self_attn.q_norm.weight"), head_dim)?,
                    self.vector(&name("self_attn.k_norm.weight"), head_dim)?,
                )),
                Family::Llama | Family::Qwen2 => None,
            },
            linears: linears.try_into().expect("there is a layer for each module"),
        })
    }
}
