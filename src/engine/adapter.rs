//! LoRA adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! An adapted layer computes y = W·x + s·B·(A·x), with A: [r, in], B: [out, r] and the scale s = α/r, or α/√r with
//! rsLoRA (Hu et al., "LoRA", 2021; Kalajdzievski, "A Rank Stabilization Scaling Factor", 2023). The base stays as it is.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::{ModelConfig, Module};
use super::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::record::AdapterRecord;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
const LORA_A: &str = ".lora_A.weight";
const LORA_B: &str = ".lora_B.weight";
/// What PEFT puts before a layer's path in the base model.
const PREFIX: &str = "base_model.model.";
/// What stands before the number of a block in that path.
const BLOCKS: &str = "model.layers.";

/// The largest rank that is taken for real.
const MAX_RANK: usize = 1 << 16;

/// Keys of `adapter_config.json` that make a layer compute something else than plain LoRA, unless they are null, false
/// or empty.
const UNSUPPORTED: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
];
/// Values of `init_lora_weights` under which the base keeps its weights; others (pissa, olora, corda, loftq) begin by
/// changing them, and an adapter saved so is wrong beside the original base.
const PLAIN_INITS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

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
        rank: config.largest_rank(),
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
    /// If it is damaged, uses parts of PEFT that are not plain LoRA, or has a tensor that the model has no place for, whose
    /// shape does not fit, or whose counterpart is missing.
    pub fn fit(record: &AdapterRecord, model: &ModelConfig) -> Result<Self> {
        let error = |problem: String| Error::Adapter { path: record.source.clone(), problem };
        let config = PeftConfig::parse(&record.config_json).map_err(error)?;
        let tensors = SafeTensors::deserialize(&record.weights)
            .map_err(|cause| error(format!("damaged or truncated {WEIGHTS}: {cause}")))?;
        let mut layers = BTreeMap::new();
        for name in tensors.names() {
            let stem = stem_of(name, &tensors).map_err(error)?;
            if name.ends_with(LORA_B) {
                continue;
            }
            let place = place_of(stem, model).map_err(error)?;
            let weights = read_lora(stem, place.1.shape(model), &tensors, &config).map_err(error)?;
            if layers.insert(place, weights).is_some() {
                return Err(error(format!("tensor {name}: another tensor has the same place in the model")));
            }
        }
        if layers.is_empty() {
            return Err(error(format!("{WEIGHTS} holds no lora_A tensor")));
        }
        Ok(Self { layers })
    }
}

/// The path of the layer that a tensor adapts; A and B must both be there.
fn stem_of<'a>(name: &'a str, tensors: &SafeTensors) -> std::result::Result<&'a str, String> {
    let (stem, other) = match (name.strip_suffix(LORA_A), name.strip_suffix(LORA_B)) {
        (Some(stem), _) => (stem, LORA_B),
        (None, Some(stem)) => (stem, LORA_A),
        (None, None) => return Err(format!("tensor {name} is not part of a LoRA adapter")),
    };
    match tensors.tensor(&format!("{stem}{other}")) {
        Ok(_) => Ok(stem),
        Err(_) => Err(format!("tensor {stem}{other} is missing, {name} needs it")),
    }
}

/// Reads A and B of a layer `[out, in]`, which must have the rank that the config says.
fn read_lora(
    stem: &str,
    [out, inside]: [usize; 2],
    tensors: &SafeTensors,
    config: &PeftConfig,
) -> std::result::Result<LoraWeights, String> {
    let LayerConfig { rank, scale } = config.layer(stem);
    let read = |suffix: &str, shape: [usize; 2]| {
        let name = format!("{stem}{suffix}");
        let tensor = tensors.tensor(&name).map_err(|error| format!("tensor {name}: {error}"))?;
        check_tensor(&name, &tensor, shape)?;
        Ok::<_, String>(floats(&tensor))
    };
    Ok(LoraWeights { rank, scale, a: read(LORA_A, [rank, inside])?, b: read(LORA_B, [out, rank])? })
}

