//! `speclora collect` from prompts to examples.

use std::collections::HashSet;

use rusqlite::Connection;
use serde_json::Value;

use crate::fixture;
use crate::program::{Workspace, model, text};

/// Arguments of collecting with two tiny models over `prompts.txt`.
fn collect_arguments<'a>(target: &'a str, draft: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["collect", "--target", target, "--draft", draft, "-f", "prompts.txt", "-m", "24"];
    [&base, more].concat()
}

/// An answer with its example and its disagreements, as stored.
struct Answer {
    tokens: Vec<u32>,
    top_k: usize,
    blob: Vec<u8>,
    /// Positions and both tokens.
    disagreements: Vec<(u32, u32, u32)>,
}

fn answers(database: &Connection) -> Vec<Answer> {
    let sql = "SELECT g.id, g.output_tokens, e.top_k, c.data
        FROM generations AS g
        JOIN generation_examples AS ge ON ge.generation_id = g.id
        JOIN examples AS e ON e.id = ge.example_id AND e.output_tokens = g.output_tokens
        JOIN blob_chunks AS c ON c.blob_id = e.target_blob_id";
    let mut statement = database.prepare(sql).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut answers = vec![];
    while let Some(row) = rows.next().unwrap() {
        let id: i64 = row.get(0).unwrap();
        let sql = "SELECT position, draft_token, target_token FROM disagreements WHERE generation_id = ?1";
        let mut statement = database.prepare(sql).unwrap();
        let disagreements =
            statement.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        answers.push(Answer {
            tokens: words(&row.get::<_, Vec<u8>>(1).unwrap()),
            top_k: row.get::<_, u32>(2).unwrap() as usize,
            blob: row.get(3).unwrap(),
            disagreements: disagreements.map(Result::unwrap).collect(),
        });
    }
    answers
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// Rounds with a refused proposal, and disagreements without such a round or the other way about.
const UNMATCHED: &str = "SELECT count(*)
    FROM rounds AS r
    FULL JOIN disagreements AS d USING (generation_id, round)
    WHERE (r.num_accepted < r.num_drafted) IS NOT (d.position IS NOT NULL)";

#[test]
fn every_answer_is_an_example_with_rounds_disagreements_and_the_targets_thoughts() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    workspace.succeed(&collect_arguments(&target, &draft, &["--target-top-k", "8"]));
    let answers = answers(&workspace.database());
    assert_eq!(answers.len(), 4);
    for answer in &answers {
        // Eight ids, eight halves, and what is left over.
        let position_len = 8 * 4 + 8 * 2 + 4;
        assert_eq!((answer.top_k, answer.blob.len()), (8, answer.tokens.len() * position_len));
        for (thought, &token) in answer.blob.chunks_exact(position_len).zip(&answer.tokens) {
            assert_eq!(words(&thought[..4]), [token], "greedy decoding takes the likeliest");
        }
        for &(position, draft_token, target_token) in &answer.disagreements {
            assert_eq!(answer.tokens[position as usize], target_token);
            assert_ne!(draft_token, target_token);
        }
    }
    assert!(answers.iter().any(|answer| !answer.disagreements.is_empty()));
    assert_eq!(workspace.value::<i64>(UNMATCHED), 0);
    let run: String = workspace.value("SELECT kind || ' ' || status FROM runs");
    assert_eq!(run, "collect completed");
    let settings: String = workspace.value(
        "SELECT group_concat(key || '=' || value, ' ' ORDER BY key) FROM run_settings
        WHERE key IN ('modes', 'warmup', 'target_top_k', 'acceptance_threshold', 'holdout', 'rank')",
    );
    let expected = r#"acceptance_threshold=0.7 holdout=0.2 modes=["spec_base"] target_top_k=8 warmup=0"#;
    assert_eq!(settings, expected);
}

#[test]
fn collecting_changes_nothing_of_what_is_decoded() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    for more in [&[][..], &["--temperature", "0.8", "--top-p", "0.9", "--seed", "3"]] {
        workspace.succeed(&collect_arguments(&target, &draft, more));
        let bench = ["bench", "--target", &target, "--draft", &draft, "-f", "prompts.txt", "-m", "24"];
        workspace.succeed(&[&bench, more, &["--modes", "spec_base", "--warmup", "0"]].concat());
    }
    let different: i64 = workspace.value(
        "SELECT count(*) FROM generations AS a
        JOIN generations AS b USING (prompt_index, mode, iteration)
        WHERE a.run_id IN (1, 3) AND b.run_id = a.run_id + 1
            AND (a.output_tokens, a.num_drafted, a.num_accepted, a.seed)
                IS NOT (b.output_tokens, b.num_drafted, b.num_accepted, b.seed)",
    );
    assert_eq!(different, 0);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generation_examples"), 8, "a bench keeps none");
}

