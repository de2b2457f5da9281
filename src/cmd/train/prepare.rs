//! What training needs before it can begin: settings, the draft, the examples and what each is for, the adapter that it goes
//! on from. Nothing is stored of a run until all is found to be in order.

use std::collections::HashSet;

use anyhow::Context as _;

use super::TrainArgs;
use crate::cmd::UsageError;
use crate::cmd::adapter::{Fitting, OtherDraft, fit_stored, select_checkpoint};
use crate::cmd::bench::prepare::{
    ModelPaths, command_line, decide, decide_threads, note_builtin_pair, parse_tags, run_models,
};
use crate::cmd::bench::resume::{check_kind, models_of_run, note_ignored};
use crate::cmd::context::{Context, FileHashes, backend, select_run, setting_mut};
use crate::cmd::present::shortened;
use crate::config::{Overrides, Spec, is_read_by};
use crate::engine;
use crate::engine::adapter::{Adapter, SkippedPrompt};
use crate::engine::config::Module;
use crate::engine::pair::Identified;
use crate::environment;
use crate::hash::sha256_hex;
use crate::record::{
    ExampleId, ExampleSummary, NewRun, Origin, Prompt, PromptSource, Purpose, RunId, RunKind, Setting,
};
use crate::store::{ExampleFilter, Store};
use crate::train::dataset::Example;
use crate::train::schedule::learning_rate_for;

/// A training run that is ready to begin.
pub(super) struct Job {
    /// The run that is taken up again; `None` for a new one.
    pub(super) run: Option<RunId>,
    pub(super) new_run: NewRun,
    pub(super) spec: Spec,
    pub(super) store: Store,
    pub(super) draft: Identified,
    /// The adapter that a new run goes on from.
    pub(super) from: Option<Adapter>,
    pub(super) examples: Examples,
    /// What the adapted draft is not to read.
    pub(super) skipped_prompt: SkippedPrompt,
}

/// Examples by purpose.
pub(super) struct Examples {
    pub(super) purposes: Vec<(ExampleId, Purpose)>,
    /// Those to learn first, then those to replay.
    pub(super) learned: Vec<Example>,
    /// How many of them are to be learned first.
    pub(super) num_train: usize,
    pub(super) held_out: Vec<Example>,
}

/// Prepares what the command was asked for: a new run, or the rest of an earlier one.
pub(super) fn prepared(args: &TrainArgs, context: &Context) -> anyhow::Result<Job> {
    match &args.run.resume {
        Some(selector) => resumed(selector, args, context),
        None => fresh(args, context),
    }
}

