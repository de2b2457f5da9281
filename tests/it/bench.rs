//! `speclora bench` from prompts to rows.

use std::process::Child;

use serde_json::Value;

use speclora::engine::cpu::Backend;

use crate::fixture;
use crate::program::{Workspace, bench_arguments, model, text};

const ROUND_SUMS: &str = "
    SELECT count(*)
    FROM generations AS g
    WHERE (g.num_rounds, g.num_drafted, g.num_accepted, g.num_emitted) IS NOT (
        SELECT count(*), coalesce(sum(num_drafted), 0), coalesce(sum(num_accepted), 0), coalesce(sum(num_emitted), 0)
        FROM rounds AS r
        WHERE r.generation_id = g.id
    )";

#[test]
fn every_generation_and_round_is_stored() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let table = workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora"]));
    assert!(table.contains("Avg Tok/s") && table.contains("Speedup vs target: spec_base"), "{table}");
    assert!(table.contains("Lossless: 4 of 4 prompts: spec_base output"), "{table}");

    let measured: i64 = workspace.value("SELECT count(*) FROM generations WHERE is_warmup = 0");
    assert_eq!(measured, 8);
    let warmups: i64 = workspace.value("SELECT count(*) FROM generations WHERE is_warmup = 1");
    assert_eq!(warmups, 2);
    assert_eq!(workspace.value::<i64>(ROUND_SUMS), 0, "counts are the sums over rounds");
    let unequal: i64 = workspace.value(
        "SELECT count(*) FROM generations AS s JOIN generations AS t USING (run_id, prompt_index, iteration, is_warmup)
        WHERE s.mode = 'spec_base' AND t.mode = 'target_only' AND s.output_tokens <> t.output_tokens",
    );
    assert_eq!(unequal, 0, "greedy speculative output equals target-only output");
    assert_eq!(workspace.value::<String>("SELECT status FROM runs"), "completed");
}

#[test]
fn a_draft_that_is_the_target_is_always_right() {
    let workspace = Workspace::new();
    let target = model("qwen2-tied");
    for num_draft_tokens in ["1", "4", "7"] {
        let more = ["--skip-lora", "--num-draft-tokens", num_draft_tokens];
        workspace.succeed(&bench_arguments(&target, &target, &more));
    }
    let rejected: i64 = workspace.value("SELECT sum(num_drafted - num_accepted) FROM rounds");
    assert_eq!(rejected, 0);
    // Only the last round of a generation may be shorter than K + 1.
    let short: i64 = workspace.value(
        "SELECT count(*)
        FROM rounds AS r
        JOIN generations AS g ON g.id = r.generation_id
        JOIN run_settings AS k ON k.run_id = g.run_id AND k.key = 'num_draft_tokens'
        WHERE r.num_emitted < k.number + 1 AND r.round < g.num_rounds - 1",
    );
    assert_eq!(short, 0);
}

