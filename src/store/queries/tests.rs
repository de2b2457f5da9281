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
    let has = |name: &str| query.parameters().iter().any(|parameter| parameter.name == name);
    all.into_iter().filter(|(name, _)| has(name)).collect()
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
        assert_eq!(query.question(), &question[3..]);
        let mut explained: Vec<&str> = query.parameters().iter().map(|parameter| parameter.name).collect();
        let mut names = parameter_names(&statement);
        explained.sort_unstable();
        names.sort_unstable();
        assert_eq!(explained, names, "{} explains its parameters", query.name);
        assert!(
            query.parameters().iter().all(|parameter| !parameter.meaning.contains("[default")),
            "{}",
            query.name
        );
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
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".sql").map(str::to_owned))
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
fn generations_that_are_compared_have_the_figures_of_their_view() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    let columns = "prompt_index, mode, iteration, tokens_per_second, decode_tokens_per_second, time_per_output_token, \
        time_to_first_token, time_to_last_token, acceptance_rate, num_emitted, num_rounds, is_lossless";
    let names: Vec<&str> = columns.split(',').map(str::trim).collect();
    for run in 1..=3 {
        let rows = store.query("compare_generations", &[(":run_id", run.into())]).unwrap();
        assert_eq!(rows.rows.len(), 5 * 4 * 3, "warm-ups are left out");
        let mut found = values(&rows, &names);
        let view = format!("SELECT {columns} FROM generation_metrics WHERE run_id = {run}");
        let mut expected = answer(&store, &view);
        found.sort_by_key(|row| format!("{row:?}"));
        expected.sort_by_key(|row| format!("{row:?}"));
        assert_eq!(found, expected, "run {run}");
        let failed = values(&rows, &["num_failed"]).iter().filter(|row| row[0] == Value::Integer(1)).count();
        let num_failed: i64 = sample::value(
            &store,
            &format!("SELECT count(error) FROM generation_metrics WHERE run_id = {run}"),
        );
        assert_eq!(failed as i64, num_failed);
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

/// The tables that a query goes through from the first row to the last, by the table itself or an index of it.
fn scanned_tables(store: &Store, query: &Query) -> Vec<String> {
    let pages: std::collections::HashMap<i64, String> =
        answer(store, "SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0")
            .into_iter()
            .map(|row| match row.as_slice() {
                [Value::Integer(page), Value::Text(table)] => (*page, table.clone()),
                other => panic!("{other:?}"),
            })
            .collect();
    let mut statement = store.connection.prepare(&format!("EXPLAIN {}", query.sql)).unwrap();
    for (name, value) in completed(&store.connection, *query, &parameters(query, RunId(1))).unwrap() {
        let index = statement.parameter_index(name).unwrap().unwrap();
        statement.raw_bind_parameter(index, value).unwrap();
    }
    let mut opened = std::collections::HashMap::new();
    let mut scanned = vec![];
    let mut steps = statement.raw_query();
    while let Some(step) = steps.next().unwrap() {
        let (code, cursor): (String, i64) = (step.get("opcode").unwrap(), step.get("p1").unwrap());
        match code.as_str() {
            "OpenRead" | "ReopenIdx" => {
                opened.insert(cursor, pages[&step.get("p2").unwrap()].clone());
            }
            // What goes to the first or last row goes on from there; a cursor that was not opened is on what the statement made.
            "Rewind" | "Last" | "Sort" | "Count" => scanned.extend(opened.get(&cursor).cloned()),
            _ => {}
        }
    }
    scanned.sort();
    scanned.dedup();
    scanned
}

#[test]
fn query_about_one_run_reads_no_other() {
    let (_folder, store) = filled();
    let check = |name: &str, expected: &[&str]| {
        assert_eq!(scanned_tables(&store, &Query::find(name).unwrap()), expected, "{name}");
    };
    // Where :run_id is NULL, these are about all runs, and look each of them up; the branch is not entered otherwise.
    let about_all = [("examples", "examples"), ("checkpoint_gain", "runs"), ("hardest_prompts", "runs")];
    about_all.iter().for_each(|(name, table)| check(name, &[table]));
    let is_about_one = |query: &&Query| {
        let mut parameters = query.parameters().into_iter();
        parameters.any(|parameter| [":run_id", ":checkpoint_id"].contains(&parameter.name))
            && about_all.iter().all(|(name, _)| *name != query.name)
    };
    for query in Query::ALL.iter().filter(is_about_one) {
        let scanned = scanned_tables(&store, query);
        assert!(scanned.iter().all(|table| table == "modes"), "{} reads all of {scanned:?}", query.name);
    }
    // Lists of runs read what there is one of a run, or one of a run and mode.
    check("runs_list", &["runs"]);
    check("runs_by_state", &["runs"]);
    check("checkpoints", &["checkpoints"]);
    for name in ["lora_improvement", "leaderboard", "runs_by_host", "speed_over_time"] {
        let scanned = scanned_tables(&store, &Query::find(name).unwrap());
        let small = ["environments", "mode_summaries", "modes", "prompt_sets", "run_models", "runs"];
        assert!(
            scanned.iter().all(|table| small.contains(&table.as_str())),
            "{name} reads all of {scanned:?}"
        );
    }
}

#[test]
fn scan_of_a_table_is_noticed() {
    let (_folder, store) = filled();
    let check = |sql, expected: &[&str]| {
        assert_eq!(
            scanned_tables(&store, &Query { name: "made_up", other_name: None, sql }),
            expected,
            "{sql}"
        );
    };
    check("-- ?\nSELECT sum(total_tokens) FROM generations", &["generations"]);
    check("-- ?\nSELECT count(*) FROM rounds", &["rounds"]);
    check("-- ?\nSELECT mode FROM generations ORDER BY environment_id", &["generations"]);
    check("-- ?\n--\n-- :run_id  the run\nSELECT mode FROM generations WHERE run_id = :run_id", &[]);
    check("-- ?\nSELECT * FROM mode_metrics", &["generations"]);
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
    check("nothing", &[], "no query nothing (speclora query lists them)");
    check("round", &[], "no query round (did you mean rounds? speclora query lists them)");
}

#[test]
fn query_is_found_by_either_name_and_with_hyphens() {
    let found = |name: &str| Query::find(name).unwrap().name;
    assert_eq!(found("acceptance-by-position"), "acceptance_by_position");
    assert_eq!(found("speed_by_mode"), "mode_metrics");
    assert_eq!(found("adapter-lineage"), "checkpoint_lineage");
    let mut names: Vec<&str> = Query::ALL.iter().flat_map(Query::names).collect();
    let num_names = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), num_names, "no name stands for two");
}

#[test]
fn parameter_that_is_not_given_has_its_default() {
    let (_folder, store) = filled();
    let answer = |parameters: &[(&str, Value)]| store.query("hardest_prompts", parameters).unwrap();
    let whole = [
        (":run_id", Value::Null),
        (":mode", "spec_base".into()),
        (":by", "acceptance_rate".into()),
        (":limit", 20.into()),
    ];
    assert_eq!(answer(&[]), answer(&whole));
    assert_ne!(answer(&[]), answer(&[(":limit", 1.into())]));
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

mod benches;
