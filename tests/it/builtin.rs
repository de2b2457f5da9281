//! The models that the program carries, and what it shows with them.

use crate::program::Workspace;

/// One figure of a mode of a run.
fn figure(workspace: &Workspace, run: &str, mode: &str, column: &str) -> f64 {
    workspace.value(&format!(
        "SELECT {column} FROM mode_metrics JOIN runs ON runs.id = run_id WHERE name = '{run}' AND mode = '{mode}'"
    ))
}

#[test]
fn demo_works_in_an_empty_folder_and_leaves_runs_to_query() {
    let workspace = Workspace::new();
    let shown = workspace.succeed(&["demo", "--learn-from", "500"]);
    let database = workspace.path("speclora.db").display().to_string();
    assert!(shown.contains("Lossless: 36 of 36 prompts") && shown.contains(&database), "{shown}");
    for run in ["demo-general", "demo-code"] {
        assert_eq!(figure(&workspace, run, "spec_base", "num_lossless"), 36.0, "{run}");
    }
    // The draft knows everyday text best: what it has forgotten of code and maths leaves room to learn.
    let general = figure(&workspace, "demo-general", "spec_base", "acceptance_rate");
    let code = figure(&workspace, "demo-code", "spec_base", "acceptance_rate");
    assert!((0.40..0.80).contains(&general) && code < general - 0.10, "{general} and {code}");
    // What it learned from five hundred prompts serves on others, and changes no answer.
    let adapted = figure(&workspace, "demo-adapted", "spec_lora", "acceptance_rate");
    assert!(adapted > code + 0.05, "{code} to {adapted}");
    assert_eq!(figure(&workspace, "demo-adapted", "spec_lora", "num_lossless"), 36.0);
    // Everyday prompts are among them, so that it forgets little of what it knew.
    let everyday = ["evaluate", "-f", "builtin:general", "-m", "96", "-a", "final"];
    let gain = workspace.json(&everyday)["drafts"][1]["avg_acceptance_rate"].as_f64().unwrap() - general;
    assert!(gain > -0.06, "{gain}");
    // What it invites to try is there.
    let commands: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  speclora ")).collect();
    assert_eq!(commands.len(), 3, "{shown}");
    for command in commands {
        workspace
            .succeed(&command.split_whitespace().map(|word| word.trim_matches('\'')).collect::<Vec<_>>());
    }
}

#[test]
fn demo_goes_its_own_way_whatever_the_settings_say() {
    let workspace = Workspace::new();
    workspace.write("speclora.toml", "raw = true\nlimit = 1\ntemperature = 1.0\ntarget = \"none.gguf\"\n");
    let shown = workspace.succeed(&["demo", "--learn-from", "20"]);
    assert!(shown.contains("Lossless: 36 of 36 prompts"), "{shown}");
    let outcome = workspace.run(&["demo", "--json"]);
    assert!(outcome.code == Some(2) && outcome.stdout.is_empty(), "{}", outcome.stdout);
}

#[test]
fn greedy_output_of_the_builtin_pair_is_the_same_for_every_number_of_draft_tokens_and_threads() {
    let workspace = Workspace::new();
    let numbers = ["1", "2", "3", "5", "8", "16"];
    for (num_draft_tokens, threads) in numbers.into_iter().flat_map(|number| [(number, "1"), (number, "2")]) {
        let more = ["--num-draft-tokens", num_draft_tokens, "--threads", threads, "--limit", "24"];
        let bench = ["bench", "-f", "builtin:general", "-m", "128", "--skip-lora", "--warmup", "0"];
        workspace.succeed(&[&bench[..], &more].concat());
    }
    let outputs: i64 = workspace.value(
        "SELECT max(num_outputs)
        FROM (SELECT count(DISTINCT output_sha256) AS num_outputs FROM generations GROUP BY prompt_index)",
    );
    assert_eq!(outputs, 1);
    let generations: i64 = workspace.value("SELECT count(*) FROM generations");
    assert_eq!(generations, 12 * 2 * 24);
}

#[test]
fn a_run_of_the_builtin_pair_names_it_and_is_resumed() {
    let workspace = Workspace::new();
    workspace.succeed(&["bench", "-p", "What is rain?", "-m", "8", "--skip-lora"]);
    let paths: String = workspace.value("SELECT group_concat(path, ' ' ORDER BY role DESC) FROM run_models");
    assert_eq!(paths, "builtin:target builtin:draft");
    workspace.database().execute("DELETE FROM generations WHERE mode = 'spec_base'", []).unwrap();
    workspace.database().execute("UPDATE runs SET status = 'interrupted'", []).unwrap();
    workspace.succeed(&["bench", "--resume", "1"]);
    assert_eq!(workspace.value::<i64>("SELECT num_lossless FROM mode_metrics WHERE mode = 'spec_base'"), 1);
}