#[test]
fn greedy_output_is_the_same_for_every_number_of_draft_tokens() {
    let workspace = Workspace::new();
    for (target, draft) in
        [("llama-untied", "llama-tied"), ("qwen2-tied", "qwen3-untied"), ("qwen3-tied", "llama-f16")]
    {
        let (target, draft) = (model(target), model(draft));
        for num_draft_tokens in ["1", "2", "3", "5", "8", "16", "32"] {
            let more = ["--skip-lora", "--warmup", "0", "--num-draft-tokens", num_draft_tokens];
            workspace.succeed(&bench_arguments(&target, &draft, &more));
        }
    }
    let outputs: (i64, i64) = workspace
        .database()
        .query_row(
            "SELECT min(num_lossless), max(num_compared) FROM mode_metrics WHERE mode = 'spec_base'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(outputs, (4, 4));
}

#[test]
fn every_draft_head_and_instruction_set_gives_the_same_output() {
    let workspace = Workspace::new();
    // A draft that is the target itself: whatever it proposes no more shows in the acceptance.
    let target = model("llama-untied");
    let backends: Vec<&str> = Backend::available().map(Backend::as_str).collect();
    let mut variants = vec![
        vec![],
        vec!["--draft-vocab", "full"],
        vec!["--draft-vocab", "1"],
        vec!["--draft-vocab", "40", "--num-draft-tokens", "8"],
        vec!["--draft-vocab", "127", "--draft-quant", "q4_0"],
        vec!["--draft-vocab", "100000", "--threads", "1"],
    ];
    variants.extend(backends.iter().map(|name| vec!["--simd", name, "--draft-quant", "q4_0"]));
    for variant in &variants {
        let more = [&["--skip-lora", "--warmup", "0"], &variant[..]].concat();
        workspace.succeed(&bench_arguments(&target, &target, &more));
    }
    let outputs: i64 = workspace.value(
        "SELECT max(num_outputs)
        FROM (SELECT count(DISTINCT output_sha256) AS num_outputs FROM generations GROUP BY prompt_index)",
    );
    assert_eq!(outputs, 1);
    let acceptance = |run: usize| -> f64 {
        workspace.value(&format!(
            "SELECT acceptance_rate FROM mode_metrics WHERE run_id = {run} AND mode = 'spec_base'"
        ))
    };
    assert_eq!([1, 2, 6].map(acceptance), [1.0; 3], "all tokens, unchanged weights");
    assert!((3..=variants.len()).filter(|run| *run != 6).all(|run| acceptance(run) < 1.0));
    let kept =
        "SELECT group_concat(run_id || ':' || num_tokens || '=' || (length(data) / 4), ' ' ORDER BY run_id)
        FROM run_draft_vocabularies
        JOIN blob_chunks USING (blob_id)";
    assert_eq!(workspace.value::<String>(kept), "3:1=1 4:40=40 5:127=127");
    let engines: i64 = workspace.value("SELECT count(DISTINCT engine) FROM environments");
    assert_eq!(engines as usize, backends.len());
}

#[test]
fn a_draft_vocabulary_counts_answers_to_other_prompts_and_stays_with_its_run() {
    let workspace = Workspace::new();
    let target = model("llama-untied");
    let bench = || {
        let more = ["--skip-lora", "--draft-vocab", "60", "--warmup", "0"];
        workspace.succeed(&bench_arguments(&target, &target, &more));
    };
    bench();
    bench();
    let from_outputs = |run: i64| -> i64 {
        workspace.value(&format!("SELECT num_from_outputs FROM run_draft_vocabularies WHERE run_id = {run}"))
    };
    assert_eq!([1, 2].map(from_outputs), [0, 0], "answers to the same prompts are not known beforehand");
    workspace.write("prompts.txt", "Something else.\n");
    bench();
    assert!(from_outputs(3) > 0);
    assert!(workspace.succeed(&["runs", "show", "3"]).contains("60 tokens: "));

    let acceptance = "SELECT group_concat(num_accepted, ' ' ORDER BY round) FROM rounds
        WHERE generation_id = (SELECT id FROM generations WHERE run_id = 3 AND mode = 'spec_base')";
    let before: String = workspace.value(acceptance);
    workspace
        .database()
        .execute("DELETE FROM generations WHERE run_id = 3 AND mode = 'spec_base'", [])
        .unwrap();
    workspace.database().execute("UPDATE runs SET status = 'interrupted' WHERE id = 3", []).unwrap();
    workspace.succeed(&["bench", "--resume", "3"]);
    assert_eq!(workspace.value::<String>(acceptance), before);
}

#[test]
fn sampled_runs_repeat_with_their_seed() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    for seed in ["5", "5", "6"] {
        let more =
            ["--skip-lora", "--temperature", "0.9", "--top-p", "0.95", "--top-k", "40", "--seed", seed];
        workspace.succeed(&bench_arguments(&target, &draft, &more));
    }
    let same = |a: i64, b: i64| -> bool {
        workspace.value::<i64>(&format!(
            "SELECT count(*) FROM generations AS x JOIN generations AS y USING (prompt_index, mode, iteration, is_warmup)
            WHERE x.run_id = {a} AND y.run_id = {b} AND x.output_tokens <> y.output_tokens"
        )) == 0
    };
    assert!(same(1, 2));
    assert!(!same(1, 3));
    let compared: i64 = workspace.value("SELECT sum(num_compared) FROM mode_metrics");
    assert_eq!(compared, 0, "sampled outputs need not be equal");
}

