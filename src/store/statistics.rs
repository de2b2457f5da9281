//! How large a database is, and what takes the space.

use std::path::Path;

use rusqlite::Connection;

use super::{Result, Store, open};

/// How large a database is, and what takes the space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// The size of its file.
    pub file_bytes: u64,
    /// The size of the log of changes that have not reached the file yet.
    pub log_bytes: u64,
    /// The version of its schema.
    pub schema_version: i64,
    /// The size of a page, in bytes.
    pub page_size: i64,
    /// Pages there are.
    pub num_pages: i64,
    /// Pages that hold nothing (`speclora runs gc --vacuum` gives them back).
    pub num_free_pages: i64,
    /// Every table and index, in the order of their names.
    pub trees: Vec<TreeSize>,
    /// What blobs are used as.
    pub blobs: Vec<BlobUse>,
}

/// The size of a table without its indexes, or of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSize {
    /// Its name.
    pub name: String,
    /// The table that it is, or is of.
    pub table: String,
    /// Rows of a table; `None` for an index.
    pub num_rows: Option<i64>,
    /// The pages that it takes, in bytes.
    pub bytes: i64,
}

/// What blobs are used as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobUse {
    /// As what: `adapters`, `optimizer_states`, `target_probabilities`, `draft_vocabularies`, or `unused`.
    pub used_as: String,
    /// How many there are.
    pub num_blobs: i64,
    /// Their sizes together.
    pub bytes: i64,
}

impl Store {
    /// Measures the database. Reads all of it.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn statistics(&self) -> Result<Statistics> {
        self.read(|connection| {
            let mut trees = tree_sizes(connection)?;
            for tree in trees.iter_mut().filter(|tree| tree.name == tree.table) {
                // Names of tables come from the schema, which is ours; quotes are for `sqlite_schema` and its like.
                let sql = format!("SELECT count(*) FROM \"{}\"", tree.name);
                tree.num_rows = Some(connection.query_row(&sql, [], |row| row.get(0))?);
            }
            let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
            Ok(Statistics {
                file_bytes: size(&self.path),
                log_bytes: size(&open::log_of(&self.path)),
                schema_version: pragma(connection, "user_version")?,
                page_size: pragma(connection, "page_size")?,
                num_pages: pragma(connection, "page_count")?,
                num_free_pages: pragma(connection, "freelist_count")?,
                trees,
                blobs: blob_uses(connection)?,
            })
        })
    }
}

/// The value of a pragma that is a number.
pub(super) fn pragma(connection: &Connection, name: &str) -> Result<i64> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

/// How large the database is, without its write-ahead log.
pub(super) fn num_bytes(connection: &Connection) -> Result<i64> {
    Ok(pragma(connection, "page_size")? * pragma(connection, "page_count")?)
}

/// The sizes of all tables and indexes, without their rows.
pub(super) fn tree_sizes(connection: &Connection) -> Result<Vec<TreeSize>> {
    let mut statement = connection.prepare(
        "SELECT d.name, coalesce(s.tbl_name, d.name) AS table_name, d.pgsize
        FROM dbstat AS d
        LEFT JOIN sqlite_schema AS s ON s.name = d.name
        WHERE d.aggregate = TRUE
        ORDER BY d.name",
    )?;
    let sizes = statement.query_map([], |row| {
        Ok(TreeSize { name: row.get(0)?, table: row.get(1)?, num_rows: None, bytes: row.get(2)? })
    })?;
    Ok(sizes.collect::<rusqlite::Result<_>>()?)
}

fn blob_uses(connection: &Connection) -> Result<Vec<BlobUse>> {
    let mut statement = connection.prepare(
        "WITH
        used AS (
            SELECT 1 AS place, 'adapters' AS used_as, adapter_blob_id AS blob_id FROM checkpoints
            UNION
            SELECT 2, 'optimizer_states', state_blob_id FROM train_checkpoints WHERE state_blob_id IS NOT NULL
            UNION
            SELECT 3, 'target_probabilities', target_blob_id FROM examples
            UNION
            SELECT 4, 'draft_vocabularies', blob_id FROM run_draft_vocabularies
        ),
        all_uses AS (
            SELECT place, used_as, blob_id FROM used
            UNION ALL
            SELECT 5, 'unused', id FROM blobs WHERE id NOT IN (SELECT blob_id FROM used)
        )
        SELECT u.used_as, count(*), sum(b.size_bytes)
        FROM all_uses AS u
        JOIN blobs AS b ON b.id = u.blob_id
        GROUP BY u.place, u.used_as
        ORDER BY u.place",
    )?;
    let uses = statement.query_map([], |row| {
        Ok(BlobUse { used_as: row.get(0)?, num_blobs: row.get(1)?, bytes: row.get(2)? })
    })?;
    Ok(uses.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use crate::store::sample;

    #[test]
    fn sizes_add_up_to_the_file() {
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        sample::fill_training(&mut store);
        let found = store.statistics().unwrap();
        let bytes: i64 = found.trees.iter().map(|tree| tree.bytes).sum();
        let pages = bytes / found.page_size + found.num_free_pages;
        // Beside trees there are pages that say where others lie (auto-vacuum).
        assert!((1..=1 + found.num_pages / 500).contains(&(found.num_pages - pages)), "{found:?}");
        for (table, num_rows) in [("runs", 7), ("rounds", sample::count(&store, "rounds"))] {
            let tree = found.trees.iter().find(|tree| tree.name == table).unwrap();
            assert_eq!((tree.num_rows, tree.table.as_str()), (Some(num_rows), table));
        }
        let index = found.trees.iter().find(|tree| tree.name == "runs_by_name").unwrap();
        assert_eq!((index.num_rows, index.table.as_str()), (None, "runs"));
    }

    #[test]
    fn blobs_are_counted_by_what_uses_them() {
        let (_folder, mut store) = sample::store();
        sample::fill_training(&mut store);
        store
            .connection
            .execute("INSERT INTO blobs (sha256, size_bytes) VALUES (?1, 7)", ["0".repeat(64)])
            .unwrap();
        let found = store.statistics().unwrap().blobs;
        let counted: Vec<(&str, i64)> =
            found.iter().map(|found| (found.used_as.as_str(), found.num_blobs)).collect();
        let adapters: i64 = sample::value(&store, "SELECT count(DISTINCT adapter_blob_id) FROM checkpoints");
        let expected =
            [("adapters", adapters), ("optimizer_states", 2), ("target_probabilities", 3), ("unused", 1)];
        assert_eq!(counted, expected);
        assert_eq!(found.last().unwrap().bytes, 7);
    }
}
