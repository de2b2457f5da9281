//! `speclora train` from examples to an adapter: what is stored, going on after any end, and what is refused.

use std::process::{Child, Command};

use rusqlite::Connection;

use crate::program::{Workspace, model};

/// A folder in which the built-in pair has answered some prompts: 24 examples.
fn collected() -> Workspace {
    let workspace = Workspace::new();
    // Prompts of the tests' own, so that other examples change no count here.
    workspace.write("train.txt", include_str!("../fixtures/code_and_maths.txt"));
    workspace.succeed(&["collect", "-f", "train.txt", "-l", "24", "-m", "48"]);
    workspace
}

/// Another folder with the same database, as it is now.
fn copy_of(workspace: &Workspace) -> Workspace {
    let copy = Workspace::new();
    copy.write("speclora.db", std::fs::read(workspace.path("speclora.db")).unwrap());
    copy
}

/// Arguments of a short run, and more.
fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--rank", "4", "--epochs", "1", "--batch-size", "4", "--eval-every", "3"], more].concat()
}

/// Rows as text, one a row.
fn rows(database: &Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let width = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        let cells = (0..width).map(|index| Ok(format!("{:?}", row.get_ref(index)?)));
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
    };
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

/// Everything that a run computed: steps with what they learned from, evaluations, and the weights of its checkpoints.
fn computed(workspace: &Workspace, run: i64) -> Vec<Vec<String>> {
    let statements = [
        "SELECT step, epoch, loss, gradient_norm, learning_rate, num_positions, num_tokens FROM train_steps
        WHERE run_id = RUN ORDER BY step",
        "SELECT step, example_id FROM train_step_examples WHERE run_id = RUN ORDER BY step, example_id",
        "SELECT step, example_id, num_positions, expected_acceptance, num_agreements, loss, num_rounds, num_drafted,
            num_accepted, num_emitted
        FROM example_evaluations WHERE run_id = RUN ORDER BY step, example_id",
        "SELECT tc.step, b.sha256
        FROM train_checkpoints AS tc
        JOIN checkpoints AS c ON c.id = tc.checkpoint_id
        JOIN blobs AS b ON b.id = c.adapter_blob_id
        WHERE tc.run_id = RUN ORDER BY tc.step",
        "SELECT example_id, purpose FROM run_examples WHERE run_id = RUN ORDER BY example_id",
    ];
    let database = workspace.database();
    statements.map(|sql| rows(&database, &sql.replace("RUN", &run.to_string()))).to_vec()
}

