//! Checks on real GGUF files, where they are: in `$SPECLORA_MODELS`, or `~/.cache/speclora/models`.
//!
//! A file that is not there skips its part of a test, and the test says so.

use std::path::PathBuf;

use serde_json::Value;
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::sampling::argmax;
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

/// The most likely next token at every position of a text, against llama.cpp's, which rounds activations as this engine
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
        let model = TensorModel::load(&files, |_, _| ()).unwrap();
        let mut decoder = model
            .decoder(DecoderOptions { capacity: tokens.len(), vocab_size: usize::MAX, adapter: None })
            .unwrap();
        let logits = decoder.forward(&tokens, Rows::All).unwrap();
        for (key, floor) in [("top1", 0.95), ("top1_f32", 0.97)] {
            let expected = ids(&reference[key]);
            let agreeing = (0..tokens.len()).filter(|&row| argmax(logits.row(row)) == expected[row]).count();
            let agreement = agreeing as f64 / tokens.len() as f64;
            eprintln!("{name}, {key}: {agreeing} of {} agree ({:.2} %)", tokens.len(), 100.0 * agreement);
            assert!(agreement >= floor, "{name}, {key}: {agreement}");
        }
    }
}
