//! Gradients against finite differences, and runs against uninterrupted ones, on tiny random models of every family.

use std::path::Path;

use half::f16;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::dataset::{Example, PlanOptions, batch};
use super::evaluate::{EvaluationOptions, evaluate};
use super::loss::Loss;
use super::optimizer::AdamW;
use super::trainer::{AdapterShape, Ended, Log, Start, TrainOptions, Trainer, new_adapter};
use crate::engine::adapter::{Adapter, SkippedPrompt};
use crate::engine::config::Module;
use crate::engine::cpu::training::{Dropout, GradientOptions, Gradients, Judged, TrainingModel};
use crate::engine::cpu::{CpuModel, LoadOptions};
use crate::engine::decoder::{Decoder as _, DecoderOptions, Rows};
use crate::engine::files::ModelFiles;
use crate::record::{ExampleId, ExampleSummary, LossKind, OutputEvaluation, TargetProbabilities, TrainStep};

const FAMILIES: [&str; 3] = ["llama-untied", "qwen2-tied", "qwen3-tied"];
const TOP_K: usize = 5;

fn cpu_model(name: &str) -> CpuModel {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name);
    CpuModel::load(&ModelFiles::open(&folder).unwrap(), LoadOptions::detect(), |_, _| ()).unwrap()
}

fn training_model(name: &str) -> TrainingModel {
    TrainingModel::new(&cpu_model(name), usize::MAX)
}

/// What the prompts of examples begin with.
const NUM_SHARED: usize = 9;

/// Outputs to prompts that begin alike, with made-up thoughts of a target.
fn examples(vocab_size: usize, num_examples: usize) -> Vec<Example> {
    examples_reading(|prompt| prompt, vocab_size, num_examples)
}

/// The same with what is made of their prompts.
fn examples_reading(
    read: impl Fn(Vec<u32>) -> Vec<u32>,
    vocab_size: usize,
    num_examples: usize,
) -> Vec<Example> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut token = move || rng.random_range(0..vocab_size as u32);
    let system: Vec<u32> = (0..NUM_SHARED).map(|_| token()).collect();
    let mut example = |index: usize| {
        let prompt = system.iter().copied().chain((0..3 + index).map(|_| token()));
        let prompt_tokens = read(prompt.collect());
        let output_tokens: Vec<u32> = (0..4 + index % 3).map(|_| token()).collect();
        let mut target = TargetProbabilities {
            temperature: 1.0,
            top_k: TOP_K as u32,
            tokens: vec![],
            probabilities: vec![],
            left_over: vec![0.125; output_tokens.len()],
        };
        for (position, &emitted) in output_tokens.iter().enumerate() {
            let others = (1..TOP_K as u32).map(|k| (emitted + 7 * k + position as u32) % vocab_size as u32);
            target.tokens.extend([emitted].into_iter().chain(others));
            target.probabilities.extend([0.5, 0.1875, 0.125, 0.046_875, 0.015_625].map(f16::from_f32));
        }
        let summary = ExampleSummary {
            id: ExampleId(index as i64),
            prompt: index.to_string(),
            prompt_tokens,
            output_tokens,
            rejected_positions: vec![2],
            acceptance_rate: None,
            split_key: 0.0,
        };
        Example::new(summary, &target, vocab_size).unwrap()
    };
    (0..num_examples).map(&mut example).collect()
}

/// An adapter of all modules, with neither A nor B zero.
fn adapter(model: &TrainingModel) -> Adapter {
    let shape = AdapterShape { rank: 3, alpha: 6.0, modules: Module::ALL.to_vec() };
    let mut adapter = new_adapter(&shape, model.config(), 5);
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let all_b = adapter.layers.values_mut().flat_map(|layer| &mut layer.b);
    all_b.for_each(|b| *b = rng.random_range(-0.2..0.2));
    adapter
}

