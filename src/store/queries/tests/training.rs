//! What training, evaluations and examples say.

use super::*;

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
    let best = answer(
        &store,
        "SELECT run_id, max(expected_acceptance) FROM train_evaluations WHERE step > 0 GROUP BY run_id",
    );
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
    let more = [1.into(), "prompt 0".into()];
    let expected =
        [vec![9.into(), 2.into(), 1.into(), Value::Real(0.75), Value::Real(0.5)], more.to_vec()].concat();
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
