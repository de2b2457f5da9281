//! The trash: runs that no command finds, until they are restored or `runs gc` takes them.

use rusqlite::params;

use super::{Result, Store, runs};
use crate::environment::now_ms;
use crate::record::RunId;

impl Store {
    /// Moves runs to the trash, all or none.
    ///
    /// # Errors
    /// If there is no such run, or a process is at work on one.
    pub fn trash_runs(&mut self, runs: &[RunId]) -> Result<()> {
        self.write_durably(|transaction| {
            for &run in runs {
                runs::check_ended(transaction, run)?;
                transaction.execute(
                    "UPDATE runs SET deleted_at_ms = ?2 WHERE id = ?1 AND deleted_at_ms IS NULL",
                    params![run.0, now_ms()],
                )?;
            }
            Ok(())
        })
    }

    /// Takes runs out of the trash.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn restore_runs(&mut self, runs: &[RunId]) -> Result<()> {
        self.write_durably(|transaction| {
            let mut restore = transaction.prepare("UPDATE runs SET deleted_at_ms = NULL WHERE id = ?1")?;
            for run in runs {
                restore.execute([run.0])?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Error, ExampleFilter, Place, RunEnd, RunSearch, sample};

    fn listed(store: &Store, place: Place) -> usize {
        store.list_runs(&RunSearch { place, ..RunSearch::default() }).unwrap().rows.len()
    }

    #[test]
    fn run_in_the_trash_is_found_nowhere_until_it_is_restored() {
        let (_folder, mut store) = sample::store();
        let collected = sample::collect(&mut store, 2);
        store.rename_run(collected, Some("mine")).unwrap();
        let num_examples = |store: &Store| store.examples(&ExampleFilter::default()).unwrap().len();
        assert_eq!((num_examples(&store), listed(&store, Place::Kept)), (2, 1));

        store.trash_runs(&[collected]).unwrap();
        assert_eq!((listed(&store, Place::Kept), listed(&store, Place::Trash)), (0, 1));
        assert_eq!(num_examples(&store), 0, "what only runs in the trash collected is not learned from");
        for selector in ["1", "mine", "@latest"] {
            assert!(store.resolve_run(selector).is_err(), "{selector}");
        }
        assert_eq!(store.resolve_trashed_run("mine").unwrap(), collected);

        store.restore_runs(&[collected]).unwrap();
        assert_eq!((num_examples(&store), listed(&store, Place::Kept)), (2, 1));
        assert_eq!(store.resolve_run("mine").unwrap(), collected);
        let message = store.resolve_trashed_run("mine").unwrap_err().to_string();
        assert_eq!(message, "no run mine in the trash (speclora runs list --deleted)");
    }

    #[test]
    fn run_at_work_is_not_deleted_and_takes_the_others_with_it() {
        let (_folder, mut store) = sample::store();
        let [ended, alive] = [1, 1].map(|n| store.begin_run(&sample::run(n)).unwrap());
        store.finish_run(ended, &RunEnd::Completed).unwrap();
        let refused = store.trash_runs(&[ended, alive]);
        assert!(matches!(refused, Err(Error::RunAlive { run, .. }) if run == alive), "{refused:?}");
        assert_eq!(listed(&store, Place::Trash), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn crashed_run_is_deleted() {
        let (_folder, mut store) = sample::store();
        let run = store.begin_run(&sample::run(1)).unwrap();
        store
            .connection
            .execute("UPDATE runs SET process_start_ticks = process_start_ticks - 1", [])
            .unwrap();
        store.trash_runs(&[run]).unwrap();
        assert_eq!(listed(&store, Place::Trash), 1);
    }
}