/// Mean loss and its gradient.
fn loss_and_gradient(
    model: &TrainingModel,
    adapter: &Adapter,
    examples: &[Example],
    loss: Loss,
    options: GradientOptions,
) -> (f64, Gradients) {
    let examples: Vec<&Example> = examples.iter().collect();
    let wanted: Vec<_> = examples.iter().flat_map(|example| example.wanted()).collect();
    let targets: Vec<_> = examples.iter().flat_map(|example| example.targets()).collect();
    let num_positions = targets.len() as f32;
    let (losses, gradients) =
        model.gradients(adapter, &batch(&examples, Some(adapter)), &wanted, options, |row, draft| {
            let (loss, mut gradient) = loss.at(&targets[row].0, draft);
            gradient.iter_mut().for_each(|d| *d /= num_positions);
            Judged { value: loss, gradient }
        });
    (losses.iter().sum::<f64>() / f64::from(num_positions), gradients)
}

/// Moves one tensor of an adapter along a direction.
fn moved(adapter: &Adapter, place: (usize, Module), is_a: bool, direction: &[f32], by: f32) -> Adapter {
    let mut moved = adapter.clone();
    let layer = moved.layers.get_mut(&place).unwrap();
    let tensor = if is_a { &mut layer.a } else { &mut layer.b };
    tensor.iter_mut().zip(direction).for_each(|(value, direction)| *value += by * direction);
    moved
}

/// Compares the gradient of every tensor with central differences, along itself and along another direction.
#[track_caller]
fn check_gradients(family: &str, kind: LossKind, options: GradientOptions) {
    let model = training_model(family);
    let (examples, adapter) = (examples(model.config().vocab_size, 3), adapter(&model));
    let loss = Loss { kind, mixing: 0.4 };
    let (_, gradients) = loss_and_gradient(&model, &adapter, &examples, loss, options);
    assert_eq!(gradients.layers.len(), model.config().num_layers * Module::ALL.len());
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    for (&place, gradient) in &gradients.layers {
        for (is_a, gradient) in [(true, &gradient.a), (false, &gradient.b)] {
            let norm = gradient.iter().map(|d| d * d).sum::<f32>().sqrt();
            assert!(norm > 1e-6, "{family} {kind} {place:?}: there is a gradient");
            let along: Vec<f32> = gradient.iter().map(|d| d / norm).collect();
            let other: Vec<f32> = gradient.iter().map(|_| rng.random_range(-0.1..0.1)).collect();
            for direction in [along, other] {
                let expected: f32 = direction.iter().zip(gradient).map(|(a, b)| a * b).sum();
                let length = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
                // Where p and q cross, the total variation has a kink, so that a step over it must be short.
                let is_smooth = !matches!(kind, LossKind::TotalVariation | LossKind::LkHybrid);
                let (by, share) = if is_smooth { (0.02 / length, 0.03) } else { (0.005 / length, 0.1) };
                let at = |by| {
                    let adapter = moved(&adapter, place, is_a, &direction, by);
                    loss_and_gradient(&model, &adapter, &examples, loss, options).0
                };
                let slope = ((at(by) - at(-by)) / f64::from(2.0 * by)) as f32;
                let tolerance = share * norm * length + 1e-4;
                assert!(
                    (slope - expected).abs() < tolerance,
                    "{family} {kind} {place:?} A: {is_a}: {expected}, not {slope}"
                );
            }
        }
    }
}

#[test]
fn every_tensor_of_every_family_gets_the_gradient_of_every_loss() {
    for family in FAMILIES {
        for &kind in LossKind::ALL {
            check_gradients(family, kind, GradientOptions::default());
        }
    }
}

#[test]
fn gradient_through_dropout_is_that_of_the_values_that_stayed() {
    let dropout = Some(Dropout { share: 0.3, seed: 4 });
    check_gradients("qwen3-tied", LossKind::ForwardKl, GradientOptions { dropout, checkpointing: false });
}

#[test]
fn activations_that_are_computed_again_give_the_same_bits() {
    for family in FAMILIES {
        let model = training_model(family);
        let (examples, adapter) = (examples(model.config().vocab_size, 2), adapter(&model));
        let loss = Loss::new(LossKind::ForwardKl, None);
        let dropout = Some(Dropout { share: 0.1, seed: 4 });
        let gradient = |checkpointing| {
            loss_and_gradient(&model, &adapter, &examples, loss, GradientOptions { dropout, checkpointing })
        };
        assert_eq!(gradient(true), gradient(false));
    }
}

