//! Adapters.

use rusqlite::{Connection, OptionalExtension, Row, named_params, params};
use serde::Serialize;
use uuid::Uuid;

use super::value::{get_parsed, get_u64};
use super::{Error, Result, Store, blobs, models};
use crate::environment::now_ms;
use crate::hash::sha256_hex;
use crate::record::{AdapterRecord, CheckpointId, ModelInfo};

/// A stored adapter without its bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checkpoint {
    /// What people type.
    pub id: CheckpointId,
    /// What holds across databases (UUIDv7).
    pub uid: String,
    /// SHA-256 of the draft model that it is for, in hex.
    pub draft_model_sha256: String,
    /// Name that model gives itself, if any.
    pub draft_model_name: Option<String>,
    /// SHA-256 of its weights, in hex.
    pub adapter_sha256: String,
    /// Size of its weights, in bytes.
    pub size_bytes: u64,
    /// Rank r.
    pub rank: u32,
    /// α of the scale α/r.
    pub alpha: f64,
    /// Modules that carry it, sorted.
    pub target_modules: Vec<String>,
    /// Where it came from.
    pub source: String,
    /// When it was stored, in milliseconds since 1970-01-01 UTC.
    pub created_at_ms: i64,
}

impl Store {
    /// Stores an adapter for a draft model, so that a power cut cannot undo it. One that is there already, with the same
    /// weights, configuration and draft model, is that checkpoint.
    ///
    /// # Errors
    /// If the weights are not those that the adapter's SHA-256 promises, or a value breaks a rule of the schema.
    pub fn import_adapter(
        &mut self,
        adapter: &AdapterRecord,
        draft_model: &ModelInfo,
    ) -> Result<CheckpointId> {
        check_weights(&adapter.source, &adapter.sha256, &adapter.weights)?;
        self.write_durably(|transaction| find_or_insert(transaction, adapter, draft_model))
    }

    /// Returns a checkpoint without its bytes.
    ///
    /// # Errors
    /// If there is no such checkpoint.
    pub fn checkpoint(&self, id: CheckpointId) -> Result<Checkpoint> {
        self.read(|connection| {
            let sql = "SELECT
                    c.id, c.uid, c.rank, c.alpha, c.target_modules, c.source, c.created_at_ms,
                    m.sha256 AS draft_model_sha256, m.name AS draft_model_name, b.sha256 AS adapter_sha256, b.size_bytes
                FROM checkpoints AS c
                JOIN models AS m ON m.id = c.draft_model_id
                JOIN blobs AS b ON b.id = c.adapter_blob_id
                WHERE c.id = ?1";
            connection.query_row(sql, [id.0], from_row).optional()?.ok_or(Error::NoCheckpoint(id))
        })
    }

