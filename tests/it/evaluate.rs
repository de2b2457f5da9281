//! `speclora evaluate` from prompts to figures of drafts.

use serde_json::Value;

use crate::fixture;
use crate::program::{Workspace, model, text};

/// Arguments of an evaluation of tiny models over `prompts.txt`, the target as its own draft's base.
fn evaluate_arguments<'a>(target: &'a str, draft: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let base = ["evaluate", "--target", target, "--draft", draft, "-f", "prompts.txt", "-m", "24"];
    [&base, more].concat()
}

/// Two adapters of the same tiny model.
fn adapters() -> [String; 2] {
    ["llama-untied-rslora-r2", "llama-untied-patterns"].map(|name| text(&fixture("adapters").join(name)))
}

#[test]
fn answers_and_judgements_are_stored_and_nothing_to_train_on() {
    let workspace = Workspace::new();
    let target = model("llama-untied");
    let [first, second] = adapters();
    let more = ["-a", &first, "-a", &second, "-a", &first, "--name", "tiny", "--tag", "a=b"];
    let shown = workspace.succeed(&evaluate_arguments(&target, &target, &more));
    for part in [
        "plain draft",
        "adapter 1 over the plain draft: pooled acceptance -",
        "adapter 2",
        "fewer than 6 prompts",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let run: String = workspace.value("SELECT name || ' ' || kind || ' ' || status FROM runs");
    assert_eq!(run, "tiny evaluate completed");
    let count = |table: &str| -> i64 { workspace.value(&format!("SELECT count(*) FROM {table}")) };
    let tables = ["generations", "prompt_evaluations", "examples", "generation_examples", "disagreements"];
    assert_eq!(tables.map(count), [4, 3 * 4, 0, 0, 0]);
    let modes: String = workspace
        .value("SELECT group_concat(DISTINCT mode || ' ' || coalesce(checkpoint_id, '')) FROM generations");
    assert_eq!(modes, "spec_base ");
    // The target is its own draft: it agrees with itself everywhere.
    let plain: String = workspace.value(
        "SELECT num_prompts || ' ' || acceptance_rate || ' ' || top1_agreement || ' ' || mean_acceptance_length
        FROM draft_evaluations WHERE checkpoint_id IS NULL",
    );
    assert!(plain.starts_with("4 1.0 1.0 4."), "{plain}");
    let expected: f64 =
        workspace.value("SELECT expected_acceptance FROM draft_evaluations WHERE checkpoint_id IS NULL");
    assert!((expected - 1.0).abs() < 1e-3, "{expected}");
    let settings: String = workspace.value(
        "SELECT group_concat(key || '=' || value, ' ' ORDER BY key) FROM run_settings
        WHERE key IN ('modes', 'warmup', 'temperature', 'draft_vocab', 'adapter', 'holdout', 'rank', 'target_top_k')",
    );
    let expected = r#"draft_vocab="full" modes=["spec_base"] target_top_k=64 temperature=0.0 warmup=0"#;
    assert_eq!(settings, expected);
    workspace.succeed(&["runs", "show", "1"]);
    let resumed = workspace.run(&["bench", "--resume", "1"]);
    assert!(resumed.stderr.contains("speclora evaluate, which is not resumed"), "{}", resumed.stderr);
}

#[test]
fn every_format_has_each_draft_with_its_gains() {
    let workspace = Workspace::new();
    workspace.write("prompts.txt", "one\ntwo\nthree words here\nfour\nfive\nsix\nseven\n");
    let target = model("llama-untied");
    let [adapter, _] = adapters();
    let arguments = evaluate_arguments(&target, &target, &["-a", &adapter]);
    let json = workspace.json(&arguments);
    let drafts = json["drafts"].as_array().unwrap();
    assert_eq!((drafts.len(), json["prompts"].as_array().unwrap().len()), (2, 2 * 7));
    assert_eq!([&drafts[0]["checkpoint_id"], &drafts[0]["acceptance_rate_gain"]], [&Value::Null; 2]);
    let number = |key: &str| drafts[1][key].as_f64().unwrap();
    let (gain, low, high) = (
        number("acceptance_rate_gain"),
        number("acceptance_rate_gain_low"),
        number("acceptance_rate_gain_high"),
    );
    assert!(low <= gain && gain <= high && high < 0.0, "{gain} in {low} to {high}");
    assert!((gain - (number("acceptance_rate") - 1.0)).abs() < 1e-9);
    assert_eq!(number("num_better") + number("num_same") + number("num_worse"), 7.0);
    for format in ["jsonl", "csv", "md", "table"] {
        let written = workspace.succeed(&[&arguments[..], &["--format", format]].concat());
        let num_lines = written.lines().count();
        assert!(
            num_lines >= 2 && written.contains("llama") != (format == "md" || format == "table"),
            "{written}"
        );
    }
}

#[test]
fn best_is_judged_where_it_is_of_this_draft() {
    let mut workspace = Workspace::new();
    let (target, other) = (model("llama-untied"), model("llama-tied"));
    let num_drafts = |workspace: &Workspace, draft: &str, more: &[&str], note: &str| -> i64 {
        let outcome = workspace.run(&evaluate_arguments(&target, draft, more));
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(note), "{}", outcome.stderr);
        workspace.value(
            "SELECT count(DISTINCT coalesce(checkpoint_id, 0)) FROM prompt_evaluations
            WHERE run_id = (SELECT max(id) FROM runs)",
        )
    };
    let none = "note: best names no adapter of this draft: the plain draft is judged alone";
    assert_eq!(num_drafts(&workspace, &target, &[], none), 1);
    let [adapter, _] = adapters();
    workspace.succeed(&["adapters", "import", &adapter, "--draft", &target]);
    workspace.succeed(&["adapters", "alias", "best", "1"]);
    assert_eq!(num_drafts(&workspace, &target, &[], ""), 2);
    assert_eq!(num_drafts(&workspace, &other, &[], none), 1);
    workspace.set("SPECLORA_ADAPTER", "1");
    assert_eq!(num_drafts(&workspace, &target, &[], ""), 2);
    let refused = workspace.run(&evaluate_arguments(&target, &other, &[]));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("adapter 1 is for another draft"), "{}", refused.stderr);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let workspace = Workspace::new();
    let target = model("llama-untied");
    let check = |arguments: &[&str], code: i32, part: &str| {
        let outcome = workspace.run(arguments);
        assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{arguments:?}: {}", outcome.stderr);
    };
    check(&["evaluate"], 2, "no prompts (give --prompts-file");
    check(&["evaluate", "--target", &target, "-p", "hello"], 2, "no draft model (give --draft, or set");
    check(&evaluate_arguments(&target, &target, &["-a", "final"]), 1, "no adapter final (it is no alias");
    check(&evaluate_arguments(&target, &target, &["--temperature", "1"]), 2, "unexpected argument");
    check(&evaluate_arguments(&target, &target, &["--resume", "1"]), 2, "unexpected argument");
    assert!(!workspace.path("speclora.db").exists(), "nothing was begun");
    workspace.write("speclora.toml", "temperature = 0.7\n");
    let outcome = workspace.run(&evaluate_arguments(&target, &target, &[]));
    assert!(outcome.stderr.contains("temperature is 0.0 in an evaluation, whatever"), "{}", outcome.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupted_evaluation_keeps_what_it_has() {
    let workspace = Workspace::new();
    let prompts: Vec<String> = (0..5000).map(|number| format!("count to {number}")).collect();
    workspace.write("prompts.txt", prompts.join("\n"));
    let target = model("llama-untied");
    let mut command = workspace.command(&evaluate_arguments(&target, &target, &[]));
    let piped = std::process::Stdio::piped;
    let child = command.stdout(piped()).stderr(piped()).spawn().unwrap();
    let stored = || {
        rusqlite::Connection::open(workspace.path("speclora.db"))
            .and_then(|db| db.query_row("SELECT count(*) FROM generations", [], |row| row.get::<_, i64>(0)))
            .unwrap_or(0)
    };
    while stored() < 3 {
        std::thread::yield_now();
    }
    crate::program::send(libc::SIGINT, &child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("of 5000 answers, and figures of what was judged until then"), "{stderr}");
    let status: String = workspace.value("SELECT status FROM runs");
    assert_eq!(status, "interrupted");
}

/// Acceptance of a mode of a run: accepted ÷ drafted of what was decoded.
#[cfg(feature = "builtin-models")]
fn decoded_acceptance(workspace: &Workspace, run: i64, mode: &str) -> f64 {
    workspace.value(&format!(
        "SELECT 1.0 * sum(num_accepted) / sum(num_drafted) FROM generations
        WHERE run_id = {run} AND mode = '{mode}' AND is_warmup = 0"
    ))
}

#[cfg(feature = "builtin-models")]
#[test]
fn judged_acceptance_is_that_of_decoding() {
    let workspace = Workspace::new();
    workspace.succeed(&["collect", "-f", "builtin:train", "-l", "32", "-m", "48"]);
    workspace.succeed(&["train", "--epochs", "1", "--learning-rate", "1e-2", "--rank", "32"]);
    let prompts = ["-f", "builtin:bench", "-l", "24", "-m", "64"];
    let more = ["-a", "final", "--json"];
    let json: Value =
        serde_json::from_str(&workspace.succeed(&[&["evaluate"], &prompts[..], &more].concat())).unwrap();
    let judged = |draft: usize| json["drafts"][draft]["acceptance_rate"].as_f64().unwrap();
    let run = json["run_id"].as_i64().unwrap();
    // The last round of an answer that was cut off may have proposed one token fewer: less than a point of all.
    let plain = decoded_acceptance(&workspace, run, "spec_base");
    assert!((judged(0) - plain).abs() < 0.01, "judged {}, decoded {plain}", judged(0));

    let bench = ["--modes", "spec_base,spec_lora", "--warmup", "0", "--draft-vocab", "full"];
    workspace.succeed(&[&["bench", "-a", "final"], &prompts[..], &bench].concat());
    let adapted = decoded_acceptance(&workspace, run + 1, "spec_lora");
    assert!((judged(1) - adapted).abs() < 0.015, "judged {}, decoded {adapted}", judged(1));
    assert!((judged(1) - judged(0)).abs() > 0.015, "the adapter is told from the plain draft");
    // What the target thought as it answered prompts of an evaluation is nothing to train on.
    let num_leaked: i64 = workspace.value(&format!(
        "SELECT count(*) FROM generation_examples JOIN generations ON generations.id = generation_id
        WHERE run_id = {run}"
    ));
    assert_eq!(num_leaked, 0);
}
