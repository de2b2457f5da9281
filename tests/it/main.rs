//! End-to-end tests: the engine against other implementations, and the program as a user runs it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic, and says on standard error what it measured or skipped"
)]

mod adapters;
mod bench;
#[cfg(feature = "builtin-models")]
mod builtin;
mod chat;
mod collect;
mod config;
mod cpu;
mod engine;
mod errors;
mod evaluate;
mod generate;
mod gguf;
mod program;
mod query;
mod real_models;
#[cfg(feature = "builtin-models")]
mod runs;
mod tokenizer;
#[cfg(feature = "builtin-models")]
mod train;

use std::path::PathBuf;

/// A file or folder of `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A JSON file of `tests/fixtures`.
fn fixture_json(name: &str) -> serde_json::Value {
    let path = fixture(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Ids in a JSON list.
fn ids(value: &serde_json::Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}
