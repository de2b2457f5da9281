use half::f16;

use super::*;
use crate::record::{Mode, NewRun, Prompt};
use crate::store::sample;

fn ids(examples: &[ExampleSummary]) -> Vec<i64> {
    examples.iter().map(|example| example.id.0).collect()
}

/// Lists the examples that these runs collected; those of any run if there is none.
fn of_runs(store: &Store, runs: &[RunId]) -> Vec<i64> {
    let filter = ExampleFilter { runs: runs.to_vec(), ..ExampleFilter::default() };
    ids(&store.examples(&filter).unwrap())
}

#[test]
fn split_key_is_the_same_for_ever() {
    assert_eq!(split_key("Say hello."), 0.912_834_066_867_443_5);
    assert_eq!(split_key(""), 0.378_086_107_689_905);
}

#[test]
fn identity_is_the_same_for_ever_and_hangs_on_each_part() {
    let target = "0".repeat(64);
    let identity = |prompt: &[u8], output: &[u8], temperature| identity(&target, prompt, output, temperature);
    let one = identity(&[1, 0, 0, 0], &[2, 0, 0, 0], 1.0);
    assert_eq!(one, "bc7c22e261225d6cc8f39d9d58ded59e9b53dd1c6b6a151a38abb9fc445b656b");
    assert_ne!(identity(&[1, 0, 0, 0, 2, 0, 0, 0], &[], 1.0), one);
    assert_ne!(identity(&[1, 0, 0, 0], &[2, 0, 0, 0], 0.5), one);
}

#[test]
fn answer_is_stored_with_what_the_target_thought_and_where_it_disagreed() {
    let (_folder, mut store) = sample::store();
    sample::collect(&mut store, 1);
    let expected = ExampleSummary {
        id: ExampleId(1),
        prompt: "prompt 0".to_owned(),
        prompt_tokens: vec![1, 2, 3],
        output_tokens: vec![0, 1, 2, 3, 4],
        rejected_positions: vec![2],
        acceptance_rate: Some(2.0 / 3.0),
        split_key: split_key("prompt 0"),
    };
    assert_eq!(store.examples(&ExampleFilter::default()).unwrap(), [expected]);

    let target = store.target_probabilities(ExampleId(1)).unwrap();
    assert_eq!((target.temperature, target.top_k), (1.0, 2));
    assert_eq!(target.tokens, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]);
    assert_eq!(target.probabilities, [0.5, 0.25].map(f16::from_f32).repeat(5));
    assert_eq!(target.left_over, [0.25; 5]);

    let stored: (i64, i64, i64, f64, f64) = sample::row(
        &store,
        "SELECT round, position, target_token, draft_probability, target_probability FROM disagreements",
    );
    assert_eq!(stored, (0, 2, 2, 0.75, 0.5));
}

#[test]
fn same_answer_again_is_the_same_example() {
    let (_folder, mut store) = sample::store();
    let first = sample::collect(&mut store, 2);
    let second = sample::collect(&mut store, 3);
    let tables = ["examples", "generation_examples", "disagreements"];
    assert_eq!(tables.map(|table| sample::count(&store, table)), [3, 5, 5]);
    assert_eq!(of_runs(&store, &[]), [1, 2, 3]);
    assert_eq!(of_runs(&store, &[first]), [1, 2]);
    assert_eq!(of_runs(&store, &[second]), [1, 2, 3]);
    let num_blobs = sample::count(&store, "blobs");
    assert_eq!(num_blobs, 3, "probabilities of an example that is there already leave no blob");
}

#[test]
fn other_target_or_temperature_makes_another_example() {
    let (_folder, mut store) = sample::store();
    sample::collect(&mut store, 1);
    let mut new = sample::collect_run(1);
    new.models[0].info = sample::model("another target");
    let run = store.begin_run(&new).unwrap();
    store.record_generation(run, &sample::answer(0)).unwrap();
    let run = store.begin_run(&sample::collect_run(1)).unwrap();
    let mut answer = sample::answer(0);
    let Ok(Completion { observations: Some(observations), .. }) = &mut answer.outcome else { unreachable!() };
    observations.target.temperature = 0.5;
    store.record_generation(run, &answer).unwrap();
    assert_eq!(of_runs(&store, &[]), [1, 2, 3]);

    let of_target = |sha256: String| {
        let filter = ExampleFilter { target_model_sha256: Some(sha256), ..ExampleFilter::default() };
        ids(&store.examples(&filter).unwrap())
    };
    assert_eq!(of_target(sample::model("target").sha256), [1, 3]);
    assert_eq!(of_target(sample::model("another target").sha256), [2]);
    assert_eq!(of_target("0".repeat(64)), [0_i64; 0]);
}

