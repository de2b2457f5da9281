//! The CPU engine against transformers and peft, against candle's forward, and against itself: any cut into passes, any
//! backend, any number of threads.

use speclora::engine::adapter::{Adapter, read_peft_folder};
use speclora::engine::cpu::{Backend, CpuModel, LoadOptions};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;
use speclora::engine::tensor::TensorModel;
use speclora::record::Quantization;

use crate::engine::{MODELS, expected, largest_difference, logits};
use crate::fixture;

const CAPACITY: usize = 128;
/// Largest difference from the reference's f32 logits, which are within 1.1e-5 of f64.
const TOLERANCE: f32 = 1e-4;

fn load(case: &str, backend: Backend) -> CpuModel {
    let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
    CpuModel::load(&files, LoadOptions { backend, ..LoadOptions::detect() }, |_, _| ()).unwrap()
}

fn options(adapter: Option<&Adapter>) -> DecoderOptions<'_> {
    DecoderOptions { adapter, ..DecoderOptions::with_capacity(CAPACITY) }
}

#[test]
fn logits_equal_those_of_transformers() {
    for case in MODELS {
        let (tokens, reference) = expected(&format!("models/{case}"));
        let mut decoder = load(case, Backend::detect()).decoder(options(None));
        let found = logits(&mut decoder, &tokens, tokens.len());
        let difference = largest_difference(&found, &reference);
        assert!(difference <= TOLERANCE, "{case}: max |Δ| = {difference}");
    }
}

#[test]
fn logits_have_the_same_bits_however_tokens_are_cut_into_passes() {
    for case in MODELS {
        let tokens: Vec<u32> = (0..100).map(|i| (i * 37 + 11) % 128).collect();
        let model = load(case, Backend::detect());
        let steps = logits(&mut model.decoder(options(None)), &tokens, 1);
        for pass_len in [2, 5, 9, 17, 100] {
            let passes = logits(&mut model.decoder(options(None)), &tokens, pass_len);
            assert!(steps == passes, "{case}: passes of {pass_len} differ from single steps");
        }
    }
}

#[test]
fn every_backend_gives_the_bits_of_the_reference() {
    for case in ["llama-untied", "qwen2-untied-sharded-bf16", "qwen3-tied", "llama-f16"] {
        let (tokens, _) = expected(&format!("models/{case}"));
        let run = |backend| logits(&mut load(case, backend).decoder(options(None)), &tokens, 5);
        let reference = run(Backend::Scalar);
        for backend in Backend::available() {
            assert!(run(backend) == reference, "{case} on {backend}");
        }
    }
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
        let model = load(base, Backend::detect());
        let record = read_peft_folder(&fixture(&folder)).unwrap();
        let adapter = Adapter::fit(&record, model.config()).unwrap();
        let found = logits(&mut model.decoder(options(Some(&adapter))), &tokens, tokens.len());
        let difference = largest_difference(&found, &reference);
        assert!(difference <= TOLERANCE, "{case}: max |Δ| = {difference}");
    }
}

#[test]
fn a_truncated_cache_continues_like_a_fresh_one() {
    for case in MODELS {
        let (tokens, _) = expected(&format!("models/{case}"));
        let model = load(case, Backend::detect());
        let mut decoder = model.decoder(options(None));
        decoder.forward(&tokens, Rows::Last).unwrap();
        decoder.truncate(9);
        let other: Vec<u32> = tokens.iter().rev().copied().collect();
        let continued = logits(&mut decoder, &other, other.len());
        let fresh_tokens = [&tokens[..9], &other[..]].concat();
        let fresh = logits(&mut model.decoder(options(None)), &fresh_tokens, 3);
        assert!(continued == fresh[9 * 128..], "{case}");
    }
}

/// The logits of tokens that a head over a part of the vocabulary has; the others must be −∞.
fn known(logits: &[f32], row_len: usize, tokens: &[u32]) -> Vec<f32> {
    let rows = logits.chunks_exact(row_len);
    rows.flat_map(|row| {
        let num_finite = row.iter().filter(|logit| **logit != f32::NEG_INFINITY).count();
        assert_eq!(num_finite, tokens.len(), "no other token has a logit");
        tokens.iter().map(|&token| row[token as usize]).collect::<Vec<_>>()
    })
    .collect()
}

