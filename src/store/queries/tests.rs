use super::*;
use crate::record::{CheckpointId, ExampleId, NewRun, Purpose, RunId};
use crate::store::sample;

/// Answers a statement that is no query of ours.
fn answer(store: &Store, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = store.connection.prepare(sql).unwrap();
    let num_columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..num_columns).map(|i| Ok(row.get_ref(i)?.into())).collect());
    rows.unwrap().map(|row| row.unwrap()).collect()
}

/// The values that a query needs, for a run.
fn parameters(query: &Query, run: RunId) -> Vec<(&'static str, Value)> {
    let all = [
        (":run_id", run.into()),
        (":limit", Value::Integer(-1)),
        (":checkpoint_id", Value::Integer(3)),
        (":acceptance_threshold", Value::Real(0.5)),
        (":confidence", Value::Real(0.5)),
    ];
    all.into_iter().filter(|(name, _)| query.sql.contains(name)).collect()
}

/// A database with benches, and then a run of each other kind.
fn filled() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    sample::fill(&mut store);
    sample::fill_training(&mut store);
    store.add_note(RunId(1), "a note").unwrap();
    (folder, store)
}

#[test]
fn query_says_what_it_answers_and_reads_alone() {
    let (_folder, store) = filled();
    let runs: Vec<i64> = sample::column(&store, "SELECT id FROM runs ORDER BY id");
    for query in Query::ALL {
        let statement = store.connection.prepare(query.sql).unwrap();
        assert!(statement.readonly(), "{}", query.name);
        let question = query.sql.lines().next().unwrap();
        assert!(question.starts_with("-- ") && question.ends_with('?'), "{}: {question}", query.name);
        let header: String = query.sql.lines().take_while(|line| line.starts_with("--")).collect();
        for index in 1..=statement.parameter_count() {
            let name = statement.parameter_name(index).unwrap();
            assert!(header.contains(&format!("-- {name} ")), "{} does not explain {name}", query.name);
        }
        let answers =
            runs.iter().map(|&run| store.query(query.name, &parameters(query, RunId(run))).unwrap());
        let rows = answers.into_iter().find(|rows| !rows.rows.is_empty());
        let rows = rows.unwrap_or_else(|| panic!("{} finds nothing", query.name));
        let mut columns = rows.columns.clone();
        columns.sort();
        columns.dedup();
        assert_eq!(columns.len(), rows.columns.len(), "{} has columns of one name", query.name);
    }
}

#[test]
fn queries_of_the_folder_are_all_known() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/queries");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, Query::ALL.iter().map(|query| query.name).collect::<Vec<_>>());
}

/// The columns of a table or view.
fn columns(store: &Store, name: &str) -> Vec<String> {
    sample::column(store, &format!("SELECT name FROM pragma_table_info('{name}')"))
}

#[test]
fn query_says_of_each_run_what_the_view_says() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    for name in ["mode_metrics", "prompt_metrics", "acceptance_by_position"] {
        let columns = columns(&store, name);
        for run in 1..=3 {
            let answered = store.query(name, &[(":run_id", run.into())]).unwrap();
            let values =
                |row| columns.iter().map(|column| answered.get(row, column).unwrap().clone()).collect();
            let mut of_query: Vec<Vec<Value>> = (0..answered.rows.len()).map(values).collect();
            let mut of_view = answer(&store, &format!("SELECT * FROM {name} WHERE run_id = {run}"));
            // The view has no order.
            of_query.sort_by_key(|row| format!("{row:?}"));
            of_view.sort_by_key(|row| format!("{row:?}"));
            assert!(!of_view.is_empty());
            assert_eq!(of_query, of_view, "{name} of run {run}");
        }
    }
}

#[test]
fn summaries_of_runs_that_ended_are_what_the_view_says() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    assert_eq!(columns(&store, "mode_summaries"), columns(&store, "mode_metrics"));
    let summaries = answer(&store, "SELECT * FROM mode_summaries ORDER BY run_id, mode");
    assert_eq!(summaries.len(), 8);
    let ended = "SELECT id FROM runs WHERE status <> 'running'";
    let sql = format!("SELECT * FROM mode_metrics WHERE run_id IN ({ended}) ORDER BY run_id, mode");
    assert_eq!(summaries, answer(&store, &sql));
}