/// Block and module that a layer's path leads to.
fn place_of(stem: &str, model: &ModelConfig) -> std::result::Result<(usize, Module), String> {
    let not_here =
        || format!("tensor {stem}: the model has no such layer (PEFT's names begin with {PREFIX}{BLOCKS})");
    let (layer, path) = stem
        .strip_prefix(PREFIX)
        .and_then(|path| path.strip_prefix(BLOCKS)?.split_once('.'))
        .ok_or_else(not_here)?;
    let layer: usize = layer.parse().map_err(|_| not_here())?;
    let module = Module::ALL.into_iter().find(|module| module.path() == path).ok_or_else(not_here)?;
    if layer >= model.num_layers {
        return Err(format!("tensor {stem}: the model has {} layers", model.num_layers));
    }
    Ok((layer, module))
}

fn check_tensor(name: &str, tensor: &TensorView, expected: [usize; 2]) -> std::result::Result<(), String> {
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
    let data = tensor.data();
    match tensor.dtype() {
        Dtype::F32 => data
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes")))
            .collect(),
        Dtype::F16 => halves(data).map(|bits| half::f16::from_bits(bits).to_f32()).collect(),
        _ => halves(data).map(|bits| half::bf16::from_bits(bits).to_f32()).collect(),
    }
}

fn halves(data: &[u8]) -> impl Iterator<Item = u16> {
    data.chunks_exact(2).map(|bytes| u16::from_le_bytes(bytes.try_into().expect("chunks of two bytes")))
}

/// `adapter_config.json`, as far as it is read.
#[derive(Debug, Deserialize)]
struct RawConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    target_modules: Value,
    rank_pattern: Option<Map<String, Value>>,
    alpha_pattern: Option<Map<String, Value>>,
    use_rslora: Option<bool>,
    bias: Option<String>,
    #[serde(default)]
    init_lora_weights: Value,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What an adapter's config says of its layers.
#[derive(Debug)]
struct PeftConfig {
    r: usize,
    lora_alpha: f64,
    rank_patterns: Patterns<usize>,
    alpha_patterns: Patterns<f64>,
    use_rslora: bool,
    target_modules: Value,
}

/// What it says of one layer.
#[derive(Debug, PartialEq)]
struct LayerConfig {
    rank: usize,
    /// s = α/r or α/√r.
    scale: f32,
}

impl PeftConfig {
    fn parse(json: &str) -> std::result::Result<Self, String> {
        Self::parse_values(json).map_err(|problem| format!("{CONFIG}: {problem}"))
    }

    fn parse_values(json: &str) -> std::result::Result<Self, String> {
        let raw: RawConfig = serde_json::from_str(json).map_err(|error| error.to_string())?;
        raw.check_plain_lora()?;
        let rank = |value: &Value| value.as_u64().and_then(|rank| usize::try_from(rank).ok());
        let config = Self {
            r: raw.r,
            lora_alpha: raw.lora_alpha,
            rank_patterns: Patterns::parse("rank_pattern", raw.rank_pattern, rank)?,
            alpha_patterns: Patterns::parse("alpha_pattern", raw.alpha_pattern, Value::as_f64)?,
            use_rslora: raw.use_rslora.unwrap_or(false),
            target_modules: raw.target_modules,
        };
        let out_of_range = config.ranks().find(|rank| !(1..=MAX_RANK).contains(rank));
        match out_of_range {
            Some(rank) => Err(format!("a rank must be between 1 and {MAX_RANK}, got {rank}")),
            None => Ok(config),
        }
    }

    fn ranks(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.r).chain(self.rank_patterns.values())
    }

    fn largest_rank(&self) -> u32 {
        let largest = self.ranks().max().unwrap_or(self.r);
        u32::try_from(largest).expect("ranks were checked")
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

    /// The rank r and the scale of a layer, whose α and r each come from a pattern or from the adapter as a whole.
    fn layer(&self, stem: &str) -> LayerConfig {
        let path = stem.strip_prefix(PREFIX).unwrap_or(stem);
        let rank = self.rank_patterns.of(path).unwrap_or(self.r);
        let alpha = self.alpha_patterns.of(path).unwrap_or(self.lora_alpha);
        let divisor = if self.use_rslora { (rank as f64).sqrt() } else { rank as f64 };
        LayerConfig { rank, scale: (alpha / divisor) as f32 }
    }
}

