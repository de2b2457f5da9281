//! Training at work: loads the draft, goes through the steps, and stores each as it ends.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::anyhow;

use super::prepare::{Examples, Job};
use super::promote::{self, Held};
use crate::cmd::bench::job::Ended as Finished;
use crate::cmd::context::{Context, backend};
use crate::cmd::{Interrupted, interrupt};
use crate::config::Spec;
use crate::engine::adapter::{Adapter, PeftExport, SkippedPrompt};
use crate::engine::config::{ModelConfig, Module};
use crate::engine::cpu::training::TrainingModel;
use crate::engine::cpu::{CpuModel, LoadOptions};
use crate::engine::pair::Identified;
use crate::engine::threads;
use crate::record::{ExampleId, ModelInfo, OutputEvaluation, RunId, TrainStep};
use crate::store::{RunEnd, Store};
use crate::train::dataset::PlanOptions;
use crate::train::optimizer::AdamW;
use crate::train::schedule::learning_rate_for;
use crate::train::trainer::{AdapterShape, Ended, Log, Start, TrainOptions, Trainer, new_adapter};
use crate::ui::Progress;

/// Carries out a job to its end, and returns the store with the run in it.
///
/// # Errors
/// If the run could not begin, or its end could not be stored.
pub(super) fn carry_out(job: Job, context: &Context) -> anyhow::Result<Finished> {
    let Job { run, new_run, spec, mut store, draft, from, examples, skipped_prompt } = job;
    if let Some(num_threads) = spec.threads {
        threads::limit(num_threads);
    }
    let model = load(&draft, &spec, context)?;
    let cancel = interrupt::listen(context.ui.speaker(), new_run.kind)?;
    let Examples { purposes, learned, num_train, held_out } = examples;
    let trainer = Trainer {
        model: &model,
        examples: &learned,
        num_train,
        held_out: &held_out,
        options: options(&spec, model.config()),
    };

    let resumed = match run {
        Some(run) => resumed_start(run, &store, &trainer, &spec)?,
        None => None,
    };
    let start = resumed.unwrap_or_else(|| beginning(&trainer, from, skipped_prompt, &spec));
    let run = match run {
        Some(run) => {
            store.resume_run(run, &new_run.environment)?;
            run
        }
        None => store.begin_training(&new_run, &purposes)?,
    };
    let num_steps = trainer.steps().len() as u32;
    let done = if start.step > 0 { format!(", {} of them done", start.step) } else { String::new() };
    context.ui.status(format!(
        "run {run} in {}: {num_steps} steps{done}, {num_train} examples to learn, {} to replay, {} held out",
        store.path().display(),
        learned.len() - num_train,
        held_out.len(),
    ));
    if num_train < learned.len() - num_train {
        let threshold = spec.acceptance_threshold;
        context.ui.note(match new_run.checkpoint_id {
            Some(id) => format!(
                "most examples are only replayed: checkpoint {id} has learned from them, or the plain draft matches them \
                 (acceptance of {threshold} or more)"
            ),
            None => format!(
                "the draft matches most examples already (acceptance of {threshold} or more), so that these are only \
                 replayed (--acceptance-threshold 1 learns from nearly all)"
            ),
        });
    }
    let mut recording = Recording {
        store: &mut store,
        run,
        context,
        cancel: &cancel,
        draft: &draft.info,
        export: export(&spec, &draft, run),
        progress: context.ui.progress("training", "steps", num_steps.into()),
        num_steps,
        loss: None,
        acceptance: start.evaluations.last().map(|(_, acceptance)| *acceptance),
    };
    recording.progress.advance(start.step.into());
    let ended = trainer.run(start, &mut recording);
    drop(recording);
    let held = Held { run, from: new_run.checkpoint_id, trainer: &trainer, draft: &draft, cancel: &cancel };
    let error = finish(&mut store, ended, &held, context)?;
    Ok(Finished { store, run, error })
}

fn load(draft: &Identified, spec: &Spec, context: &Context) -> anyhow::Result<TrainingModel> {
    let options = LoadOptions { backend: backend(spec)?, quantization: spec.draft_quant, vocabulary: None };
    let progress = context.ui.progress("loading", "layers", draft.info.num_layers.into());
    let model = CpuModel::load(&draft.files, options, |_, _| progress.advance(1))?;
    Ok(TrainingModel::new(&model, draft.tokenizer.vocab_size()))
}

