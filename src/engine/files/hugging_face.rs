//! Hugging Face folders: `config.json`, safetensors (sharded or not), `tokenizer.json` and its companions.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use memmap2::Mmap;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::{RawTensor, map};
use crate::engine::config::{Family, ModelConfig, RopeScaling};
use crate::engine::error::{Error, Result};
use crate::engine::tokenizer::Tokenizer;

const WEIGHTS: &str = "model.safetensors";
const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
const CONFIG: &str = "config.json";
/// Files beside the weights that shape a model's output.
const COMPANIONS: [&str; 5] =
    [CONFIG, "tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"];

#[derive(Debug)]
pub(super) struct HuggingFaceFolder {
    path: PathBuf,
    shards: Vec<Shard>,
    /// Where each tensor lies, by name.
    tensors: BTreeMap<String, Place>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    map: Mmap,
    data_start: usize,
}

#[derive(Debug)]
struct Place {
    shard: usize,
    dtype: GgmlDType,
    shape: Vec<usize>,
    /// Bytes within the shard's data.
    range: (usize, usize),
}

impl HuggingFaceFolder {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut folder = Self { path: path.to_owned(), shards: vec![], tensors: BTreeMap::new() };
        for file in folder.weight_files()? {
            folder.add_shard(&file)?;
        }
        Ok(folder)
    }

    fn weight_files(&self) -> Result<Vec<PathBuf>> {
        let single = self.path.join(WEIGHTS);
        if single.is_file() {
            return Ok(vec![single]);
        }
        if !self.path.join(WEIGHTS_INDEX).is_file() {
            let problem =
                format!("no {WEIGHTS} and no {WEIGHTS_INDEX} (a Hugging Face folder has one of them)");
            return Err(Error::model(&self.path, problem));
        }
        #[derive(Deserialize)]
        struct Index {
            weight_map: BTreeMap<String, String>,
        }
        let index: Index = self.read_json(WEIGHTS_INDEX)?;
        let files: BTreeSet<&String> = index.weight_map.values().collect();
        Ok(files.into_iter().map(|file| self.path.join(file)).collect())
    }

    fn add_shard(&mut self, path: &Path) -> Result<()> {
        let map = map(path)?;
        let damaged = |error| {
            Error::model(
                path,
                format!("damaged or truncated safetensors file: {error} (fetch the file again)"),
            )
        };
        // The whole file is checked, so that a truncated one is refused before a weight is read.
        SafeTensors::deserialize(&map).map_err(damaged)?;
        let (header_len, metadata): (usize, Metadata) = SafeTensors::read_metadata(&map).map_err(damaged)?;
        let shard = self.shards.len();
        for (name, info) in metadata.tensors() {
            let Some(dtype) = dtype(info.dtype) else {
                continue;
            };
            let place = Place { shard, dtype, shape: info.shape.clone(), range: info.data_offsets };
            self.tensors.insert(name, place);
        }
        // Eight bytes hold the header's length.
        self.shards.push(Shard { path: path.to_owned(), map, data_start: header_len + 8 });
        Ok(())
    }

    pub(super) fn file_paths(&self) -> Vec<PathBuf> {
        let companions = COMPANIONS.iter().map(|name| self.path.join(name)).filter(|path| path.is_file());
        self.shards.iter().map(|shard| shard.path.clone()).chain(companions).collect()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn tensor_sizes(&self) -> Vec<(GgmlDType, u64)> {
        let size = |place: &Place| (place.dtype, place.shape.iter().product::<usize>() as u64);
        self.tensors.values().map(size).collect()
    }

    pub(super) fn tensor(&self, name: &str) -> Result<RawTensor<'_>> {
        let missing =
            || Error::model(&self.path, format!("tensor {name} is missing, or not F32, F16 or BF16"));
        let place = self.tensors.get(name).ok_or_else(missing)?;
        let shard = &self.shards[place.shard];
        let data = &shard.map[shard.data_start + place.range.0..shard.data_start + place.range.1];
        Ok(RawTensor { dtype: place.dtype, shape: place.shape.clone(), data: Cow::Borrowed(data) })
    }

    pub(super) fn config(&self) -> Result<ModelConfig> {
        let config: Config = self.read_json(CONFIG)?;
        config.model_config().map_err(|problem| Error::model(&self.path.join(CONFIG), problem))
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.path.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let tokenizer_config = self.read_optional_json("tokenizer_config.json")?;
        let generation_config = self.read_optional_json("generation_config.json")?;
        let config: Value = self.read_json(CONFIG)?;
        let template_file = std::fs::read_to_string(self.path.join("chat_template.jinja")).ok();
        let stop_ids = [&generation_config["eos_token_id"], &config["eos_token_id"]];
        // generation_config.json is what generation obeys; config.json stands in where it says nothing.
        let stop_ids = stop_ids.into_iter().map(token_ids).find(|ids| !ids.is_empty()).unwrap_or_default();
        Tokenizer::from_hugging_face(&bytes, &tokenizer_config, template_file, stop_ids)
            .map_err(|problem| Error::model(&path, problem))
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.path.join(name);
        let text =
            std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        serde_json::from_str(&text).map_err(|error| Error::model(&path, error.to_string()))
    }

    fn read_optional_json(&self, name: &str) -> Result<Value> {
        if self.path.join(name).is_file() { self.read_json(name) } else { Ok(Value::Null) }
    }
}