fn fresh(args: &TrainArgs, context: &Context) -> anyhow::Result<Job> {
    let (spec, mut settings) = context.resolve(args.overrides())?;
    note_builtin_pair(&spec, &settings, context);
    let tags = parse_tags(&args.run.tags)?;
    let paths = ModelPaths::find_pair(&spec)?;
    let backend = backend(&spec)?;
    let mut store = context.open_database(&context.database_path(&spec)?)?;
    let models = paths.open(&mut FileHashes::new(Some(&mut store), &context.ui), context)?;
    let run_models = run_models(&models)?;
    let draft = models.draft.context("training has a draft")?;
    engine::pair::check_tokenizers(&models.target, &draft)?;

    let checkpoint_id =
        args.from.as_deref().map(|name| select_checkpoint(name, &store, Some(&draft))).transpose()?;
    let from = match checkpoint_id {
        Some(id) => {
            let other_draft = OtherDraft::by_force(args.models.force, &context.ui);
            let fitted = fit_stored(id, &store, Fitting { draft: &draft, store: Some(&store), other_draft })?;
            decide_shape(&mut settings, &fitted.adapter, store.checkpoint(id)?.alpha)?;
            Some(fitted.adapter)
        }
        None => None,
    };
    decide_threads(&mut settings, &spec);
    if spec.learning_rate.is_none() {
        let rate = learning_rate_for(draft.files.config().hidden_size);
        decide(&mut settings, "learning_rate", rate.into(), "the draft's width");
    }
    let spec = Spec::from_settings(&settings)?;
    settings.retain(|setting| is_read_by(&setting.key, RunKind::Train));

    let runs = args.collected.iter().map(|run| select_run(&store, std::slice::from_ref(run)));
    let filter = ExampleFilter {
        target_model_sha256: Some(models.target.info.sha256.clone()),
        runs: runs.collect::<anyhow::Result<_>>()?,
    };
    let summaries = store.examples(&filter)?;
    if summaries.is_empty() {
        return Err(no_examples(&store, &filter)?);
    }
    let seen = checkpoint_id.map(|id| store.trained_examples(id)).transpose()?.unwrap_or_default();
    let purposes = purposes(&summaries, &spec, &seen.into_iter().collect());
    let examples = Examples::load(summaries.iter().cloned().zip(purposes), &store, &draft)?;
    examples.note_what_is_missing(&spec, context)?;
    let skipped_prompt = examples.skipped_prompt(from.as_ref(), &spec, &draft);
    note_what_is_skipped(&skipped_prompt, &spec, &draft, context)?;
    let prompts = prompts_of(&summaries);
    let new_run = NewRun {
        kind: RunKind::Train,
        name: args.run.name.clone(),
        note: args.run.note.clone(),
        tags,
        command_line: command_line(),
        environment: environment::collect(&engine::name(backend)),
        models: run_models,
        settings,
        checkpoint_id,
        draft_vocabulary: None,
        prompt_source: source_of(&prompts),
        prompts,
        num_planned_generations: 0,
    };
    Ok(Job { run: None, new_run, spec, store, draft, from, examples, skipped_prompt })
}

/// Prepares what is missing of an earlier run: its own settings, examples and models.
fn resumed(selector: &str, args: &TrainArgs, context: &Context) -> anyhow::Result<Job> {
    let has_labels = args.run.name.is_some() || args.run.note.is_some() || !args.run.tags.is_empty();
    if has_labels || args.from.is_some() || !args.collected.is_empty() || !args.overrides().is_empty() {
        let problem = "--resume takes examples and settings from the run (leave the other flags out)";
        return Err(UsageError(problem.to_owned()).into());
    }
    let (spec, mut settings) = context.resolve(Overrides::NONE)?;
    settings.retain(|setting| is_read_by(&setting.key, RunKind::Train));
    let mut store = context.open_database(&context.database_path(&spec)?)?;
    let run = select_run(&store, &[selector.to_owned()])?;
    let mut plan = store.run_plan(run)?;
    check_kind(run, plan.kind, RunKind::Train)?;
    store.check_resumable(run)?;
    note_ignored(run, &settings, &plan.settings, context);
    let spec = Spec::from_settings(&plan.settings)?;
    let models = models_of_run(&plan, run, &mut store, context)?;
    let draft = models.draft.with_context(|| format!("run {run} has no draft"))?;
    let from = match plan.checkpoint_id {
        Some(id) => {
            // One for another draft was taken by force when the run began.
            let other_draft = OtherDraft::Taken(&context.ui);
            Some(fit_stored(id, &store, Fitting { draft: &draft, store: Some(&store), other_draft })?.adapter)
        }
        None => None,
    };
    let examples = Examples::load(store.run_examples(run)?.into_iter(), &store, &draft)?;
    let skipped_prompt = examples.skipped_prompt(from.as_ref(), &spec, &draft);
    plan.environment = environment::collect(&engine::name(backend(&spec)?));
    Ok(Job { run: Some(run), new_run: plan, spec, store, draft, from, examples, skipped_prompt })
}

