//! What speculation and the adapter gain within a run, prompt by prompt: the summary's figures, with intervals.
//!
//! Iterations of a prompt are averaged, as the summary does it, so that an estimate over the prompts that both modes have is the
//! figure that stands without an interval.

use std::collections::HashMap;

use crate::record::Mode;
use crate::stats::{Interval, Sample, intervals};

/// A prompt's figures in a mode, its iterations averaged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PromptAverages {
    /// The prompt's place in the run.
    pub prompt_index: u32,
    /// The mode.
    pub mode: Mode,
    /// Seconds.
    pub time_per_output_token: Option<f64>,
    /// Request to last token.
    pub tokens_per_second: Option<f64>,
    /// Accepted ÷ drafted.
    pub acceptance_rate: Option<f64>,
}

/// A statistic of pairs of figures of the same prompts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairedFigure {
    /// Prompts that have both.
    pub num_prompts: usize,
    /// The statistic; none of no prompt.
    pub estimate: Option<f64>,
    /// Its 95 % interval; none of fewer than six prompts.
    pub interval: Option<Interval>,
}

/// What a speculative mode gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedGains {
    /// The mode.
    pub mode: Mode,
    /// The geometric mean of the time per output token of target_only over that of the mode.
    pub speedup: PairedFigure,
    /// For `spec_lora`: the relative change of the mean of tokens per second over `spec_base`.
    pub tokens_per_second_gain: PairedFigure,
    /// For `spec_lora`: the mean acceptance rate less that of `spec_base`.
    pub acceptance_rate_gain: PairedFigure,
}

/// The gains of each speculative mode that prompts were measured in.
pub fn paired_gains(prompts: &[PromptAverages]) -> Vec<PairedGains> {
    let is_measured = |mode: &Mode| mode.is_speculative() && prompts.iter().any(|p| p.mode == *mode);
    let modes: Vec<Mode> = Mode::ALL.iter().copied().filter(is_measured).collect();
    let samples: Vec<[(usize, Sample); 3]> = modes.iter().map(|&mode| samples(prompts, mode)).collect();
    let all: Vec<Sample> = samples.iter().flatten().map(|(_, sample)| sample.clone()).collect();
    let mut intervals = intervals(&all).into_iter();
    let gains = modes.into_iter().zip(&samples).map(|(mode, samples)| {
        let [speedup, tokens_per_second_gain, acceptance_rate_gain] =
            samples.each_ref().map(|(num_prompts, sample)| PairedFigure {
                num_prompts: *num_prompts,
                estimate: (*num_prompts > 0).then(|| sample.estimate()).flatten(),
                interval: intervals.next().expect("there is one a sample"),
            });
        PairedGains { mode, speedup, tokens_per_second_gain, acceptance_rate_gain }
    });
    gains.collect()
}

/// The statistics of a mode, each with its number of prompts.
fn samples(prompts: &[PromptAverages], mode: Mode) -> [(usize, Sample); 3] {
    let pairs = |baseline: Mode, value: fn(&PromptAverages) -> Option<f64>| -> Vec<(f64, f64)> {
        let of = |mode| prompts.iter().filter(move |prompt| prompt.mode == mode);
        let of_baseline: HashMap<u32, f64> =
            of(baseline).filter_map(|prompt| Some((prompt.prompt_index, value(prompt)?))).collect();
        of(mode)
            .filter_map(|prompt| Some((*of_baseline.get(&prompt.prompt_index)?, value(prompt)?)))
            .collect()
    };
    let speedups: Vec<f64> = pairs(Mode::TargetOnly, |prompt| prompt.time_per_output_token)
        .into_iter()
        .map(|(target, own)| target / own)
        .collect();
    let over_base = |value| if mode == Mode::SpecLora { pairs(Mode::SpecBase, value) } else { vec![] };
    let (speeds, rates) = (over_base(|p| p.tokens_per_second), over_base(|p| p.acceptance_rate));
    [
        (speedups.len(), Sample::geometric_mean(&speedups)),
        (speeds.len(), Sample::mean_change(&speeds)),
        (rates.len(), Sample::mean_difference(&rates)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averages(prompt_index: u32, mode: Mode, speed: f64, acceptance_rate: Option<f64>) -> PromptAverages {
        PromptAverages {
            prompt_index,
            mode,
            time_per_output_token: Some(1.0 / speed),
            tokens_per_second: Some(speed),
            acceptance_rate,
        }
    }

    /// The published figures, spread over prompts without moving the means.
    fn published(num_prompts: u32) -> Vec<PromptAverages> {
        let prompt = |index: u32| {
            let shift = if index.is_multiple_of(2) { 0.1 } else { -0.1 };
            [
                averages(index, Mode::TargetOnly, 45.2, None),
                averages(index, Mode::SpecBase, 62.3 + 10.0 * shift, Some(0.582 + shift / 5.0)),
                averages(index, Mode::SpecLora, 71.8 - 10.0 * shift, Some(0.721 - shift / 2.0)),
            ]
        };
        (0..num_prompts).flat_map(prompt).collect()
    }

    #[test]
    fn published_gains_are_reproduced_and_intervals_hold_it() {
        let [base, lora] = paired_gains(&published(8))[..] else { panic!("two modes speculate") };
        assert_eq!((base.mode, lora.mode), (Mode::SpecBase, Mode::SpecLora));
        let digits =
            |figure: PairedFigure, decimals: usize| format!("{:.decimals$}", figure.estimate.unwrap());
        assert_eq!([digits(base.speedup, 2), digits(lora.speedup, 2)], ["1.38", "1.59"]);
        assert_eq!(digits(lora.tokens_per_second_gain, 3), "0.152");
        assert_eq!(digits(lora.acceptance_rate_gain, 3), "0.139");
        for figure in [base.speedup, lora.speedup, lora.tokens_per_second_gain, lora.acceptance_rate_gain] {
            let Interval { estimate, low, high } = figure.interval.unwrap();
            assert_eq!((figure.num_prompts, figure.estimate), (8, Some(estimate)));
            assert!(low < estimate && estimate < high);
        }
        assert_eq!(base.tokens_per_second_gain, PairedFigure::default(), "the base draft gains over nothing");
    }

    #[test]
    fn few_prompts_have_an_estimate_and_no_interval() {
        let gains = paired_gains(&published(5));
        assert_eq!((gains[0].speedup.num_prompts, gains[0].speedup.interval), (5, None));
        assert!(gains[0].speedup.estimate.is_some());
        assert_eq!(paired_gains(&[]), []);
        let alone = [averages(0, Mode::SpecBase, 60.0, Some(0.5)), averages(1, Mode::TargetOnly, 45.0, None)];
        assert_eq!(paired_gains(&alone)[0].speedup, PairedFigure::default(), "no prompt has both");
    }
}
