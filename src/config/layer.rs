//! The layers: defaults, a file, environment variables and flags, each a list of checked assignments.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;

use super::error::ConfigError;
use super::key::Key;
use super::locate::ConfigFile;
use super::spec::KEYS;
use crate::record::Origin;

/// Prefix of the environment variables that are ours.
const VARIABLE_PREFIX: &str = "SPECLORA_";

/// One layer's word on one setting, checked.
pub(super) struct Assignment {
    pub(super) key: &'static Key,
    pub(super) value: serde_json::Value,
    pub(super) origin: Origin,
    /// File, variable or flag.
    pub(super) source: Option<String>,
    /// Where relative paths begin; the working directory if absent.
    pub(super) folder: Option<PathBuf>,
}

/// Settings given as flags.
#[derive(Debug, Clone, Default)]
pub struct Overrides(Vec<Override>);

#[derive(Debug, Clone)]
struct Override {
    key: &'static str,
    flag: String,
    value: toml::Value,
}

impl Overrides {
    /// No flags.
    pub const NONE: Self = Self(Vec::new());

    /// Whether no flag was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a setting by its key if the flag was given: `overrides.set("seed", args.seed)`.
    ///
    /// A text value is read as the setting's type, like that of a variable.
    pub fn set(&mut self, key: &'static str, value: Option<impl Into<toml::Value>>) -> &mut Self {
        let flag = Key::find(key).map_or_else(|| key.to_owned(), Key::flag);
        self.set_by(flag, key, value)
    }

    /// Adds a setting that a flag of another name decides: `--skip-lora` decides `modes`.
    pub fn set_by(
        &mut self,
        flag: impl Into<String>,
        key: &'static str,
        value: Option<impl Into<toml::Value>>,
    ) -> &mut Self {
        self.0.extend(value.map(|value| Override { key, flag: flag.into(), value: value.into() }));
        self
    }
}

/// The built-in values; optional settings have none.
pub(super) fn defaults() -> Vec<Assignment> {
    let assign = |key: &'static Key| {
        let document: toml::Table = format!("value = {}", key.default?).parse().expect("defaults are TOML");
        let value = key.kind.check(&document["value"]).expect("defaults pass their own checks");
        Some(Assignment { key, value, origin: Origin::Default, source: None, folder: None })
    };
    KEYS.iter().filter_map(assign).collect()
}

/// The values of a TOML file.
pub(super) fn file(file: &ConfigFile) -> Result<Vec<Assignment>, ConfigError> {
    type Document = BTreeMap<Spanned<String>, Spanned<toml::Value>>;
    let place = |offset: usize| format!("{}:{}", file.name, line_of(&file.text, offset));
    let document: Document = toml::from_str(&file.text).map_err(|error| ConfigError::Syntax {
        place: place(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut pairs: Vec<_> = document.into_iter().collect();
    pairs.sort_by_key(|(key, _)| key.span().start);
    pairs
        .iter()
        .map(|(name, value)| {
            let place = place(name.span().start);
            let key = known_key(name.as_ref(), &place)?;
            Ok(Assignment {
                key,
                value: checked(key, value.as_ref(), place)?,
                origin: Origin::File,
                source: Some(file.name.clone()),
                folder: Some(file.folder.clone()),
            })
        })
        .collect()
}

/// The values of `SPECLORA_*` variables.
pub(super) fn variables<'a>(
    variables: impl Iterator<Item = (&'a String, &'a String)>,
) -> Result<Vec<Assignment>, ConfigError> {
    variables
        .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
        .map(|(name, text)| {
            let key =
                KEYS.iter().find(|key| key.variable() == *name).ok_or_else(|| unknown_variable(name))?;
            Ok(Assignment {
                key,
                value: checked(key, &key.kind.parse(text), name.clone())?,
                origin: Origin::Environment,
                source: Some(name.clone()),
                folder: None,
            })
        })
        .collect()
}

/// The values of flags.
pub(super) fn flags(overrides: &Overrides) -> Result<Vec<Assignment>, ConfigError> {
    let assign = |Override { key, flag, value }: &Override| {
        let key = known_key(key, flag)?;
        let parsed = value.as_str().map(|text| key.kind.parse(text));
        Ok(Assignment {
            key,
            value: checked(key, parsed.as_ref().unwrap_or(value), flag.clone())?,
            origin: Origin::Flag,
            source: Some(flag.clone()),
            folder: None,
        })
    };
    overrides.0.iter().map(assign).collect()
}

/// Checks a value that a run stored; there is none where it stored that there is none.
pub(super) fn stored(
    name: &str,
    value: &serde_json::Value,
) -> Result<Option<serde_json::Value>, ConfigError> {
    let place = "stored settings";
    let key = known_key(name, place)?;
    if value.is_null() && key.default.is_none() {
        return Ok(None);
    }
    match toml::Value::try_from(value) {
        Ok(value) => checked(key, &value, place.to_owned()).map(Some),
        Err(_) => Err(bad_value(key, value.to_string(), place.to_owned())),
    }
}

/// Our variables in the environment of this process.
pub(super) fn process_variables() -> Result<BTreeMap<String, String>, ConfigError> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with(VARIABLE_PREFIX))?;
            Some(match value.into_string() {
                Ok(value) => Ok((name, value)),
                Err(_) => Err(ConfigError::VariableNotUtf8(name)),
            })
        })
        .collect()
}

fn known_key(name: &str, place: &str) -> Result<&'static Key, ConfigError> {
    Key::find(name).ok_or_else(|| ConfigError::UnknownKey {
        place: place.to_owned(),
        key: name.to_owned(),
        suggestion: Key::nearest(name).map(|key| key.name.to_owned()),
    })
}

fn unknown_variable(name: &str) -> ConfigError {
    let suggestion = Key::nearest(&name[VARIABLE_PREFIX.len()..]).map(Key::variable);
    ConfigError::UnknownVariable { name: name.to_owned(), suggestion }
}

fn checked(key: &'static Key, value: &toml::Value, place: String) -> Result<serde_json::Value, ConfigError> {
    key.kind.check(value).ok_or_else(|| bad_value(key, value.to_string(), place))
}

fn bad_value(key: &'static Key, got: String, place: String) -> ConfigError {
    ConfigError::BadValue { place, key: key.name, expected: key.kind.expected(), got }
}

/// The number, from 1, of the line in which a byte offset lies.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
