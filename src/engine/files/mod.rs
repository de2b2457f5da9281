//! Model files: GGUF and Hugging Face folders, mapped into memory and read under one set of names.
//!
//! Nothing here computes. Weights are handed out as the file's own bytes; who uses them decides what to make of them.

pub mod builtin;
mod bytes;
mod gguf;
mod hugging_face;
mod identity;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::GgmlDType;

use super::config::ModelConfig;
use super::error::{Error, Result};
use super::tokenizer::Tokenizer;
use crate::hash::sha256_hex;
use crate::record::{ModelFile, ModelInfo};
use bytes::Bytes;
use gguf::GgufFile;
use hugging_face::HuggingFaceFolder;
pub use identity::{HashMemo, NoMemo};

/// A weight as it lies in the file.
#[derive(Debug)]
pub struct RawTensor<'a> {
    /// Element type; block types hold several weights to a block.
    pub dtype: GgmlDType,
    /// Shape; matrices are `[out, in]`, rows contiguous.
    pub shape: Vec<usize>,
    /// The bytes. Block types begin at an even address; floats may begin anywhere.
    pub data: Cow<'a, [u8]>,
}

/// A model's files, opened and checked, weights not yet read.
#[derive(Debug)]
pub struct ModelFiles {
    path: PathBuf,
    config: ModelConfig,
    format: Format,
}

#[derive(Debug)]
enum Format {
    Gguf(GgufFile),
    HuggingFace(HuggingFaceFolder),
}

impl ModelFiles {
    /// Opens a `.gguf` file, a Hugging Face folder, or a built-in model ([`builtin::TARGET`], [`builtin::DRAFT`]).
    ///
    /// # Errors
    /// If there is nothing at `path`, it is damaged, or its architecture or weight types are not supported.
    pub fn open(path: &Path) -> Result<Self> {
        let is_folder = || -> Result<bool> {
            let metadata = path.metadata().map_err(|source| Error::Read { path: path.to_owned(), source })?;
            Ok(metadata.is_dir())
        };
        let (config, format) = if builtin::is_builtin(path) {
            let bytes = builtin::open(path).map_err(|problem| Error::model(path, problem))?;
            let file = GgufFile::new(path, bytes)?;
            (file.config()?, Format::Gguf(file))
        } else if is_folder()? {
            let folder = HuggingFaceFolder::open(path)?;
            (folder.config()?, Format::HuggingFace(folder))
        } else {
            let file = GgufFile::new(path, Bytes::map(path)?)?;
            (file.config()?, Format::Gguf(file))
        };
        config.validate().map_err(|problem| Error::model(path, problem))?;
        Ok(Self { path: path.to_owned(), config, format })
    }

    /// Where the model lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The decoder's shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Whether there is a tensor of this (Hugging Face) name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.format {
            Format::Gguf(file) => file.contains(name),
            Format::HuggingFace(folder) => folder.contains(name),
        }
    }

    /// The tensor of this (Hugging Face) name, which must have this shape.
    ///
    /// # Errors
    /// If it is missing, or has another shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<RawTensor<'_>> {
        match &self.format {
            Format::Gguf(file) => file.tensor(name, shape, &self.config),
            Format::HuggingFace(folder) => folder.tensor(name, shape),
        }
    }

    /// Gives back the memory of what was read so far. The files stay open, and are read again where they are asked for.
    pub fn release(&self) {
        match &self.format {
            Format::Gguf(file) => file.release(),
            Format::HuggingFace(folder) => folder.release(),
        }
    }

    /// The tokenizer, with its chat template and stop tokens.
    ///
    /// # Errors
    /// If the files carry none, or one of a kind that is not supported.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        match &self.format {
            Format::Gguf(file) => file.tokenizer(),
            Format::HuggingFace(folder) => folder.tokenizer(),
        }
    }

    /// Identity and shape, with the files' own tokenizer. Hashing reads every byte once; `memo` remembers hashes of files
    /// that have not changed.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn info(&self, tokenizer: &Tokenizer, memo: &mut dyn HashMemo) -> Result<ModelInfo> {
        let (format, name) = match &self.format {
            Format::Gguf(file) => ("gguf", file.name()?),
            Format::HuggingFace(_) => ("safetensors", None),
        };
        let files = match &self.format {
            Format::Gguf(file) => match file.embedded() {
                Some(bytes) => vec![ModelFile {
                    name: self.path.display().to_string(),
                    sha256: sha256_hex(bytes),
                    size_bytes: bytes.len() as u64,
                }],
                None => identity::hash_files(std::slice::from_ref(&self.path), memo)?,
            },
            Format::HuggingFace(folder) => identity::hash_files(&folder.file_paths(), memo)?,
        };
        let config = &self.config;
        Ok(ModelInfo {
            sha256: identity::manifest_hash(&files),
            format: format.to_owned(),
            family: config.family.as_str().to_owned(),
            name,
            quantization: self.quantization(),
            num_parameters: self.weight_counts().values().sum(),
            num_layers: stored(config.num_layers),
            hidden_size: stored(config.hidden_size),
            vocab_size: stored(config.vocab_size),
            context_length: stored(config.context_length),
            tokenizer_sha256: tokenizer.sha256(),
            size_bytes: files.iter().map(|file| file.size_bytes).sum(),
            files,
        })
    }

    /// Weights by element type.
    fn weight_counts(&self) -> HashMap<&'static str, u64> {
        let tensors: Vec<(GgmlDType, u64)> = match &self.format {
            Format::Gguf(file) => file.tensor_sizes(),
            Format::HuggingFace(folder) => folder.tensor_sizes(),
        };
        let mut counts = HashMap::new();
        for (dtype, num_weights) in tensors {
            *counts.entry(dtype_name(dtype)).or_insert(0) += num_weights;
        }
        counts
    }

    /// The element type of most weights.
    fn quantization(&self) -> String {
        let counts = self.weight_counts();
        let most = counts.iter().max_by_key(|&(name, count)| (count, name));
        most.map_or_else(String::new, |(name, _)| (*name).to_owned())
    }
}

/// A size as it is stored.
fn stored(size: usize) -> u32 {
    u32::try_from(size).expect("sizes were validated when the files were opened")
}

/// Compares a tensor's shape with what the configuration asks for.
fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> std::result::Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("tensor {name} has shape {found:?}, {expected:?} was expected"))
}

/// Element types by the names that users know from file names.
pub(crate) fn dtype_name(dtype: GgmlDType) -> &'static str {
    match dtype {
        GgmlDType::F32 => "F32",
        GgmlDType::F16 => "F16",
        GgmlDType::BF16 => "BF16",
        GgmlDType::Q4_0 => "Q4_0",
        GgmlDType::Q4_1 => "Q4_1",
        GgmlDType::Q5_0 => "Q5_0",
        GgmlDType::Q5_1 => "Q5_1",
        GgmlDType::Q8_0 => "Q8_0",
        GgmlDType::Q8_1 => "Q8_1",
        GgmlDType::Q2K => "Q2_K",
        GgmlDType::Q3K => "Q3_K",
        GgmlDType::Q4K => "Q4_K",
        GgmlDType::Q5K => "Q5_K",
        GgmlDType::Q6K => "Q6_K",
        GgmlDType::Q8K => "Q8_K",
    }
}
