//! Names for checkpoints, which people and training move from one to the next.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Error, Result, Store};
use crate::environment::now_ms;
use crate::record::CheckpointId;

impl Store {
    /// Returns the checkpoint that a name stands for: with a draft's SHA-256 its own, else the one that was named last.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn alias(&self, name: &str, draft_model_sha256: Option<&str>) -> Result<Option<CheckpointId>> {
        self.read(|connection| {
            let sql = "SELECT a.checkpoint_id
                FROM aliases AS a
                JOIN models AS m ON m.id = a.draft_model_id
                WHERE a.name = ?1 AND (?2 IS NULL OR m.sha256 = ?2)
                ORDER BY a.set_at_ms DESC, a.checkpoint_id DESC
                LIMIT 1";
            let parameters = params![name, draft_model_sha256];
            Ok(connection.query_row(sql, parameters, |row| row.get(0)).optional()?.map(CheckpointId))
        })
    }

    /// Makes a name stand for a checkpoint, and for no other of the same draft, so that a power cut cannot undo it.
    ///
    /// # Errors
    /// If there is no such checkpoint, or the name could be taken for an id, a run or a path.
    pub fn set_alias(&mut self, name: &str, id: CheckpointId) -> Result<()> {
        check_name(name)?;
        self.checkpoint(id)?;
        self.write_durably(|transaction| set(transaction, name, id))
    }
}

/// Makes a name stand for a checkpoint.
pub(super) fn set(connection: &Connection, name: &str, id: CheckpointId) -> Result<()> {
    connection.execute(
        "INSERT INTO aliases (name, draft_model_id, checkpoint_id, set_at_ms)
        SELECT ?1, draft_model_id, id, ?3
        FROM checkpoints
        WHERE id = ?2
        ON CONFLICT (name, draft_model_id)
        DO UPDATE SET checkpoint_id = excluded.checkpoint_id, set_at_ms = excluded.set_at_ms",
        params![name, id.0, now_ms()],
    )?;
    Ok(())
}

/// Refuses a name that an option which takes an alias, an id or a path would read as one of the others.
fn check_name(name: &str) -> Result<()> {
    // The type also reads `inf` and `nan`, which are as good names as any.
    let is_number = name.contains(|c: char| c.is_ascii_digit()) && name.parse::<f64>().is_ok();
    let is_bad = name.is_empty()
        || name.starts_with(['.', '/', '~', '@'])
        || name.contains(char::is_whitespace)
        || is_number;
    if is_bad { Err(Error::BadAlias { name: name.to_owned() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::AdapterRecord;
    use crate::store::sample;

    #[test]
    fn alias_stands_for_the_checkpoint_that_it_was_given_last() {
        let (_folder, mut store) = sample::store();
        let first = store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
        let other = AdapterRecord { config_json: "{}".to_owned(), ..sample::adapter(10) };
        let second = store.import_adapter(&other, &sample::model("draft")).unwrap();
        assert_eq!(store.alias("best", None).unwrap(), None);
        store.set_alias("best", first).unwrap();
        store.set_alias("a/b", first).unwrap();
        store.set_alias("best", second).unwrap();
        assert_eq!(store.alias("best", None).unwrap(), Some(second));
        assert_eq!(store.alias("a/b", None).unwrap(), Some(first));
    }

    #[test]
    fn each_draft_has_its_own_names() {
        let (_folder, mut store) = sample::store();
        let [first, second] = ["draft", "other"]
            .map(|name| store.import_adapter(&sample::adapter(10), &sample::model(name)).unwrap());
        store.set_alias("best", first).unwrap();
        store.set_alias("best", second).unwrap();
        let of = |name: &str| store.alias("best", Some(&sample::model(name).sha256)).unwrap();
        assert_eq!((of("draft"), of("other"), of("third")), (Some(first), Some(second), None));
        assert_eq!(store.alias("best", None).unwrap(), Some(second));
    }

    #[test]
    fn alias_of_an_unknown_checkpoint_is_refused() {
        let (_folder, mut store) = sample::store();
        assert!(matches!(store.set_alias("best", CheckpointId(9)), Err(Error::NoCheckpoint(_))));
    }

    #[test]
    fn name_that_could_be_something_else_is_no_alias() {
        for name in ["", "12", "-3", "1.5", ".hidden", "../up", "/root", "~/x", "@latest", "my name", "tab\t"]
        {
            let message = check_name(name).unwrap_err().to_string();
            assert!(message.contains(&format!("got \"{name}\"")), "{message}");
        }
        for name in ["best", "v1.2", "a/b", "12b", "inf", "größer", "x@y"] {
            check_name(name).unwrap();
        }
    }
}
