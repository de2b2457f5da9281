use super::*;
use crate::record::{CheckpointId, HeldOutFigures, Prompt, TrainingState};
use crate::store::{Error, ExampleFilter, RunEnd, sample};

/// A database with three examples and a training run that has them, the last one held out.
fn training() -> (tempfile::TempDir, Store, RunId, Vec<ExampleId>) {
    let (folder, mut store) = sample::store();
    sample::collect(&mut store, 3);
    let ids = sample::example_ids(&store);
    let purposes = [Purpose::Train, Purpose::Replay, Purpose::HeldOut];
    let examples: Vec<_> = ids.iter().copied().zip(purposes).collect();
    let run = store.begin_training(&sample::train_run(None), &examples).unwrap();
    (folder, store, run, ids)
}

fn record_checkpoint(store: &mut Store, run: RunId, step: u32) -> CheckpointId {
    let (adapter, optimizer) = (sample::trained_adapter(step), sample::optimizer(step));
    store.record_checkpoint(run, step, &adapter, &sample::model("draft"), &optimizer).unwrap()
}

#[test]
fn training_run_keeps_its_examples_and_what_each_is_for() {
    let (_folder, store, run, _) = training();
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
    let (_folder, mut store, run, ids) = training();
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
    let (_folder, mut store, run, ids) = training();
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
    let (_folder, mut store, run, _) = training();
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
    let (_folder, mut store, run, _) = training();
    assert!(store.record_train_step(run, &sample::step(1, &[ExampleId(9)])).is_err());
    assert_eq!(sample::count(&store, "train_steps"), 0);
}

