//! GGUF: one file with metadata, tokenizer and weights.
//!
//! Tensors are named here as Hugging Face names them, and rotary weights are put in Hugging Face's order, so that the
//! decoder and every adapter see one layout.

use std::borrow::Cow;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use memmap2::Mmap;

use super::{RawTensor, dtype_name, map};
use crate::engine::config::{Family, ModelConfig, RopeScaling};
use crate::engine::error::{Error, Result};
use crate::engine::tokenizer::{Tokenizer, TokenizerParts};

/// Types of weights that this engine reads.
const SUPPORTED_DTYPES: [GgmlDType; 11] = [
    GgmlDType::F32,
    GgmlDType::F16,
    GgmlDType::BF16,
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
];

/// Per-pair divisors of the rotary frequencies, which Llama 3.1 files carry instead of scaling parameters.
const ROPE_FACTORS: &str = "rope_freqs.weight";

pub(super) struct GgufFile {
    path: PathBuf,
    content: Content,
    map: Mmap,
}

impl std::fmt::Debug for GgufFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GgufFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl GgufFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let map = map(path)?;
        if !map.starts_with(b"GGUF") {
            let problem = "not a GGUF file (it does not begin with \"GGUF\"; give a .gguf file or a Hugging Face folder)";
            return Err(Error::model(path, problem));
        }
        let content = Content::read(&mut Cursor::new(&map[..])).map_err(|error| {
            let cause = first_line(&error);
            Error::model(path, format!("damaged or truncated GGUF header: {cause} (fetch the file again)"))
        })?;
        let file = Self { path: path.to_owned(), content, map };
        for (name, info) in &file.content.tensor_infos {
            file.check_tensor(name, info)?;
        }
        Ok(file)
    }

    fn check_tensor(&self, name: &str, info: &TensorInfo) -> Result<()> {
        if !SUPPORTED_DTYPES.contains(&info.ggml_dtype) {
            let known: Vec<_> = SUPPORTED_DTYPES.iter().map(|&dtype| dtype_name(dtype)).collect();
            let found = dtype_name(info.ggml_dtype);
            let problem = format!("tensor {name} is {found}; supported types are {}", known.join(", "));
            return Err(self.error(problem));
        }
        let row = info.shape.dims().last().copied().unwrap_or(0);
        if !row.is_multiple_of(info.ggml_dtype.block_size()) {
            let (dtype, block) = (dtype_name(info.ggml_dtype), info.ggml_dtype.block_size());
            return Err(
                self.error(format!("rows of {row} in tensor {name} are not whole {dtype} blocks of {block}"))
            );
        }
        let range = self.byte_range(info);
        if range.end > self.map.len() {
            let (end, len) = (range.end, self.map.len());
            let problem = format!(
                "truncated: tensor {name} ends at byte {end}, the file at {len} (fetch the file again)"
            );
            return Err(self.error(problem));
        }
        Ok(())
    }

    fn byte_range(&self, info: &TensorInfo) -> Range<usize> {
        let num_blocks = info.shape.elem_count() / info.ggml_dtype.block_size();
        let start = self.content.tensor_data_offset.saturating_add(info.offset) as usize;
        start..start.saturating_add(num_blocks.saturating_mul(info.ggml_dtype.type_size()))
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::model(&self.path, problem)
    }

    pub(super) fn name(&self) -> Option<String> {
        self.content.metadata.get("general.name").and_then(|v| v.to_string().ok()).cloned()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        gguf_name(name).is_some_and(|name| self.content.tensor_infos.contains_key(&name))
    }

    pub(super) fn tensor_sizes(&self) -> Vec<(GgmlDType, u64)> {
        let infos = self.content.tensor_infos.values();
        infos.map(|info| (info.ggml_dtype, info.shape.elem_count() as u64)).collect()
    }

    pub(super) fn tensor(&self, name: &str, config: &ModelConfig) -> Result<RawTensor<'_>> {
        let missing = || self.error(format!("tensor {name} is missing"));
        let info = gguf_name(name).and_then(|n| self.content.tensor_infos.get(&n)).ok_or_else(missing)?;
        let shape = info.shape.dims().to_vec();
        let bytes = &self.map[self.byte_range(info)];
        let heads = match name {
            _ if config.family != Family::Llama => None,
            _ if name.contains(".q_proj.") => Some(config.num_heads),
            _ if name.contains(".k_proj.") => Some(config.num_kv_heads),
            _ => None,
        };
        let data = match heads {
            Some(heads) if shape[0].is_multiple_of(2 * heads) => {
                Cow::Owned(separate_rotary_halves(bytes, shape[0], heads))
            }
            _ => Cow::Borrowed(bytes),
        };
        Ok(RawTensor { dtype: info.ggml_dtype, shape, data })
    }

    pub(super) fn config(&self) -> Result<ModelConfig> {
        let architecture = self.text("general.architecture")?;
        let family = match architecture.as_str() {
            "llama" => Family::Llama,
            "qwen2" => Family::Qwen2,
            "qwen3" => Family::Qwen3,
            _ => {
                let problem =
                    format!("architecture {architecture} is not supported (llama, qwen2 and qwen3 are)");
                return Err(self.error(problem));
            }
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str| self.number(&key(name));
        if self.content.metadata.contains_key(&key("expert_count")) && number("expert_count")? > 0 {
            return Err(self.error("mixture-of-experts models are not supported"));
        }
        let hidden_size = number("embedding_length")?;
        let num_heads = number("attention.head_count")?;
        let head_dim = match self.content.metadata.contains_key(&key("attention.key_length")) {
            true => number("attention.key_length")?,
            false => hidden_size.checked_div(num_heads).unwrap_or(0),
        };
        let embedding = self.content.tensor_infos.get("token_embd.weight");
        let context_length = number("context_length")?;
        let window = match self.content.metadata.contains_key(&key("attention.sliding_window")) {
            true => number("attention.sliding_window")?,
            false => 0,
        };
        Ok(ModelConfig {
            family,
            num_layers: number("block_count")?,
            hidden_size,
            intermediate_size: number("feed_forward_length")?,
            num_heads,
            num_kv_heads: match self.content.metadata.contains_key(&key("attention.head_count_kv")) {
                true => number("attention.head_count_kv")?,
                false => num_heads,
            },
            head_dim,
            vocab_size: embedding
                .and_then(|info| info.shape.dims().first().copied())
                .ok_or_else(|| self.error("tensor token_embd.weight is missing"))?,
            context_length: if window > 0 { context_length.min(window) } else { context_length },
            rms_norm_eps: f64::from(
                self.metadata(&key("attention.layer_norm_rms_epsilon"))?.to_f32().map_err(|error| {
                    self.error(format!("{}: {}", key("attention.layer_norm_rms_epsilon"), first_line(&error)))
                })?,
            ),
            rope_frequencies: self.rope_frequencies(&architecture, head_dim)?,
        })
    }

    fn rope_frequencies(&self, architecture: &str, head_dim: usize) -> Result<Vec<f32>> {
        let metadata = &self.content.metadata;
        let float =
            |name: &str| metadata.get(&format!("{architecture}.{name}")).and_then(|v| v.to_f32().ok());
        let kind = metadata.get(&format!("{architecture}.rope.scaling.type"));
        let scaling = match kind.and_then(|kind| kind.to_string().ok()).map(String::as_str) {
            None | Some("none") => RopeScaling::None,
            Some("linear") => {
                RopeScaling::Linear { factor: f64::from(float("rope.scaling.factor").unwrap_or(1.0)) }
            }
            Some(other) => {
                return Err(
                    self.error(format!("rotary scaling {other} is not supported (none and linear are)"))
                );
            }
        };
        let theta = float("rope.freq_base").unwrap_or(10_000.0);
        let mut frequencies = scaling.frequencies(theta, head_dim);
        if let Some(info) = self.content.tensor_infos.get(ROPE_FACTORS) {
            let bytes = &self.map[self.byte_range(info)];
            if info.ggml_dtype != GgmlDType::F32 || bytes.len() != 4 * frequencies.len() {
                return Err(
                    self.error(format!("tensor {ROPE_FACTORS} is not {} f32 values", frequencies.len()))
                );
            }
            for (frequency, factor) in frequencies.iter_mut().zip(bytes.chunks_exact(4)) {
                *frequency /= f32::from_le_bytes(factor.try_into().expect("chunks of four bytes"));
            }
        }
        Ok(frequencies)
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let metadata = &self.content.metadata;
        let tokens = self.texts("tokenizer.ggml.tokens")?;
        let token_types = match metadata.get("tokenizer.ggml.token_type") {
            Some(value) => {
                let problem =
                    |error| self.error(format!("tokenizer.ggml.token_type: {}", first_line(&error)));
                let values = value.to_vec().map_err(problem)?;
                values.iter().map(|value| integer(value).unwrap_or(1) as u32).collect()
            }
            None => vec![1; tokens.len()],
        };
        let scores = match metadata.get("tokenizer.ggml.scores").and_then(|scores| scores.to_vec().ok()) {
            Some(scores) => scores.iter().map(|score| score.to_f32().unwrap_or(0.0)).collect(),
            None => vec![],
        };
        let merges = match metadata.contains_key("tokenizer.ggml.merges") {
            true => self.texts("tokenizer.ggml.merges")?,
            false => vec![],
        };
        let id = |name: &str| {
            let value = metadata.get(&format!("tokenizer.ggml.{name}_token_id"))?;
            integer(value).and_then(|id| u32::try_from(id).ok())
        };
        let flag =
            |name: &str| metadata.get(&format!("tokenizer.ggml.{name}")).and_then(|v| v.to_bool().ok());
        let parts = TokenizerParts {
            model: self.text("tokenizer.ggml.model")?,
            pre_tokenizer: match metadata.contains_key("tokenizer.ggml.pre") {
                true => Some(self.text("tokenizer.ggml.pre")?),
                false => None,
            },
            tokens,
            token_types,
            scores,
            merges,
            bos_id: id("bos"),
            eos_id: id("eos"),
            unknown_id: id("unknown"),
            end_ids: ["eos", "eot", "eom"].iter().filter_map(|name| id(name)).collect(),
            add_bos: flag("add_bos_token"),
            add_space_prefix: flag("add_space_prefix").unwrap_or(true),
            chat_template: metadata
                .get("tokenizer.chat_template")
                .and_then(|template| template.to_string().ok())
                .cloned(),
        };
        parts.build().map_err(|problem| self.error(problem))
    }

    fn metadata(&self, key: &str) -> Result<&Value> {
        self.content.metadata.get(key).ok_or_else(|| self.error(format!("metadata {key} is missing")))
    }

    fn text(&self, key: &str) -> Result<String> {
        let value = self.metadata(key)?.to_string();
        value.cloned().map_err(|_| self.error(format!("metadata {key} is not a text")))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>> {
        let not_texts = || self.error(format!("metadata {key} is not a list of texts"));
        let values = self.metadata(key)?.to_vec().map_err(|_| not_texts())?;
        values.iter().map(|value| value.to_string().cloned().map_err(|_| not_texts())).collect()
    }

    fn number(&self, key: &str) -> Result<usize> {
        let value = integer(self.metadata(key)?).and_then(|number| usize::try_from(number).ok());
        value.ok_or_else(|| self.error(format!("metadata {key} is not a whole number")))
    }
}

/// A whole number of any width.
fn integer(value: &Value) -> Option<i64> {
    match *value {
        Value::U8(v) => Some(v.into()),
        Value::I8(v) => Some(v.into()),
        Value::U16(v) => Some(v.into()),
        Value::I16(v) => Some(v.into()),
        Value::U32(v) => Some(v.into()),
        Value::I32(v) => Some(v.into()),
        Value::U64(v) => v.try_into().ok(),
        Value::I64(v) => Some(v),
        _ => None,
    }
}

/// The first line of an error: later ones are backtraces.
fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// GGUF's name of a tensor, from Hugging Face's.
fn gguf_name(name: &str) -> Option<String> {
    let (stem, suffix) = name.rsplit_once('.')?;
    let stem = match stem {
        "model.embed_tokens" => "token_embd".to_owned(),
        "model.norm" => "output_norm".to_owned(),
        "lm_head" => "output".to_owned(),
        _ => {
            let (layer, part) = stem.strip_prefix("model.layers.")?.split_once('.')?;
            let part = match part {
                "input_layernorm" => "attn_norm",
                "post_attention_layernorm" => "ffn_norm",
                "self_attn.q_proj" => "attn_q",
                "self_attn.k_proj" => "attn_k",
                "self_attn.v_proj" => "attn_v",
                "self_attn.o_proj" => "attn_output",
                "self_attn.q_norm" => "attn_q_norm",
                "self_attn.k_norm" => "attn_k_norm",
                "mlp.gate_proj" => "ffn_gate",
                "mlp.up_proj" => "ffn_up",
                "mlp.down_proj" => "ffn_down",
                _ => return None,
            };
            format!("blk.{layer}.{part}")
        }
    };
    Some(format!("{stem}.{suffix}"))
}

/// Undoes the row order of Llama GGUF files, which put the two halves that rotary embeddings pair side by side: row
/// (head, pair, half) goes to (head, half, pair). Rows are whole blocks, so bytes can be moved as they are.
fn separate_rotary_halves(bytes: &[u8], num_rows: usize, num_heads: usize) -> Vec<u8> {
    let row_size = bytes.len() / num_rows;
    let head_dim = num_rows / num_heads;
    let mut separated = Vec::with_capacity(bytes.len());
    for head in 0..num_heads {
        for half in 0..2 {
            for pair in 0..head_dim / 2 {
                let row = head * head_dim + 2 * pair + half;
                separated.extend_from_slice(&bytes[row * row_size..(row + 1) * row_size]);
            }
        }
    }
    separated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensor_names_translate() {
        for (hugging_face, gguf) in [
            ("model.embed_tokens.weight", "token_embd.weight"),
            ("lm_head.weight", "output.weight"),
            ("model.layers.11.self_attn.q_proj.bias", "blk.11.attn_q.bias"),
            ("model.layers.0.mlp.down_proj.weight", "blk.0.ffn_down.weight"),
        ] {
            assert_eq!(gguf_name(hugging_face).as_deref(), Some(gguf));
        }
        assert_eq!(gguf_name("model.layers.0.mlp.experts.weight"), None);
    }

    #[test]
    fn rotary_pairs_are_separated_into_halves() {
        // Two heads of four rows, one byte a row, written pairwise: (pair 0: halves a, b), (pair 1: halves a, b).
        let separated = separate_rotary_halves(&[0, 2, 1, 3, 10, 12, 11, 13], 8, 2);
        assert_eq!(separated, [0, 1, 2, 3, 10, 11, 12, 13]);
    }
}
