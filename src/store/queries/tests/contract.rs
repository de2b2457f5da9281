//! What holds for all queries: headers, parameters, plans, and views that say the same.

use super::*;

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