fn options(spec: &Spec, draft: &ModelConfig) -> TrainOptions {
    TrainOptions {
        plan: PlanOptions {
            seed: spec.seed,
            epochs: spec.epochs,
            batch_size: spec.batch_size as usize,
            gradient_accumulation: spec.gradient_accumulation as usize,
            replay_ratio: spec.replay_ratio,
        },
        loss: spec.loss,
        rejected_weight: spec.rejected_weight as f32,
        learning_rate: spec.learning_rate.unwrap_or_else(|| learning_rate_for(draft.hidden_size)),
        warmup_ratio: spec.warmup_ratio,
        max_gradient_norm: spec.max_gradient_norm,
        dropout: spec.dropout as f32,
        gradient_checkpointing: spec.gradient_checkpointing,
        eval_every: spec.eval_every,
        patience: spec.patience,
        num_draft_tokens: spec.num_draft_tokens as usize,
    }
}

fn alpha(spec: &Spec) -> f64 {
    spec.alpha.unwrap_or(2.0 * f64::from(spec.rank))
}

fn beginning(trainer: &Trainer, from: Option<Adapter>, skipped_prompt: SkippedPrompt, spec: &Spec) -> Start {
    let is_wanted = |module: &Module| spec.target_modules.iter().any(|name| name == module.name());
    let adapter = from.unwrap_or_else(|| {
        let modules = Module::ALL.into_iter().filter(is_wanted).collect();
        let shape = AdapterShape { rank: spec.rank as usize, alpha: alpha(spec), modules };
        new_adapter(&shape, trainer.model.config(), spec.seed)
    });
    let adapter = Adapter { skipped_prompt, ..adapter };
    Start { step: 0, optimizer: AdamW::new(&adapter, spec.weight_decay), adapter, evaluations: vec![] }
}

/// Where an earlier run goes on: at its newest checkpoint; `None` if it has none.
fn resumed_start(run: RunId, store: &Store, trainer: &Trainer, spec: &Spec) -> anyhow::Result<Option<Start>> {
    let Some(state) = store.training_state(run)? else {
        return Ok(None);
    };
    let adapter = Adapter::fit(&store.load_adapter(state.checkpoint_id)?, trainer.model.config())?;
    let optimizer = AdamW::from_bytes(&state.optimizer, &adapter, spec.weight_decay)
        .map_err(|problem| anyhow!("the optimiser's state of run {run} is damaged: {problem}"))?;
    let evaluations = store.train_evaluations(run)?.into_iter().filter(|figures| figures.step <= state.step);
    Ok(Some(Start {
        step: state.step,
        adapter,
        optimizer,
        evaluations: evaluations.map(|figures| (figures.step, figures.expected_acceptance)).collect(),
    }))
}

fn export(spec: &Spec, draft: &Identified, run: RunId) -> PeftExport {
    PeftExport {
        rank: spec.rank as usize,
        alpha: alpha(spec),
        dropout: spec.dropout,
        base_model: draft.info.name.clone(),
        source: format!("run {run}"),
    }
}

/// The user asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("cancelled")]
struct Cancelled;

/// Ends what is under way where the user asked to stop.
pub(super) fn check_cancelled(cancel: &AtomicBool) -> anyhow::Result<()> {
    if cancel.load(Ordering::Relaxed) { Err(Cancelled.into()) } else { Ok(()) }
}

/// Where a run goes.
struct Recording<'a> {
    store: &'a mut Store,
    run: RunId,
    context: &'a Context,
    cancel: &'a AtomicBool,
    draft: &'a ModelInfo,
    export: PeftExport,
    progress: Progress,
    num_steps: u32,
    /// The last step's.
    loss: Option<f64>,
    /// The last evaluation's.
    acceptance: Option<f64>,
}

