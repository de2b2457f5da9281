//! GGUF files that are damaged, or made to do harm: each is an error, none a panic.

use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use speclora::engine::files::{ModelFiles, NoMemo};
use speclora::engine::tensor::TensorModel;

use super::{Source, gguf};
use crate::program::Workspace;

/// Opens and loads a file that must be refused with this message.
fn check_refused(what: &str, path: &Path, expected: &str) {
    let outcome = ModelFiles::open(path).and_then(|files| {
        files.info(&files.tokenizer()?, &mut NoMemo)?;
        TensorModel::load(&files, |_, _| ())
    });
    let error = outcome.expect_err(what).to_string();
    assert!(error.contains(expected), "{what}: {error}");
}

#[test]
fn metadata_that_cannot_be_true_or_has_another_type_is_an_error() {
    let workspace = Workspace::new();
    let path = workspace.path("hostile.gguf");
    let source = Source::fixture("llama-tied");
    let text = |text: &str| Value::String(text.to_owned());
    let huge = Value::U64(1 << 60);
    let missing = Value::Array(vec![]);
    for (key, value, expected) in [
        ("general.alignment", Value::U32(0), "general.alignment must be a power of two"),
        ("general.alignment", Value::U32(48), "general.alignment must be a power of two"),
        ("general.alignment", text("32"), "general.alignment must be a power of two"),
        ("general.name", Value::U32(1), "general.name is not a text"),
        ("llama.attention.key_length", huge.clone(), "head size must be at most"),
        ("llama.attention.key_length", Value::I32(-8), "key_length is not a whole number"),
        ("llama.attention.key_length", Value::U32(7), "head size 7 is odd"),
        ("llama.attention.value_length", Value::U32(4), "value_length is 4, heads of 8"),
        ("llama.rope.dimension_count", Value::U32(4), "dimension_count is 4, heads of 8"),
        ("llama.context_length", Value::U64(1 << 32), "context length must be between 1 and 4294967295"),
        ("llama.context_length", Value::U32(0), "context length must be between 1"),
        ("llama.block_count", huge.clone(), "number of layers must be between 1"),
        ("llama.block_count", Value::U32(3), "tensor model.layers.2."),
        ("llama.embedding_length", huge.clone(), "hidden size must be between 1"),
        ("llama.embedding_length", Value::U32(64), "[128, 32], [128, 64] was expected"),
        ("llama.feed_forward_length", huge.clone(), "intermediate size must be between 1"),
        ("llama.attention.head_count", huge, "number of heads must be between 1"),
        ("llama.attention.head_count", Value::U32(0), "number of heads must be between 1"),
        ("llama.attention.head_count_kv", Value::U32(3), "4 heads cannot share 3"),
        ("llama.attention.head_count_kv", Value::U32(4), "[16, 32], [32, 32] was expected"),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(f32::NAN), "epsilon"),
        ("llama.rope.freq_base", Value::U32(10_000), "rope.freq_base is not a number with a fraction"),
        ("llama.rope.freq_base", Value::F32(0.0), "a rotary frequency is inf"),
        ("llama.rope.scaling.type", Value::U32(1), "rope.scaling.type is not a text"),
        ("llama.rope.scaling.type", text("linear"), "rope.scaling.factor is missing"),
        ("llama.rope.scaling.type", text("yarn"), "rotary scaling yarn is not supported"),
        ("llama.rope.scaling.factor", text("2"), "rope.scaling.factor is not a number"),
        ("llama.rope.scaling.factor", Value::F32(0.0), "a rotary frequency is inf"),
        ("llama.expert_count", text("8"), "expert_count is not a whole number"),
        ("tokenizer.ggml.token_type", Value::Array(vec![text("1")]), "token_type is not a list of whole"),
        ("tokenizer.ggml.token_type", missing.clone(), "token_type has 0 values for 128 tokens"),
        ("tokenizer.ggml.scores", Value::U32(1), "scores is not a list of numbers"),
        ("tokenizer.ggml.merges", Value::U32(1), "merges is not a list of texts"),
        ("tokenizer.ggml.tokens", Value::U32(1), "tokens is not a list of texts"),
        ("tokenizer.ggml.eos_token_id", text("2"), "eos_token_id is not a whole number"),
        ("tokenizer.ggml.eos_token_id", Value::U32(128), "eos_token_id is 128, the vocabulary has 128"),
        ("tokenizer.ggml.add_bos_token", Value::U32(1), "add_bos_token is not true or false"),
        ("tokenizer.ggml.model", text("llama"), "tokenizer.ggml.scores is missing"),
        ("tokenizer.chat_template", Value::U32(1), "chat_template is not a text"),
    ] {
        let mut metadata = source.metadata();
        metadata.insert(key.to_owned(), value.clone());
        source.write_with(&metadata, GgmlDType::F32, &path);
        check_refused(&format!("{key} = {value:?}"), &path, expected);
    }
}

