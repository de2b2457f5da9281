//! GGUF files, made here from a Hugging Face folder, so that both ways of loading can be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::tensor::TensorModel;

use crate::program::{Workspace, text};
use crate::{fixture, fixture_json};

/// Writes a model folder as a GGUF file, the way converters do: GGUF's names, and for Llama the rows of query and key
/// with their rotary pairs side by side. Matrices are stored as `dtype`.
fn write_gguf(case: &str, dtype: GgmlDType, path: &Path) {
    let folder = fixture("models").join(case);
    let config = fixture_json(&format!("models/{case}/config.json"));
    let number = |key: &str| config[key].as_u64().unwrap() as u32;
    let architecture = config["model_type"].as_str().unwrap();
    let is_llama = architecture == "llama";
    let weights = candle_core::safetensors::load(folder.join("model.safetensors"), &Device::Cpu).unwrap();

    let mut tensors = BTreeMap::new();
    for (name, tensor) in &weights {
        let heads = match name {
            _ if !is_llama => None,
            _ if name.contains("q_proj") => Some(number("num_attention_heads")),
            _ if name.contains("k_proj") => Some(number("num_key_value_heads")),
            _ => None,
        };
        let tensor = heads.map_or_else(|| tensor.clone(), |heads| interleave_halves(tensor, heads as usize));
        let tensor = tensor.to_dtype(DType::F32).unwrap();
        let dtype = if tensor.rank() == 2 { dtype } else { GgmlDType::F32 };
        tensors.insert(gguf_name(name), QTensor::quantize(&tensor, dtype).unwrap());
    }

    let tokenizer = fixture_json(&format!("models/{case}/tokenizer.json"));
    let mut tokens: BTreeMap<u64, (String, i32)> = BTreeMap::new();
    for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        tokens.insert(id.as_u64().unwrap(), (token.clone(), 1));
    }
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        tokens.insert(added["id"].as_u64().unwrap(), (added["content"].as_str().unwrap().to_owned(), 3));
    }
    let merges =
        tokenizer["model"]["merges"].as_array().unwrap().iter().map(|merge| match merge.as_array() {
            Some(sides) => format!("{} {}", sides[0].as_str().unwrap(), sides[1].as_str().unwrap()),
            None => merge.as_str().unwrap().to_owned(),
        });
    let key = |name: &str| format!("{architecture}.{name}");
    let head_dim = config["head_dim"].as_u64().map(|dim| dim as u32);
    let head_dim = head_dim.unwrap_or(number("hidden_size") / number("num_attention_heads"));
    let metadata: Vec<(String, Value)> = vec![
        ("general.architecture".to_owned(), Value::String(architecture.to_owned())),
        ("general.name".to_owned(), Value::String(format!("tiny {case}"))),
        (key("block_count"), Value::U32(number("num_hidden_layers"))),
        (key("context_length"), Value::U32(number("max_position_embeddings"))),
        (key("embedding_length"), Value::U32(number("hidden_size"))),
        (key("feed_forward_length"), Value::U32(number("intermediate_size"))),
        (key("attention.head_count"), Value::U32(number("num_attention_heads"))),
        (key("attention.head_count_kv"), Value::U32(number("num_key_value_heads"))),
        (key("attention.key_length"), Value::U32(head_dim)),
        (
            key("attention.layer_norm_rms_epsilon"),
            Value::F32(config["rms_norm_eps"].as_f64().unwrap() as f32),
        ),
        (key("rope.freq_base"), Value::F32(config["rope_theta"].as_f64().unwrap() as f32)),
        ("tokenizer.ggml.model".to_owned(), Value::String("gpt2".to_owned())),
        ("tokenizer.ggml.pre".to_owned(), Value::String("gpt-2".to_owned())),
        (
            "tokenizer.ggml.tokens".to_owned(),
            Value::Array(tokens.values().map(|(token, _)| Value::String(token.clone())).collect()),
        ),
        (
            "tokenizer.ggml.token_type".to_owned(),
            Value::Array(tokens.values().map(|(_, kind)| Value::I32(*kind)).collect()),
        ),
        ("tokenizer.ggml.merges".to_owned(), Value::Array(merges.map(Value::String).collect())),
        ("tokenizer.ggml.eos_token_id".to_owned(), Value::U32(2)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(path).unwrap(), &metadata, &tensors).unwrap();
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

/// Logits of a fixed sequence, row after row.
fn logits(path: &Path) -> Vec<f32> {
    let tokens: Vec<u32> = (0..20).map(|i| (i * 29 + 7) % 128).collect();
    let model = TensorModel::load(&ModelFiles::open(path).unwrap(), |_, _| ()).unwrap();
    let options = DecoderOptions { capacity: 128, vocab_size: usize::MAX, adapter: None };
    let logits = model.decoder(options).unwrap().forward(&tokens, Rows::All).unwrap();
    (0..logits.num_rows()).flat_map(|row| logits.row(row).to_vec()).collect()
}

fn gguf(workspace: &Workspace, case: &str, dtype: GgmlDType) -> PathBuf {
    let path = workspace.path(&format!("{case}-{dtype:?}.gguf"));
    write_gguf(case, dtype, &path);
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

#[test]
fn halves_and_quantised_weights_are_close_to_the_original() {
    let workspace = Workspace::new();
    let original = logits(&fixture("models/qwen2-tied"));
    let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
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
        let difference = norm(&mut original.iter().zip(&quantised).map(|(a, b)| a - b));
        let relative = difference / norm(&mut original.iter().copied());
        assert!(relative < bound, "{dtype:?}: {relative}");
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
    assert!(table.contains("Lossless: 4 of 4 spec_base"), "{table}");
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
