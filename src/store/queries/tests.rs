use super::*;
use crate::record::RunId;
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
    let all = [(":run_id", run.into()), (":limit", Value::Integer(-1))];
    all.into_iter().filter(|(name, _)| query.sql.contains(name)).collect()
}

#[test]
fn query_says_what_it_answers_and_reads_alone() {
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
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
        let rows = store.query(query.name, &parameters(query, RunId(1))).unwrap();
        assert!(!rows.rows.is_empty(), "{} finds nothing", query.name);
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
    let (_folder, mut store) = sample::store();
    sample::fill(&mut store);
    // The names by which the statements and views call the tables that grow.
    let large = ["generations", "g", "target", "rounds", "r"];
    for query in Query::ALL.iter().filter(|query| query.sql.contains(":run_id")) {
        let mut statement = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let run_id = statement.parameter_index(":run_id").unwrap().unwrap();
        statement.raw_bind_parameter(run_id, 1).unwrap();
        let mut plan = statement.raw_query();
        while let Some(step) = plan.next().unwrap() {
            let step: String = step.get("detail").unwrap();
            let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            assert!(scanned.is_none_or(|name| !large.contains(&name)), "{}: {step}", query.name);
        }
    }
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
        "query runs_list has no parameter :name (its parameters are :crashed_run_ids, :limit)",
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
