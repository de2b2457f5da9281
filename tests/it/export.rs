//! `speclora export`: rows and whole runs of every kind, in every format.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use parquet::basic::Type as Physical;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

use crate::program::Workspace;

/// A database with a bench, a run that collects, one that trains and one that evaluates, in this order.
fn filled() -> Workspace {
    let workspace = Workspace::new();
    workspace.succeed(&["bench", "-f", "builtin:general", "-l", "2", "-m", "8", "-n", "2", "--skip-lora"]);
    workspace.succeed(&["collect", "-f", "builtin:train", "-l", "12", "-m", "24"]);
    workspace.succeed(&["train", "--rank", "2", "--epochs", "2", "--eval-every", "1", "--holdout", "0.5"]);
    workspace.succeed(&["evaluate", "-f", "builtin:general", "-l", "2", "-m", "8", "-a", "latest"]);
    workspace
}

const WHAT: [&str; 9] = [
    "summary",
    "prompts",
    "generations",
    "rounds",
    "examples",
    "disagreements",
    "train-steps",
    "evaluations",
    "prompt-evaluations",
];

/// The rows of a Parquet file, and the physical types of its columns.
fn parquet(path: &Path) -> (usize, Vec<(String, Physical)>) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let types = columns.iter().map(|column| (column.path().string(), column.physical_type()));
    let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap()).collect();
    (rows.len(), types.collect())
}

#[test]
fn every_format_has_the_same_rows_of_all_runs() {
    let workspace = filled();
    let mut num_rows = vec![];
    for what in WHAT {
        let rows = workspace.json(&["export", "--all", "--what", what]);
        let rows = rows.as_array().unwrap();
        let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();

        let lines = workspace.succeed(&["export", "--all", "--what", what, "--format", "jsonl"]);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, rows, "{what}");

        let table = workspace.succeed(&["export", "--all", "--what", what, "--format", "csv"]);
        let mut table = csv::Reader::from_reader(table.as_bytes());
        assert!(table.headers().unwrap().iter().eq(keys.iter().copied()), "{what}");
        assert_eq!(table.records().count(), rows.len(), "{what}");

        let name = format!("{what}.parquet");
        workspace.succeed(&["export", "--all", "--what", what, "-o", &name]);
        let (num_read, columns) = parquet(&workspace.path(&name));
        assert_eq!(num_read, rows.len(), "{what}");
        let names = columns.iter().map(|(name, _)| name.split('.').next().unwrap());
        assert!(names.eq(keys.iter().map(|key| key.as_str())), "{what}");
        num_rows.push(rows.len() as i64);
    }
    let stored = [
        "(SELECT DISTINCT run_id, mode FROM generations)",
        "(SELECT DISTINCT run_id, mode, prompt_index FROM generations)",
        "generations",
        "rounds",
        "(SELECT example_id FROM generation_examples UNION ALL SELECT example_id FROM run_examples)",
        "disagreements",
        "train_steps",
        "(SELECT DISTINCT step FROM example_evaluations)",
        "prompt_evaluations",
    ];
    let stored: [i64; WHAT.len()] =
        stored.map(|rows| workspace.value(&format!("SELECT count(*) FROM {rows}")));
    assert_eq!(num_rows, stored);
}

#[test]
fn parquet_has_a_type_for_each_column_also_where_no_value_is() {
    let workspace = filled();
    workspace.succeed(&["export", "run", "1", "--what", "summary", "-o", "s.parquet"]);
    workspace.succeed(&["export", "2", "--what", "generations", "-o", "g.PARQUET"]);
    workspace.succeed(&["export", "2", "run", "3", "--what", "examples", "-o", "e.parquet"]);
    // Without --what: the prompts of a bench, the steps of training.
    workspace.succeed(&["export", "1", "-o", "whole.parquet"]);
    workspace.succeed(&["export", "3", "-o", "steps.parquet"]);
    let check = |file: &str, column: &str, expected: Physical| {
        let (num_rows, columns) = parquet(&workspace.path(file));
        let found = columns.iter().find(|(name, _)| name == column).map(|(_, found)| *found);
        assert_eq!((num_rows > 0, found), (true, Some(expected)), "{file}: {column} of {columns:?}");
    };
    check("s.parquet", "tokens_per_second_gain", Physical::DOUBLE);
    check("s.parquet", "num_lossless", Physical::INT64);
    check("g.PARQUET", "checkpoint_id", Physical::INT64);
    check("g.PARQUET", "error", Physical::BYTE_ARRAY);
    check("g.PARQUET", "is_lossless", Physical::BOOLEAN);
    check("g.PARQUET", "load_average", Physical::DOUBLE);
    check("e.parquet", "output_tokens.list.element", Physical::INT64);
    check("whole.parquet", "acceptance_rate", Physical::DOUBLE);
    check("steps.parquet", "nonfinite", Physical::BYTE_ARRAY);
}