/// An adapter that training goes on from decides its shape.
fn decide_shape(settings: &mut [Setting], adapter: &Adapter, alpha: f64) -> anyhow::Result<()> {
    let mut ranks: Vec<usize> = adapter.layers.values().map(|layer| layer.rank).collect();
    ranks.dedup();
    let [rank] = ranks[..] else {
        anyhow::bail!(
            "the layers of this adapter differ in rank; training goes on from adapters of one rank"
        );
    };
    let modules: Vec<&str> = Module::ALL
        .into_iter()
        .filter(|module| adapter.layers.keys().any(|(_, used)| used == module))
        .map(Module::name)
        .collect();
    let is_skipping = !adapter.skipped_prompt.is_empty();
    for (key, value) in [
        ("rank", rank.into()),
        ("alpha", alpha.into()),
        ("target_modules", serde_json::json!(modules)),
        ("skip_shared_prompt", is_skipping.into()),
    ] {
        decide(settings, key, value, "--from");
        setting_mut(settings, key).origin = Origin::Flag;
    }
    Ok(())
}

/// What each example is for. Where nothing is new, everything is learned again.
fn purposes(summaries: &[ExampleSummary], spec: &Spec, seen: &HashSet<ExampleId>) -> Vec<Purpose> {
    let purpose = |example: &ExampleSummary| {
        let is_matched = example.acceptance_rate.is_some_and(|rate| rate >= spec.acceptance_threshold);
        // What an earlier run learned with a smaller share held out can judge nothing any more.
        if example.split_key < spec.holdout && !seen.contains(&example.id) {
            Purpose::HeldOut
        } else if is_matched || seen.contains(&example.id) {
            Purpose::Replay
        } else {
            Purpose::Train
        }
    };
    let mut purposes: Vec<Purpose> = summaries.iter().map(purpose).collect();
    if !purposes.contains(&Purpose::Train) {
        purposes.iter_mut().filter(|p| **p == Purpose::Replay).for_each(|purpose| *purpose = Purpose::Train);
    }
    purposes
}

impl Examples {
    /// Reads what the target thought of each.
    fn load(
        examples: impl Iterator<Item = (ExampleSummary, Purpose)>,
        store: &Store,
        draft: &Identified,
    ) -> anyhow::Result<Self> {
        let vocab_size = draft.tokenizer.vocab_size().min(draft.files.config().vocab_size);
        let (mut purposes, mut train, mut replay, mut held_out) = (vec![], vec![], vec![], vec![]);
        for (summary, purpose) in examples {
            purposes.push((summary.id, purpose));
            let target = store.target_probabilities(summary.id)?;
            let example = Example::new(summary, &target, vocab_size).map_err(anyhow::Error::msg)?;
            match purpose {
                Purpose::Train => train.push(example),
                Purpose::Replay => replay.push(example),
                Purpose::HeldOut => held_out.push(example),
            }
        }
        let num_train = train.len();
        train.extend(replay);
        Ok(Self { purposes, learned: train, num_train, held_out })
    }

    /// What the adapted draft is not to read: what it did not read before, or what most of these prompts begin with.
    fn skipped_prompt(&self, from: Option<&Adapter>, spec: &Spec, draft: &Identified) -> SkippedPrompt {
        if let Some(from) = from {
            return from.skipped_prompt.clone();
        }
        if !spec.skip_shared_prompt {
            return SkippedPrompt::default();
        }
        let prompts = self.learned.iter().chain(&self.held_out).map(Example::prompt);
        SkippedPrompt::shared_by(prompts, &draft.tokenizer.special_tokens())
    }

    /// Says what a run goes without, and refuses one without anything to learn.
    fn note_what_is_missing(&self, spec: &Spec, context: &Context) -> anyhow::Result<()> {
        if self.learned.is_empty() {
            anyhow::bail!(
                "all {} examples are of prompts that are held out (collect more prompts, or lower --holdout)",
                self.held_out.len()
            );
        }
        if self.held_out.is_empty() && spec.holdout > 0.0 {
            context.ui.warning("none of the prompts is held out: no checkpoint can be shown to be better");
        }
        Ok(())
    }
}

