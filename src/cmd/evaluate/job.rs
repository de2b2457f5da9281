//! An evaluation at work: the target answers all prompts, then each draft is judged on the answers; what ends is stored.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::prepare::Job;
use crate::bench::generator::{ModelGenerator, Workload};
use crate::bench::measure::{Event, Measurement};
use crate::cmd::adapter::{AdapterOrigin, FittedAdapter};
use crate::cmd::bench::job::{Ended, generator_settings, load, store_end};
use crate::cmd::context::{Context, backend};
use crate::cmd::facts::Facts;
use crate::cmd::{Interrupted, interrupt};
use crate::engine::adapter::Adapter;
use crate::engine::cpu::training::TrainingModel;
use crate::engine::pair::{Identified, PairOptions};
use crate::engine::{self, threads};
use crate::environment;
use crate::record::{
    CheckpointId, ExampleId, ExampleSummary, Generation, LossKind, Prompt, RunId, RunKind, Slot,
};
use crate::store::{RunEnd, Store};
use crate::train::dataset::Example;
use crate::train::evaluate::{EvaluationOptions, evaluate};
use crate::train::loss::Loss;

/// Answers that are judged together.
const BATCH_SIZE: usize = 4;

/// Carries out a job to its end, and returns the store with the run in it.
///
/// # Errors
/// If the run could not begin, or its end could not be stored.
pub(super) fn carry_out(job: Job, context: &Context) -> anyhow::Result<Ended> {
    let Job { new_run, spec, database, models, adapters, slots } = job;
    if let Some(num_threads) = spec.threads {
        threads::limit(num_threads);
    }
    let draft = models.draft.as_ref().context("an evaluation has a draft")?;
    let options = PairOptions {
        backend: backend(&spec)?,
        draft_quantization: spec.draft_quant,
        draft_vocabulary: None,
    };
    let pair = load(&models, options, context)?;
    let cancel = interrupt::listen_until(context.ui.speaker(), "what had ended is stored")?;
    let workload = Workload { prompts: &new_run.prompts, modes: &spec.modes };
    let settings = generator_settings(&spec, RunKind::Evaluate);
    let mut generator = ModelGenerator::new(&pair, None, settings, &workload, &cancel)?;

    let mut store = database.create(context)?;
    let drafts = drafts(adapters, draft, &mut store)?;
    let run = store.begin_run(&new_run)?;
    context.ui.status(format!("run {run} in {}: {} prompts", store.path().display(), slots.len()));
    let mut measurement = Measurement {
        generator: &mut generator,
        prompts: &new_run.prompts,
        seed: spec.seed,
        checkpoint_id: None,
        now_ms: environment::now_ms,
        load_average: environment::load_average,
    };
    let mut recording = Recording { store: &mut store, run, context, cancel: &cancel };
    let answers = recording.answer(&mut measurement, &slots, draft);
    // Judging needs neither the target nor caches.
    drop(generator);
    let ended = answers.and_then(|answers| {
        let model = pair.into_draft().context("an evaluation has a draft")?;
        let model = TrainingModel::new(&model, draft.tokenizer.vocab_size());
        recording.judge(&model, &drafts, &answers, spec.num_draft_tokens as usize)
    });
    let error = finish(&mut store, run, ended)?;
    Ok(Ended { store, run, error })
}

/// A draft to judge.
struct Draft {
    /// The plain one has none.
    checkpoint: Option<CheckpointId>,
    adapter: Option<Adapter>,
}

/// The plain draft, then each adapter once; those of folders are stored.
fn drafts(adapters: Vec<FittedAdapter>, draft: &Identified, store: &mut Store) -> anyhow::Result<Vec<Draft>> {
    let mut drafts = vec![Draft { checkpoint: None, adapter: None }];
    for FittedAdapter { origin, adapter } in adapters {
        let id = match &origin {
            AdapterOrigin::Stored(id) => *id,
            AdapterOrigin::Folder(record) => store.import_adapter(record, &draft.info)?,
        };
        if drafts.iter().all(|known| known.checkpoint != Some(id)) {
            drafts.push(Draft { checkpoint: Some(id), adapter: Some(adapter) });
        }
    }
    Ok(drafts)
}

/// The target's answers.
#[derive(Default)]
struct Answers {
    prompt_indices: Vec<u32>,
    /// What the target said and thought: of the same prompts, and kept in memory alone.
    examples: Vec<Example>,
}

/// Where an evaluation goes.
struct Recording<'a> {
    store: &'a mut Store,
    run: RunId,
    context: &'a Context,
    cancel: &'a AtomicBool,
}

