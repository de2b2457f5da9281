//! Adapters as commands name them: found by alias, checkpoint id or folder, and fitted to the draft before anything is
//! loaded.

use std::path::Path;

use anyhow::{Context as _, anyhow};

use crate::config::Spec;
use crate::engine::adapter::{Adapter, read_peft_folder};
use crate::engine::pair::Identified;
use crate::record::{AdapterRecord, CheckpointId, Mode, Origin, Setting};
use crate::store::Store;
use crate::ui::Ui;

/// An adapter that fits the draft.
pub(super) struct FittedAdapter {
    pub(super) origin: AdapterOrigin,
    pub(super) adapter: Adapter,
}

/// Where an adapter is.
pub(super) enum AdapterOrigin {
    /// In the database.
    Stored(CheckpointId),
    /// In a folder: it is stored when its run begins.
    Folder(AdapterRecord),
}

/// What becomes of an adapter that was made for another draft.
#[derive(Clone, Copy)]
pub(super) enum OtherDraft<'a> {
    /// It is refused.
    Refused,
    /// It is taken where its shapes fit, with a warning: `--force`.
    Taken(&'a Ui),
}

impl<'a> OtherDraft<'a> {
    /// What the flag `--force` decides.
    pub(super) fn by_force(is_forced: bool, ui: &'a Ui) -> Self {
        if is_forced { Self::Taken(ui) } else { Self::Refused }
    }

    /// Says that an adapter was made for another draft.
    ///
    /// # Errors
    /// If it is refused.
    pub(super) fn meet(self, problem: &str, mend: &str) -> anyhow::Result<()> {
        match self {
            Self::Refused => anyhow::bail!("{problem} ({mend}; --force takes it where its shapes fit)"),
            Self::Taken(ui) => {
                ui.warning(format!("{problem}; --force takes it"));
                Ok(())
            }
        }
    }
}

/// What an adapter has to fit, and where it may be.
#[derive(Clone, Copy)]
pub(super) struct Fitting<'a> {
    pub(super) draft: &'a Identified,
    pub(super) store: Option<&'a Store>,
    pub(super) other_draft: OtherDraft<'a>,
}

/// The adapter that the settings ask for.
pub(super) struct WantedAdapter<'a> {
    name: &'a str,
    /// Whether somebody named it, and did not leave it to the default.
    is_named: bool,
    /// Whether somebody named the mode that needs it.
    is_mode_named: bool,
}

impl<'a> WantedAdapter<'a> {
    /// Reads the settings; there is none where `spec_lora` is not to be measured.
    pub(super) fn of(spec: &'a Spec, settings: &[Setting]) -> Option<Self> {
        let decided = |key: &str| {
            let setting = settings.iter().find(|setting| setting.key == key)?;
            (setting.origin != Origin::Default).then_some(setting.source.as_deref())
        };
        spec.modes.contains(&Mode::SpecLora).then(|| Self {
            name: &spec.adapter,
            is_named: decided("adapter").is_some(),
            // --control adds a mode to the default ones, and names no other.
            is_mode_named: decided("modes").is_some_and(|source| source != Some("--control")),
        })
    }

    /// Finds it. `None` if nobody named it, and none was trained.
    ///
    /// # Errors
    /// If what was named is not there, or the adapter does not fit the draft.
    pub(super) fn find(&self, fitting: Fitting<'_>) -> anyhow::Result<Option<FittedAdapter>> {
        let Self { name, is_named, is_mode_named } = *self;
        // Left to the default, an adapter is one of this draft.
        let found = if is_named || is_mode_named { lookup(name, fitting)? } else { find_best(fitting)? };
        if let Some(found) = found {
            return Ok(Some(found));
        }
        if is_named {
            return Err(missing(name, "--skip-lora goes without"));
        }
        if is_mode_named {
            anyhow::bail!(
                "no adapter {name} has been trained (give --adapter, or leave spec_lora out of modes)"
            );
        }
        Ok(None)
    }
}

/// What the settings name, where flags have named none: an adapter is what a file or a variable says, and not the default.
pub(super) fn named_in_settings(settings: &[Setting]) -> Option<&str> {
    let setting = settings.iter().find(|setting| setting.key == "adapter")?;
    setting.value.as_str().filter(|_| setting.origin != Origin::Default)
}

/// Finds an adapter that somebody named.
///
/// # Errors
/// If it is not there, or does not fit the draft.
pub(super) fn find_named(name: &str, fitting: Fitting<'_>) -> anyhow::Result<FittedAdapter> {
    lookup(name, fitting)?.ok_or_else(|| missing(name, "speclora adapters list"))
}

