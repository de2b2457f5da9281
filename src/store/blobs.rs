//! Bytes by content, in chunks.

use rusqlite::{Connection, OptionalExtension, params};

use super::value::to_integer;
use super::{Error, Result};
use crate::hash::sha256_hex;

/// The size of every chunk but a blob's last; the schema's bound.
const CHUNK_BYTES: usize = 1 << 20;

/// Stores bytes, unless they are there already, and returns their id.
pub(super) fn insert(connection: &Connection, bytes: &[u8]) -> Result<i64> {
    let sha256 = sha256_hex(bytes);
    let sql = "SELECT id FROM blobs WHERE sha256 = ?1";
    if let Some(id) = connection.query_row(sql, [&sha256], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    connection.execute(
        "INSERT INTO blobs (sha256, size_bytes) VALUES (?1, ?2)",
        params![sha256, to_integer(bytes.len() as u64)],
    )?;
    let id = connection.last_insert_rowid();
    let mut insert_chunk =
        connection.prepare("INSERT INTO blob_chunks (blob_id, chunk_index, data) VALUES (?1, ?2, ?3)")?;
    for (index, chunk) in (0_u32..).zip(bytes.chunks(CHUNK_BYTES)) {
        insert_chunk.execute(params![id, index, chunk])?;
    }
    Ok(id)
}

/// Reads the bytes of a blob. Whether they are still those that were stored is for the caller to check.
pub(super) fn get(connection: &Connection, id: i64) -> Result<Vec<u8>> {
    let sql = "SELECT data FROM blob_chunks WHERE blob_id = ?1 ORDER BY chunk_index";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([id])?;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        let chunk: Vec<u8> = row.get("data")?;
        bytes.extend(chunk);
    }
    Ok(bytes)
}

/// Reads the bytes of a blob, which `origin` names in the error if they are not those that were stored.
pub(super) fn get_checked(connection: &Connection, id: i64, origin: &str) -> Result<Vec<u8>> {
    let bytes = get(connection, id)?;
    let expected: String =
        connection.query_row("SELECT sha256 FROM blobs WHERE id = ?1", [id], |row| row.get(0))?;
    let found = sha256_hex(&bytes);
    if found == expected {
        return Ok(bytes);
    }
    Err(Error::DamagedBytes { origin: origin.to_owned(), expected, found })
}

/// Deletes a blob that no row refers to any more.
pub(super) fn delete_unused(connection: &Connection, id: i64) -> Result<()> {
    connection.execute(
        "DELETE FROM blobs
        WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM checkpoints WHERE adapter_blob_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM run_draft_vocabularies WHERE blob_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM examples WHERE target_blob_id = ?1)
            AND NOT EXISTS (SELECT 1 FROM train_checkpoints WHERE state_blob_id = ?1)",
        [id],
    )?;
    Ok(())
}
