//! The steps of a training run.

use std::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::dataset::{Example, PlanOptions, StepPlan, batch, plan};
use super::evaluate::{EvaluationOptions, evaluate};
use super::loss::Loss;
use super::optimizer::{AdamW, clip};
use super::schedule::Schedule;
use crate::engine::adapter::{Adapter, LoraWeights};
use crate::engine::config::{ModelConfig, Module};
use crate::engine::cpu::training::{Dropout, GradientOptions, Gradients, Judged, TrainingModel};
use crate::record::{ExampleId, LossKind, OutputEvaluation, TrainStep};

/// A loss that no training comes back from: a draft that knows nothing at all has ln(vocabulary), about 12.
const EXPLODED: f64 = 100.0;

/// What a run is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Order, epochs and batches.
    pub plan: PlanOptions,
    /// What is made small.
    pub loss: LossKind,
    /// Weight of positions where a proposal was refused.
    pub rejected_weight: f32,
    /// Learning rate after the warm-up.
    pub learning_rate: f64,
    /// Share of the steps over which it rises.
    pub warmup_ratio: f64,
    /// Norm that gradients are scaled down to.
    pub max_gradient_norm: f64,
    /// Share of the adapter's inputs that are dropped.
    pub dropout: f32,
    /// Whether activations are computed again for the gradient.
    pub gradient_checkpointing: bool,
    /// Steps between evaluations; about eight in a run if absent.
    pub eval_every: Option<u32>,
    /// Evaluations without a better one after which the run stops.
    pub patience: Option<u32>,
    /// Tokens a round, for what evaluations say of rounds.
    pub num_draft_tokens: usize,
}

/// Evaluations of a run whose settings do not say how often to evaluate.
const NUM_EVALUATIONS: u32 = 8;

/// Shape of an adapter that is yet to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterShape {
    /// Rank r.
    pub rank: usize,
    /// α of the scale α/r.
    pub alpha: f64,
    /// Modules of each block that it changes.
    pub modules: Vec<Module>,
}

/// An adapter at its beginning: A uniform within ±1/√in (Kaiming's, as PEFT has it), B zero, so that the draft is as it was.
pub fn new_adapter(shape: &AdapterShape, model: &ModelConfig, seed: u64) -> Adapter {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let places = (0..model.num_layers).flat_map(|index| {
        Module::ALL.into_iter().filter(|module| shape.modules.contains(module)).map(move |m| (index, m))
    });
    let layers = places.map(|place| {
        let [out, inside] = place.1.shape(model);
        let bound = 1.0 / (inside as f32).sqrt();
        let a = (0..shape.rank * inside).map(|_| rng.random_range(-bound..bound)).collect();
        let scale = (shape.alpha / shape.rank as f64) as f32;
        (place, LoraWeights { rank: shape.rank, scale, a, b: vec![0.0; out * shape.rank] })
    });
    Adapter::new(layers.collect())
}

/// Where a run begins, or goes on.
#[derive(Debug, Clone)]
pub struct Start {
    /// Steps done.
    pub step: u32,
    /// The adapter after them.
    pub adapter: Adapter,
    /// The optimiser after them.
    pub optimizer: AdamW,
    /// ᾱ of each evaluation so far, with its step, in the order of steps.
    pub evaluations: Vec<(u32, f64)>,
}

/// Who is told what happens; what it was told of is to be safe when it returns.
pub trait Log {
    /// An error of its own.
    type Error;

    /// A step was done.
    ///
    /// # Errors
    /// If the run is to end.
    fn step(&mut self, step: &TrainStep) -> Result<(), Self::Error>;

    /// Held-out examples are being judged: so many are done.
    ///
    /// # Errors
    /// If the run is to end.
    fn evaluating(&mut self, num_done: usize) -> Result<(), Self::Error>;

    /// Held-out examples were judged after `step` steps.
    ///
    /// # Errors
    /// If the run is to end.
    fn evaluated(
        &mut self,
        step: u32,
        evaluations: &[(ExampleId, OutputEvaluation)],
    ) -> Result<(), Self::Error>;

    /// From here the run can go on.
    ///
    /// # Errors
    /// If the run is to end.
    fn checkpoint(&mut self, step: u32, adapter: &Adapter, optimizer: &AdamW) -> Result<(), Self::Error>;