#[test]
fn nothing_is_added_to_a_training_run_that_has_ended() {
    let (_folder, mut store, run, ids) = training();
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

#[test]
fn held_out_figures_are_means_over_positions_by_step() {
    let (_folder, mut store, run, ids) = training();
    let (a, b) = (sample::evaluation(9.0), sample::evaluation(3.0));
    store.record_train_evaluation(run, 4, &[(ids[1], a), (ids[2], b)]).unwrap();
    store.record_train_evaluation(run, 0, &[(ids[2], a)]).unwrap();
    store.record_train_evaluation(run, 0, &[(ids[2], b)]).unwrap();
    let at = |step, expected_acceptance| HeldOutFigures {
        step,
        expected_acceptance,
        top1_agreement: 0.6,
        loss: 0.5,
        acceptance_rate: Some(0.625),
        mean_acceptance_length: Some(2.25),
    };
    assert_eq!(store.train_evaluations(run).unwrap(), [at(0, 0.3), at(4, 0.6)]);
    assert_eq!(store.example_evaluations(run, 4).unwrap(), [(ids[1], a), (ids[2], b)]);
    assert_eq!(store.example_evaluations(run, 0).unwrap(), [(ids[2], b)]);
    assert_eq!(store.example_evaluations(run, 1).unwrap(), []);
}

#[test]
fn run_goes_on_from_its_newest_checkpoint_and_keeps_no_other_state() {
    let (_folder, mut store, run, _) = training();
    assert_eq!(store.training_state(run).unwrap(), None);
    let checkpoints = [2, 4].map(|step| record_checkpoint(&mut store, run, step));
    let expected = TrainingState { step: 4, checkpoint_id: checkpoints[1], optimizer: sample::optimizer(4) };
    assert_eq!(store.training_state(run).unwrap(), Some(expected));
    assert_eq!(store.train_checkpoints(run).unwrap(), [(2, checkpoints[0]), (4, checkpoints[1])]);
    assert_eq!(store.alias("latest").unwrap(), Some(checkpoints[1]));
    let states = sample::count(&store, "train_checkpoints WHERE state_blob_id IS NOT NULL");
    assert_eq!(states, 1);
    // Three examples, one adapter's weights, one state.
    assert_eq!(sample::count(&store, "blobs"), 5);
    assert_eq!(sample::count(&store, "blob_chunks"), 5);
}

#[test]
fn checkpoint_that_is_made_again_takes_the_place_of_the_first() {
    let (_folder, mut store, run, _) = training();
    let first = record_checkpoint(&mut store, run, 2);
    assert_eq!(record_checkpoint(&mut store, run, 2), first);
    assert_eq!(store.training_state(run).unwrap().unwrap().optimizer, sample::optimizer(2));
    let other = sample::trained_adapter(7);
    let second = store.record_checkpoint(run, 2, &other, &sample::model("draft"), b"other").unwrap();
    assert_eq!(store.train_checkpoints(run).unwrap(), [(2, second)]);
    assert_eq!(store.training_state(run).unwrap().unwrap().optimizer, b"other");
    assert_eq!(sample::count(&store, "blobs"), 5);
}

#[test]
fn state_that_something_else_refers_to_is_kept() {
    let (_folder, mut store, run, _) = training();
    let other = store.begin_training(&sample::train_run(None), &[]).unwrap();
    let state = sample::optimizer(2);
    record_checkpoint(&mut store, run, 2);
    record_checkpoint(&mut store, other, 2);
    record_checkpoint(&mut store, run, 4);
    assert_eq!(store.training_state(other).unwrap().unwrap().optimizer, state);
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
}

#[test]
fn damaged_state_is_noticed() {
    let (_folder, mut store, run, _) = training();
    record_checkpoint(&mut store, run, 2);
    store.connection.execute("UPDATE blob_chunks SET data = x'00'", []).unwrap();
    let message = store.training_state(run).unwrap_err().to_string();
    assert!(message.starts_with("state of run 2 after step 2: the stored bytes are damaged"), "{message}");
}

#[test]
fn adapter_has_learned_what_it_and_its_ancestors_did_up_to_their_steps() {
    let (_folder, mut store, run, ids) = training();
    store.record_train_step(run, &sample::step(1, &ids[..1])).unwrap();
    let early = record_checkpoint(&mut store, run, 1);
    store.record_train_step(run, &sample::step(2, &ids[1..2])).unwrap();
    let late = record_checkpoint(&mut store, run, 2);

    let from_early =
        store.begin_training(&sample::train_run(Some(early)), &[(ids[2], Purpose::Train)]).unwrap();
    store.record_train_step(from_early, &sample::step(1, &ids[2..])).unwrap();
    let child = record_checkpoint(&mut store, from_early, 9);
    let imported = store.import_adapter(&sample::adapter(3), &sample::model("draft")).unwrap();

    let prompts = ["prompt 0", "prompt 2", "prompt 2", "unheard of"].map(|text| Prompt {
        text: text.to_owned(),
        external_id: None,
        category: None,
    });
    let check = |checkpoint, examples: &[ExampleId], num_leaked| {
        assert_eq!(store.trained_examples(checkpoint).unwrap(), examples);
        assert_eq!(store.leaked_prompts(checkpoint, &prompts).unwrap(), num_leaked);
    };
    check(early, &ids[..1], 1);
    check(late, &ids[..2], 1);
    check(child, &[ids[0], ids[2]], 3);
    check(imported, &[], 0);
}

#[test]
fn evaluation_of_a_prompt_is_stored_once_for_each_draft() {
    let (_folder, mut store) = sample::store();
    let checkpoint = store.import_adapter(&sample::adapter(10), &sample::model("draft")).unwrap();
    let run = store.begin_run(&sample::run(2)).unwrap();
    for expected_acceptance in [1.0, 4.0] {
        for (prompt_index, checkpoint) in [(0, None), (1, None), (0, Some(checkpoint))] {
            let evaluation = sample::evaluation(expected_acceptance);
            store.record_prompt_evaluation(run, prompt_index, checkpoint, &evaluation).unwrap();
        }
    }
    assert_eq!(sample::count(&store, "prompt_evaluations"), 3);
    let figures: Vec<f64> =
        sample::column(&store, "SELECT expected_acceptance FROM draft_evaluations ORDER BY checkpoint_id");
    assert_eq!(figures, [0.4, 0.4]);
    let evaluation = sample::evaluation(1.0);
    assert!(store.record_prompt_evaluation(run, 7, None, &evaluation).is_err());
}