/// Finds the adapter that `best` names of this draft.
///
/// # Errors
/// If it does not fit the draft.
pub(super) fn find_best(fitting: Fitting<'_>) -> anyhow::Result<Option<FittedAdapter>> {
    let Some(store) = fitting.store else {
        return Ok(None);
    };
    let best = store.alias("best", Some(&fitting.draft.info.sha256))?;
    best.map(|id| fit_stored(id, store, fitting)).transpose()
}

/// Says that there is no adapter of a name, and what to do.
fn missing(name: &str, mend: &str) -> anyhow::Error {
    match Path::new(name).parent().filter(|_| Path::new(name).is_file()) {
        Some(folder) => anyhow!("adapter {name} is a file (give its folder, {})", folder.display()),
        None => anyhow!("no adapter {name} (it is no alias, no checkpoint id and no PEFT folder; {mend})"),
    }
}

/// Finds out whether there is an adapter of this name, and whether it fits the draft.
///
/// # Errors
/// If not.
pub(super) fn check(name: &str, draft: &Identified, store: Option<&Store>) -> anyhow::Result<()> {
    let wanted = WantedAdapter { name, is_named: true, is_mode_named: false };
    wanted.find(Fitting { draft, store, other_draft: OtherDraft::Refused }).map(|_| ())
}

/// Finds the stored adapter that an alias or a checkpoint id names: an alias of this draft, if one is given and has it,
/// else the one that was given last.
///
/// # Errors
/// If there is none.
pub(super) fn select_checkpoint(
    name: &str,
    store: &Store,
    draft: Option<&Identified>,
) -> anyhow::Result<CheckpointId> {
    let id = stored(name, store, draft)?.ok_or_else(|| {
        anyhow!("no adapter {name} (it is no alias and no checkpoint id; speclora adapters list)")
    })?;
    Ok(store.checkpoint(id)?.id)
}

/// The checkpoint that a name may stand for: an alias, this draft's first, before an id.
fn stored(name: &str, store: &Store, draft: Option<&Identified>) -> anyhow::Result<Option<CheckpointId>> {
    let own = draft.map(|draft| store.alias(name, Some(&draft.info.sha256))).transpose()?.flatten();
    let named = match own {
        Some(id) => Some(id),
        None => store.alias(name, None)?,
    };
    Ok(named.or_else(|| name.parse().ok().map(CheckpointId)))
}

/// Finds an adapter by alias, checkpoint id or folder, in this order.
fn lookup(name: &str, fitting: Fitting<'_>) -> anyhow::Result<Option<FittedAdapter>> {
    if let Some(store) = fitting.store
        && let Some(id) = stored(name, store, Some(fitting.draft))?
    {
        return fit_stored(id, store, fitting).map(Some);
    }
    let folder = Path::new(name);
    folder.is_dir().then(|| fit_folder(folder, fitting.draft)).transpose()
}

/// Fits a stored adapter, which must have been made for this very draft.
pub(super) fn fit_stored(
    id: CheckpointId,
    store: &Store,
    Fitting { draft, other_draft, .. }: Fitting<'_>,
) -> anyhow::Result<FittedAdapter> {
    if let Some(problem) = for_another_draft(id, store, draft)? {
        other_draft.meet(&problem, "give that model as --draft, or another --adapter")?;
    }
    let adapter = Adapter::fit(&store.load_adapter(id)?, draft.files.config())?;
    Ok(FittedAdapter { origin: AdapterOrigin::Stored(id), adapter })
}

/// Says for which other draft a stored adapter was made, if for another.
pub(super) fn for_another_draft(
    id: CheckpointId,
    store: &Store,
    draft: &Identified,
) -> anyhow::Result<Option<String>> {
    let checkpoint = store.checkpoint(id)?;
    let (expected, found) = (checkpoint.draft_model_sha256, &draft.info.sha256);
    if &expected == found {
        return Ok(None);
    }
    let name = checkpoint.draft_model_name.unwrap_or_else(|| "a model without a name".to_owned());
    let path = draft.files.path().display();
    Ok(Some(format!(
        "adapter {id} is for another draft: {name} (SHA-256 {expected}), not {path} (SHA-256 {found})"
    )))
}

/// Reads an adapter from a folder and fits it.
pub(super) fn fit_folder(folder: &Path, draft: &Identified) -> anyhow::Result<FittedAdapter> {
    let folder = std::path::absolute(folder).context("cannot find the working directory")?;
    let record = read_peft_folder(&folder)?;
    let adapter = Adapter::fit(&record, draft.files.config())?;
    Ok(FittedAdapter { origin: AdapterOrigin::Folder(record), adapter })
}
