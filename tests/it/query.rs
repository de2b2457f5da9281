//! `speclora query` and `speclora sql`, as a user types them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::program::{Outcome, Workspace, bench_arguments, model};

/// A folder with a database that has one bench of two modes.
fn benched() -> Workspace {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora", "-l", "2", "--name", "first"]));
    workspace
}

/// Runs a command that must fail with this code and a message that has all these parts.
#[track_caller]
fn check(workspace: &Workspace, arguments: &[&str], code: i32, parts: &[&str]) {
    let Outcome { code: found, stderr, .. } = workspace.run(arguments);
    assert_eq!(found, Some(code), "{arguments:?}: {stderr}");
    parts
        .iter()
        .for_each(|part| assert!(stderr.contains(part), "{arguments:?}: \"{part}\" is not in {stderr}"));
}

/// Rows without an end.
const ENDLESS: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

#[test]
fn questions_are_listed_shown_and_answered() {
    let workspace = benched();
    let listed = workspace.succeed(&["query"]);
    for part in
        ["mode_metrics", "also speed_by_mode; run_id", "leaderboard", "limit=20", "How fast was each mode"]
    {
        assert!(listed.contains(part), "{part} is not in {listed}");
    }
    let rows = workspace.json(&["query"]);
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries")).unwrap();
    let files =
        folder.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|sql| sql == "sql"));
    assert_eq!(rows.as_array().unwrap().len(), files.count());
    let shown = workspace.succeed(&["query", "speed-by-mode", "--show"]);
    assert_eq!(
        shown,
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/queries/mode_metrics.sql")).unwrap()
    );

    for query in rows.as_array().unwrap() {
        let (name, takes) = (query["name"].as_str().unwrap(), query["parameters"].as_str().unwrap());
        let needed = takes.split(", ").filter(|parameter| !parameter.is_empty() && !parameter.contains('='));
        let given: Vec<String> = needed.map(|key| format!("--param={key}=1")).collect();
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        workspace.succeed(&[&["query", name], given.as_slice()].concat());
    }

    let by_name = workspace.json(&["query", "speed_by_mode", "--run", "first"]);
    assert_eq!(by_name, workspace.json(&["query", "mode_metrics", "--param", "run_id=@latest"]));
    assert_eq!(by_name, workspace.json(&["query", "mode-metrics", "-P", ":run_id=1"]));
    let speed: f64 =
        workspace.value("SELECT avg_tokens_per_second FROM mode_metrics WHERE mode = 'spec_base'");
    assert_eq!(by_name[1]["avg_tokens_per_second"], json!(speed), "in full precision");
    let csv = workspace.succeed(&["query", "mode_metrics", "--run", "1", "--format", "csv"]);
    assert!(csv.starts_with("run_id,mode,") && csv.contains(&speed.to_string()), "{csv}");
    assert!(workspace.succeed(&["query", "mode_metrics", "--run", "1"]).contains("spec_base"));
    assert!(
        workspace.succeed(&["query", "rounds", "--run", "1", "--format", "md"]).starts_with("| run_id |")
    );
    assert_eq!(workspace.succeed(&["query", "leakage", "--run", "1", "--format", "jsonl"]), "");
}

#[test]
fn questions_that_cannot_be_answered_say_what_is_missing() {
    let workspace = benched();
    check(&workspace, &["query", "mode_metric"], 2, &["no query mode_metric", "did you mean mode_metrics?"]);
    check(&workspace, &["query", "rounds"], 2, &["query rounds needs run_id: the run (--run RUN)"]);
    check(
        &workspace,
        &["query", "rounds", "--run", "15"],
        1,
        &["no run 15 (the newest is 1; speclora runs list)"],
    );
    check(
        &workspace,
        &["query", "rounds", "-P", "run=1"],
        2,
        &["no parameter run (did you mean run_id? it has run_id)"],
    );
    check(&workspace, &["query", "rounds", "--run", "1", "-P", "run_id=1"], 2, &["mean the same"]);
    check(
        &workspace,
        &["query", "rounds", "-P", "run_id"],
        2,
        &["--param must be key=value, got \"run_id\""],
    );
    check(&workspace, &["query", "--show"], 2, &["name a query"]);
    check(&workspace, &["query", "adapter_lineage", "-P", "checkpoint_id=best"], 1, &["no checkpoint best"]);
}

