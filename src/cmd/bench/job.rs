//! A run at work that answers prompts: loads the models, runs what the plan still wants, and stores each generation as it ends.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::bench::generator::{GeneratorSettings, ModelGenerator, Workload};
use crate::bench::measure::{Event, Measurement};
use crate::cmd::adapter::{AdapterOrigin, FittedAdapter};
use crate::cmd::context::{Context, FileHash, backend};
use crate::cmd::facts::Facts;
use crate::cmd::{Interrupted, interrupt};
use crate::config::Spec;
use crate::engine::observe::RecorderOptions;
use crate::engine::pair::{Identified, ModelPair, PairOptions};
use crate::engine::sampling::Sampling;
use crate::engine::{self, threads};
use crate::environment::{self, ProcessorTime};
use crate::record::{NewRun, Role, RunId, RunKind, Slot};
use crate::store::{RunEnd, Store};

/// The models of a run, weights not yet loaded.
pub(in crate::cmd) struct Models {
    pub(in crate::cmd) target: Identified,
    /// The draft, where a mode uses it.
    pub(in crate::cmd) draft: Option<Identified>,
}

/// The database of a run. One that does not exist yet is made when the run begins: a run that fails before leaves none.
pub(in crate::cmd) enum Database {
    /// It exists.
    Open(Store),
    /// It is to be made, with the hashes that were computed until then.
    New { path: PathBuf, hashes: Vec<FileHash> },
}

impl Database {
    /// Opens the database if there is one; else finds out whether it can be made.
    pub(in crate::cmd) fn find(path: PathBuf, context: &Context) -> anyhow::Result<Self> {
        if path.exists() {
            let store = Store::open(path)?;
            context.note_upgrade(&store);
            return Ok(Self::Open(store));
        }
        Store::check_creatable(&path)?;
        Ok(Self::New { path, hashes: vec![] })
    }

    /// The database, where it exists.
    pub(in crate::cmd) fn store(&mut self) -> Option<&mut Store> {
        match self {
            Self::Open(store) => Some(store),
            Self::New { .. } => None,
        }
    }

    /// Keeps hashes for a database that is yet to be made; one that exists has them.
    pub(in crate::cmd) fn keep(&mut self, computed: Vec<FileHash>) {
        if let Self::New { hashes, .. } = self {
            *hashes = computed;
        }
    }

    /// The database, made if it did not exist.
    pub(in crate::cmd) fn create(self, context: &Context) -> anyhow::Result<Store> {
        match self {
            Self::Open(store) => Ok(store),
            Self::New { path, hashes } => {
                let mut store = Store::open(path)?;
                hashes.iter().for_each(|hash| hash.remember(&mut store, &context.ui));
                Ok(store)
            }
        }
    }
}

/// A run that is ready to begin.
pub(in crate::cmd) struct Job {
    /// The run that is taken up again; `None` for a new one.
    pub(super) run: Option<RunId>,
    pub(super) new_run: NewRun,
    pub(super) spec: Spec,
    pub(super) database: Database,
    pub(in crate::cmd) models: Models,
    /// The adapter of `spec_lora`, if that is measured.
    pub(super) adapter: Option<FittedAdapter>,
    /// Warm-ups to repeat without a row.
    pub(super) warm_again: Vec<Slot>,
    /// What is to be generated.
    pub(super) slots: Vec<Slot>,
}

/// A run that took place.
pub(in crate::cmd) struct Ended {
    pub(in crate::cmd) store: Store,
    pub(in crate::cmd) run: RunId,
    /// What ended it before all was done.
    pub(in crate::cmd) error: Option<anyhow::Error>,
}

/// Carries out a job to its end, and returns the store with the run in it.
///
/// # Errors
/// If the run could not begin, or its end could not be stored.
pub(in crate::cmd) fn carry_out(job: Job, context: &Context) -> anyhow::Result<Ended> {
    let Job { run, mut new_run, spec, mut database, models, adapter, warm_again, slots } = job;
    let kind = new_run.kind;
    if is_timed(kind) {
        note_other_runs(database.store().as_deref(), run, context)?;
    }
    if let Some(num_threads) = spec.threads {
        threads::limit(num_threads);
    }
    let options = PairOptions {
        backend: backend(&spec)?,
        draft_quantization: spec.draft_quant,
        draft_vocabulary: new_run.draft_vocabulary.as_ref().map(|vocabulary| &vocabulary.tokens[..]),
    };
    let pair = load(&models, options, context)?;
    let cancel = interrupt::listen(context.ui.speaker(), kind)?;
    let workload = Workload { prompts: &new_run.prompts, modes: &spec.modes };
    let weights = adapter.as_ref().map(|adapter| &adapter.adapter);
    let mut generator =
        ModelGenerator::new(&pair, weights, generator_settings(&spec, kind), &workload, &cancel)?;

    let mut store = database.create(context)?;
    if let (None, Some(adapter), Some(draft)) = (run, &adapter, &models.draft) {
        new_run.checkpoint_id = Some(match &adapter.origin {
            AdapterOrigin::Stored(id) => *id,
            AdapterOrigin::Folder(record) => store.import_adapter(record, &draft.info)?,
        });
    }

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
    let mut recording = Recording { store: &mut store, run, kind, context };
    let ended = warm_up(&mut measurement, &warm_again, &mut recording)
        .and_then(|()| measure(&mut measurement, &slots, &mut recording));
    let error = finish(&mut recording, ended)?;
    Ok(Ended { store, run, error })
}