/// One id, or a list of them.
fn token_ids(value: &Value) -> Vec<u32> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Value::Array(ids) => ids.iter().filter_map(id).collect(),
        one => id(one).into_iter().collect(),
    }
}

fn dtype(dtype: Dtype) -> Option<GgmlDType> {
    match dtype {
        Dtype::F32 => Some(GgmlDType::F32),
        Dtype::F16 => Some(GgmlDType::F16),
        Dtype::BF16 => Some(GgmlDType::BF16),
        _ => None,
    }
}

/// What this engine reads of `config.json`.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    num_hidden_layers: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "default_rms_norm_eps")]
    rms_norm_eps: f64,
    #[serde(default = "default_hidden_act")]
    hidden_act: String,
    rope_theta: Option<f32>,
    rope_scaling: Option<RopeParameters>,
    /// Newer spelling of `rope_theta` and `rope_scaling` together.
    rope_parameters: Option<RopeParameters>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct RopeParameters {
    rope_theta: Option<f32>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

fn default_hidden_act() -> String {
    "silu".to_owned()
}

impl Config {
    fn model_config(&self) -> std::result::Result<ModelConfig, String> {
        let family = match self.model_type.as_str() {
            "llama" | "mistral" => Family::Llama,
            "qwen2" => Family::Qwen2,
            "qwen3" => Family::Qwen3,
            other => {
                let known = "llama, mistral, qwen2 and qwen3 are";
                return Err(format!("model_type {other} is not supported ({known})"));
            }
        };
        if self.hidden_act != "silu" {
            return Err(format!("hidden_act {} is not supported (silu is)", self.hidden_act));
        }
        let head_dim = match self.head_dim {
            Some(head_dim) => head_dim,
            None => self.hidden_size.checked_div(self.num_attention_heads).unwrap_or(0),
        };
        let window = self.sliding_window.filter(|_| self.use_sliding_window != Some(false));
        Ok(ModelConfig {
            family,
            num_layers: self.num_hidden_layers,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_heads: self.num_attention_heads,
            num_kv_heads: self.num_key_value_heads.unwrap_or(self.num_attention_heads),
            head_dim,
            vocab_size: self.vocab_size,
            context_length: self.max_position_embeddings.min(window.unwrap_or(usize::MAX)),
            rms_norm_eps: self.rms_norm_eps,
            rope_frequencies: self.rope_frequencies(head_dim)?,
        })
    }

    fn rope_frequencies(&self, head_dim: usize) -> std::result::Result<Vec<f32>, String> {
        let parameters =
            self.rope_parameters.clone().or_else(|| self.rope_scaling.clone()).unwrap_or_default();
        let theta = parameters.rope_theta.or(self.rope_theta).unwrap_or(10_000.0);
        let required =
            |name: &str, value: Option<f64>| value.ok_or_else(|| format!("rotary scaling needs {name}"));
        let scaling = match parameters.rope_type.as_deref() {
            None | Some("default") => RopeScaling::None,
            Some("linear") => RopeScaling::Linear { factor: required("factor", parameters.factor)? },
            Some("llama3") => RopeScaling::Llama3 {
                factor: required("factor", parameters.factor)?,
                low_freq_factor: required("low_freq_factor", parameters.low_freq_factor)?,
                high_freq_factor: required("high_freq_factor", parameters.high_freq_factor)?,
                original_context: required(
                    "original_max_position_embeddings",
                    parameters.original_max_position_embeddings,
                )?,
            },
            Some(other) => {
                return Err(format!(
                    "rotary scaling {other} is not supported (default, linear and llama3 are)"
                ));
            }
        };
        Ok(scaling.frequencies(theta, head_dim))
    }
}
