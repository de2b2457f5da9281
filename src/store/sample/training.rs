//! What is collected and what training leaves, made up for the store's tests.

use half::f16;
use tempfile::TempDir;

use super::{Store, adapter, generation, model, run, slot};
use crate::record::{
    AdapterRecord, CheckpointId, Completion, Disagreement, ExampleId, Generation, Mode, NewRun, Observations,
    OutputEvaluation, Purpose, RunId, RunKind, TargetProbabilities, TrainStep,
};
use crate::store::{ExampleFilter, RunEnd};

/// The bytes of a state of the optimiser that differs from that of any other step.
pub(in crate::store) fn optimizer(step: u32) -> Vec<u8> {
    format!("state after step {step}").into_bytes()
}

/// A run that collects over prompts `prompt 0`, `prompt 1`, …
pub(in crate::store) fn collect_run(num_prompts: u32) -> NewRun {
    NewRun { kind: RunKind::Collect, command_line: "speclora collect".to_owned(), ..run(num_prompts) }
}

/// A run that trains, from a checkpoint or from nothing.
pub(in crate::store) fn train_run(from: Option<CheckpointId>) -> NewRun {
    NewRun {
        kind: RunKind::Train,
        command_line: "speclora train".to_owned(),
        checkpoint_id: from,
        num_planned_generations: 0,
        ..run(0)
    }
}

/// The generation with what was observed of it: two tokens' probabilities at each position, and a disagreement in each
/// round in which a proposal was refused.
pub(in crate::store) fn observed(generation: Generation) -> Generation {
    let Ok(completion) = generation.outcome else { unreachable!() };
    let observations = Some(observations(&completion));
    Generation { outcome: Ok(Completion { observations, ..completion }), ..generation }
}

fn observations(completion: &Completion) -> Observations {
    let decoded = &completion.decoded;
    let mut disagreements = vec![];
    let mut next_position = 1;
    for (index, round) in (0..).zip(&decoded.rounds) {
        let position = next_position + round.num_accepted;
        if round.num_accepted < round.num_drafted {
            disagreements.push(Disagreement {
                round: index,
                position,
                draft_token: 9,
                target_token: decoded.tokens[position as usize],
                draft_probability: 0.75,
                target_probability: 0.5,
            });
        }
        next_position += round.num_emitted;
    }
    let num_positions = decoded.tokens.len();
    let target = TargetProbabilities {
        temperature: 1.0,
        top_k: 2,
        tokens: decoded.tokens.iter().flat_map(|&token| [token, token + 1]).collect(),
        probabilities: [0.5, 0.25].map(f16::from_f32).repeat(num_positions),
        left_over: vec![0.25; num_positions],
    };
    Observations { prompt_tokens: vec![1, 2, 3], target, disagreements }
}

/// The answer to a prompt in a run that collects: five tokens, in one round whose first proposal is accepted and its
/// second not, and one that is accepted whole.
pub(in crate::store) fn answer(prompt_index: u32) -> Generation {
    let tokens = (0..5).map(|token| 100 * prompt_index + token).collect();
    observed(generation(slot(prompt_index, Mode::SpecBase, 0), tokens, 1.0, &[(2, 1), (1, 1)]))
}

/// Stores a run that has collected the answers to so many prompts, and returns it.
pub(in crate::store) fn collect(store: &mut Store, num_prompts: u32) -> RunId {
    let run = store.begin_run(&collect_run(num_prompts)).unwrap();
    for prompt_index in 0..num_prompts {
        store.record_generation(run, &answer(prompt_index)).unwrap();
    }
    store.finish_run(run, &RunEnd::Completed).unwrap();
    run
}

/// A database with three examples and a training run that has them, the last one held out.
pub(in crate::store) fn training() -> (TempDir, Store, RunId, Vec<ExampleId>) {
    let (folder, mut store) = super::store();
    collect(&mut store, 3);
    let ids = example_ids(&store);
    let purposes = [Purpose::Train, Purpose::Replay, Purpose::HeldOut];
    let examples: Vec<_> = ids.iter().copied().zip(purposes).collect();
    let run = store.begin_training(&train_run(None), &examples).unwrap();
    (folder, store, run, ids)
}