#[test]
fn the_same_answer_is_one_example_and_another_seed_gives_another() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let num_examples = |more: &[&str]| -> i64 {
        workspace.succeed(&collect_arguments(&target, &draft, more));
        workspace.value("SELECT count(*) FROM examples")
    };
    assert_eq!(num_examples(&[]), 4);
    assert_eq!(num_examples(&["-n", "2"]), 4);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generation_examples"), 12);
    assert_eq!(num_examples(&["--temperature", "1", "--seed", "1", "-n", "3"]), 4 + 12);
    assert_eq!(num_examples(&["--temperature", "1", "--seed", "1", "-n", "3"]), 4 + 12);
    assert_eq!(num_examples(&["--temperature", "1", "--seed", "2", "-n", "3"]), 4 + 24);
    assert_eq!(workspace.value::<i64>(UNMATCHED), 0);
    let temperatures: String =
        workspace.value("SELECT group_concat(DISTINCT temperature) FROM examples WHERE id > 4");
    assert_eq!(temperatures, "1.0");
}

#[test]
fn an_adapter_is_watched_only_where_somebody_names_one() {
    let mut workspace = Workspace::new();
    let target = model("llama-untied");
    let adapter = text(&fixture("adapters/llama-untied-rslora-r2"));
    let mode_with = |workspace: &Workspace, more: &[&str]| -> String {
        workspace.succeed(&collect_arguments(&target, &target, more));
        workspace.value(
            "SELECT group_concat(DISTINCT mode || ' ' || coalesce(checkpoint_id, '')) FROM generations
            WHERE run_id = (SELECT max(id) FROM runs)",
        )
    };
    assert_eq!(mode_with(&workspace, &["--adapter", &adapter]), "spec_lora 1");
    let set_best = "INSERT INTO aliases (name, draft_model_id, checkpoint_id, set_at_ms)
        SELECT 'best', draft_model_id, id, 0 FROM checkpoints";
    workspace.database().execute(set_best, []).unwrap();
    assert_eq!(mode_with(&workspace, &[]), "spec_base ");
    assert_eq!(mode_with(&workspace, &["-a", "best"]), "spec_lora 1");
    workspace.set("SPECLORA_ADAPTER", "best");
    assert_eq!(mode_with(&workspace, &[]), "spec_lora 1");
    assert_eq!(mode_with(&workspace, &["--skip-lora"]), "spec_base ");
    let missing = workspace.run(&collect_arguments(&target, &target, &["--adapter", "final"]));
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("no adapter final (it is no alias"), "{}", missing.stderr);
}

/// Examples of a run by what they hash.
fn hashes(workspace: &Workspace, run: i64) -> HashSet<String> {
    let database = workspace.database();
    let mut statement = database
        .prepare(
            "SELECT e.sha256 FROM examples AS e
            JOIN generation_examples AS ge ON ge.example_id = e.id
            JOIN generations AS g ON g.id = ge.generation_id
            WHERE g.run_id = ?1",
        )
        .unwrap();
    let hashes = statement.query_map([run], |row| row.get(0)).unwrap();
    hashes.map(Result::unwrap).collect()
}