/// A file with other bytes at a distance from a tensor's name.
fn patched(file: &[u8], name: &str, distance: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let start = file.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
    let start = start + name.len() + distance;
    file[start..start + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn hostile_gguf_files_are_errors() {
    let workspace = Workspace::new();
    let whole = std::fs::read(gguf(&workspace, "llama-tied", GgmlDType::F32)).unwrap();
    let path = workspace.path("hostile.gguf");
    // After a tensor's name: number of dimensions, the two dimensions (inner first), type, offset.
    let (rank, dims, dtype, offset) = (0, 4, 20, 24);
    let dimensions = |inner: u64, outer: u64| [inner.to_le_bytes(), outer.to_le_bytes()].concat();
    for (what, name, at, bytes, expected) in [
        (
            "a product of 2^66",
            "token_embd.weight",
            dims,
            dimensions(1 << 33, 1 << 33),
            "larger than any file",
        ),
        ("a size of 2^65", "token_embd.weight", dims, dimensions(1 << 31, 1 << 32), "larger than any file"),
        (
            "a size of 2^40",
            "token_embd.weight",
            dims,
            dimensions(32, 1 << 33),
            "truncated: tensor token_embd",
        ),
        ("no rows", "token_embd.weight", dims, dimensions(32, 0), "[0, 32], which is empty"),
        ("no columns", "blk.0.attn_q.weight", dims, dimensions(0, 32), "[32, 0], which is empty"),
        ("fewer rows", "blk.0.attn_q.weight", dims, dimensions(32, 31), "[31, 32], [32, 32] was expected"),
        (
            "no multiple of heads",
            "blk.0.attn_k.weight",
            dims,
            dimensions(16, 31),
            "[31, 16], [16, 32] was expected",
        ),
        ("rank 2^32 - 1", "blk.0.attn_q.weight", rank, vec![255; 4], "4294967295 dimensions"),
        (
            "another type",
            "blk.0.attn_q.weight",
            dtype,
            vec![23, 0, 0, 0],
            "attn_q.weight is IQ4_XS; supported types",
        ),
        ("no type", "blk.0.attn_q.weight", dtype, vec![99, 0, 0, 0], "attn_q.weight is of type 99"),
        ("a wide block", "blk.0.attn_q.weight", dtype, vec![12, 0, 0, 0], "not whole Q4_K blocks of 256"),
        ("an odd offset", "blk.0.attn_q.weight", offset, vec![1], "which is no multiple of 32"),
        (
            "an offset of 2^63",
            "blk.0.attn_q.weight",
            offset + 7,
            vec![0x80],
            "truncated: tensor blk.0.attn_q",
        ),
        (
            "an offset of -32",
            "blk.0.attn_q.weight",
            offset,
            (-32i64).to_le_bytes().to_vec(),
            "larger than any file",
        ),
    ] {
        std::fs::write(&path, patched(&whole, name, at, &bytes)).unwrap();
        check_refused(what, &path, expected);
    }
}

#[test]
fn tensors_without_or_with_many_dimensions_are_errors() {
    let workspace = Workspace::new();
    let path = workspace.path("hostile.gguf");
    let source = Source::fixture("llama-tied");
    let metadata = source.metadata();
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let write = |shape: &[usize]| {
        let tensor = Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
        let tensor = QTensor::quantize(&tensor, GgmlDType::F32).unwrap();
        let mut file = std::fs::File::create(&path).unwrap();
        gguf_file::write(&mut file, &metadata, &[("only.weight", &tensor)]).unwrap();
    };
    write(&[2, 2, 32]);
    check_refused("rank 3", &path, "tensor only.weight has 3 dimensions");
    // Without its dimension, the size of 1 is read as the type.
    write(&[1]);
    let file = patched(&std::fs::read(&path).unwrap(), "only.weight", 0, &[0]);
    std::fs::write(&path, file).unwrap();
    check_refused("rank 0", &path, "tensor only.weight has 0 dimensions");
}

#[test]
fn a_header_that_is_cut_anywhere_is_an_error() {
    let workspace = Workspace::new();
    let whole = std::fs::read(gguf(&workspace, "llama-tied", GgmlDType::F32)).unwrap();
    let path = workspace.path("cut.gguf");
    for len in (4..whole.len()).step_by(499) {
        std::fs::write(&path, &whole[..len]).unwrap();
        check_refused(&format!("{len} bytes"), &path, "truncated");
    }
    for (what, at, bytes, expected) in [
        ("version 1", 4, &[1, 0, 0, 0][..], "GGUF version 1 is not supported"),
        ("big-endian", 4, &[0, 0, 0, 3], "big-endian GGUF is not supported"),
        ("2^64 - 1 tensors", 8, &[255; 8], "damaged or truncated"),
        ("2^64 - 1 values", 16, &[255; 8], "damaged or truncated"),
        ("a key of 2^64 - 1 bytes", 24, &[255; 8], "damaged or truncated"),
    ] {
        let mut file = whole.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        std::fs::write(&path, file).unwrap();
        check_refused(what, &path, expected);
    }
}