#[test]
fn three_modes_with_an_adapter_that_is_kept_in_the_database() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-untied"));
    let adapter = text(&fixture("adapters/llama-untied-rslora-r2"));
    let table = workspace.succeed(&bench_arguments(&target, &draft, &["--adapter", &adapter]));
    assert!(table.contains("spec_lora") && table.contains("LoRA improvement over base"), "{table}");
    let (base, adapted): (f64, f64) = workspace
        .database()
        .query_row(
            "SELECT min(acceptance_rate) FILTER (WHERE mode = 'spec_base'), max(acceptance_rate) FILTER (WHERE mode = 'spec_lora')
            FROM mode_metrics",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert!(base == 1.0 && adapted < 1.0, "an adapted draft is no longer the target: {base}, {adapted}");

    // By its id, from the database alone, it proposes the very same tokens.
    workspace.succeed(&bench_arguments(&target, &draft, &["--adapter", "1"]));
    let different: i64 = workspace.value(
        "SELECT count(*) FROM generations AS a JOIN generations AS b USING (prompt_index, mode, iteration, is_warmup)
        WHERE a.run_id = 1 AND b.run_id = 2 AND (a.num_accepted, a.num_drafted) <> (b.num_accepted, b.num_drafted)",
    );
    assert_eq!(different, 0);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM checkpoints"), 1);
}

#[test]
fn without_an_adapter_the_default_goes_on_and_a_named_one_fails() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    let outcome = workspace.run(&bench_arguments(&target, &draft, &[]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("note: no adapter has been trained yet"), "{}", outcome.stderr);
    let named = workspace.run(&bench_arguments(&target, &draft, &["--adapter", "best"]));
    assert_eq!(named.code, Some(1));
    assert!(named.stderr.contains("no adapter best (it is no alias"), "{}", named.stderr);
    let mode_named = workspace.run(&bench_arguments(&target, &draft, &["--modes", "spec_lora"]));
    assert_eq!(mode_named.code, Some(1));
    assert!(mode_named.stderr.contains("no adapter best has been trained"), "{}", mode_named.stderr);
    workspace.succeed(&bench_arguments(&target, &draft, &["--control"]));
}

#[test]
fn the_json_has_every_key_and_repeats_a_year_later() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora", "-n", "2", "-o", "out.json"]));
    let written = std::fs::read_to_string(workspace.path("out.json")).unwrap();
    assert_eq!(workspace.succeed(&["export", "run", "1"]), written);

    let json: Value = serde_json::from_str(&written).unwrap();
    let has = |value: &Value, keys: &[&str]| {
        for key in keys {
            assert!(value.get(key).is_some(), "{key} is missing in {value}");
        }
    };
    has(&json["metadata"], &["timestamp", "num_prompts", "max_tokens", "iterations", "adapter_path"]);
    for mode in ["target_only", "spec_base"] {
        has(
            &json["summary"][mode],
            &[
                "mode",
                "avg_tokens_per_second",
                "avg_time_to_last_token",
                "avg_acceptance_rate",
                "total_tokens",
                "num_prompts",
                "min_tokens_per_second",
                "max_tokens_per_second",
            ],
        );
    }
    assert!(json["summary"]["spec_lora"].is_null());
    let prompts = json["per_prompt"].as_array().unwrap();
    assert_eq!(prompts.len(), 4);
    for prompt in prompts {
        has(prompt, &["prompt", "full_prompt", "target_only", "spec_base", "spec_lora"]);
        has(
            &prompt["spec_base"],
            &["tokens_per_second", "time_to_last_token", "acceptance_rate", "total_tokens"],
        );
    }
    assert_eq!(json["metadata"]["iterations"], 2);
    has(&json["metadata"], &["uid", "tags", "notes"]);
    assert_eq!(json["metadata"]["state"], "completed");
    assert_eq!(json["metadata"]["num_generations"], json["metadata"]["num_planned_generations"]);
    assert_eq!(json["metadata"]["num_failed"], 0);
    assert_eq!(json["per_prompt"][0]["spec_base"]["num_iterations"], 2);
    assert_eq!(json["summary"]["spec_base"]["num_prompts"], 4);
}

