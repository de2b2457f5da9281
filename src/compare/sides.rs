//! Which mode of which run stands against which.

use std::fmt;

use thiserror::Error;

use super::run::Run;
use crate::record::{Mode, RunId, RunKind};

/// What was asked for: a run, and one of its modes or all of them.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The run.
    pub run: &'a Run,
    /// The mode; none for every mode that the other side has too.
    pub mode: Option<Mode>,
}

/// One mode of one run, as people select it: `12:spec_base`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideName {
    /// The run.
    pub run: RunId,
    /// The mode.
    pub mode: Mode,
}

impl fmt::Display for SideName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.run, self.mode)
    }
}

/// Why sides cannot be compared at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SideError {
    /// The same thing twice.
    #[error("{0} is named twice (name two runs, or two modes of one run, like {1}:spec_base {1}:spec_lora)")]
    Twice(String, RunId),
    /// A training run.
    #[error(
        "run {0} trained an adapter and measured no mode (speclora runs show {0} has its losses; compare a bench of the \
         adapter: speclora bench --adapter)"
    )]
    Training(RunId),
    /// An evaluation.
    #[error(
        "run {0} is an evaluation, which has no timing (speclora runs show {0} has its drafts; speclora evaluate -a ONE -a \
         OTHER compares adapters on the same prompts, with intervals)"
    )]
    Evaluation(RunId),
    /// Nothing was measured.
    #[error(
        "run {run} has no generation with a result ({state}, {num_failed} failed; speclora runs show {run})"
    )]
    Empty {
        /// The run.
        run: RunId,
        /// How it stands.
        state: String,
        /// Its failed generations.
        num_failed: usize,
    },
    /// The mode was not measured.
    #[error("run {run} has no result in {mode} (it has {known}; speclora runs show {run})")]
    NoMode {
        /// The run.
        run: RunId,
        /// The mode that was asked for.
        mode: Mode,
        /// Those it has.
        known: String,
    },
    /// No mode is in both.
    #[error(
        "run {baseline} has {baseline_modes}, run {other} has {other_modes}: no mode is in both (name one of each, like \
         {baseline}:{first} {other}:{second})"
    )]
    NoModeInBoth {
        /// The first run.
        baseline: RunId,
        /// Its modes.
        baseline_modes: String,
        /// The second run.
        other: RunId,
        /// Its modes.
        other_modes: String,
        /// One of the first's modes.
        first: Mode,
        /// One of the second's modes.
        second: Mode,
    },
}

/// Two modes that stand against each other.
#[derive(Debug, Clone, Copy)]
pub struct Opponents<'a> {
    pub baseline: (&'a Run, Mode),
    pub other: (&'a Run, Mode),
}

/// The opponents of two sides: each mode that both have, or the modes that were named. A mode that is named on one side alone
/// is meant on both.
pub fn opponents<'a>(baseline: Side<'a>, other: Side<'a>) -> Result<Vec<Opponents<'a>>, SideError> {
    let is_one_run = baseline.run.id == other.run.id;
    let against = |first, second| Opponents { baseline: (baseline.run, first), other: (other.run, second) };
    check(baseline.run)?;
    check(other.run)?;
    match (baseline.mode, other.mode) {
        (None, None) if is_one_run => Err(SideError::Twice(format!("run {}", other.run.id), other.run.id)),
        (None, None) => {
            let modes = shared_modes(baseline.run, other.run)?;
            Ok(modes.into_iter().map(|mode| against(mode, mode)).collect())
        }
        (first, second) => {
            let named = first.or(second).expect("one of them is named");
            let (first, second) = (first.unwrap_or(named), second.unwrap_or(named));
            if is_one_run && first == second {
                let name = SideName { run: other.run.id, mode: second };
                return Err(SideError::Twice(name.to_string(), other.run.id));
            }
            check_mode(baseline.run, first)?;
            check_mode(other.run, second)?;
            Ok(vec![against(first, second)])
        }
    }
}

/// Modes that have a result in one of two runs alone, where all of them were asked for.
pub fn unshared_modes(baseline: Side<'_>, other: Side<'_>) -> Vec<SideName> {
    if baseline.mode.is_some() || other.mode.is_some() {
        return vec![];
    }
    let missing = |run: &Run, elsewhere: &Run| -> Vec<SideName> {
        let others = elsewhere.modes();
        let own = run.modes().into_iter().filter(|mode| !others.contains(mode));
        own.map(|mode| SideName { run: run.id, mode }).collect()
    };
    [missing(baseline.run, other.run), missing(other.run, baseline.run)].concat()
}

/// Whether there is something to compare in a run.
fn check(run: &Run) -> Result<(), SideError> {
    match run.kind {
        RunKind::Train => Err(SideError::Training(run.id)),
        RunKind::Evaluate => Err(SideError::Evaluation(run.id)),
        RunKind::Bench | RunKind::Collect if run.modes().is_empty() => {
            Err(SideError::Empty { run: run.id, state: run.state.clone(), num_failed: run.num_failed() })
        }
        RunKind::Bench | RunKind::Collect => Ok(()),
    }
}

fn check_mode(run: &Run, mode: Mode) -> Result<(), SideError> {
    if run.modes().contains(&mode) {
        return Ok(());
    }
    Err(SideError::NoMode { run: run.id, mode, known: listed(&run.modes()) })
}

fn shared_modes(baseline: &Run, other: &Run) -> Result<Vec<Mode>, SideError> {
    let (first, second) = (baseline.modes(), other.modes());
    let shared: Vec<Mode> = first.iter().copied().filter(|mode| second.contains(mode)).collect();
    if shared.is_empty() {
        return Err(SideError::NoModeInBoth {
            baseline: baseline.id,
            baseline_modes: listed(&first),
            other: other.id,
            other_modes: listed(&second),
            first: first[0],
            second: second[0],
        });
    }
    Ok(shared)
}

fn listed(modes: &[Mode]) -> String {
    modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>().join(", ")
}