impl Recording<'_> {
    /// Has the target answer, and stores each answer as it ends, but not what is to be learned from it.
    fn answer(
        &mut self,
        measurement: &mut Measurement,
        slots: &[Slot],
        draft: &Identified,
    ) -> anyhow::Result<Answers> {
        let vocab_size = draft.tokenizer.vocab_size().min(draft.files.config().vocab_size);
        let prompts = measurement.prompts;
        let progress = self.context.ui.progress("answering", "prompts", slots.len() as u64);
        let mut answers = Answers::default();
        measurement.measure(slots, |event| -> anyhow::Result<()> {
            match event {
                Event::Started(slot) => {
                    progress.describe(format_args!("prompt {} of {}", slot.prompt_index + 1, prompts.len()));
                    self.store.heartbeat(self.run)?;
                }
                Event::Ended(mut generation) => {
                    let prompt_index = generation.slot.prompt_index;
                    let example = example_of(&mut generation, &prompts[prompt_index as usize], vocab_size)?;
                    self.store.record_generation(self.run, &generation)?;
                    if let Err(error) = &generation.outcome {
                        self.context.ui.warning(format!("prompt {}: {error}", prompt_index + 1));
                    }
                    if let Some(example) = example {
                        answers.prompt_indices.push(prompt_index);
                        answers.examples.push(example);
                    }
                    progress.advance(1);
                }
            }
            Ok(())
        })?;
        Ok(answers)
    }

    /// Judges each draft on all answers, and stores what it makes of them, some answers at a time.
    fn judge(
        &mut self,
        model: &TrainingModel,
        drafts: &[Draft],
        answers: &Answers,
        num_draft_tokens: usize,
    ) -> anyhow::Result<()> {
        let Answers { prompt_indices, examples } = answers;
        // The loss is not looked at.
        let loss = Loss::new(LossKind::ForwardKl, None);
        let options = EvaluationOptions { loss, num_draft_tokens, batch_size: BATCH_SIZE };
        let num_all = drafts.len() * examples.len();
        let progress = self.context.ui.progress("judging", "answers", num_all as u64);
        for Draft { checkpoint, adapter } in drafts {
            progress.describe(checkpoint.map_or("plain draft".to_owned(), |id| format!("adapter {id}")));
            for (some, indices) in examples.chunks(BATCH_SIZE).zip(prompt_indices.chunks(BATCH_SIZE)) {
                let evaluations =
                    evaluate(model, adapter.as_ref(), some, &options, |_| self.check_cancelled())?;
                for (evaluation, &prompt_index) in evaluations.iter().zip(indices) {
                    self.store.record_prompt_evaluation(self.run, prompt_index, *checkpoint, evaluation)?;
                }
                progress.advance(some.len() as u64);
            }
        }
        Ok(())
    }

    fn check_cancelled(&self) -> engine::Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(engine::Error::Cancelled) } else { Ok(()) }
    }
}

/// Takes from a generation what was seen of it: stored with it, it would become an example to train on. `None` where the
/// generation failed.
fn example_of(
    generation: &mut Generation,
    prompt: &Prompt,
    vocab_size: usize,
) -> anyhow::Result<Option<Example>> {
    let Ok(completion) = &mut generation.outcome else {
        return Ok(None);
    };
    let observations = completion.observations.take().context("an evaluation records what it sees")?;
    let summary = ExampleSummary {
        id: ExampleId(generation.slot.prompt_index.into()),
        prompt: prompt.text.clone(),
        prompt_tokens: observations.prompt_tokens,
        output_tokens: completion.decoded.tokens.clone(),
        rejected_positions: vec![],
        acceptance_rate: None,
        split_key: 0.0,
    };
    let example = Example::new(summary, &observations.target, vocab_size);
    Ok(Some(example.map_err(anyhow::Error::msg)?))
}

/// Stores how the run ended, and returns what ended it before all was done.
fn finish(store: &mut Store, run: RunId, ended: anyhow::Result<()>) -> anyhow::Result<Option<anyhow::Error>> {
    let Err(error) = ended else {
        store.finish_run(run, &RunEnd::Completed)?;
        return Ok(None);
    };
    let is_interrupted = store_end(store, run, &error)?;
    if !is_interrupted {
        return Ok(Some(error.context(format!("run {run} is not complete"))));
    }
    let facts = Facts::read(store, run)?;
    let interrupted = Interrupted(format!(
        "interrupted: run {run} has {} of {} answers, and figures of what was judged until then, if anything was \
         (an evaluation is not taken up again: run the command once more)",
        facts.get("num_generations"),
        facts.get("num_planned_generations"),
    ));
    Ok(Some(interrupted.into()))
}
