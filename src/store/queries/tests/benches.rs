//! Queries over benches whose figures are worked out by hand.

use super::*;
use crate::record::{Generation, Mode, Slot};
use crate::store::RunEnd;

const TARGET: Mode = Mode::TargetOnly;
const BASE: Mode = Mode::SpecBase;
const LORA: Mode = Mode::SpecLora;

/// A generation of so many tokens in so many seconds, a tenth of them to the first, in rounds of (drafted, accepted).
fn generation(prompt: u32, mode: Mode, tokens: u32, seconds: f64, rounds: &[(u32, u32)]) -> Generation {
    let exec_order = 10 * prompt + mode as u32;
    let slot = Slot { exec_order, ..sample::slot(prompt, mode, 0) };
    sample::generation(slot, (0..tokens).collect(), seconds, rounds)
}

/// A bench that has ended, of two prompts: the first is of the category `code`, the second of none.
///
/// At `factor` 1, target_only has 10 and 20 tokens/s, spec_base 20 and 20, spec_lora 40 and 20; in the first prompt spec_base
/// accepts 2 of 8 and spec_lora 6 of 8 proposals, in the second both accept 2 of 4.
fn bench(store: &mut Store, factor: f64) -> RunId {
    let mut new = sample::run(2);
    new.settings = vec![sample::setting("temperature", 0.0.into()), sample::setting("max_tokens", 20.into())];
    new.checkpoint_id = Some(CheckpointId(1));
    let run = store.begin_run(&new).unwrap();
    let generations = [
        generation(0, TARGET, 20, 2.0 / factor, &[]),
        generation(0, BASE, 20, 1.0 / factor, &[(4, 2), (4, 0)]),
        generation(0, LORA, 20, 0.5 / factor, &[(4, 4), (4, 2)]),
        generation(1, TARGET, 20, 1.0 / factor, &[]),
        generation(1, BASE, 20, 1.0 / factor, &[(4, 2)]),
        generation(1, LORA, 20, 1.0 / factor, &[(4, 2)]),
    ];
    generations.iter().for_each(|generation| store.record_generation(run, generation).unwrap());
    store.finish_run(run, &RunEnd::Completed).unwrap();
    run
}

/// Two benches, the second twice as fast, and one that is in the trash.
fn benches() -> (tempfile::TempDir, Store) {
    let (folder, mut store) = sample::store();
    store.import_adapter(&sample::adapter(100), &sample::model("draft")).unwrap();
    for factor in [1.0, 2.0, 100.0] {
        bench(&mut store, factor);
    }
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = 3", []).unwrap();
    (folder, store)
}

/// Columns of an answer, numbers rounded to six decimals.
fn rounded(rows: &Rows, columns: &[&str]) -> Vec<Vec<Value>> {
    let round = |value: Value| match value {
        Value::Real(number) => Value::Real((number * 1e6).round() / 1e6),
        other => other,
    };
    values(rows, columns).into_iter().map(|row| row.into_iter().map(round).collect()).collect()
}

fn real(number: f64) -> Value {
    Value::Real(number)
}

#[test]
fn improvement_is_relative_for_speed_and_a_difference_for_acceptance() {
    let (_folder, store) = benches();
    let rows = store.query("lora_improvement", &[]).unwrap();
    // Speeds: base (20 + 20) / 2, lora (40 + 20) / 2, target (10 + 20) / 2. Acceptance: base (2/8 + 2/4) / 2, lora (6/8 + 2/4) / 2.
    let columns = [
        "run_id",
        "tokens_per_second_gain",
        "base_acceptance_rate",
        "lora_acceptance_rate",
        "acceptance_rate_gain",
        "base_speedup",
        "lora_speedup",
    ];
    let figures = [real(0.5), real(0.375), real(0.625), real(0.25), real(1.333333), real(2.0)];
    let row = |run: i64| [vec![run.into()], figures.to_vec()].concat();
    assert_eq!(rounded(&rows, &columns), [row(2), row(1)]);
    let speeds = rounded(&rows, &["base_tokens_per_second", "lora_tokens_per_second"]);
    assert_eq!(speeds, [[real(40.0), real(60.0)], [real(20.0), real(30.0)]]);
}

