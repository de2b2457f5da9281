//! What a bench needs before it can begin: settings, prompts, models, adapter, plan. Nothing is stored of a run until all
//! of it is found to be in order.

use std::io;
use std::path::Path;

use anyhow::Context as _;

use super::BenchArgs;
use super::job::Job;
use crate::bench::plan::{PlanRequest, plan};
use crate::cmd::UsageError;
use crate::cmd::context::{Context, FileHashes, find_model, select_run};
use crate::config::{Overrides, Spec};
use crate::engine::adapter::read_peft_folder;
use crate::engine::pair::Identified;
use crate::engine::tensor::ENGINE;
use crate::environment;
use crate::prompts::{self, Input, PromptSet};
use crate::record::{CheckpointId, Mode, NewRun, Origin, Role, RunId, RunKind, RunModel, Setting, Slot};
use crate::store::{SlotKey, Store};

/// Prepares a new run.
pub(super) fn fresh(args: &BenchArgs, context: &Context) -> anyhow::Result<Job> {
    let (spec, mut settings) = context.resolve(args.overrides())?;
    let tags = args.tags.iter().map(|tag| parse_tag(tag)).collect::<anyhow::Result<_>>()?;
    let target_name = spec.target.as_deref().ok_or_else(|| {
        UsageError("no target model (give --target, or set target in speclora.toml)".to_owned())
    })?;
    let PromptSet { prompts, source, num_duplicates } = read_prompts(args)?;
    if num_duplicates > 0 {
        context.ui.note(format!("{num_duplicates} prompts that stand there twice are run once"));
    }
    let prompts = match spec.limit {
        Some(limit) => prompts::sample(prompts, limit as usize, spec.seed),
        None => prompts,
    };

    let target_path = find_model(target_name, &spec)?;
    let needs_draft = spec.modes.iter().any(|mode| mode.is_speculative());
    let draft_path = match &spec.draft {
        Some(name) if needs_draft => Some(find_model(name, &spec)?),
        None if needs_draft => {
            let problem =
                "no draft model (give --draft, set draft in speclora.toml, or choose --modes target_only)";
            return Err(UsageError(problem.to_owned()).into());
        }
        _ => None,
    };
    let mut store = Store::open(context.database_path(&spec)?)?;
    let target = identify(&target_path, &mut store, context)?;
    let draft = draft_path.map(|path| identify(&path, &mut store, context)).transpose()?;

    let checkpoint_id = find_adapter(&spec, &settings, draft.as_ref(), &mut store)?;
    if checkpoint_id.is_none() && spec.modes.contains(&Mode::SpecLora) {
        context.ui.note("no adapter has been trained yet: spec_lora is left out");
        let modes: Vec<Mode> = spec.modes.iter().copied().filter(|&mode| mode != Mode::SpecLora).collect();
        decide(&mut settings, "modes", serde_json::json!(modes), "no adapter has been trained");
    }
    if spec.threads.is_none() {
        decide(&mut settings, "threads", environment::num_physical_cores().into(), "physical cores");
    }
    let spec = Spec::from_settings(&settings)?;

    let slots = slots(&spec, prompts.len());
    let models = [Some((Role::Target, &target)), draft.as_ref().map(|draft| (Role::Draft, draft))];
    let new_run = NewRun {
        kind: RunKind::Bench,
        name: args.name.clone(),
        note: args.note.clone(),
        tags,
        command_line: command_line(),
        environment: environment::collect(ENGINE),
        models: models.into_iter().flatten().map(|(role, model)| run_model(role, model)).collect(),
        settings,
        checkpoint_id,
        prompt_source: source,
        prompts,
        num_planned_generations: slots.len() as u32,
    };
    Ok(Job { run: None, new_run, spec, store, target, draft, slots })
}