#[test]
fn a_control_measures_the_target_twice() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    let table = workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora", "--control"]));
    assert!(table.contains("Control vs target"), "{table}");
    assert!(table.contains("Lossless: 4 of 4 prompts: control output"), "{table}");
}

#[test]
fn prompt_files_of_every_form_give_the_same_prompts() {
    let workspace = Workspace::new();
    workspace.write("p.txt", "one\n# no\n\ntwo\n");
    workspace.write("p.jsonl", "{\"prompt\": \"one\", \"id\": 1}\n{\"turns\": [\"two\", \"more\"]}\n");
    workspace.write("p.csv", "category,prompt\na,one\nb,two\n");
    let target = model("llama-tied");
    for file in ["p.txt", "p.jsonl", "p.csv"] {
        workspace.succeed(&["bench", "--target", &target, "--modes", "target_only", "-f", file, "-m", "2"]);
    }
    let texts: i64 = workspace.value("SELECT count(DISTINCT prompt_id) FROM run_prompts");
    assert_eq!(texts, 2);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM run_prompts"), 6);
}

/// Iterations of a bench that is to be broken off: far more than end while a test looks the other way.
const MANY: &str = "500";

/// Generations of such a bench: four prompts in two modes, and two warm-ups.
const NUM_MANY: i64 = 4 * 2 * 500 + 2;

