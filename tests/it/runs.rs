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
    let best: f64 = workspace
        .value("SELECT max(expected_acceptance) FROM train_evaluations WHERE run_id = 4 AND step > 0");
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
    for part in ["Generations", "6 of 6", "Summary", "Pooled figures and medians", "Lossless: 2 of 2 prompts"]
    {
        assert!(bench.contains(part), "{part} is not in {bench}");
    }
    assert!(!bench.contains("Steps") && !bench.contains("Examples"), "{bench}");
    let markdown = workspace.succeed(&["runs", "show", "4", "--format", "md"]);
    assert!(markdown.contains("| Step | Held-out loss |"), "{markdown}");

    // What runs have to do with each other, and how their figures went.
    for (shown, part) in [
        (&collecting, "learned from what this one collected"),
        (&training, "collected what this one learned from"),
        (&training, "made the adapter of this one"),
        (&training, "Training curve"),
        (&bench, "Tokens per second, in the order in which generations ran"),
    ] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert!(training.contains('█') && bench.contains('█'));
    let related = json["related_runs"].as_array().unwrap();
    let relations: Vec<_> =
        related.iter().map(|row| (&row["run_id"], row["relation"].as_str().unwrap())).collect();
    assert_eq!(relations, [(&Value::from(1), "learned_from"), (&Value::from(3), "made_adapter")]);
    assert!(!workspace.succeed(&["runs", "show", "2", "--json"]).contains('█'), "programs get no bars");
    labels_and_filters(&workspace);
    trash_and_gc(&workspace);
}

/// The ids that a list has, in its order.
fn listed(workspace: &Workspace, arguments: &[&str]) -> Vec<i64> {
    let rows = workspace.json(&[&["runs", "list"], arguments].concat());
    rows.as_array().unwrap().iter().map(|row| row["run_id"].as_i64().unwrap()).collect()
}

/// Over a collecting run 1, a bench 2, and training runs 3 and 4.
fn labels_and_filters(workspace: &Workspace) {
    let says = |arguments: &[&str], expected: &str| {
        let outcome = workspace.run(arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(0), ""),
            "{arguments:?}: {}",
            outcome.stderr
        );
        assert!(outcome.stderr.contains(expected), "{arguments:?}: {}", outcome.stderr);
    };
    says(&["runs", "tag", "run", "2", "sweep=1", "host=a=b"], "run 2: sweep=1, host=a=b");
    says(&["runs", "tag", "3", "sweep=2", "extra="], "run 3: sweep=2, extra=");
    says(&["runs", "tag", "3", "--remove", "extra", "--remove", "none"], "run 3: removed extra");
    says(&["runs", "rename", "2", "baseline"], "run 2 is baseline");
    says(
        &["runs", "rename", "4", "baseline"],
        "run 2 had this name already: baseline selects the newest, run 4",
    );
    says(&["runs", "rename", "run", "4", "--clear"], "run 4 has no name (before: baseline)");
    says(&["runs", "note", "baseline", "a first look"], "noted on run 2");
    let shown = workspace.succeed(&["runs", "show", "baseline"]);
    for part in ["2, baseline", "host=a=b, sweep=1", "  a first look"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    let noted = workspace.json(&["runs", "show", "2"]);
    assert_eq!(
        (&noted["notes"], &noted["dated_notes"][0]["text"]),
        (&Value::from("a first look"), &Value::from("a first look"))
    );

    let check = |arguments: &[&str], expected: &[i64]| {
        assert_eq!(listed(workspace, arguments), expected, "{arguments:?}");
    };
    check(&["--kind", "train"], &[4, 3]);
    check(&["--kind", "train", "--kind", "bench", "--state", "completed"], &[4, 3, 2]);
    check(&["--tag", "sweep"], &[3, 2]);
    check(&["--tag", "sweep=1", "--tag", "host"], &[2]);
    check(&["--since", "2d"], &[4, 3, 2, 1]);
    check(&["--until", "2d"], &[]);
    check(&["--name", "BASE"], &[2]);
    check(&["--target", "builtin"], &[4, 3, 2, 1]);
    check(&["--target", "no such model"], &[]);
    check(&["--adapter", "1"], &[4, 3]);
    check(&["--where", "rank=2"], &[4, 3]);
    check(&["--where", "tag:sweep>1", "--where", "kind=train"], &[3]);
    check(&["--where", "spec_base.tokens_per_second>0"], &[2, 1]);
    check(&["--where", "best_expected_acceptance>0%", "-l", "1"], &[4]);
    check(&["--sort", "run_id"], &[1, 2, 3, 4]);
    check(&["--sort", "kind:desc"], &[4, 3, 1, 2]);
    check(&["--best", "spec_base.speedup"], &[2]);
    let mut best = listed(workspace, &["--best", "train_loss"]);
    best.sort_unstable();
    assert_eq!(best, [3, 4]);
    let rows =
        workspace.json(&["runs", "list", "--columns", "run_id,setting:loss,tag:sweep", "--kind", "train"]);
    assert_eq!(keys(&rows[0]), ["run_id", "setting:loss", "tag:sweep"]);
    assert_eq!(
        (&rows[1]["setting:loss"], &rows[1]["tag:sweep"]),
        (&Value::from("forward_kl"), &Value::from("2"))
    );
    let differing = workspace.succeed(&["runs", "list", "--kind", "train", "--differs"]);
    assert!(!differing.contains("learning_rate") && differing.contains("Best ᾱ"), "{differing}");

    let empty =
        workspace.run(&["runs", "list", "--kind", "train", "--where", "num_steps>1000", "--format", "csv"]);
    assert!(empty.stdout.starts_with("run_id,") && empty.stdout.lines().count() == 1, "{}", empty.stdout);
    let expected = "of the 4 runs, --kind train fits 2, --where \"num_steps>1000\" fits none";
    assert!(empty.stderr.contains(expected), "{}", empty.stderr);
}

