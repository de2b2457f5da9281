//! The same prompts on both sides.

use std::collections::HashMap;

use super::figures::{Figures, figures, keyed_prompts};
use super::metric::Metric;
use super::rows::Pairs;
use super::run::Run;
use crate::record::Mode;
use crate::stats::Share;

/// A prompt's figures on both sides, in the baseline's order; what only the other side has comes last.
#[derive(Debug, Clone)]
pub struct PairedPrompt {
    pub label: String,
    pub baseline: Option<Figures>,
    pub other: Option<Figures>,
}

impl PairedPrompt {
    /// A metric's figures, where both sides have one.
    pub fn of(&self, metric: Metric) -> Option<(Share, Share)> {
        let place = metric as usize;
        Some((self.baseline.as_ref()?[place]?, self.other.as_ref()?[place]?))
    }
}

/// Pairs the prompts of two modes by their text.
pub fn paired(baseline: (&Run, Mode), other: (&Run, Mode)) -> Vec<PairedPrompt> {
    let of_side = |(run, mode): (&Run, Mode)| figures(run, mode);
    let (baseline_figures, other_figures) = (of_side(baseline), of_side(other));
    let labels = |run: &Run| -> HashMap<u32, String> {
        run.prompts.iter().map(|prompt| (prompt.prompt_index, prompt.label())).collect()
    };
    let (baseline_labels, other_labels) = (labels(baseline.0), labels(other.0));
    let mut of_other: Vec<_> = keyed_prompts(other.0);
    let index: HashMap<_, u32> = of_other.iter().copied().collect();
    let baseline_prompts = keyed_prompts(baseline.0);
    let known: HashMap<_, u32> = baseline_prompts.iter().copied().collect();
    of_other.retain(|(key, _)| !known.contains_key(key));
    let first = baseline_prompts.iter().map(|(key, place)| PairedPrompt {
        label: baseline_labels[place].clone(),
        baseline: baseline_figures.get(place).copied(),
        other: index.get(key).and_then(|place| other_figures.get(place).copied()),
    });
    let last = of_other.iter().map(|(_, place)| PairedPrompt {
        label: other_labels[place].clone(),
        baseline: None,
        other: other_figures.get(place).copied(),
    });
    first.chain(last).filter(|prompt| prompt.baseline.is_some() || prompt.other.is_some()).collect()
}

/// The pairs of each metric that a side has.
pub fn metric_pairs(prompts: &[PairedPrompt]) -> Vec<Pairs> {
    let is_there = |metric: &Metric| {
        let has =
            |figures: &Option<Figures>| figures.is_some_and(|figures| figures[*metric as usize].is_some());
        prompts.iter().any(|prompt| has(&prompt.baseline) || has(&prompt.other))
    };
    let of =
        |metric| Pairs { metric, pairs: prompts.iter().filter_map(|prompt| prompt.of(metric)).collect() };
    Metric::ALL.into_iter().filter(is_there).map(of).collect()
}