#[test]
fn statements_are_answered_in_every_format() {
    let workspace = benched();
    let sql = "SELECT 1 AS a, 'x' AS b, NULL AS c, 1.0 / 3 AS d, x'0aff' AS e";
    assert_eq!(
        workspace.json(&["sql", sql]),
        json!([{ "a": 1, "b": "x", "c": null, "d": 1.0 / 3.0, "e": "0aff" }])
    );
    assert_eq!(
        workspace.succeed(&["sql", sql, "--format", "csv"]),
        "a,b,c,d,e\n1,x,,0.3333333333333333,0aff\n"
    );
    let table = " a  b  c         d  e\n──────────────────────────────────────────────\n 1  x  —  0.333333  x'0aff' (2 bytes)\n";
    let shown = workspace.succeed(&["sql", sql]);
    assert_eq!(shown.replace('─', ""), table.replace('─', ""), "{shown}");
    let two = workspace.succeed(&["sql", "SELECT 1 AS a; SELECT 2 AS b", "--format", "csv"]);
    assert_eq!(two, "a\n1\n\nb\n2\n");
    let lines = workspace.succeed(&["sql", "SELECT 1 AS a; SELECT 2 AS b", "--format", "jsonl"]);
    assert_eq!(lines, "{\"a\":1}\n{\"b\":2}\n");
    let run = "SELECT name FROM runs WHERE id = :run_id AND kind = :kind";
    let named = workspace.json(&["sql", run, "-P", "run_id=@latest", "-P", "kind=bench"]);
    assert_eq!(named, json!([{ "name": "first" }]));

    let mut reading = workspace.command(&["sql", "-", "--json"]);
    let mut child = reading.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT count(*) AS n\nFROM runs;\n").unwrap();
    let answer: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(answer, json!([{ "n": 1 }]));
}

#[test]
fn statements_that_fail_say_where_and_change_nothing() {
    let workspace = benched();
    let typo = ["sql", "SELECT id,\n  statu\nFROM runs"];
    check(
        &workspace,
        &typo,
        1,
        &["no such column: statu (did you mean status?)", "line 2:   statu\n", "           ^"],
    );
    check(&workspace, &["sql", "DELETE FROM runs"], 1, &["would delete rows of runs", "--write allows it"]);
    check(&workspace, &["sql", "  "], 2, &["no SQL statement was given"]);
    check(&workspace, &["sql", "SELECT :a"], 2, &["needs a value for :a (--param a=VALUE)"]);
    check(&workspace, &["sql", "SELECT 1", "-P", "a=1"], 2, &["no statement has the parameter :a"]);
    check(&workspace, &["sql", "SELECT 1", "--timeout", "soon"], 2, &["--timeout", "soon"]);
    let endless = format!("{ENDLESS} SELECT count(*) FROM n");
    check(&workspace, &["sql", &endless, "--timeout", "0.05"], 1, &["stopped after 0.05 s"]);
    let halfway = ["sql", "--write", "DELETE FROM runs; SELECT missing"];
    check(&workspace, &halfway, 1, &["no such column: missing; nothing was changed\n"]);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM runs"), 1);

    let written =
        workspace.run(&["sql", "--write", "UPDATE runs SET name = 'second' RETURNING id", "--format", "csv"]);
    assert_eq!((written.code, written.stdout.as_str()), (Some(0), "id\n1\n"));
    assert_eq!(written.stderr, "1 row changed\n");
    let deleted = workspace.run(&["sql", "--write", "DELETE FROM runs"]);
    assert!(deleted.stderr.starts_with("1 row changed, and "), "{}", deleted.stderr);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations"), 0);
}

#[test]
fn answer_ends_with_its_reader() {
    let workspace = benched();
    let endless = format!("{ENDLESS} SELECT i FROM n");
    for format in ["csv", "table", "json"] {
        let mut command = workspace.command(&["sql", &endless, "--timeout", "0", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().is_ok());
        drop(lines);
        let outcome = child.wait_with_output().unwrap();
        assert_eq!((outcome.status.code(), outcome.stderr.as_slice()), (Some(0), &b""[..]), "{format}");
    }
    let mut command = workspace.command(&["sql", "--write", "UPDATE runs SET name = 'third' RETURNING id"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(workspace.value::<String>("SELECT name FROM runs"), "third", "what was asked for is done");
}

#[cfg(unix)]
#[test]
fn statement_is_interrupted_at_once() {
    let workspace = benched();
    let endless = format!("SELECT 1 AS a UNION ALL SELECT * FROM ({ENDLESS} SELECT count(*) FROM n)");
    let mut command = workspace.command(&["sql", &endless, "--timeout", "0", "--format", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "{\"a\":1}", "the first row comes at once");
    crate::program::send(libc::SIGINT, &child);
    let outcome = child.wait_with_output().unwrap();
    assert_eq!(outcome.status.code(), Some(130));
    assert_eq!(String::from_utf8_lossy(&outcome.stderr), "error: interrupted\n");
}