    /// Returns a checkpoint's adapter, its weights checked against their SHA-256.
    ///
    /// # Errors
    /// If there is no such checkpoint, or its weights are damaged.
    pub fn load_adapter(&self, id: CheckpointId) -> Result<AdapterRecord> {
        let checkpoint = self.checkpoint(id)?;
        self.read(|connection| {
            let sql = "SELECT adapter_config, adapter_blob_id FROM checkpoints WHERE id = ?1";
            let (config_json, blob_id) =
                connection.query_row(sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let weights = blobs::get(connection, blob_id)?;
            check_weights(&format!("checkpoint {id}"), &checkpoint.adapter_sha256, &weights)?;
            Ok(AdapterRecord {
                sha256: checkpoint.adapter_sha256,
                rank: checkpoint.rank,
                alpha: checkpoint.alpha,
                target_modules: checkpoint.target_modules,
                config_json,
                weights,
                source: checkpoint.source,
            })
        })
    }
}

/// Refuses weights that are not those of a SHA-256.
pub(super) fn check_weights(origin: &str, expected: &str, weights: &[u8]) -> Result<()> {
    let found = sha256_hex(weights);
    if found == expected {
        return Ok(());
    }
    Err(Error::DamagedAdapter { origin: origin.to_owned(), expected: expected.to_owned(), found })
}

/// Returns the checkpoint of an adapter for a draft model, which is stored unless it is there already.
pub(super) fn find_or_insert(
    connection: &Connection,
    adapter: &AdapterRecord,
    draft_model: &ModelInfo,
) -> Result<CheckpointId> {
    let stored = Stored {
        draft_model_id: models::insert(connection, draft_model)?,
        blob_id: blobs::insert(connection, &adapter.weights)?,
    };
    match find(connection, adapter, &stored)? {
        Some(checkpoint) => Ok(checkpoint),
        None => insert(connection, adapter, &stored),
    }
}

/// Where the parts of an adapter are stored.
struct Stored {
    draft_model_id: i64,
    blob_id: i64,
}

fn find(connection: &Connection, adapter: &AdapterRecord, stored: &Stored) -> Result<Option<CheckpointId>> {
    let sql = "SELECT id
        FROM checkpoints
        WHERE draft_model_id = ?1 AND adapter_blob_id = ?2 AND adapter_config = ?3";
    let key = params![stored.draft_model_id, stored.blob_id, adapter.config_json];
    Ok(connection.query_row(sql, key, |row| row.get(0)).optional()?.map(CheckpointId))
}

fn insert(connection: &Connection, adapter: &AdapterRecord, stored: &Stored) -> Result<CheckpointId> {
    connection.execute(
        "INSERT INTO checkpoints (
            uid, draft_model_id, adapter_blob_id, adapter_config, rank, alpha, target_modules, source, created_at_ms
        )
        VALUES (
            :uid, :draft_model_id, :adapter_blob_id, :adapter_config, :rank, :alpha, :target_modules, :source,
            :created_at_ms
        )",
        named_params! {
            ":uid": Uuid::now_v7().to_string(),
            ":draft_model_id": stored.draft_model_id,
            ":adapter_blob_id": stored.blob_id,
            ":adapter_config": adapter.config_json,
            ":rank": adapter.rank,
            ":alpha": adapter.alpha,
            ":target_modules": serde_json::Value::from(adapter.target_modules.clone()).to_string(),
            ":source": adapter.source,
            ":created_at_ms": now_ms(),
        },
    )?;
    Ok(CheckpointId(connection.last_insert_rowid()))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    let target_modules: serde_json::Value = get_parsed(row, "target_modules")?;
    let names = target_modules.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    Ok(Checkpoint {
        id: CheckpointId(row.get("id")?),
        uid: row.get("uid")?,
        draft_model_sha256: row.get("draft_model_sha256")?,
        draft_model_name: row.get("draft_model_name")?,
        adapter_sha256: row.get("adapter_sha256")?,
        size_bytes: get_u64(row, "size_bytes")?,
        rank: row.get("rank")?,
        alpha: row.get("alpha")?,
        target_modules: names.map(str::to_owned).collect(),
        source: row.get("source")?,
        created_at_ms: row.get("created_at_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sample;

    #[test]
    fn adapter_larger_than_a_chunk_reads_back_as_it_was() {
        let (_folder, mut store) = sample::store();
        let adapter = sample::adapter(2_500_000);
        let id = store.import_adapter(&adapter, &sample::model("draft")).unwrap();
        assert_eq!(store.load_adapter(id).unwrap(), adapter);
        let checkpoint = store.checkpoint(id).unwrap();
        assert_eq!(checkpoint.size_bytes, 2_500_000);
        assert_eq!(checkpoint.draft_model_sha256, sample::model("draft").sha256);
        assert_eq!(sample::count(&store, "blob_chunks"), 3);
    }

    #[test]
    fn adapter_is_one_checkpoint_per_content_and_draft_model() {
        let (_folder, mut store) = sample::store();
        let adapter = sample::adapter(10);
        let other_config = AdapterRecord { config_json: "{}".to_owned(), alpha: 32.0, ..adapter.clone() };
        let first = store.import_adapter(&adapter, &sample::model("draft")).unwrap();
        assert_eq!(store.import_adapter(&adapter, &sample::model("draft")).unwrap(), first);
        assert_ne!(store.import_adapter(&adapter, &sample::model("other")).unwrap(), first);
        assert_ne!(store.import_adapter(&other_config, &sample::model("draft")).unwrap(), first);
        assert_eq!(sample::count(&store, "blobs"), 1);
    }

    #[test]
    fn damaged_weights_are_noticed_on_the_way_in_and_out() {
        let (_folder, mut store) = sample::store();
        let adapter = sample::adapter(10);
        let damaged = AdapterRecord { weights: vec![1], ..adapter.clone() };
        let refused = store.import_adapter(&damaged, &sample::model("draft"));
        assert!(matches!(refused, Err(Error::DamagedAdapter { .. })));

        let id = store.import_adapter(&adapter, &sample::model("draft")).unwrap();
        store.connection.execute("UPDATE blob_chunks SET data = x'00'", []).unwrap();
        assert!(matches!(store.load_adapter(id), Err(Error::DamagedAdapter { .. })));
    }

    #[test]
    fn unknown_checkpoint_is_an_error() {
        let (_folder, store) = sample::store();
        let message = store.checkpoint(CheckpointId(9)).unwrap_err().to_string();
        assert_eq!(message, "no checkpoint 9 (speclora adapters list)");
    }
}
