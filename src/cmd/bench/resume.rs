//! What a command needs to go on with an earlier run: its own plan, settings and models, and only what is missing.

use std::path::Path;

use anyhow::Context as _;

use super::flags::Asked;
use super::job::{Database, Job, Models};
use super::prepare::{identify, slots};
use crate::bench::plan::remainder;
use crate::cmd::UsageError;
use crate::cmd::adapter::{Fitting, OtherDraft, fit_stored};
use crate::cmd::context::{Context, FileHashes, backend, select_run};
use crate::config::{Overrides, Spec, is_read_by};
use crate::engine;
use crate::engine::pair::Identified;
use crate::environment;
use crate::record::{NewRun, Origin, Role, RunId, RunKind, Setting};
use crate::store::{SlotKey, Store};

/// Settings that say where things are, and are taken from this command line and not from the run.
const PLACES: [&str; 2] = ["db", "models"];

/// Prepares what is missing of an earlier run.
pub(super) fn resumed(selector: &str, asked: &Asked, context: &Context) -> anyhow::Result<Job> {
    refuse_settings(asked)?;
    let (spec, mut settings) = context.resolve(Overrides::NONE)?;
    settings.retain(|setting| is_read_by(&setting.key, asked.kind));
    let mut store = context.open_database(&context.database_path(&spec)?)?;
    let run = select_run(&store, &[selector.to_owned()])?;
    let mut plan = store.run_plan(run)?;
    check_kind(run, plan.kind, asked.kind)?;
    store.check_resumable(run)?;
    if let Some(output) = asked.output {
        let mut protected = context.protected(&spec)?;
        for model in &plan.models {
            protected.add("a model of this run", &model.path);
        }
        protected.check(output)?;
    }
    note_ignored(run, &settings, &plan.settings, context);

    let spec = Spec::from_settings(&plan.settings)?;
    let finished = store.finished_slots(run)?;
    let left = remainder(slots(&spec, plan.prompts.len())?, |slot| finished.contains(&SlotKey::from(*slot)));
    let models = models_of_run(&plan, run, &mut store, context)?;
    let adapter = match (plan.checkpoint_id, &models.draft) {
        // One for another draft was taken by force when the run began.
        (Some(id), Some(draft)) => {
            let other_draft = OtherDraft::Taken(&context.ui);
            Some(fit_stored(id, &store, Fitting { draft, store: Some(&store), other_draft })?)
        }
        _ => None,
    };

    let environment = environment::collect(&engine::name(backend(&spec)?));
    let differences = environment::differences(&plan.environment, &environment);
    if !differences.is_empty() {
        let differences = differences.join("; ");
        context.ui.warning(format!(
            "run {run} goes on under other conditions, its figures mix both: {differences}"
        ));
    }
    plan.environment = environment;
    Ok(Job {
        run: Some(run),
        new_run: plan,
        spec,
        database: Database::Open(store),
        models,
        adapter,
        warm_again: left.warm_again,
        slots: left.slots,
    })
}

/// A run goes on with the command that began it.
pub(in crate::cmd) fn check_kind(run: RunId, kind: RunKind, expected: RunKind) -> anyhow::Result<()> {
    anyhow::ensure!(
        kind != RunKind::Evaluate,
        "run {run} is one of speclora evaluate, which is not resumed (begin again)"
    );
    anyhow::ensure!(
        kind == expected,
        "run {run} is one of speclora {kind} (speclora {kind} --resume {run} goes on)"
    );
    Ok(())
}

fn refuse_settings(asked: &Asked) -> Result<(), UsageError> {
    let Asked { prompts, run, overrides, .. } = asked;
    let has_prompts = prompts.prompts_file.is_some() || !prompts.prompts.is_empty();
    let has_labels = run.name.is_some() || run.note.is_some() || !run.tags.is_empty();
    if has_prompts || has_labels || !overrides.is_empty() {
        let problem = "--resume takes prompts and settings from the run (leave the other flags out)";
        return Err(UsageError(problem.to_owned()));
    }
    Ok(())
}

/// Says which settings of files and variables a run goes on without.
pub(in crate::cmd) fn note_ignored(run: RunId, given: &[Setting], of_run: &[Setting], context: &Context) {
    let ignored = ignored_settings(given, of_run);
    if !ignored.is_empty() {
        context.ui.note(format!("run {run} keeps its own settings; ignored: {}", ignored.join(", ")));
    }
}

/// Settings of files and variables that the run does not have, each with its source.
fn ignored_settings(given: &[Setting], of_run: &[Setting]) -> Vec<String> {
    let differs = |setting: &&Setting| {
        let stored = of_run.iter().find(|stored| stored.key == setting.key);
        setting.origin != Origin::Default
            && !PLACES.contains(&setting.key.as_str())
            && stored.is_none_or(|stored| stored.value != setting.value)
    };
    let named = |Setting { key, source, .. }: &Setting| match source {
        Some(source) => format!("{key} ({source})"),
        None => key.clone(),
    };
    given.iter().filter(differs).map(named).collect()
}

pub(in crate::cmd) fn models_of_run(
    plan: &NewRun,
    run: RunId,
    store: &mut Store,
    context: &Context,
) -> anyhow::Result<Models> {
    let mut hashes = FileHashes::new(Some(store), &context.ui);
    let mut open = |role: Role| -> anyhow::Result<Option<Identified>> {
        let Some(model) = plan.models.iter().find(|model| model.role == role) else {
            return Ok(None);
        };
        let found = identify(Path::new(&model.path), &mut hashes, context)?;
        if found.info.sha256 != model.info.sha256 {
            let path = &model.path;
            anyhow::bail!(
                "{path} is not the model that run {run} began with (put that one back, or begin a new run)"
            );
        }
        Ok(Some(found))
    };
    let target = open(Role::Target)?.with_context(|| format!("run {run} has no target"))?;
    Ok(Models { target, draft: open(Role::Draft)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_that_somebody_gave_and_that_differ_are_ignored() {
        let setting = |key: &str, value: i64, origin, source: Option<&str>| Setting {
            key: key.to_owned(),
            value: value.into(),
            origin,
            source: source.map(str::to_owned),
        };
        let of_run = [
            setting("seed", 1, Origin::Flag, Some("--seed")),
            setting("top_k", 2, Origin::Default, None),
            setting("threads", 2, Origin::Default, Some("physical cores")),
        ];
        let given = [
            setting("seed", 5, Origin::Environment, Some("SPECLORA_SEED")),
            setting("top_k", 3, Origin::Default, None),
            setting("threads", 2, Origin::File, Some("./speclora.toml")),
            setting("db", 7, Origin::Flag, Some("--db")),
        ];
        assert_eq!(ignored_settings(&given, &of_run), ["seed (SPECLORA_SEED)"]);
    }
}