#[test]
fn draft_in_training_thinks_what_it_thinks_when_it_decodes() {
    for family in FAMILIES {
        let cpu_model = cpu_model(family);
        let model = TrainingModel::new(&cpu_model, usize::MAX);
        let vocab_size = model.config().vocab_size;
        let (examples, adapter) = (examples(vocab_size, 3), adapter(&model));
        for adapter in [None, Some(&adapter)] {
            let some: Vec<&Example> = examples.iter().collect();
            let wanted: Vec<_> = some.iter().flat_map(|example| example.wanted()).collect();
            let rows = model.judge(adapter, &batch(&some, adapter), &wanted, |_, draft| draft.clone());
            let mut expected = Vec::new();
            for example in &examples {
                let (prompt, output) = example.tokens();
                let options = DecoderOptions { adapter, ..DecoderOptions::with_capacity(64) };
                let mut decoder = cpu_model.decoder(options);
                let tokens = [prompt, output].concat();
                let logits = decoder.forward(&tokens, Rows::All).unwrap();
                for (index, wanted) in example.wanted().enumerate() {
                    let row = logits.row(prompt.len() - 1 + index);
                    let total = row.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln() as f32;
                    expected.push(
                        wanted.tokens.iter().map(|&token| row[token as usize] - total).collect::<Vec<_>>(),
                    );
                }
            }
            for (row, expected) in rows.iter().zip(&expected) {
                for (found, expected) in row.log_probabilities.iter().zip(expected) {
                    assert!((found - expected).abs() < 1e-4, "{family}: {found}, not {expected}");
                }
                let mass: f32 = expected.iter().map(|log| log.exp()).sum();
                assert!((row.left_over - (1.0 - mass)).abs() < 1e-5);
            }
            assert_eq!(rows.len(), expected.len());
        }
    }
}

/// Remembers what it is told.
#[derive(Default)]
struct Notes {
    losses: Vec<(u32, f64)>,
    acceptance: Vec<(u32, f64)>,
    checkpoints: Vec<(u32, Adapter, Vec<u8>)>,
    learned_from: Vec<ExampleId>,
    /// The step after which an error ends the run.
    stop_after: Option<u32>,
    /// The step after which it is cancelled.
    cancel_after: Option<u32>,
    /// Whether it goes on until it evaluates.
    cancel_evaluating: bool,
    is_cancelled: bool,
}

impl Log for Notes {
    type Error = ();

    fn step(&mut self, step: &TrainStep) -> Result<(), ()> {
        self.losses.push((step.step, step.loss));
        self.learned_from.extend(&step.examples);
        self.is_cancelled = self.cancel_after == Some(step.step) && !self.cancel_evaluating;
        if self.stop_after == Some(step.step) { Err(()) } else { Ok(()) }
    }

    fn evaluating(&mut self, _: usize) -> Result<(), ()> {
        let last = self.losses.last().map(|(step, _)| *step);
        self.is_cancelled = self.cancel_evaluating && last.is_some() && last == self.cancel_after;
        if self.is_cancelled { Err(()) } else { Ok(()) }
    }

    fn evaluated(&mut self, step: u32, evaluations: &[(ExampleId, OutputEvaluation)]) -> Result<(), ()> {
        let accepted: f64 = evaluations.iter().map(|(_, evaluation)| evaluation.expected_acceptance).sum();
        let num_positions: u32 = evaluations.iter().map(|(_, evaluation)| evaluation.num_positions).sum();
        self.acceptance.push((step, accepted / f64::from(num_positions)));
        Ok(())
    }

    fn checkpoint(&mut self, step: u32, adapter: &Adapter, optimizer: &AdamW) -> Result<(), ()> {
        self.checkpoints.push((step, adapter.clone(), optimizer.to_bytes()));
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled
    }
}

fn options() -> TrainOptions {
    TrainOptions {
        plan: PlanOptions { seed: 2, epochs: 6, batch_size: 2, gradient_accumulation: 2, replay_ratio: 0.2 },
        loss: LossKind::ForwardKl,
        rejected_weight: 2.0,
        learning_rate: 0.01,
        warmup_ratio: 0.1,
        max_gradient_norm: 1.0,
        dropout: 0.1,
        gradient_checkpointing: false,
        eval_every: Some(4),
        patience: None,
        num_draft_tokens: 3,
    }
}

