//! One figure a prompt: the median over its iterations.

use std::collections::HashMap;

use super::metric::Metric;
use super::run::{Generation, Run};
use crate::record::Mode;
use crate::stats::{Share, median};

/// Where a prompt stands in any run: its text's hash, and how many of the same text came before it in the run.
pub type PromptKey<'a> = (&'a str, usize);

/// The figures of a prompt, by the place of each metric. A figure is part ÷ whole; a mode's is Σ part ÷ Σ whole, which is
/// the mean wherever `whole` is 1.
pub type Figures = [Option<Share>; Metric::ALL.len()];

/// The prompts of a run, in its order, each with its key.
pub fn keyed_prompts(run: &Run) -> Vec<(PromptKey<'_>, u32)> {
    let mut num_before: HashMap<&str, usize> = HashMap::new();
    let keyed = run.prompts.iter().map(|prompt| {
        let count = num_before.entry(&prompt.sha256).or_default();
        *count += 1;
        ((prompt.sha256.as_str(), *count - 1), prompt.prompt_index)
    });
    keyed.collect()
}

/// The figures of every prompt of a run that has a result in a mode, by the prompt's place.
pub fn figures(run: &Run, mode: Mode) -> HashMap<u32, Figures> {
    let of_mode = by_prompt(run, mode);
    let of_target = by_prompt(run, Mode::TargetOnly);
    let figures = of_mode.iter().map(|(&prompt, generations)| {
        let mut figures = Metric::ALL.map(|metric| figure(metric, generations));
        if mode != Mode::TargetOnly {
            let target = of_target.get(&prompt).map_or(&[][..], Vec::as_slice);
            figures[Metric::Speedup as usize] = speedup(target, generations);
        }
        (prompt, figures)
    });
    figures.collect()
}

fn by_prompt(run: &Run, mode: Mode) -> HashMap<u32, Vec<&Generation>> {
    let mut by_prompt: HashMap<u32, Vec<&Generation>> = HashMap::new();
    for generation in run.generations_of(mode) {
        by_prompt.entry(generation.prompt_index).or_default().push(generation);
    }
    by_prompt
}

/// What the iterations of a prompt say of a metric.
fn figure(metric: Metric, generations: &[&Generation]) -> Option<Share> {
    let of = |value: fn(&Generation) -> Option<f64>| single(median_of(generations, value)?);
    match metric {
        Metric::TokensPerSecond => of(|g| g.tokens_per_second),
        Metric::DecodeTokensPerSecond => of(|g| g.decode_tokens_per_second),
        Metric::TimeToFirstToken => of(|g| g.time_to_first_token),
        Metric::TimeToLastToken => of(|g| g.time_to_last_token),
        Metric::AcceptanceRate => of(|g| g.acceptance_rate),
        Metric::MeanAcceptanceLength => {
            let sum =
                |value: fn(&Generation) -> Option<f64>| generations.iter().filter_map(|g| value(g)).sum();
            let share = Share { part: sum(|g| g.num_emitted), whole: sum(|g| g.num_rounds) };
            (share.whole > 0.0).then_some(share)
        }
        Metric::Speedup => None,
    }
}

/// The time per output token of target_only over that of a mode.
fn speedup(target: &[&Generation], of_mode: &[&Generation]) -> Option<Share> {
    let time = |generations| median_of(generations, |g| g.time_per_output_token);
    single(time(target)? / time(of_mode)?)
}

fn median_of(generations: &[&Generation], value: fn(&Generation) -> Option<f64>) -> Option<f64> {
    median(generations.iter().filter_map(|generation| value(generation)).collect())
}

/// A figure that counts once; none where it is no number.
fn single(value: f64) -> Option<Share> {
    value.is_finite().then_some(Share { part: value, whole: 1.0 })
}
