//! What an answer needs: settings, models, the draft's adapter and vocabulary.

use super::GenerateArgs;
use crate::cmd::adapter::{
    AdapterOrigin, FittedAdapter, Fitting, OtherDraft, find_best, find_named, named_in_settings,
};
use crate::cmd::bench::job::Models;
use crate::cmd::bench::prepare::{ModelPaths, decide_threads, draft_vocabulary, note_builtin_pair};
use crate::cmd::context::{Context, FileHashes};
use crate::config::Spec;
use crate::engine::adapter::Adapter;
use crate::engine::pair::Identified;
use crate::hash::sha256_hex;
use crate::record::{DraftVocabulary, Mode, Prompt, RunKind, Setting};
use crate::store::Store;

/// A prompt that is ready to be answered.
pub(super) struct Job {
    pub(super) prompt: Prompt,
    pub(super) spec: Spec,
    pub(super) models: Models,
    pub(super) mode: Mode,
    pub(super) adapter: Option<NamedAdapter>,
    pub(super) draft_vocabulary: Option<DraftVocabulary>,
}

/// An adapter with its name: a checkpoint id, or the folder it is in.
pub(super) struct NamedAdapter {
    pub(super) name: String,
    pub(super) adapter: Adapter,
}

/// Prepares what the command was asked for.
pub(super) fn prepared(args: &GenerateArgs, text: String, context: &Context) -> anyhow::Result<Job> {
    let (spec, mut settings) = context.resolve(args.overrides())?;
    note_builtin_pair(&spec, &settings, context);
    decide_threads(&mut settings, &spec);
    let is_speculative = spec.draft.is_some() && !args.no_draft;
    let mode = if is_speculative { Mode::SpecBase } else { Mode::TargetOnly };
    let spec = Spec { modes: vec![mode], ..Spec::from_settings(&settings)? };
    let paths = ModelPaths::find(&spec, RunKind::Bench)?;

    let database = context.database_path(&spec)?;
    let mut store = database.exists().then(|| context.open_database(&database)).transpose()?;
    let models = paths.open(&mut FileHashes::new(store.as_mut(), &context.ui), context)?;
    let adapter = match &models.draft {
        Some(draft) => adapter(&settings, args.models.force, draft, store.as_ref(), context)?,
        None => None,
    };
    let mode = if adapter.is_some() { Mode::SpecLora } else { mode };
    // A single prompt is a set of its own: earlier answers to it say nothing of what is frequent.
    let draft_vocabulary = draft_vocabulary(&spec, &models, &sha256_hex(text.as_bytes()), store.as_ref())?;
    let prompt = Prompt { text, external_id: None, category: None };
    let spec = Spec { modes: vec![mode], ..spec };
    Ok(Job { prompt, spec, models, mode, adapter, draft_vocabulary })
}

/// The adapter that somebody named, else the one that `best` names, if it is one of this draft.
fn adapter(
    settings: &[Setting],
    is_forced: bool,
    draft: &Identified,
    store: Option<&Store>,
    context: &Context,
) -> anyhow::Result<Option<NamedAdapter>> {
    let other_draft = OtherDraft::by_force(is_forced, &context.ui);
    let fitting = Fitting { draft, store, other_draft };
    let (found, folder) = match named_in_settings(settings) {
        Some(name) => (Some(find_named(name, fitting)?), name),
        None => (find_best(fitting)?, ""),
    };
    if found.is_none() {
        context.ui.detail("best names no adapter of this draft: the plain draft proposes");
    }
    Ok(found.map(|FittedAdapter { origin, adapter }| {
        let name = match origin {
            AdapterOrigin::Stored(id) => id.to_string(),
            AdapterOrigin::Folder(_) => folder.to_owned(),
        };
        context.ui.detail(format!("the draft proposes with adapter {name}"));
        NamedAdapter { name, adapter }
    }))
}
