//! GGUF: one file with metadata, tokenizer and weights.
//!
//! Tensors are named here as Hugging Face names them, and rotary weights are put in Hugging Face's order, so that the
//! decoder and every adapter see one layout.

mod header;
mod metadata;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;

use super::bytes::Bytes;
use super::{RawTensor, check_shape};
use crate::engine::config::{Family, ModelConfig, RopeScaling};
use crate::engine::error::{Error, Result};
use crate::engine::tokenizer::{Tokenizer, TokenizerParts};
use header::{Header, Value};
use metadata::FromValue;

const ARCHITECTURE: &str = "general.architecture";
const EMBEDDING: &str = "token_embd.weight";
/// Per-pair divisors of the rotary frequencies, which Llama 3.1 files carry instead of scaling parameters.
const ROPE_FACTORS: &str = "rope_freqs.weight";

pub(super) struct GgufFile {
    path: PathBuf,
    header: Header,
    bytes: Bytes,
}

impl std::fmt::Debug for GgufFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GgufFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl GgufFile {
    /// Reads the header of a file that lies, or is said to lie, at `path`.
    pub(super) fn new(path: &Path, bytes: Bytes) -> Result<Self> {
        if !bytes.starts_with(b"GGUF") {
            let problem = "not a GGUF file (it does not begin with \"GGUF\"; give a .gguf file or a Hugging Face folder)";
            return Err(Error::model(path, problem));
        }
        let header =
            Header::parse(&bytes, check_architecture).map_err(|problem| Error::model(path, problem))?;
        Ok(Self { path: path.to_owned(), header, bytes })
    }

    pub(super) fn name(&self) -> Result<Option<String>> {
        self.optional("general.name")
    }

    pub(super) fn release(&self) {
        self.bytes.release();
    }