impl RawConfig {
    /// Refuses what would compute something else than W·x + s·B·(A·x).
    fn check_plain_lora(&self) -> std::result::Result<(), String> {
        if self.peft_type != "LORA" {
            return Err(format!("peft_type {} is not supported (LORA is)", self.peft_type));
        }
        if let Some(bias) = self.bias.as_deref().filter(|&bias| bias != "none") {
            return Err(format!("bias {bias} is not supported (none is)"));
        }
        let is_plain = match &self.init_lora_weights {
            Value::Null | Value::Bool(_) => true,
            Value::String(name) => PLAIN_INITS.contains(&name.as_str()),
            _ => false,
        };
        if !is_plain {
            let found = &self.init_lora_weights;
            return Err(format!(
                "init_lora_weights {found} changes the base model (save the adapter with PEFT's \
                 path_initial_model_for_weight_conversion)"
            ));
        }
        let unsupported = UNSUPPORTED.into_iter().find(|key| self.others.get(*key).is_some_and(is_set));
        unsupported.map_or(Ok(()), |key| Err(format!("{key} is not supported")))
    }
}

/// Whether a config's value is anything but null, false or empty.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
        _ => true,
    }
}

/// Values for layers by a regular expression for the end of their path; the first that matches counts, in the order of
/// the file, as in PEFT's `get_pattern_key`.
#[derive(Debug)]
struct Patterns<T>(Vec<(Regex, T)>);

