use super::*;
use crate::record::{Mode, RunKind};
use crate::store::process::HEARTBEAT_TIMEOUT_MS;
use crate::store::{Value, sample};

fn state(store: &Store, run: RunId) -> String {
    let rows = store.query("run_show", &[(":run_id", run.into())]).unwrap();
    match rows.get(0, "state") {
        Some(Value::Text(state)) => state.clone(),
        other => panic!("{other:?}"),
    }
}

/// Makes a run look as if a process that is gone had begun it, on this boot.
fn orphan(store: &Store, run: RunId) {
    store
        .connection
        .execute("UPDATE runs SET process_start_ticks = process_start_ticks - 1 WHERE id = ?1", [run.0])
        .unwrap();
}

#[test]
fn run_reads_back_as_it_was_begun() {
    let (_folder, mut store) = sample::store();
    let checkpoint = store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
    let new = NewRun {
        kind: RunKind::Bench,
        name: Some("first".to_owned()),
        note: Some("a note".to_owned()),
        tags: vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())],
        settings: vec![
            sample::setting("adapter", serde_json::Value::Null),
            sample::setting("seed", u64::MAX.into()),
            sample::setting("system_prompt", "4".into()),
            sample::setting("temperature", 0.7.into()),
            sample::setting("top_k", 4.into()),
        ],
        checkpoint_id: Some(checkpoint),
        ..sample::run(3)
    };
    let run = store.begin_run(&new).unwrap();
    assert_eq!(store.run_plan(run).unwrap(), new);

    let values: Vec<String> = sample::column(&store, "SELECT value FROM run_settings ORDER BY key");
    assert_eq!(values, ["null", "18446744073709551615", r#""4""#, "0.7", "4"]);
    let numbers: Vec<Option<f64>> = sample::column(&store, "SELECT number FROM run_settings ORDER BY key");
    assert_eq!(numbers, [None, Some(18_446_744_073_709_551_615.0), None, Some(0.7), Some(4.0)]);
}

#[test]
fn runs_share_models_environment_and_prompts() {
    let (_folder, mut store) = sample::store();
    store.begin_run(&sample::run(3)).unwrap();
    store.begin_run(&sample::run(2)).unwrap();
    let tables = ["runs", "environments", "models", "prompt_sets", "prompts"];
    assert_eq!(tables.map(|table| sample::count(&store, table)), [2, 1, 2, 1, 3]);
}

#[test]
fn same_prompt_twice_in_a_run_is_one_text_at_two_places() {
    let (_folder, mut store) = sample::store();
    let mut new = sample::run(1);
    new.prompts.push(new.prompts[0].clone());
    let run = store.begin_run(&new).unwrap();
    assert_eq!(store.run_plan(run).unwrap().prompts, new.prompts);
}

#[test]
fn run_goes_from_running_to_its_end() {
    let (_folder, mut store) = sample::store();
    for (end, expected) in [
        (RunEnd::Completed, "completed"),
        (RunEnd::Interrupted, "interrupted"),
        (RunEnd::Failed("no memory".to_owned()), "failed"),
    ] {
        let run = store.begin_run(&sample::run(1)).unwrap();
        store.heartbeat(run).unwrap();
        assert_eq!(state(&store, run), "running");
        store.finish_run(run, &end).unwrap();
        assert_eq!(state(&store, run), expected);
        assert!(matches!(store.finish_run(run, &end), Err(Error::RunNotRunning { .. })));
        assert!(matches!(store.heartbeat(run), Err(Error::RunNotRunning { .. })));
    }
}

#[test]
fn sign_of_life_is_due_once_a_second_whatever_the_clock_did() {
    let now = 1_700_000_000_000;
    for (silence_ms, expected) in [(0, false), (999, false), (1001, true), (3_600_000, true), (-1, true)] {
        assert_eq!(is_due(now - silence_ms, now), expected, "{silence_ms}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn run_whose_process_is_gone_shows_as_crashed_and_is_left_as_it_is() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(1)).unwrap();
    orphan(&store, run);
    assert_eq!(state(&store, run), "crashed");
    assert_eq!(sample::value::<String>(&store, "SELECT status FROM runs"), "running");
}

#[test]
fn view_counts_a_run_as_crashed_after_the_same_silence() {
    let (_folder, mut store) = sample::store();
    store.begin_run(&sample::run(1)).unwrap();
    for (silence_ms, expected) in
        [(HEARTBEAT_TIMEOUT_MS - 5000, "running"), (HEARTBEAT_TIMEOUT_MS + 5000, "crashed")]
    {
        store.connection.execute("UPDATE runs SET heartbeat_at_ms = ?1", [now_ms() - silence_ms]).unwrap();
        assert_eq!(sample::value::<String>(&store, "SELECT state FROM run_states"), expected);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn only_a_run_that_nobody_works_on_and_that_is_not_complete_is_resumed() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(1)).unwrap();

    // Another live process: this test's parent.
    let parent = i64::from(std::os::unix::process::parent_id());
    let alive = Process::of(parent);
    store
        .connection
        .execute("UPDATE runs SET pid = ?1, process_start_ticks = ?2", params![alive.pid, alive.start_ticks])
        .unwrap();
    assert!(
        matches!(store.resume_run(run, &sample::environment()), Err(Error::RunAlive { pid, .. }) if pid == parent)
    );

    orphan(&store, run);
    store.resume_run(run, &sample::environment()).unwrap();
    assert_eq!(state(&store, run), "running");
    store.finish_run(run, &RunEnd::Failed("no memory".to_owned())).unwrap();
    store.resume_run(run, &sample::environment()).unwrap();
    store.finish_run(run, &RunEnd::Completed).unwrap();
    assert!(matches!(store.resume_run(run, &sample::environment()), Err(Error::RunCompleted { .. })));
}

#[test]
fn resumed_run_is_summarised_as_a_whole() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    let mut num_prompts = vec![];
    for index in 0..2 {
        let slot = sample::slot(index, Mode::TargetOnly, 0);
        store.record_generation(run, &sample::generation(slot, vec![1, 2], 1.0, &[])).unwrap();
        store.finish_run(run, &RunEnd::Interrupted).unwrap();
        num_prompts.push(sample::value::<i64>(&store, "SELECT num_prompts FROM mode_summaries"));
        store.resume_run(run, &sample::environment()).unwrap();
    }
    assert_eq!(num_prompts, [1, 2]);
}

#[test]
fn unknown_run_is_an_error_that_names_the_newest() {
    let (_folder, mut store) = sample::store();
    store.begin_run(&sample::run(1)).unwrap();
    let message = store.resume_run(RunId(15), &sample::environment()).unwrap_err().to_string();
    assert_eq!(message, "no run 15 (the newest is 1; speclora runs list)");
    assert_eq!(store.run_plan(RunId(15)).unwrap_err().to_string(), message);
}

#[test]
fn generation_keeps_the_environment_that_measured_it() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    let record = |store: &mut Store, index| {
        let slot = sample::slot(index, Mode::TargetOnly, 0);
        store.record_generation(run, &sample::generation(slot, vec![1, 2], 1.0, &[])).unwrap();
    };
    record(&mut store, 0);
    store.finish_run(run, &RunEnd::Interrupted).unwrap();
    let elsewhere = Environment { hostname: Some("elsewhere".to_owned()), ..sample::environment() };
    store.resume_run(run, &elsewhere).unwrap();
    record(&mut store, 1);
    let hosts: Vec<String> = sample::column(
        &store,
        "SELECT e.hostname FROM generations AS g JOIN environments AS e ON e.id = g.environment_id ORDER BY g.id",
    );
    assert_eq!(hosts, ["box", "elsewhere"]);
    assert_eq!(store.run_plan(run).unwrap().environment, elsewhere);
}

#[test]
fn what_the_system_does_not_tell_is_null() {
    let (_folder, mut store) = sample::store();
    let environment = Environment { num_cpus: None, memory_bytes: None, ..sample::environment() };
    let run = store.begin_run(&NewRun { environment: environment.clone(), ..sample::run(1) }).unwrap();
    let stored: (Option<i64>, Option<i64>) =
        sample::row(&store, "SELECT num_cpus, memory_bytes FROM environments");
    assert_eq!(stored, (None, None));
    assert_eq!(store.run_plan(run).unwrap().environment, environment);
}