#[test]
fn leaders_are_placed_among_what_can_be_compared() {
    let (_folder, store) = benches();
    let ask = |store: &Store, parameters: &[(&str, Value)]| {
        rounded(&store.query("leaderboard", parameters).unwrap(), &["place", "run_id", "mode", "value"])
    };
    let row = |place: i64, run: i64, mode: &str, value: f64| {
        vec![place.into(), run.into(), mode.into(), real(value)]
    };
    let expected = [row(1, 2, "spec_lora", 60.0), row(2, 2, "spec_base", 40.0), row(3, 1, "spec_lora", 30.0)];
    let three_and_tie = [&expected[..], &[row(3, 2, "target_only", 30.0)]].concat();
    assert_eq!(ask(&store, &[(":limit", 3.into())]), three_and_tie);
    // Only one of them used the run's adapter.
    let rows = store.query("leaderboard", &[(":limit", 3.into())]).unwrap();
    let used = values(&rows, &["mode", "checkpoint_id"]);
    for row in &used {
        let expected = if row[0] == "spec_lora".into() { 1.into() } else { Value::Null };
        assert_eq!(row[1], expected, "{used:?}");
    }
    let of_base = [(":metric", "speedup".into()), (":mode", "spec_base".into())];
    assert_eq!(ask(&store, &of_base), [row(1, 1, "spec_base", 1.333333), row(1, 2, "spec_base", 1.333333)]);
    // The time to the last token: (0.25 + 0.5) / 2 s is the shortest.
    let shortest = [(":metric", "avg_time_to_last_token".into()), (":limit", 1.into())];
    assert_eq!(ask(&store, &shortest), [row(1, 2, "spec_lora", 0.375)]);
    assert_eq!(ask(&store, &[(":target", "target".into()), (":limit", 1.into())]).len(), 1);
    for nothing in [(":metric", "beauty"), (":target", "another"), (":prompt_set", "another")] {
        assert_eq!(ask(&store, &[(nothing.0, nothing.1.into())]), [] as [Vec<Value>; 0], "{nothing:?}");
    }
    // Another number of tokens makes another race.
    store
        .connection
        .execute("UPDATE run_settings SET value = '5' WHERE run_id = 2 AND key = 'max_tokens'", [])
        .unwrap();
    let winners = [row(1, 2, "spec_lora", 60.0), row(1, 1, "spec_lora", 30.0)];
    assert_eq!(ask(&store, &[(":limit", 1.into())]), winners);
}

#[test]
fn hardest_prompts_come_first_over_one_run_or_all() {
    let (_folder, store) = benches();
    let columns =
        ["prompt", "num_runs", "num_generations", "acceptance_rate", "mean_acceptance_length", "speedup"];
    let ask = |parameters: &[(&str, Value)]| {
        rounded(&store.query("hardest_prompts", parameters).unwrap(), &columns)
    };
    // Emitted: accepted + 1 a round.
    let row = |prompt: &str, runs: i64, acceptance: f64, length: f64, speedup: f64| {
        vec![prompt.into(), runs.into(), runs.into(), real(acceptance), real(length), real(speedup)]
    };
    let (first, second) = (row("prompt 0", 2, 0.25, 2.0, 2.0), row("prompt 1", 2, 0.5, 3.0, 1.0));
    assert_eq!(ask(&[]), [first.clone(), second.clone()]);
    assert_eq!(ask(&[(":by", "speedup".into())]), [second, first]);
    let of_lora = [(":run_id", 1.into()), (":mode", "spec_lora".into()), (":limit", 1.into())];
    assert_eq!(ask(&of_lora), [row("prompt 1", 1, 0.5, 3.0, 1.0)]);
    let speeds = store.query("hardest_prompts", &[]).unwrap();
    assert_eq!(rounded(&speeds, &["avg_tokens_per_second"]), [[real(30.0)], [real(30.0)]]);
}

