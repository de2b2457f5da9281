//! GGUF files, made here from a Hugging Face folder, so that both ways of loading can be compared.

mod hostile;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value as Json;
use speclora::engine::decode::{Request, decode_speculative, decode_target_only};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::sampling::Sampling;
use speclora::engine::tensor::{TensorDecoder, TensorModel};

use crate::program::{Workspace, text};
use crate::{fixture, fixture_json};

/// A model to write.
struct Source {
    config: Json,
    tokenizer: Json,
    /// By Hugging Face's names.
    weights: BTreeMap<String, Tensor>,
}

impl Source {
    fn fixture(case: &str) -> Self {
        let weights = fixture("models").join(case).join("model.safetensors");
        Self {
            config: fixture_json(&format!("models/{case}/config.json")),
            tokenizer: fixture_json(&format!("models/{case}/tokenizer.json")),
            weights: candle_core::safetensors::load(weights, &Device::Cpu).unwrap().into_iter().collect(),
        }
    }

    /// Random weights, wide enough for K-quants, whose blocks have 256 weights.
    fn wide() -> Self {
        let mut source = Self::fixture("llama-tied");
        for (key, value) in [("hidden_size", 256), ("intermediate_size", 512), ("head_dim", 64)] {
            source.config[key] = value.into();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        for tensor in source.weights.values_mut() {
            // Fixture widths are 32, 64 and, for keys and values, 16.
            let shape: Vec<usize> =
                tensor.dims().iter().map(|&dim| if dim < 128 { 8 * dim } else { dim }).collect();
            let values = (0..shape.iter().product()).map(|_| match shape.len() {
                1 => 1.0,
                _ => (rng.random::<f32>() - 0.5) * 0.2,
            });
            *tensor = Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap();
        }
        source
    }

    fn number(&self, key: &str) -> u32 {
        self.config[key].as_u64().unwrap() as u32
    }

    fn head_dim(&self) -> u32 {
        let head_dim = self.config["head_dim"].as_u64().map(|head_dim| head_dim as u32);
        head_dim.unwrap_or_else(|| self.number("hidden_size") / self.number("num_attention_heads"))
    }

    fn architecture(&self) -> &str {
        self.config["model_type"].as_str().unwrap()
    }

    fn metadata(&self) -> BTreeMap<String, Value> {
        let of_model = [
            ("block_count", Value::U32(self.number("num_hidden_layers"))),
            ("context_length", Value::U32(self.number("max_position_embeddings"))),
            ("embedding_length", Value::U32(self.number("hidden_size"))),
            ("feed_forward_length", Value::U32(self.number("intermediate_size"))),
            ("attention.head_count", Value::U32(self.number("num_attention_heads"))),
            ("attention.head_count_kv", Value::U32(self.number("num_key_value_heads"))),
            ("attention.key_length", Value::U32(self.head_dim())),
            (
                "attention.layer_norm_rms_epsilon",
                Value::F32(self.config["rms_norm_eps"].as_f64().unwrap() as f32),
            ),
            ("rope.freq_base", Value::F32(self.config["rope_theta"].as_f64().unwrap() as f32)),
        ];
        let of_model = of_model.map(|(key, value)| (format!("{}.{key}", self.architecture()), value));
        let general = [("general.architecture", self.architecture()), ("general.name", "tiny")];
        let general = general.map(|(key, text)| (key.to_owned(), Value::String(text.to_owned())));
        of_model.into_iter().chain(general).chain(self.tokenizer_metadata()).collect()
    }

    fn tokenizer_metadata(&self) -> BTreeMap<String, Value> {
        let model = &self.tokenizer["model"];
        let mut tokens: BTreeMap<u64, (String, i32)> = BTreeMap::new();
        for (token, id) in model["vocab"].as_object().unwrap() {
            tokens.insert(id.as_u64().unwrap(), (token.clone(), 1));
        }
        for added in self.tokenizer["added_tokens"].as_array().unwrap() {
            let content = added["content"].as_str().unwrap();
            tokens.insert(added["id"].as_u64().unwrap(), (content.to_owned(), 3));
        }
        let merges = model["merges"].as_array().unwrap().iter().map(|merge| match merge.as_array() {
            Some(sides) => format!("{} {}", sides[0].as_str().unwrap(), sides[1].as_str().unwrap()),
            None => merge.as_str().unwrap().to_owned(),
        });
        let texts =
            |texts: &mut dyn Iterator<Item = String>| Value::Array(texts.map(Value::String).collect());
        let values = [
            ("model", Value::String("gpt2".to_owned())),
            ("pre", Value::String("gpt-2".to_owned())),
            ("tokens", texts(&mut tokens.values().map(|(token, _)| token.clone()))),
            ("token_type", Value::Array(tokens.values().map(|(_, kind)| Value::I32(*kind)).collect())),
            ("merges", texts(&mut merges.into_iter())),
            ("eos_token_id", Value::U32(2)),
        ];
        values.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect()
    }

    /// Writes a GGUF file the way converters do: GGUF's names, and for Llama the rows of query and key with their rotary
    /// pairs side by side. Matrices are stored as `dtype`.
    fn write(&self, dtype: GgmlDType, path: &Path) {
        self.write_with(&self.metadata(), dtype, path);
    }

    fn write_with(&self, metadata: &BTreeMap<String, Value>, dtype: GgmlDType, path: &Path) {
        let is_llama = self.architecture() == "llama";
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &self.weights {
            let heads = match name {
                _ if !is_llama => None,
                _ if name.contains("q_proj") => Some(self.number("num_attention_heads")),
                _ if name.contains("k_proj") => Some(self.number("num_key_value_heads")),
                _ => None,
            };
            let tensor =
                heads.map_or_else(|| tensor.clone(), |heads| interleave_halves(tensor, heads as usize));
            let tensor = tensor.to_dtype(DType::F32).unwrap();
            let dtype = if tensor.rank() == 2 { dtype } else { GgmlDType::F32 };
            tensors.insert(gguf_name(name), QTensor::quantize(&tensor, dtype).unwrap());
        }
        let metadata: Vec<(&str, &Value)> =
            metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let tensors: Vec<(&str, &QTensor)> =
            tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
    }
}

/// Rows (head, half, pair) -> (head, pair, half).
fn interleave_halves(tensor: &Tensor, num_heads: usize) -> Tensor {
    let (rows, width) = tensor.dims2().unwrap();
    let halves = tensor.reshape((num_heads, 2, rows / num_heads / 2, width)).unwrap();
    halves.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, width)).unwrap()
}

