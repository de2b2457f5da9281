//! `speclora doctor`: checks machine, configuration, models and database, and says what is amiss.

use std::path::Path;

use clap::Args;

use super::adapter;
use super::context::{Context, FileHashes, backend, find_model};
use crate::config::{Overrides, Spec};
use crate::engine::pair::Identified;
use crate::environment;
use crate::record::{Origin, Setting};
use crate::report::{Cell, Column, Grid};
use crate::store::Store;

/// Arguments of `speclora doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// What a check found.
enum Finding {
    Good(String),
    /// Nothing is wrong, but something is not set up.
    Absent(String),
    Bad(String),
}

/// A check's name and what it found.
type Check = (&'static str, Finding);

/// Runs the command.
pub(crate) fn run(_: &DoctorArgs, context: &Context) -> anyhow::Result<()> {
    let mut checks = vec![("program", program()), ("machine", machine())];
    match context.resolve(Overrides::NONE) {
        Err(error) => checks.push(("settings", Finding::Bad(format!("{error:#}")))),
        Ok((spec, settings)) => {
            let decided = settings.iter().filter(|setting| setting.source.is_some()).count();
            let detail = format!("{decided} set, the others at their defaults");
            checks.push(("settings", Finding::Good(detail)));
            checks.push(match backend(&spec) {
                Ok(backend) => ("kernels", Finding::Good(backend.to_string())),
                Err(error) => ("kernels", Finding::Bad(error.to_string())),
            });
            checks.extend(check_files(&spec, &settings, context)?);
        }
    }
    let mut grid = Grid::new([
        Column::new("check", "Check"),
        Column::new("status", "Status"),
        Column::new("detail", "Detail"),
    ]);
    let mut num_bad = 0;
    for (check, finding) in checks {
        let (status, detail) = match finding {
            Finding::Good(detail) => ("ok", detail),
            Finding::Absent(detail) => ("unset", detail),
            Finding::Bad(detail) => {
                num_bad += 1;
                ("bad", detail)
            }
        };
        grid.push([Cell::Text(check.to_owned()), Cell::Text(status.to_owned()), Cell::Text(detail)]);
    }
    context.print(&grid)?;
    if num_bad > 0 {
        anyhow::bail!("{num_bad} of {} checks failed", grid.rows.len());
    }
    Ok(())
}

/// Checks what the settings name: database, models, adapter.
fn check_files(spec: &Spec, settings: &[Setting], context: &Context) -> anyhow::Result<Vec<Check>> {
    let database = context.database_path(spec)?;
    let mut store = database.is_file().then(|| context.open_database(&database));
    let [(target, target_model), (draft, draft_model)] = [("target", &spec.target), ("draft", &spec.draft)]
        .map(|(key, name)| match name {
            None => (not_set(key), None),
            Some(name) => {
                let store = store.as_mut().and_then(|store| store.as_mut().ok());
                found(
                    find_model(name, spec).and_then(|path| {
                        Ok(Identified::open(&path, &mut FileHashes::new(store, &context.ui))?)
                    }),
                )
            }
        });
    let adapter = check_adapter(spec, settings, draft_model.as_ref(), store.as_ref());
    let tokenizers = check_tokenizers(target_model.as_ref(), draft_model.as_ref());
    Ok(vec![
        ("database", check_database(&database, store.as_ref())),
        ("target", target),
        ("draft", draft),
        ("tokenizers", tokenizers),
        ("adapter", adapter),
    ])
}

/// Checks an adapter that somebody named against the draft.
fn check_adapter(
    spec: &Spec,
    settings: &[Setting],
    draft: Option<&Identified>,
    store: Option<&anyhow::Result<Store>>,
) -> Finding {
    let is_named = settings.iter().any(|s| s.key == "adapter" && s.origin != Origin::Default);
    let name = &spec.adapter;
    match draft {
        _ if !is_named => Finding::Absent(format!("not set: a bench takes {name}, where there is one")),
        None => Finding::Absent(format!("{name} is set, but there is no draft to fit it to")),
        Some(draft) => match adapter::check(name, draft, store.and_then(|store| store.as_ref().ok())) {
            Ok(()) => Finding::Good(format!("{name} fits the draft")),
            Err(error) => Finding::Bad(format!("{error:#}")),
        },
    }
}

fn program() -> Finding {
    let environment = environment::collect("");
    let commit = match (&environment.git_commit, environment.git_dirty) {
        (Some(commit), Some(true)) => format!(", commit {commit} with changes"),
        (Some(commit), _) => format!(", commit {commit}"),
        (None, _) => String::new(),
    };
    Finding::Good(format!("speclora {}{commit}", environment.speclora_version))
}

fn machine() -> Finding {
    let environment = environment::collect("");
    let cpu = environment.cpu_model.unwrap_or_else(|| "unknown processor".to_owned());
    let memory = match environment.memory_bytes {
        None => "an unknown amount".to_owned(),
        Some(bytes) => format!("{:.1} GB", bytes as f64 / 1e9),
    };
    let cores = environment::num_physical_cores();
    Finding::Good(format!("{cpu}, {cores} physical cores to use, {memory} of memory"))
}

fn check_database(path: &Path, store: Option<&anyhow::Result<Store>>) -> Finding {
    match store {
        None => Finding::Absent(format!("{} does not exist yet (a bench makes it)", path.display())),
        Some(Err(error)) => Finding::Bad(format!("{error:#}")),
        Some(Ok(store)) => match store.check().map_err(anyhow::Error::from) {
            Err(error) => Finding::Bad(format!("{error:#}")),
            Ok(problems) if !problems.is_empty() => Finding::Bad(problems.join("; ")),
            Ok(_) if store.is_read_only() => Finding::Good(format!("{}, read-only", path.display())),
            Ok(_) => Finding::Good(path.display().to_string()),
        },
    }
}

fn not_set(key: &str) -> Finding {
    Finding::Absent(format!("not set (set {key} in speclora.toml, or give --{key} to speclora bench)"))
}

/// What there is to say of a model that is set, and the model.
fn found(identified: anyhow::Result<Identified>) -> (Finding, Option<Identified>) {
    match identified {
        Err(error) => (Finding::Bad(format!("{error:#}")), None),
        Ok(model) => {
            let (path, info) = (model.files.path().display(), &model.info);
            let millions = info.num_parameters as f64 / 1e6;
            let detail = format!("{} {}, {millions:.0} M parameters, {path}", info.family, info.quantization);
            (Finding::Good(detail), Some(model))
        }
    }
}

fn check_tokenizers(target: Option<&Identified>, draft: Option<&Identified>) -> Finding {
    match (target, draft) {
        (Some(target), Some(draft)) if target.info.tokenizer_sha256 == draft.info.tokenizer_sha256 => {
            Finding::Good("target and draft number their tokens alike".to_owned())
        }
        (Some(_), Some(_)) => Finding::Bad(
            "target and draft have different tokenizers (choose a draft of the target's family)".to_owned(),
        ),
        _ => Finding::Absent("nothing to compare".to_owned()),
    }
}
