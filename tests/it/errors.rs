//! Bad input: a clear error, the right exit code, and a database that is none the worse.

use candle_core::quantized::gguf_file::{self, Value};
use rusqlite::Connection;

use crate::fixture;
use crate::program::{Workspace, bench_arguments, model, text};

/// Runs a command that must fail with this code and a message that has all these parts.
fn check(workspace: &Workspace, arguments: &[&str], code: i32, parts: &[&str]) {
    let outcome = workspace.run(arguments);
    assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "{arguments:?}");
    for part in parts {
        assert!(outcome.stderr.contains(part), "{arguments:?}: \"{part}\" is not in {}", outcome.stderr);
    }
}

/// A target-only bench of one prompt with some model file.
fn bench_of(target: &str) -> Vec<&str> {
    vec!["bench", "--target", target, "--modes", "target_only", "-p", "hello"]
}

#[test]
fn model_files_that_cannot_be_used() {
    let workspace = Workspace::new();
    check(&workspace, &bench_of("nowhere.gguf"), 1, &["no model at nowhere.gguf"]);

    workspace.write("zip.gguf", b"PK\x03\x04 and so on");
    check(&workspace, &bench_of("zip.gguf"), 1, &["zip.gguf", "not a GGUF file"]);

    workspace.write("short.gguf", b"GGUF\x03\0\0\0\x05\0\0\0\0\0\0\0\x05\0");
    check(&workspace, &bench_of("short.gguf"), 1, &["short.gguf", "truncated"]);

    let mamba = Value::String("mamba".to_owned());
    let mut file = std::fs::File::create(workspace.path("mamba.gguf")).unwrap();
    gguf_file::write(&mut file, &[("general.architecture", &mamba)], &[]).unwrap();
    let parts = ["mamba.gguf", "architecture mamba is not supported", "llama, qwen2 and qwen3"];
    check(&workspace, &bench_of("mamba.gguf"), 1, &parts);

    std::fs::create_dir(workspace.path("folder")).unwrap();
    check(&workspace, &bench_of("folder"), 1, &["folder", "model.safetensors"]);

    let copy = |name: &str| {
        let from = fixture("models/llama-tied").join(name);
        std::fs::copy(from, workspace.path("folder").join(name)).unwrap();
    };
    ["config.json", "tokenizer.json", "tokenizer_config.json"].into_iter().for_each(copy);
    let whole = std::fs::read(fixture("models/llama-tied/model.safetensors")).unwrap();
    workspace.write("folder/model.safetensors", &whole[..whole.len() - 100]);
    check(&workspace, &bench_of("folder"), 1, &["model.safetensors", "truncated"]);

    workspace.write("folder/model.safetensors", &whole);
    let config = std::fs::read_to_string(fixture("models/llama-tied/config.json")).unwrap();
    workspace.write("folder/config.json", config.replace("\"llama\"", "\"mamba\""));
    check(&workspace, &bench_of("folder"), 1, &["model_type mamba is not supported"]);
}

#[test]
fn models_that_number_their_tokens_differently() {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.path("other")).unwrap();
    for name in ["config.json", "tokenizer_config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture("models/llama-tied").join(name), workspace.path("other").join(name)).unwrap();
    }
    let tokenizer = std::fs::read_to_string(workspace.path("other/tokenizer.json")).unwrap();
    workspace.write("other/tokenizer.json", tokenizer.replace("<|im_end|>", "<|the_end|>"));
    let target = model("llama-untied");
    let parts = ["different tokenizers", "<|the_end|>"];
    check(&workspace, &bench_arguments(&target, "other", &["--skip-lora"]), 1, &parts);
}