#[test]
fn machines_are_listed_with_what_they_ran() {
    let (_folder, store) = benches();
    let rows = store.query("runs_by_host", &[]).unwrap();
    let columns =
        ["hostname", "num_cpus", "target", "mode", "num_runs", "num_generations", "avg_tokens_per_second"];
    let row = |mode: &str, speed: f64| {
        vec!["box".into(), 2.into(), "target".into(), mode.into(), 2.into(), 4.into(), real(speed)]
    };
    let expected = [row("target_only", 22.5), row("spec_base", 30.0), row("spec_lora", 45.0)];
    assert_eq!(rounded(&rows, &columns), expected);
    let of_lora =
        &rounded(&rows, &["lowest_tokens_per_second", "highest_tokens_per_second", "newest_run_id"])[2];
    assert_eq!(*of_lora, [real(30.0), real(60.0), 2.into()]);
    assert_eq!(store.query("runs_by_host", &[(":target", "another".into())]).unwrap().rows.len(), 0);
}

#[test]
fn speed_is_followed_from_day_to_day_and_commit_to_commit() {
    let (_folder, mut store) = benches();
    let columns = ["day", "num_runs", "avg_tokens_per_second", "avg_speedup", "newest_run_id"];
    let ask = |store: &Store| {
        let rows = store.query("speed_over_time", &[(":mode", "spec_lora".into())]).unwrap();
        rounded(&rows, &columns)
    };
    let begin = "UPDATE runs SET started_at_ms = 1700000000000";
    store.connection.execute(begin, []).unwrap();
    let row = |day: &str, runs: i64, speed: f64, newest: i64| {
        vec![day.into(), runs.into(), real(speed), real(2.0), newest.into()]
    };
    assert_eq!(ask(&store), [row("2023-11-14", 2, 45.0, 2)]);
    store.connection.execute(&format!("{begin} - 86400000 WHERE id = 2"), []).unwrap();
    assert_eq!(ask(&store), [row("2023-11-13", 1, 60.0, 2), row("2023-11-14", 1, 30.0, 1)]);
    store.connection.execute(begin, []).unwrap();
    let other = NewRun {
        environment: crate::record::Environment {
            git_commit: Some("c0ffee".to_owned()),
            ..sample::environment()
        },
        ..sample::run(2)
    };
    let run = store.begin_run(&other).unwrap();
    store.record_generation(run, &generation(0, TARGET, 20, 1.0, &[])).unwrap();
    store.record_generation(run, &generation(0, LORA, 20, 0.5, &[(4, 4)])).unwrap();
    store.finish_run(run, &RunEnd::Completed).unwrap();
    store.connection.execute(begin, []).unwrap();
    assert_eq!(ask(&store), [row("2023-11-14", 2, 45.0, 2), row("2023-11-14", 1, 40.0, 4)]);
}

#[test]
fn categories_are_told_apart_and_prompts_without_one_come_last() {
    let (_folder, store) = benches();
    let rows = store.query("acceptance_by_category", &[(":run_id", 1.into())]).unwrap();
    let columns = ["category", "mode", "num_prompts", "avg_tokens_per_second", "speedup", "acceptance_rate"];
    let row = |category: Value, mode: &str, speed: f64, speedup: f64, acceptance: Value| {
        vec![category, mode.into(), 1.into(), real(speed), real(speedup), acceptance]
    };
    let code = || Value::from("code");
    let expected = [
        row(code(), "target_only", 10.0, 1.0, Value::Null),
        row(code(), "spec_base", 20.0, 2.0, real(0.25)),
        row(code(), "spec_lora", 40.0, 4.0, real(0.75)),
        row(Value::Null, "target_only", 20.0, 1.0, Value::Null),
        row(Value::Null, "spec_base", 20.0, 1.0, real(0.5)),
        row(Value::Null, "spec_lora", 20.0, 1.0, real(0.5)),
    ];
    assert_eq!(rounded(&rows, &columns), expected);
}