/// Runs a command that must fail with this code and a message that has all these parts.
#[track_caller]
fn check(workspace: &Workspace, arguments: &[&str], code: i32, parts: &[&str]) {
    let outcome = workspace.run(arguments);
    assert_eq!(outcome.code, Some(code), "{arguments:?}: {}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "{arguments:?}");
    for part in parts {
        assert!(outcome.stderr.contains(part), "{arguments:?}: \"{part}\" is not in {}", outcome.stderr);
    }
}

#[test]
fn everything_that_training_does_is_a_row() {
    let workspace = collected();
    let outcome = workspace.run(&train(&["--warmup-ratio", "0.4"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("5 steps, 19 examples to learn, 1 to replay, 4 held out"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stdout.contains("Expected acceptance") && outcome.stdout.contains("final, latest"));
    assert_eq!(
        workspace.value::<String>("SELECT kind || ' ' || status FROM runs WHERE id = 2"),
        "train completed"
    );

    let keys = "SELECT group_concat(key, ' ' ORDER BY key) FROM run_settings WHERE run_id = 2";
    let expected = "acceptance_threshold alpha batch_size db draft draft_quant dropout epochs eval_every \
        gradient_accumulation gradient_checkpointing holdout learning_rate loss max_gradient_norm models \
        num_draft_tokens patience rank rejected_weight replay_ratio seed simd skip_shared_prompt target target_modules threads \
        warmup_ratio weight_decay";
    assert_eq!(workspace.value::<String>(keys), expected);

    // The prompt's hash alone decides which side a prompt is on.
    let sides = "SELECT count(*) FROM run_examples AS x JOIN examples AS e ON e.id = x.example_id
        WHERE (x.purpose = 'held_out') <> (e.split_key < 0.2)";
    assert_eq!(workspace.value::<i64>(sides), 0);
    let held_out_and_learned =
        "SELECT count(*) FROM train_step_examples JOIN run_examples USING (run_id, example_id)
        WHERE purpose = 'held_out'";
    assert_eq!(workspace.value::<i64>(held_out_and_learned), 0);
    let not_learned = "SELECT count(*) FROM run_examples AS x
        WHERE purpose = 'train' AND (
            SELECT count(*) FROM train_step_examples AS t WHERE t.run_id = x.run_id AND t.example_id = x.example_id
        ) <> 1";
    assert_eq!(workspace.value::<i64>(not_learned), 0, "an epoch has each example once");
    let judged = "SELECT count(*) FROM example_evaluations JOIN run_examples USING (run_id, example_id)
        WHERE purpose <> 'held_out' OR step NOT IN (0, 3, 5)";
    assert_eq!(workspace.value::<i64>(judged), 0);
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM example_evaluations"), 3 * 4);

    let rates = "SELECT group_concat(round(learning_rate * 1e4, 3), ' ' ORDER BY step) FROM train_steps
        WHERE loss BETWEEN 0 AND 10 AND gradient_norm > 0 AND num_tokens > num_positions";
    assert_eq!(workspace.value::<String>(rates), "5.0 10.0 10.0 7.5 2.5", "up over two steps, then down");
    let checkpoints =
        "SELECT group_concat(step || ':' || checkpoint_id || iif(state_blob_id IS NULL, '', '+'), ' ')
        FROM train_checkpoints";
    assert_eq!(workspace.value::<String>(checkpoints), "3:1 5:2+", "the newest alone has a state");
    let shape = "SELECT group_concat(DISTINCT rank || ' ' || alpha || ' ' || json_array_length(target_modules)) FROM checkpoints";
    assert_eq!(workspace.value::<String>(shape), "4 8.0 7");
    let aliases = "SELECT group_concat(name || ' ' || checkpoint_id, ', ' ORDER BY name) FROM aliases";
    assert_eq!(
        workspace.value::<String>(aliases),
        "final 2, latest 2",
        "four held-out examples are too few for best"
    );
    assert!(outcome.stderr.contains("4 held-out examples are too few to tell"), "{}", outcome.stderr);

    // The same seed does the same, on any number of threads; another does not.
    workspace.succeed(&train(&["--warmup-ratio", "0.4", "--threads", "1"]));
    assert_eq!(computed(&workspace, 2), computed(&workspace, 3));
    workspace.succeed(&train(&["--warmup-ratio", "0.4", "--seed", "1"]));
    let (first, other) = (computed(&workspace, 2), computed(&workspace, 4));
    assert_ne!(first[0], other[0]);
    assert_eq!(first[4], other[4], "sides do not hang on the seed");
}

#[test]
fn a_trained_adapter_changes_speed_alone_and_its_prompts_are_known_again() {
    let workspace = collected();
    let bench = |prompts: &'static str, more: &[&'static str]| {
        workspace.run(&[&["bench", "-f", prompts, "-l", "24", "-m", "16", "--warmup", "0"], more].concat())
    };
    assert_eq!(bench("train.txt", &["--skip-lora"]).code, Some(0));
    workspace.succeed(&train(&["--learning-rate", "0.01"]));
    let seen = bench("train.txt", &["--adapter", "final"]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert!(seen.stdout.contains("24 of 24 prompts"), "{}", seen.stdout);
    let warning = "warning: 20 of 24 prompts were trained on by this adapter";
    assert!(seen.stderr.contains(warning), "{}", seen.stderr);
    let changed = "SELECT count(*) FROM generations AS a JOIN generations AS b USING (prompt_index, mode, iteration)
        WHERE a.run_id = 2 AND b.run_id = 4 AND mode = 'MODE'
            AND (a.output_tokens, a.num_drafted, a.num_accepted) IS NOT (b.output_tokens, b.num_drafted, b.num_accepted)";
    assert_eq!(
        workspace.value::<i64>(&changed.replace("MODE", "spec_base")),
        0,
        "the base draft is as it was"
    );
    let adapted = "SELECT count(*) FROM generations AS a JOIN generations AS b USING (run_id, prompt_index, iteration)
        WHERE run_id = 4 AND a.mode = 'spec_base' AND b.mode = 'spec_lora' AND a.num_accepted <> b.num_accepted";
    assert!(workspace.value::<i64>(adapted) > 0, "the adapter is at work");
    assert_eq!(
        workspace
            .value::<i64>("SELECT num_lossless FROM mode_metrics WHERE run_id = 4 AND mode = 'spec_lora'"),
        24
    );

    let leaked = |run: i64| -> Vec<(String, i64)> {
        let database = workspace.database();
        let mut statement = database.prepare(include_str!("../../queries/leakage.sql")).unwrap();
        let found =
            statement.query_map([run], |row| Ok((row.get("purpose")?, row.get("num_steps")?))).unwrap();
        found.map(Result::unwrap).collect()
    };
    let count = |purpose: &str| leaked(4).iter().filter(|(found, _)| found == purpose).count();
    assert_eq!([count("trained"), count("held_out")], [20, 4]);
    let unseen = bench("builtin:general", &["--adapter", "final", "--modes", "spec_lora"]);
    assert_eq!(unseen.code, Some(0), "{}", unseen.stderr);
    assert!(!unseen.stderr.contains("trained on"), "{}", unseen.stderr);
    assert_eq!(leaked(5), []);
}

/// A run that is to be broken off: long enough to be met at work, with all that a step's outcome hangs on.
const LONG: [&str; 17] = [
    "train",
    "--acceptance-threshold",
    "1",
    "--batch-size",
    "4",
    "--rank",
    "4",
    "--epochs",
    "8",
    "--eval-every",
    "7",
    "--dropout",
    "0.1",
    "--loss",
    "lk_hybrid",
    "--gradient-accumulation",
    "1",
];

/// Waits until a run in another process has done more steps than `floor`.
fn wait_for_steps(workspace: &Workspace, child: &mut Child, floor: i64) {
    loop {
        let count = Connection::open(workspace.path("speclora.db")).and_then(|database| {
            database.query_row("SELECT count(*) FROM train_steps", [], |row| row.get::<_, i64>(0))
        });
        if count.is_ok_and(|count| count > floor) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before it had done {floor} steps");
        std::thread::yield_now();
    }
}

#[test]
fn a_run_that_was_killed_or_interrupted_ends_as_one_that_was_not() {
    let whole = collected();
    let [killed, interrupted] = [copy_of(&whole), copy_of(&whole)];
    whole.succeed(&LONG);
    let expected = computed(&whole, 2);
    assert_eq!(expected[0].len(), 40);

    let mut child = killed.spawn(&LONG);
    wait_for_steps(&killed, &mut child, 9);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(killed.json(&["runs", "list"])[0]["state"], "crashed");
    let before: i64 = killed.value("SELECT max(step) FROM train_steps");
    assert!((10..40).contains(&before), "{before}");
    let resumed = killed.run(&["train", "--resume", "2"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("of them done"), "{}", resumed.stderr);
    assert_eq!(computed(&killed, 2), expected);
    assert_eq!(
        killed.value::<i64>("SELECT count(*) FROM train_checkpoints WHERE state_blob_id IS NOT NULL"),
        1
    );

    #[cfg(unix)]
    check_interrupted(interrupted, &expected);
    #[cfg(not(unix))]
    drop(interrupted);
}

#[cfg(unix)]
fn check_interrupted(mut workspace: Workspace, expected: &[Vec<String>]) {
    use std::process::Stdio;

    let mut command = workspace.command(&LONG);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Long before the first evaluation.
    wait_for_steps(&workspace, &mut child, 0);
    crate::program::send(libc::SIGINT, &child);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let step: i64 = workspace.value("SELECT max(step) FROM train_steps");
    let words = format!("interrupted after step {step}: speclora train --resume 2 goes on from there");
    assert!(stderr.contains(&words), "{stderr}");
    assert_eq!(workspace.value::<i64>("SELECT max(step) FROM train_checkpoints"), step);
    assert_eq!(workspace.json(&["runs", "show", "2"])["state"], "interrupted");
    assert_eq!(workspace.value::<i64>("SELECT count(*) FROM aliases WHERE name <> 'latest'"), 0);
    workspace.set("SPECLORA_SEED", "9");
    let resumed = workspace.run(&["train", "--resume", "2"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("ignored: seed (SPECLORA_SEED)"), "{}", resumed.stderr);
    assert!(resumed.stderr.contains(&format!("40 steps, {step} of them done")), "{}", resumed.stderr);
    // But for the checkpoint that the interruption left, all is as if there had been none.
    let mut found = computed(&workspace, 2);
    let is_scheduled = |row: &String| expected[3].contains(row);
    assert_eq!(
        found[3].iter().filter(|row| !is_scheduled(row)).count(),
        usize::from(step % 7 != 0 && step != 40)
    );
    found[3].retain(is_scheduled);
    assert_eq!(found, expected);
}

#[test]
fn a_run_goes_on_from_a_checkpoint_with_its_shape_and_what_it_knows() {
    let workspace = collected();
    let modules = "q_proj,down_proj";
    workspace.succeed(&[
        "train",
        "--rank",
        "3",
        "--alpha",
        "5",
        "--target-modules",
        modules,
        "--epochs",
        "1",
        "--batch-size",
        "4",
    ]);
    workspace.succeed(&["adapters", "alias", "best", "1"]);
    workspace.succeed(&["collect", "-f", "train.txt", "-l", "40", "-m", "48"]);
    let outcome = workspace.run(&["train", "--from", "best", "--epochs", "1"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);

    let settings =
        "SELECT group_concat(key || '=' || value || ' ' || source, '; ' ORDER BY key) FROM run_settings
        WHERE run_id = 4 AND key IN ('rank', 'alpha', 'target_modules')";
    let expected = r#"alpha=5.0 --from; rank=3 --from; target_modules=["q_proj","down_proj"] --from"#;
    assert_eq!(workspace.value::<String>(settings), expected);
    let shapes = "SELECT count(DISTINCT rank || ' ' || alpha || ' ' || target_modules) FROM checkpoints";
    assert_eq!(workspace.value::<i64>(shapes), 1);
    // What the parent had learned by then is replayed, however badly it was matched.
    let learned_again = "SELECT count(*) FROM run_examples AS x
        JOIN train_step_examples AS t ON t.run_id = 2 AND t.step = 1 AND t.example_id = x.example_id
        WHERE x.run_id = 4 AND x.purpose <> 'replay'";
    assert_eq!(workspace.value::<i64>(learned_again), 0);
    let learned_first: i64 =
        workspace.value("SELECT count(*) FROM train_step_examples WHERE run_id = 2 AND step = 1");
    assert_eq!(learned_first, 4);
    let lineage = "SELECT group_concat(ancestor_id || ' of run ' || run_id || ' step ' || step, ', ' ORDER BY depth)
        FROM checkpoint_lineage WHERE checkpoint_id = (SELECT checkpoint_id FROM aliases WHERE name = 'final')";
    let last: i64 = workspace.value("SELECT checkpoint_id FROM aliases WHERE name = 'final'");
    let step: i64 = workspace.value("SELECT max(step) FROM train_steps WHERE run_id = 4");
    assert_eq!(workspace.value::<String>(lineage), format!("{last} of run 4 step {step}, 1 of run 2 step 1"));
    let shown = workspace.succeed(&["runs", "show", "4"]);
    assert!(shown.contains("From") && shown.contains("checkpoint 1, run 2, step 1"), "{shown}");

    // The examples of one run alone; by id; and where nothing is new, everything is learned again.
    let outcome = workspace.run(&[
        "train",
        "--from",
        "1",
        "--epochs",
        "1",
        "--collected",
        "1",
        "--acceptance-threshold",
        "0",
    ]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("20 examples to learn, 0 to replay, 4 held out"), "{}", outcome.stderr);
}

#[test]
fn a_system_prompt_that_is_learned_need_not_be_read() {
    let mut workspace = Workspace::new();
    workspace.write("train.txt", include_str!("../fixtures/code_and_maths.txt"));
    let system = "You answer in one short sentence, and never with a list.";
    workspace.succeed(&["collect", "-f", "train.txt", "-l", "12", "-m", "24", "--system", system]);
    let outcome = workspace.run(&train(&["--skip-shared-prompt", "--holdout", "0"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let said = "the adapted draft is not to read what most prompts begin with";
    assert!(
        outcome.stderr.contains(said) && outcome.stderr.contains("answer in one short"),
        "{}",
        outcome.stderr
    );

    // The adapter knows what it skips: what all prompts begin with, and their messages not.
    let skipped = |adapter: &str| -> Vec<u32> {
        let shown = workspace.json(&["adapters", "show", adapter]);
        serde_json::from_value(shown["skipped_prompt"].clone()).unwrap()
    };
    let of_latest = skipped("latest");
    let prompts = "SELECT prompt_tokens FROM examples";
    let database = workspace.database();
    let mut statement = database.prepare(prompts).unwrap();
    let prompts: Vec<Vec<u8>> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let bytes: Vec<u8> = of_latest.iter().flat_map(|token| token.to_le_bytes()).collect();
    assert!(of_latest.len() > 8);
    assert!(prompts.iter().all(|prompt| prompt.starts_with(&bytes) && prompt.len() > bytes.len() + 4 * 4));

    // It goes with the adapter: out and in again, and on in training.
    workspace.succeed(&["adapters", "export", "latest", "--peft", "out"]);
    workspace.succeed(&["adapters", "import", "out", "--alias", "again"]);
    assert_eq!(skipped("again"), of_latest);
    workspace.succeed(&["train", "--from", "latest", "--epochs", "1", "--holdout", "0"]);
    assert_eq!(skipped("latest"), of_latest);
    let setting = "SELECT value || ' ' || origin || ' ' || source FROM run_settings
        WHERE run_id = 3 AND key = 'skip_shared_prompt'";
    assert_eq!(workspace.value::<String>(setting), "true flag --from");

    // Output stays the target's, with the system prompt and without.
    for more in [&["--system", system][..], &[]] {
        let bench = ["bench", "-f", "train.txt", "-l", "3", "-m", "24", "--adapter", "latest"];
        let outcome = workspace.run(&[&bench, more].concat());
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert!(outcome.stdout.contains("Lossless: 3 of 3 prompts: spec_lora"), "{}", outcome.stdout);
    }

    // Where nothing is shared, nothing is skipped, and a warning says so.
    workspace = collected();
    let outcome = workspace.run(&train(&["--skip-shared-prompt"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no part of a chat is shared by most prompts"), "{}", outcome.stderr);
    // An adapter that reads everything goes on doing so, whatever a file says.
    workspace.write("speclora.toml", "skip_shared_prompt = true\n");
    workspace.succeed(&["train", "--from", "latest", "--epochs", "1"]);
    assert_eq!(workspace.value::<String>(setting), "false flag --from");
    assert_eq!(workspace.json(&["adapters", "show", "latest"])["skipped_prompt"], serde_json::json!([]));
}

#[test]
fn best_moves_where_that_is_shown_and_stays_where_it_is_not() {
    let workspace = collected();
    workspace.succeed(&train(&["--learning-rate", "1", "--holdout", "0.5"]));
    workspace.succeed(&["adapters", "alias", "best", "final"]);
    let spoilt: i64 = workspace.value("SELECT checkpoint_id FROM aliases WHERE name = 'best'");
    let better = workspace.run(&train(&["--holdout", "0.5"]));
    assert_eq!(better.code, Some(0), "{}", better.stderr);
    let best: i64 = workspace.value("SELECT checkpoint_id FROM aliases WHERE name = 'best'");
    let told = format!("best is now checkpoint {best} ");
    assert!(best != spoilt && better.stderr.contains(&told), "{}", better.stderr);
    assert!(
        better.stderr.contains(&format!("over the best so far, checkpoint {spoilt} ")),
        "{}",
        better.stderr
    );
    let again = workspace.run(&train(&["--holdout", "0.5"]));
    let told = format!("note: best stays checkpoint {best}: this run came to the same adapter");
    assert!(again.stderr.contains(&told), "{}", again.stderr);
    let impatient = ["--holdout", "0.5", "--learning-rate", "0.05", "--patience", "1"];
    let long = ["train", "--rank", "4", "--epochs", "4", "--batch-size", "4", "--eval-every", "3"];
    let worse = workspace.run(&[&long[..], &impatient].concat());
    assert_eq!(worse.code, Some(0), "{}", worse.stderr);
    assert!(worse.stderr.contains("stopped early after step 3"), "{}", worse.stderr);
    assert!(worse.stderr.contains("note: best stays as it is, since checkpoint "), "{}", worse.stderr);
    assert_eq!(workspace.value::<i64>("SELECT checkpoint_id FROM aliases WHERE name = 'best'"), best);
    let without = workspace.run(&train(&["--holdout", "0"]));
    assert_eq!(without.code, Some(0), "{}", without.stderr);
    assert!(without.stderr.contains("without held-out examples best stays as it is"), "{}", without.stderr);
    let checkpoint: i64 = workspace.value("SELECT checkpoint_id FROM aliases WHERE name = 'final'");
    let listed = without.stdout.lines().last().unwrap();
    assert!(
        listed.contains(&checkpoint.to_string()) && listed.contains("final, latest"),
        "{}",
        without.stdout
    );
}

#[test]
fn what_cannot_be_meant_is_refused_before_a_run_begins() {
    let workspace = Workspace::new();
    check(&workspace, &["train"], 1, &["no database", "speclora collect create one"]);
    let (target, draft) = (model("llama-untied"), model("llama-tied"));
    let bench = ["bench", "--target", &target, "--modes", "target_only", "-p", "hello", "-m", "2"];
    workspace.succeed(&bench);
    check(
        &workspace,
        &["train"],
        1,
        &["there are no examples of this target", "speclora collect makes them"],
    );
    let pair = ["--target", &target, "--draft", &draft];
    workspace.succeed(&[&["collect", "-f", "prompts.txt", "-m", "24"][..], &pair].concat());
    check(&workspace, &["train"], 1, &["there are no examples of this target to learn from"]);

    let begun = || workspace.value::<i64>("SELECT count(*) FROM runs");
    assert_eq!(begun(), 2);
    let train = |more: &[&'static str]| [&["train"][..], &pair, more].concat();
    for (more, parts) in [
        (&["--rank", "0"][..], &["--rank", "between 1 and 1024, got 0"][..]),
        (&["--alpha", "0"], &["--alpha", "got 0"]),
        (&["--epochs", "0"], &["--epochs", "between 1 and 1000, got 0"]),
        (&["--batch-size", "0"], &["--batch-size", "got 0"]),
        (&["--gradient-accumulation", "-1"], &["--gradient-accumulation", "got -1"]),
        (&["--learning-rate", "2"], &["--learning-rate", "between 0 and 1, got 2"]),
        (&["--max-gradient-norm", "0"], &["--max-gradient-norm", "got 0"]),
        (&["--eval-every", "0"], &["--eval-every", "got 0"]),
        (&["--target-modules", "q_proj,lm_head"], &["--target-modules", "q_proj, k_proj", "lm_head"]),
        (&["--loss", "kl"], &["--loss", "ce, forward_kl, reverse_kl", "got \"kl\""]),
        (&["--holdout", "1"], &["--holdout", "between 0 and 0.9, got 1"]),
        (&["--replay-ratio", "1"], &["--replay-ratio", "between 0 and 0.95, got 1"]),
        (&["--from", "best", "--rank", "4"], &["--from", "--rank", "cannot be used with"]),
        (&["--name", "7"], &["--name"]),
        (&["--tag", "a=1", "--tag", "a=2"], &["--tag a is given twice"]),
        (&["--resume", "2", "--seed", "1"], &["--resume takes examples and settings from the run"]),
        (&["--resume", "2", "--from", "best"], &["--resume takes examples and settings from the run"]),
        (&["--resume", "2", "--collected", "2"], &["--resume takes examples and settings from the run"]),
    ] {
        check(&workspace, &train(more), 2, parts);
    }
    check(
        &workspace,
        &train(&["--collected", "1"]),
        1,
        &["no examples of this target in these runs", "collect"],
    );
    check(&workspace, &train(&["--collected", "9"]), 1, &["no run 9", "runs list"]);
    check(&workspace, &train(&["--from", "nosuch"]), 1, &["no adapter nosuch", "speclora adapters list"]);
    check(&workspace, &train(&["--from", "9"]), 1, &["no checkpoint 9 (speclora adapters list)"]);
    check(&workspace, &["train", "--resume", "9"], 1, &["no run 9"]);
    let bench_run = ["run 1 is one of speclora bench (speclora bench --resume 1 goes on)"];
    check(&workspace, &["train", "--resume", "1"], 1, &bench_run);
    workspace.database().execute("UPDATE examples SET split_key = 0.0", []).unwrap();
    check(
        &workspace,
        &train(&[]),
        1,
        &["all 4 examples are of prompts that are held out", "lower --holdout"],
    );
    assert_eq!(begun(), 2, "nothing was begun");

    workspace.succeed(&train(&["--rank", "2", "--epochs", "1", "--holdout", "0"]));
    check(&workspace, &["train", "--resume", "3"], 1, &["run 3 is complete, nothing is left to resume"]);
    let other = |draft: &str, more: &[&str]| -> (Option<i32>, String) {
        let base = [
            "train",
            "--target",
            &target,
            "--draft",
            draft,
            "--from",
            "final",
            "--epochs",
            "1",
            "--holdout",
            "0",
        ];
        let outcome = workspace.run(&[&base, more].concat());
        (outcome.code, outcome.stderr)
    };
    let (code, message) = other(&model("llama-f16"), &[]);
    assert!(
        code == Some(1) && message.contains("adapter 1 is for another draft") && message.contains("--force"),
        "{message}"
    );
    let (code, message) = other(&model("qwen3-tied"), &["--force"]);
    assert!(code == Some(1) && message.contains("has shape"), "{message}");
    assert_eq!(begun(), 3);
    let (code, message) = other(&model("llama-f16"), &["--force"]);
    assert!(code == Some(0) && message.contains("warning: adapter 1 is for another draft"), "{message}");
}

#[test]
fn a_run_that_breaks_says_at_which_step_and_keeps_what_was_before() {
    let workspace = collected();
    workspace.succeed(&train(&[]));
    workspace.succeed(&["adapters", "alias", "best", "1"]);
    // Weights that grow ninefold with each step, until they are no numbers.
    let spoil = ["--learning-rate", "1", "--weight-decay", "10", "--warmup-ratio", "0"];
    let arguments =
        [&["train", "--rank", "4", "--epochs", "20", "--batch-size", "4", "--eval-every", "5"][..], &spoil]
            .concat();
    let outcome = workspace.run(&arguments);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let step: i64 = workspace.value("SELECT max(step) FROM train_steps WHERE run_id = 3");
    let broke: String = workspace.value(&format!(
        "SELECT nonfinite FROM train_steps WHERE run_id = 3 AND step = {step} AND loss IS NULL"
    ));
    assert_eq!(broke, "nan");
    let message = format!("the loss of step {step} is NaN: training broke");
    assert!(outcome.stderr.contains(&format!("error: run 3: {message}")), "{}", outcome.stderr);
    let stored: String = workspace.value("SELECT status || ' ' || error FROM runs WHERE id = 3");
    assert!(stored.starts_with(&format!("failed {message}")), "{stored}");
    let last = step - 1 - (step - 1) % 5;
    assert_eq!(workspace.value::<i64>("SELECT max(step) FROM train_checkpoints WHERE run_id = 3"), last);
    let aliases = "SELECT group_concat(name || ' ' || checkpoint_id, ', ' ORDER BY name) FROM aliases WHERE name <> 'latest'";
    assert_eq!(workspace.value::<String>(aliases), "best 1, final 2");
    assert!(workspace.succeed(&["runs", "show", "3"]).contains("failed: the loss of step"));
    // It goes on from what was sound, and breaks again.
    let again = workspace.run(&["train", "--resume", "3"]);
    assert!(again.code == Some(1) && again.stderr.contains(&message), "{}", again.stderr);
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_ends_a_run_with_a_word_and_it_goes_on_when_there_is_some() {
    let whole = collected();
    let workspace = copy_of(&whole);
    let arguments = ["train", "--rank", "16", "--epochs", "4", "--eval-every", "2"];
    whole.succeed(&arguments);

    // No file may grow beyond so many blocks of 512 bytes: some of the run has room, all of it has not.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 8000; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_speclora")]);
    let output = workspace.output_in_folder(shell.args(arguments));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for part in
        ["run 2 is not complete (speclora train --resume 2 goes on)", "did not read or write", "speclora.db"]
    {
        assert!(stderr.contains(part), "\"{part}\" is not in {stderr}");
    }
    let acknowledged = computed(&workspace, 2);
    let steps = acknowledged[0].len();
    assert!((1..20).contains(&steps) && !acknowledged[3].is_empty(), "{steps} steps: {stderr}");
    let expected = computed(&whole, 2);
    for (found, all) in acknowledged.iter().zip(&expected) {
        assert_eq!(found[..], all[..found.len()]);
    }
    assert_eq!(workspace.value::<String>("PRAGMA integrity_check"), "ok");
    workspace.succeed(&["train", "--resume", "2"]);
    assert_eq!(computed(&workspace, 2), expected);
}
