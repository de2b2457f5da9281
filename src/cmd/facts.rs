//! What is known of a run as a whole, for programs and for people.

use anyhow::Context as _;
use serde_json::{Map, Value as Json, json};

use super::present::{HASH_DIGITS, objects};
use crate::record::RunId;
use crate::store::{Rows, Store};

/// What is known of a run as a whole: the answer of `run_show`, and its notes with their times, as `dated_notes`.
pub(super) struct Facts(Map<String, Json>);

impl Facts {
    /// Asks the database.
    pub(super) fn read(store: &Store, run: RunId) -> anyhow::Result<Self> {
        let Rows { columns, rows } = store.query("run_show", &[(":run_id", run.into())])?;
        let row = rows.into_iter().next().with_context(|| format!("no run {run}"))?;
        let mut facts: Map<String, Json> =
            columns.into_iter().zip(row.iter().map(|value| json!(value))).collect();
        let notes = objects(&store.query("run_notes", &[(":run_id", run.into())])?);
        facts.insert("dated_notes".to_owned(), notes.into());
        Ok(Self(facts))
    }

    /// One of them, null where there is none.
    pub(super) fn get(&self, key: &str) -> &Json {
        self.0.get(key).expect("the query has this column")
    }

    /// The kind of the run, as it is stored.
    pub(super) fn kind(&self) -> &str {
        self.get("kind").as_str().unwrap_or_default()
    }

    /// The tags, as an object.
    pub(super) fn tags(&self) -> Json {
        self.get("tags").as_str().and_then(|tags| serde_json::from_str(tags).ok()).unwrap_or_default()
    }

    /// The notes, each after the minute in which it was made; nothing where there are none.
    fn notes(&self) -> Option<String> {
        let note = |note: &Json| {
            let time: String = note["created_at"].as_str()?.chars().take("2026-08-01T12:30".len()).collect();
            Some(format!("{}  {}", time.replace('T', " "), note["text"].as_str()?))
        };
        let notes: Vec<String> = self.get("dated_notes").as_array()?.iter().filter_map(note).collect();
        (!notes.is_empty()).then(|| notes.join("\n"))
    }

    /// Says that a run is not complete, if it is not.
    pub(super) fn incomplete(&self) -> Option<String> {
        let (stored, planned) = (self.get("num_generations"), self.get("num_planned_generations"));
        (stored != planned).then(|| format!("incomplete: {stored} of {planned} generations"))
    }

    /// All of them, as an object.
    pub(super) fn into_object(mut self) -> Map<String, Json> {
        let tags = self.tags();
        self.0.insert("tags".to_owned(), tags);
        self.0
    }

    /// Those that people look for, each with its label; what has no value is left out.
    pub(super) fn labelled(&self) -> Vec<(&'static str, String)> {
        let text = |key: &str| match self.get(key) {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let joined = |parts: &[Option<String>], separator: &str| {
            let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
            (!parts.is_empty()).then(|| parts.join(separator))
        };
        let stored = |key: &str| self.get(key).as_u64().unwrap_or_default();
        let failed = (stored("num_failed") > 0).then(|| format!("{} failed", stored("num_failed")));
        let is_training = self.kind() == "train";
        let generations = (stored("num_planned_generations") > 0)
            .then(|| format!("{} of {}", stored("num_generations"), stored("num_planned_generations")));
        let examples = is_training.then(|| {
            format!(
                "{} to learn, {} to replay, {} held out",
                stored("num_train_examples"),
                stored("num_replay_examples"),
                stored("num_held_out_examples"),
            )
        });
        let loss = self.get("train_loss").as_f64().map(|loss| format!("loss {loss:.3} in the last"));
        let prompts = format!("{} of {}", stored("num_prompts"), text("prompt_set").unwrap_or_default());
        let hash = text("prompt_set_sha256").unwrap_or_default();
        let adapter = text("checkpoint_id").map(|id| format!("checkpoint {id}"));
        let vocabulary = text("num_draft_vocabulary_tokens").map(|num_tokens| {
            let from = |key: &str| stored(&format!("num_{key}"));
            format!(
                "{num_tokens} tokens: {} special, {} from stored outputs, {} from the list of frequent ones, {} lowest ids",
                from("special_tokens"),
                from("tokens_from_outputs"),
                from("tokens_from_list"),
                from("tokens_from_lowest"),
            )
        });
        let machines = stored("num_environments");
        let processors = text("num_cpus").map(|count| format!("{count} processors"));
        let memory = self.get("memory_bytes").as_f64().map(|bytes| format!("{:.1} GB", bytes / 1e9));
        let commit = text("git_commit").map(|commit| match self.get("git_dirty").as_i64() {
            Some(1) => format!("commit {commit} with changes"),
            _ => format!("commit {commit}"),
        });
        let version = text("speclora_version").map(|version| format!("speclora {version}"));
        let duration = self.get("duration").as_f64().map(|seconds| format!("{seconds:.1}s"));
        let facts = [
            ("Run", joined(&[text("run_id"), text("name")], ", ")),
            ("Kind", text("kind")),
            ("State", joined(&[text("state"), text("error")], ": ")),
            ("Command", text("command_line")),
            ("Started", text("started_at")),
            ("Ended", text("ended_at")),
            ("Took", duration),
            ("Generations", joined(&[generations, failed], ", ")),
            ("Steps", joined(&[text("num_steps"), loss], ", ")),
            ("Examples", examples),
            ("Prompts", Some(format!("{prompts} (SHA-256 {})", hash.get(..HASH_DIGITS).unwrap_or(&hash)))),
            ("Draft vocabulary", vocabulary),
            (if is_training { "From" } else { "Adapter" }, joined(&[adapter, text("adapter_source")], ", ")),
            ("Tags", tags_line(&self.tags())),
            ("Notes", self.notes()),
            ("Machine", joined(&[text("hostname"), text("cpu_model"), processors], ", ")),
            ("Memory", memory),
            ("System", joined(&[text("os"), text("kernel")], ", ")),
            ("Engine", text("engine")),
            ("Program", joined(&[version, commit], ", ")),
            ("Environments", (machines > 1).then(|| format!("{machines}, the last of them above"))),
            ("Uid", text("uid")),
        ];
        facts.into_iter().filter_map(|(label, text)| Some((label, text?))).collect()
    }
}

/// `a=1, b=2`, or nothing where there are no tags.
fn tags_line(tags: &Json) -> Option<String> {
    let pairs = tags.as_object()?.iter();
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    (!pairs.is_empty()).then(|| pairs.join(", "))
}
