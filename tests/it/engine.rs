//! The decoder against transformers and peft, on tiny random models of every family.

use candle_core::{DType, Device};
use safetensors::SafeTensors;
use serde_json::{Value as Json, json};
use speclora::engine::adapter::{Adapter, read_peft_folder};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::tensor::TensorModel;
use tempfile::TempDir;

use crate::{fixture, fixture_json};

const CAPACITY: usize = 128;
/// Largest difference from the reference's f32 logits, which are within 1.1e-5 of f64.
const TOLERANCE: f32 = 1e-4;

pub(crate) const MODELS: [&str; 10] = [
    "llama-untied",
    "llama-tied",
    "llama-f16",
    "llama3-rope",
    "llama3-rope-new",
    "mistral-untied",
    "qwen2-tied",
    "qwen2-untied-sharded-bf16",
    "qwen3-tied",
    "qwen3-untied",
];

fn options(adapter: Option<&Adapter>) -> DecoderOptions<'_> {
    DecoderOptions { adapter, ..DecoderOptions::with_capacity(CAPACITY) }
}

fn model(case: &str) -> TensorModel {
    let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
    TensorModel::load(&files, |_, _| ()).unwrap()
}

/// Input ids and logits `[T, vocab]` that the reference computed.
pub(crate) fn expected(folder: &str) -> (Vec<u32>, Vec<f32>) {
    let bytes = std::fs::read(fixture(folder).join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let ids = tensors.tensor("input_ids").unwrap();
    let ids = ids.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32);
    let logits = tensors.tensor("logits").unwrap();
    let logits = logits.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (ids.collect(), logits.collect())
}

/// Logits of all positions, row after row, with `tokens` cut into passes of `pass_len`.
pub(crate) fn logits(decoder: &mut dyn Decoder, tokens: &[u32], pass_len: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for pass in tokens.chunks(pass_len) {
        let logits = decoder.forward(pass, Rows::All).unwrap();
        (0..logits.num_rows()).for_each(|row| all.extend_from_slice(logits.row(row)));
    }
    all
}

pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_equal_those_of_transformers() {
    for case in MODELS {
        let (tokens, reference) = expected(&format!("models/{case}"));
        let mut decoder = model(case).decoder(options(None)).unwrap();
        let found = logits(&mut decoder, &tokens, tokens.len());
        let difference = largest_difference(&found, &reference);
        assert!(difference <= TOLERANCE, "{case}: max |Δ| = {difference}");
    }
}

#[test]
fn logits_do_not_depend_on_how_tokens_are_cut_into_passes() {
    for case in MODELS {
        let (tokens, _) = expected(&format!("models/{case}"));
        let model = model(case);
        let whole = logits(&mut model.decoder(options(None)).unwrap(), &tokens, tokens.len());
        for pass_len in [1, 2, 5, 7] {
            let parts = logits(&mut model.decoder(options(None)).unwrap(), &tokens, pass_len);
            assert!(whole == parts, "{case}: passes of {pass_len} differ from one pass");
        }
    }
}

#[test]
fn a_long_prompt_in_one_pass_agrees_with_single_steps() {
    let model = model("qwen3-untied");
    let tokens: Vec<u32> = (0..100).map(|i| (i * 37 + 11) % 128).collect();
    let whole = logits(&mut model.decoder(options(None)).unwrap(), &tokens, tokens.len());
    let steps = logits(&mut model.decoder(options(None)).unwrap(), &tokens, 1);
    let difference = largest_difference(&whole, &steps);
    assert!(difference <= TOLERANCE, "max |Δ| = {difference}");
}

/// Longer than one pass of a prompt, which is 256 positions.
#[test]
fn a_prompt_of_several_passes_agrees_with_single_steps() {
    let model = model("qwen3-untied");
    let options = DecoderOptions { capacity: 600, ..options(None) };
    let tokens: Vec<u32> = (0..530).map(|i| (i * 37 + 11) % 128).collect();
    let steps = logits(&mut model.decoder(options).unwrap(), &tokens, 1);
    let whole = logits(&mut model.decoder(options).unwrap(), &tokens, tokens.len());
    let difference = largest_difference(&whole, &steps);
    assert!(difference <= TOLERANCE, "max |Δ| = {difference}");

    let mut decoder = model.decoder(options).unwrap();
    let last = decoder.forward(&tokens, Rows::Last).unwrap();
    assert_eq!(last.num_rows(), 1);
    assert!(largest_difference(last.last(), &steps[529 * 128..]) <= TOLERANCE);
    assert_eq!(decoder.len(), 530);
}