impl Recording<'_> {
    fn describe(&self) {
        let loss = self.loss.map(|loss| format!("loss {loss:.3}"));
        let acceptance = self.acceptance.map(|acceptance| format!("held-out ᾱ {:.1}%", 100.0 * acceptance));
        let parts: Vec<String> = loss.into_iter().chain(acceptance).collect();
        self.progress.describe(parts.join(", "));
    }
}

impl Log for Recording<'_> {
    type Error = anyhow::Error;

    fn step(&mut self, step: &TrainStep) -> anyhow::Result<()> {
        self.store.record_train_step(self.run, step)?;
        self.loss = Some(step.loss);
        self.describe();
        self.progress.advance(1);
        Ok(())
    }

    fn evaluating(&mut self, num_done: usize) -> anyhow::Result<()> {
        self.progress.describe(format_args!("evaluating, {num_done} held-out examples done"));
        self.store.heartbeat(self.run)?;
        check_cancelled(self.cancel)
    }

    fn evaluated(&mut self, step: u32, evaluations: &[(ExampleId, OutputEvaluation)]) -> anyhow::Result<()> {
        self.store.record_train_evaluation(self.run, step, evaluations)?;
        let figures = self.store.train_evaluations(self.run)?;
        if let Some(figures) = figures.iter().find(|figures| figures.step == step) {
            self.acceptance = Some(figures.expected_acceptance);
            let loss = self.loss.map(|loss| format!("loss {loss:.3}, ")).unwrap_or_default();
            self.context.ui.status(format!(
                "step {step} of {}: {loss}held-out loss {:.3}, expected acceptance {:.1}%, top-1 agreement {:.1}%",
                self.num_steps,
                figures.loss,
                100.0 * figures.expected_acceptance,
                100.0 * figures.top1_agreement,
            ));
        }
        self.describe();
        Ok(())
    }

    fn checkpoint(&mut self, step: u32, adapter: &Adapter, optimizer: &AdamW) -> anyhow::Result<()> {
        let source = format!("{}, step {step}", self.export.source);
        let record = adapter.to_peft(&PeftExport { source, ..self.export.clone() });
        self.store.record_checkpoint(self.run, step, &record, self.draft, &optimizer.to_bytes())?;
        Ok(())
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// Names the checkpoints of a run that is done, stores how it ended, and returns what ended it before all was done. A run
/// that is stored as complete has its names.
fn finish(
    store: &mut Store,
    ended: anyhow::Result<Ended>,
    held: &Held,
    context: &Context,
) -> anyhow::Result<Option<anyhow::Error>> {
    let run = held.run;
    if let Ok(Ended::Early { step }) = ended {
        context.ui.status(format!("stopped early after step {step}: held-out prompts got no better"));
    }
    let ended = match ended {
        Ok(Ended::Completed | Ended::Early { .. }) => {
            promote::name_checkpoints(store, held, context).map(|()| Ended::Completed)
        }
        other => other,
    };
    let (end, error) = match ended {
        Ok(Ended::Completed | Ended::Early { .. }) => (RunEnd::Completed, None),
        Ok(Ended::Broken { step, loss }) => {
            let problem = format!(
                "the loss of step {step} is {loss}: training broke (the checkpoints before it are kept; try a lower --learning-rate)"
            );
            (RunEnd::Failed(problem.clone()), Some(anyhow!("run {run}: {problem}")))
        }
        Ok(Ended::Cancelled { step }) => {
            let problem =
                format!("interrupted after step {step}: speclora train --resume {run} goes on from there");
            (RunEnd::Interrupted, Some(Interrupted(problem).into()))
        }
        Err(error) if error.is::<Cancelled>() => {
            let problem = format!("interrupted: speclora train --resume {run} goes on");
            (RunEnd::Interrupted, Some(Interrupted(problem).into()))
        }
        Err(error) => {
            let end = RunEnd::Failed(format!("{error:#}"));
            (
                end,
                Some(
                    error.context(format!(
                        "run {run} is not complete (speclora train --resume {run} goes on)"
                    )),
                ),
            )
        }
    };
    // The error that ended the run counts more than one that keeps its end from being stored.
    if let Err(second) = store.finish_run(run, &end) {
        return Err(match error {
            Some(error) => anyhow!("{error:#}; and its end could not be stored: {second}"),
            None => second.into(),
        });
    }
    Ok(error)
}