#[test]
fn made_up_rows_hold_what_is_hard() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    for hard in [
        "generations WHERE is_warmup = 1",
        "prompt_metrics WHERE num_iterations = 0",
        "prompt_metrics WHERE num_iterations > 0 AND num_failed > 0",
        "prompt_metrics WHERE num_iterations > 0 AND time_per_output_token IS NULL",
        "mode_metrics WHERE num_failed > 0 AND num_prompts < 5",
        "mode_metrics WHERE num_lossless < num_compared",
        "mode_metrics WHERE mode = 'spec_base' AND num_compared = 0",
    ] {
        assert!(sample::count(&store, hard) > 0, "{hard}");
    }
}

#[test]
fn query_about_one_run_reads_no_other() {
    let (_folder, store) = filled();
    // The names by which the statements and views call the tables that grow.
    let large = "generations g target rounds r disagreements d examples e run_examples re train_steps ts \
        train_step_examples tse example_evaluations ee prompt_evaluations pe tc";
    let large: Vec<&str> = large.split_whitespace().collect();
    let mut scans = vec![];
    for query in Query::ALL.iter().filter(|query| query.name != "checkpoints") {
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        for (name, value) in parameters(query, RunId(1)) {
            let index = statement.parameter_index(name).unwrap().unwrap();
            statement.raw_bind_parameter(index, value).unwrap();
        }
        let mut plan = statement.raw_query();
        while let Some(step) = plan.next().unwrap() {
            let step: String = step.get("detail").unwrap();
            let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            if scanned.is_some_and(|name| large.contains(&name)) {
                scans.push(format!("{}: {step}", query.name));
            }
        }
    }
    assert_eq!(
        scans,
        ["runs_by_state: SCAN r", "runs_list: SCAN r"],
        "lists of runs read runs, and nothing else reads all of anything"
    );
}

#[test]
fn parameter_that_is_missing_or_unknown_is_an_error() {
    let (_folder, store) = sample::store();
    let check = |name: &str, parameters: &[(&str, Value)], expected: &str| {
        assert_eq!(store.query(name, parameters).unwrap_err().to_string(), expected);
    };
    check("rounds", &[], "query rounds needs a value for :run_id (its parameters are :run_id)");
    check(
        "runs_list",
        &[(":limit", 1.into()), (":name", "x".into())],
        "query runs_list has no parameter :name (its parameters are :crashed_run_ids, :in_trash, :limit)",
    );
    let message = store.query("nothing", &[]).unwrap_err().to_string();
    assert!(message.starts_with("no query nothing (there are acceptance_by_position, "), "{message}");
}

#[test]
fn list_is_newest_first_and_leaves_out_what_is_deleted() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    let ids = |limit: i64| -> Vec<Value> {
        let rows = store.query("runs_list", &[(":limit", limit.into())]).unwrap().rows;
        rows.into_iter().map(|mut row| row.remove(0)).collect()
    };
    assert_eq!(ids(-1), [3.into(), 2.into(), 1.into()]);
    assert_eq!(ids(2), [3.into(), 2.into()]);
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = 2", []).unwrap();
    assert_eq!(ids(-1), [3.into(), 1.into()]);
}

