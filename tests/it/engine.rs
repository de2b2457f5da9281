//! The decoder against transformers and peft, on tiny random models of every family.

use safetensors::SafeTensors;
use speclora::engine::adapter::{Adapter, read_peft_folder};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::tensor::TensorModel;

use crate::fixture;

const CAPACITY: usize = 128;
/// Largest difference from the reference's f32 logits, which are within 1.1e-5 of f64.
const TOLERANCE: f32 = 1e-4;

const MODELS: [&str; 10] = [
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
    DecoderOptions { capacity: CAPACITY, vocab_size: usize::MAX, adapter }
}

fn model(case: &str) -> TensorModel {
    let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
    TensorModel::load(&files, |_, _| ()).unwrap()
}

/// Input ids and logits `[T, vocab]` that the reference computed.
fn expected(folder: &str) -> (Vec<u32>, Vec<f32>) {
    let bytes = std::fs::read(fixture(folder).join("expected.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let ids = tensors.tensor("input_ids").unwrap();
    let ids = ids.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as u32);
    let logits = tensors.tensor("logits").unwrap();
    let logits = logits.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
    (ids.collect(), logits.collect())
}

/// Logits of all positions, row after row, with `tokens` cut into passes of `pass_len`.
fn logits(decoder: &mut dyn Decoder, tokens: &[u32], pass_len: usize) -> Vec<f32> {
    let mut all = Vec::new();
    for pass in tokens.chunks(pass_len) {
        let logits = decoder.forward(pass, Rows::All).unwrap();
        (0..logits.num_rows()).for_each(|row| all.extend_from_slice(logits.row(row)));
    }
    all
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
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
    assert_eq!((last.num_rows(), decoder.len()), (1, 530));
    assert!(largest_difference(last.last(), &steps[529 * 128..]) <= TOLERANCE);
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
    let all = model.decoder(options(None)).unwrap().forward(&tokens, Rows::All).unwrap();
    let last = model.decoder(options(None)).unwrap().forward(&tokens, Rows::Last).unwrap();
    assert_eq!(last.num_rows(), 1);
    assert_eq!(last.last(), all.last());
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