    /// The whole file, where it is part of the program.
    pub(super) fn embedded(&self) -> Option<&'static [u8]> {
        match self.bytes {
            Bytes::Embedded(bytes) => Some(bytes),
            Bytes::Mapped(_) => None,
        }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        gguf_name(name).is_some_and(|name| self.header.tensors.contains_key(&name))
    }

    pub(super) fn tensor_sizes(&self) -> Vec<(GgmlDType, u64)> {
        let places = self.header.tensors.values();
        places.map(|place| (place.dtype, place.shape.iter().product::<usize>() as u64)).collect()
    }

    pub(super) fn tensor(&self, name: &str, shape: &[usize], config: &ModelConfig) -> Result<RawTensor<'_>> {
        let missing = || self.error(format!("tensor {name} is missing"));
        let place = gguf_name(name).and_then(|n| self.header.tensors.get(&n)).ok_or_else(missing)?;
        check_shape(name, &place.shape, shape).map_err(|problem| self.error(problem))?;
        let bytes = &self.bytes[place.bytes.clone()];
        let heads = match name {
            _ if config.family != Family::Llama => None,
            _ if name.contains(".q_proj.") => Some(config.num_heads),
            _ if name.contains(".k_proj.") => Some(config.num_kv_heads),
            _ => None,
        };
        let data = match heads {
            Some(heads) => Cow::Owned(separate_rotary_halves(bytes, shape[0], heads)),
            None => Cow::Borrowed(bytes),
        };
        Ok(RawTensor { dtype: place.dtype, shape: shape.to_vec(), data })
    }

    pub(super) fn config(&self) -> Result<ModelConfig> {
        let architecture: String = self.required(ARCHITECTURE)?;
        let family = family(&architecture).map_err(|problem| self.error(problem))?;
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str| self.required::<usize>(&key(name));
        let optional_number = |name: &str| self.optional::<usize>(&key(name));
        let hidden_size = number("embedding_length")?;
        let num_heads = number("attention.head_count")?;
        let head_dim = match optional_number("attention.key_length")? {
            Some(head_dim) => head_dim,
            None => hidden_size.checked_div(num_heads).unwrap_or(0),
        };
        for name in ["attention.value_length", "rope.dimension_count"] {
            if let Some(found) = optional_number(name)?.filter(|&found| found != head_dim) {
                let problem = format!("metadata {} is {found}, heads of {head_dim} need the same", key(name));
                return Err(self.error(problem));
            }
        }
        let embedding = self.header.tensors.get(EMBEDDING);
        let embedding = embedding.ok_or_else(|| self.error(format!("tensor {EMBEDDING} is missing")))?;
        let context_length = number("context_length")?;
        let window = optional_number("attention.sliding_window")?.filter(|&window| window > 0);
        Ok(ModelConfig {
            family,
            num_layers: number("block_count")?,
            hidden_size,
            intermediate_size: number("feed_forward_length")?,
            num_heads,
            num_kv_heads: optional_number("attention.head_count_kv")?.unwrap_or(num_heads),
            head_dim,
            vocab_size: embedding.shape[0],
            context_length: window.map_or(context_length, |window| context_length.min(window)),
            rms_norm_eps: self.required::<f32>(&key("attention.layer_norm_rms_epsilon"))?.into(),
            rope_frequencies: self.rope_frequencies(&architecture, head_dim)?,
            is_head_tied: !self.contains("lm_head.weight"),
        })
    }

    fn rope_frequencies(&self, architecture: &str, head_dim: usize) -> Result<Vec<f32>> {
        let key = |name: &str| format!("{architecture}.{name}");
        let kind: Option<String> = self.optional(&key("rope.scaling.type"))?;
        let factor: Option<f32> = self.optional(&key("rope.scaling.factor"))?;
        // A factor without a type is linear, as in llama.cpp.
        let scaling = match (kind.as_deref(), factor) {
            (Some("none"), _) | (None, None) => RopeScaling::None,
            (Some("linear") | None, Some(factor)) => RopeScaling::Linear { factor: factor.into() },
            (Some("linear"), None) => {
                return Err(self.error(format!("metadata {} is missing", key("rope.scaling.factor"))));
            }
            (Some(other), _) => {
                return Err(
                    self.error(format!("rotary scaling {other} is not supported (none and linear are)"))
                );
            }
        };
        let theta = self.optional(&key("rope.freq_base"))?.unwrap_or(10_000.0);
        let frequencies = scaling.frequencies(theta, head_dim);
        let mut frequencies = frequencies.map_err(|problem| self.error(problem))?;
        if let Some(place) = self.header.tensors.get(ROPE_FACTORS) {
            if place.dtype != GgmlDType::F32 || place.shape != [frequencies.len()] {
                return Err(
                    self.error(format!("tensor {ROPE_FACTORS} is not {} f32 values", frequencies.len()))
                );
            }
            for (frequency, factor) in
                frequencies.iter_mut().zip(self.bytes[place.bytes.clone()].chunks_exact(4))
            {
                *frequency /= f32::from_le_bytes(factor.try_into().expect("chunks of four bytes"));
            }
        }
        Ok(frequencies)
    }

    pub(super) fn tokenizer(&self) -> Result<Tokenizer> {
        let tokens: Vec<String> = self.required("tokenizer.ggml.tokens")?;
        let id = |name: &str| self.token_id(name, tokens.len());
        let parts = TokenizerParts {
            model: self.required("tokenizer.ggml.model")?,
            pre_tokenizer: self.optional("tokenizer.ggml.pre")?,
            token_types: self.per_token("tokenizer.ggml.token_type", tokens.len())?,
            scores: self.per_token("tokenizer.ggml.scores", tokens.len())?,
            merges: self.optional("tokenizer.ggml.merges")?,
            bos_id: id("bos")?,
            eos_id: id("eos")?,
            unknown_id: id("unknown")?,
            end_ids: [id("eos")?, id("eot")?, id("eom")?].into_iter().flatten().collect(),
            add_bos: self.optional("tokenizer.ggml.add_bos_token")?,
            add_space_prefix: self.optional("tokenizer.ggml.add_space_prefix")?.unwrap_or(true),
            chat_template: self.optional("tokenizer.chat_template")?,
            tokens,
        };
        parts.build().map_err(|problem| self.error(problem))
    }

    /// A list with one value for each token, if it is there.
    fn per_token<T: FromValue>(&self, key: &str, num_tokens: usize) -> Result<Option<Vec<T>>> {
        let values: Option<Vec<T>> = self.optional(key)?;
        match values.as_ref().map(Vec::len) {
            Some(len) if len != num_tokens => {
                Err(self.error(format!("metadata {key} has {len} values for {num_tokens} tokens")))
            }
            _ => Ok(values),
        }
    }

    fn token_id(&self, name: &str, num_tokens: usize) -> Result<Option<u32>> {
        let key = format!("tokenizer.ggml.{name}_token_id");
        match self.optional(&key)? {
            Some(id) if id as usize >= num_tokens => {
                Err(self.error(format!("metadata {key} is {id}, the vocabulary has {num_tokens} tokens")))
            }
            id => Ok(id),
        }
    }

    fn optional<T: FromValue>(&self, key: &str) -> Result<Option<T>> {
        metadata::optional(&self.header.metadata, key).map_err(|problem| self.error(problem))
    }

    fn required<T: FromValue>(&self, key: &str) -> Result<T> {
        metadata::required(&self.header.metadata, key).map_err(|problem| self.error(problem))
    }

    fn error(&self, problem: impl Into<String>) -> Error {
        Error::model(&self.path, problem)
    }
}

/// Whether this engine runs models of this kind at all.
fn check_architecture(metadata: &HashMap<String, Value>) -> std::result::Result<(), String> {
    let architecture: String = metadata::required(metadata, ARCHITECTURE)?;
    family(&architecture)?;
    match metadata::optional::<usize>(metadata, &format!("{architecture}.expert_count"))? {
        None | Some(0) => Ok(()),
        Some(_) => Err("mixture-of-experts models are not supported".to_owned()),
    }
}

fn family(architecture: &str) -> std::result::Result<Family, String> {
    match architecture {
        "llama" => Ok(Family::Llama),
        "qwen2" => Ok(Family::Qwen2),
        "qwen3" => Ok(Family::Qwen3),
        _ => Err(format!("architecture {architecture} is not supported (llama, qwen2 and qwen3 are)")),
    }
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
