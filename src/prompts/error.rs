//! What can be wrong with prompts.

use std::io;

/// Prompts that cannot be used, with their place: a file, or `file:line`.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A file that cannot be read.
    #[error("cannot read prompts from {place}")]
    Read {
        /// The file.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// A file that the program does not carry.
    #[error(
        "there is no prompt file {name} (builtin:general, builtin:bench, builtin:train and builtin:replay are there)"
    )]
    NoBuiltin {
        /// What was asked for.
        name: String,
    },
    /// A file without a prompt.
    #[error("no prompts in {place} ({num_blank} blank lines and {num_comments} comment lines skipped)")]
    Empty {
        /// The file.
        place: String,
        /// Lines without text.
        num_blank: usize,
        /// Lines whose first mark is `#`.
        num_comments: usize,
    },
    /// Bytes that are not text.
    #[error("{place}: not valid UTF-8 (prompt files must be saved as UTF-8)")]
    NotUtf8 {
        /// File and line.
        place: String,
    },
    /// A line that is not JSON.
    #[error("{place}: bad JSON: {message}")]
    Json {
        /// File, line and column.
        place: String,
        /// What the parser says.
        message: String,
    },
    /// A row that is not CSV.
    #[error("{place}: bad CSV: {message}")]
    Csv {
        /// File and line.
        place: String,
        /// What the parser says.
        message: String,
    },
    /// A JSON object without a prompt.
    #[error("{place}: no \"prompt\" and no \"turns\" (its keys are {})", list(.keys))]
    NoPrompt {
        /// File and line.
        place: String,
        /// The keys that it has.
        keys: Vec<String>,
    },
    /// A CSV file without a column of prompts.
    #[error("{place}: no \"prompt\" column (its columns are {})", list(.columns))]
    NoColumn {
        /// The file.
        place: String,
        /// The columns that it has.
        columns: Vec<String>,
    },
    /// A field of the wrong type.
    #[error("{place}: {field} must be {expected}, got {got}")]
    BadField {
        /// File and line.
        place: String,
        /// The field.
        field: &'static str,
        /// What is allowed.
        expected: &'static str,
        /// What was found.
        got: String,
    },
    /// A prompt without text.
    #[error("{place}: prompt is blank")]
    Blank {
        /// File and line, or the flag.
        place: String,
    },
}

/// Joins names, or says that there are none.
fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
