//! Writing adapters as PEFT reads them: the same weights and settings give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Map, Value, json};

use super::peft_config::{CONFIG, PREFIX};
use super::{
    Adapter, BLOCKS, LORA_A, LORA_B, LoraWeights, SKIPPED_PROMPT, SkippedPrompt, WEIGHTS, record_of,
};
use crate::engine::config::Module;
use crate::engine::error::{Error, Result};
use crate::record::AdapterRecord;

/// What PEFT's configuration says of an adapter, beside what its layers say.
#[derive(Debug, Clone, PartialEq)]
pub struct PeftExport {
    /// Rank r of the layers; one of another rank is named with it.
    pub rank: usize,
    /// α of the scale α/r; a layer of another scale is named with its own α.
    pub alpha: f64,
    /// Share of an adapted layer's input that was dropped in training; says nothing of what the adapter computes.
    pub dropout: f64,
    /// Name or path of the model that it adapts.
    pub base_model: Option<String>,
    /// Where it came from.
    pub source: String,
}

impl Adapter {
    /// Writes it as a PEFT adapter, in f32: [`Adapter::fit`] gives the same again. PEFT adapts a module in every block or
    /// in none: where some have no layer here, it puts in B = 0, which changes nothing.
    pub fn to_peft(&self, export: &PeftExport) -> AdapterRecord {
        record_of(config_json(&self.layers, export), weights_of(self), export.source.clone())
            .expect("the configuration is plain LoRA")
    }
}

/// A layer's path in the base model.
fn path_of((block, module): (usize, Module)) -> String {
    format!("{BLOCKS}{block}.{}", module.path())
}

/// `adapter_config.json`, its keys in alphabetical order as PEFT writes them.
fn config_json(layers: &BTreeMap<(usize, Module), LoraWeights>, export: &PeftExport) -> String {
    let modules: BTreeSet<&str> = layers.keys().map(|(_, module)| module.name()).collect();
    let (mut ranks, mut alphas) = (Map::new(), Map::new());
    for (place, LoraWeights { rank, scale, .. }) in layers {
        if *rank != export.rank {
            ranks.insert(path_of(*place), (*rank).into());
        }
        if (export.alpha / *rank as f64) as f32 != *scale {
            alphas.insert(path_of(*place), number(f64::from(*scale) * *rank as f64));
        }
    }
    let config = json!({
        "alpha_pattern": alphas,
        "base_model_name_or_path": export.base_model,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "lora_alpha": number(export.alpha),
        "lora_dropout": export.dropout,
        "modules_to_save": null,
        "peft_type": "LORA",
        "r": export.rank,
        "rank_pattern": ranks,
        "target_modules": modules,
        "task_type": "CAUSAL_LM",
        "use_dora": false,
        "use_rslora": false,
    });
    format!("{config:#}\n")
}

/// A whole number without a point, as PEFT has α.
fn number(value: f64) -> Value {
    // Above 2⁵³ not every whole number is an f64.
    let is_whole = value.fract() == 0.0 && value.abs() <= (1_u64 << 53) as f64;
    if is_whole { (value as i64).into() } else { value.into() }
}

/// `adapter_model.safetensors`. PEFT does not look at metadata, while a key that it does not know in its configuration can
/// cost it those that it does know.
fn weights_of(Adapter { layers, skipped_prompt }: &Adapter) -> Vec<u8> {
    let tensors = layers.iter().flat_map(|(place, LoraWeights { rank, a, b, .. })| {
        let name = |suffix| format!("{PREFIX}{}{suffix}", path_of(*place));
        [(name(LORA_A), [*rank, a.len() / rank], a), (name(LORA_B), [b.len() / rank, *rank], b)]
    });
    let bytes: Vec<(String, [usize; 2], Vec<u8>)> = tensors
        .map(|(name, shape, values)| (name, shape, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).expect("A and B are whole matrices");
        (name, view)
    });
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let file = safetensors::serialize(views, Some(metadata)).expect("names are distinct and shapes fit");
    if skipped_prompt.is_empty() { file } else { with_skipped_prompt(&file, skipped_prompt) }
}

/// Adds an entry to the metadata of a safetensors file: the length of its header in eight bytes, the header, tensors. The
/// library would write two entries in any order.
fn with_skipped_prompt(file: &[u8], skipped: &SkippedPrompt) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk().expect("a file begins with a length");
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header).expect("a header is JSON");
    header["__metadata__"][SKIPPED_PROMPT] = json!(skipped.tokens()).to_string().into();
    let mut header = header.to_string();
    // Tensors begin at a multiple of eight.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), tensors].concat()
}

/// Writes an adapter as a PEFT folder, whole or not at all: a folder beside it is filled and then takes its name.
///
/// # Errors
/// If there is something of that name already, other than an empty folder, or it cannot be written.
pub fn write_peft_folder(record: &AdapterRecord, folder: &Path) -> Result<()> {
    let failed = |source: io::Error| Error::Write { path: folder.to_owned(), source };
    if is_occupied(folder).map_err(failed)? {
        let problem = "there is something of this name already (name a new folder, or an empty one)";
        return Err(Error::Adapter { path: folder.display().to_string(), problem: problem.to_owned() });
    }
    let temporary = create_beside(folder).map_err(failed)?;
    let written = fill(&temporary, record).and_then(|()| fs::rename(&temporary, folder));
    written.map_err(|error| {
        let _ = fs::remove_dir_all(&temporary);
        failed(error)
    })
}

/// Whether a path leads to anything but an empty folder.
fn is_occupied(folder: &Path) -> io::Result<bool> {
    match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => Ok(fs::read_dir(folder)?.next().is_some()),
        Ok(_) => Ok(true),
    }
}

