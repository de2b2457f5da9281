//! A bench at work: loads the models, runs what the plan still wants, and stores each generation as it ends.

use anyhow::anyhow;

use crate::bench::generator::{GeneratorSettings, ModelGenerator, Workload};
use crate::bench::measure::{Event, Measurement};
use crate::cmd::context::Context;
use crate::cmd::interrupt;
use crate::config::Spec;
use crate::engine::adapter::Adapter;
use crate::engine::pair::{Identified, ModelPair};
use crate::engine::sampling::Sampling;
use crate::engine::{self, threads};
use crate::environment;
use crate::record::{NewRun, Role, RunId, Slot};
use crate::store::{RunEnd, Store};

/// The models of a bench, weights not yet loaded.
pub(super) struct Models {
    pub(super) target: Identified,
    /// The draft, where a mode uses it.
    pub(super) draft: Option<Identified>,
}

/// A bench that is ready to begin.
pub(super) struct Job {
    /// The run that is taken up again; `None` for a new one.
    pub(super) run: Option<RunId>,
    pub(super) new_run: NewRun,
    pub(super) spec: Spec,
    pub(super) store: Store,
    pub(super) models: Models,
    /// The adapter of `spec_lora`, if that is measured.
    pub(super) adapter: Option<Adapter>,
    /// Warm-ups to repeat without a row.
    pub(super) warm_again: Vec<Slot>,
    /// What is to be generated.
    pub(super) slots: Vec<Slot>,
}

/// Carries out a job to its end, and returns the store with the run in it.
pub(super) fn carry_out(job: Job, context: &Context) -> anyhow::Result<(Store, RunId)> {
    let Job { run, new_run, spec, mut store, models, adapter, warm_again, slots } = job;
    if let Some(num_threads) = spec.threads {
        threads::limit(num_threads);
    }
    let pair = load(&models, context)?;
    let cancel = interrupt::listen()?;
    let workload = Workload { prompts: &new_run.prompts, modes: &spec.modes };
    let mut generator =
        ModelGenerator::new(&pair, adapter.as_ref(), generator_settings(&spec), &workload, &cancel)?;

    let run = match run {
        Some(run) => {
            store.resume_run(run, &new_run.environment)?;
            run
        }
        None => store.begin_run(&new_run)?,
    };
    context.ui.status(format!("run {run} in {}: {} generations", store.path().display(), slots.len()));
    let mut measurement = Measurement {
        generator: &mut generator,
        prompts: &new_run.prompts,
        seed: spec.seed,
        checkpoint_id: new_run.checkpoint_id,
        now_ms: environment::now_ms,
        load_average: environment::load_average,
    };
    let ended = warm_up(&mut measurement, &warm_again, &mut Recording { store: &mut store, run, context })
        .and_then(|()| measure(&mut measurement, &slots, &mut Recording { store: &mut store, run, context }));
    finish(&mut store, run, ended)?;
    Ok((store, run))
}

/// Where a measurement goes.
struct Recording<'a> {
    store: &'a mut Store,
    run: RunId,
    context: &'a Context,
}

/// Repeats warm-ups of a run that is taken up again.
fn warm_up(measurement: &mut Measurement, warmups: &[Slot], recording: &mut Recording) -> anyhow::Result<()> {
    let progress = recording.context.ui.progress("warming up", warmups.len() as u64);
    measurement.warm_again(warmups, |slot| {
        progress.describe(slot.mode);
        progress.advance(1);
        Ok(recording.store.heartbeat(recording.run)?)
    })
}

/// Measures, and stores each generation as it ends.
fn measure(measurement: &mut Measurement, slots: &[Slot], recording: &mut Recording) -> anyhow::Result<()> {
    let Recording { store, run, context } = recording;
    let progress = context.ui.progress("measuring", slots.len() as u64);
    measurement.measure(slots, |event| {
        match event {
            Event::Started(slot) => {
                progress.describe(slot.mode);
                store.heartbeat(*run)?;
            }
            Event::Ended(generation) => {
                store.record_generation(*run, &generation)?;
                if let Err(error) = &generation.outcome {
                    let number = generation.slot.prompt_index + 1;
                    context.ui.warning(format!("prompt {number}, {}: {error}", generation.slot.mode));
                }
                progress.advance(1);
            }
        }
        Ok(())
    })
}

/// Stores how the run ended; an interrupted one is taken up again with `--resume`.
fn finish(store: &mut Store, run: RunId, ended: anyhow::Result<()>) -> anyhow::Result<()> {
    let Err(error) = ended else {
        return Ok(store.finish_run(run, &RunEnd::Completed)?);
    };
    let interrupted = matches!(error.downcast_ref(), Some(engine::Error::Cancelled));
    let end = if interrupted { RunEnd::Interrupted } else { RunEnd::Failed(format!("{error:#}")) };
    // The error that ended the run counts more than one that keeps its end from being stored.
    match store.finish_run(run, &end) {
        Ok(()) => {
            Err(error.context(format!("run {run} is not complete (speclora bench --resume {run} goes on)")))
        }
        Err(second) => Err(anyhow!("{error:#}; and its end could not be stored: {second}")),
    }
}

fn load(models: &Models, context: &Context) -> anyhow::Result<ModelPair> {
    let Models { target, draft } = models;
    let num_layers = [Some(target), draft.as_ref()];
    let num_layers = num_layers.into_iter().flatten().map(|model| u64::from(model.info.num_layers)).sum();
    let progress = context.ui.progress("loading", num_layers);
    let pair = ModelPair::load(target, draft.as_ref(), |role: Role, _, _| {
        progress.describe(role);
        progress.advance(1);
    });
    Ok(pair?)
}

fn generator_settings(spec: &Spec) -> GeneratorSettings {
    GeneratorSettings {
        num_draft_tokens: spec.num_draft_tokens as usize,
        max_tokens: spec.max_tokens as usize,
        context_length: spec.context_length.map(|length| length as usize),
        sampling: Sampling {
            temperature: spec.temperature as f32,
            top_p: spec.top_p as f32,
            top_k: spec.top_k as usize,
        },
        system_prompt: spec.system_prompt.clone(),
        raw: spec.raw,
    }
}