/// Says what the adapted draft is not going to read.
fn note_what_is_skipped(
    skipped: &SkippedPrompt,
    spec: &Spec,
    draft: &Identified,
    context: &Context,
) -> anyhow::Result<()> {
    if !skipped.is_empty() {
        let text = draft.tokenizer.decode(skipped.tokens())?;
        context.ui.note(format!(
            "the adapted draft is not to read what most prompts begin with, {} tokens: {}",
            skipped.tokens().len(),
            shortened(&text.split_whitespace().collect::<Vec<_>>().join(" "), 60)
        ));
    } else if spec.skip_shared_prompt {
        context.ui.warning(
            "no part of a chat is shared by most prompts (a system prompt, say): the adapted draft is going to read all of them",
        );
    }
    Ok(())
}

/// The prompts of examples, each once.
fn prompts_of(summaries: &[ExampleSummary]) -> Vec<Prompt> {
    let mut prompts: Vec<Prompt> = Vec::new();
    let mut known = HashSet::new();
    for summary in summaries {
        if known.insert(summary.prompt.as_str()) {
            prompts.push(Prompt { text: summary.prompt.clone(), external_id: None, category: None });
        }
    }
    prompts
}

fn source_of(prompts: &[Prompt]) -> PromptSource {
    let texts: Vec<&str> = prompts.iter().map(|prompt| prompt.text.as_str()).collect();
    PromptSource { name: "stored examples".to_owned(), sha256: sha256_hex(texts.join("\0").as_bytes()) }
}

/// Says why there is nothing to learn from.
fn no_examples(store: &Store, filter: &ExampleFilter) -> anyhow::Result<anyhow::Error> {
    let of = if filter.runs.is_empty() { "of this target" } else { "of this target in these runs" };
    let num_left = store.num_stored_examples(filter.target_model_sha256.as_deref())?;
    Ok(match num_left {
        _ if !filter.runs.is_empty() || num_left == 0 => {
            anyhow::anyhow!("there are no examples {of} to learn from (speclora collect makes them)")
        }
        _ => anyhow::anyhow!(
            "there are no examples {of} to learn from: the runs that collected its {num_left} are in the trash, or deleted \
             (speclora runs list --deleted shows what speclora runs restore brings back; speclora collect makes new ones)"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(id: i64, acceptance_rate: Option<f64>, split_key: f64) -> ExampleSummary {
        ExampleSummary {
            id: ExampleId(id),
            prompt: id.to_string(),
            prompt_tokens: vec![1],
            output_tokens: vec![1],
            rejected_positions: vec![],
            acceptance_rate,
            split_key,
        }
    }

    #[test]
    fn what_is_matched_or_seen_is_replayed_unless_all_is() {
        let spec = Spec { acceptance_threshold: 0.7, holdout: 0.2, ..Spec::from_settings(&[]).unwrap() };
        let all = [
            summary(1, Some(0.3), 0.5),
            summary(2, Some(0.7), 0.5),
            summary(3, None, 0.2),
            summary(4, Some(0.3), 0.19),
            summary(5, Some(0.3), 0.9),
        ];
        use Purpose::{HeldOut, Replay, Train};
        let seen = |ids: &[i64]| ids.iter().map(|&id| ExampleId(id)).collect::<HashSet<_>>();
        assert_eq!(purposes(&all, &spec, &seen(&[5])), [Train, Replay, Train, HeldOut, Replay]);
        assert_eq!(purposes(&all, &spec, &seen(&[4])), [Train, Replay, Train, Replay, Train]);
        assert_eq!(purposes(&all[1..2], &spec, &seen(&[])), [Train]);
        assert_eq!(purposes(&all[3..4], &spec, &seen(&[])), [HeldOut]);
    }
}
