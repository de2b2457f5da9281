//! What can be wrong with settings.

use std::io;
use std::path::PathBuf;

/// A setting that cannot be used, with its place: `file:line`, a variable, or a flag.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key that does not exist.
    #[error("{place}: unknown key {key} ({})", hint(.suggestion.as_deref()))]
    UnknownKey {
        /// Where it stands.
        place: String,
        /// The key.
        key: String,
        /// The nearest key that exists.
        suggestion: Option<String>,
    },
    /// An environment variable of ours that does not exist.
    #[error("unknown environment variable {name} ({})", hint(.suggestion.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest variable that exists.
        suggestion: Option<String>,
    },
    /// A value of the wrong type or out of range.
    #[error("{place}: {key} must be {expected}, got {got}")]
    BadValue {
        /// Where it stands.
        place: String,
        /// The key.
        key: &'static str,
        /// What is allowed.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A file that is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// File and line.
        place: String,
        /// What the parser says.
        message: String,
    },
    /// A file that cannot be read.
    #[error("cannot read configuration file {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two settings that cannot both hold, each as `key (where it was set)`.
    #[error("{first} sends prompts as they are, which leaves no place for {second} (unset one of them)")]
    RawWithSystemPrompt {
        /// The switch.
        first: String,
        /// The prompt.
        second: String,
    },
    /// An environment variable that is not text.
    #[error("environment variable {0} is not valid UTF-8")]
    VariableNotUtf8(String),
    /// The process has no working directory.
    #[error("cannot find the working directory")]
    WorkingDir(#[source] io::Error),
}

/// Names the nearest match, or where all are listed.
fn hint(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!("did you mean {name}?"),
        None => "speclora config show lists all keys".to_owned(),
    }
}
