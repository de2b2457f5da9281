//! What a run that answers prompts needs before it can begin: settings, prompts, models, adapter, plan. Nothing is stored
//! of it until all is found to be in order.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::flags::{Asked, PromptArgs};
use super::job::{Database, Job, Models};
use super::resume;
use crate::bench::plan::{PlanRequest, plan};
use crate::cmd::UsageError;
use crate::cmd::adapter::{AdapterOrigin, FittedAdapter, Fitting, OtherDraft, WantedAdapter};
use crate::cmd::context::{Context, FileHashes, backend, find_model, setting_mut};
use crate::config::{self, NamedSize, Spec, VocabularySize};
use crate::engine::files::builtin;
use crate::engine::pair::Identified;
use crate::engine::{self, vocabulary};
use crate::environment;
use crate::prompts::{self, Input, PromptSet};
use crate::record::{DraftVocabulary, Mode, NewRun, Origin, Prompt, Role, RunKind, RunModel, Setting, Slot};
use crate::store::Store;

/// Prepares what a command was asked for: a new run, or the rest of an earlier one.
pub(in crate::cmd) fn prepared(asked: Asked, context: &Context) -> anyhow::Result<Job> {
    match &asked.run.resume {
        Some(selector) => resume::resumed(selector, &asked, context),
        None => fresh(asked, context),
    }
}

/// The settings of a new run, and a word where nobody named a model.
fn resolve(asked: &Asked, context: &Context) -> anyhow::Result<(Spec, Vec<Setting>)> {
    let (mut spec, mut settings) = context.resolve(asked.overrides.clone())?;
    if asked.kind == RunKind::Collect {
        settle_for_collecting(&mut settings);
        spec = Spec::from_settings(&settings)?;
    }
    note_builtin_pair(&spec, &settings, context);
    Ok((spec, settings))
}

/// Prepares a new run.
fn fresh(asked: Asked, context: &Context) -> anyhow::Result<Job> {
    let Asked { kind, run: labels, .. } = asked;
    let (spec, mut settings) = resolve(&asked, context)?;
    let tags = parse_tags(&labels.tags)?;
    let PromptSet { prompts, source, num_duplicates } = read_prompts(asked.prompts)?;
    if num_duplicates > 0 {
        context.ui.note(format!("skipped {num_duplicates} duplicate prompts"));
    }
    let prompts = drawn(prompts, &spec);
    let paths = ModelPaths::find(&spec, kind)?;
    if let Some(output) = asked.output {
        check_output(output, &asked, &paths, &spec, context)?;
    }
    // A plan that nobody can mean, or this processor cannot carry out, is refused before models are read.
    slots(&spec, prompts.len())?;
    let backend = backend(&spec)?;

    let mut database = Database::find(context.database_path(&spec)?, context)?;
    let mut hashes = FileHashes::new(database.store(), &context.ui);
    let models = paths.open(&mut hashes, context)?;
    let computed = hashes.computed;
    database.keep(computed);
    let adapter = match (WantedAdapter::of(&spec, &settings), &models.draft) {
        (Some(wanted), Some(draft)) => {
            let other_draft = OtherDraft::by_force(asked.takes_other_draft, &context.ui);
            wanted.find(Fitting { draft, store: database.store().as_deref(), other_draft })?
        }
        _ => None,
    };
    if kind == RunKind::Bench {
        let store = database.store();
        warn_of_leakage(adapter.as_ref(), "this adapter", &prompts, store.as_deref(), context)?;
    }
    if adapter.is_none() && spec.modes.contains(&Mode::SpecLora) {
        let has_adapters = match (&database.store(), &models.draft) {
            (Some(store), Some(draft)) => store.alias("latest", Some(&draft.info.sha256))?.is_some(),
            _ => false,
        };
        let reason = if has_adapters { NONE_IS_BEST } else { NONE_IS_TRAINED };
        leave_out_spec_lora(&mut settings, &spec, reason, context);
    }
    decide_threads(&mut settings, &spec);
    let store = database.store();
    let draft_vocabulary = draft_vocabulary(&spec, &models, &source.sha256, store.as_deref())?;
    let spec = Spec::from_settings(&settings)?;
    settings.retain(|setting| config::is_read_by(&setting.key, kind));
    let slots = slots(&spec, prompts.len())?;
    let new_run = NewRun {
        kind,
        name: labels.name.clone(),
        note: labels.note.clone(),
        tags,
        command_line: command_line(),
        environment: environment::collect(&engine::name(backend)),
        models: run_models(&models)?,
        settings,
        checkpoint_id: None,
        draft_vocabulary,
        prompt_source: source,
        prompts,
        num_planned_generations: slots.len().try_into().context("the plan is too large")?,
    };
    Ok(Job { run: None, new_run, spec, database, models, adapter, warm_again: vec![], slots })
}

/// Says that nobody named a model, so that these are the built-in ones.
pub(in crate::cmd) fn note_builtin_pair(spec: &Spec, settings: &[Setting], context: &Context) {
    let is_named =
        settings.iter().any(|setting| setting.key == "target" && setting.origin != Origin::Default);
    if !is_named && spec.target.is_some() {
        context.ui.note("no model is named: this is the built-in pair");
    }
}

