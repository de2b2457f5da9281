//! LoRA adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! An adapted layer computes y = W·x + s·B·(A·x), with A: [r, in], B: [out, r] and the scale s = α/r, or α/√r with
//! rsLoRA (Hu et al., "LoRA", 2021; Kalajdzievski, "A Rank Stabilization Scaling Factor", 2023). The base stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::Value;

use super::config::{ModelConfig, Module};
use super::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::record::AdapterRecord;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// The low-rank update of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraWeights {
    /// Rank r.
    pub rank: usize,
    /// Scale s of the update.
    pub scale: f32,
    /// A: `[rank, in]`, row-major.
    pub a: Vec<f32>,
    /// B: `[out, rank]`, row-major.
    pub b: Vec<f32>,
}

/// An adapter that fits a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// Updates by block and module.
    pub layers: BTreeMap<(usize, Module), LoraWeights>,
}

/// Reads a PEFT folder as it is, to be stored and then fitted to a model.
///
/// # Errors
/// If a file is missing, or not a LoRA adapter's.
pub fn read_peft_folder(folder: &Path) -> Result<AdapterRecord> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read(&path).map_err(|source| Error::Read { path, source })
    };
    let source = folder.display().to_string();
    let error = |problem: String| Error::Adapter { path: source.clone(), problem };
    let config_json =
        String::from_utf8(read(CONFIG)?).map_err(|_| error(format!("{CONFIG} is not UTF-8")))?;
    let config = PeftConfig::parse(&config_json).map_err(error)?;
    let weights = read(WEIGHTS)?;
    Ok(AdapterRecord {
        sha256: sha256_hex(&weights),
        rank: config.rank_pattern.values().copied().chain([config.r]).max().unwrap_or(config.r),
        alpha: config.lora_alpha,
        target_modules: config.module_names(),
        config_json,
        weights,
        source: folder.display().to_string(),
    })
}

impl Adapter {
    /// Fits a stored adapter to a model.
    ///
    /// # Errors
    /// If it is damaged, uses parts of PEFT that are not plain LoRA, or has a tensor that the model has no place for or
    /// whose shape does not fit.
    pub fn fit(record: &AdapterRecord, model: &ModelConfig) -> Result<Self> {
        let error = |problem: String| Error::Adapter { path: record.source.clone(), problem };
        let config = PeftConfig::parse(&record.config_json).map_err(error)?;
        let tensors = SafeTensors::deserialize(&record.weights)
            .map_err(|cause| error(format!("damaged or truncated {WEIGHTS}: {cause}")))?;
        let mut layers = BTreeMap::new();
        for (name, a) in tensors.iter() {
            let Some(stem) = name.strip_suffix(".lora_A.weight") else {
                if name.ends_with(".lora_B.weight") {
                    continue;
                }
                return Err(error(format!("tensor {name} is not part of a LoRA adapter")));
            };
            let place = place_of(stem, model).map_err(error)?;
            let b_name = format!("{stem}.lora_B.weight");
            let b = tensors.tensor(&b_name).map_err(|_| error(format!("tensor {b_name} is missing")))?;
            let rank = a.shape().first().copied().unwrap_or(0);
            let [out, inside] = place.1.shape(model);
            check_shape(name, &a, [rank, inside]).map_err(error)?;
            check_shape(&b_name, &b, [out, rank]).map_err(error)?;
            if rank == 0 {
                return Err(error(format!("tensor {name} has rank 0")));
            }
            let scale = config.scale(stem, rank);
            layers.insert(place, LoraWeights { rank, scale, a: floats(&a), b: floats(&b) });
        }
        if layers.is_empty() {
            return Err(error(format!("{WEIGHTS} holds no lora_A tensor")));
        }
        Ok(Self { layers })
    }
}

/// Block and module that a tensor belongs to.
fn place_of(stem: &str, model: &ModelConfig) -> std::result::Result<(usize, Module), String> {
    let not_here = || format!("tensor {stem}: the model has no such layer");
    let (_, path) = stem.split_once("layers.").ok_or_else(not_here)?;
    let (layer, path) = path.split_once('.').ok_or_else(not_here)?;
    let layer: usize = layer.parse().map_err(|_| not_here())?;
    let module = Module::ALL.into_iter().find(|module| module.path() == path).ok_or_else(not_here)?;
    if layer >= model.num_layers {
        return Err(format!("tensor {stem}: the model has {} layers", model.num_layers));
    }
    Ok((layer, module))
}

