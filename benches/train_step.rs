//! How long one gradient of an adapter takes, and the memory that it needs: what `beside_pytorch.py` sets beside PyTorch.
//!
//! ```console
//! cargo bench --bench train_step -- MODEL.gguf TOKENS OUTPUTS REPEATS
//! ```
//!
//! One sequence of TOKENS positions, of which the last OUTPUTS have a loss: forward KL to 64 likeliest tokens and the rest,
//! the softmax over the whole vocabulary. Rank 8 on q_proj and v_proj. Prints one JSON object: seconds of each repetition,
//! and the largest resident size in bytes, loading included.

use std::path::Path;
use std::time::Instant;

use speclora::engine::adapter::{Adapter, LoraWeights};
use speclora::engine::config::Module;
use speclora::engine::cpu::training::{Batch, GradientOptions, Judged, Sequence, TrainingModel, Wanted};
use speclora::engine::cpu::{CpuModel, LoadOptions};
use speclora::engine::files::ModelFiles;

const RANK: usize = 8;
const TOP_K: u32 = 64;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it found")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [model, tokens, outputs, repeats] = &arguments[..] else {
        eprintln!("train_step is skipped: it takes MODEL.gguf TOKENS OUTPUTS REPEATS");
        return;
    };
    let number = |text: &str| text.parse::<usize>().expect("TOKENS, OUTPUTS and REPEATS are numbers");
    let seconds = time(Path::new(model), number(tokens), number(outputs), number(repeats));
    println!("{{\"seconds\": {seconds:?}, \"peak_bytes\": {}}}", peak_bytes());
}

fn time(path: &Path, num_tokens: usize, num_outputs: usize, repeats: usize) -> Vec<f64> {
    let files = ModelFiles::open(path).expect("there is a model");
    let model = CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).expect("its weights load");
    let model = TrainingModel::new(&model, usize::MAX);
    let config = model.config().clone();
    let vocab_size = config.vocab_size as u32;
    let tokens: Vec<u32> = (0..=num_tokens as u32).map(|index| index * 31 % vocab_size).collect();
    let (prompt, output) = tokens.split_at(tokens.len() - num_outputs);
    let batch = Batch::new(&[Sequence { prompt, output }]);
    let likeliest: Vec<Vec<u32>> =
        output.iter().map(|token| (0..TOP_K).map(|k| (token + k * 977) % vocab_size).collect()).collect();
    let wanted: Vec<Wanted> = likeliest.iter().map(|tokens| Wanted { tokens, temperature: 1.0 }).collect();
    let adapter = adapter(&config);
    let p = 0.9 / TOP_K as f32;
    let step = || {
        let began = Instant::now();
        let (losses, gradients) =
            model.gradients(&adapter, &batch, &wanted, GradientOptions::default(), |_, draft| {
                let kl: f32 = draft.log_probabilities.iter().map(|log_q| p * (p.ln() - log_q)).sum();
                let mut gradient = vec![-p; draft.log_probabilities.len()];
                gradient.push(-0.1);
                Judged { value: kl, gradient }
            });
        assert!(losses.iter().all(|loss| loss.is_finite()) && !gradients.layers.is_empty());
        began.elapsed().as_secs_f64()
    };
    step();
    (0..repeats).map(|_| step()).collect()
}

fn adapter(config: &speclora::engine::config::ModelConfig) -> Adapter {
    let value = |index: usize| ((index * 7919 % 1009) as f32 / 1009.0 - 0.5) * 0.02;
    let places =
        (0..config.num_layers).flat_map(|index| [Module::Query, Module::Value].map(|module| (index, module)));
    let layers = places.map(|place| {
        let [out, inside] = place.1.shape(config);
        let (a, b) = ((0..RANK * inside).map(value).collect(), (0..RANK * out).map(value).collect());
        (place, LoraWeights { rank: RANK, scale: 2.0, a, b })
    });
    Adapter::new(layers.collect())
}

/// The largest resident size of this process, where the system tells.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() * 1024
}
