//! The console summary of a benchmark: a table of the modes, and what speculation and the adapter gained.

use serde::Serialize;

use super::grid::{Cell, Column, Grid, Style};
use crate::record::Mode;

/// A mode's figures over the prompts of a run, as stored. Means are unweighted, iterations of a prompt averaged first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ModeSummary {
    /// The mode.
    pub mode: Mode,
    /// Mean tokens per second, request to last token.
    pub avg_tokens_per_second: Option<f64>,
    /// Mean time to last token, in seconds.
    pub avg_time_to_last_token: Option<f64>,
    /// Mean of accepted ÷ drafted; none without a draft.
    pub avg_acceptance_rate: Option<f64>,
    /// Tokens emitted in all.
    pub total_tokens: i64,
    /// Prompts that were measured.
    pub num_prompts: i64,
    /// Slowest prompt's tokens per second.
    pub min_tokens_per_second: Option<f64>,
    /// Fastest prompt's tokens per second.
    pub max_tokens_per_second: Option<f64>,
    /// Middle prompt's tokens per second.
    pub median_tokens_per_second: Option<f64>,
    /// Middle prompt's time to last token, in seconds.
    pub median_time_to_last_token: Option<f64>,
    /// Middle prompt's accepted ÷ drafted.
    pub median_acceptance_rate: Option<f64>,
    /// Mean tokens per second from the first token on.
    pub avg_decode_tokens_per_second: Option<f64>,
    /// Accepted ÷ drafted, all prompts together.
    pub acceptance_rate: Option<f64>,
    /// Emitted tokens ÷ rounds (τ), all prompts together.
    pub mean_acceptance_length: Option<f64>,
    /// `avg_tokens_per_second` ÷ that of target-only decoding.
    pub speedup: Option<f64>,
    /// For `spec_lora`: relative change of `avg_tokens_per_second` over `spec_base`.
    pub tokens_per_second_gain: Option<f64>,
    /// For `spec_lora`: `avg_acceptance_rate` − that of `spec_base`.
    pub acceptance_rate_gain: Option<f64>,
    /// Prompts whose output was compared with target-only's; greedy runs alone.
    pub num_compared: i64,
    /// Prompts whose output equals target-only's, token for token.
    pub num_lossless: i64,
    /// What it gains prompt by prompt, with intervals; these keys follow the others.
    #[serde(flatten)]
    pub paired: PairedSummary,
}

/// What a speculative mode gains over the same prompts in another mode, with 95 % intervals over prompts; none where there are
/// too few.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct PairedSummary {
    /// Prompts that were measured in this mode and in target-only decoding.
    pub num_paired_prompts: i64,
    /// Geometric mean of the time per output token of target-only decoding ÷ that of the mode.
    pub paired_speedup: Option<f64>,
    /// Lower end of its interval.
    pub paired_speedup_low: Option<f64>,
    /// Upper end.
    pub paired_speedup_high: Option<f64>,
    /// For `spec_lora`: prompts that were measured with and without the adapter.
    pub num_gain_prompts: i64,
    /// Relative change of the mean of tokens per second over `spec_base`, of these prompts.
    pub paired_tokens_per_second_gain: Option<f64>,
    /// Lower end of its interval.
    pub paired_tokens_per_second_gain_low: Option<f64>,
    /// Upper end.
    pub paired_tokens_per_second_gain_high: Option<f64>,
    /// Mean acceptance rate − that of `spec_base`, of these prompts.
    pub paired_acceptance_rate_gain: Option<f64>,
    /// Lower end of its interval.
    pub paired_acceptance_rate_gain_low: Option<f64>,
    /// Upper end.
    pub paired_acceptance_rate_gain_high: Option<f64>,
}

/// The table: one row a mode.
pub fn summary_grid(summaries: &[ModeSummary]) -> Grid {
    let mut grid = Grid::new([
        Column::new("mode", "Mode"),
        Column::number("avg_tokens_per_second", "Avg Tok/s"),
        Column::number("avg_time_to_last_token", "Avg TTLT"),
        Column::number("avg_acceptance_rate", "Avg Acceptance"),
    ]);
    for summary in summaries {
        grid.push([
            Cell::Text(summary.mode.to_string()),
            Cell::float(summary.avg_tokens_per_second, Style::Decimals(1)),
            Cell::float(summary.avg_time_to_last_token, Style::Seconds(2)),
            Cell::float(summary.avg_acceptance_rate, Style::Percent(1)),
        ]);
    }
    grid
}

