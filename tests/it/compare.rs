//! `speclora compare` from rows to a verdict.

use rusqlite::Connection;
use serde_json::Value;

use crate::program::{Outcome, Workspace};

/// Two benches of the built-in pair over the same prompts: the second drafts less.
fn benched() -> Workspace {
    let workspace = Workspace::new();
    let bench = ["bench", "-f", "builtin:bench", "-l", "6", "-m", "12", "--skip-lora", "--control"];
    workspace.succeed(&[&bench[..], &["--name", "four"]].concat());
    workspace.succeed(&[&bench[..], &["--name", "two", "--num-draft-tokens", "2"]].concat());
    workspace
}

/// Asserts how a command ended, and what it said.
#[track_caller]
fn check(outcome: &Outcome, code: i32, parts: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{}{}", outcome.stdout, outcome.stderr);
    for part in parts {
        assert!(outcome.stderr.contains(part), "\"{part}\" is not in {}", outcome.stderr);
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn runs_are_compared_mode_by_mode_with_the_figures_of_runs_show() {
    let workspace = benched();
    let table = workspace.succeed(&["compare", "run", "1", "run", "2"]);
    // Sentences are wrapped.
    let table = table.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Differences Setting or fact Run 1 Run 2",
        " num_draft_tokens 4 2 ",
        "target_only: run 2 (two) against run 1 (four), 6 prompts",
        "spec_base: run 2 (two) against run 1 (four), 6 prompts",
        "control: run 2 (two)",
        "Acceptance by position in the draft",
        "Lossless (prompts whose output equals target_only's): 1:spec_base 6 of 6, 2:spec_base 6 of 6, 1:control 6 of 6",
        "Same output (prompts where it is the baseline's): 2:target_only 6 of 6, 2:spec_base 6 of 6, 2:control 6 of 6",
        "Order: run 1, run 2: the modes of a prompt back to back, in a shuffled order",
        "Noise of run 1 (the same work twice): Tok/s ",
        "Measured: run 1 from ",
    ] {
        assert!(table.contains(part), "\"{part}\" is not in {table}");
    }

    let json = workspace.json(&["compare", "four", "@latest"]);
    let contrast = &json["contrasts"][1];
    assert_eq!(contrast["other"]["mode"], "spec_base");
    for run in [1, 2] {
        let shown = workspace.json(&["runs", "show", &run.to_string()]);
        let side = if run == 1 { "baseline_value" } else { "value" };
        for (place, column) in [
            (0, "avg_tokens_per_second"),
            (1, "avg_decode_tokens_per_second"),
            (2, "avg_time_to_first_token"),
            (3, "avg_time_to_last_token"),
            (4, "avg_acceptance_rate"),
            (5, "mean_acceptance_length"),
        ] {
            let (found, stored) =
                (number(&contrast["metrics"][place][side]), number(&shown["modes"][1][column]));
            assert!((found - stored).abs() < 1e-9 * stored, "{column} of run {run}: {found} is not {stored}");
        }
        let (found, paired) =
            (number(&contrast["metrics"][6][side]), number(&shown["paired"]["spec_base"]["paired_speedup"]));
        assert!((found - paired).abs() < 1e-9, "{found} is not {paired}");
    }
    let tau = &contrast["metrics"][5];
    let change = number(&tau["value"]) / number(&tau["baseline_value"]) - 1.0;
    assert!((number(&tau["change"]) - change).abs() < 1e-12);
    assert!(number(&tau["change_low"]) <= change && change <= number(&tau["change_high"]));

    let csv = workspace.succeed(&["compare", "1", "2", "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + 4 + 7 + 5, "a row for each metric that a mode has: {csv}");
    assert!(workspace.succeed(&["compare", "1", "2", "--format", "md"]).contains("\n### spec_base: run 2"));
    let three = workspace.json(&["compare", "1:spec_base", "2", "1:target_only"]);
    assert_eq!(three["contrasts"][1]["other"]["mode"], "target_only");
    assert!(three["contrasts"][1]["metrics"][4]["value"].is_null(), "target_only accepts nothing");
}

#[test]
fn statements_that_are_printed_say_in_sqlite3_what_compare_read() {
    let workspace = benched();
    let script = workspace.succeed(&["compare", "1", "2", "--sql"]);
    for part in
        [".parameter set :run_id 2", "-- queries/compare_generations.sql", "FROM generation_metrics AS m"]
    {
        assert!(script.contains(part), "{part} is not in {script}");
    }
    // Each statement between the dot commands stands on its own.
    let database = workspace.database();
    let statements = script.split(".parameter set").skip(1).map(|part| part.split_once('\n').unwrap().1);
    let num_prepared = statements
        .filter(|statement| !statement.trim().is_empty())
        .map(|statement| database.prepare(statement).unwrap().column_count())
        .filter(|num_columns| *num_columns > 1)
        .count();
    assert_eq!(num_prepared, 2 * 6);
    let refused = workspace.run(&["compare", "1", "2", "--sql", "--json"]);
    check(&refused, 2, &["--sql prints statements"]);
}

#[test]
fn gates_decide_how_compare_ends() {
    let workspace = benched();
    // Two drafted tokens a round cannot give what four do; the number does not hang on the clock.
    let compare = |more: &[&str]| workspace.run(&[&["compare", "1", "2"], more].concat());
    let failed = compare(&["--fail-if", "spec_base.mean_acceptance_length<50%"]);
    check(&failed, 3, &["gate 'spec_base.mean_acceptance_length<50%' failed"]);
    assert!(failed.stdout.contains("Better/same/worse"), "the table is there all the same");
    check(&compare(&["--fail-if", "mean_acceptance_length<-99%"]), 0, &[]);
    let at_once = compare(&["--fail-if", "mean_acceptance_length<-99%", "--fail-if", "acceptance_rate<99pp"]);
    check(&at_once, 3, &["acceptance_rate<99pp"]);
    check(&compare(&["--fail-if", "acceptance_rate<-2%"]), 2, &["write acceptance_rate<-2pp"]);
    let none = compare(&["--fail-if", "spec_lora.decode_speedup<-2%"]);
    check(&none, 2, &["matches no row of this comparison (target_only.tokens_per_second, "]);
    check(&compare(&["--require-conclusive"]), 2, &["--fail-if"]);

    workspace.succeed(&["bench", "-f", "builtin:bench", "-l", "2", "-m", "8", "--skip-lora"]);
    let few = ["compare", "3:target_only", "3:spec_base", "--fail-if", "tokens_per_second<-2%"];
    check(&workspace.run(&few), 0, &["note: gate 'tokens_per_second<-2%' inconclusive"]);
    check(
        &workspace.run(&[&few[..], &["--require-conclusive"]].concat()),
        5,
        &["error: gate", "inconclusive"],
    );
}

#[test]
fn what_is_not_comparable_is_refused_unless_forced() {
    let workspace = benched();
    let bench = ["bench", "-f", "builtin:bench", "-l", "6", "-m", "16", "--modes", "target_only,spec_base"];
    workspace.succeed(&bench);
    workspace.succeed(&["collect", "-f", "builtin:train", "-l", "2", "-m", "8"]);
    workspace.succeed(&["evaluate", "-f", "builtin:bench", "-l", "2", "-m", "8"]);
    let compare = |arguments: &[&str]| workspace.run(&[&["compare"], arguments].concat());
    check(&compare(&["1", "3"]), 4, &["not comparable: max_tokens is 12 in run 1, 16 in run 3", "--force"]);
    let forced = compare(&["1", "3", "--force"]);
    check(&forced, 0, &[]);
    assert!(forced.stdout.contains("Not comparable, compared all the same (--force): max_tokens"));
    check(&compare(&["1", "3", "--force", "--format", "csv"]), 0, &["warning: Not comparable"]);
    check(&compare(&["1:spec_base", "4", "--force"]), 4, &["have no prompt with a result in both"]);
    check(&compare(&["1", "5"]), 4, &["run 5 is an evaluation", "speclora evaluate -a ONE -a OTHER"]);
    check(&compare(&["1", "9"]), 1, &["no run 9 (the newest is 5; speclora runs list)"]);
    check(
        &compare(&["1:spec_lora", "2"]),
        4,
        &["run 1 has no result in spec_lora (it has target_only, spec_base, control"],
    );
    check(&compare(&["1:spec", "2"]), 2, &["1:spec: mode must be one of"]);
    check(&compare(&["1"]), 2, &["name two runs"]);
    check(&compare(&["1", "1"]), 2, &["run 1 is named twice"]);
}

/// Stores the seed's sample by hand: eight prompts, each mode's speed a little different on each.
fn insert_seed(database: &Connection) {
    database
        .execute_batch(
            "INSERT INTO blobs (sha256, size_bytes) VALUES (printf('%064d', 1), 1);
            INSERT INTO checkpoints
                (uid, draft_model_id, adapter_blob_id, adapter_config, rank, alpha, target_modules, source, created_at_ms)
            SELECT printf('%036d', 1), id, 1, '{}', 8, 16.0, '[]', 'by hand', 0 FROM models LIMIT 1;
            UPDATE runs SET checkpoint_id = 1 WHERE id = 1;
            DELETE FROM generations;
            WITH
            speeds (mode, place, num_tokens, num_drafted, num_accepted) AS (
                VALUES ('target_only', 0, 452, 0, 0), ('spec_base', 1, 623, 1000, 582), ('spec_lora', 2, 718, 1000, 721)
            )
            INSERT INTO generations (
                run_id, environment_id, prompt_index, mode, iteration, is_warmup, exec_order, checkpoint_id, seed,
                started_at_ms, stop_reason, num_prompt_tokens, total_tokens, num_rounds, num_drafted, num_accepted,
                num_emitted, num_target_forwards, num_draft_forwards, time_to_first_token_ns, time_to_last_token_ns,
                output_tokens, output_sha256, output_text
            )
            SELECT
                1, 1, p.prompt_index, s.mode, 0, 0, 3 * p.prompt_index + s.place,
                CASE WHEN s.mode = 'spec_lora' THEN 1 END, 0, 0, 'max_tokens', 9, s.num_tokens,
                CASE WHEN s.num_drafted > 0 THEN 100 ELSE 0 END, s.num_drafted, s.num_accepted,
                CASE WHEN s.num_drafted > 0 THEN s.num_tokens - 1 ELSE 0 END, 1, 0,
                0, 10000000000, zeroblob(4 * s.num_tokens), printf('%064d', p.prompt_index), ''
            FROM run_prompts AS p, speeds AS s
            WHERE p.run_id = 1;",
        )
        .unwrap();
}

#[test]
fn seed_sample_is_reproduced_from_rows_inserted_by_hand() {
    let workspace = Workspace::new();
    workspace.succeed(&["bench", "-f", "builtin:bench", "-l", "8", "-m", "2", "--modes", "target_only"]);
    let database = workspace.database();
    database.execute_batch("PRAGMA foreign_keys = ON; PRAGMA ignore_check_constraints = ON;").unwrap();
    insert_seed(&database);
    let shown = workspace.succeed(&["runs", "show", "1"]);
    for part in [
        "Speedup vs target: spec_base 1.38x, spec_lora 1.59x\n",
        "LoRA improvement over base: +15.2% tokens/s, +13.9 pp acceptance\n",
        "Decode speedup by prompt (geometric mean): spec_base 1.38x (95 % interval 1.38 to 1.38, 8 prompts); spec_lora 1.59x",
        "LoRA improvement by prompt: +15.2% tokens/s (95 % interval +15.2 to +15.2), +13.9 pp acceptance (95 % interval \
         +13.9 to +13.9), 8 prompts\n",
    ] {
        assert!(shown.contains(part), "\"{part}\" is not in {shown}");
    }
    let lines: Vec<&str> = shown.lines().collect();
    let place = |part: &str| lines.iter().position(|line| line.starts_with(part)).unwrap();
    assert!(place("Speedup vs target") < place("LoRA improvement over base"));
    assert!(
        place("LoRA improvement over base") < place("Decode speedup by prompt"),
        "what is new comes below"
    );

    let compared = workspace.succeed(&["compare", "1:spec_base", "1:spec_lora"]);
    for part in ["62.3", "71.8", "+15.2%", "58.2%", "72.1%", "+13.9 pp", "1.38x", "1.59x", "8/0/0"] {
        assert!(compared.contains(part), "\"{part}\" is not in {compared}");
    }
    assert!(compared.contains("Leakage: adapter 1 of run 1 was not trained here"), "{compared}");
    let shown = workspace.json(&["runs", "show", "1"]);
    let lora = &shown["paired"]["spec_lora"];
    assert!((number(&lora["paired_speedup"]) - 717.0 / 451.0).abs() < 1e-9);
    assert!((number(&lora["paired_acceptance_rate_gain_low"]) - 0.139).abs() < 1e-9);
}

#[cfg(unix)]
#[test]
fn reader_that_goes_away_leaves_the_gate_its_say() {
    let workspace = benched();
    let mut command = workspace.command(&["compare", "1", "2", "--fail-if", "mean_acceptance_length<99%"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