#[test]
fn prompts_that_cannot_be_run() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    let bench = |file: &'static str| vec!["bench", "--target", &target, "--modes", "target_only", "-f", file];
    check(&workspace, &bench("none.txt"), 1, &["none.txt"]);
    workspace.write("empty.txt", "# nothing\n\n");
    check(&workspace, &bench("empty.txt"), 1, &["empty.txt", "no prompts"]);
    workspace.write("bytes.txt", b"good\nb\xffd\n");
    check(&workspace, &bench("bytes.txt"), 1, &["bytes.txt", "2", "UTF-8"]);
    workspace.write("long.txt", "word ".repeat(200));
    check(&workspace, &bench("long.txt"), 1, &["prompt 1 has", "the context holds 128"]);
    let many: String = (0..1001).map(|index| format!("prompt {index}\n")).collect();
    workspace.write("many.txt", many);
    let absurd = [&bench("many.txt")[..], &["-n", "10000"]].concat();
    check(&workspace, &absurd, 2, &["10010001 generations", "iterations"]);
    let left: Vec<_> =
        std::fs::read_dir(workspace.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| name.to_str().unwrap().ends_with(".txt")),
        "no database was made: {left:?}"
    );
}

#[test]
fn values_out_of_range_name_the_flag_and_the_range() {
    let workspace = Workspace::new();
    let bench = |flag: &'static str, value: &'static str| vec!["bench", "-p", "hello", flag, value];
    for (flag, value, range) in [
        ("--num-draft-tokens", "0", "between 1 and 32"),
        ("--num-draft-tokens", "33", "between 1 and 32"),
        ("--max-tokens", "many", "a whole number"),
        ("--temperature", "11.5", "between 0 and 10"),
        ("--top-p", "0", "above 0 and at most 1"),
        ("--modes", "fast", "target_only"),
        ("-m", "-1", "--max-tokens"),
        ("--top-p", "-0.1", "above 0"),
        ("--temperature", "-1", "between 0 and 10"),
        ("--seed", "-5", "between 0 and"),
    ] {
        check(&workspace, &bench(flag, value), 2, &["must be", range, value]);
    }
    check(&workspace, &["bench", "-p", "hello", "--num-draft-tokens=-3"], 2, &["between 1 and 32", "-3"]);
    check(&workspace, &["runs", "list", "-l", "0"], 2, &["--limit", "at least 1", "0"]);
    check(&workspace, &["runs", "list", "-l", "-2"], 2, &["--limit", "at least 1", "-2"]);
    let twice = ["bench", "-p", "hello", "--tag", "a=1", "--tag", "a=2"];
    check(&workspace, &twice, 2, &["--tag a is given twice"]);
    check(
        &workspace,
        &["bench", "-p", "hello", "--target", "builtin:giant", "--modes", "target_only"],
        1,
        &["builtin:giant", "builtin:target"],
    );
    check(&workspace, &["bench", "--target", "x"], 2, &["no prompts"]);
    workspace.write("speclora.toml", "\nnum_draft_token = 3\n");
    check(&workspace, &["config", "show"], 2, &["speclora.toml:2", "num_draft_token", "num_draft_tokens"]);
}

#[test]
fn databases_that_are_not_ours_are_left_alone() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    let bench = [&bench_of(&target)[..], &["--db", "other.db"]].concat();

    let other = Connection::open(workspace.path("other.db")).unwrap();
    other.execute_batch("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('one');").unwrap();
    drop(other);
    check(&workspace, &bench, 1, &["other.db"]);
    let other = Connection::open(workspace.path("other.db")).unwrap();
    assert_eq!(
        other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).unwrap(),
        1
    );
    drop(other);

    workspace
        .write("other.db", "this is a text, long enough to be taken for a page of something else entirely");
    check(&workspace, &bench, 1, &["other.db"]);

    std::fs::remove_file(workspace.path("other.db")).unwrap();
    workspace.succeed(&[&bench_of(&target)[..], &["--db", "newer.db", "-m", "2"]].concat());
    Connection::open(workspace.path("newer.db")).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    check(&workspace, &["runs", "list", "--db", "newer.db"], 1, &["newer.db", "newer"]);

    check(&workspace, &["runs", "list", "--db", "none.db"], 1, &["none.db"]);
    check(
        &workspace,
        &[&bench_of(&target)[..], &["--db", "no/such/folder/x.db"]].concat(),
        1,
        &["no/such/folder"],
    );
}

