//! Whether a database is sound.

use super::{Result, Store};

impl Store {
    /// Lists what is wrong with the file: pages that contradict each other, rows that point at nothing. A sound one has
    /// an empty list.
    ///
    /// # Errors
    /// If it cannot even be read.
    pub fn check(&self) -> Result<Vec<String>> {
        self.read(|connection| {
            let mut problems = Vec::new();
            let mut pages = connection.prepare("PRAGMA quick_check")?;
            for message in pages.query_map([], |row| row.get::<_, String>(0))? {
                problems.push(message?);
            }
            problems.retain(|message| message != "ok");
            let mut references = connection.prepare(
                "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2",
            )?;
            let dangling = references.query_map([], |row| {
                let (table, parent, num_rows): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(match num_rows {
                    1 => format!("a row of {table} points at a row of {parent} that is not there"),
                    _ => format!("{num_rows} rows of {table} point at rows of {parent} that are not there"),
                })
            })?;
            for problem in dangling {
                problems.push(problem?);
            }
            Ok(problems)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::store::sample;

    #[test]
    fn sound_database_has_no_problems() {
        let (_folder, mut store) = sample::store();
        sample::fill(&mut store);
        assert_eq!(store.check().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn row_that_points_at_nothing_is_a_problem() {
        let (_folder, mut store) = sample::store();
        store.begin_run(&sample::run(1)).unwrap();
        store.connection.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM environments").unwrap();
        let expected = "a row of runs points at a row of environments that is not there";
        assert_eq!(store.check().unwrap(), [expected]);
    }
}
