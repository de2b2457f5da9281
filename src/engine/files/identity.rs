//! What a model is, told by its bytes.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::engine::error::{Error, Result};
use crate::hash::{Sha256Hex, sha256_hex};
use crate::record::ModelFile;

/// Remembers the hash of a file that has not changed, told by path, size and time of modification.
pub trait HashMemo {
    /// The remembered hash, in hex.
    fn get(&mut self, path: &Path, size_bytes: u64, mtime_ns: i64) -> Option<String>;

    /// Remembers a hash.
    fn put(&mut self, path: &Path, size_bytes: u64, mtime_ns: i64, sha256: &str);
}

/// Remembers nothing.
#[derive(Debug)]
pub struct NoMemo;

impl HashMemo for NoMemo {
    fn get(&mut self, _: &Path, _: u64, _: i64) -> Option<String> {
        None
    }

    fn put(&mut self, _: &Path, _: u64, _: i64, _: &str) {}
}

/// Hashes files, or recalls their hashes.
pub(super) fn hash_files(paths: &[PathBuf], memo: &mut dyn HashMemo) -> Result<Vec<ModelFile>> {
    paths.iter().map(|path| hash_file(path, memo)).collect()
}

fn hash_file(path: &Path, memo: &mut dyn HashMemo) -> Result<ModelFile> {
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let path = path.canonicalize().map_err(read_error)?;
    let metadata = path.metadata().map_err(read_error)?;
    let size_bytes = metadata.len();
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mtime_ns = modified.map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX));
    let sha256 = match memo.get(&path, size_bytes, mtime_ns) {
        Some(sha256) => sha256,
        None => {
            let sha256 = hash_content(&path).map_err(read_error)?;
            memo.put(&path, size_bytes, mtime_ns, &sha256);
            sha256
        }
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ModelFile { name, sha256, size_bytes })
}

fn hash_content(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256Hex::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let num_read = file.read(&mut buffer)?;
        if num_read == 0 {
            return Ok(hasher.finish());
        }
        hasher.write_all(&buffer[..num_read])?;
    }
}

/// The identity of a model: the hash of its only file, or the hash of its files' hashes, in order. Names do not count, so
/// that a renamed model stays the same.
pub(super) fn manifest_hash(files: &[ModelFile]) -> String {
    if let [only] = files {
        return only.sha256.clone();
    }
    let mut hashes: Vec<&str> = files.iter().map(|file| file.sha256.as_str()).collect();
    hashes.sort_unstable();
    sha256_hex(hashes.join("\n").as_bytes())
}