/// Decides how many threads compute, where no layer has.
pub(in crate::cmd) fn decide_threads(settings: &mut [Setting], spec: &Spec) {
    if spec.threads.is_none() {
        decide(settings, "threads", environment::num_physical_cores().into(), "physical cores");
    }
}

/// Says so where an adapter, called `name`, has learned answers to the prompts that it is to be measured on.
pub(in crate::cmd) fn warn_of_leakage(
    adapter: Option<&FittedAdapter>,
    name: &str,
    prompts: &[Prompt],
    store: Option<&Store>,
    context: &Context,
) -> anyhow::Result<()> {
    let (Some(FittedAdapter { origin: AdapterOrigin::Stored(id), .. }), Some(store)) = (adapter, store)
    else {
        return Ok(());
    };
    let num_leaked = store.leaked_prompts(*id, prompts)?;
    if num_leaked > 0 {
        context.ui.warning(format!(
            "{num_leaked} of {} prompts were trained on by {name}: its gain on them says nothing about unseen prompts \
             (speclora query leakage --run RUN lists them)",
            prompts.len()
        ));
    }
    Ok(())
}

/// Collecting has one mode, that of the adapter where somebody named one, and nothing to warm up for.
fn settle_for_collecting(settings: &mut [Setting]) {
    let is_named = setting_mut(settings, "adapter").origin != Origin::Default;
    let is_skipped = setting_mut(settings, "modes").source.as_deref() == Some("--skip-lora");
    let mode = if is_named && !is_skipped { Mode::SpecLora } else { Mode::SpecBase };
    for (key, value) in [("modes", serde_json::json!([mode])), ("warmup", 0.into())] {
        setting_mut(settings, key).origin = Origin::Default;
        decide(settings, key, value, "collect");
    }
}

/// Refuses an output that would replace what the run reads or writes.
fn check_output(
    output: &Path,
    asked: &Asked,
    paths: &ModelPaths,
    spec: &Spec,
    context: &Context,
) -> anyhow::Result<()> {
    let mut protected = context.protected(spec)?;
    protected.add("the target model", &paths.target);
    if let Some(draft) = &paths.draft {
        protected.add("the draft model", draft);
    }
    if let Some(prompts) = &asked.prompts.prompts_file {
        protected.add("the prompts file", prompts);
    }
    if Path::new(&spec.adapter).exists() {
        protected.add("the adapter", &spec.adapter);
    }
    protected.check(output)
}

/// The whole plan of a run with these settings.
pub(in crate::cmd) fn slots(spec: &Spec, num_prompts: usize) -> Result<Vec<Slot>, UsageError> {
    let request = PlanRequest {
        num_prompts,
        modes: &spec.modes,
        iterations: spec.iterations,
        warmup: spec.warmup,
        seed: spec.seed,
    };
    plan(&request).map_err(|error| UsageError(error.to_string()))
}

pub(in crate::cmd) fn read_prompts(args: &PromptArgs) -> anyhow::Result<PromptSet> {
    let input = match &args.prompts_file {
        Some(path) => Input::File(path),
        None if args.prompts.is_empty() => {
            return Err(
                UsageError("no prompts (give --prompts-file FILE or --prompt TEXT)".to_owned()).into()
            );
        }
        None => Input::Texts(&args.prompts),
    };
    Ok(prompts::read(input, io::stdin().lock())?)
}

pub(in crate::cmd) fn drawn(prompts: Vec<Prompt>, spec: &Spec) -> Vec<Prompt> {
    match spec.limit {
        Some(limit) => prompts::sample(prompts, limit as usize, spec.seed),
        None => prompts,
    }
}