#[test]
fn adapters_that_do_not_fit() {
    let workspace = Workspace::new();
    let (target, draft) = (model("qwen3-tied"), model("qwen3-untied"));
    let other = text(&fixture("adapters/qwen2-tied-r4"));
    check(&workspace, &bench_arguments(&target, &draft, &["-a", &other]), 1, &["shape", "another model"]);
    check(
        &workspace,
        &bench_arguments(&target, &draft, &["-a", "nosuch"]),
        1,
        &["no adapter nosuch", "--skip-lora"],
    );
    let file = format!("{other}/adapter_model.safetensors");
    check(&workspace, &bench_arguments(&target, &draft, &["-a", &file]), 1, &["is a file (give its folder"]);
    check(&workspace, &bench_arguments(&target, &draft, &["-a", "7"]), 1, &["no adapter 7"]);
    assert!(!workspace.path("speclora.db").exists(), "a bench that fails before it begins makes no database");

    let (draft, other) = (model("llama-untied"), model("llama-tied"));
    let adapter = text(&fixture("adapters/llama-untied-rslora-r2"));
    workspace.succeed(&bench_arguments(&draft, &draft, &["-a", &adapter]));
    let checkpoint: (String, String) = workspace
        .database()
        .query_row(
            "SELECT m.sha256, c.source FROM checkpoints AS c JOIN models AS m ON m.id = c.draft_model_id",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    check(&workspace, &bench_arguments(&draft, &draft, &["-a", "7"]), 1, &["no checkpoint 7"]);
    let parts = ["adapter 1 is for another draft", &checkpoint.0, "llama-tied"];
    check(&workspace, &bench_arguments(&draft, &other, &["-a", "1"]), 1, &parts);
    assert!(std::path::Path::new(&checkpoint.1).is_absolute(), "{}", checkpoint.1);
}

#[test]
fn runs_that_are_not_there() {
    let workspace = Workspace::new();
    check(&workspace, &["runs", "show", "1"], 1, &["speclora.db"]);
    let target = model("llama-tied");
    workspace.succeed(&[&bench_of(&target)[..], &["-m", "2"]].concat());
    check(&workspace, &["runs", "show", "15"], 1, &["no run 15", "1"]);
    check(&workspace, &["export", "run", "15"], 1, &["no run 15"]);
    check(&workspace, &["export", "run", "1", "--format", "table"], 2, &["json, jsonl, csv or parquet"]);
    check(&workspace, &["runs", "show", "1", "--format", "csv"], 2, &["table, md or json", "export"]);
    check(&workspace, &["runs", "show", "1", "--format", "jsonl"], 2, &["table, md or json", "export"]);
    check(&workspace, &["bench", "--resume", "1", "--seed", "4"], 2, &["--resume takes"]);
}

#[test]
fn names_and_files_that_cannot_be_used_are_found_before_the_work() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    for name in ["", "12", "@latest", "run"] {
        check(&workspace, &[&bench_of(&target)[..], &["--name", name]].concat(), 2, &["--name"]);
    }
    let output = [&bench_of(&target)[..], &["-o", "no/such/out.json"]].concat();
    check(&workspace, &output, 1, &["cannot write no/such/out.json"]);
    assert!(!workspace.path("speclora.db").exists(), "no run was begun");
}

