//! Gates: changes that a comparison must not show, as `--fail-if 'tokens_per_second<-2%'` says them.

use std::fmt;
use std::str::FromStr;

use super::contrast::{Comparison, Contrast};
use super::metric::{Change, Metric};
use super::rows::MetricRow;
use super::sides::SideName;
use crate::record::Mode;
use crate::stats::Interval;

/// A change that must not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// As it was typed.
    text: String,
    /// The mode that it is about; every one if absent.
    mode: Option<Mode>,
    /// The metric whose change it is about.
    metric: Metric,
    /// The side of the threshold that fails.
    fails: Fails,
    /// The threshold, as a share.
    threshold: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fails {
    Below,
    Above,
}

/// What a gate made of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct GateResult {
    /// The gate, as it was typed.
    pub gate: String,
    /// The side that was judged; the baseline's where the other has no result in this mode.
    pub side: SideName,
    /// The metric.
    pub metric: Metric,
    /// The change; none where there is no pair of prompts.
    pub change: Option<f64>,
    /// Its interval.
    pub interval: Option<Interval>,
    /// What came of it.
    pub outcome: GateOutcome,
}

/// How sure it is that a gate holds, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateOutcome {
    /// The whole interval is on the good side of the threshold.
    Passed,
    /// The whole interval is on the bad side.
    Failed,
    /// The threshold is inside the interval, or there is no interval.
    Inconclusive,
}

impl GateOutcome {
    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
        }
    }
}

impl Gate {
    /// Judges every row that the gate is about; a row's mode is that of the side that is compared with the baseline.
    pub fn judge(&self, comparison: &Comparison) -> Vec<GateResult> {
        let judged = |contrast: &Contrast| {
            let is_meant = self.mode.is_none_or(|mode| mode == contrast.other.name.mode);
            let row = contrast.rows.iter().find(|row| is_meant && row.metric == self.metric)?;
            Some(self.judge_row(row, contrast.other.name))
        };
        let rows = comparison.contrasts.iter().filter_map(judged);
        rows.chain(comparison.dropped_modes().filter_map(|side| self.judge_dropped(side))).collect()
    }

    /// A mode that the baseline alone has a result in cannot be judged, and so has not passed.
    fn judge_dropped(&self, side: SideName) -> Option<GateResult> {
        let is_meant = self.mode.map_or(self.metric.is_of(side.mode), |mode| mode == side.mode);
        is_meant.then(|| GateResult {
            gate: self.text.clone(),
            side,
            metric: self.metric,
            change: None,
            interval: None,
            outcome: GateOutcome::Inconclusive,
        })
    }

    fn judge_row(&self, row: &MetricRow, side: SideName) -> GateResult {
        let outcome = match (row.interval, self.fails) {
            (Some(interval), Fails::Below) if interval.high < self.threshold => GateOutcome::Failed,
            (Some(interval), Fails::Below) if interval.low >= self.threshold => GateOutcome::Passed,
            (Some(interval), Fails::Above) if interval.low > self.threshold => GateOutcome::Failed,
            (Some(interval), Fails::Above) if interval.high <= self.threshold => GateOutcome::Passed,
            _ => GateOutcome::Inconclusive,
        };
        GateResult {
            gate: self.text.clone(),
            side,
            metric: self.metric,
            change: row.change,
            interval: row.interval,
            outcome,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for GateResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = self.change.map_or("—".to_owned(), |change| self.metric.change().shown(change));
        let interval = self.interval.map_or("no interval".to_owned(), |interval| {
            format!("95 % interval {:+.1} to {:+.1}", 100.0 * interval.low, 100.0 * interval.high)
        });
        let outcome = self.outcome.as_str();
        write!(
            f,
            "gate '{}' {outcome}: {} of {} changed by {change} ({interval})",
            self.gate, self.metric, self.side
        )
    }
}

impl FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let shape = || {
            format!(
                "must be a metric, < or >, and a change with its unit, like tokens_per_second<-2%, \
                 spec_lora.time_to_last_token>+5% or acceptance_rate<-1pp, got \"{text}\""
            )
        };
        let place = compact.find(['<', '>']).ok_or_else(shape)?;
        let (name, rest) = compact.split_at(place);
        let fails = if rest.starts_with('<') { Fails::Below } else { Fails::Above };
        let (mode, name) = match name.split_once('.') {
            Some((mode, metric)) => (Some(mode.parse::<Mode>()?), metric),
            None => (None, name),
        };
        let metric: Metric = name.parse()?;
        let (number, unit) = match (rest[1..].strip_suffix('%'), rest[1..].strip_suffix("pp")) {
            (Some(number), _) => (number, Change::Relative),
            (_, Some(number)) => (number, Change::Points),
            _ => return Err(shape()),
        };
        let change: f64 = number.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(shape)?;
        if unit != metric.change() {
            let (sign, wanted) = (&rest[..1], metric.change().unit());
            return Err(format!(
                "changes of {metric} are in {wanted}: write {metric}{sign}{number}{wanted}, got \"{text}\""
            ));
        }
        Ok(Self { text: text.trim().to_owned(), mode, metric, fails, threshold: change / 100.0 })
    }
}