/// Creates a folder of a name that nobody has, beside another.
fn create_beside(folder: &Path) -> io::Result<PathBuf> {
    let name = folder.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let temporary = folder.with_file_name(format!(".{}.{}.tmp", name.display(), std::process::id()));
    fs::create_dir(&temporary).map(|()| temporary)
}

fn fill(folder: &Path, record: &AdapterRecord) -> io::Result<()> {
    for (name, bytes) in [(WEIGHTS, &record.weights[..]), (CONFIG, record.config_json.as_bytes())] {
        let mut file = File::create_new(folder.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::read_peft_folder;
    use super::super::tests::model;
    use super::*;
    use crate::engine::config::{Family, ModelConfig};
    use crate::hash::sha256_hex;

    /// Layers of these blocks and modules, no two numbers alike.
    fn adapter(
        model: &ModelConfig,
        modules: &[Module],
        rank_and_scale: impl Fn(usize) -> (usize, f32),
    ) -> Adapter {
        let mut next = 0.0;
        let mut values = |count: usize| -> Vec<f32> {
            std::iter::repeat_with(|| {
                next += 0.1;
                next
            })
            .take(count)
            .collect()
        };
        let places =
            (0..model.num_layers).flat_map(|block| modules.iter().map(move |module| (block, *module)));
        let layers = places.enumerate().map(|(index, place)| {
            let (rank, scale) = rank_and_scale(index);
            let [out, inside] = place.1.shape(model);
            (place, LoraWeights { rank, scale, a: values(rank * inside), b: values(out * rank) })
        });
        Adapter::new(layers.collect())
    }

    fn export() -> PeftExport {
        PeftExport {
            rank: 4,
            alpha: 8.0,
            dropout: 0.05,
            base_model: Some("some/model".to_owned()),
            source: "run 3".to_owned(),
        }
    }

    #[test]
    fn what_is_written_reads_back_as_it_was() {
        let wide = ModelConfig { num_heads: 4, num_kv_heads: 2, num_layers: 12, ..model() };
        let odd = ModelConfig { hidden_size: 6, intermediate_size: 10, head_dim: 2, ..model() };
        let models = [
            model(),
            ModelConfig { family: Family::Qwen2, ..wide },
            ModelConfig { family: Family::Qwen3, ..odd },
        ];
        for model in models {
            for modules in [&Module::ALL[..], &[Module::Query, Module::Down]] {
                let plain = adapter(&model, modules, |_| (4, 2.0));
                let mixed = adapter(&model, modules, |index| (1 + index % 5, 0.1 + index as f32 / 7.0));
                let skipping = Adapter { skipped_prompt: SkippedPrompt::new(vec![7, 0, 9]), ..plain.clone() };
                for adapter in [plain, mixed, skipping] {
                    let record = adapter.to_peft(&export());
                    assert!(Adapter::fit(&record, &model).unwrap() == adapter, "{}", record.config_json);
                    assert!(adapter.clone().to_peft(&export()) == record, "the same bytes again");
                }
            }
        }
    }

    #[test]
    fn an_alpha_that_rank_does_not_divide_needs_no_patterns() {
        let adapter = adapter(&model(), &[Module::Key], |_| (12, (16.0_f64 / 12.0) as f32));
        let record = adapter.to_peft(&PeftExport { rank: 12, alpha: 16.0, ..export() });
        assert!(record.config_json.contains(r#""alpha_pattern": {}"#), "{}", record.config_json);
        assert_eq!((record.rank, record.alpha), (12, 16.0));
    }

    #[test]
    fn configuration_is_as_peft_writes_it() {
        let adapter = adapter(&model(), &[Module::Query, Module::Down], |index| (4 - index / 7, 2.0));
        let record = adapter.to_peft(&export());
        let expected = r#"{
  "alpha_pattern": {
    "model.layers.3.mlp.down_proj": 6
  },
  "base_model_name_or_path": "some/model",
  "bias": "none",
  "fan_in_fan_out": false,
  "inference_mode": true,
  "init_lora_weights": true,
  "lora_alpha": 8,
  "lora_dropout": 0.05,
  "modules_to_save": null,
  "peft_type": "LORA",
  "r": 4,
  "rank_pattern": {
    "model.layers.3.mlp.down_proj": 3
  },
  "target_modules": [
    "down_proj",
    "q_proj"
  ],
  "task_type": "CAUSAL_LM",
  "use_dora": false,
  "use_rslora": false
}
"#;
        assert_eq!(record.config_json, expected);
        assert_eq!(record.target_modules, ["down_proj", "q_proj"]);
        assert_eq!(record.sha256, sha256_hex(&record.weights));
    }

    #[test]
    fn folder_reads_back_as_it_was_and_nothing_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let record = adapter(&model(), &[Module::Query], |_| (4, 2.0)).to_peft(&export());
        fs::create_dir(path("empty")).unwrap();
        for name in ["new", "empty"] {
            write_peft_folder(&record, &path(name)).unwrap();
            let source = path(name).display().to_string();
            assert_eq!(read_peft_folder(&path(name)).unwrap(), AdapterRecord { source, ..record.clone() });
        }
        fs::write(path("file"), "precious").unwrap();
        for name in ["new", "file"] {
            let error = write_peft_folder(&record, &path(name)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("something of this name already"), "{error}");
        }
        for name in ["none/new", "file/new", ".."] {
            assert!(write_peft_folder(&record, &path(name)).is_err(), "{name}");
        }
        assert_eq!(fs::read_to_string(path("file")).unwrap(), "precious");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3, "nothing is left beside them");
    }
}