/// A trainer on ten examples, of which the last two are replayed, with two more held out.
fn with_trainer<T>(options: TrainOptions, f: impl FnOnce(&Trainer) -> T) -> T {
    let model = training_model("qwen2-tied");
    let all = examples(model.config().vocab_size, 12);
    let (examples, held_out) = all.split_at(10);
    f(&Trainer { model: &model, examples, num_train: 8, held_out, options })
}

fn start(trainer: &Trainer) -> Start {
    let shape = AdapterShape { rank: 4, alpha: 8.0, modules: Module::ALL.to_vec() };
    let adapter = new_adapter(&shape, trainer.model.config(), 0);
    Start { step: 0, optimizer: AdamW::new(&adapter, 0.0), adapter, evaluations: vec![] }
}

#[test]
fn loss_falls_and_held_out_examples_are_never_learned() {
    with_trainer(options(), |trainer| {
        let mut notes = Notes::default();
        assert_eq!(trainer.run(start(trainer), &mut notes), Ok(Ended::Completed));
        let mean = |some: &[(u32, f64)]| some.iter().map(|(_, loss)| loss).sum::<f64>() / some.len() as f64;
        let (first, last) = (mean(&notes.losses[..3]), mean(&notes.losses[notes.losses.len() - 3..]));
        assert!(last < 0.5 * first, "{first} to {last}");
        assert!(notes.learned_from.iter().all(|id| id.0 < 10));
        // Six epochs of 10 examples are 18 steps; every fourth and the last is evaluated and kept.
        assert_eq!(notes.losses.len(), 18);
        assert!(notes.acceptance.iter().map(|(step, _)| *step).eq([0, 4, 8, 12, 16, 18]));
        assert!(notes.checkpoints.iter().map(|(step, ..)| *step).eq([4, 8, 12, 16, 18]));
    });
}

#[test]
fn what_is_skipped_is_not_there_for_an_adapted_draft_alone() {
    let model = training_model("llama-untied");
    let vocab_size = model.config().vocab_size;
    let all = examples(vocab_size, 6);
    let reading = adapter(&model);
    let skipped_prompt = SkippedPrompt::new(all[0].prompt()[..NUM_SHARED].to_vec());
    let skipping = Adapter { skipped_prompt: skipped_prompt.clone(), ..reading.clone() };
    // No prompt goes on with the token that it begins with, which is therefore read.
    assert!(all.iter().all(|example| example.prompt()[NUM_SHARED] != example.prompt()[0]));
    let rest = |prompt: Vec<u32>| [&prompt[..1], &prompt[NUM_SHARED..]].concat();
    let rests = examples_reading(rest, vocab_size, 6);

    let loss = Loss::new(LossKind::ForwardKl, None);
    let evaluation = EvaluationOptions { loss, num_draft_tokens: 3, batch_size: 4 };
    let judged = |adapter: Option<&Adapter>, examples: &[Example]| {
        evaluate(&model, adapter, examples, &evaluation, |_| Ok::<_, ()>(())).unwrap()
    };
    assert_eq!(judged(Some(&skipping), &all), judged(Some(&reading), &rests));
    assert_ne!(judged(Some(&skipping), &all), judged(Some(&reading), &all));
    let gradients = |adapter: &Adapter, examples: &[Example]| {
        loss_and_gradient(&model, adapter, examples, loss, GradientOptions::default())
    };
    assert_eq!(gradients(&skipping, &all), gradients(&reading, &rests));

    // A run begins with the plain draft, which reads everything.
    let (examples, held_out) = all.split_at(4);
    let trainer = Trainer { model: &model, examples, num_train: 4, held_out, options: options() };
    let Start { adapter, .. } = start(&trainer);
    let adapter = Adapter { skipped_prompt, ..adapter };
    let mut notes = Notes::default();
    let beginning = Start { adapter, ..start(&trainer) };
    trainer.run(beginning, &mut notes).unwrap();
    let plain = judged(None, held_out);
    let accepted: f64 = plain.iter().map(|evaluation| evaluation.expected_acceptance).sum();
    let num_positions: u32 = plain.iter().map(|evaluation| evaluation.num_positions).sum();
    assert_eq!(notes.acceptance[0], (0, accepted / f64::from(num_positions)));
    let (_, last, _) = notes.checkpoints.last().unwrap();
    assert_eq!(last.skipped_prompt.tokens().len(), NUM_SHARED);
}