/// Stores an adapter and a state that differ from those of any other step.
pub(in crate::store) fn record_checkpoint(store: &mut Store, run: RunId, step: u32) -> CheckpointId {
    store.record_checkpoint(run, step, &trained_adapter(step), &model("draft"), &optimizer(step)).unwrap()
}

/// The ids of all examples.
pub(in crate::store) fn example_ids(store: &Store) -> Vec<ExampleId> {
    store.examples(&ExampleFilter::default()).unwrap().iter().map(|example| example.id).collect()
}

pub(in crate::store) fn step(step: u32, examples: &[ExampleId]) -> TrainStep {
    TrainStep {
        step,
        epoch: 1,
        loss: 2.0 / f64::from(step),
        gradient_norm: 0.5,
        learning_rate: 1e-4,
        num_positions: 10,
        num_tokens: 20,
        step_ns: 1_000_000,
        examples: examples.to_vec(),
    }
}

/// What a draft makes of ten positions, of which it would have this many accepted.
pub(in crate::store) fn evaluation(expected_acceptance: f64) -> OutputEvaluation {
    OutputEvaluation {
        num_positions: 10,
        expected_acceptance,
        num_agreements: 6,
        loss: 5.0,
        num_rounds: 4,
        num_drafted: 8,
        num_accepted: 5,
        num_emitted: 9,
    }
}

/// An adapter that differs from any of another number.
pub(in crate::store) fn trained_adapter(number: u32) -> AdapterRecord {
    let config_json = format!(r#"{{"number": {number}}}"#);
    AdapterRecord { config_json, source: format!("run {number}"), ..adapter(10) }
}

/// Stores a run that collects three prompts, one that trains on the first, replays the second and holds out the third, one
/// that goes on from its checkpoint with the second, and one that evaluates what came of it. All have ended; the first
/// is returned, the others follow.
pub(in crate::store) fn fill_training(store: &mut Store) -> RunId {
    let collected = collect(store, 3);
    let &[first, second, third] = example_ids(store).as_slice() else { unreachable!() };

    let examples = [(first, Purpose::Train), (second, Purpose::Replay), (third, Purpose::HeldOut)];
    let parent = store.begin_training(&train_run(None), &examples).unwrap();
    store.record_train_evaluation(parent, 0, &[(third, evaluation(4.0))]).unwrap();
    for number in 1..=2 {
        store.record_train_step(parent, &step(number, &[first])).unwrap();
    }
    store.record_train_evaluation(parent, 2, &[(third, evaluation(7.0))]).unwrap();
    let checkpoint =
        store.record_checkpoint(parent, 2, &trained_adapter(1), &model("draft"), &optimizer(2)).unwrap();
    store.record_train_step(parent, &step(3, &[second])).unwrap();
    store.finish_run(parent, &RunEnd::Interrupted).unwrap();

    let examples = [(second, Purpose::Train)];
    let child = store.begin_training(&train_run(Some(checkpoint)), &examples).unwrap();
    store.record_train_step(child, &step(1, &[second])).unwrap();
    let last =
        store.record_checkpoint(child, 1, &trained_adapter(2), &model("draft"), &optimizer(1)).unwrap();
    store.set_alias("best", last).unwrap();
    store.finish_run(child, &RunEnd::Completed).unwrap();

    let evaluating = NewRun { kind: RunKind::Evaluate, ..run(3) };
    let evaluating = store.begin_run(&evaluating).unwrap();
    for prompt_index in 0..3 {
        for (id, expected_acceptance) in [(None, 4.0), (Some(last), 8.0)] {
            let evaluation = evaluation(expected_acceptance);
            store.record_prompt_evaluation(evaluating, prompt_index, id, &evaluation).unwrap();
        }
    }
    store.finish_run(evaluating, &RunEnd::Completed).unwrap();
    collected
}
