//! The CPU engine against transformers and peft, against candle's forward, and against itself: any cut into passes, any
//! backend, any number of threads.

use speclora::engine::adapter::{Adapter, read_peft_folder};
use speclora::engine::cpu::{Backend, CpuModel};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;

use crate::engine::{MODELS, expected, largest_difference, logits};
use crate::fixture;

const CAPACITY: usize = 128;
/// Largest difference from the reference's f32 logits, which are within 1.1e-5 of f64.
const TOLERANCE: f32 = 1e-4;

fn load(case: &str, backend: Backend) -> CpuModel {
    let files = ModelFiles::open(&fixture("models").join(case)).unwrap();
    CpuModel::load(&files, backend, |_, _| ()).unwrap()
}

fn options(adapter: Option<&Adapter>) -> DecoderOptions<'_> {
    DecoderOptions { capacity: CAPACITY, vocab_size: usize::MAX, adapter }
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
        for &backend in Backend::ALL.iter().filter(|backend| backend.is_available()) {
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