#[test]
fn a_killed_run_goes_on_and_ends_with_the_same_examples() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let arguments = collect_arguments(&target, &draft, &["--temperature", "1", "-n", "150"]);
    let mut child = workspace.spawn(&arguments);
    let stored = || {
        Connection::open(workspace.path("speclora.db"))
            .and_then(|db| db.query_row("SELECT count(*) FROM generations", [], |row| row.get::<_, i64>(0)))
            .unwrap_or(0)
    };
    while stored() < 5 {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!((5..600).contains(&stored()));
    assert_eq!(workspace.json(&["runs", "list"])[0]["state"], "crashed");

    let as_bench = workspace.run(&["bench", "--resume", "1"]);
    assert_eq!(as_bench.code, Some(1));
    assert!(as_bench.stderr.contains("speclora collect --resume 1 goes on"), "{}", as_bench.stderr);
    workspace.succeed(&["collect", "--resume", "1"]);
    assert_eq!(stored(), 600);
    let whole = Workspace::new();
    whole.succeed(&arguments);
    assert_eq!(hashes(&workspace, 1), hashes(&whole, 1));
    assert_eq!(workspace.value::<i64>(UNMATCHED), 0);
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_how_it_goes_on() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let mut command = workspace.command(&collect_arguments(&target, &draft, &["-n", "2000"]));
    let piped = std::process::Stdio::piped;
    let child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    while Connection::open(workspace.path("speclora.db"))
        .and_then(|db| db.query_row("SELECT max(id) FROM generations", [], |row| row.get::<_, i64>(0)))
        .is_err()
    {
        std::thread::yield_now();
    }
    crate::program::send(libc::SIGINT, &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(stderr.contains("(speclora collect --resume 1 goes on)"), "{stderr}");
    assert!(stdout.contains("incomplete: ") && !stderr.contains("speclora train"), "{stdout}{stderr}");
}

#[test]
fn lines_of_the_output_are_the_rows() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let summary = workspace.succeed(&collect_arguments(
        &target,
        &draft,
        &["-n", "2", "--holdout", "0.9", "-o", "examples.jsonl"],
    ));
    let written = std::fs::read_to_string(workspace.path("examples.jsonl")).unwrap();
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "one line an example, {summary}");
    let database = workspace.database();
    for line in &lines {
        let (prompt, tokens, split_key, generation, counts): (String, Vec<u8>, f64, i64, [i64; 3]) = database
            .query_row(
                "SELECT p.text, e.output_tokens, e.split_key, g.id, g.num_drafted, g.num_accepted, g.num_rounds
                FROM examples AS e
                JOIN prompts AS p ON p.id = e.prompt_id
                JOIN generations AS g ON g.id = e.generation_id
                WHERE e.id = ?1",
                [line["example_id"].as_i64()],
                |row| {
                    let counts = [row.get(4)?, row.get(5)?, row.get(6)?];
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, counts))
                },
            )
            .unwrap();
        assert_eq!(line["prompt"], prompt);
        assert_eq!(crate::ids(&line["tokens"]), words(&tokens));
        assert!(line["output"].is_string());
        assert_eq!(
            ["num_drafted", "num_accepted", "num_rounds"].map(|key| line[key].as_i64().unwrap()),
            counts
        );
        let rate = counts[1] as f64 / counts[0] as f64;
        assert!((line["acceptance_rate"].as_f64().unwrap() - rate).abs() < 1e-9);
        assert_eq!(line["split"], if split_key < 0.9 { "held_out" } else { "train" });
        let disagreements = line["disagreements"].as_array().unwrap();
        let sql = "SELECT count(*) FROM disagreements WHERE generation_id = ?1";
        let stored: i64 = database.query_row(sql, [generation], |row| row.get(0)).unwrap();
        assert_eq!(disagreements.len() as i64, stored);
        for disagreement in disagreements {
            let position = disagreement["position"].as_u64().unwrap() as usize;
            assert_eq!(disagreement["target_token"], line["tokens"][position]);
            assert!(disagreement["draft_text"].is_string() && disagreement["target_text"].is_string());
            assert!((0.0..=1.0).contains(&disagreement["draft_probability"].as_f64().unwrap()));
        }
    }
    // On standard output, they stand alone.
    let alone = workspace.succeed(&collect_arguments(&target, &draft, &["--holdout", "0.9", "-o", "-"]));
    let lines: Vec<Value> = alone.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
}