impl<T: Copy> Patterns<T> {
    fn parse(
        name: &str,
        patterns: Option<Map<String, Value>>,
        read: impl Fn(&Value) -> Option<T>,
    ) -> std::result::Result<Self, String> {
        let parse = |(pattern, value): (String, Value)| {
            let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$")).map_err(|_| {
                format!("{name}: {pattern:?} is not a regular expression that can be read here")
            })?;
            let value =
                read(&value).ok_or_else(|| format!("{name}: {value} for {pattern:?} is not a number"))?;
            Ok((regex, value))
        };
        patterns.unwrap_or_default().into_iter().map(parse).collect::<std::result::Result<_, _>>().map(Self)
    }

    fn values(&self) -> impl Iterator<Item = T> {
        self.0.iter().map(|(_, value)| *value)
    }

    fn of(&self, path: &str) -> Option<T> {
        self.0.iter().find(|(regex, _)| regex.is_match(path)).map(|(_, value)| *value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::Family;

    fn config(extra: &str) -> std::result::Result<PeftConfig, String> {
        PeftConfig::parse(&format!(r#"{{"peft_type": "LORA", "r": 4, "lora_alpha": 8{extra}}}"#))
    }

    const STEM: &str = "base_model.model.model.layers.3.self_attn.q_proj";

    fn model() -> ModelConfig {
        ModelConfig {
            family: Family::Llama,
            num_layers: 4,
            hidden_size: 4,
            intermediate_size: 8,
            num_heads: 1,
            num_kv_heads: 1,
            head_dim: 4,
            vocab_size: 8,
            context_length: 16,
            rms_norm_eps: 1e-6,
            rope_frequencies: vec![1.0, 0.1],
            is_head_tied: true,
        }
    }

    /// An adapter of rank 4 with zeros for these tensors.
    fn record(tensors: &[(&str, [usize; 2])]) -> AdapterRecord {
        let data = vec![0; 4 * 64];
        let views = tensors.iter().map(|&(name, shape)| {
            let bytes = &data[..4 * shape[0] * shape[1]];
            (name.to_owned(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
        });
        AdapterRecord {
            sha256: String::new(),
            rank: 4,
            alpha: 8.0,
            target_modules: vec![],
            config_json: r#"{"peft_type": "LORA", "r": 4, "lora_alpha": 8}"#.to_owned(),
            weights: safetensors::serialize(views, None).unwrap(),
            source: "here".to_owned(),
        }
    }

    #[test]
    fn the_scale_follows_rank_alpha_and_rslora() {
        for (extra, rank, scale) in [
            ("", 4, 2.0),
            (r#", "use_rslora": true"#, 4, 4.0),
            (r#", "alpha_pattern": {"layers.3.self_attn.q_proj": 2}"#, 4, 0.5),
            (r#", "alpha_pattern": {"layers.13.self_attn.q_proj": 2}"#, 4, 2.0),
            (r#", "rank_pattern": {"q_proj": 2}"#, 2, 4.0),
            (r#", "rank_pattern": {"^model.layers.3.*": 2}"#, 2, 4.0),
            (r#", "rank_pattern": {"k_proj": 2}, "alpha_pattern": null"#, 4, 2.0),
        ] {
            assert_eq!(config(extra).unwrap().layer(STEM), LayerConfig { rank, scale }, "{extra}");
        }
    }

    #[test]
    fn the_first_pattern_of_the_file_wins() {
        for (patterns, rank) in [
            (r#"{"q_proj": 2, "layers.3.self_attn.q_proj": 8}"#, 2),
            (r#"{"layers.3.self_attn.q_proj": 8, "q_proj": 2}"#, 8),
            (r#"{"z|q_proj": 1, ".*": 16}"#, 1),
        ] {
            let config = config(&format!(r#", "rank_pattern": {patterns}"#)).unwrap();
            assert_eq!(config.layer(STEM).rank, rank, "{patterns}");
        }
    }

    #[test]
    fn what_is_not_plain_lora_is_refused() {
        for (extra, problem) in [
            (r#", "use_dora": true"#, "use_dora"),
            (r#", "bias": "all""#, "bias all"),
            (r#", "modules_to_save": ["lm_head"]"#, "modules_to_save"),
            (r#", "layer_replication": [[0, 4], [2, 5]]"#, "layer_replication"),
            (r#", "alora_invocation_tokens": [1]"#, "alora_invocation_tokens"),
            (r#", "init_lora_weights": "pissa_niter_4""#, "changes the base model"),
            (r#", "init_lora_weights": "loftq""#, "changes the base model"),
            (r#", "rank_pattern": {"(": 2}"#, "rank_pattern: \"(\" is not a regular expression"),
            (r#", "rank_pattern": {"q_proj": 0}"#, "between 1 and 65536, got 0"),
            (r#", "alpha_pattern": {"q_proj": "2"}"#, "\"2\" for \"q_proj\" is not a number"),
        ] {
            let error = config(extra).unwrap_err();
            assert!(error.starts_with(CONFIG) && error.contains(problem), "{extra}: {error}");
        }
        assert!(PeftConfig::parse(r#"{"peft_type": "IA3", "r": 1, "lora_alpha": 1}"#).is_err());
        let plain = r#", "use_dora": false, "layer_replication": null, "modules_to_save": [], "loftq_config": {},
            "init_lora_weights": "gaussian""#;
        assert!(config(plain).is_ok());
    }

    #[test]
    fn tensors_that_do_not_pair_up_with_layers_are_refused() {
        let (a, b) = (format!("{STEM}{LORA_A}"), format!("{STEM}{LORA_B}"));
        let (again_a, again_b) = (a.replace("layers.3", "layers.03"), b.replace("layers.3", "layers.03"));
        let (bare_a, bare_b) = (a.replace("model.model.l", "model.l"), b.replace("model.model.l", "model.l"));
        let shape = [4, 4];
        assert!(Adapter::fit(&record(&[(&a, shape), (&b, shape)]), &model()).is_ok());
        for (tensors, problem) in [
            (vec![(&*a, shape)], format!("tensor {b} is missing")),
            (vec![(&*b, shape)], format!("tensor {a} is missing")),
            (vec![(&*a, [2, 4]), (&*b, [4, 2])], "has shape [2, 4], this model needs [4, 4]".to_owned()),
            (vec![(&*bare_a, shape), (&*bare_b, shape)], "PEFT's names begin with".to_owned()),
            (
                vec![(&*a, shape), (&*b, shape), (&*again_a, shape), (&*again_b, shape)],
                "another tensor has the same place".to_owned(),
            ),
            (vec![("lm_head.weight", shape)], "is not part of a LoRA adapter".to_owned()),
        ] {
            let error = Adapter::fit(&record(&tensors), &model()).unwrap_err().to_string();
            assert!(error.contains(&problem), "{tensors:?}: {error}");
        }
    }
}
