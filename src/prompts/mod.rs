//! Prompts: from files, standard input and the command line, without duplicates, and drawn at random.
//!
//! Models, templates and the store are unknown here; a prompt is the user's words.

mod error;
mod parse;
mod sample;

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::Path;

pub use self::error::PromptError;
pub use self::parse::Format;
pub(crate) use self::sample::rng_of_seed;
pub use self::sample::sample;

use crate::hash::Sha256Hex;
use crate::record::{Prompt, PromptSource};

/// Where prompts are to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A file, standard input if the path is `-`, or one that the program carries: `builtin:general`, `builtin:bench`,
    /// `builtin:train` or `builtin:replay`.
    File(&'a Path),
    /// The texts of `--prompt` flags.
    Texts(&'a [String]),
}

/// Prompts that were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptSet {
    /// Prompts with distinct texts, in the order in which they stand in their source.
    pub prompts: Vec<Prompt>,
    /// Where they came from.
    pub source: PromptSource,
    /// Prompts that were dropped because an earlier one has the same text.
    pub num_duplicates: usize,
}

/// Reads prompts; `stdin` is read only if the input is `-`.
///
/// # Errors
/// If the input cannot be read, is malformed (with its line), or holds no prompt.
pub fn read(input: Input<'_>, stdin: impl Read) -> Result<PromptSet, PromptError> {
    match input {
        Input::Texts(texts) => Ok(distinct("command line", parse::texts(texts)?)),
        Input::File(path) => {
            if let Some((name, text)) = builtin(path) {
                return Ok(distinct(name, parse::bytes(name, text.as_bytes(), None)?));
            }
            if let Some(name) = path.to_str().filter(|path| path.starts_with("builtin:")) {
                return Err(PromptError::NoBuiltin { name: name.to_owned() });
            }
            let is_stdin = path == Path::new("-");
            let place = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
            let bytes = read_bytes(path, stdin)
                .map_err(|source| PromptError::Read { place: place.clone(), source })?;
            let name = path.file_name().map_or(place.clone(), |name| name.display().to_string());
            Ok(distinct(&name, parse::bytes(&place, &bytes, Format::of_path(path))?))
        }
    }
}

/// The name and text of a prompt file that the program carries.
fn builtin(path: &Path) -> Option<(&'static str, &'static str)> {
    macro_rules! example {
        ($name:literal) => {
            ($name, include_str!(concat!("../../examples/", $name)))
        };
    }
    match path.to_str()? {
        "builtin:general" => Some(example!("general_prompts.txt")),
        "builtin:bench" => Some(example!("bench_prompts.txt")),
        "builtin:train" => Some(example!("train_prompts.txt")),
        "builtin:replay" => Some(example!("replay_prompts.txt")),
        _ => None,
    }
}

fn read_bytes(path: &Path, mut stdin: impl Read) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return std::fs::read(path);
    }
    let mut bytes = Vec::new();
    stdin.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Drops prompts whose text came before, and identifies the set by its texts.
fn distinct(name: &str, all: Vec<Prompt>) -> PromptSet {
    let num_all = all.len();
    let mut seen = HashSet::new();
    let prompts: Vec<Prompt> = all.into_iter().filter(|prompt| seen.insert(prompt.text.clone())).collect();
    let source = PromptSource { name: name.to_owned(), sha256: hash_texts(&prompts) };
    PromptSet { num_duplicates: num_all - prompts.len(), prompts, source }
}