/// Whether it matters how long generations take.
fn is_timed(kind: RunKind) -> bool {
    kind == RunKind::Bench
}

/// Says which other runs will disturb the measurement.
fn note_other_runs(store: Option<&Store>, run: Option<RunId>, context: &Context) -> anyhow::Result<()> {
    let live_runs = store.map(Store::live_runs).transpose()?.unwrap_or_default();
    for other in live_runs.into_iter().filter(|other| Some(*other) != run) {
        context.ui.note(format!("run {other} is running too: each disturbs the figures of the other"));
    }
    Ok(())
}

/// Where a measurement goes.
struct Recording<'a> {
    store: &'a mut Store,
    run: RunId,
    kind: RunKind,
    context: &'a Context,
}

/// Repeats warm-ups of a run that is taken up again.
fn warm_up(measurement: &mut Measurement, warmups: &[Slot], recording: &mut Recording) -> anyhow::Result<()> {
    let progress = recording.context.ui.progress("warming up", "generations", warmups.len() as u64);
    measurement.warm_again(warmups, |slot| {
        progress.describe(slot.mode);
        progress.advance(1);
        Ok(recording.store.heartbeat(recording.run)?)
    })
}

/// Measures, and stores each generation as it ends.
fn measure(measurement: &mut Measurement, slots: &[Slot], recording: &mut Recording) -> anyhow::Result<()> {
    let Recording { store, run, kind, context } = recording;
    let num_prompts = measurement.prompts.len();
    let doing = if is_timed(*kind) { "measuring" } else { "collecting" };
    let progress = context.ui.progress(doing, "generations", slots.len() as u64);
    let before = ProcessorTime::now();
    let ended = measurement.measure(slots, |event| {
        match event {
            Event::Started(Slot { prompt_index, mode, is_warmup, .. }) => {
                let warmup = if is_warmup { ", warm-up" } else { "" };
                progress
                    .describe(format_args!("prompt {} of {num_prompts}, {mode}{warmup}", prompt_index + 1));
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
    });
    drop(progress);
    let noise = ProcessorTime::now().zip(before).and_then(|(now, before)| now.noise_since(before));
    if let Some(noise) = noise.filter(|_| is_timed(*kind)) {
        context.ui.warning(noise);
    }
    ended
}

/// Stores what ended a run before all was done, and says whether the user did.
///
/// # Errors
/// If it cannot be stored. The error that ended the run counts more, and stands first.
pub(in crate::cmd) fn store_end(
    store: &mut Store,
    run: RunId,
    error: &anyhow::Error,
) -> anyhow::Result<bool> {
    let is_interrupted = matches!(error.downcast_ref(), Some(engine::Error::Cancelled));
    let end = if is_interrupted { RunEnd::Interrupted } else { RunEnd::Failed(format!("{error:#}")) };
    match store.finish_run(run, &end) {
        Ok(()) => Ok(is_interrupted),
        Err(second) => Err(anyhow!("{error:#}; and its end could not be stored: {second}")),
    }
}

/// Stores how the run ended, and returns what ended it before all was done.
fn finish(recording: &mut Recording, ended: anyhow::Result<()>) -> anyhow::Result<Option<anyhow::Error>> {
    let Recording { store, run, kind, .. } = recording;
    let run = *run;
    let Err(error) = ended else {
        store.finish_run(run, &RunEnd::Completed)?;
        return Ok(None);
    };
    let is_interrupted = store_end(store, run, &error)?;
    if !is_interrupted {
        let problem = format!("run {run} is not complete (speclora {kind} --resume {run} goes on)");
        return Ok(Some(error.context(problem)));
    }
    let facts = Facts::read(store, run)?;
    let interrupted = Interrupted(format!(
        "interrupted: run {run} has {} of {} generations (speclora {kind} --resume {run} goes on)",
        facts.get("num_generations"),
        facts.get("num_planned_generations"),
    ));
    Ok(Some(interrupted.into()))
}

/// Loads the models of a run.
pub(in crate::cmd) fn load(
    models: &Models,
    options: PairOptions,
    context: &Context,
) -> anyhow::Result<ModelPair> {
    let Models { target, draft } = models;
    let num_layers = [Some(target), draft.as_ref()];
    let num_layers = num_layers.into_iter().flatten().map(|model| u64::from(model.info.num_layers)).sum();
    let progress = context.ui.progress("loading", "layers", num_layers);
    let pair = ModelPair::load(target, draft.as_ref(), options, |role: Role, _, _| {
        progress.describe(role);
        progress.advance(1);
    });
    Ok(pair?)
}

/// How a run of this kind answers prompts.
pub(in crate::cmd) fn generator_settings(spec: &Spec, kind: RunKind) -> GeneratorSettings {
    let sampling = Sampling {
        temperature: spec.temperature as f32,
        top_p: spec.top_p as f32,
        top_k: spec.top_k as usize,
    };
    let recording = RecorderOptions {
        top_k: spec.target_top_k as usize,
        temperature: if sampling.is_greedy() { 1.0 } else { spec.temperature },
    };
    GeneratorSettings {
        num_draft_tokens: spec.num_draft_tokens as usize,
        max_tokens: spec.max_tokens as usize,
        context_length: spec.context_length.map(|length| length as usize),
        sampling,
        system_prompt: spec.system_prompt.clone(),
        raw: spec.raw,
        recording: matches!(kind, RunKind::Collect | RunKind::Evaluate).then_some(recording),
    }
}