/// Prepares what is missing of an earlier run.
pub(super) fn resumed(selector: &str, args: &BenchArgs, context: &Context) -> anyhow::Result<Job> {
    let has_prompts = args.prompts_file.is_some() || !args.prompts.is_empty();
    let has_labels = args.name.is_some() || args.note.is_some() || !args.tags.is_empty();
    if has_prompts || has_labels || !args.overrides().is_empty() {
        let problem = "--resume takes prompts and settings from the run (leave the other flags out)";
        return Err(UsageError(problem.to_owned()).into());
    }
    let (spec, _) = context.resolve(Overrides::NONE)?;
    let mut store = Store::open_existing(context.database_path(&spec)?)?;
    let run = select_run(&store, &[selector.to_owned()])?;
    let new_run = store.run_plan(run)?;
    let spec = Spec::from_settings(&new_run.settings)?;

    let finished = store.finished_slots(run)?;
    let mut slots = slots(&spec, new_run.prompts.len());
    slots.retain(|&slot| !finished.contains(&SlotKey::from(slot)));
    let model = |role: Role| new_run.models.iter().find(|model| model.role == role);
    let target = model(Role::Target).with_context(|| format!("run {run} has no target"))?;
    let target = identify_again(target, run, &mut store, context)?;
    let draft =
        model(Role::Draft).map(|model| identify_again(model, run, &mut store, context)).transpose()?;
    Ok(Job { run: Some(run), new_run, spec, store, target, draft, slots })
}

/// The whole plan of a run with these settings.
fn slots(spec: &Spec, num_prompts: usize) -> Vec<Slot> {
    plan(&PlanRequest {
        num_prompts: num_prompts as u32,
        modes: &spec.modes,
        iterations: spec.iterations,
        warmup: spec.warmup,
        seed: spec.seed,
    })
}

fn read_prompts(args: &BenchArgs) -> anyhow::Result<PromptSet> {
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

fn parse_tag(tag: &str) -> anyhow::Result<(String, String)> {
    match tag.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(UsageError(format!("--tag takes KEY=VALUE, got \"{tag}\"")).into()),
    }
}

fn identify(path: &Path, store: &mut Store, context: &Context) -> anyhow::Result<Identified> {
    context.ui.detail(format!("reading {}", path.display()));
    Ok(Identified::open(path, &mut FileHashes { store: Some(store), ui: &context.ui })?)
}

/// Opens a model of an earlier run, which must be the same still.
fn identify_again(
    model: &RunModel,
    run: RunId,
    store: &mut Store,
    context: &Context,
) -> anyhow::Result<Identified> {
    let found = identify(Path::new(&model.path), store, context)?;
    if found.info.sha256 != model.info.sha256 {
        let path = &model.path;
        anyhow::bail!(
            "{path} is not the model that run {run} began with (put that one back, or begin a new run)"
        );
    }
    Ok(found)
}

fn run_model(role: Role, model: &Identified) -> RunModel {
    RunModel { role, path: model.files.path().display().to_string(), info: model.info.clone() }
}

/// Finds the adapter of `spec_lora`: an alias, a checkpoint's id, or a PEFT folder, which is stored first. `None` where
/// the mode is not asked for, or where nobody asked for an adapter by name and none was trained.
fn find_adapter(
    spec: &Spec,
    settings: &[Setting],
    draft: Option<&Identified>,
    store: &mut Store,
) -> anyhow::Result<Option<CheckpointId>> {
    let Some(draft) = draft.filter(|_| spec.modes.contains(&Mode::SpecLora)) else {
        return Ok(None);
    };
    let name = spec.adapter.as_str();
    if let Some(id) = store.alias(name)? {
        return Ok(Some(id));
    }
    if let Ok(id) = name.parse() {
        return Ok(Some(store.checkpoint(CheckpointId(id))?.id));
    }
    let folder = Path::new(name);
    if folder.is_dir() {
        let record = read_peft_folder(folder)?;
        crate::engine::adapter::Adapter::fit(&record, draft.files.config())?;
        return Ok(Some(store.import_adapter(&record, &draft.info)?));
    }
    let asked_for =
        settings.iter().any(|setting| setting.key == "adapter" && setting.origin != Origin::Default);
    if asked_for {
        anyhow::bail!(
            "no adapter {name} (it is no alias, no checkpoint id and no PEFT folder; --skip-lora goes without)"
        );
    }
    Ok(None)
}

/// Decides a setting that no layer could.
fn decide(settings: &mut [Setting], key: &str, value: serde_json::Value, source: &str) {
    let setting = settings.iter_mut().find(|setting| setting.key == key).expect("every key has a setting");
    setting.value = value;
    setting.source = Some(source.to_owned());
}

/// The command line, as typed.
fn command_line() -> String {
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
