//! The bytes of a file: mapped into memory, or part of the program.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

use crate::engine::error::{Error, Result};

/// Bytes that are read only.
#[derive(Debug)]
pub(super) enum Bytes {
    /// A file.
    Mapped(Mmap),
    /// A part of the program.
    Embedded(&'static [u8]),
}

impl Bytes {
    /// Maps a file into memory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn map(path: &Path) -> Result<Self> {
        let read_error = |source| Error::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read_error)?;
        // SAFETY: the mapping is only read. Like every program that maps weights, this one relies on nobody truncating a
        // model file while it is in use.
        unsafe { Mmap::map(&file) }.map(Self::Mapped).map_err(read_error)
    }

    /// Drops the pages of a mapping from this process's memory.
    pub(super) fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: the mapping is read-only and has a file behind it, so that a dropped page is read from there when it
            // is next touched. An error means that nothing was dropped, which costs memory alone.
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}