#[test]
fn token_ids_are_lists_of_the_examples_length() {
    let workspace = filled();
    let rows = workspace.json(&["export", "2", "--what", "examples"]);
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 12);
    let table = workspace.succeed(&["export", "2", "--what", "examples", "--format", "csv"]);
    let table: Vec<csv::StringRecord> =
        csv::Reader::from_reader(table.as_bytes()).records().map(|record| record.unwrap()).collect();
    let place = rows[0].as_object().unwrap().keys().position(|key| key == "output_tokens").unwrap();
    for (row, record) in rows.iter().zip(&table) {
        let tokens = crate::ids(&row["output_tokens"]);
        assert_eq!(tokens.len() as u64, row["num_output_tokens"].as_u64().unwrap());
        let words: Vec<u32> = record[place].split(' ').map(|word| word.parse().unwrap()).collect();
        assert_eq!(words, tokens);
        let sql = format!("SELECT output_tokens FROM examples WHERE id = {}", row["example_id"]);
        let stored: Vec<u8> = workspace.value(&sql);
        assert!(stored.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).eq(tokens));
    }
    let trained = workspace.json(&["export", "3", "--what", "examples"]);
    let purposes: Vec<&str> =
        trained.as_array().unwrap().iter().map(|row| row["purpose"].as_str().unwrap()).collect();
    assert!(purposes.contains(&"train") && purposes.contains(&"held_out"), "{purposes:?}");
}

#[test]
fn run_of_each_kind_is_exported_as_a_whole() {
    let workspace = filled();
    let check = |run: &str, kind: &str, parts: &[&str]| {
        let whole = workspace.json(&["export", run]);
        let keys: Vec<&String> = whole.as_object().unwrap().keys().collect();
        assert_eq!(keys, [&["schema_version", "metadata"][..], parts].concat());
        assert_eq!([&whole["metadata"]["kind"], &whole["metadata"]["state"]], [kind, "completed"]);
        assert!(whole["metadata"]["timestamp"].is_string() && whole["metadata"]["settings"].is_object());
        whole
    };
    check("1", "bench", &["summary", "per_prompt"]);
    let collected = check("2", "collect", &["summary", "per_prompt", "collected"]);
    assert_eq!(collected["collected"]["num_examples"], 12);
    let trained = check("3", "train", &["evaluations", "steps"]);
    assert_eq!(
        trained["steps"].as_array().unwrap().len() as i64,
        trained["metadata"]["num_steps"].as_i64().unwrap()
    );
    let evaluated = check("4", "evaluate", &["drafts", "prompts"]);
    assert_eq!(evaluated["drafts"].as_array().unwrap().len(), 2);
}

#[test]
fn what_a_run_has_none_of_is_said_and_no_error() {
    let workspace = filled();
    let outcome = workspace.run(&["export", "3", "--what", "rounds", "--format", "csv"]);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stdout.starts_with("run_id,generation_id,") && outcome.stdout.lines().count() == 1);
    assert!(outcome.stderr.contains("run 3 has no rounds (its kind is train)"), "{}", outcome.stderr);
    workspace.succeed(&["export", "3", "--what", "rounds", "-o", "none.parquet"]);
    assert_eq!(parquet(&workspace.path("none.parquet")).0, 0);
}

#[test]
fn what_cannot_be_exported_is_refused_and_files_stay() {
    let workspace = filled();
    let refused = |arguments: &[&str], part: &str| {
        let outcome = workspace.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(outcome.stderr.contains(part), "{arguments:?}: {}", outcome.stderr);
    };
    let unknown = workspace.run(&["export", "1", "run", "--what", "rounds"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(1), ""));
    assert!(unknown.stderr.contains("no run run"), "{}", unknown.stderr);
    refused(&["runs", "list", "--format", "parquet"], "speclora export writes it");
    refused(&["export", "1", "2"], "say with --what");
    refused(&["export", "1", "--all", "--what", "rounds"], "--all");
    refused(&["export", "1", "--what", "rounds", "-o", "x.parquet", "--format", "csv"], "does not fit");
    refused(&["export", "1", "--what", "rounds", "-o", "speclora.db"], "is the database");

    workspace.write("kept.csv", "before");
    let outcome = workspace.run(&["export", "1", "9", "--what", "rounds", "-o", "kept.csv"]);
    assert!(outcome.code == Some(1) && outcome.stderr.contains("no run 9"), "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(workspace.path("kept.csv")).unwrap(), "before");
    workspace.succeed(&["export", "1", "--what", "rounds", "-o", "kept.csv"]);
    assert!(std::fs::read_to_string(workspace.path("kept.csv")).unwrap().starts_with("run_id,"));
}

#[test]
fn reader_that_goes_away_is_no_error() {
    let workspace = filled();
    for format in ["json", "jsonl", "csv", "parquet"] {
        let mut command =
            workspace.command(&["export", "--all", "--what", "generations", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""), "{format}");
    }
}