fn gguf_name(name: &str) -> String {
    let pairs = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("model.layers.", "blk."),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
    ];
    pairs.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

fn decoder(path: &Path) -> TensorDecoder {
    let model = TensorModel::load(&ModelFiles::open(path).unwrap(), |_, _| ()).unwrap();
    model.decoder(DecoderOptions::with_capacity(128)).unwrap()
}

/// Logits of a fixed sequence, row after row.
fn logits(path: &Path) -> Vec<f32> {
    let tokens: Vec<u32> = (0..20).map(|i| (i * 29 + 7) % 128).collect();
    let mut decoder = decoder(path);
    let logits = decoder.forward(&tokens, Rows::All).unwrap();
    (0..logits.num_rows()).flat_map(|row| logits.row(row).to_vec()).collect()
}

fn gguf(workspace: &Workspace, case: &str, dtype: GgmlDType) -> PathBuf {
    let path = workspace.path(&format!("{case}-{dtype:?}.gguf"));
    Source::fixture(case).write(dtype, &path);
    path
}

#[test]
fn a_gguf_file_computes_what_the_folder_it_was_made_from_does() {
    let workspace = Workspace::new();
    for case in ["llama-untied", "llama-tied", "qwen2-tied", "qwen3-tied"] {
        let from_folder = logits(&fixture("models").join(case));
        let from_gguf = logits(&gguf(&workspace, case, GgmlDType::F32));
        let differences = from_folder.iter().zip(&from_gguf).map(|(a, b)| (a - b).abs());
        let largest = differences.fold(0.0, f32::max);
        assert!(largest <= 1e-4, "{case}: max |Δ| = {largest}");
    }
}

/// |a − b| / |a|, of vectors.
fn relative_difference(a: &[f32], b: &[f32]) -> f32 {
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut a.iter().copied())
}

