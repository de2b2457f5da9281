//! Hugging Face folders: `config.json`, safetensors (sharded or not), `tokenizer.json` and its companions.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::bytes::Bytes;
use super::{RawTensor, check_shape};
use crate::engine::config::{Family, ModelConfig, RopeScaling};
use crate::engine::error::{Error, Result};
use crate::engine::tokenizer::Tokenizer;

const WEIGHTS: &str = "model.safetensors";
const WEIGHTS_INDEX: &str = "model.safetensors.index.json";
const CONFIG: &str = "config.json";
const GENERATION_CONFIG: &str = "generation_config.json";
const TEMPLATE: &str = "chat_template.jinja";
/// Files beside the weights that shape a model's output.
const COMPANIONS: [&str; 5] =
    [CONFIG, "tokenizer.json", "tokenizer_config.json", GENERATION_CONFIG, TEMPLATE];

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
    map: Bytes,
    data_start: usize,
}

#[derive(Debug)]
struct Place {
    shard: usize,
    dtype: Dtype,
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
        let map = Bytes::map(path)?;
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
            let place =
                Place { shard, dtype: info.dtype, shape: info.shape.clone(), range: info.data_offsets };
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

    pub(super) fn release(&self) {
        self.shards.iter().for_each(|shard| shard.map.release());
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn tensor_sizes(&self) -> Vec<(GgmlDType, u64)> {
        let size = |place: &Place| Some((dtype(place.dtype)?, place.shape.iter().product::<usize>() as u64));
        self.tensors.values().filter_map(size).collect()
    }

    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<RawTensor<'_>> {
        let error = |problem| Error::model(&self.path, problem);
        let place = self.tensors.get(name).ok_or_else(|| error(format!("tensor {name} is missing")))?;
        let dtype = dtype(place.dtype).ok_or_else(|| {
            error(format!("tensor {name} is {:?}; F32, F16 and BF16 are supported", place.dtype))
        })?;
        check_shape(name, &place.shape, shape).map_err(error)?;
        let shard = &self.shards[place.shard];
        let data = &shard.map[shard.data_start + place.range.0..shard.data_start + place.range.1];
        Ok(RawTensor { dtype, shape: place.shape.clone(), data: Cow::Borrowed(data) })
    }

    pub(super) fn config(&self) -> Result<ModelConfig> {
        let config: Config = self.read_json(CONFIG)?;
        let config = config.model_config(self.contains("lm_head.weight"));
        config.map_err(|problem| Error::model(&self.path.join(CONFIG), problem))
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.path.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let tokenizer_config = self.read_optional_json("tokenizer_config.json")?;
        let generation_config = self.read_optional_json(GENERATION_CONFIG)?;
        let config: Value = self.read_json(CONFIG)?;
        let template_file = match self.path.join(TEMPLATE).is_file() {
            true => Some(self.read_text(TEMPLATE)?),
            false => None,
        };
        // generation_config.json is what generation obeys; config.json stands in where it says nothing.
        let stop_ids = match self.stop_ids(GENERATION_CONFIG, &generation_config)? {
            ids if ids.is_empty() => self.stop_ids(CONFIG, &config)?,
            ids => ids,
        };
        Tokenizer::from_hugging_face(&bytes, &tokenizer_config, template_file, stop_ids)
            .map_err(|problem| Error::model(&path, problem))
    }

    /// The ids that end a generation, by a config file's `eos_token_id`.
    fn stop_ids(&self, file: &str, config: &Value) -> Result<Vec<u32>> {
        let value = &config["eos_token_id"];
        token_ids(value).ok_or_else(|| {
            Error::model(
                &self.path.join(file),
                format!("eos_token_id must be a token id or a list of them, got {value}"),
            )
        })
    }

    fn read_text(&self, name: &str) -> Result<String> {
        let path = self.path.join(name);
        let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        String::from_utf8(bytes).map_err(|_| Error::model(&path, "not UTF-8"))
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text = self.read_text(name)?;
        serde_json::from_str(&text).map_err(|error| Error::model(&self.path.join(name), error.to_string()))
    }

    fn read_optional_json(&self, name: &str) -> Result<Value> {
        if self.path.join(name).is_file() { self.read_json(name) } else { Ok(Value::Null) }
    }
}

/// One id, a list of them, or none where there is nothing; `None` for anything else.
fn token_ids(value: &Value) -> Option<Vec<u32>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Value::Null => Some(vec![]),
        Value::Array(ids) => ids.iter().map(id).collect(),
        one => Some(vec![id(one)?]),
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
    tie_word_embeddings: Option<bool>,
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
    fn model_config(&self, has_head: bool) -> std::result::Result<ModelConfig, String> {
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
            is_head_tied: self.tie_word_embeddings.unwrap_or(!has_head),
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
        scaling.frequencies(theta, head_dim)
    }
}
