//! Which runs are listed.

use clap::Args;

use crate::cmd::UsageError;
use crate::cmd::adapter::select_checkpoint;
use crate::cmd::runs::condition::Condition;
use crate::cmd::runs::moment::moment_ms;
use crate::environment::now_ms;
use crate::record::{Role, RunKind, RunStatus};
use crate::store::{Comparison, Operand, RunFilter, Store};

/// The filters of a list; all that are given have to hold.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters (a run has to fulfil all)")]
pub(super) struct FilterArgs {
    /// Runs of this kind (bench, collect, train, evaluate); of several, any
    #[arg(long = "kind", value_name = "KIND")]
    kinds: Vec<String>,
    /// Runs in this state (running, completed, failed, interrupted, crashed); of several, any
    #[arg(long = "state", visible_alias = "status", value_name = "STATE")]
    states: Vec<String>,
    /// Runs with this tag, whatever its value or with this one; of several, all
    #[arg(long = "tag", value_name = "KEY[=VALUE]")]
    tags: Vec<String>,
    /// Runs that began at this time (2026-11-01, 2026-11-01T12:30, UTC) or so long ago (7d, 12h), or later
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Runs that began before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Runs whose name contains this
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Runs whose target's path or name contains this, or whose SHA-256 begins with it
    #[arg(long, value_name = "TEXT")]
    target: Option<String>,
    /// The same for the draft
    #[arg(long, value_name = "TEXT")]
    draft: Option<String>,
    /// Runs that used, judged, went on from or made this adapter (an alias or a checkpoint id)
    #[arg(long, value_name = "ADAPTER")]
    adapter: Option<String>,
    /// Runs of which this is true: NAME OPERATOR VALUE, like "num_draft_tokens>=4", "acceptance_rate>60%",
    /// "loss=lk_hybrid", "tag:host~box"; operators are = != < <= > >= and ~ (contains); of several, all
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
}

/// A filter, as it was typed.
pub(super) struct Wanted {
    pub(super) typed: String,
    pub(super) filter: RunFilter,
}

/// The state of a run that is stored as running, and whose process is gone.
const CRASHED: &str = "crashed";

impl FilterArgs {
    /// Refuses what can be refused without a look into the database.
    pub(super) fn check(&self) -> Result<(), UsageError> {
        for kind in &self.kinds {
            kind.parse::<RunKind>().map_err(|problem| UsageError(format!("--kind: {problem}")))?;
        }
        for state in self.states.iter().filter(|state| *state != CRASHED) {
            let problem = |problem: String| UsageError(format!("--state: {problem} (or {CRASHED})"));
            state.parse::<RunStatus>().map_err(problem)?;
        }
        for (flag, text) in self.times() {
            moment_ms(flag, text, now_ms())?;
        }
        self.conditions.iter().try_for_each(|condition| Condition::parse(condition).map(|_| ()))
    }

    /// The filters.
    pub(super) fn wanted(&self, store: &Store) -> anyhow::Result<Vec<Wanted>> {
        let mut wanted = Vec::new();
        let mut add = |typed: String, filter| wanted.push(Wanted { typed, filter });
        if !self.kinds.is_empty() {
            add(format!("--kind {}", self.kinds.join(" or ")), RunFilter::Kinds(self.kinds.clone()));
        }
        if !self.states.is_empty() {
            add(format!("--state {}", self.states.join(" or ")), RunFilter::States(self.states.clone()));
        }
        for tag in &self.tags {
            let (key, value) = match tag.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (tag.as_str(), None),
            };
            add(format!("--tag {tag}"), RunFilter::Tag(key.to_owned(), value));
        }
        for (flag, text) in self.times() {
            add(format!("{flag} {text}"), self.time_filter(flag, text, store)?);
        }
        if let Some(part) = &self.name {
            let operand = Operand { text: part.clone(), number: None };
            let filter = RunFilter::Compare(store.run_column("name")?, Comparison::Contains, operand);
            add(format!("--name {part}"), filter);
        }
        for (role, part) in [(Role::Target, &self.target), (Role::Draft, &self.draft)] {
            if let Some(part) = part {
                add(format!("--{role} {part}"), RunFilter::Model(role, part.clone()));
            }
        }
        if let Some(name) = &self.adapter {
            let checkpoint = select_checkpoint(name, store, None)?;
            add(format!("--adapter {name}"), RunFilter::Adapter(checkpoint));
        }
        for typed in &self.conditions {
            let condition = Condition::parse(typed)?;
            let column = store.run_column(condition.name)?;
            add(format!("--where \"{typed}\""), condition.on(column)?);
        }
        Ok(wanted)
    }

    fn times(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let times = [("--since", &self.since), ("--until", &self.until)];
        times.into_iter().filter_map(|(flag, text)| Some((flag, text.as_deref()?)))
    }

    fn time_filter(&self, flag: &str, text: &str, store: &Store) -> anyhow::Result<RunFilter> {
        let comparison = if flag == "--since" { Comparison::AtLeast } else { Comparison::Less };
        let text = utc(moment_ms(flag, text, now_ms())?);
        let operand = Operand { text, number: None };
        Ok(RunFilter::Compare(store.run_column("started_at")?, comparison, operand))
    }
}

/// A time as lists of runs have it: `2026-08-01T12:30:59Z`.
fn utc(ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