pub(in crate::cmd) fn parse_tags(texts: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let tags = texts.iter().map(|text| parse_tag(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let is_repeated =
        |(i, (key, _)): (usize, &(String, String))| tags[..i].iter().any(|(other, _)| other == key);
    match tags.iter().enumerate().find(|tag| is_repeated(*tag)) {
        Some((_, (key, _))) => {
            Err(UsageError(format!("--tag {key} is given twice (a key has one value)")).into())
        }
        None => Ok(tags),
    }
}

fn parse_tag(tag: &str) -> anyhow::Result<(String, String)> {
    match tag.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(UsageError(format!("a tag is KEY=VALUE, got \"{tag}\"")).into()),
    }
}

/// Where the models of a run are.
pub(in crate::cmd) struct ModelPaths {
    target: PathBuf,
    /// The draft, where a mode needs it.
    draft: Option<PathBuf>,
}

impl ModelPaths {
    /// Finds a target and its draft.
    pub(in crate::cmd) fn find_pair(spec: &Spec) -> anyhow::Result<Self> {
        let spec = &Spec { modes: vec![Mode::SpecBase], ..spec.clone() };
        Self::find(spec, RunKind::Train)
    }

    /// Finds the target, and its draft where one of the modes needs it.
    pub(in crate::cmd) fn find(spec: &Spec, kind: RunKind) -> anyhow::Result<Self> {
        let no_target =
            || UsageError("no target model (give --target, or set target in speclora.toml)".to_owned());
        let target = find_model(spec.target.as_deref().ok_or_else(no_target)?, spec)?;
        let needs_draft = spec.modes.iter().any(|mode| mode.is_speculative());
        let no_draft = || {
            let problem = match kind {
                RunKind::Bench => {
                    "no draft model (give --draft, set draft in speclora.toml, or choose --modes target_only)"
                }
                _ => "no draft model (give --draft, or set draft in speclora.toml)",
            };
            UsageError(problem.to_owned())
        };
        let draft = needs_draft.then(|| spec.draft.as_deref().ok_or_else(no_draft)).transpose()?;
        Ok(Self { target, draft: draft.map(|name| find_model(name, spec)).transpose()? })
    }

    pub(in crate::cmd) fn open(&self, hashes: &mut FileHashes, context: &Context) -> anyhow::Result<Models> {
        let target = identify(&self.target, hashes, context)?;
        let draft = self.draft.as_deref().map(|path| identify(path, hashes, context)).transpose()?;
        Ok(Models { target, draft })
    }
}

/// Opens a model and says what it is.
pub(in crate::cmd) fn identify(
    path: &Path,
    hashes: &mut FileHashes,
    context: &Context,
) -> anyhow::Result<Identified> {
    context.ui.detail(format!("reading {}", path.display()));
    Ok(Identified::open(path, hashes)?)
}

pub(in crate::cmd) fn run_models(models: &Models) -> anyhow::Result<Vec<RunModel>> {
    let run_model = |role: Role, model: &Identified| -> anyhow::Result<RunModel> {
        let path = model.files.path();
        let path = match builtin::is_builtin(path) {
            true => path.to_owned(),
            // `--resume` may be typed in another folder.
            false => std::path::absolute(path).context("cannot find the working directory")?,
        };
        Ok(RunModel { role, path: path.display().to_string(), info: model.info.clone() })
    };
    let draft = models.draft.iter().map(|draft| (Role::Draft, draft));
    [(Role::Target, &models.target)]
        .into_iter()
        .chain(draft)
        .map(|(role, model)| run_model(role, model))
        .collect()
}

/// The tokens that the draft may propose, the outputs counted that are stored so far. `None` if that is every one.
pub(in crate::cmd) fn draft_vocabulary(
    spec: &Spec,
    models: &Models,
    prompt_set_sha256: &str,
    store: Option<&Store>,
) -> anyhow::Result<Option<DraftVocabulary>> {
    let Models { target, draft: Some(draft) } = models else {
        return Ok(None);
    };
    let tokenizer = &target.tokenizer;
    // A head may have fewer rows than the tokenizer has ids.
    let heads = [target, draft].map(|model| model.files.config().vocab_size);
    let vocab_size = heads.into_iter().fold(tokenizer.vocab_size(), usize::min);
    let size = match spec.draft_vocab {
        VocabularySize::Named(NamedSize::Full) => None,
        VocabularySize::Named(NamedSize::Auto) => vocabulary::auto_size(vocab_size),
        VocabularySize::Tokens(size) => Some(size as usize),
    };
    let Some(size) = size else {
        return Ok(None);
    };
    let counts = match store {
        Some(store) => store.count_output_tokens(&target.info.tokenizer_sha256, prompt_set_sha256)?,
        None => vocabulary::TokenCounts::new(),
    };
    Ok(vocabulary::choose(tokenizer, vocab_size, &counts, size))
}

/// Why there is no adapter to measure, and what to do.
struct NoAdapter {
    reason: &'static str,
    mend: &'static str,
}

const NONE_IS_TRAINED: NoAdapter =
    NoAdapter { reason: "no adapter has been trained yet", mend: "speclora collect, then speclora train" };
const NONE_IS_BEST: NoAdapter = NoAdapter {
    reason: "best names no adapter of this draft",
    mend: "--adapter latest takes the newest; speclora adapters list shows all",
};

/// Goes on without the mode that needs an adapter.
fn leave_out_spec_lora(
    settings: &mut [Setting],
    spec: &Spec,
    NoAdapter { reason, mend }: NoAdapter,
    context: &Context,
) {
    context.ui.note(format!("{reason}: spec_lora is left out ({mend})"));
    let modes: Vec<Mode> = spec.modes.iter().copied().filter(|&mode| mode != Mode::SpecLora).collect();
    decide(settings, "modes", serde_json::json!(modes), reason);
}

/// Decides a setting that no layer could.
pub(in crate::cmd) fn decide(settings: &mut [Setting], key: &str, value: serde_json::Value, source: &str) {
    let setting = setting_mut(settings, key);
    setting.value = value;
    setting.source = Some(source.to_owned());
}

/// The command line, as typed.
pub(in crate::cmd) fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let quoted = arguments.map(|argument| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@+%".contains(c);
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    std::iter::once("speclora".to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}
