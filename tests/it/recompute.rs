//! Every number that commands print, beside a recomputation in Python from raw rows, on a generated database.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;

/// A file of the repository.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Runs a Python script of the repository; none where there is no Python.
fn python(script: &str, arguments: &[&Path]) -> Option<Output> {
    let mut command = Command::new("python3");
    command.arg(file(script)).args(arguments);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    std::env::vars_os().for_each(|(name, _)| {
        if name.to_string_lossy().starts_with("SPECLORA_") {
            command.env_remove(name);
        }
    });
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: there is no python3 to recompute figures with ({error})");
            None
        }
    }
}

fn recompute(database: &Path) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_speclora"));
    let arguments = [Path::new("--speclora"), program, Path::new("--database"), database];
    python("tests/py/recompute.py", &arguments).unwrap()
}

#[test]
fn printed_numbers_equal_those_recomputed_from_raw_rows() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("made.db");
    let program = Path::new(env!("CARGO_BIN_EXE_speclora"));
    let sizes =
        ["--runs", "45", "--prompts", "5", "--iterations", "2", "--check", "--speclora"].map(Path::new);
    let arguments = [&[database.as_path()], sizes.as_slice(), &[program]].concat();
    let Some(made) = python("benches/make_database.py", &arguments) else { return };
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let checked = recompute(&database);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(said.ends_with("all as recomputed\n"), "{said}");
    let num_runs = said.split(' ').nth(3).and_then(|number| number.parse::<u32>().ok());
    assert!(num_runs.is_some_and(|number| number >= 50), "{said}");

    // A sum that is not its rounds' would be printed, and must be noticed.
    Connection::open(&database)
        .unwrap()
        .execute(
            "UPDATE rounds SET num_drafted = num_drafted + 1
            WHERE (generation_id, round) = (
                SELECT g.id, 0 FROM generations AS g WHERE g.num_rounds > 0 AND g.is_warmup = 0 ORDER BY g.id LIMIT 1
            )",
            [],
        )
        .unwrap();
    let checked = recompute(&database);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(!checked.status.success() && said.contains("is printed"), "{said}");
}
