//! How fast the CPU engine is, and how near to what this machine's memory allows.
//!
//! ```console
//! cargo bench --bench engine
//! ENGINE_BENCH_MODEL=model.gguf cargo bench --bench engine -- 'read|decode_step|verify_pass|prompt'
//! ```
//!
//! Throughput is bytes of weights: a pass's over that of `read`, from the same run on an idle machine, is the share of
//! the memory's bandwidth that the pass uses. `linear` needs no model: its weights are random, in the shapes and types of
//! Qwen2.5-Coder 1.5B as Q4_K_M. The groups that need a model take the GGUF file that `ENGINE_BENCH_MODEL` names, and
//! are left out without one.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use speclora::engine::cpu::bench::{GgmlDType, Memory, RandomLinear};
use speclora::engine::cpu::{CpuDecoder, CpuModel, LoadOptions};
use speclora::engine::decoder::{Decoder, DecoderOptions, Rows};
use speclora::engine::files::ModelFiles;

/// Matrices of Qwen2.5-Coder 1.5B: `[out, in]`. Half of the values and down projections are Q6_K.
const LINEARS: [(&str, GgmlDType, [usize; 2]); 7] = [
    ("q_o", GgmlDType::Q4K, [1536, 1536]),
    ("k_v", GgmlDType::Q4K, [256, 1536]),
    ("v_q6", GgmlDType::Q6K, [256, 1536]),
    ("gate_up", GgmlDType::Q4K, [8960, 1536]),
    ("down", GgmlDType::Q4K, [1536, 8960]),
    ("down_q6", GgmlDType::Q6K, [1536, 8960]),
    ("head", GgmlDType::Q6K, [151_936, 1536]),
];
/// More than a processor's last cache holds.
const DISTINCT_BYTES: usize = 128 << 20;
/// Bytes of weights that a step of that model reads.
const STEP_BYTES: usize = 979_000_000;
/// Positions before the pass that is timed.
const CONTEXT: usize = 200;
/// Rows of activations in a long prompt's pass.
const PROMPT: usize = 512;

/// What this machine's memory gives, as plain as can be and with the products' way of asking in advance.
fn read(criterion: &mut Criterion) {
    let memory = Memory::new(STEP_BYTES);
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Bytes(memory.size_bytes() as u64));
    group.bench_function("plain", |bencher| bencher.iter(|| memory.read::<false>()));
    group.bench_function("prefetched", |bencher| bencher.iter(|| memory.read::<true>()));
}

fn linear(criterion: &mut Criterion) {
    for (name, dtype, shape) in LINEARS {
        let mut linear = RandomLinear::new(dtype, shape, DISTINCT_BYTES);
        let mut group = criterion.benchmark_group(format!("linear/{name}"));
        group.throughput(Throughput::Bytes(linear.size_bytes() as u64));
        for num_rows in [1, 2, 4, 5, 8, 16, PROMPT] {
            if name == "head" && num_rows == PROMPT {
                // Of a prompt, only the last row is asked for its logits.
                continue;
            }
            linear.set_num_rows(num_rows);
            group.bench_function(BenchmarkId::from_parameter(num_rows), |bencher| {
                bencher.iter(|| linear.apply());
            });
        }
    }
}

/// Whole passes of a model.
fn passes(criterion: &mut Criterion) {
    let Some(path) = std::env::var_os("ENGINE_BENCH_MODEL") else {
        #[expect(clippy::print_stderr, reason = "a benchmark that is left out says so")]
        {
            eprintln!("ENGINE_BENCH_MODEL names no model: decode_step, verify_pass and prompt are skipped");
        }
        return;
    };
    let files = ModelFiles::open(Path::new(&path)).expect("ENGINE_BENCH_MODEL is a model");
    let model = CpuModel::load(&files, LoadOptions::detect(), |_, _| ()).expect("its weights load");
    let vocab_size = model.config().vocab_size;
    let mut decoder =
        model.decoder(DecoderOptions { vocab_size, ..DecoderOptions::with_capacity(CONTEXT + PROMPT) });
    let tokens: Vec<u32> = (0..PROMPT as u32).map(|index| index * 31 % vocab_size as u32).collect();
    let bytes = Throughput::Bytes(model.step_bytes() as u64);

    decoder.forward(&tokens[..CONTEXT], Rows::Last).expect("the context fits");
    let mut group = criterion.benchmark_group("decode_step");
    group.throughput(bytes.clone());
    group.bench_function("1", |bencher| bencher.iter(|| pass(&mut decoder, &tokens[..1], Rows::Last)));
    group.finish();

    let mut group = criterion.benchmark_group("verify_pass");
    group.throughput(bytes);
    for num_tokens in [5, 8] {
        group.bench_function(BenchmarkId::from_parameter(num_tokens), |bencher| {
            bencher.iter(|| pass(&mut decoder, &tokens[..num_tokens], Rows::All));
        });
    }
    group.finish();

    decoder.truncate(0);
    let mut group = criterion.benchmark_group("prompt");
    group.throughput(Throughput::Elements(PROMPT as u64));
    group.bench_function(BenchmarkId::from_parameter(PROMPT), |bencher| {
        bencher.iter(|| pass(&mut decoder, &tokens, Rows::Last));
    });
}

/// One pass, which the decoder then forgets.
fn pass(decoder: &mut CpuDecoder, tokens: &[u32], rows: Rows) {
    let len = decoder.len();
    black_box(decoder.forward(tokens, rows).expect("the pass fits"));
    decoder.truncate(len);
}

fn settings() -> Criterion {
    let short = Duration::from_millis(300);
    Criterion::default().sample_size(20).warm_up_time(short).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = engine; config = settings(); targets = read, linear, passes }
criterion_main!(engine);
