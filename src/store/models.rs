//! Models, each stored once by its content, and the memo of file hashes.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::value::{get_u64, to_integer};
use super::{Result, Store};
use crate::record::{ModelFile, ModelInfo};

/// What tells that a file has not changed.
#[derive(Debug, Clone, Copy)]
pub struct FileStamp<'a> {
    /// Where it lies.
    pub path: &'a Path,
    /// Its size.
    pub size_bytes: u64,
    /// When it was modified, in nanoseconds since 1970-01-01 UTC.
    pub mtime_ns: i64,
}

impl Store {
    /// Returns the SHA-256 of a file that was hashed before and bears the same stamp now.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn file_hash(&self, stamp: &FileStamp) -> Result<Option<String>> {
        self.read(|connection| {
            let sql = "SELECT sha256 FROM file_hashes WHERE path = ?1 AND size_bytes = ?2 AND mtime_ns = ?3";
            let key = params![stamp.path.to_string_lossy(), to_integer(stamp.size_bytes), stamp.mtime_ns];
            Ok(connection.query_row(sql, key, |row| row.get(0)).optional()?)
        })
    }

    /// Remembers the SHA-256 of a file, in place of what was known of its path.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn remember_file_hash(&mut self, stamp: &FileStamp, sha256: &str) -> Result<()> {
        self.write(|transaction| {
            transaction.execute(
                "INSERT INTO file_hashes (path, size_bytes, mtime_ns, sha256)
                VALUES (?1, ?2, ?3, ?4)
                ON CONFLICT (path) DO UPDATE
                SET size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, sha256 = excluded.sha256",
                params![stamp.path.to_string_lossy(), to_integer(stamp.size_bytes), stamp.mtime_ns, sha256],
            )?;
            Ok(())
        })
    }
}

/// Stores a model, unless it is there already, and returns its id.
pub(super) fn insert(connection: &Connection, model: &ModelInfo) -> Result<i64> {
    if let Some(id) = find(connection, &model.sha256)? {
        return Ok(id);
    }
    connection.execute(
        "INSERT INTO models (
            sha256, format, family, name, quantization, num_parameters, num_layers, hidden_size, vocab_size,
            context_length, tokenizer_sha256, size_bytes
        )
        VALUES (
            :sha256, :format, :family, :name, :quantization, :num_parameters, :num_layers, :hidden_size, :vocab_size,
            :context_length, :tokenizer_sha256, :size_bytes
        )",
        named_params! {
            ":sha256": model.sha256,
            ":format": model.format,
            ":family": model.family,
            ":name": model.name,
            ":quantization": model.quantization,
            ":num_parameters": to_integer(model.num_parameters),
            ":num_layers": model.num_layers,
            ":hidden_size": model.hidden_size,
            ":vocab_size": model.vocab_size,
            ":context_length": model.context_length,
            ":tokenizer_sha256": model.tokenizer_sha256,
            ":size_bytes": to_integer(model.size_bytes),
        },
    )?;
    let id = connection.last_insert_rowid();
    let mut insert_file = connection
        .prepare("INSERT INTO model_files (model_id, name, sha256, size_bytes) VALUES (?1, ?2, ?3, ?4)")?;
    for file in &model.files {
        insert_file.execute(params![id, file.name, file.sha256, to_integer(file.size_bytes)])?;
    }
    Ok(id)
}

/// Returns the id of a model by its content.
pub(super) fn find(connection: &Connection, sha256: &str) -> Result<Option<i64>> {
    let sql = "SELECT id FROM models WHERE sha256 = ?1";
    Ok(connection.query_row(sql, [sha256], |row| row.get(0)).optional()?)
}

/// Reads a model with its files, these in the order of their names.
pub(super) fn get(connection: &Connection, id: i64) -> Result<ModelInfo> {
    let sql = "SELECT
            sha256, format, family, name, quantization, num_parameters, num_layers, hidden_size, vocab_size,
            context_length, tokenizer_sha256, size_bytes
        FROM models
        WHERE id = ?1";
    let mut model = connection.query_row(sql, [id], from_row)?;
    let sql = "SELECT name, sha256, size_bytes FROM model_files WHERE model_id = ?1 ORDER BY name";
    let mut statement = connection.prepare(sql)?;
    let files = statement.query_map([id], |row| {
        Ok(ModelFile {
            name: row.get("name")?,
            sha256: row.get("sha256")?,
            size_bytes: get_u64(row, "size_bytes")?,
        })
    })?;
    model.files = files.collect::<rusqlite::Result<_>>()?;
    Ok(model)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<ModelInfo> {
    Ok(ModelInfo {
        sha256: row.get("sha256")?,
        format: row.get("format")?,
        family: row.get("family")?,
        name: row.get("name")?,
        quantization: row.get("quantization")?,
        num_parameters: get_u64(row, "num_parameters")?,
        num_layers: row.get("num_layers")?,
        hidden_size: row.get("hidden_size")?,
        vocab_size: row.get("vocab_size")?,
        context_length: row.get("context_length")?,
        tokenizer_sha256: row.get("tokenizer_sha256")?,
        size_bytes: get_u64(row, "size_bytes")?,
        files: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::sha256_hex;
    use crate::store::sample;

    #[test]
    fn file_hash_is_known_while_size_and_time_are_the_same() {
        let (_folder, mut store) = sample::store();
        let stamp =
            |size_bytes, mtime_ns| FileStamp { path: Path::new("/models/a.gguf"), size_bytes, mtime_ns };
        let (old, new) = (sha256_hex(b"old"), sha256_hex(b"new"));
        assert_eq!(store.file_hash(&stamp(10, 20)).unwrap(), None);
        store.remember_file_hash(&stamp(10, 20), &old).unwrap();
        assert_eq!(store.file_hash(&stamp(10, 20)).unwrap(), Some(old));
        assert_eq!(store.file_hash(&stamp(11, 20)).unwrap(), None);
        assert_eq!(store.file_hash(&stamp(10, 21)).unwrap(), None);
        store.remember_file_hash(&stamp(11, 21), &new).unwrap();
        assert_eq!(store.file_hash(&stamp(10, 20)).unwrap(), None);
        assert_eq!(store.file_hash(&stamp(11, 21)).unwrap(), Some(new));
    }
}
