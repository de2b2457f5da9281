//! The adapter of `spec_lora`: found by alias, checkpoint id or folder, and fitted to the draft before anything is loaded.

use std::path::Path;

use anyhow::Context as _;

use crate::config::Spec;
use crate::engine::adapter::{Adapter, read_peft_folder};
use crate::engine::pair::Identified;
use crate::record::{AdapterRecord, CheckpointId, Mode, Origin, Setting};
use crate::store::Store;

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
    pub(super) fn find(
        &self,
        draft: &Identified,
        store: Option<&Store>,
    ) -> anyhow::Result<Option<FittedAdapter>> {
        let Self { name, is_named, is_mode_named } = *self;
        if let Some(found) = lookup(name, draft, store)? {
            return Ok(Some(found));
        }
        if let Some(folder) = Path::new(name).parent().filter(|_| Path::new(name).is_file()) {
            anyhow::bail!("adapter {name} is a file (give its folder, {})", folder.display());
        }
        if is_named {
            anyhow::bail!(
                "no adapter {name} (it is no alias, no checkpoint id and no PEFT folder; --skip-lora goes without)"
            );
        }
        if is_mode_named {
            anyhow::bail!(
                "no adapter {name} has been trained (give --adapter, or leave spec_lora out of modes)"
            );
        }
        Ok(None)
    }
}

/// Finds out whether there is an adapter of this name, and whether it fits the draft.
///
/// # Errors
/// If not.
pub(in crate::cmd) fn check(name: &str, draft: &Identified, store: Option<&Store>) -> anyhow::Result<()> {
    let wanted = WantedAdapter { name, is_named: true, is_mode_named: false };
    wanted.find(draft, store).map(|_| ())
}

/// Finds an adapter by alias, checkpoint id or folder, in this order.
fn lookup(name: &str, draft: &Identified, store: Option<&Store>) -> anyhow::Result<Option<FittedAdapter>> {
    if let Some(store) = store {
        if let Some(id) = store.alias(name)? {
            return fit_stored(id, draft, store).map(Some);
        }
        if let Ok(id) = name.parse() {
            return fit_stored(CheckpointId(id), draft, store).map(Some);
        }
    }
    let folder = Path::new(name);
    folder.is_dir().then(|| fit_folder(folder, draft)).transpose()
}

/// Fits a stored adapter, which must have been made for this very draft.
pub(super) fn fit_stored(
    id: CheckpointId,
    draft: &Identified,
    store: &Store,
) -> anyhow::Result<FittedAdapter> {
    let checkpoint = store.checkpoint(id)?;
    let (expected, found) = (&checkpoint.draft_model_sha256, &draft.info.sha256);
    if expected != found {
        let name = checkpoint.draft_model_name.unwrap_or_else(|| "a model without a name".to_owned());
        anyhow::bail!(
            "adapter {id} is for another draft: {name} (SHA-256 {expected}), not {} (SHA-256 {found}) \
             (give that model as --draft, or another --adapter)",
            draft.files.path().display()
        );
    }
    let adapter = Adapter::fit(&store.load_adapter(id)?, draft.files.config())?;
    Ok(FittedAdapter { origin: AdapterOrigin::Stored(id), adapter })
}

fn fit_folder(folder: &Path, draft: &Identified) -> anyhow::Result<FittedAdapter> {
    let folder = std::path::absolute(folder).context("cannot find the working directory")?;
    let record = read_peft_folder(&folder)?;
    let adapter = Adapter::fit(&record, draft.files.config())?;
    Ok(FittedAdapter { origin: AdapterOrigin::Folder(record), adapter })
}