#[test]
fn a_truncated_cache_continues_like_a_fresh_one() {
    for case in MODELS {
        let (tokens, _) = expected(&format!("models/{case}"));
        let model = model(case);
        let mut decoder = model.decoder(options(None)).unwrap();
        decoder.forward(&tokens, Rows::Last).unwrap();
        decoder.truncate(9);
        let other: Vec<u32> = tokens.iter().rev().copied().collect();
        let continued = logits(&mut decoder, &other, other.len());
        let fresh_tokens = [&tokens[..9], &other[..]].concat();
        let fresh = logits(&mut model.decoder(options(None)).unwrap(), &fresh_tokens, fresh_tokens.len());
        assert!(continued == fresh[9 * 128..], "{case}");
    }
}

#[test]
fn the_last_row_is_the_last_of_all_rows() {
    let (tokens, _) = expected("models/llama-tied");
    let model = model("llama-tied");
    let (mut one, mut other) = (model.decoder(options(None)).unwrap(), model.decoder(options(None)).unwrap());
    let all = one.forward(&tokens, Rows::All).unwrap();
    let last = other.forward(&tokens, Rows::Last).unwrap();
    assert_eq!(last.num_rows(), 1);
    assert_eq!(last.last(), all.last());
}

/// A copy of a model folder with another `config.json`, and with or without the output head.
fn copy_of(case: &str, config: &Json, has_head: bool) -> TempDir {
    let (from, folder) = (fixture("models").join(case), tempfile::tempdir().unwrap());
    std::fs::copy(from.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let mut weights = candle_core::safetensors::load(from.join("model.safetensors"), &Device::Cpu).unwrap();
    weights.retain(|name, _| has_head || name != "lm_head.weight");
    candle_core::safetensors::save(&weights, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn load(folder: &TempDir) -> speclora::engine::Result<TensorModel> {
    let files = ModelFiles::open(folder.path())?;
    files.tokenizer()?;
    TensorModel::load(&files, |_, _| ())
}

#[test]
fn the_head_is_tied_where_the_config_says_so_and_else_where_it_is_absent() {
    let (tokens, untied) = expected("models/llama-untied");
    let outcome = |tie: Option<bool>, has_head: bool| {
        let mut config = fixture_json("models/llama-untied/config.json");
        config["tie_word_embeddings"] = tie.into();
        let model = load(&copy_of("llama-untied", &config, has_head))?;
        Ok(logits(&mut model.decoder(options(None))?, &tokens, tokens.len()))
    };
    let ok = |outcome: speclora::engine::Result<Vec<f32>>| outcome.unwrap();
    let tied = ok(outcome(Some(true), false));
    assert!(largest_difference(&tied, &untied) > 0.01);
    assert!(tied == ok(outcome(Some(true), true)), "a head that is tied is not read");
    assert!(tied == ok(outcome(None, false)));
    assert!(largest_difference(&ok(outcome(Some(false), true)), &untied) <= TOLERANCE);
    assert!(largest_difference(&ok(outcome(None, true)), &untied) <= TOLERANCE);
    let error = outcome(Some(false), false).unwrap_err().to_string();
    assert!(error.contains("tensor lm_head.weight is missing"), "{error}");
}

#[test]
fn hostile_config_values_are_errors() {
    let huge = 1u64 << 60;
    for (key, value, expected) in [
        ("head_dim", json!(huge), "head size must be at most"),
        ("head_dim", json!(7), "head size 7 is odd"),
        ("head_dim", json!(-8), "invalid value"),
        ("head_dim", json!(16), "[32, 32], [64, 32] was expected"),
        ("hidden_size", json!(huge), "hidden size must be between 1"),
        ("hidden_size", json!(64), "[128, 32], [128, 64] was expected"),
        ("intermediate_size", json!(0), "intermediate size must be between 1"),
        ("num_attention_heads", json!(0), "number of heads must be between 1"),
        ("num_key_value_heads", json!(3), "4 heads cannot share 3"),
        ("num_hidden_layers", json!(huge), "number of layers must be between 1"),
        ("num_hidden_layers", json!(3), "tensor model.layers.2."),
        ("vocab_size", json!(huge), "vocabulary must be between 1"),
        ("vocab_size", json!(129), "[128, 32], [129, 32] was expected"),
        ("max_position_embeddings", json!(1u64 << 32), "context length must be between 1 and 4294967295"),
        ("sliding_window", json!(0), "context length must be between 1"),
        ("rms_norm_eps", json!(-1.0), "epsilon"),
        ("rope_theta", json!(0.0), "a rotary frequency is inf"),
        ("rope_scaling", json!({"type": "linear", "factor": 0.0}), "a rotary frequency is inf"),
        ("rope_scaling", json!({"type": "linear"}), "rotary scaling needs factor"),
        ("tie_word_embeddings", json!("yes"), "invalid type"),
        ("eos_token_id", json!("2"), "eos_token_id must be a token id or a list of them, got \"2\""),
        ("eos_token_id", json!([2, -1]), "eos_token_id must be a token id"),
    ] {
        let mut config = fixture_json("models/llama-tied/config.json");
        config[key] = value.clone();
        let error = load(&copy_of("llama-tied", &config, true)).unwrap_err().to_string();
        assert!(error.contains(expected), "{key} = {value}: {error}");
    }
}

#[test]
fn a_tensor_of_another_type_is_not_taken_for_a_missing_one() {
    let mut config = fixture_json("models/llama-untied/config.json");
    config.as_object_mut().unwrap().remove("tie_word_embeddings");
    let folder = copy_of("llama-untied", &config, true);
    let path = folder.path().join("model.safetensors");
    let mut weights = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let head = weights["lm_head.weight"].to_dtype(DType::F64).unwrap();
    weights.insert("lm_head.weight".to_owned(), head);
    candle_core::safetensors::save(&weights, &path).unwrap();
    let error = load(&folder).unwrap_err().to_string();
    assert!(error.contains("tensor lm_head.weight is F64; F32, F16 and BF16"), "{error}");
}

#[test]
fn a_chat_template_that_is_not_utf8_is_an_error() {
    let config = fixture_json("models/llama-tied/config.json");
    let folder = copy_of("llama-tied", &config, true);
    std::fs::write(folder.path().join("chat_template.jinja"), b"caf\xe9").unwrap();
    let error = load(&folder).unwrap_err().to_string();
    assert!(error.contains("chat_template.jinja: not UTF-8"), "{error}");
}

#[test]
fn adapted_logits_equal_those_of_peft() {
    for (case, base) in [
        ("qwen2-tied-r4", "qwen2-tied"),
        ("llama-untied-rslora-r2", "llama-untied"),
        ("llama-untied-patterns", "llama-untied"),
    ] {
        let folder = format!("adapters/{case}");
        let (tokens, reference) = expected(&folder);
        let model = model(base);
        let record = read_peft_folder(&fixture(&folder)).unwrap();
        let adapter = Adapter::fit(&record, model.config()).unwrap();
        let mut adapted = model.decoder(options(Some(&adapter))).unwrap();
        let difference = largest_difference(&logits(&mut adapted, &tokens, tokens.len()), &reference);
        assert!(difference <= TOLERANCE, "{case}: max |Δ| = {difference}");
        let mut plain = model.decoder(options(None)).unwrap();
        let unadapted = logits(&mut plain, &tokens, tokens.len());
        assert!(largest_difference(&unadapted, &reference) > 0.01, "{case}: the adapter changes nothing");
    }
}

#[test]
fn an_adapter_for_another_model_is_refused() {
    let record = read_peft_folder(&fixture("adapters/qwen2-tied-r4")).unwrap();
    let error = Adapter::fit(&record, model("qwen3-tied").config()).unwrap_err().to_string();
    assert!(error.contains("this model needs"), "{error}");
}

#[test]
fn a_token_or_a_length_out_of_bounds_is_an_error() {
    let mut decoder = model("llama-tied").decoder(DecoderOptions { capacity: 4, ..options(None) }).unwrap();
    let mut check = |tokens: &[u32], expected: &str| {
        assert_eq!(decoder.forward(tokens, Rows::Last).unwrap_err().to_string(), expected);
    };
    check(&[128], "token 128 is outside the vocabulary of 128");
    check(&[1, 2, 3, 4, 5], "5 tokens do not fit a cache of 4 positions");
    check(&[], "a pass needs at least 1 token, got 0");
    assert!(decoder.forward(&[1, 2, 3, 4], Rows::Last).is_ok());
}
