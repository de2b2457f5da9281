//! One setting: its name, what values it takes, and how they are read from text.

use serde_json::json;

use super::spec::KEYS;
use crate::nearest::nearest;
use crate::record::{Mode, Origin, Setting};

/// A setting's name, meaning, type and default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Key {
    /// TOML key, field of `Spec`, and stored name.
    pub name: &'static str,
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The default as TOML; none where the setting is optional.
    pub default: Option<&'static str>,
}

/// A setting's type and range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text, also none.
    Text,
    /// A path. `~/` is the home; in a file, a relative path begins at the file's folder.
    Path,
    /// A name, or a path that is told apart by a leading `~/`, `./` or `../`.
    NameOrPath,
    /// A whole number.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value.
        max: i64,
    },
    /// A real number.
    Number {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// A real number above 0 and at most 1.
    Fraction,
    /// True or false.
    Switch,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Some of a few words, each at most once.
    Words(&'static [&'static str]),
    /// How many tokens a draft proposes from: a number, "auto" or "full".
    VocabularySize,
    /// Modes of generation, each at most once.
    Modes,
}

/// Larger than any vocabulary.
const MAX_VOCABULARY_SIZE: i64 = 10_000_000;

impl Key {
    /// Finds a key by its name.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key whose name is nearest to one that does not exist, if any is near.
    pub(super) fn nearest(name: &str) -> Option<&'static Self> {
        nearest(name, KEYS.iter().map(|key| key.name)).and_then(Self::find)
    }

    /// The flag: the name with hyphens, save that the system prompt's is short.
    pub fn flag(&self) -> String {
        match self.name {
            "system_prompt" => "--system".to_owned(),
            name => format!("--{}", name.replace('_', "-")),
        }
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("SPECLORA_{}", self.name.to_uppercase())
    }

    /// The setting before any layer has spoken.
    pub(super) fn absent(&self) -> Setting {
        Setting {
            key: self.name.to_owned(),
            value: serde_json::Value::Null,
            origin: Origin::Default,
            source: None,
        }
    }
}

impl Kind {
    /// Says what is allowed, to follow "must be".
    pub fn expected(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::NameOrPath => "a name or a path".to_owned(),
            Self::Integer { min, max } => format!("a whole number between {min} and {max}"),
            Self::Number { min, max } => format!("a number between {min} and {max}"),
            Self::Fraction => "a number above 0 and at most 1".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::VocabularySize => {
                format!("auto, full, or a whole number between 1 and {MAX_VOCABULARY_SIZE}")
            }
            Self::Words(words) => expected_list(words),
            Self::Modes => {
                let names: Vec<_> = Mode::ALL.iter().map(|mode| mode.as_str()).collect();
                expected_list(&names)
            }
        }
    }

    /// Reads a variable's or flag's text; text that does not fit stays text, which [`Kind::check`] refuses.
    pub(super) fn parse(self, text: &str) -> toml::Value {
        let parsed = match self {
            Self::Text | Self::Path | Self::NameOrPath | Self::Choice(_) => None,
            Self::Integer { .. } | Self::VocabularySize => text.trim().parse().ok().map(toml::Value::Integer),
            Self::Number { .. } | Self::Fraction => text.trim().parse().ok().map(toml::Value::Float),
            Self::Switch => match text.trim() {
                "true" | "1" => Some(true.into()),
                "false" | "0" => Some(false.into()),
                _ => None,
            },
            Self::Modes | Self::Words(_) => {
                let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
                Some(names.collect::<Vec<_>>().into())
            }
        };
        parsed.unwrap_or_else(|| text.into())
    }

    /// Returns the value as it is stored, or nothing where type or range do not fit.
    pub(super) fn check(self, value: &toml::Value) -> Option<serde_json::Value> {
        use toml::Value::{Array, Boolean, Float, Integer, String};
        match (self, value) {
            (Self::Text, String(text)) => Some(json!(text)),
            (Self::Path | Self::NameOrPath, String(text)) => (!text.trim().is_empty()).then(|| json!(text)),
            (Self::Integer { min, max }, Integer(number)) => {
                (min..=max).contains(number).then(|| json!(number))
            }
            (Self::Number { min, max }, Float(number)) => (min..=max).contains(number).then(|| json!(number)),
            (Self::Fraction, Float(number)) => (*number > 0.0 && *number <= 1.0).then(|| json!(number)),
            (Self::Number { .. } | Self::Fraction, Integer(number)) => self.check(&Float(*number as f64)),
            (Self::Switch, Boolean(switch)) => Some(json!(switch)),
            (Self::Choice(words), String(word)) => words.contains(&word.trim()).then(|| json!(word.trim())),
            (Self::VocabularySize, Integer(number)) => {
                (1..=MAX_VOCABULARY_SIZE).contains(number).then(|| json!(number))
            }
            (Self::VocabularySize, String(word)) => {
                Self::Choice(&["auto", "full"]).check(&String(word.clone()))
            }
            (Self::Words(words), Array(names)) => check_words(words, names),
            (Self::Modes, Array(names)) => {
                let modes: Vec<_> = Mode::ALL.iter().map(|mode| mode.as_str()).collect();
                check_words(&modes, names)
            }
            _ => None,
        }
    }
}