/// What stands beside the table: pooled figures, decode speed and medians, one row a mode.
pub fn details_grid(summaries: &[ModeSummary]) -> Grid {
    let mut grid = Grid::new([
        Column::new("mode", "Mode"),
        Column::number("acceptance_rate", "Pooled Acceptance"),
        Column::number("mean_acceptance_length", "τ"),
        Column::number("avg_decode_tokens_per_second", "Decode Tok/s"),
        Column::number("median_tokens_per_second", "Median Tok/s"),
        Column::number("median_time_to_last_token", "Median TTLT"),
        Column::number("median_acceptance_rate", "Median Acceptance"),
    ]);
    for summary in summaries {
        grid.push([
            Cell::Text(summary.mode.to_string()),
            Cell::float(summary.acceptance_rate, Style::Percent(1)),
            Cell::float(summary.mean_acceptance_length, Style::Decimals(2)),
            Cell::float(summary.avg_decode_tokens_per_second, Style::Decimals(1)),
            Cell::float(summary.median_tokens_per_second, Style::Decimals(1)),
            Cell::float(summary.median_time_to_last_token, Style::Seconds(2)),
            Cell::float(summary.median_acceptance_rate, Style::Percent(1)),
        ]);
    }
    grid
}

/// The lines under the table: speedups over the target, the noise of an A/A control, the adapter's gain over the base
/// draft, and whether outputs equal target-only's. What was not measured has no line.
pub fn comparison_lines(summaries: &[ModeSummary]) -> Vec<String> {
    [speedup_line(summaries), control_line(summaries), improvement_line(summaries)]
        .into_iter()
        .flatten()
        .chain(lossless_lines(summaries))
        .collect()
}

/// The lines below those: speedups and the adapter's gain, prompt by prompt, with their intervals.
pub fn paired_lines(summaries: &[ModeSummary]) -> Vec<String> {
    let speedups: Vec<String> = summaries.iter().filter_map(paired_speedup).collect();
    let speedups = (!speedups.is_empty())
        .then(|| format!("Decode speedup by prompt (geometric mean): {}", speedups.join("; ")));
    let lora = summaries.iter().find(|summary| summary.mode == Mode::SpecLora);
    speedups.into_iter().chain(lora.and_then(|lora| paired_improvement(&lora.paired))).collect()
}

fn paired_speedup(summary: &ModeSummary) -> Option<String> {
    let PairedSummary { num_paired_prompts, paired_speedup_low, paired_speedup_high, .. } = summary.paired;
    let interval = match paired_speedup_low.zip(paired_speedup_high) {
        Some((low, high)) => format!("95 % interval {low:.2} to {high:.2}, {}", prompts(num_paired_prompts)),
        None => format!("{}: too few for an interval", prompts(num_paired_prompts)),
    };
    Some(format!("{} {:.2}x ({interval})", summary.mode, summary.paired.paired_speedup?))
}