#[test]
fn an_output_never_replaces_what_a_command_reads_or_keeps() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    let bench = |output: &'static str| {
        let files = ["-f", "prompts.txt", "--config", "here.toml", "-m", "2", "-o", output];
        [&["bench", "--target", &target, "--modes", "target_only"], &files[..]].concat()
    };
    workspace.write("here.toml", "seed = 1\n");
    let refused = |workspace: &Workspace| {
        for (output, part) in [
            ("speclora.db", "is the database"),
            ("./speclora.db-wal", "is a part of the database"),
            ("prompts.txt", "is the prompts file"),
            ("here.toml", "is a configuration file"),
            ("out.csv", "bench writes JSON"),
        ] {
            check(workspace, &bench(output), 2, &[output, part]);
        }
    };
    refused(&workspace);
    assert!(!workspace.path("speclora.db").exists());
    workspace.succeed(&bench("out.json"));
    refused(&workspace);
    let config = format!("{target}/config.json");
    let before = std::fs::read(&config).unwrap();
    check(&workspace, &["export", "1", "-o", "speclora.db"], 2, &["speclora.db is the database"]);
    check(&workspace, &["export", "1", "-o", &config], 2, &["is a model of this run"]);
    std::fs::copy(workspace.path("speclora.db"), workspace.path("copy")).unwrap();
    check(&workspace, &["export", "1", "-o", "copy"], 2, &["copy is an SQLite database"]);
    check(&workspace, &["export", "1", "-o", "x.csv", "--json"], 2, &["--format json", "x.csv"]);
    workspace.succeed(&["export", "1", "-o", "x.csv"]);
    assert!(std::fs::read_to_string(workspace.path("x.csv")).unwrap().starts_with("prompt_index,prompt,"));
    assert_eq!(std::fs::read(&config).unwrap(), before);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM runs"), 1);
}

#[test]
fn an_error_says_its_cause_once() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    let no_prompts = ["bench", "--target", &target, "--modes", "target_only", "-f", "none.txt"];
    for arguments in [&no_prompts[..], &["config", "show", "--config", "none.toml"]] {
        let stderr = workspace.run(arguments).stderr;
        assert_eq!(stderr.matches("No such file").count(), 1, "{stderr}");
    }
}

#[test]
fn what_is_not_set_up_has_a_word_in_json() {
    let workspace = Workspace::new();
    let checks = workspace.json(&["doctor"]);
    let status = |check: &str| {
        let found = checks.as_array().unwrap().iter().find(|found| found["check"] == check);
        found.unwrap()["status"].as_str().unwrap()
    };
    assert_eq!(["target", "draft", "tokenizers", "adapter"].map(status), ["ok", "ok", "ok", "unset"]);
    workspace.write("speclora.toml", "num_draft_tokens = 99\n");
    let outcome = workspace.run(&["doctor", "--json"]);
    assert_eq!(outcome.code, Some(1));
    let checks: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let settings = checks.as_array().unwrap().iter().find(|check| check["check"] == "settings").unwrap();
    assert_eq!(settings["status"], "bad");
    let (draft, adapter) = (model("llama-untied"), text(&fixture("adapters/llama-untied-rslora-r2")));
    for (adapter, status) in [(adapter.as_str(), "ok"), ("nosuch", "bad")] {
        workspace.write("speclora.toml", format!("draft = \"{draft}\"\nadapter = \"{adapter}\"\n"));
        let checks: serde_json::Value =
            serde_json::from_str(&workspace.run(&["doctor", "--json"]).stdout).unwrap();
        let found = checks.as_array().unwrap().iter().find(|check| check["check"] == "adapter").unwrap();
        assert_eq!(found["status"], status, "{found}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_is_named() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    let workspace = Workspace::new();
    let folder = workspace.path("locked");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write anywhere");
        return;
    }
    let target = model("llama-tied");
    let bench = [&bench_of(&target)[..], &["--db", "locked/x.db"]].concat();
    check(&workspace, &bench, 1, &["cannot write locked/x.db", "--db"]);
}

#[test]
fn a_closed_pipe_ends_a_listing_quietly() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    workspace.succeed(&[&bench_of(&target)[..], &["-m", "2"]].concat());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = workspace.command(&["runs", "show", "1"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