#[test]
fn run_that_goes_on_from_a_checkpoint_has_the_same_losses_and_ends_the_same() {
    with_trainer(options(), |trainer| {
        let mut whole = Notes::default();
        trainer.run(start(trainer), &mut whole).unwrap();

        let mut cut = Notes { stop_after: Some(10), ..Notes::default() };
        assert_eq!(trainer.run(start(trainer), &mut cut), Err(()));
        let (step, adapter, state) = cut.checkpoints.pop().unwrap();
        assert_eq!(step, 8);
        let optimizer = AdamW::from_bytes(&state, &adapter, 0.0).unwrap();
        let mut rest = Notes::default();
        let resumed = Start { step, adapter, optimizer, evaluations: cut.acceptance };
        trainer.run(resumed, &mut rest).unwrap();
        assert_eq!(rest.losses, whole.losses[8..]);
        assert_eq!(rest.checkpoints.last(), whole.checkpoints.last());
    });
}

#[test]
fn run_that_was_cancelled_goes_on_after_its_last_step_and_ends_the_same() {
    with_trainer(TrainOptions { loss: LossKind::LkHybrid, ..options() }, |trainer| {
        let mut whole = Notes::default();
        trainer.run(start(trainer), &mut whole).unwrap();
        let num_steps = whole.losses.len() as u32;

        // Between evaluations; before, at and in one; after the last step.
        for (step, evaluating) in
            [(1, false), (7, false), (8, false), (8, true), (9, false), (num_steps, false), (num_steps, true)]
        {
            let mut cut =
                Notes { cancel_after: Some(step), cancel_evaluating: evaluating, ..Notes::default() };
            assert_eq!(trainer.run(start(trainer), &mut cut), Ok(Ended::Cancelled { step }));
            let last = cut.checkpoints.pop().unwrap();
            assert_eq!((last.0, cut.losses.len()), (step, step as usize));
            let (adapter, evaluations) = (last.1.clone(), cut.acceptance.clone());
            let optimizer = AdamW::from_bytes(&last.2, &adapter, 0.0).unwrap();
            let mut rest = Notes::default();
            let resumed = Start { step, adapter, optimizer, evaluations };
            assert_eq!(trainer.run(resumed, &mut rest), Ok(Ended::Completed));
            assert_eq!([cut.losses, rest.losses].concat(), whole.losses, "{step}");
            assert_eq!([cut.acceptance, rest.acceptance].concat(), whole.acceptance, "{step}");
            assert_eq!(Some(rest.checkpoints.last().unwrap_or(&last)), whole.checkpoints.last(), "{step}");
        }
    });
}

#[test]
fn same_seed_gives_the_same_run_and_another_another() {
    let losses = |seed| {
        let plan = PlanOptions { seed, epochs: 1, ..options().plan };
        with_trainer(TrainOptions { plan, ..options() }, |trainer| {
            let mut notes = Notes::default();
            trainer.run(start(trainer), &mut notes).unwrap();
            notes.losses
        })
    };
    assert_eq!(losses(1), losses(1));
    assert_ne!(losses(1), losses(2));
}

#[test]
fn loss_that_is_no_number_ends_the_run_and_leaves_the_last_checkpoint() {
    with_trainer(options(), |trainer| {
        let mut broken = start(trainer);
        broken.adapter.layers.values_mut().for_each(|layer| layer.b.fill(f32::NAN));
        // On held-out examples it shows before the first step, without them in it.
        for (held_out, broken_step, num_steps) in [(trainer.held_out, 0, 0), (&[], 1, 1)] {
            let mut notes = Notes::default();
            let trainer = Trainer { held_out, options: trainer.options.clone(), ..*trainer };
            let ended = trainer.run(broken.clone(), &mut notes).unwrap();
            assert!(
                matches!(ended, Ended::Broken { step, loss } if step == broken_step && loss.is_nan()),
                "{ended:?}"
            );
            assert!(notes.losses.len() == num_steps && notes.checkpoints.is_empty());
        }
    });
}

#[test]
fn run_that_gets_no_better_stops_early() {
    let options = TrainOptions { learning_rate: 0.0, eval_every: Some(2), patience: Some(2), ..options() };
    with_trainer(options, |trainer| {
        let mut notes = Notes::default();
        assert_eq!(trainer.run(start(trainer), &mut notes), Ok(Ended::Early { step: 4 }));
    });
}