#[test]
fn reasons_to_stop_are_counted_with_what_failed() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(3)).unwrap();
    for (prompt, tokens) in [(0, 4), (1, 8)] {
        store.record_generation(run, &generation(prompt, TARGET, tokens, 1.0, &[])).unwrap();
    }
    store.record_generation(run, &sample::failure(sample::slot(2, TARGET, 0), "context is full")).unwrap();
    let warmup = Slot { is_warmup: true, ..sample::slot(0, TARGET, 0) };
    store.record_generation(run, &sample::generation(warmup, vec![1], 1.0, &[])).unwrap();
    let rows = store.query("tokens_by_stop_reason", &[(":run_id", run.into())]).unwrap();
    let columns =
        ["stop_reason", "num_generations", "share", "total_tokens", "avg_tokens", "min_tokens", "max_tokens"];
    let none = Value::Null;
    let expected = [
        vec!["max_tokens".into(), 2.into(), real(0.666667), 12.into(), real(6.0), 4.into(), 8.into()],
        vec![none.clone(), 1.into(), real(0.333333), none.clone(), none.clone(), none.clone(), none],
    ];
    assert_eq!(rounded(&rows, &columns), expected);
}

#[test]
fn time_is_split_into_prompt_draft_verifying_and_the_rest() {
    let (_folder, store) = benches();
    let rows = store.query("time_by_phase", &[(":run_id", 1.into())]).unwrap();
    // Three rounds of spec_base, each 1 µs to draft and 3 µs to verify; two prompts of 0.1 s.
    let columns =
        ["mode", "num_generations", "total_seconds", "prompt_seconds", "draft_seconds", "verify_seconds"];
    let row = |mode: &str, total: f64, prompt: f64, draft: f64, verify: f64| {
        vec![mode.into(), 2.into(), real(total), real(prompt), real(draft), real(verify)]
    };
    let expected = [
        row("target_only", 3.0, 0.3, 0.0, 0.0),
        row("spec_base", 2.0, 0.2, 3e-6, 9e-6),
        row("spec_lora", 1.5, 0.15, 3e-6, 9e-6),
    ];
    assert_eq!(rounded(&rows, &columns), expected);
    let rest = rounded(&rows, &["rest_seconds", "prompt_share"]);
    assert_eq!(rest[1], [real(1.799988), real(0.1)]);
    let Value::Real(a_token) = rows.get(1, "draft_seconds_per_token").unwrap() else { panic!() };
    let Value::Real(a_round) = rows.get(1, "verify_seconds_per_round").unwrap() else { panic!() };
    assert!((a_token - 3e-6 / 12.0).abs() < 1e-12 && (a_round - 3e-6).abs() < 1e-12);
    assert_eq!(rows.get(0, "draft_seconds_per_token"), Some(&Value::Null));
}

#[test]
fn rounds_are_counted_by_what_they_accepted() {
    let (_folder, store) = benches();
    let rows = store.query("accepted_per_round", &[(":run_id", 1.into())]).unwrap();
    let columns = ["mode", "num_accepted", "num_rounds", "share", "num_whole", "num_emitted"];
    let row = |mode: &str, accepted: i64, rounds: i64, share: f64, whole: i64, emitted: i64| {
        vec![mode.into(), accepted.into(), rounds.into(), real(share), whole.into(), emitted.into()]
    };
    let expected = [
        row("spec_base", 0, 1, 0.333333, 0, 1),
        row("spec_base", 2, 2, 0.666667, 0, 6),
        row("spec_lora", 2, 2, 0.666667, 0, 6),
        row("spec_lora", 4, 1, 0.333333, 1, 5),
    ];
    assert_eq!(rounded(&rows, &columns), expected);
}