#[test]
fn a_head_over_a_part_of_the_vocabulary_has_the_logits_of_its_tokens_and_of_those_it_met() {
    for case in ["llama-untied", "qwen2-tied", "llama-f16"] {
        let whole = load(case, Backend::detect());
        let part = whole.with_vocabulary(&[100, 3, 64]).unwrap();
        let (mut whole, mut part) = (whole.decoder(options(None)), part.decoder(options(None)));
        // What is left of the text before, what comes after it, and which tokens have been met then.
        let passes = [
            (0, &[7, 3, 99, 7][..], &[7, 99][..]),
            (2, &[20, 21], &[7, 20, 21]),
            (3, &[8], &[7, 8, 20]),
            (0, &[21, 22], &[21, 22]),
        ];
        for (len, text, met) in passes {
            whole.truncate(len);
            part.truncate(len);
            let mut tokens = [&[3, 64, 100], met].concat();
            tokens.sort_unstable();
            let (whole, part) = (logits(&mut whole, text, text.len()), logits(&mut part, text, text.len()));
            let expected: Vec<f32> = whole
                .chunks_exact(128)
                .flat_map(|row| tokens.iter().map(|&token| row[token as usize]))
                .collect();
            assert!(known(&part, 128, &tokens) == expected, "{case} after {text:?}");
        }
    }
}

#[test]
fn a_vocabulary_with_a_token_that_has_no_row_is_refused() {
    let error = load("llama-untied", Backend::detect()).with_vocabulary(&[3, 128]).unwrap_err();
    assert!(error.to_string().contains("128"), "{error}");
}

#[test]
fn rounded_weights_are_near_and_the_same_on_every_backend() {
    for case in ["llama-untied", "llama-f16"] {
        let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
        let tokens: Vec<u32> = (0..40).map(|i| (i * 37 + 11) % 128).collect();
        let run = |backend, quantization| {
            let options = LoadOptions { backend, quantization, vocabulary: None };
            let model = CpuModel::load(&files, options, |_, _| ()).unwrap();
            (model.step_bytes(), logits(&mut model.decoder(self::options(None)), &tokens, 5))
        };
        let (whole_bytes, whole) = run(Backend::detect(), None);
        let (bytes, rounded) = run(Backend::detect(), Some(Quantization::Q4_0));
        assert!(bytes * 3 < whole_bytes, "{case}: {bytes} of {whole_bytes} bytes");
        let error = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
        let relative = (error(&rounded, &whole) / error(&whole, &vec![0.0; whole.len()])).sqrt();
        assert!((0.001..0.5).contains(&relative), "{case}: relative error {relative}");
        for backend in Backend::available() {
            assert!(run(backend, Some(Quantization::Q4_0)).1 == rounded, "{case} on {backend}");
        }
    }
}

#[test]
fn hidden_states_are_those_of_candles_forward_however_tokens_are_cut() {
    for case in ["llama-untied", "qwen2-tied", "qwen3-tied"] {
        let (tokens, _) = expected(&format!("models/{case}"));
        let model = load(case, Backend::detect());
        let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
        let reference = TensorModel::load(&files, |_, _| ()).unwrap();
        let last = model.config().num_layers - 1;
        let options = DecoderOptions { hidden_layers: &[0, last], ..options(None) };
        let (mut decoder, mut reference) = (model.decoder(options), reference.decoder(options).unwrap());
        reference.forward(&tokens, Rows::Last).unwrap();
        for layer in [0, last] {
            let expected = reference.hidden_states(layer).unwrap().to_vec();
            for pass_len in [1, 7, tokens.len()] {
                decoder.truncate(0);
                let mut found = vec![];
                for pass in tokens.chunks(pass_len) {
                    decoder.forward(pass, Rows::Last).unwrap();
                    found.extend_from_slice(decoder.hidden_states(layer).unwrap());
                }
                let difference = largest_difference(&found, &expected);
                assert!(difference <= TOLERANCE, "{case}, layer {layer}: max |Δ| = {difference}");
            }
        }
        assert!(decoder.hidden_states(last + 1).is_none());
    }
}
