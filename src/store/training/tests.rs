use super::*;
use crate::store::{Error, ExampleFilter, RunEnd, sample};

#[test]
fn training_run_keeps_its_examples_and_what_each_is_for() {
    let (_folder, store, run, _) = sample::training();
    let examples = store.examples(&ExampleFilter::default()).unwrap();
    let expected = [Purpose::Train, Purpose::Replay, Purpose::HeldOut];
    let expected: Vec<_> = examples.into_iter().zip(expected).collect();
    assert_eq!(store.run_examples(run).unwrap(), expected);
    assert_eq!(store.run_plan(run).unwrap(), sample::train_run(None));
}

#[test]
fn training_on_an_unknown_example_begins_no_run() {
    let (_folder, mut store) = sample::store();
    let examples = [(ExampleId(7), Purpose::Train)];
    assert!(store.begin_training(&sample::train_run(None), &examples).is_err());
    assert_eq!(sample::count(&store, "runs"), 0);
}

#[test]
fn step_is_stored_with_its_examples_and_a_sign_of_life() {
    let (_folder, mut store, run, ids) = sample::training();
    store.connection.execute("UPDATE runs SET heartbeat_at_ms = 0", []).unwrap();
    store.record_train_step(run, &sample::step(2, &[ids[1], ids[0], ids[1]])).unwrap();
    let stored: (i64, i64, f64, Option<String>, f64, f64) = sample::row(
        &store,
        "SELECT step, epoch, loss, nonfinite, gradient_norm, learning_rate FROM train_steps",
    );
    assert_eq!(stored, (2, 1, 1.0, None, 0.5, 1e-4));
    let examples: Vec<i64> = sample::column(&store, "SELECT example_id FROM train_step_examples");
    assert_eq!(examples, [ids[0].0, ids[1].0]);
    assert_eq!(sample::count(&store, "runs WHERE heartbeat_at_ms > 0"), 1);
}

#[test]
fn step_that_a_resumed_run_repeats_takes_the_place_of_the_first() {
    let (_folder, mut store, run, ids) = sample::training();
    store.record_train_step(run, &sample::step(1, &ids[..2])).unwrap();
    store.finish_run(run, &RunEnd::Interrupted).unwrap();
    store.resume_run(run, &sample::environment()).unwrap();
    let again = TrainStep { loss: 0.5, ..sample::step(1, &ids[1..2]) };
    store.record_train_step(run, &again).unwrap();
    let stored: (i64, f64) = sample::row(&store, "SELECT count(*), loss FROM train_steps");
    assert_eq!(stored, (1, 0.5));
    let examples: Vec<i64> = sample::column(&store, "SELECT example_id FROM train_step_examples");
    assert_eq!(examples, [ids[1].0]);
}

#[test]
fn numbers_that_are_none_are_null_and_named() {
    let (_folder, mut store, run, _) = sample::training();
    for (number, loss) in [(1, f64::NAN), (2, f64::INFINITY), (3, f64::NEG_INFINITY)] {
        let step = TrainStep { loss, gradient_norm: f64::NAN, ..sample::step(number, &[]) };
        store.record_train_step(run, &step).unwrap();
    }
    let names: Vec<String> = sample::column(&store, "SELECT nonfinite FROM train_steps ORDER BY step");
    assert_eq!(names, ["nan", "inf", "-inf"]);
    assert_eq!(sample::count(&store, "train_steps WHERE loss IS NULL AND gradient_norm IS NULL"), 3);
}

#[test]
fn step_of_an_example_that_the_run_has_not_leaves_nothing() {
    let (_folder, mut store, run, _) = sample::training();
    assert!(store.record_train_step(run, &sample::step(1, &[ExampleId(9)])).is_err());
    assert_eq!(sample::count(&store, "train_steps"), 0);
}

#[test]
fn nothing_is_added_to_a_training_run_that_has_ended() {
    let (_folder, mut store, run, ids) = sample::training();
    store.finish_run(run, &RunEnd::Completed).unwrap();
    let adapter = sample::adapter(10);
    let evaluation = sample::evaluation(5.0);
    let refused = [
        store.record_train_step(run, &sample::step(1, &ids[..1])),
        store.record_train_evaluation(run, 1, &[(ids[2], evaluation)]),
        store.record_checkpoint(run, 1, &adapter, &sample::model("draft"), b"state").map(drop),
        store.record_prompt_evaluation(run, 0, None, &evaluation),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Error::RunNotRunning { .. })), "{refused:?}");
    }
    assert_eq!(sample::count(&store, "checkpoints"), 0);
}