fn expected_list(words: &[&str]) -> String {
    format!("a list of at least one of {}, each at most once", words.join(", "))
}

/// Returns the names if there is one, all are among the words, and none comes twice.
fn check_words(words: &[&str], names: &[toml::Value]) -> Option<serde_json::Value> {
    let names = names.iter().map(|name| name.as_str().map(str::trim)).collect::<Option<Vec<_>>>()?;
    let is_known = names.iter().all(|name| words.contains(name));
    let is_repeated = names.iter().enumerate().any(|(i, name)| names[..i].contains(name));
    (!names.is_empty() && is_known && !is_repeated).then(|| json!(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: Option<&str>) {
        let value = kind.check(&kind.parse(text));
        assert_eq!(value.map(|v| v.to_string()).as_deref(), expected, "{kind:?} from {text:?}");
    }

    #[test]
    fn integers_hold_to_their_range() {
        let kind = Kind::Integer { min: 1, max: 32 };
        check(kind, "1", Some("1"));
        check(kind, " 32 ", Some("32"));
        for text in ["0", "33", "-1", "1.5", "", "four", "99999999999999999999"] {
            check(kind, text, None);
        }
    }

    #[test]
    fn numbers_hold_to_their_range() {
        let kind = Kind::Number { min: 0.0, max: 10.0 };
        check(kind, "0", Some("0.0"));
        check(kind, "1e1", Some("10.0"));
        for text in ["-0.1", "10.1", "nan", "inf", ""] {
            check(kind, text, None);
        }
    }

    #[test]
    fn fractions_are_above_zero() {
        check(Kind::Fraction, "1", Some("1.0"));
        check(Kind::Fraction, "1e-9", Some("1e-9"));
        for text in ["0", "-0.0", "1.0000001", "nan"] {
            check(Kind::Fraction, text, None);
        }
    }

    #[test]
    fn modes_are_known_and_distinct_and_not_none() {
        check(Kind::Modes, "spec_base, target_only", Some(r#"["spec_base","target_only"]"#));
        for text in ["", ",", "spec_base,spec_base", "spec"] {
            check(Kind::Modes, text, None);
        }
    }

    #[test]
    fn choices_are_among_the_words() {
        let kind = Kind::Choice(&["avx2", "scalar"]);
        check(kind, " avx2 ", Some(r#""avx2""#));
        for text in ["", "AVX2", "avx2,scalar", "1"] {
            check(kind, text, None);
        }
    }

    #[test]
    fn sizes_of_a_vocabulary_are_words_or_positive() {
        check(Kind::VocabularySize, "auto", Some(r#""auto""#));
        check(Kind::VocabularySize, "full", Some(r#""full""#));
        check(Kind::VocabularySize, "8192", Some("8192"));
        for text in ["0", "-1", "half", "1.5", "", "10000001"] {
            check(Kind::VocabularySize, text, None);
        }
    }

    #[test]
    fn switches_and_paths_are_not_guessed() {
        check(Kind::Switch, "1", Some("true"));
        check(Kind::Switch, "false", Some("false"));
        check(Kind::Switch, "maybe", None);
        check(Kind::Path, " ", None);
        check(Kind::Text, "", Some(r#""""#));
    }

    #[test]
    fn names_of_flag_and_variable_follow_from_the_key() {
        let key = Key::find("num_draft_tokens").unwrap();
        assert_eq!(
            (key.flag().as_str(), key.variable().as_str()),
            ("--num-draft-tokens", "SPECLORA_NUM_DRAFT_TOKENS")
        );
        assert_eq!(Key::find("system_prompt").unwrap().flag(), "--system");
    }

    #[test]
    fn only_a_near_key_is_suggested() {
        let nearest = |name| Key::nearest(name).map(|key| key.name);
        assert_eq!(nearest("num_draft_token"), Some("num_draft_tokens"));
        assert_eq!(nearest("temprature"), Some("temperature"));
        assert_eq!(nearest("Seed"), Some("seed"));
        assert_eq!(nearest("zebra"), None);
    }
}