/// Deletes the runs, looks for them, and takes them back or away.
fn trash_and_gc(workspace: &Workspace) {
    let outcome = workspace.run(&["runs", "delete", "run", "2", "run", "4"]);
    assert!(
        outcome.stderr.contains("runs 2, 4 are in the trash (speclora runs restore 2 4"),
        "{}",
        outcome.stderr
    );
    assert_eq!(listed(workspace, &[]), [3, 1]);
    assert_eq!(listed(workspace, &["--deleted"]), [4, 2]);
    let refused = workspace.run(&["runs", "show", "2"]);
    assert!(refused.stderr.contains("run 2 is in the trash (speclora runs restore 2"), "{}", refused.stderr);
    workspace.succeed(&["runs", "restore", "2"]);
    assert_eq!(listed(workspace, &[]), [3, 2, 1]);
    workspace.succeed(&["runs", "delete", "2"]);

    let before: i64 = workspace.value("SELECT count(*) FROM generations");
    let copy = workspace.json(&["backup", "copy.db"]);
    let schema_version: i64 = workspace.value("SELECT user_version FROM pragma_user_version");
    assert_eq!((&copy[0]["num_runs"], &copy[0]["schema_version"]), (&Value::from(4), &schema_version.into()));
    let dry = workspace.json(&["runs", "gc"]);
    assert_eq!((&dry["run_ids"], &dry["is_applied"]), (&Value::from(vec![2]), &Value::from(false)));
    assert_eq!(dry["kept_runs"][0]["needed_by"][0]["alias"], "final");
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations"), before);
    let young = workspace.json(&["runs", "gc", "--older-than", "1d"]);
    assert_eq!(
        (&young["run_ids"], &young["num_too_young"]),
        (&Value::from(Vec::<i64>::new()), &Value::from(2))
    );

    let applied = workspace.run(&["runs", "gc", "--apply", "--vacuum"]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    assert!(applied.stderr.contains("run 4 stays in the trash: final is its adapter"), "{}", applied.stderr);
    assert!(applied.stderr.contains("deleted 1 run"), "{}", applied.stderr);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM generations"), before - 6);
    let gone = workspace.run(&["runs", "restore", "2"]);
    assert!(gone.stderr.contains("no run 2 in the trash"), "{}", gone.stderr);
    let statistics = workspace.json(&["stats", "--check"]);
    assert_eq!(
        (&statistics["problems"], &statistics["num_free_pages"]),
        (&Value::from(Vec::<i64>::new()), &Value::from(0))
    );
    workspace.succeed(&["runs", "list", "--db", "copy.db"]);
}

#[test]
fn what_cannot_be_asked_of_runs_is_refused_with_what_can() {
    let workspace = Workspace::new();
    let check = |arguments: &[&str], code: i32, parts: &[&str]| {
        let outcome = workspace.run(arguments);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (Some(code), ""),
            "{arguments:?}: {}",
            outcome.stderr
        );
        for part in parts {
            assert!(outcome.stderr.contains(part), "{arguments:?}: \"{part}\" is not in {}", outcome.stderr);
        }
    };
    check(
        &["runs", "list", "--kind", "none"],
        2,
        &["--kind", "bench, collect, train, evaluate", "got \"none\""],
    );
    check(&["runs", "list"], 1, &["no database"]);
    check(&["backup"], 1, &["no database"]);
    workspace.succeed(&["bench", "-p", "hello", "-m", "4", "--modes", "target_only"]);
    check(&["runs", "list", "--state", "done"], 2, &["--state", "running, completed", "crashed"]);
    check(&["runs", "list", "--since", "yesterday"], 2, &["--since", "2026-11-01", "7d"]);
    check(&["runs", "list", "--where", "threads"], 2, &["num_draft_tokens>=4", "got \"threads\""]);
    check(
        &["runs", "list", "--where", "thread=2"],
        1,
        &["no run has a value named thread", "did you mean threads"],
    );
    check(&["runs", "list", "--where", "duration>long"], 2, &["> takes a number, got \"long\""]);
    check(&["runs", "list", "--where", "duration~1"], 2, &["duration is a number"]);
    check(&["runs", "list", "--where", "x' OR 1=1 --=2"], 1, &["no run has a value named x' OR 1"]);
    check(&["runs", "list", "--best", "threads"], 2, &["neither high nor low values of it are better"]);
    check(&["runs", "list", "--best", "speedup", "--sort", "name"], 2, &["cannot be used with"]);
    check(&["runs", "list", "--columns", "name,name"], 2, &["--columns names name twice"]);
    check(&["runs", "list", "--adapter", "none"], 1, &["no adapter none"]);
    check(&["runs", "list", "-l", "0"], 2, &["--limit"]);
    check(&["runs", "tag", "1"], 2, &["name tags to set on run 1"]);
    check(&["runs", "tag", "1", "a"], 2, &["a tag is KEY=VALUE, got \"a\""]);
    check(&["runs", "tag", "1", "a=1", "--remove", "a"], 2, &["given and removed at once"]);
    check(&["runs", "tag", "9", "a=1"], 1, &["no run 9 (the newest is 1"]);
    check(&["runs", "note", "1", " "], 2, &["a note has at least one word"]);
    check(&["runs", "note", "1"], 2, &["RUN"]);
    check(&["runs", "rename", "1"], 2, &["name the run and its new name"]);
    check(&["runs", "rename", "1", "12"], 2, &["\"12\": a number selects a run by its id"]);
    check(&["runs", "delete"], 2, &["RUN"]);
    check(&["runs", "delete", "1", "9"], 1, &["no run 9"]);
    assert_eq!(listed(&workspace, &[]), [1], "all or none are deleted");
    check(&["runs", "restore", "1"], 1, &["no run 1 in the trash (speclora runs list --deleted)"]);
    check(&["runs", "gc", "--vacuum"], 2, &["--apply"]);
    check(&["runs", "gc", "--older-than", "long"], 2, &["--older-than", "30d"]);
    check(&["backup", "-"], 2, &["backup writes a file"]);
    check(&["backup", "prompts.txt"], 1, &["prompts.txt already exists"]);
    check(&["backup", "speclora.db"], 1, &["speclora.db already exists"]);
    check(&["backup", "none/copy.db"], 1, &["no folder none"]);
    check(&["runs", "show", "1", "--format", "csv"], 2, &["runs show writes table, md or json"]);
}

#[cfg(unix)]
#[test]
fn run_at_work_can_be_labelled_and_not_deleted() {
    let workspace = Workspace::new();
    let mut child = workspace.spawn(&["bench", "-f", "builtin:bench", "-m", "64", "-n", "50", "--skip-lora"]);
    while !workspace.path("speclora.db").exists() || workspace.run(&["runs", "show", "1"]).code != Some(0) {
        assert!(child.try_wait().unwrap().is_none(), "the bench has ended");
    }
    workspace.succeed(&["runs", "tag", "1", "a=1"]);
    workspace.succeed(&["runs", "note", "1", "still going"]);
    workspace.succeed(&["backup", "copy.db"]);
    let refused = workspace.run(&["runs", "delete", "1"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("run 1 is still running in process"), "{}", refused.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    workspace.succeed(&["runs", "delete", "1"]);
    assert_eq!(workspace.json(&["runs", "list", "--deleted"])[0]["state"], "crashed");
    let copied: i64 = rusqlite::Connection::open(workspace.path("copy.db"))
        .unwrap()
        .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(copied, 1);
}
