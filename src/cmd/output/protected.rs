//! Files that no output may replace.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{create_beside, destination, is_stdout};
use crate::cmd::UsageError;

/// What every SQLite database begins with.
const SQLITE_MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What SQLite adds to a database's name for its companions.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Files that no output may replace, each with what it is.
#[derive(Debug, Default)]
pub(in crate::cmd) struct Protected(Vec<(&'static str, PathBuf)>);

impl Protected {
    /// Protects a file, or all files of a folder. It need not exist yet.
    pub(in crate::cmd) fn add(&mut self, what: &'static str, path: impl Into<PathBuf>) {
        self.0.push((what, path.into()));
    }

    /// Protects a database with its companions.
    pub(in crate::cmd) fn add_database(&mut self, path: &Path) {
        self.add("the database", path);
        for suffix in COMPANIONS {
            let mut companion = path.as_os_str().to_owned();
            companion.push(suffix);
            self.add("a part of the database", companion);
        }
    }

    /// What a path is, if it is one of the protected files.
    pub(in crate::cmd) fn find(&self, path: &Path) -> Option<&'static str> {
        self.0.iter().find(|(_, protected)| is_same(path, protected)).map(|(what, _)| *what)
    }

    /// Finds out, before hours of work, whether a file can be written without loss; it is left as it is. `-` always can.
    ///
    /// # Errors
    /// If it is one of the protected files or another SQLite database, or may not be written.
    pub(in crate::cmd) fn check(&self, output: &Path) -> anyhow::Result<()> {
        if is_stdout(output) {
            return Ok(());
        }
        let shown = output.display();
        if let Some(what) = self.find(output) {
            return Err(UsageError(format!("{shown} is {what} (name another file with --output)")).into());
        }
        if is_database(output) {
            let problem = format!("{shown} is an SQLite database (name another file with --output)");
            return Err(UsageError(problem).into());
        }
        check_writable(output).with_context(|| format!("cannot write {shown}"))
    }
}

fn check_writable(path: &Path) -> io::Result<()> {
    if path.exists() {
        OpenOptions::new().append(true).open(path)?;
    }
    if let Some(path) = destination(path) {
        let (temporary, _) = create_beside(&path)?;
        fs::remove_file(temporary)?;
    }
    Ok(())
}

/// Whether a path leads to a protected file, or into a protected folder; also by a link, or before the file exists.
fn is_same(output: &Path, protected: &Path) -> bool {
    let (output, protected) = (resolved(output), resolved(protected));
    output == protected
        || is_hard_link(&output, &protected)
        || (protected.is_dir() && output.is_file() && output.starts_with(&protected))
}

/// A path without links and detours; of a file that does not exist yet, its folder's with its name.
fn resolved(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.canonicalize().unwrap_or_else(|_| match (absolute.parent(), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).join(name),
        _ => absolute,
    })
}

#[cfg(unix)]
fn is_hard_link(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let inode = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    inode(a).is_some_and(|a| Some(a) == inode(b))
}

#[cfg(not(unix))]
fn is_hard_link(_: &Path, _: &Path) -> bool {
    false
}

fn is_database(path: &Path) -> bool {
    let mut start = [0; SQLITE_MAGIC.len()];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start == SQLITE_MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn protected_files_are_known_under_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("model")).unwrap();
        for name in ["prompts.txt", "model/config.json", "plain.txt"] {
            fs::write(path(name), name).unwrap();
        }
        fs::write(path("songs"), [SQLITE_MAGIC.as_slice(), b"more"].concat()).unwrap();
        fs::hard_link(path("prompts.txt"), path("again.txt")).unwrap();
        let mut protected = Protected::default();
        protected.add_database(&path("speclora.db"));
        protected.add("the prompts file", path("prompts.txt"));
        protected.add("the target model", path("model"));
        let check = |name: &str, expected: Option<&str>| {
            let outcome = protected.check(&path(name)).map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(outcome, Ok(()), "{name}"),
                Some(part) => assert!(outcome.as_ref().unwrap_err().contains(part), "{name}: {outcome:?}"),
            }
        };
        check("speclora.db", Some("is the database (name another file"));
        check("speclora.db-wal", Some("is a part of the database"));
        check("model/../speclora.db-shm", Some("is a part of the database"));
        check("prompts.txt", Some("is the prompts file"));
        check("again.txt", Some("is the prompts file"));
        check("model/config.json", Some("is the target model"));
        check("songs", Some("is an SQLite database"));
        check("none/out.json", Some("cannot write"));
        check("model", Some("is the target model"));
        check("model/out.json", None);
        check("plain.txt", None);
        check("out.json", None);
        assert_eq!(names(folder.path()), ["again.txt", "model", "plain.txt", "prompts.txt", "songs"]);
    }
}