#[test]
fn example_that_only_runs_in_the_trash_collected_is_left_out() {
    let (_folder, mut store) = sample::store();
    let first = sample::collect(&mut store, 2);
    let second = sample::collect(&mut store, 1);
    store.connection.execute("UPDATE runs SET deleted_at_ms = 1 WHERE id = ?1", [first.0]).unwrap();
    assert_eq!(of_runs(&store, &[]), [1]);
    assert_eq!(of_runs(&store, &[first]), [0_i64; 0]);
    assert_eq!(of_runs(&store, &[first, second]), [1]);
}

#[test]
fn example_outlives_its_generation_and_takes_the_next() {
    let (_folder, mut store) = sample::store();
    let first = sample::collect(&mut store, 1);
    let second = sample::collect(&mut store, 1);
    let figures = |store: &Store| {
        let examples = store.examples(&ExampleFilter::default()).unwrap();
        (examples[0].rejected_positions.clone(), examples[0].acceptance_rate)
    };
    let known = (vec![2], Some(2.0 / 3.0));
    assert_eq!(figures(&store), known);
    store.connection.execute("DELETE FROM runs WHERE id = ?1", [first.0]).unwrap();
    assert_eq!(of_runs(&store, &[second]), [1]);
    assert_eq!(figures(&store), (vec![], None));
    sample::collect(&mut store, 1);
    assert_eq!(figures(&store), known);
}

#[test]
fn observations_that_do_not_fit_leave_nothing() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::collect_run(1)).unwrap();
    let mut answer = sample::answer(0);
    let Ok(Completion { observations: Some(observations), .. }) = &mut answer.outcome else { unreachable!() };
    observations.target.left_over.pop();
    let message = store.record_generation(run, &answer).unwrap_err().to_string();
    assert_eq!(message, "target probabilities of an answer must have 5 positions, got 4");
    let tables = ["generations", "rounds", "examples", "blobs"];
    assert_eq!(tables.map(|table| sample::count(&store, table)), [0; 4]);
}

#[test]
fn answer_without_a_token_is_no_example() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::collect_run(1)).unwrap();
    let empty = sample::generation(sample::slot(0, Mode::SpecBase, 0), vec![], 1.0, &[]);
    store.record_generation(run, &sample::observed(empty)).unwrap();
    assert_eq!(["generations", "examples"].map(|table| sample::count(&store, table)), [1, 0]);
}

#[test]
fn probability_that_rounding_took_past_one_is_one() {
    let (_folder, mut store) = sample::store();
    let run = store.begin_run(&sample::collect_run(1)).unwrap();
    let mut answer = sample::answer(0);
    let Ok(Completion { observations: Some(observations), .. }) = &mut answer.outcome else { unreachable!() };
    observations.disagreements[0].draft_probability = 1.0 + f32::EPSILON;
    store.record_generation(run, &answer).unwrap();
    assert_eq!(sample::value::<f64>(&store, "SELECT draft_probability FROM disagreements"), 1.0);
}

#[test]
fn damaged_and_unknown_examples_are_errors() {
    let (_folder, mut store) = sample::store();
    sample::collect(&mut store, 1);
    store.connection.execute("UPDATE blob_chunks SET data = x'00'", []).unwrap();
    let message = store.target_probabilities(ExampleId(1)).unwrap_err().to_string();
    assert!(
        message.starts_with("target probabilities of example 1: the stored bytes are damaged"),
        "{message}"
    );
    let message = store.target_probabilities(ExampleId(7)).unwrap_err().to_string();
    assert_eq!(message, "no example 7 (the table examples of the database lists them)");
}

#[test]
fn example_keeps_the_prompt_of_its_own_place() {
    let (_folder, mut store) = sample::store();
    let prompts =
        ["b", "a"].map(|text| Prompt { text: text.to_owned(), external_id: None, category: None }).to_vec();
    let run = store.begin_run(&NewRun { prompts, ..sample::collect_run(2) }).unwrap();
    for index in [1, 0] {
        store.record_generation(run, &sample::answer(index)).unwrap();
    }
    let examples = store.examples(&ExampleFilter::default()).unwrap();
    let prompts: Vec<_> = examples.iter().map(|example| example.prompt.as_str()).collect();
    assert_eq!(prompts, ["a", "b"]);
}
