//! Finds files: configuration, the database, models by their names.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ConfigError;
use super::key::Kind;

/// Name of a project's configuration file.
const PROJECT_FILE: &str = "speclora.toml";

/// Name of the database that is looked for.
const DATABASE_FILE: &str = "speclora.db";

/// A configuration file that was read.
pub(super) struct ConfigFile {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Path as it is shown.
    pub(super) name: String,
    /// Folder in which its relative paths begin.
    pub(super) folder: PathBuf,
    pub(super) text: String,
}

/// Finds the database: `db` if given, else the nearest `speclora.db` in the working directory or a parent, else the
/// working directory's, which does not exist yet.
pub fn find_database(db: Option<&Path>, working_dir: &Path, is_file: impl Fn(&Path) -> bool) -> PathBuf {
    if let Some(path) = db {
        return path.to_owned();
    }
    let nearest = working_dir.ancestors().map(|folder| folder.join(DATABASE_FILE)).find(|path| is_file(path));
    nearest.unwrap_or_else(|| working_dir.join(DATABASE_FILE))
}

/// Finds a model: a path that exists, else a name that exists in the folder of models.
///
/// # Errors
/// If neither exists, with the places that were tried.
pub fn find_model(
    name: &str,
    models: &Path,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, [PathBuf; 2]> {
    let places = [PathBuf::from(name), models.join(name)];
    places.iter().find(|path| exists(path)).cloned().ok_or(places)
}

/// Reads a file that the user named, so that its absence is an error.
pub(super) fn read_given(
    path: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<ConfigFile, ConfigError> {
    let text = read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    Ok(ConfigFile { path: path.to_owned(), name: path.display().to_string(), folder, text })
}

/// Reads a file that need not exist.
pub(super) fn read_if_exists(
    path: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Option<ConfigFile>, ConfigError> {
    match read_given(path, read) {
        Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

/// Reads the nearest `speclora.toml` in the working directory or a parent.
pub(super) fn find_project_file(
    working_dir: &Path,
    read: &dyn Fn(&Path) -> io::Result<String>,
) -> Result<Option<ConfigFile>, ConfigError> {
    for folder in working_dir.ancestors() {
        if let Some(mut file) = read_if_exists(&folder.join(PROJECT_FILE), read)? {
            if folder == working_dir {
                file.name = format!("./{PROJECT_FILE}");
            }
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Anchors a value that is a path: `~/` at the home, and a relative path from a file at the file's folder.
pub(super) fn anchor(kind: Kind, value: Value, folder: Option<&Path>, home: Option<&Path>) -> Value {
    let (Kind::Path | Kind::NameOrPath, Value::String(text)) = (kind, &value) else {
        return value;
    };
    let is_relative_path = kind == Kind::Path || text.starts_with("./") || text.starts_with("../");
    let anchored = match (text.strip_prefix("~/"), home, folder) {
        (Some(rest), Some(home), _) => home.join(rest),
        (None, _, Some(folder)) if is_relative_path => folder.join(text.strip_prefix("./").unwrap_or(text)),
        _ => return value,
    };
    anchored.display().to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_database_is_found() {
        let find = |existing: &str| {
            find_database(None, Path::new("/a/b/c"), |path| path == Path::new(existing)).display().to_string()
        };
        assert_eq!(find("/a/b/c/speclora.db"), "/a/b/c/speclora.db");
        assert_eq!(find("/a/speclora.db"), "/a/speclora.db");
        assert_eq!(find(""), "/a/b/c/speclora.db");
        assert_eq!(find_database(Some(Path::new("x.db")), Path::new("/a"), |_| true), Path::new("x.db"));
    }

    #[test]
    fn model_is_a_path_or_a_name_among_models() {
        let find =
            |existing: &str| find_model("m.gguf", Path::new("/models"), |path| path == Path::new(existing));
        assert_eq!(find("m.gguf"), Ok("m.gguf".into()));
        assert_eq!(find("/models/m.gguf"), Ok("/models/m.gguf".into()));
        assert_eq!(find(""), Err(["m.gguf".into(), "/models/m.gguf".into()]));
    }

    #[test]
    fn paths_are_anchored_and_names_are_not() {
        let check = |kind, text: &str, folder: Option<&str>, expected: &str| {
            let value = anchor(kind, text.into(), folder.map(Path::new), Some(Path::new("/home/ada")));
            assert_eq!(value, expected, "{kind:?} {text}");
        };
        check(Kind::Path, "~/models", None, "/home/ada/models");
        check(Kind::Path, "models", None, "models");
        check(Kind::Path, "models", Some("/project"), "/project/models");
        check(Kind::Path, "/models", Some("/project"), "/models");
        check(Kind::NameOrPath, "best", Some("/project"), "best");
        check(Kind::NameOrPath, "./adapter", Some("/project"), "/project/adapter");
        check(Kind::NameOrPath, "../adapter", Some("/project"), "/project/../adapter");
        check(Kind::Text, "~/text", Some("/project"), "~/text");
    }
}
