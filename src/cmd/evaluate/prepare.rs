//! What an evaluation needs before it can begin: settings, prompts, models, adapters. Nothing is stored of it until all is
//! found to be in order.

use anyhow::Context as _;
use serde_json::json;

use super::EvaluateArgs;
use crate::cmd::adapter::{
    AdapterOrigin, FittedAdapter, Fitting, OtherDraft, find_best, find_named, named_in_settings,
};
use crate::cmd::bench::job::{Database, Models};
use crate::cmd::bench::prepare::{
    ModelPaths, command_line, decide, decide_threads, drawn, note_builtin_pair, parse_tags, read_prompts,
    run_models, slots, warn_of_leakage,
};
use crate::cmd::context::{Context, FileHashes, backend, setting_mut};
use crate::config::{Spec, is_read_by};
use crate::engine;
use crate::engine::pair::{Identified, check_tokenizers};
use crate::environment;
use crate::prompts::PromptSet;
use crate::record::{Mode, NewRun, Origin, RunKind, Setting, Slot};
use crate::store::Store;

/// An evaluation that is ready to begin.
pub(super) struct Job {
    pub(super) new_run: NewRun,
    pub(super) spec: Spec,
    pub(super) database: Database,
    pub(super) models: Models,
    /// The adapters to judge beside the plain draft.
    pub(super) adapters: Vec<FittedAdapter>,
    /// The answers to be generated: one a prompt.
    pub(super) slots: Vec<Slot>,
}

/// Prepares what the command was asked for.
pub(super) fn prepared(args: &EvaluateArgs, context: &Context) -> anyhow::Result<Job> {
    let (spec, mut settings) = context.resolve(args.overrides())?;
    note_builtin_pair(&spec, &settings, context);
    let names = names(args, &settings);
    settle(&mut settings, context);
    decide_threads(&mut settings, &spec);
    let spec = Spec::from_settings(&settings)?;
    settings.retain(|setting| is_read_by(&setting.key, RunKind::Evaluate));

    let tags = parse_tags(&args.tags)?;
    let PromptSet { prompts, source, num_duplicates } = read_prompts(&args.prompts)?;
    if num_duplicates > 0 {
        context.ui.note(format!("skipped {num_duplicates} duplicate prompts"));
    }
    let prompts = drawn(prompts, &spec);
    let paths = ModelPaths::find_pair(&spec)?;
    let slots = slots(&spec, prompts.len())?;
    let backend = backend(&spec)?;

    let mut database = Database::find(context.database_path(&spec)?, context)?;
    let mut hashes = FileHashes::new(database.store(), &context.ui);
    let models = paths.open(&mut hashes, context)?;
    let computed = hashes.computed;
    database.keep(computed);
    let draft = models.draft.as_ref().context("an evaluation has a draft")?;
    check_tokenizers(&models.target, draft)?;
    let store = database.store();
    let adapters = adapters(&names, args.models.force, draft, store.as_deref(), context)?;
    for adapter in &adapters {
        if let AdapterOrigin::Stored(id) = &adapter.origin {
            let name = format!("adapter {id}");
            warn_of_leakage(Some(adapter), &name, &prompts, store.as_deref(), context)?;
        }
    }
    let new_run = NewRun {
        kind: RunKind::Evaluate,
        name: args.name.clone(),
        note: args.note.clone(),
        tags,
        command_line: command_line(),
        environment: environment::collect(&engine::name(backend)),
        models: run_models(&models)?,
        settings,
        checkpoint_id: None,
        draft_vocabulary: None,
        prompt_source: source,
        prompts,
        num_planned_generations: slots.len().try_into().context("the plan is too large")?,
    };
    Ok(Job { new_run, spec, database, models, adapters, slots })
}

/// The adapters that somebody named: flags, else a file or a variable.
fn names(args: &EvaluateArgs, settings: &[Setting]) -> Vec<String> {
    match args.adapters.is_empty() {
        true => named_in_settings(settings).map(str::to_owned).into_iter().collect(),
        false => args.adapters.clone(),
    }
}

/// An evaluation answers each prompt once in one mode, greedily, and keeps the draft's vocabulary whole.
fn settle(settings: &mut [Setting], context: &Context) {
    let fixed = [
        ("modes", json!([Mode::SpecBase])),
        ("iterations", 1.into()),
        ("warmup", 0.into()),
        ("temperature", 0.0.into()),
        ("draft_vocab", "full".into()),
    ];
    for (key, value) in fixed {
        let setting = setting_mut(settings, key);
        let is_other = setting.origin != Origin::Default && setting.value != value;
        // The others say what a benchmark measures.
        if let (Some(source), true) =
            (&setting.source, is_other && ["temperature", "draft_vocab"].contains(&key))
        {
            context.ui.note(format!("{key} is {value} in an evaluation, whatever {source} says"));
        }
        setting.origin = Origin::Default;
        decide(settings, key, value, "evaluate");
    }
}

/// The adapters of these names, else the one that `best` names.
fn adapters(
    names: &[String],
    is_forced: bool,
    draft: &Identified,
    store: Option<&Store>,
    context: &Context,
) -> anyhow::Result<Vec<FittedAdapter>> {
    let other_draft = OtherDraft::by_force(is_forced, &context.ui);
    let fitting = Fitting { draft, store, other_draft };
    if !names.is_empty() {
        return names.iter().map(|name| find_named(name, fitting)).collect();
    }
    let best = find_best(fitting)?;
    if best.is_none() {
        context.ui.note(
            "best names no adapter of this draft: the plain draft is judged alone (--adapter names others)",
        );
    }
    Ok(best.into_iter().collect())
}
