//! What every command is given: the terminal and the global flags.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::UsageError;
use super::output::{self, Protected};
use super::selectors::selector;
use crate::config::{self, Overrides, Sources, Spec};
use crate::engine::cpu::Backend;
use crate::engine::files::{HashMemo, builtin};
use crate::record::{RunId, Setting};
use crate::report::{Format, Grid, OutputFormat};
use crate::store::{FileStamp, Store};
use crate::ui::{Color, Ui, Verbosity};

/// Where nobody names a model, they are the built-in ones.
fn default_to_builtin_models(spec: &mut Spec, settings: &mut [Setting]) {
    if !builtin::ARE_THERE || spec.target.is_some() || spec.draft.is_some() {
        return;
    }
    for (key, field, name) in
        [("target", &mut spec.target, builtin::TARGET), ("draft", &mut spec.draft, builtin::DRAFT)]
    {
        *field = Some(name.to_owned());
        setting_mut(settings, key).value = name.into();
    }
}

/// The setting of a key, to be decided where no layer could.
pub(in crate::cmd) fn setting_mut<'a>(settings: &'a mut [Setting], key: &str) -> &'a mut Setting {
    settings.iter_mut().find(|setting| setting.key == key).expect("every key has a setting")
}

/// What kernels run on: what the settings say, else the fastest that the processor has.
///
/// # Errors
/// If the processor does not have it.
pub(in crate::cmd) fn backend(spec: &Spec) -> Result<Backend, UsageError> {
    match &spec.simd {
        Some(name) => name.parse().map_err(|problem| UsageError(format!("simd: {problem}"))),
        None => Ok(Backend::detect()),
    }
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Database file [default: the nearest speclora.db in this folder or a parent, else ./speclora.db]
    #[arg(long, global = true, value_name = "PATH")]
    pub db: Option<String>,
    /// Configuration file, instead of the nearest speclora.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How data is written [default: table; export writes what the name of its file says, else json]
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub format: Option<OutputFormat>,
    /// Short for --format json
    #[arg(long, global = true, conflicts_with = "format")]
    pub json: bool,
    /// When messages are coloured
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t)]
    pub color: Color,
    /// Says only warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Says details
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl GlobalArgs {
    /// The format that was asked for, if any.
    pub fn asked_format(&self) -> Option<OutputFormat> {
        if self.json { Some(OutputFormat::Text(Format::Json)) } else { self.format }
    }

    /// The format of text that was asked for, if any.
    pub fn format(&self) -> Option<Format> {
        match self.asked_format()? {
            OutputFormat::Text(format) => Some(format),
            OutputFormat::Parquet => None,
        }
    }

    /// How much to say.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// The terminal and the global flags.
pub(crate) struct Context {
    pub(super) ui: Ui,
    pub(super) global: GlobalArgs,
    /// Whether files and variables decide settings, beside flags.
    has_settings: bool,
}

impl Context {
    pub(super) fn new(global: GlobalArgs) -> Self {
        Self { ui: Ui::new(global.verbosity(), global.color), global, has_settings: true }
    }

    /// The same terminal and database, and no settings but those of flags.
    ///
    /// # Errors
    /// If the settings that say where the database is cannot be used.
    pub(super) fn without_settings(&self) -> anyhow::Result<Self> {
        let (spec, _) = self.resolve(Overrides::NONE)?;
        let database = self.database_path(&spec)?.display().to_string();
        let global = GlobalArgs { db: Some(database), ..self.global.clone() };
        Ok(Self { has_settings: false, ..Self::new(global) })
    }

    /// Resolves the settings from all layers, `overrides` and the global flags on top.
    pub(super) fn resolve(&self, mut overrides: Overrides) -> anyhow::Result<(Spec, Vec<Setting>)> {
        overrides.set("db", self.global.db.as_deref());
        let sources = Sources::of_process(overrides, self.global.config.clone())?;
        let sources = if self.has_settings { sources } else { sources.flags_alone() };
        let (mut spec, mut settings) = config::resolve(&sources)?;
        default_to_builtin_models(&mut spec, &mut settings);
        Ok((spec, settings))
    }

    /// Where the database is, or would be.
    pub(super) fn database_path(&self, spec: &Spec) -> anyhow::Result<PathBuf> {
        let working_dir = std::env::current_dir().context("cannot find the working directory")?;
        Ok(config::find_database(spec.db.as_deref(), &working_dir, Path::is_file))
    }

    /// Opens the database, which must exist.
    pub(super) fn open_store(&self) -> anyhow::Result<Store> {
        let (spec, _) = self.resolve(Overrides::NONE)?;
        self.open_database(&self.database_path(&spec)?)
    }

    /// Opens a database that must exist, and says so if it was upgraded.
    pub(super) fn open_database(&self, path: &Path) -> anyhow::Result<Store> {
        let store = Store::open_existing(path)?;
        self.note_upgrade(&store);
        Ok(store)
    }

    /// Says that a database was brought to this version's schema, if it was, and where it lies as it was.
    pub(super) fn note_upgrade(&self, store: &Store) {
        if let Some(backup) = store.backup() {
            let (path, backup) = (store.path().display(), backup.display());
            self.ui.note(format!("{path} is of an older version, and was upgraded (as it was: {backup})"));
        }
    }

    /// The format of the output: what was asked for, else a table.
    pub(super) fn format(&self) -> Format {
        self.global.format().unwrap_or_default()
    }

    /// Whether the output shall be Parquet, which is no text.
    pub(crate) fn is_asked_for_parquet(&self) -> bool {
        self.global.asked_format() == Some(OutputFormat::Parquet)
    }

    /// Writes a listing to standard output.
    pub(super) fn print(&self, grid: &Grid) -> anyhow::Result<()> {
        Ok(self.ui.data(&grid.render(self.format()))?)
    }

    /// The files that decide what a command does, and the database: no output may replace them.
    pub(super) fn protected(&self, spec: &Spec) -> anyhow::Result<Protected> {
        let mut protected = Protected::default();
        protected.add_database(&self.database_path(spec)?);
        let sources = Sources::of_process(Overrides::NONE, self.global.config.clone())?;
        for path in config::files(&sources)? {
            protected.add("a configuration file", path);
        }
        Ok(protected)
    }

    /// Writes text to a file, or to standard output for `-`.
    pub(super) fn write(&self, path: &Path, text: &str) -> anyhow::Result<()> {
        if output::is_stdout(path) {
            return Ok(self.ui.data(text)?);
        }
        output::write(path, text)?;
        self.ui.status(format!("wrote {}", path.display()));
        Ok(())
    }
}

/// Finds a model by path or by name in the folder of models.
pub(super) fn find_model(name: &str, spec: &Spec) -> anyhow::Result<PathBuf> {
    if builtin::is_builtin(Path::new(name)) {
        return Ok(name.into());
    }
    config::find_model(name, &spec.models, Path::exists).map_err(|tried| {
        let tried = tried.map(|path| path.display().to_string()).join(" nor ");
        anyhow::anyhow!("no model at {tried} (give a .gguf file or a Hugging Face folder, or set models)")
    })
}

/// Reads a run's selector from words like `run 12`, `12` or `@latest`.
pub(super) fn select_run(store: &Store, words: &[String]) -> anyhow::Result<RunId> {
    Ok(store.resolve_run(selector(words)?)?)
}

/// Remembers the hashes of model files, where there is a database, and says when one takes a while.
pub(super) struct FileHashes<'a> {
    store: Option<&'a mut Store>,
    ui: &'a Ui,
    /// What was computed.
    pub(super) computed: Vec<FileHash>,
}