    /// Whether the run is to end at a checkpoint.
    fn is_cancelled(&self) -> bool;
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ended {
    /// All steps are done.
    Completed,
    /// It did not get better any more.
    Early {
        /// The last step.
        step: u32,
    },
    /// The log asked for it.
    Cancelled {
        /// The last step, from which the run can go on.
        step: u32,
    },
    /// The loss was no number, or beyond all measure.
    Broken {
        /// The step.
        step: u32,
        /// Its loss.
        loss: f64,
    },
}

/// A run with its model and examples.
#[derive(Debug)]
pub struct Trainer<'a> {
    /// The draft.
    pub model: &'a TrainingModel,
    /// Examples to learn from: those to learn first, then those to replay.
    pub examples: &'a [Example],
    /// How many of them are to be learned; the others are replayed.
    pub num_train: usize,
    /// Examples that decide which checkpoint is best.
    pub held_out: &'a [Example],
    /// What to do.
    pub options: TrainOptions,
}

impl Trainer<'_> {
    /// What each step learns from.
    pub fn steps(&self) -> Vec<StepPlan> {
        plan(&self.options.plan, self.num_train, self.examples.len() - self.num_train)
    }

    /// Steps between evaluations.
    pub fn eval_every(&self, num_steps: u32) -> u32 {
        self.options.eval_every.unwrap_or_else(|| num_steps.div_ceil(NUM_EVALUATIONS)).max(1)
    }

    /// Goes through the steps that are left.
    ///
    /// # Errors
    /// Those of the log.
    pub fn run<L: Log>(&self, start: Start, log: &mut L) -> Result<Ended, L::Error> {
        let Start { step: first, mut adapter, mut optimizer, mut evaluations } = start;
        let steps = self.steps();
        let num_steps = steps.len() as u32;
        let eval_every = self.eval_every(num_steps);
        let TrainOptions { learning_rate: peak, warmup_ratio, max_gradient_norm, .. } = self.options;
        let schedule = Schedule { num_steps, warmup_ratio, peak };
        let is_due = |step: u32| step.is_multiple_of(eval_every) || step == num_steps;
        if first == 0 {
            evaluations.clear();
            // One that has learned nothing is judged as the draft is that has none, which reads prompts in full.
            let judged = Some(&adapter).filter(|adapter| !adapter.is_zero());
            if let Some(broken) = self.evaluate(0, judged, &mut evaluations, log)? {
                return Ok(broken);
            }
        } else {
            // What was cancelled may have left out an evaluation.
            let is_missing = is_due(first) && evaluations.last().is_none_or(|(step, _)| *step < first);
            if is_missing && let Some(broken) = self.evaluate(first, Some(&adapter), &mut evaluations, log)? {
                return Ok(broken);
            }
            if self.is_stuck(&evaluations) {
                return Ok(Ended::Early { step: first });
            }
        }
        for (step, planned) in (first + 1..).zip(&steps[first as usize..]) {
            let began = Instant::now();
            let loss = Loss::new(self.options.loss, evaluations.last().map(|(_, acceptance)| *acceptance));
            let mut learned = self.learn(step, planned, &adapter, loss);
            let gradient_norm = clip(&mut learned.gradients, max_gradient_norm);
            let learning_rate = schedule.learning_rate(step);
            let is_sound = learned.loss.is_finite() && gradient_norm.is_finite() && learned.loss < EXPLODED;
            if is_sound {
                optimizer.update(&mut adapter, &learned.gradients, learning_rate);
            }
            log.step(&TrainStep {
                step,
                epoch: planned.epoch,
                loss: learned.loss,
                gradient_norm,
                learning_rate,
                num_positions: learned.num_positions,
                num_tokens: learned.num_tokens,
                step_ns: u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX),
                examples: planned.batches.concat().into_iter().map(|index| self.examples[index].id).collect(),
            })?;
            if !is_sound {
                return Ok(Ended::Broken { step, loss: learned.loss });
            }
            if is_due(step) && !log.is_cancelled() {
                match self.evaluate(step, Some(&adapter), &mut evaluations, log) {
                    Ok(Some(broken)) => return Ok(broken),
                    Err(error) if !log.is_cancelled() => return Err(error),
                    // One that was cancelled under way is made up for when the run goes on.
                    Ok(None) | Err(_) => {}
                }
            }
            if is_due(step) || log.is_cancelled() {
                log.checkpoint(step, &adapter, &optimizer)?;
            }
            if log.is_cancelled() {
                return Ok(Ended::Cancelled { step });
            }
            if is_due(step) && step < num_steps && self.is_stuck(&evaluations) {
                return Ok(Ended::Early { step });
            }
        }
        Ok(Ended::Completed)
    }

    /// The gradient of a step's mean loss.
    fn learn(&self, step: u32, planned: &StepPlan, adapter: &Adapter, loss: Loss) -> Learned {
        let rejected_weight = self.options.rejected_weight;
        let examples = |batch: &[usize]| batch.iter().map(|&index| &self.examples[index]).collect::<Vec<_>>();
        let all = examples(&planned.batches.concat());
        let weights = || all.iter().flat_map(|example| example.weights(rejected_weight));
        let total_weight = weights().sum::<f32>().max(f32::MIN_POSITIVE);
        let mut learned =
            Learned { loss: 0.0, gradients: Gradients::default(), num_positions: 0, num_tokens: 0 };
        for (index, numbers) in planned.batches.iter().enumerate() {
            let some = examples(numbers);
            let batch = batch(&some, Some(adapter));
            let wanted: Vec<_> = some.iter().flat_map(|example| example.wanted()).collect();
            let targets: Vec<_> = some.iter().flat_map(|example| example.targets()).collect();
            let weights: Vec<f32> =
                some.iter().flat_map(|example| example.weights(rejected_weight)).collect();
            let options = GradientOptions {
                dropout: self.dropout(step, index),
                checkpointing: self.options.gradient_checkpointing,
            };
            let (losses, gradients) =
                self.model.gradients(adapter, &batch, &wanted, options, |row, draft| {
                    let (loss, mut gradient) = loss.at(&targets[row].0, draft);
                    let share = weights[row] / total_weight;
                    gradient.iter_mut().for_each(|d| *d *= share);
                    Judged { value: loss * f64::from(share), gradient }
                });
            learned.loss += losses.iter().sum::<f64>();
            learned.num_positions += losses.len() as u32;
            learned.num_tokens += batch.num_rows() as u32;
            learned.gradients.add(gradients);
        }
        learned
    }

    /// Dropout of a batch: another in each batch of each step, and the same whenever that step is done.
    fn dropout(&self, step: u32, batch: usize) -> Option<Dropout> {
        let share = self.options.dropout;
        let number = u64::from(step) * self.options.plan.gradient_accumulation as u64 + batch as u64;
        (share > 0.0).then(|| Dropout { share, seed: self.options.plan.seed ^ number.rotate_left(32) })
    }

    /// Judges the held-out examples; a draft whose loss on them is no number ends the run.
    fn evaluate<L: Log>(
        &self,
        step: u32,
        adapter: Option<&Adapter>,
        evaluations: &mut Vec<(u32, f64)>,
        log: &mut L,
    ) -> Result<Option<Ended>, L::Error> {
        if self.held_out.is_empty() {
            return Ok(None);
        }
        let options = EvaluationOptions {
            loss: Loss::new(self.options.loss, evaluations.last().map(|(_, acceptance)| *acceptance)),
            num_draft_tokens: self.options.num_draft_tokens,
            batch_size: self.options.plan.batch_size,
        };
        let judged =
            evaluate(self.model, adapter, self.held_out, &options, |num_done| log.evaluating(num_done))?;
        let num_positions: u32 = judged.iter().map(|evaluation| evaluation.num_positions).sum();
        let accepted: f64 = judged.iter().map(|evaluation| evaluation.expected_acceptance).sum();
        let loss = judged.iter().map(|evaluation| evaluation.loss).sum::<f64>() / f64::from(num_positions);
        if !(loss.is_finite() && accepted.is_finite()) {
            return Ok(Some(Ended::Broken { step, loss }));
        }
        let rows: Vec<_> = self.held_out.iter().map(|example| example.id).zip(judged).collect();
        log.evaluated(step, &rows)?;
        evaluations.push((step, accepted / f64::from(num_positions)));
        Ok(None)
    }

    /// Whether the last evaluations, as many as patience allows, brought nothing better.
    fn is_stuck(&self, evaluations: &[(u32, f64)]) -> bool {
        let Some(patience) = self.options.patience else {
            return false;
        };
        let best =
            evaluations.iter().enumerate().max_by(|(_, a), (_, b)| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        best.is_some_and(|(index, _)| evaluations.len() - 1 - index >= patience as usize)
    }
}

/// What a step learned, before the optimiser.
struct Learned {
    loss: f64,
    gradients: Gradients,
    num_positions: u32,
    num_tokens: u32,
}
