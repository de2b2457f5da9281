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

/// The name is that of `path` itself: in the hub's cache that is a link to a blob, which is named by its hash. A file
/// whose time of modification is not known is hashed anew each time.
fn hash_file(path: &Path, memo: &mut dyn HashMemo) -> Result<ModelFile> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let read_error = |source| Error::Read { path: path.to_owned(), source };
    let path = path.canonicalize().map_err(read_error)?;
    let metadata = path.metadata().map_err(read_error)?;
    let size_bytes = metadata.len();
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mtime_ns = modified.and_then(|age| i64::try_from(age.as_nanos()).ok());
    let remembered = mtime_ns.and_then(|mtime_ns| memo.get(&path, size_bytes, mtime_ns));
    let sha256 = match remembered {
        Some(sha256) => sha256,
        None => {
            let sha256 = hash_content(&path).map_err(read_error)?;
            if let Some(mtime_ns) = mtime_ns {
                memo.put(&path, size_bytes, mtime_ns, &sha256);
            }
            sha256
        }
    };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Memo(Vec<String>);

    impl HashMemo for Memo {
        fn get(&mut self, _: &Path, _: u64, _: i64) -> Option<String> {
            self.0.last().cloned()
        }

        fn put(&mut self, _: &Path, _: u64, _: i64, sha256: &str) {
            self.0.push(sha256.to_owned());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_keeps_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        let (blob, link) = (folder.path().join("0123abcd"), folder.path().join("model.safetensors"));
        std::fs::write(&blob, "weights").unwrap();
        std::os::unix::fs::symlink(&blob, &link).unwrap();
        let file = hash_file(&link, &mut NoMemo).unwrap();
        assert_eq!((file.name.as_str(), file.size_bytes), ("model.safetensors", 7));
    }

    #[test]
    fn only_files_with_a_known_time_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, "weights").unwrap();
        let mut memo = Memo::default();
        hash_file(&path, &mut memo).unwrap();
        assert_eq!(memo.0.len(), 1);
        // Before 1970: no number of nanoseconds stands for it.
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH - std::time::Duration::from_secs(1)).unwrap();
        memo.0[0] = "stale".to_owned();
        assert_ne!(hash_file(&path, &mut memo).unwrap().sha256, "stale");
        assert_eq!(memo.0.len(), 1);
    }
}
