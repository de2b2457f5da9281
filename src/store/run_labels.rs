//! What people say of a run beside what it measured: its name, tags and notes. They may change at any time, also while it
//! runs.

use rusqlite::{Connection, params};

use super::{Result, Store, lookup, runs};
use crate::record::RunId;

impl Store {
    /// Gives a run tags, where a key that it has already gets the new value, and takes away those of other keys. Returns the
    /// keys of the latter that it had.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn change_tags(
        &mut self,
        run: RunId,
        tags: &[(String, String)],
        removed: &[String],
    ) -> Result<Vec<String>> {
        self.write(|transaction| {
            check_exists(transaction, run)?;
            runs::insert_tags(transaction, run, tags)?;
            let mut delete = transaction.prepare("DELETE FROM run_tags WHERE run_id = ?1 AND key = ?2")?;
            let mut found = Vec::new();
            for key in removed {
                if delete.execute(params![run.0, key])? > 0 {
                    found.push(key.clone());
                }
            }
            Ok(found)
        })
    }

    /// Adds a note to those that a run has.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn add_note(&mut self, run: RunId, text: &str) -> Result<()> {
        self.write(|transaction| {
            check_exists(transaction, run)?;
            runs::insert_note(transaction, run, text)
        })
    }

    /// Gives a run a name in place of the one that it has, or none.
    ///
    /// # Errors
    /// If there is no such run, or the name is empty.
    pub fn rename_run(&mut self, run: RunId, name: Option<&str>) -> Result<()> {
        self.write(|transaction| {
            check_exists(transaction, run)?;
            transaction.execute("UPDATE runs SET name = ?2 WHERE id = ?1", params![run.0, name])?;
            Ok(())
        })
    }

    /// Returns a run's name, if it has one.
    ///
    /// # Errors
    /// If there is no such run.
    pub fn run_name(&self, run: RunId) -> Result<Option<String>> {
        self.read(|connection| {
            check_exists(connection, run)?;
            let sql = "SELECT name FROM runs WHERE id = ?1";
            Ok(connection.query_row(sql, [run.0], |row| row.get(0))?)
        })
    }

    /// Lists the runs that bear a name, the newest first. Those in the trash are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn runs_of_name(&self, name: &str) -> Result<Vec<RunId>> {
        self.read(|connection| {
            let sql = "SELECT id FROM runs WHERE name = ?1 AND deleted_at_ms IS NULL ORDER BY id DESC";
            let mut statement = connection.prepare(sql)?;
            let runs = statement.query_map([name], |row| row.get(0).map(RunId))?;
            Ok(runs.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn check_exists(connection: &Connection, run: RunId) -> Result<()> {
    let sql = "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1)";
    let is_there: bool = connection.query_row(sql, [run.0], |row| row.get(0))?;
    if is_there { Ok(()) } else { Err(lookup::no_run(connection, run)?) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Error, sample};

    #[test]
    fn labels_of_a_running_run_change_and_nothing_else_of_it() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        store.change_tags(run, &pairs(&[("a", "1"), ("b", "")]), &[]).unwrap();
        let removed = ["b", "none"].map(str::to_owned);
        let found = store.change_tags(run, &pairs(&[("a", "2"), ("c", "x=y")]), &removed).unwrap();
        assert_eq!(found, ["b"]);
        assert_eq!(store.run_plan(run).unwrap().tags, pairs(&[("a", "2"), ("c", "x=y")]));

        for text in ["first", "second\nline"] {
            store.add_note(run, text).unwrap();
        }
        let notes: Vec<String> = sample::column(&store, "SELECT text FROM run_notes ORDER BY id");
        assert_eq!(notes, ["first", "second\nline"]);

        store.rename_run(run, Some("baseline")).unwrap();
        assert_eq!(store.run_name(run).unwrap().as_deref(), Some("baseline"));
        assert_eq!(store.resolve_run("baseline").unwrap(), run);
        store.rename_run(run, None).unwrap();
        assert_eq!(store.run_name(run).unwrap(), None);
        store.heartbeat(run).unwrap();
    }

    #[test]
    fn names_need_not_be_unique() {
        let (_folder, mut store) = sample::store();
        let [first, second] = [1, 1].map(|n| store.begin_run(&sample::run(n)).unwrap());
        store.rename_run(second, Some("twice")).unwrap();
        store.rename_run(first, Some("twice")).unwrap();
        assert_eq!(store.runs_of_name("twice").unwrap(), [second, first]);
        assert_eq!(store.resolve_run("twice").unwrap(), second);
        assert_eq!(store.runs_of_name("none").unwrap(), []);
    }

    #[test]
    fn run_that_is_not_there_has_no_labels() {
        let (_folder, mut store) = sample::store();
        let run = RunId(7);
        let failed = [
            store.change_tags(run, &[("a".to_owned(), String::new())], &[]).err(),
            store.change_tags(run, &[], &["a".to_owned()]).err(),
            store.add_note(run, "x").err(),
            store.rename_run(run, None).err(),
            store.run_name(run).err(),
        ];
        assert!(failed.iter().all(|error| matches!(error, Some(Error::NoRun { .. }))), "{failed:?}");
    }
}
