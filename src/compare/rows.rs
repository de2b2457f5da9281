//! A metric of a contrast: both values, the change, and how sure it is.

use super::metric::{Change, Metric};
use crate::stats::{Interval, MIN_OBSERVATIONS, Sample, Share, geometric_mean, signed_rank_p};

/// A prompt whose figure changes by no more than this, 1 % or one percentage point, counts as the same.
pub const SAME: f64 = 0.01;
/// Corrected p-values below this are taken for more than chance.
pub const SIGNIFICANT: f64 = 0.05;

/// A metric of two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRow {
    /// The metric.
    pub metric: Metric,
    /// Prompts that have a figure on both sides.
    pub num_prompts: usize,
    /// The baseline's value over these prompts; over its own where there is none of these.
    pub baseline_value: Option<f64>,
    /// The other side's.
    pub value: Option<f64>,
    /// The change from one to the other; none where it cannot be had.
    pub change: Option<f64>,
    /// The 95 % interval of the change; none of fewer than six prompts.
    pub interval: Option<Interval>,
    /// Wilcoxon's p-value; none of fewer than six prompts, or where no prompt differs.
    pub p_value: Option<f64>,
    /// The same, corrected over all rows that are shown.
    pub corrected_p_value: Option<f64>,
    /// Prompts that got better.
    pub num_better: usize,
    /// Prompts that changed by [`SAME`] at most.
    pub num_same: usize,
    /// Prompts that got worse.
    pub num_worse: usize,
    /// The largest change that doing the same twice makes plausible, where an A/A control tells.
    pub noise_floor: Option<f64>,
}

/// What can be said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is for the better.
    Better,
    /// It is for the worse.
    Worse,
    /// It could be chance or noise.
    Unclear,
}

impl Verdict {
    /// A mark that needs no colour.
    pub fn mark(self) -> &'static str {
        match self {
            Self::Better => "+",
            Self::Worse => "−",
            Self::Unclear => "~",
        }
    }

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Unclear => "unclear",
        }
    }
}

/// A metric's figures of both sides, prompt by prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    pub metric: Metric,
    pub pairs: Vec<(Share, Share)>,
}

impl Pairs {
    /// The change as a statistic of the prompts.
    pub fn sample(&self) -> Sample {
        match self.metric {
            Metric::Speedup => {
                let ratios: Vec<_> = self.pairs.iter().map(|(a, b)| (quotient(*a), quotient(*b))).collect();
                Sample::geometric_change(&ratios)
            }
            metric => match metric.change() {
                Change::Relative => Sample::ratio_change(&self.pairs),
                Change::Points => Sample::ratio_difference(&self.pairs),
            },
        }
    }

    /// The row without what needs the other rows: interval, corrected p-value and noise.
    pub fn row(&self) -> MetricRow {
        let (baseline, other): (Vec<Share>, Vec<Share>) = self.pairs.iter().copied().unzip();
        let changes: Vec<f64> = self.pairs.iter().filter_map(|pair| change(self.metric, *pair)).collect();
        let sign = if self.metric.is_higher_better() { 1.0 } else { -1.0 };
        let num_better = changes.iter().filter(|change| sign * **change > SAME).count();
        let num_worse = changes.iter().filter(|change| sign * **change < -SAME).count();
        MetricRow {
            metric: self.metric,
            num_prompts: self.pairs.len(),
            baseline_value: value(self.metric, &baseline),
            value: value(self.metric, &other),
            change: self.sample().estimate(),
            interval: None,
            p_value: self.p_value(),
            corrected_p_value: None,
            num_better,
            num_same: changes.len() - num_better - num_worse,
            num_worse,
            noise_floor: None,
        }
    }

    /// Wilcoxon's p-value of the differences; of speedups, which multiply, the differences of their logarithms.
    fn p_value(&self) -> Option<f64> {
        if self.pairs.len() < MIN_OBSERVATIONS {
            return None;
        }
        let difference = |(baseline, other): &(Share, Share)| match self.metric {
            Metric::Speedup => quotient(*other).ln() - quotient(*baseline).ln(),
            _ => quotient(*other) - quotient(*baseline),
        };
        signed_rank_p(&self.pairs.iter().map(difference).collect::<Vec<_>>())
    }
}

/// A prompt's change; none where the baseline has nothing to compare with.
pub fn change(metric: Metric, (baseline, other): (Share, Share)) -> Option<f64> {
    let (baseline, other) = (quotient(baseline), quotient(other));
    match metric.change() {
        Change::Relative => (baseline > 0.0).then(|| other / baseline - 1.0),
        Change::Points => Some(other - baseline),
    }
}

/// A mode's value from its prompts' figures; none without any.
pub fn value(metric: Metric, figures: &[Share]) -> Option<f64> {
    match metric {
        Metric::Speedup => geometric_mean(&figures.iter().copied().map(quotient).collect::<Vec<_>>()),
        _ => Sample::ratio(figures).estimate(),
    }
}

fn quotient(share: Share) -> f64 {
    share.part / share.whole
}

impl MetricRow {
    /// Better or worse where the interval excludes zero, the corrected p-value is below 0.05 and the change is outside the
    /// noise floor, if that is known. None of fewer than six prompts.
    pub fn verdict(&self) -> Option<Verdict> {
        let interval = self.interval?;
        let is_significant = self.corrected_p_value.is_some_and(|p| p < SIGNIFICANT);
        if !interval.excludes_zero() || !is_significant || self.is_within_noise() == Some(true) {
            return Some(Verdict::Unclear);
        }
        let is_better = (interval.estimate > 0.0) == self.metric.is_higher_better();
        Some(if is_better { Verdict::Better } else { Verdict::Worse })
    }

    /// Whether the change is no larger than what the same work twice gave; none where there was no control.
    pub fn is_within_noise(&self) -> Option<bool> {
        Some(self.change?.abs() <= self.noise_floor?)
    }
}
