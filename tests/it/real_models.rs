//! Checks on real GGUF files, where they are: in `$SPECLORA_MODELS`, or `~/.cache/speclora/models`.
//!
//! A file that is not there skips its part of a test, and the test says so.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use serde_json::Value;
use speclora::engine::cpu::{CpuModel, LoadOptions};
use speclora::engine::decode::{Request, decode_speculative, decode_target_only};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::sampling::{Sampling, argmax};
use speclora::engine::tensor::TensorModel;

use crate::{fixture_json, ids};

/// Opens a real model, or says that its check is skipped.
fn real_model(file: &str) -> Option<ModelFiles> {
    let cache = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/speclora/models");
    let folder = std::env::var_os("SPECLORA_MODELS").map_or_else(cache, PathBuf::from);
    let path = folder.join(file);
    if !path.is_file() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(ModelFiles::open(&path).unwrap())
}

#[test]
fn gguf_tokenizers_give_the_ids_of_the_original() {
    for (file, fixture) in [
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "tokenizer/qwen2.5-coder.json"),
        ("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf", "tokenizer/qwen2.5-coder.json"),
        ("smollm2-135m-instruct-q4_1.gguf", "tokenizer/smollm2.json"),
    ] {
        let Some(model) = real_model(file) else { continue };
        let tokenizer = model.tokenizer().unwrap();
        for case in fixture_json(fixture).as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            let found = match case["add_special"].as_bool().unwrap() {
                true => tokenizer.encode_raw(text),
                false => tokenizer.encode_rendered(text),
            };
            assert_eq!(found.unwrap(), ids(&case["ids"]), "{file}: {text:?}");
        }
    }
}

#[test]
fn gguf_chat_prompts_equal_those_of_transformers() {
    for case in fixture_json("chat/gguf.json").as_array().unwrap() {
        let Some(model) = real_model(case["model_file"].as_str().unwrap()) else { continue };
        let tokenizer = model.tokenizer().unwrap();
        let messages: &[Value] = case["messages"].as_array().unwrap();
        let template = tokenizer.chat_template().unwrap();
        let rendered = match case["add_generation_prompt"].as_bool().unwrap() {
            true => template.open_conversation(messages),
            false => template.conversation(messages),
        };
        assert_eq!(rendered.unwrap(), case["expected"].as_str().unwrap(), "{}", case["name"]);
    }
}

/// The most likely next token at every position of a text, against llama.cpp's, which rounds activations as the CPU engine
/// does, and against transformers' on the dequantised weights in f32.
#[test]
fn next_tokens_agree_with_other_implementations() {
    for name in [
        "smollm2-135m-instruct-q4_1",
        "qwen2.5-coder-0.5b-instruct-q4_k_m",
        "qwen2.5-coder-1.5b-instruct-q4_k_m",
    ] {
        let reference = fixture_json(&format!("top1/{name}.json"));
        let Some(files) = real_model(reference["model_file"].as_str().unwrap()) else { continue };
        let tokens = ids(&reference["tokens"]);
        let options = DecoderOptions::with_capacity(tokens.len());
        let cpu = CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).unwrap();
        check_next_tokens(name, &reference, &tokens, &mut cpu.decoder(options));
        // Candle's forward is slow, and the smallest model shows whether it is right.
        if name.starts_with("smollm2") {
            let tensor = TensorModel::load(&files, |_, _| ()).unwrap();
            check_next_tokens(name, &reference, &tokens, &mut tensor.decoder(options).unwrap());
        }
    }
}

fn check_next_tokens(name: &str, reference: &Value, tokens: &[u32], decoder: &mut dyn Decoder) {
    let logits = decoder.forward(tokens, Rows::All).unwrap();
    let found: Vec<u32> = (0..tokens.len()).map(|row| argmax(logits.row(row))).collect();
    let agreements = ["top1", "top1_f32"].map(|key| {
        let expected = ids(&reference[key]);
        let agreeing = found.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
        let agreement = agreeing as f64 / tokens.len() as f64;
        eprintln!("{name}, {key}: {agreeing} of {} agree ({:.2} %)", tokens.len(), 100.0 * agreement);
        agreement
    });
    // The two references differ from each other at 4 % of the positions of the smallest model.
    assert!(agreements[0].max(agreements[1]) >= 0.97 && agreements[0].min(agreements[1]) >= 0.95, "{name}");
    // Where the second choice is far behind, every implementation makes the same.
    let expected = ids(&reference["top1_f32"]);
    let margins = reference["margin_f32"].as_array().unwrap();
    for (position, margin) in margins.iter().enumerate().filter(|(_, margin)| margin.as_f64().unwrap() > 0.5)
    {
        assert_eq!(found[position], expected[position], "{name}, position {position}, margin {margin}");
    }
}