/// Waits until a bench in another process has stored more generations than `floor`.
fn wait_for_generations(workspace: &Workspace, child: &mut Child, floor: i64) {
    loop {
        let database = workspace.path("speclora.db");
        let count = rusqlite::Connection::open(&database)
            .and_then(|db| db.query_row("SELECT count(*) FROM generations", [], |row| row.get::<_, i64>(0)));
        if count.is_ok_and(|count| count > floor) {
            return;
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "the bench ended before it had stored {floor} generations: {ended:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_bench_keeps_what_ended_and_is_resumed() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let mut child = workspace.spawn(&bench_arguments(&target, &draft, &["--skip-lora", "-n", MANY]));
    wait_for_generations(&workspace, &mut child, 7);
    child.kill().unwrap();
    child.wait().unwrap();
    let before: i64 = workspace.value("SELECT count(*) FROM generations");
    assert!((8..NUM_MANY).contains(&before), "{before}");
    assert_eq!(workspace.value::<i64>(ROUND_SUMS), 0);
    assert_eq!(workspace.json(&["runs", "list"])[0]["state"], "crashed");

    let elsewhere = "UPDATE environments SET hostname = 'elsewhere', fingerprint = hex(randomblob(32))";
    workspace.database().execute(elsewhere, []).unwrap();
    let resumed = workspace.run(&["bench", "--resume", "1"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("warning: run 1 goes on under other conditions"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("hostname was elsewhere, is "), "{}", resumed.stderr);
    assert_eq!(workspace.json(&["runs", "show", "1"])["num_environments"], 2);

    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations"), NUM_MANY);
    assert_eq!(
        workspace.value::<i64>("SELECT sum(is_warmup) FROM generations"),
        2,
        "warmed again, not stored"
    );
    let listed = &workspace.json(&["runs", "list"])[0];
    assert_eq!(listed["state"], "completed");
    let summary: (i64, i64) = workspace
        .database()
        .query_row(
            "SELECT num_generations, num_lossless FROM mode_summaries WHERE mode = 'spec_base'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(summary, (NUM_MANY / 2 - 1, 4), "the summary is that of the whole");
}

#[test]
fn a_run_remembers_where_its_models_lie_and_is_known_as_complete_without_them() {
    let workspace = Workspace::new();
    std::fs::create_dir(workspace.path("tiny")).unwrap();
    for file in std::fs::read_dir(fixture("models/llama-tied")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), workspace.path("tiny").join(file.file_name())).unwrap();
    }
    workspace.succeed(&["bench", "--target", "tiny", "--modes", "target_only", "-p", "hello", "-m", "2"]);
    let path: String = workspace.value("SELECT path FROM run_models");
    assert!(std::path::Path::new(&path).is_absolute(), "{path}");
    std::fs::remove_dir_all(workspace.path("tiny")).unwrap();
    let again = workspace.run(&["bench", "--resume", "1"]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("run 1 is complete"), "{}", again.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupted_bench_says_so_and_is_resumed() {
    let mut workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let mut child = workspace.spawn(&bench_arguments(&target, &draft, &["--skip-lora", "-n", MANY]));
    wait_for_generations(&workspace, &mut child, 3);
    crate::program::send(libc::SIGINT, &child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(workspace.json(&["runs", "show", "@latest"])["state"], "interrupted");
    let stored: i64 = workspace.value("SELECT count(*) FROM generations");
    let shown = workspace.succeed(&["runs", "show", "1"]);
    assert!(shown.contains(&format!("incomplete: {stored} of {NUM_MANY} generations\n")), "{shown}");
    let exported = workspace.json(&["export", "1"]);
    assert_eq!(exported["metadata"]["state"], "interrupted");
    assert_eq!(exported["metadata"]["num_generations"], stored);
    assert_eq!(exported["metadata"]["num_planned_generations"], NUM_MANY);
    workspace.set("SPECLORA_SEED", "9");
    let resumed = workspace.run(&["bench", "--resume", "@latest"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("ignored: seed (SPECLORA_SEED)"), "{}", resumed.stderr);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations"), NUM_MANY);
}

#[cfg(unix)]
#[test]
fn a_bench_that_is_told_to_ignore_the_hangup_survives_it() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_speclora")]);
    shell.args(bench_arguments(&target, &draft, &["--skip-lora", "-n", "20"]));
    let mut child = workspace.spawn_in_folder(shell);
    wait_for_generations(&workspace, &mut child, 3);
    crate::program::send(libc::SIGHUP, &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(workspace.value::<String>("SELECT status FROM runs"), "completed");
}

#[test]
fn json_on_standard_output_stands_alone() {
    let workspace = Workspace::new();
    let target = model("llama-tied");
    let bench = ["bench", "--target", &target, "--modes", "target_only", "-p", "hello", "-m", "2", "-o", "-"];
    let json: Value = serde_json::from_str(&workspace.succeed(&bench)).unwrap();
    assert_eq!(json["summary"]["target_only"]["num_prompts"], 1);
}

#[test]
fn bench_and_runs_show_print_the_same_summary() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let printed = workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora"]));
    let shown = workspace.succeed(&["runs", "show", "1"]);
    for line in printed.lines() {
        assert!(shown.contains(line), "{line:?} is not in {shown}");
    }
    assert!(shown.contains("Pooled Acceptance"), "{shown}");
    let csv = workspace.succeed(&["export", "1", "--what", "summary", "--format", "csv"]);
    for column in ["acceptance_rate", "mean_acceptance_length", "median_tokens_per_second", "speedup"] {
        assert!(
            csv.lines().next().unwrap().split(',').any(|name| name == column),
            "{column} is not in {csv}"
        );
    }
}

#[test]
fn a_database_of_an_older_version_is_upgraded_with_a_word() {
    let workspace = Workspace::new();
    workspace.database().execute_batch(include_str!("../sql/create_v1.sql")).unwrap();
    let outcome = workspace.run(&["runs", "list"]);
    assert!(outcome.stdout.contains("first") && outcome.stderr.contains(".backup-v1"), "{}", outcome.stderr);
    assert!(workspace.path("speclora.db.backup-v1").is_file());
    assert_eq!(workspace.run(&["runs", "list"]).stderr, "");
}
