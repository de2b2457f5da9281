//! LoRA adapters in PEFT's format: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! An adapted layer computes y = W·x + s·B·(A·x), with A: [r, in], B: [out, r] and the scale s = α/r, or α/√r with
//! rsLoRA (Hu et al., "LoRA", 2021; Kalajdzievski, "A Rank Stabilization Scaling Factor", 2023). The base stays as it is.

mod peft_config;
mod skipped;
mod write;

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::config::{ModelConfig, Module};
use super::error::{Error, Result};
use crate::hash::sha256_hex;
use crate::record::AdapterRecord;
use peft_config::{CONFIG, LayerConfig, PREFIX, PeftConfig};
pub use skipped::SkippedPrompt;
pub use write::{PeftExport, write_peft_folder};

const WEIGHTS: &str = "adapter_model.safetensors";
const LORA_A: &str = ".lora_A.weight";
const LORA_B: &str = ".lora_B.weight";
/// A key in the metadata of the weights: what the adapter has learned to draft without, a JSON list of tokens.
const SKIPPED_PROMPT: &str = "speclora_skipped_prompt";
/// What stands before the number of a block in a layer's path.
const BLOCKS: &str = "model.layers.";

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
    /// What it has learned to draft without.
    pub skipped_prompt: SkippedPrompt,
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
    record_of(config_json, read(WEIGHTS)?, source.clone()).map_err(error)
}

/// An adapter's record, from the content of its two files.
fn record_of(
    config_json: String,
    weights: Vec<u8>,
    source: String,
) -> std::result::Result<AdapterRecord, String> {
    let config = PeftConfig::parse(&config_json)?;
    Ok(AdapterRecord {
        sha256: sha256_hex(&weights),
        rank: config.largest_rank(),
        alpha: config.lora_alpha,
        target_modules: config.module_names(),
        config_json,
        weights,
        source,
    })
}

impl Adapter {
    /// An adapter whose draft reads prompts in full.
    pub fn new(layers: BTreeMap<(usize, Module), LoraWeights>) -> Self {
        Self { layers, skipped_prompt: SkippedPrompt::default() }
    }

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
        // In a fixed order, so that the same adapter is always refused for the same reason.
        let mut names = tensors.names();
        names.sort_unstable();
        for name in names {
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
        Ok(Self { layers, skipped_prompt: Self::skipped_prompt_of(record)? })
    }

    /// What a stored adapter has learned to draft without.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn skipped_prompt_of(record: &AdapterRecord) -> Result<SkippedPrompt> {
        let error = |problem: String| Error::Adapter { path: record.source.clone(), problem };
        let (_, header) = SafeTensors::read_metadata(&record.weights)
            .map_err(|cause| error(format!("damaged or truncated {WEIGHTS}: {cause}")))?;
        match header.metadata().as_ref().and_then(|metadata| metadata.get(SKIPPED_PROMPT)) {
            None => Ok(SkippedPrompt::default()),
            Some(json) => serde_json::from_str(json)
                .map(SkippedPrompt::new)
                .map_err(|cause| error(format!("{WEIGHTS}: {SKIPPED_PROMPT} is no list of tokens: {cause}"))),
        }
    }

    /// Whether it leaves the draft as it is.
    pub fn is_zero(&self) -> bool {
        self.layers.values().all(|layer| layer.b.iter().all(|&b| b == 0.0))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::Family;

    const STEM: &str = "base_model.model.model.layers.3.self_attn.q_proj";

    pub(super) fn model() -> ModelConfig {
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

    #[test]
    fn what_is_skipped_must_be_a_list_of_tokens() {
        let (a, b) = (format!("{STEM}{LORA_A}"), format!("{STEM}{LORA_B}"));
        let with_metadata = |text: &str| {
            let mut record = record(&[(&a, [4, 4]), (&b, [4, 4])]);
            let data = vec![0; 4 * 16];
            let view = || TensorView::new(Dtype::F32, vec![4, 4], &data).unwrap();
            let metadata = [(SKIPPED_PROMPT.to_owned(), text.to_owned())].into();
            record.weights = safetensors::serialize([(&a, view()), (&b, view())], Some(metadata)).unwrap();
            Adapter::fit(&record, &model())
        };
        assert_eq!(with_metadata("[7, 0]").unwrap().skipped_prompt.tokens(), [7, 0]);
        for text in ["", "[-1]", "7", "[1.5]"] {
            let error = with_metadata(text).unwrap_err().to_string();
            assert!(error.contains("speclora_skipped_prompt is no list of tokens"), "{text}: {error}");
        }
    }
}