#[test]
fn outputs_that_are_not_the_targets_are_shown_side_by_side() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::run(2)).unwrap();
    for prompt in 0..2 {
        store.record_generation(run, &generation(prompt, TARGET, 4, 1.0, &[])).unwrap();
    }
    store.record_generation(run, &generation(0, BASE, 4, 1.0, &[(3, 2)])).unwrap();
    store.record_generation(run, &generation(1, BASE, 5, 1.0, &[(4, 3)])).unwrap();
    let rows = store.query("outputs_that_differ", &[(":run_id", run.into())]).unwrap();
    let columns =
        ["prompt", "mode", "generation_id", "target_generation_id", "total_tokens", "target_total_tokens"];
    let expected = vec!["prompt 1".into(), "spec_base".into(), 4.into(), 2.into(), 5.into(), 4.into()];
    assert_eq!(values(&rows, &columns), [expected]);
}

#[test]
fn curve_has_every_step_and_every_evaluation() {
    let (_folder, store) = filled();
    let rows = store.query("training_curve", &[(":run_id", 5.into())]).unwrap();
    let columns = [
        "step",
        "loss",
        "smoothed_loss",
        "training_seconds",
        "num_trained_tokens",
        "held_out_loss",
        "expected_acceptance",
        "checkpoint_id",
    ];
    let none = Value::Null;
    // Losses 2, 1, 2/3; a step takes 1 ms and has 20 tokens; evaluations have ten positions, and a loss of 5 over all.
    let expected = [
        vec![
            0.into(),
            none.clone(),
            none.clone(),
            none.clone(),
            none.clone(),
            real(0.5),
            real(0.4),
            none.clone(),
        ],
        vec![
            1.into(),
            real(2.0),
            real(2.0),
            real(0.001),
            20.into(),
            none.clone(),
            none.clone(),
            none.clone(),
        ],
        vec![2.into(), real(1.0), real(1.5), real(0.002), 40.into(), real(0.5), real(0.7), 2.into()],
        vec![
            3.into(),
            real(0.666667),
            real(1.222222),
            real(0.003),
            60.into(),
            none.clone(),
            none.clone(),
            none,
        ],
    ];
    assert_eq!(rounded(&rows, &columns), expected);
}

#[test]
fn gain_of_a_checkpoint_is_over_what_its_run_began_with() {
    let (_folder, mut store) = filled();
    let columns = [
        "run_id",
        "step",
        "checkpoint_id",
        "from_checkpoint_id",
        "num_examples",
        "start_expected_acceptance",
        "expected_acceptance",
        "expected_acceptance_gain",
        "num_better",
        "num_worse",
    ];
    let ask = |store: &Store, run: Value| {
        rounded(&store.query("checkpoint_gain", &[(":run_id", run)]).unwrap(), &columns)
    };
    let none = Value::Null;
    let first = vec![
        5.into(),
        2.into(),
        2.into(),
        none.clone(),
        1.into(),
        real(0.4),
        real(0.7),
        real(0.3),
        1.into(),
        0.into(),
    ];
    assert_eq!(ask(&store, 5.into()), std::slice::from_ref(&first));
    assert_eq!(ask(&store, 6.into()), [] as [Vec<Value>; 0], "its checkpoint was not evaluated");

    // One that goes on from checkpoint 2, is evaluated at its checkpoint alone, and then at its beginning too.
    let example = ExampleId(3);
    let run = store
        .begin_training(&sample::train_run(Some(CheckpointId(2))), &[(example, Purpose::HeldOut)])
        .unwrap();
    store.record_train_step(run, &sample::step(1, &[])).unwrap();
    store.record_train_evaluation(run, 1, &[(example, sample::evaluation(6.0))]).unwrap();
    let checkpoint = sample::record_checkpoint(&mut store, run, 1);
    let row = |start: Value, gain: Value, worse: i64| {
        let ids = [run.into(), 1.into(), Value::Integer(checkpoint.0), 2.into(), 1.into()];
        [ids.to_vec(), vec![start, real(0.6), gain, 0.into(), worse.into()]].concat()
    };
    assert_eq!(ask(&store, Value::Null), [first.clone(), row(none.clone(), none, 0)]);
    store.record_train_evaluation(run, 0, &[(example, sample::evaluation(7.0))]).unwrap();
    assert_eq!(ask(&store, Value::Null), [first, row(real(0.7), real(-0.1), 1)]);
}
