//! What the same work twice gave: the noise below which a change says nothing.

use super::metric::Metric;
use super::pairing::paired;
use super::rows::Pairs;
use super::run::Run;
use crate::record::{Mode, RunId};
use crate::stats::{Interval, Sample, Share};

/// How far an A/A control was from target_only in a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseFloor {
    /// The run that had the control.
    pub run: RunId,
    /// The metric.
    pub metric: Metric,
    /// Prompts that were measured both ways.
    pub num_prompts: usize,
    /// The relative change from target_only to the control, with its interval.
    pub interval: Interval,
}

impl NoiseFloor {
    /// The end of the interval that is farther from zero: a change up to here is nothing new.
    pub fn size(&self) -> f64 {
        self.interval.low.abs().max(self.interval.high.abs())
    }
}

/// A metric of a control, whose interval is yet to be made.
pub struct Control {
    pub run: RunId,
    pub metric: Metric,
    pub num_prompts: usize,
    pub sample: Sample,
}

/// What there is of a run's control, for every metric that comes from a clock.
pub fn controls(run: &Run) -> Vec<Control> {
    let modes = run.modes();
    if !modes.contains(&Mode::TargetOnly) || !modes.contains(&Mode::Control) {
        return vec![];
    }
    let both = paired((run, Mode::TargetOnly), (run, Mode::Control));
    let control = |metric: Metric| {
        let pairs: Vec<(Share, Share)> = match metric {
            // The control's speedup is measured against target_only itself.
            Metric::Speedup => {
                let one = Share { part: 1.0, whole: 1.0 };
                let speedups = both.iter().filter_map(|pair| pair.other.as_ref()?[metric as usize]);
                speedups.map(|speedup| (one, speedup)).collect()
            }
            _ => both.iter().filter_map(|pair| pair.of(metric)).collect(),
        };
        Control { run: run.id, metric, num_prompts: pairs.len(), sample: Pairs { metric, pairs }.sample() }
    };
    Metric::ALL.into_iter().filter(|metric| metric.is_timed()).map(control).collect()
}
