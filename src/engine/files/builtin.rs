//! The models that the program carries: a tiny target and its draft, so that everything works before any is downloaded.

use std::path::Path;

use super::bytes::Bytes;

/// What a built-in model is asked for by.
pub const TARGET: &str = "builtin:target";
/// The target's draft.
pub const DRAFT: &str = "builtin:draft";

/// Whether the program was built with them.
pub const ARE_THERE: bool = cfg!(feature = "builtin-models");

/// Whether a name or path means a built-in model, or would if there were one.
pub fn is_builtin(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.starts_with("builtin:"))
}

/// The file of a built-in model, or what is wrong with asking for it.
pub(super) fn open(path: &Path) -> Result<Bytes, String> {
    let file = match path.to_str() {
        Some(TARGET) => embedded::TARGET,
        Some(DRAFT) => embedded::DRAFT,
        _ => return Err(format!("there is no such model ({TARGET} and {DRAFT} are there)")),
    };
    let missing = "this speclora was built without its models (build it with the feature builtin-models)";
    file.map(Bytes::Embedded).ok_or_else(|| missing.to_owned())
}

#[cfg(feature = "builtin-models")]
mod embedded {
    //! The files of `models/tiny`, made by `examples/tiny-pair`.

    /// Bytes at an address like that of a mapped file.
    #[repr(C, align(64))]
    struct Aligned<B: ?Sized>(B);

    static TARGET_FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/tiny/target.gguf"));
    static DRAFT_FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../../models/tiny/draft.gguf"));

    pub(super) const TARGET: Option<&[u8]> = Some(&TARGET_FILE.0);
    pub(super) const DRAFT: Option<&[u8]> = Some(&DRAFT_FILE.0);
}

#[cfg(not(feature = "builtin-models"))]
mod embedded {
    pub(super) const TARGET: Option<&[u8]> = None;
    pub(super) const DRAFT: Option<&[u8]> = None;
}
