//! Files that a command writes: refused before the work where something would be lost, and written whole or not at all.

mod protected;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::report::{Format, OutputFormat};
use crate::ui::{DataWriter, OutputError, Ui};

pub(super) use protected::Protected;

/// The path that stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// The format that a file's extension promises, if any.
pub(super) fn format_of(path: &Path) -> Option<OutputFormat> {
    match path.extension()?.to_ascii_lowercase().to_str()? {
        "json" => Some(OutputFormat::Text(Format::Json)),
        "jsonl" => Some(OutputFormat::Text(Format::Jsonl)),
        "csv" => Some(OutputFormat::Text(Format::Csv)),
        "parquet" => Some(OutputFormat::Parquet),
        _ => None,
    }
}

/// Writes a file by way of another beside it, so that what was there is replaced by all of the text or stays.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = match destination(path) {
        Some(path) => replace(&path, text.as_bytes()),
        None => fs::write(path, text),
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut replacement = Replacement::new(path)?;
    replacement.file.write_all(bytes)?;
    replacement.commit()
}

/// A file that takes the place of another when it is whole; until then, and if it is dropped, that one stays.
#[derive(Debug)]
pub(super) struct Replacement {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Replacement {
    fn new(path: &Path) -> io::Result<Self> {
        let (temporary, file) = create_beside(path)?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    fn commit(self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Ok(existing) = self.path.metadata() {
            fs::set_permissions(&self.temporary, existing.permissions())?;
        }
        fs::rename(&self.temporary, &self.path)
    }
}

impl Drop for Replacement {
    /// What was committed has its new name, and is not found under the old one.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Where data goes that is written piece by piece.
pub(super) enum Output<'a> {
    /// To standard output.
    Stdout(DataWriter<'a>),
    /// To a file, which is replaced as a whole by [`Output::finish`].
    File(Replacement),
    /// To a device or a pipe.
    Device(File),
}

impl<'a> Output<'a> {
    /// Begins to write to a file, or to standard output for `-`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn create(path: &Path, ui: &'a Ui) -> io::Result<Self> {
        if is_stdout(path) {
            return Ok(Self::Stdout(ui.data_writer()));
        }
        match destination(path) {
            Some(path) => Replacement::new(&path).map(Self::File),
            None => OpenOptions::new().write(true).open(path).map(Self::Device),
        }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// If that fails; what was there stays.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Stdout(_) | Self::Device(_) => Ok(()),
            Self::File(replacement) => replacement.commit(),
        }
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(replacement) => replacement.file.write(bytes),
            Self::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(replacement) => replacement.file.flush(),
            Self::Device(file) => file.flush(),
        }
    }
}

/// An error of writing to a path, with the path; that standard output was closed stays an error of its own.
pub(super) fn failed(path: &Path, error: io::Error) -> anyhow::Error {
    if is_stdout(path) {
        return OutputError::from(error).into();
    }
    anyhow::Error::from(error).context(format!("cannot write {}", path.display()))
}

/// Where a file lies in truth, behind links; none for a device or a pipe, which is written to as it is.
fn destination(path: &Path) -> Option<PathBuf> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => None,
        Ok(_) => Some(path.canonicalize().unwrap_or_else(|_| path.to_owned())),
        Err(_) => Some(path.to_owned()),
    }
}

/// Creates a file of a name that nobody has, in the folder of `path`.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(hidden);
    File::create_new(&temporary).map(|file| (temporary, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Verbosity;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn writing_replaces_what_was_there_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.json");
        for text in ["a long text", "short"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(names(folder.path()), ["out.json"]);
        assert!(write(&folder.path().join("none/out.json"), "x").is_err());
    }

    #[test]
    fn file_in_pieces_takes_its_place_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        fs::write(&path, "before").unwrap();
        let ui = Ui::with_writers(Verbosity::Normal, io::sink(), io::sink());
        for is_whole in [false, true] {
            let mut output = Output::create(&path, &ui).unwrap();
            output.write_all(b"af").and_then(|()| output.write_all(b"ter")).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "before");
            if is_whole {
                output.finish().unwrap();
            }
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "after");
        assert_eq!(names(folder.path()), ["out.csv"]);
        assert!(Output::create(&folder.path().join("none/out.csv"), &ui).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_stay_devices() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "after").unwrap();
        assert!(link.is_symlink() && fs::read_to_string(&file).unwrap() == "after");
        Protected::default().check(Path::new("/dev/null")).unwrap();
        write(Path::new("/dev/null"), "x").unwrap();
    }
}