fn check_shape(name: &str, tensor: &TensorView, expected: [usize; 2]) -> std::result::Result<(), String> {
    let found = tensor.shape();
    if found != expected {
        return Err(format!(
            "tensor {name} has shape {found:?}, this model needs {expected:?} (was it trained for another model?)"
        ));
    }
    match tensor.dtype() {
        Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(()),
        other => Err(format!("tensor {name} is {other:?}; F32, F16 and BF16 are supported")),
    }
}

/// The values of a tensor of a checked type.
fn floats(tensor: &TensorView) -> Vec<f32> {
    let data: Cow<[u8]> = Cow::Borrowed(tensor.data());
    match tensor.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes")))
            .collect(),
        Dtype::F16 => halves(&data).map(|bits| half::f16::from_bits(bits).to_f32()).collect(),
        _ => halves(&data).map(|bits| half::bf16::from_bits(bits).to_f32()).collect(),
    }
}

fn halves(data: &[u8]) -> impl Iterator<Item = u16> {
    data.chunks_exact(2).map(|bytes| u16::from_le_bytes(bytes.try_into().expect("chunks of two bytes")))
}

/// What this engine reads of `adapter_config.json`.
#[derive(Debug, Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: u32,
    lora_alpha: f64,
    #[serde(default)]
    target_modules: Value,
    #[serde(default)]
    rank_pattern: BTreeMap<String, u32>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    fan_in_fan_out: bool,
    bias: Option<String>,
    modules_to_save: Option<Vec<String>>,
}

impl PeftConfig {
    fn parse(json: &str) -> std::result::Result<Self, String> {
        let config: Self = serde_json::from_str(json).map_err(|error| format!("{CONFIG}: {error}"))?;
        let refused = [
            (config.peft_type != "LORA", "peft_type is not LORA"),
            (config.use_dora, "DoRA is not supported"),
            (config.fan_in_fan_out, "fan_in_fan_out is not supported"),
            (config.bias.as_deref().is_some_and(|bias| bias != "none"), "trained biases are not supported"),
            (
                config.modules_to_save.as_ref().is_some_and(|modules| !modules.is_empty()),
                "modules_to_save is not supported",
            ),
            (config.r == 0, "r must be at least 1, got 0"),
        ];
        match refused.iter().find(|(refused, _)| *refused) {
            Some((_, problem)) => Err(format!("{CONFIG}: {problem}")),
            None => Ok(config),
        }
    }

    /// The module names, sorted, of a list or a single pattern.
    fn module_names(&self) -> Vec<String> {
        let mut names: Vec<String> = match &self.target_modules {
            Value::Array(names) => names.iter().filter_map(|n| n.as_str().map(str::to_owned)).collect(),
            Value::String(pattern) => vec![pattern.clone()],
            _ => vec![],
        };
        names.sort();
        names
    }

    /// s = α/r or α/√r, with the α that applies to a layer.
    fn scale(&self, stem: &str, rank: usize) -> f32 {
        let alpha = self.alpha_pattern.iter().find(|(pattern, _)| pattern_matches(pattern, stem));
        let alpha = alpha.map_or(self.lora_alpha, |(_, alpha)| *alpha);
        let rank = rank as f64;
        (alpha / if self.use_rslora { rank.sqrt() } else { rank }) as f32
    }
}

/// Whether a PEFT pattern, a regular expression for the end of a layer's path, applies to a layer.
fn pattern_matches(pattern: &str, stem: &str) -> bool {
    Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$")).is_ok_and(|regex| regex.is_match(stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(extra: &str) -> std::result::Result<PeftConfig, String> {
        PeftConfig::parse(&format!(r#"{{"peft_type": "LORA", "r": 4, "lora_alpha": 8{extra}}}"#))
    }

    #[test]
    fn the_scale_follows_rank_alpha_and_rslora() {
        let stem = "base_model.model.model.layers.3.self_attn.q_proj";
        assert_eq!(config("").unwrap().scale(stem, 4), 2.0);
        assert_eq!(config(r#", "use_rslora": true"#).unwrap().scale(stem, 4), 4.0);
        let patterned = config(r#", "alpha_pattern": {"layers.3.self_attn.q_proj": 2}"#).unwrap();
        assert_eq!(patterned.scale(stem, 4), 0.5);
        assert_eq!(patterned.scale("base_model.model.model.layers.13.self_attn.k_proj", 4), 2.0);
    }

    #[test]
    fn what_is_not_plain_lora_is_refused() {
        for (extra, problem) in [
            (r#", "use_dora": true"#, "DoRA"),
            (r#", "bias": "all""#, "biases"),
            (r#", "modules_to_save": ["lm_head"]"#, "modules_to_save"),
        ] {
            assert!(config(extra).unwrap_err().contains(problem));
        }
        assert!(PeftConfig::parse(r#"{"peft_type": "IA3", "r": 1, "lora_alpha": 1}"#).is_err());
    }
}
