//! `speclora bench` from prompts to rows.

use serde_json::Value;

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
    assert!(table.contains("Lossless: 4 of 4 spec_base outputs"), "{table}");

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
    assert!(named.stderr.contains("no adapter best"), "{}", named.stderr);
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
    assert_eq!(json["summary"]["spec_base"]["num_prompts"], 4);
}

#[test]
fn a_control_measures_the_target_twice() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    let table = workspace.succeed(&bench_arguments(&target, &draft, &["--skip-lora", "--control"]));
    assert!(table.contains("Control vs target"), "{table}");
    assert!(table.contains("Lossless: 4 of 4 control outputs"), "{table}");
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

/// Waits until a run in another process has stored more generations than `floor`.
fn wait_for_generations(workspace: &Workspace, floor: i64) {
    loop {
        let database = workspace.path("speclora.db");
        let count = rusqlite::Connection::open(&database)
            .and_then(|db| db.query_row("SELECT count(*) FROM generations", [], |row| row.get::<_, i64>(0)));
        if count.is_ok_and(|count| count > floor) {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_bench_keeps_what_ended_and_is_resumed() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let arguments = bench_arguments(&target, &draft, &["--skip-lora", "-n", "60"]);
    let mut child = workspace.spawn(&arguments);
    wait_for_generations(&workspace, 7);
    child.kill().unwrap();
    child.wait().unwrap();
    let before: i64 = workspace.value("SELECT count(*) FROM generations");
    assert!((8..482).contains(&before), "{before}");
    assert_eq!(workspace.value::<i64>(ROUND_SUMS), 0);
    assert_eq!(workspace.json(&["runs", "list"])[0]["state"], "crashed");

    workspace.succeed(&["bench", "--resume", "1"]);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations WHERE is_warmup = 0"), 480);
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
    assert_eq!(summary, (240, 4), "the summary is that of the whole");
    let again = workspace.run(&["bench", "--resume", "1"]);
    assert_eq!(again.code, Some(1), "a complete run is not resumed: {}", again.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupted_bench_says_so_and_is_resumed() {
    let workspace = Workspace::new();
    let (target, draft) = (model("llama-untied"), model("qwen3-tied"));
    let mut child = workspace.spawn(&bench_arguments(&target, &draft, &["--skip-lora", "-n", "60"]));
    wait_for_generations(&workspace, 3);
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(workspace.json(&["runs", "show", "@latest"])["state"], "interrupted");
    workspace.succeed(&["bench", "--resume", "@latest"]);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations WHERE is_warmup = 0"), 480);
}
