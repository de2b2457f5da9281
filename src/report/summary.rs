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
}

/// The table: one row a mode.
pub fn summary_grid(summaries: &[ModeSummary]) -> Grid {
    let mut grid = Grid::new([
        Column::new("mode", "Mode"),
        Column::new("avg_tokens_per_second", "Avg Tok/s"),
        Column::new("avg_time_to_last_token", "Avg TTLT"),
        Column::new("avg_acceptance_rate", "Avg Acceptance"),
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

/// The lines under the table: speedups over the target, the noise of an A/A control, the adapter's gain over the base
/// draft. What was not measured has no line.
pub fn comparison_lines(summaries: &[ModeSummary]) -> Vec<String> {
    [speedup_line(summaries), control_line(summaries), improvement_line(summaries)]
        .into_iter()
        .flatten()
        .collect()
}

fn speedup_line(summaries: &[ModeSummary]) -> Option<String> {
    let speedups: Vec<String> = summaries
        .iter()
        .filter(|summary| summary.mode.is_speculative())
        .filter_map(|summary| Some(format!("{} {:.2}x", summary.mode, speedup(summaries, summary.mode)?)))
        .collect();
    (!speedups.is_empty()).then(|| format!("Speedup vs target: {}", speedups.join(", ")))
}

fn control_line(summaries: &[ModeSummary]) -> Option<String> {
    let noise = speedup(summaries, Mode::Control)?;
    Some(format!("Control vs target: {noise:.2}x (the same work twice: the noise of this measurement)"))
}

fn improvement_line(summaries: &[ModeSummary]) -> Option<String> {
    let (base, lora) = (find(summaries, Mode::SpecBase)?, find(summaries, Mode::SpecLora)?);
    let speed = ratio(lora.avg_tokens_per_second, base.avg_tokens_per_second);
    let speed = speed.map(|ratio| format!("{:+.1}% tokens/s", 100.0 * (ratio - 1.0)));
    let acceptance = lora.avg_acceptance_rate.zip(base.avg_acceptance_rate);
    let acceptance = acceptance.map(|(lora, base)| format!("{:+.1} pp acceptance", 100.0 * (lora - base)));
    let gains: Vec<String> = speed.into_iter().chain(acceptance).collect();
    (!gains.is_empty()).then(|| format!("LoRA improvement over base: {}", gains.join(", ")))
}

/// Mean tokens per second of a mode ÷ those of target-only decoding.
fn speedup(summaries: &[ModeSummary], mode: Mode) -> Option<f64> {
    let speed = |mode| find(summaries, mode)?.avg_tokens_per_second;
    ratio(speed(mode), speed(Mode::TargetOnly))
}

fn ratio(numerator: Option<f64>, denominator: Option<f64>) -> Option<f64> {
    Some(numerator? / denominator.filter(|denominator| *denominator > 0.0)?)
}

fn find(summaries: &[ModeSummary], mode: Mode) -> Option<&ModeSummary> {
    summaries.iter().find(|summary| summary.mode == mode)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn summary(mode: Mode, speed: f64, acceptance: Option<f64>) -> ModeSummary {
        ModeSummary {
            mode,
            avg_tokens_per_second: Some(speed),
            avg_time_to_last_token: Some(256.0 / speed),
            avg_acceptance_rate: acceptance,
            total_tokens: 256,
            num_prompts: 1,
            min_tokens_per_second: Some(speed),
            max_tokens_per_second: Some(speed),
        }
    }

    /// The figures that the seed of this project published.
    fn seed() -> [ModeSummary; 3] {
        [
            summary(Mode::TargetOnly, 45.1, None),
            summary(Mode::SpecBase, 62.3, Some(0.582)),
            summary(Mode::SpecLora, 71.8, Some(0.721)),
        ]
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
    fn slowdown_and_loss_are_said_plainly() {
        let summaries = [
            summary(Mode::TargetOnly, 50.0, None),
            summary(Mode::SpecBase, 40.0, Some(0.5)),
            summary(Mode::SpecLora, 38.0, Some(0.45)),
        ];
        assert_eq!(
            comparison_lines(&summaries),
            [
                "Speedup vs target: spec_base 0.80x, spec_lora 0.76x",
                "LoRA improvement over base: -5.0% tokens/s, -5.0 pp acceptance",
            ]
        );
    }

    #[test]
    fn what_was_not_measured_has_no_line() {
        let [target, base, lora] = seed();
        assert!(comparison_lines(&[]).is_empty());
        assert!(comparison_lines(&[target]).is_empty());
        assert!(comparison_lines(&[base]).is_empty());
        assert_eq!(comparison_lines(&[target, base]), ["Speedup vs target: spec_base 1.38x"]);

        let unfinished = ModeSummary { avg_tokens_per_second: None, ..lora };
        assert_eq!(
            comparison_lines(&[target, base, unfinished]),
            ["Speedup vs target: spec_base 1.38x", "LoRA improvement over base: +13.9 pp acceptance"]
        );
    }

    #[test]
    fn control_shows_the_noise() {
        let summaries = [summary(Mode::TargetOnly, 50.0, None), summary(Mode::Control, 50.5, None)];
        assert_eq!(
            comparison_lines(&summaries),
            ["Control vs target: 1.01x (the same work twice: the noise of this measurement)"]
        );
    }
}