#[test]
fn the_summary_counts_what_is_stored_in_every_format() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let arguments = collect_arguments(&target, &draft, &["-n", "2", "--holdout", "0.9"]);
    let outcome = workspace.run(&arguments);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    for part in ["Answers", "8", "Examples", "4 new", "Acceptance", "Disagreements", "Held out"] {
        assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
    }
    assert!(outcome.stderr.contains("speclora train"), "{}", outcome.stderr);
    let json = workspace.json(&arguments);
    assert_eq!([&json["num_answers"], &json["num_examples"], &json["num_new_examples"]], [8, 4, 0]);
    let disagreements: i64 = workspace.value(
        "SELECT count(*) FROM disagreements WHERE generation_id IN (SELECT id FROM generations WHERE run_id = 2)",
    );
    assert_eq!(json["num_disagreements"], disagreements);
    let held_out: i64 = workspace.value("SELECT count(*) FROM examples WHERE split_key < 0.9");
    assert_eq!(json["num_held_out"], held_out);
    for format in ["csv", "jsonl", "md"] {
        let written = workspace.succeed(&[&arguments[..], &["--format", format]].concat());
        assert!(written.lines().count() >= 1, "{format}: {written}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let check = |arguments: &[&str], code: i32, part: &str| {
        let outcome = workspace.run(arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{arguments:?}: {}", outcome.stderr);
    };
    let given = |more: &[&'static str]| -> Vec<String> {
        collect_arguments(&target, &draft, more).iter().map(|&word| word.to_owned()).collect()
    };
    check(&["collect"], 2, "no prompts (give --prompts-file");
    for (more, part) in [
        (&["--target-top-k", "0"][..], "target_top_k must be a whole number between 1 and 4096"),
        (&["--acceptance-threshold", "1.5"], "acceptance_threshold must be a number between 0 and 1"),
        (&["--holdout", "1"], "holdout must be a number between 0 and 0.9"),
        (&["-o", "out.csv"], "collect writes JSON Lines"),
        (&["-o", "prompts.txt"], "is the prompts file"),
        (&["--modes", "spec_base"], "unexpected argument"),
        (&["--skip-lora", "-a", "best"], "cannot be used with"),
    ] {
        let arguments = given(more);
        check(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), 2, part);
    }
    check(&["collect", "--target", &target, "-p", "hello"], 2, "no draft model (give --draft, or set");
    assert!(!workspace.path("speclora.db").exists(), "nothing was begun");

    let bench = ["bench", "--target", &target, "--draft", &draft, "-p", "hello", "-m", "2", "--skip-lora"];
    workspace.succeed(&bench);
    check(
        &["collect", "--resume", "1"],
        1,
        "run 1 is one of speclora bench (speclora bench --resume 1 goes on)",
    );
    check(
        &["collect", "--resume", "1", "--holdout", "0.1"],
        2,
        "--resume takes prompts and settings from the run",
    );
}

#[test]
fn a_bench_says_how_many_of_its_prompts_its_adapter_was_trained_on() {
    let workspace = Workspace::new();
    let target = model("llama-untied");
    let adapter = text(&fixture("adapters/llama-untied-rslora-r2"));
    workspace.succeed(&collect_arguments(&target, &target, &["--adapter", &adapter]));
    workspace
        .database()
        .execute_batch(
            "INSERT INTO run_examples VALUES (1, 1, 'train'), (1, 2, 'train'), (1, 3, 'held_out');
            INSERT INTO train_steps VALUES (1, 1, 1, 0.5, NULL, 1.0, 0.1, 24, 48, 1000, 0);
            INSERT INTO train_step_examples VALUES (1, 1, 1);
            INSERT INTO train_checkpoints VALUES (1, 1, 1, NULL, 0);",
        )
        .unwrap();
    let bench = ["bench", "--target", &target, "--draft", &target, "-f", "prompts.txt", "-m", "4", "-a", "1"];
    let outcome = workspace.run(&bench);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let expected = "warning: 1 of 4 prompts were trained on by this adapter";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
}

#[cfg(feature = "builtin-models")]
#[test]
fn the_builtin_pair_disagrees_where_the_draft_knows_little() {
    let workspace = Workspace::new();
    let json = workspace.json(&["collect-data", "-f", "builtin:train", "-l", "12", "-m", "48"]);
    assert_eq!(json["num_examples"], 12);
    let acceptance = json["acceptance_rate"].as_f64().unwrap();
    assert!((0.1..0.8).contains(&acceptance), "{acceptance}");
    assert!(json["num_confident_disagreements"].as_i64() < json["num_disagreements"].as_i64(), "{json}");
    assert_eq!(workspace.value::<i64>(UNMATCHED), 0);
    // What was collected counts for the vocabulary of a draft, as other outputs do.
    workspace.succeed(&["bench", "-p", "What is rain?", "-m", "8", "--skip-lora", "--draft-vocab", "300"]);
    let from_outputs: i64 =
        workspace.value("SELECT num_from_outputs FROM run_draft_vocabularies WHERE run_id = 2");
    assert!(from_outputs > 0);
}