#[test]
fn values_become_json() {
    let rows = Rows {
        columns: vec!["a".to_owned()],
        rows: vec![vec![
            Value::Null,
            Value::Integer(i64::MAX),
            Value::Real(0.5),
            Value::Text("x".to_owned()),
            Value::Blob(vec![0, 255]),
        ]],
    };
    let json = serde_json::to_string(&rows).unwrap();
    assert_eq!(json, r#"{"columns":["a"],"rows":[[null,9223372036854775807,0.5,"x","00ff"]]}"#);
}

/// The values of columns in all rows of an answer.
fn values(rows: &Rows, columns: &[&str]) -> Vec<Vec<Value>> {
    let row = |index| columns.iter().map(|column| rows.get(index, column).unwrap().clone()).collect();
    (0..rows.rows.len()).map(row).collect()
}

#[test]
fn view_of_held_out_figures_says_what_the_queries_say() {
    let (_folder, store) = filled();
    for view in ["train_evaluations", "draft_evaluations"] {
        let columns = columns(&store, view);
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut num_rows = 0;
        for run in 1..=7 {
            let mut rows = store.query(view, &[(":run_id", run.into())]).unwrap();
            // A checkpoint without an evaluation is listed too.
            let expected = rows.columns.iter().position(|column| column == "expected_acceptance").unwrap();
            rows.rows.retain(|row| row[expected] != Value::Null);
            let sql = format!("SELECT * FROM {view} WHERE run_id = {run} ORDER BY 1, 2");
            assert_eq!(values(&rows, &columns), answer(&store, &sql));
            num_rows += rows.rows.len();
        }
        assert_eq!(num_rows, 2);
    }
    let best =
        answer(&store, "SELECT run_id, max(expected_acceptance) FROM train_evaluations GROUP BY run_id");
    let rows = store.query("runs_list", &[(":limit", Value::Integer(-1))]).unwrap();
    let mut listed = values(&rows, &["run_id", "best_expected_acceptance"]);
    listed.retain(|row| row[1] != Value::Null);
    assert_eq!(listed, best);
}

#[test]
fn view_of_lineage_says_what_the_query_says() {
    let (_folder, store) = filled();
    let columns = columns(&store, "checkpoint_lineage");
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    for checkpoint in 1..=4 {
        let rows = store.query("checkpoint_lineage", &[(":checkpoint_id", checkpoint.into())]).unwrap();
        let sql =
            format!("SELECT * FROM checkpoint_lineage WHERE checkpoint_id = {checkpoint} ORDER BY depth");
        assert_eq!(values(&rows, &columns), answer(&store, &sql));
    }
    let rows = store.query("checkpoint_lineage", &[(":checkpoint_id", 3.into())]).unwrap();
    let expected = [[3, 0, 6, 1], [2, 1, 5, 2]].map(|row| row.map(Value::Integer).to_vec());
    assert_eq!(values(&rows, &["ancestor_id", "depth", "run_id", "step"]), expected);
}

#[test]
fn list_says_how_training_went_and_nothing_of_it_for_others() {
    let (_folder, store) = filled();
    let rows = store.query("runs_list", &[(":limit", Value::Integer(-1))]).unwrap();
    let listed = values(&rows, &["kind", "num_steps", "train_loss", "best_expected_acceptance"]);
    let (none, text) = (Value::Null, |kind: &str| Value::from(kind));
    assert_eq!(listed[0], [text("evaluate"), none.clone(), none.clone(), none.clone()]);
    assert_eq!(listed[1], [text("train"), 1.into(), Value::Real(2.0), none.clone()]);
    assert_eq!(listed[2], [text("train"), 3.into(), Value::Real(2.0 / 3.0), Value::Real(0.7)]);
    assert_eq!(listed[3], [text("collect"), none.clone(), none.clone(), none]);
}

#[test]
fn run_of_each_kind_is_shown() {
    let (_folder, store) = filled();
    let kinds: Vec<Value> = (1..=7)
        .map(|run| {
            store.query("run_show", &[(":run_id", run.into())]).unwrap().get(0, "kind").unwrap().clone()
        })
        .collect();
    let expected = ["bench", "bench", "bench", "collect", "train", "train", "evaluate"].map(Value::from);
    assert_eq!(kinds, expected);
}

#[test]
fn checkpoint_says_which_run_made_it_and_what_its_held_out_examples_said() {
    let (_folder, store) = filled();
    let rows = store.query("checkpoints", &[(":limit", Value::Integer(-1))]).unwrap();
    let listed =
        values(&rows, &["checkpoint_id", "aliases", "train_run_id", "train_step", "expected_acceptance"]);
    let (none, names) = (Value::Null, Value::from("best, latest"));
    assert_eq!(listed[0], [3.into(), names, 6.into(), 1.into(), none.clone()]);
    assert_eq!(listed[1], [2.into(), none.clone(), 5.into(), 2.into(), Value::Real(0.7)]);
    assert_eq!(listed[2], [1.into(), none.clone(), none.clone(), none.clone(), none]);
}

#[test]
fn prompts_that_an_adapter_or_its_ancestors_saw_have_leaked() {
    let (_folder, mut store) = filled();
    let columns = ["prompt_index", "checkpoint_id", "train_run_id", "purpose", "num_steps"];
    let leaked = |store: &Store, run: RunId| {
        values(&store.query("leakage", &[(":run_id", run.into())]).unwrap(), &columns)
    };
    let row = |prompt_index: i64, train_run: i64, purpose: &str, num_steps: i64| {
        vec![prompt_index.into(), 3.into(), train_run.into(), purpose.into(), num_steps.into()]
    };
    // Run 5 replayed prompt 1 after its checkpoint had been made.
    let expected = [row(0, 5, "trained", 2), row(1, 6, "trained", 1), row(2, 5, "held_out", 0)];
    assert_eq!(leaked(&store, RunId(7)), expected);
    assert_eq!(
        leaked(&store, RunId(1)),
        [] as [Vec<Value>; 0],
        "an imported adapter has seen what nobody knows"
    );

    let bench = NewRun { checkpoint_id: Some(CheckpointId(3)), ..sample::run(3) };
    let bench = store.begin_run(&bench).unwrap();
    assert_eq!(leaked(&store, bench), expected);
    let prompts = store.run_plan(bench).unwrap().prompts;
    assert_eq!(store.leaked_prompts(CheckpointId(3), &prompts).unwrap(), 2);
}

#[test]
fn counters_tell_what_the_draft_failed_at() {
    let (_folder, store) = filled();
    let counted = |acceptance_threshold: f64, confidence: f64| {
        let parameters = [
            (":run_id", Value::Integer(4)),
            (":acceptance_threshold", Value::Real(acceptance_threshold)),
            (":confidence", Value::Real(confidence)),
        ];
        let rows = store.query("collect_counters", &parameters).unwrap();
        rows.rows[0].clone()
    };
    assert_eq!(counted(0.6, 0.75), [3, 0, 3, 0, 3, 3, 3].map(Value::Integer));
    assert_eq!(counted(0.7, 0.76), [3, 0, 3, 3, 0, 3, 0].map(Value::Integer));
}

#[test]
fn disagreements_are_counted_by_pair_and_listed_by_place() {
    let (_folder, mut store) = filled();
    let run = store.begin_run(&sample::collect_run(1)).unwrap();
    store.record_generation(run, &sample::answer(0)).unwrap();
    let rows = store.query("disagreements", &[(":run_id", run.into()), (":limit", 10.into())]).unwrap();
    let expected = vec![9.into(), 2.into(), 1.into(), Value::Real(0.75), Value::Real(0.5)];
    assert_eq!(rows.rows, [expected]);
    let rows = store.query("example_disagreements", &[(":run_id", 4.into())]).unwrap();
    let expected = [[1, 0, 2], [2, 1, 102], [3, 2, 202]].map(|row| row.map(Value::Integer).to_vec());
    assert_eq!(values(&rows, &["example_id", "prompt_index", "target_token"]), expected);
}

#[test]
fn examples_of_one_run_or_of_all_are_listed_once_each() {
    let (_folder, mut store) = filled();
    sample::collect(&mut store, 2);
    let ids =
        |run: Value| values(&store.query("examples", &[(":run_id", run)]).unwrap(), &["example_id"]).concat();
    assert_eq!(ids(Value::Null), [1, 2, 3].map(Value::Integer));
    assert_eq!(ids(8.into()), [1, 2].map(Value::Integer));
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = 4", []).unwrap();
    assert_eq!(ids(Value::Null), [1, 2].map(Value::Integer));
}

#[test]
fn step_that_broke_is_listed_with_what_its_loss_was() {
    let (_folder, mut store) = filled();
    let run = store.begin_training(&sample::train_run(None), &[(ExampleId(1), Purpose::Train)]).unwrap();
    let mut step = sample::step(1, &[ExampleId(1)]);
    step.loss = f64::NAN;
    store.record_train_step(run, &step).unwrap();
    let rows = store.query("train_steps", &[(":run_id", run.into())]).unwrap();
    let listed = values(&rows, &["step", "loss", "nonfinite", "num_examples", "tokens_per_second"]);
    assert_eq!(listed, [[1.into(), Value::Null, "nan".into(), 1.into(), Value::Real(20_000.0)]]);
}