#[test]
fn halves_and_quantised_weights_are_close_to_the_original() {
    let workspace = Workspace::new();
    let original = logits(&fixture("models/qwen2-tied"));
    for (dtype, bound) in [
        (GgmlDType::F16, 0.01),
        (GgmlDType::BF16, 0.05),
        (GgmlDType::Q8_0, 0.05),
        (GgmlDType::Q5_1, 0.3),
        (GgmlDType::Q5_0, 0.3),
        (GgmlDType::Q4_1, 0.5),
        (GgmlDType::Q4_0, 0.5),
    ] {
        let quantised = logits(&gguf(&workspace, "qwen2-tied", dtype));
        let difference = relative_difference(&original, &quantised);
        assert!(difference < bound, "{dtype:?}: {difference}");
    }
}

#[test]
fn k_quants_are_close_to_the_original() {
    let workspace = Workspace::new();
    let source = Source::wide();
    let logits_as = |dtype| {
        let path = workspace.path(&format!("wide-{dtype:?}.gguf"));
        source.write(dtype, &path);
        logits(&path)
    };
    let original = logits_as(GgmlDType::F32);
    for (dtype, bound) in [(GgmlDType::Q6K, 0.08), (GgmlDType::Q5K, 0.15), (GgmlDType::Q4K, 0.3)] {
        let difference = relative_difference(&original, &logits_as(dtype));
        assert!(difference > 0.0 && difference < bound, "{dtype:?}: {difference}");
    }
}

#[test]
fn a_pair_of_k_quants_is_lossless_for_every_number_of_draft_tokens() {
    let workspace = Workspace::new();
    let source = Source::wide();
    let write = |dtype| {
        let path = workspace.path(&format!("{dtype:?}.gguf"));
        source.write(dtype, &path);
        path
    };
    let cancel = AtomicBool::new(false);
    let request = Request {
        prompt: &[5, 17, 41],
        max_tokens: 24,
        context_length: 128,
        stop_tokens: &[],
        sampling: Sampling::GREEDY,
        seed: 0,
        started: Instant::now(),
        cancel: &cancel,
    };
    let mut draft = decoder(&write(GgmlDType::Q4K));
    for dtype in [GgmlDType::Q6K, GgmlDType::Q5K] {
        let mut target = decoder(&write(dtype));
        let alone = decode_target_only(&mut target, &request).unwrap();
        let mut num_accepted = 0;
        for num_draft_tokens in 1..=16 {
            let speculative =
                decode_speculative(&mut target, &mut draft, num_draft_tokens, &request).unwrap();
            assert_eq!(speculative.tokens, alone.tokens, "{dtype:?}, {num_draft_tokens} draft tokens");
            num_accepted += speculative.rounds.iter().map(|round| round.num_accepted).sum::<u32>();
        }
        assert!(num_accepted > 0, "{dtype:?}: no round accepted anything, so the test shows little");
    }
}

#[test]
fn a_quantised_pair_is_lossless() {
    let workspace = Workspace::new();
    let target = text(&gguf(&workspace, "llama-untied", GgmlDType::Q8_0));
    let draft = text(&gguf(&workspace, "llama-untied", GgmlDType::Q4_0));
    let more = [
        "bench",
        "--raw",
        "--skip-lora",
        "-m",
        "40",
        "-f",
        "prompts.txt",
        "--target",
        &target,
        "--draft",
        &draft,
    ];
    let table = workspace.succeed(&more);
    assert!(table.contains("Lossless: 4 of 4 prompts: spec_base"), "{table}");
}

#[test]
fn a_truncated_file_names_the_tensor_that_is_cut() {
    let workspace = Workspace::new();
    let path = gguf(&workspace, "llama-untied", GgmlDType::F32);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 64]).unwrap();
    let error = ModelFiles::open(&path).unwrap_err().to_string();
    assert!(error.contains("truncated: tensor"), "{error}");
}

#[test]
fn a_scaling_factor_without_a_type_is_linear() {
    let workspace = Workspace::new();
    let source = Source::fixture("llama-tied");
    let frequencies = |extra: &[(&str, Value)]| {
        let path = workspace.path("scaled.gguf");
        let mut metadata = source.metadata();
        metadata.extend(extra.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        source.write_with(&metadata, GgmlDType::F32, &path);
        ModelFiles::open(&path).unwrap().config().rope_frequencies.clone()
    };
    let halved: Vec<f32> = frequencies(&[]).iter().map(|frequency| frequency / 2.0).collect();
    assert_eq!(frequencies(&[("llama.rope.scaling.factor", Value::F32(2.0))]), halved);
}