/// Hashes the texts, each preceded by its length in bytes (64 bits, little-endian).
fn hash_texts(prompts: &[Prompt]) -> String {
    let mut hasher = Sha256Hex::new();
    for Prompt { text, .. } in prompts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(set: &PromptSet) -> Vec<&str> {
        set.prompts.iter().map(|prompt| prompt.text.as_str()).collect()
    }

    #[test]
    fn duplicates_are_dropped_and_counted() {
        let given = ["b", "a", "b", "b"].map(str::to_owned);
        let set = read(Input::Texts(&given), io::empty()).unwrap();
        assert_eq!((texts(&set), set.num_duplicates), (vec!["b", "a"], 2));
        assert_eq!(set.source.name, "command line");
    }

    #[test]
    fn hash_is_of_the_texts_and_their_boundaries() {
        let hash = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            read(Input::Texts(&texts), io::empty()).unwrap().source.sha256
        };
        assert_eq!(hash(&["a"]), "ae6121c88ba555f64c3d812123eb799d128015541f850c5e9bf1d54c08ad8481");
        assert_eq!(hash(&["a", "b"]), hash(&["a", "b", "a"]));
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }

    #[test]
    fn standard_input_is_a_dash() {
        let set = read(Input::File(Path::new("-")), "one\ntwo\n".as_bytes()).unwrap();
        assert_eq!((texts(&set), set.source.name.as_str()), (vec!["one", "two"], "-"));
    }

    #[test]
    fn errors_name_standard_input() {
        let message = |text: &str| {
            read(Input::File(Path::new("-")), text.as_bytes()).map_err(|error| error.to_string())
        };
        assert!(message("# no\n").unwrap_err().starts_with("no prompts in standard input ("));
        assert!(message("{\"prompt\": 1}").unwrap_err().starts_with("standard input:1: "));
    }

    #[test]
    fn file_is_read_by_its_extension() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, content: &str, expected: &[&str]| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let set = read(Input::File(&path), io::empty()).unwrap();
            assert_eq!((texts(&set).as_slice(), set.source.name.as_str()), (expected, name));
        };
        check("a.txt", "{\"prompt\": \"x\"}\n", &["{\"prompt\": \"x\"}"]);
        check("a.jsonl", "{\"prompt\": \"x\"}\n", &["x"]);
        check("a.CSV", "prompt\nx\n", &["x"]);
    }

    #[test]
    fn missing_file_is_an_error_that_names_it() {
        let error = read(Input::File(Path::new("/none/prompts.txt")), io::empty()).unwrap_err();
        assert_eq!(error.to_string(), "cannot read prompts from /none/prompts.txt");
        assert!(std::error::Error::source(&error).is_some(), "why is the cause's to say");
    }

    /// Every run of eight words, whatever their case and marks.
    fn eight_words(text: &str) -> HashSet<Vec<String>> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(str::to_lowercase).collect();
        words.windows(8).map(<[String]>::to_vec).collect()
    }

    #[test]
    fn example_prompts_are_many_and_distinct() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let example = |name: &str, least: usize| {
            let set = read(Input::File(&folder.join(name)), io::empty()).unwrap();
            assert!(set.prompts.len() >= least && set.num_duplicates == 0, "{name}");
            set.prompts.into_iter().map(|prompt| prompt.text).collect::<HashSet<_>>()
        };
        example("coding_bench.txt", 32);
        example("general_prompts.txt", 32);
        for (train, bench) in [
            ("train_prompts.txt", "bench_prompts.txt"),
            ("replay_prompts.txt", "general_prompts.txt"),
            ("tickets_train.txt", "tickets_bench.txt"),
            ("broad_train.txt", "broad_bench.txt"),
        ] {
            let (trained, benched) = (example(train, 90), example(bench, 36));
            assert!(trained.is_disjoint(&benched), "{bench} is unseen");
            let seen: HashSet<_> = trained.iter().flat_map(|text| eight_words(text)).collect();
            for text in benched {
                assert!(
                    eight_words(&text).is_disjoint(&seen),
                    "{bench} shares eight words with {train}: {text}"
                );
            }
        }
    }

    #[test]
    fn builtin_prompts_are_those_of_the_examples() {
        for (name, file) in
            [("general", "general"), ("bench", "bench"), ("train", "train"), ("replay", "replay")]
        {
            let set = read(Input::File(Path::new(&format!("builtin:{name}"))), io::empty()).unwrap();
            assert_eq!(set.source.name, format!("{file}_prompts.txt"));
        }
        let error = read(Input::File(Path::new("builtin:code")), io::empty()).unwrap_err().to_string();
        assert!(error.contains("builtin:code") && error.contains("builtin:train"), "{error}");
    }
}
