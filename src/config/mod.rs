//! Settings: defaults, files, environment and flags become one validated [`Spec`], with the origin of each value.
//!
//! Later layers win: default < user file < project file (or `--config`) < `SPECLORA_*` variable < flag. Every layer is
//! checked in full, so a bad value is an error even where a later layer would have replaced it.
//!
//! [`resolve`] is pure: the process's environment, its folders and its files come in through [`Sources`].

mod error;
mod key;
mod layer;
mod locate;
mod spec;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

pub use self::error::ConfigError;
pub use self::key::Key;
pub use self::layer::Overrides;
pub use self::locate::{find_database, find_model};
pub use self::spec::{KEYS, NamedSize, Spec, VocabularySize, is_read_by};

use self::layer::Assignment;
use crate::record::Setting;

/// Environment variable that names the project file, like `--config`.
const CONFIG_VARIABLE: &str = "SPECLORA_CONFIG";

/// Everything outside the program that decides settings.
pub struct Sources<'a> {
    /// Settings given as flags.
    pub flags: Overrides,
    /// File given by `--config`: read instead of the project file.
    pub config_file: Option<PathBuf>,
    /// Environment variables; those that do not begin with `SPECLORA_` are ignored.
    pub variables: BTreeMap<String, String>,
    /// Folder in which the search for `speclora.toml` begins.
    pub working_dir: PathBuf,
    /// The user's file; it need not exist.
    pub user_file: Option<PathBuf>,
    /// What `~/` stands for.
    pub home: Option<PathBuf>,
    /// Reads a file to text.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
}

impl Sources<'_> {
    /// Takes environment, folders and files from the running process.
    ///
    /// # Errors
    /// If the working directory is gone, or a `SPECLORA_*` variable is not UTF-8.
    pub fn of_process(flags: Overrides, config_file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let working_dir = std::env::current_dir().map_err(ConfigError::WorkingDir)?;
        let folders = etcetera::choose_base_strategy().ok();
        Ok(Self {
            flags,
            config_file,
            variables: layer::process_variables()?,
            working_dir,
            user_file: folders.as_ref().map(|f| f.config_dir().join("speclora").join("config.toml")),
            home: folders.as_ref().map(|f| f.home_dir().to_path_buf()),
            read: &|path| std::fs::read_to_string(path),
        })
    }

    /// The flags alone, without files and variables.
    pub fn flags_alone(self) -> Self {
        Self {
            config_file: None,
            variables: BTreeMap::new(),
            user_file: None,
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            ..self
        }
    }
}

/// Resolves all layers into a [`Spec`] and one [`Setting`] a key, in the order of [`KEYS`].
///
/// # Errors
/// If a key or variable is unknown, a value is bad, a file cannot be read, or two settings exclude each other; the first
/// of these, with its place.
pub fn resolve(sources: &Sources<'_>) -> Result<(Spec, Vec<Setting>), ConfigError> {
    let mut assignments = layer::defaults();
    for file in config_files(sources)? {
        assignments.extend(layer::file(&file)?);
    }
    let variables = sources.variables.iter().filter(|(name, _)| *name != CONFIG_VARIABLE);
    assignments.extend(layer::variables(variables)?);
    assignments.extend(layer::flags(&sources.flags)?);

    let mut settings: Vec<Setting> = KEYS.iter().map(Key::absent).collect();
    for Assignment { key, value, origin, source, folder } in assignments {
        let value = locate::anchor(key.kind, value, folder.as_deref(), sources.home.as_deref());
        let setting =
            settings.iter_mut().find(|s| s.key == key.name).expect("there is a setting for each key");
        *setting = Setting { value, origin, source, ..setting.clone() };
    }
    let spec = Spec::from_settings(&settings)?;
    refuse_raw_with_system_prompt(&spec, &settings)?;
    Ok((spec, settings))
}

/// Raw prompts pass by the template, and so would the system prompt, in silence.
fn refuse_raw_with_system_prompt(spec: &Spec, settings: &[Setting]) -> Result<(), ConfigError> {
    if !spec.raw || spec.system_prompt.is_none() {
        return Ok(());
    }
    let placed = |key: &str| {
        let setting = settings.iter().find(|s| s.key == key).expect("there is a setting for each key");
        format!("{key} ({})", setting.source.as_deref().unwrap_or("default"))
    };
    Err(ConfigError::RawWithSystemPrompt { first: placed("raw"), second: placed("system_prompt") })
}

/// The configuration files that [`resolve`] reads, the weaker first.
///
/// # Errors
/// If one cannot be read.
pub fn files(sources: &Sources<'_>) -> Result<Vec<PathBuf>, ConfigError> {
    Ok(config_files(sources)?.into_iter().map(|file| file.path).collect())
}

/// The files that exist, the weaker first: the user's, then the given one or the project's.
fn config_files(sources: &Sources<'_>) -> Result<Vec<locate::ConfigFile>, ConfigError> {
    let user = match &sources.user_file {
        Some(path) => locate::read_if_exists(path, sources.read)?,
        None => None,
    };
    let given =
        sources.config_file.clone().or_else(|| sources.variables.get(CONFIG_VARIABLE).map(PathBuf::from));
    let project = match given {
        Some(path) => Some(locate::read_given(&path, sources.read)?),
        None => locate::find_project_file(&sources.working_dir, sources.read)?,
    };
    Ok(user.into_iter().chain(project).collect())
}

#[cfg(test)]
mod tests;