/// Greedy output with a draft equals output without one, byte for byte, for every number of drafted tokens.
#[test]
fn speculation_with_real_models_is_lossless() {
    let open = |file: &str| {
        real_model(file).map(|files| CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).unwrap())
    };
    let target = open("qwen2.5-coder-1.5b-instruct-q4_k_m.gguf");
    let draft = open("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf");
    let (Some(target), Some(draft)) = (target, draft) else { return };
    let options = DecoderOptions::with_capacity(256);
    let (mut target, mut draft) = (target.decoder(options), draft.decoder(options));
    let cancel = AtomicBool::new(false);
    let prompt: Vec<u32> =
        ids(&fixture_json("top1/qwen2.5-coder-1.5b-instruct-q4_k_m.json")["tokens"])[..60].to_vec();
    let request = Request {
        prompt: &prompt,
        max_tokens: 48,
        context_length: 256,
        stop_tokens: &[151_643, 151_645],
        sampling: Sampling::GREEDY,
        seed: 0,
        started: Instant::now(),
        cancel: &cancel,
    };
    let alone = decode_target_only(&mut target, &request).unwrap();
    for num_draft_tokens in [1, 2, 3, 4, 5, 8, 12, 16] {
        let together = decode_speculative(&mut target, &mut draft, num_draft_tokens, &request).unwrap();
        assert_eq!(together.tokens, alone.tokens, "K = {num_draft_tokens}");
    }
}

/// Teacher-forced over 2,200 positions of prose and Rust: the 1.5B's rounded activations against the dequantised weights in
/// f32. Perplexity within 1 %.
#[test]
fn quality_is_that_of_the_dequantised_weights() {
    let reference = fixture_json("quality/qwen2.5-coder-1.5b-instruct-q4_k_m.json");
    let Some(files) = real_model(reference["model_file"].as_str().unwrap()) else { return };
    let tokens = ids(&reference["tokens"]);
    let model = CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).unwrap();
    let mut decoder = model.decoder(DecoderOptions::with_capacity(tokens.len()));
    let (mut top1, mut nll) = (vec![], 0.0);
    for (start, pass) in (0..).step_by(256).zip(tokens.chunks(256)) {
        let logits = decoder.forward(pass, Rows::All).unwrap();
        for row in 0..pass.len() {
            let logits = logits.row(row);
            top1.push(argmax(logits));
            if let Some(&next) = tokens.get(start + row + 1) {
                nll += negative_log_likelihood(logits, next);
            }
        }
    }
    let expected = ids(&reference["top1"]);
    let agreeing = top1.iter().zip(&expected).filter(|(found, expected)| found == expected).count();
    let agreement = agreeing as f64 / tokens.len() as f64;
    let reference_nll: f64 =
        reference["nll"].as_array().unwrap().iter().map(|nll| nll.as_f64().unwrap()).sum();
    let count = (tokens.len() - 1) as f64;
    let (found, expected) = ((nll / count).exp(), (reference_nll / count).exp());
    eprintln!(
        "{} positions: {:.2} % agree; perplexity {found:.4}, f32 {expected:.4}",
        tokens.len(),
        100.0 * agreement
    );
    assert!(agreement >= 0.97, "{agreement}");
    assert!((found / expected - 1.0).abs() < 0.01, "perplexity {found}, f32 {expected}");
}

/// −ln softmax(logits)\[token\].
fn negative_log_likelihood(logits: &[f32], token: u32) -> f64 {
    let largest = f64::from(logits[argmax(logits) as usize]);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - largest).exp()).sum();
    sum.ln() - (f64::from(logits[token as usize]) - largest)
}