fn paired_improvement(paired: &PairedSummary) -> Option<String> {
    let gain = |gain: Option<f64>, interval: Option<(f64, f64)>, unit: &str| {
        let interval = interval
            .map(|(low, high)| format!(" (95 % interval {:+.1} to {:+.1})", 100.0 * low, 100.0 * high));
        Some(format!("{:+.1}{unit}{}", 100.0 * gain?, interval.unwrap_or_default()))
    };
    let speed_interval =
        paired.paired_tokens_per_second_gain_low.zip(paired.paired_tokens_per_second_gain_high);
    let rate_interval = paired.paired_acceptance_rate_gain_low.zip(paired.paired_acceptance_rate_gain_high);
    let gains: Vec<String> = [
        gain(paired.paired_tokens_per_second_gain, speed_interval, "% tokens/s"),
        gain(paired.paired_acceptance_rate_gain, rate_interval, " pp acceptance"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let few = if speed_interval.is_none() { ": too few for an interval" } else { "" };
    let prompts = prompts(paired.num_gain_prompts);
    (!gains.is_empty()).then(|| format!("LoRA improvement by prompt: {}, {prompts}{few}", gains.join(", ")))
}

fn prompts(count: i64) -> String {
    if count == 1 { "1 prompt".to_owned() } else { format!("{count} prompts") }
}

fn speedup_line(summaries: &[ModeSummary]) -> Option<String> {
    let speedups: Vec<String> = summaries
        .iter()
        .filter(|summary| summary.mode.is_speculative())
        .filter_map(|summary| Some(format!("{} {:.2}x", summary.mode, summary.speedup?)))
        .collect();
    (!speedups.is_empty()).then(|| format!("Speedup vs target: {}", speedups.join(", ")))
}

fn control_line(summaries: &[ModeSummary]) -> Option<String> {
    let noise = summaries.iter().find(|summary| summary.mode == Mode::Control)?.speedup?;
    Some(format!("Control vs target: {noise:.2}x (the same work twice: the noise of this measurement)"))
}

fn improvement_line(summaries: &[ModeSummary]) -> Option<String> {
    let lora = summaries.iter().find(|summary| summary.mode == Mode::SpecLora)?;
    let speed = lora.tokens_per_second_gain.map(|gain| format!("{:+.1}% tokens/s", 100.0 * gain));
    let acceptance = lora.acceptance_rate_gain.map(|gain| format!("{:+.1} pp acceptance", 100.0 * gain));
    let gains: Vec<String> = speed.into_iter().chain(acceptance).collect();
    (!gains.is_empty()).then(|| format!("LoRA improvement over base: {}", gains.join(", ")))
}

fn lossless_lines(summaries: &[ModeSummary]) -> impl Iterator<Item = String> {
    let others = summaries.iter().filter(|s| s.mode != Mode::TargetOnly && s.num_prompts > 0);
    others.map(|ModeSummary { mode, num_compared, num_lossless, .. }| match num_compared {
        0 => format!("Lossless: {mode} was not compared (only greedy output is, and with target_only's)"),
        _ => format!(
            "Lossless: {num_lossless} of {num_compared} prompts: {mode} output equals target_only's, token for token"
        ),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Format;
    use super::*;

    /// A mode without any figure.
    pub(in crate::report) fn bare(mode: Mode) -> ModeSummary {
        ModeSummary {
            mode,
            avg_tokens_per_second: None,
            avg_time_to_last_token: None,
            avg_acceptance_rate: None,
            total_tokens: 0,
            num_prompts: 0,
            min_tokens_per_second: None,
            max_tokens_per_second: None,
            median_tokens_per_second: None,
            median_time_to_last_token: None,
            median_acceptance_rate: None,
            avg_decode_tokens_per_second: None,
            acceptance_rate: None,
            mean_acceptance_length: None,
            speedup: None,
            tokens_per_second_gain: None,
            acceptance_rate_gain: None,
            num_compared: 0,
            num_lossless: 0,
            paired: PairedSummary::default(),
        }
    }

    /// The summary that SpecLoRA published.
    fn seed() -> [ModeSummary; 3] {
        let summary = |mode, speed: f64, acceptance| ModeSummary {
            avg_tokens_per_second: Some(speed),
            avg_time_to_last_token: Some(256.0 / speed),
            avg_acceptance_rate: acceptance,
            ..bare(mode)
        };
        let lora = ModeSummary {
            speedup: Some(1.592),
            tokens_per_second_gain: Some(0.152_488),
            acceptance_rate_gain: Some(0.139),
            ..summary(Mode::SpecLora, 71.8, Some(0.721))
        };
        let base = ModeSummary { speedup: Some(1.381), ..summary(Mode::SpecBase, 62.3, Some(0.582)) };
        [summary(Mode::TargetOnly, 45.1, None), base, lora]
    }

    #[test]
    fn table_shows_a_row_for_each_mode() {
        let expected = "
 Mode         Avg Tok/s  Avg TTLT  Avg Acceptance
──────────────────────────────────────────────────
 target_only       45.1     5.68s               —
 spec_base         62.3     4.11s           58.2%
 spec_lora         71.8     3.57s           72.1%
";
        assert_eq!(format!("\n{}", summary_grid(&seed()).render(Format::Table)), expected);
    }

    #[test]
    fn pooled_figures_and_medians_stand_beside_the_table() {
        let base = ModeSummary {
            acceptance_rate: Some(0.6),
            mean_acceptance_length: Some(3.4),
            avg_decode_tokens_per_second: Some(70.0),
            median_tokens_per_second: Some(62.0),
            median_time_to_last_token: Some(4.0),
            median_acceptance_rate: Some(0.55),
            ..bare(Mode::SpecBase)
        };
        let expected = "
| Mode | Pooled Acceptance | τ | Decode Tok/s | Median Tok/s | Median TTLT | Median Acceptance |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| target_only | — | — | — | — | — | — |
| spec_base | 60.0% | 3.40 | 70.0 | 62.0 | 4.00s | 55.0% |
";
        let grid = details_grid(&[bare(Mode::TargetOnly), base]);
        assert_eq!(format!("\n{}", grid.render(Format::Md)), expected);
    }

    #[test]
    fn lines_name_speedups_and_the_gain_of_the_adapter() {
        assert_eq!(
            comparison_lines(&seed()),
            [
                "Speedup vs target: spec_base 1.38x, spec_lora 1.59x",
                "LoRA improvement over base: +15.2% tokens/s, +13.9 pp acceptance",
            ]
        );
    }

    #[test]
    fn gains_by_prompt_have_their_intervals_below() {
        let base = PairedSummary {
            num_paired_prompts: 32,
            paired_speedup: Some(1.381),
            paired_speedup_low: Some(1.352),
            paired_speedup_high: Some(1.409),
            ..PairedSummary::default()
        };
        let lora = PairedSummary {
            num_paired_prompts: 1,
            paired_speedup: Some(1.592),
            num_gain_prompts: 32,
            paired_tokens_per_second_gain: Some(0.152_488),
            paired_tokens_per_second_gain_low: Some(0.131),
            paired_tokens_per_second_gain_high: Some(0.17),
            paired_acceptance_rate_gain: Some(0.139),
            paired_acceptance_rate_gain_low: Some(-0.002),
            paired_acceptance_rate_gain_high: Some(0.16),
            ..PairedSummary::default()
        };
        let summaries = [
            bare(Mode::TargetOnly),
            ModeSummary { paired: base, ..bare(Mode::SpecBase) },
            ModeSummary { paired: lora, ..bare(Mode::SpecLora) },
        ];
        assert_eq!(
            paired_lines(&summaries),
            [
                "Decode speedup by prompt (geometric mean): spec_base 1.38x (95 % interval 1.35 to 1.41, 32 prompts); \
                 spec_lora 1.59x (1 prompt: too few for an interval)",
                "LoRA improvement by prompt: +15.2% tokens/s (95 % interval +13.1 to +17.0), \
                 +13.9 pp acceptance (95 % interval -0.2 to +16.0), 32 prompts",
            ]
        );
        assert!(paired_lines(&seed()).is_empty() && paired_lines(&[]).is_empty());
    }

    #[test]
    fn slowdown_and_loss_are_said_plainly() {
        let base = ModeSummary { speedup: Some(0.8), ..bare(Mode::SpecBase) };
        let lora = ModeSummary {
            speedup: Some(0.76),
            tokens_per_second_gain: Some(-0.05),
            acceptance_rate_gain: Some(-0.05),
            ..bare(Mode::SpecLora)
        };
        assert_eq!(
            comparison_lines(&[base, lora]),
            [
                "Speedup vs target: spec_base 0.80x, spec_lora 0.76x",
                "LoRA improvement over base: -5.0% tokens/s, -5.0 pp acceptance",
            ]
        );
    }

    #[test]
    fn what_was_not_measured_has_no_line() {
        assert!(comparison_lines(&[]).is_empty());
        assert!(comparison_lines(&Mode::ALL.iter().copied().map(bare).collect::<Vec<_>>()).is_empty());
        let lora = ModeSummary { acceptance_rate_gain: Some(0.139), ..bare(Mode::SpecLora) };
        assert_eq!(comparison_lines(&[lora]), ["LoRA improvement over base: +13.9 pp acceptance"]);
    }

    #[test]
    fn control_shows_the_noise_and_modes_show_whether_they_are_lossless() {
        let compared =
            |mode, num_lossless| ModeSummary { num_prompts: 4, num_compared: 4, num_lossless, ..bare(mode) };
        let sampled = ModeSummary { num_prompts: 4, ..bare(Mode::SpecLora) };
        let control = ModeSummary { speedup: Some(1.01), ..compared(Mode::Control, 4) };
        assert_eq!(
            comparison_lines(&[bare(Mode::TargetOnly), compared(Mode::SpecBase, 3), sampled, control]),
            [
                "Control vs target: 1.01x (the same work twice: the noise of this measurement)",
                "Lossless: 3 of 4 prompts: spec_base output equals target_only's, token for token",
                "Lossless: spec_lora was not compared (only greedy output is, and with target_only's)",
                "Lossless: 4 of 4 prompts: control output equals target_only's, token for token",
            ]
        );
    }
}
