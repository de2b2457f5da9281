//! `speclora runs` over runs of every kind.

use serde_json::Value;

use crate::program::Workspace;

/// The keys of an object.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn each_kind_of_run_is_listed_and_shown_with_what_it_leaves() {
    let workspace = Workspace::new();
    workspace.succeed(&["collect", "-f", "builtin:train", "-l", "12", "-m", "24"]);
    workspace.succeed(&["bench", "-f", "builtin:general", "-l", "2", "-m", "8", "--skip-lora"]);
    let benches = workspace.succeed(&["runs", "list", "-l", "1"]);
    assert!(benches.contains("6/6") && benches.contains("Base ×") && !benches.contains("Loss"), "{benches}");
    workspace.succeed(&["train", "--rank", "2", "--epochs", "1", "--eval-every", "1", "--holdout", "0.5"]);
    workspace.succeed(&["train", "--from", "1", "--epochs", "1", "--holdout", "0.5"]);

    let listed = workspace.succeed(&["runs", "list"]);
    for part in ["Kind", "train", "bench", "collect", "Done", "Target Tok/s", "Steps", "Loss", "Best ᾱ", "%"]
    {
        assert!(listed.contains(part), "{part} is not in {listed}");
    }
    let alone = workspace.succeed(&["runs", "list", "-l", "2"]);
    assert!(!alone.contains("Target Tok/s") && !alone.contains("Done"), "{alone}");
    let rows = workspace.json(&["runs", "list"]);
    let trained = &rows[0];
    assert_eq!([&trained["kind"], &rows[2]["kind"], &rows[3]["kind"]], ["train", "bench", "collect"]);
    let steps: i64 = workspace.value("SELECT max(step) FROM train_steps WHERE run_id = 4");
    let loss: f64 =
        workspace.value(&format!("SELECT loss FROM train_steps WHERE run_id = 4 AND step = {steps}"));
    let best: f64 =
        workspace.value("SELECT max(expected_acceptance) FROM train_evaluations WHERE run_id = 4");
    assert_eq!([&trained["num_steps"], &trained["train_loss"]], [&Value::from(steps), &Value::from(loss)]);
    assert!((trained["best_expected_acceptance"].as_f64().unwrap() - best).abs() < 1e-9);
    assert!(rows[2]["num_steps"].is_null() && rows[2]["spec_base_speedup"].is_f64());

    let training = workspace.succeed(&["runs", "show", "4"]);
    for part in ["From", "checkpoint 1, run 3, step 1", "to learn", "held out", "Took", "final, latest"] {
        assert!(training.contains(part), "{part} is not in {training}");
    }
    for part in ["Generations", "Summary", "Acceptance by position", "Lossless", "Adapter "] {
        assert!(!training.contains(part), "{part} is in {training}");
    }
    let json = workspace.json(&["runs", "show", "4"]);
    let (facts, parts) = (keys(&json), ["models", "settings", "evaluations", "steps"]);
    assert!(parts.iter().all(|part| facts.contains(part)) && !facts.contains(&"modes"), "{facts:?}");
    assert_eq!(json["steps"].as_array().unwrap().len() as i64, steps);
    assert!(json["evaluations"][1]["checkpoint_id"].is_i64() && json["checkpoint_id"] == 1);
    let examples = ["num_train_examples", "num_replay_examples", "num_held_out_examples"];
    assert_eq!(examples.iter().map(|key| json[key].as_i64().unwrap()).sum::<i64>(), 12);

    let collecting = workspace.succeed(&["runs", "show", "1"]);
    for part in ["Kind", "Generations", "12 of 12", "Disagreements", "Held out", "Acceptance by position"] {
        assert!(collecting.contains(part), "{part} is not in {collecting}");
    }
    assert!(!collecting.contains("Lossless") && !collecting.contains("Examples  0"), "{collecting}");
    assert_eq!(workspace.json(&["runs", "show", "1"])["collected"]["num_examples"], 12);

    let bench = workspace.succeed(&["runs", "show", "2"]);
    for part in ["Generations", "6 of 6", "Summary", "Beside the means", "Lossless: 2 of 2 prompts"] {
        assert!(bench.contains(part), "{part} is not in {bench}");
    }
    assert!(!bench.contains("Steps") && !bench.contains("Examples"), "{bench}");
    let markdown = workspace.succeed(&["runs", "show", "4", "--format", "md"]);
    assert!(markdown.contains("| Step | Held-out loss |"), "{markdown}");
}