/// A hash that was computed, for a database that is yet to be made.
#[derive(Debug)]
pub(super) struct FileHash {
    path: PathBuf,
    size_bytes: u64,
    mtime_ns: i64,
    sha256: String,
}

impl FileHash {
    /// Remembers it. If that fails, it is computed again; nothing else depends on it.
    pub(super) fn remember(&self, store: &mut Store, ui: &Ui) {
        let stamp = FileStamp { path: &self.path, size_bytes: self.size_bytes, mtime_ns: self.mtime_ns };
        if let Err(error) = store.remember_file_hash(&stamp, &self.sha256) {
            ui.detail(format!("the hash of {} is not remembered: {error}", self.path.display()));
        }
    }
}

impl<'a> FileHashes<'a> {
    /// Remembers in this database, if there is one.
    pub(super) fn new(store: Option<&'a mut Store>, ui: &'a Ui) -> Self {
        Self { store, ui, computed: vec![] }
    }
}

impl FileHashes<'_> {
    /// Files of this size take about a second to hash.
    const SLOW_BYTES: u64 = 256 << 20;

    fn known(&self, stamp: &FileStamp) -> Option<String> {
        self.store.as_ref()?.file_hash(stamp).unwrap_or_else(|error| {
            self.ui.detail(format!("{} is hashed again: {error}", stamp.path.display()));
            None
        })
    }
}

impl HashMemo for FileHashes<'_> {
    fn get(&mut self, path: &Path, size_bytes: u64, mtime_ns: i64) -> Option<String> {
        let known = self.known(&FileStamp { path, size_bytes, mtime_ns });
        if known.is_none() && size_bytes >= Self::SLOW_BYTES {
            let gigabytes = size_bytes as f64 / 1e9;
            let once = if self.store.is_some() { ", once" } else { "" };
            self.ui.status(format!("hashing {} ({gigabytes:.1} GB){once}", path.display()));
        }
        known
    }

    fn put(&mut self, path: &Path, size_bytes: u64, mtime_ns: i64, sha256: &str) {
        let hash = FileHash { path: path.to_owned(), size_bytes, mtime_ns, sha256: sha256.to_owned() };
        if let Some(store) = &mut self.store {
            hash.remember(store, self.ui);
        }
        self.computed.push(hash);
    }
}
