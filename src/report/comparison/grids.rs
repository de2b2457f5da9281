//! The tables of a comparison.

use serde_json::Value as Json;

use super::{headings, is_within_run};
use crate::compare::{Change, Contrast, Difference, Metric, MetricRow, Run};
use crate::report::grid::{Cell, Column, Grid, Style};

/// A contrast for people: a row a metric, its mark first.
pub fn contrast(contrast: &Contrast) -> Grid {
    let [baseline, other] = headings(contrast);
    let mut grid = Grid::new([
        Column::new("mark", " "),
        Column::new("metric", "Metric"),
        Column::number("baseline_value", baseline),
        Column::number("value", other),
        Column::number("change", "Change"),
        Column::number("interval", "95 % interval"),
        Column::number("corrected_p_value", "p (Holm)"),
        Column::number("num_prompts", "Prompts"),
        Column::number("prompts", "Better/same/worse"),
    ]);
    for row in &contrast.rows {
        let change = row.metric.change();
        grid.push([
            Cell::Text(row.verdict().map_or("", |verdict| verdict.mark()).to_owned()),
            Cell::Text(row.metric.title().to_owned()),
            value_cell(row.metric, row.baseline_value),
            value_cell(row.metric, row.value),
            Cell::text(row.change.map(|value| change.shown(value))),
            Cell::text(row.interval.map(|i| format!("{:+.1} to {:+.1}", 100.0 * i.low, 100.0 * i.high))),
            Cell::text(row.corrected_p_value.map(p_value)),
            Cell::Integer(row.num_prompts as i64),
            Cell::text(counts(row)),
        ]);
    }
    grid
}

/// A metric's value, as people see it.
fn value_cell(metric: Metric, value: Option<f64>) -> Cell {
    match metric {
        Metric::TokensPerSecond | Metric::DecodeTokensPerSecond => Cell::float(value, Style::Decimals(1)),
        Metric::TimeToFirstToken | Metric::TimeToLastToken => Cell::float(value, Style::Seconds(2)),
        Metric::AcceptanceRate => Cell::float(value, Style::Percent(1)),
        Metric::MeanAcceptanceLength => Cell::float(value, Style::Decimals(2)),
        Metric::Speedup => Cell::text(value.filter(|v| v.is_finite()).map(|value| format!("{value:.2}x"))),
    }
}

/// A p-value with three decimals, and never 0.
fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") }
}

fn counts(row: &MetricRow) -> Option<String> {
    (row.num_prompts > 0).then(|| format!("{}/{}/{}", row.num_better, row.num_same, row.num_worse))
}

/// All contrasts for programs: a row a metric, in full precision.
pub fn rows(contrasts: &[Contrast]) -> Grid {
    let mut grid = Grid::new(
        [
            "baseline_run_id",
            "baseline_mode",
            "run_id",
            "mode",
            "metric",
            "unit",
            "is_higher_better",
            "num_prompts",
            "baseline_value",
            "value",
            "change_unit",
            "change",
            "change_low",
            "change_high",
            "p_value",
            "corrected_p_value",
            "num_better",
            "num_same",
            "num_worse",
            "noise_floor",
            "verdict",
        ]
        .map(Column::from),
    );
    for contrast in contrasts {
        let (baseline, other) = (contrast.baseline.name, contrast.other.name);
        for row in &contrast.rows {
            let real = |value| Cell::float(value, Style::Decimals(4));
            grid.push([
                Cell::Integer(baseline.run.0),
                Cell::Text(baseline.mode.to_string()),
                Cell::Integer(other.run.0),
                Cell::Text(other.mode.to_string()),
                Cell::Text(row.metric.to_string()),
                Cell::Text(row.metric.unit().to_owned()),
                Cell::Integer(row.metric.is_higher_better().into()),
                Cell::Integer(row.num_prompts as i64),
                real(row.baseline_value),
                real(row.value),
                Cell::Text(row.metric.change().as_str().to_owned()),
                real(row.change),
                real(row.interval.map(|interval| interval.low)),
                real(row.interval.map(|interval| interval.high)),
                real(row.p_value),
                real(row.corrected_p_value),
                Cell::Integer(row.num_better as i64),
                Cell::Integer(row.num_same as i64),
                Cell::Integer(row.num_worse as i64),
                real(row.noise_floor),
                Cell::text(row.verdict().map(|verdict| verdict.as_str())),
            ]);
        }
    }
    grid
}

/// Settings and facts that differ, a column a run.
pub fn differences(differences: &[Difference], runs: &[&Run]) -> Grid {
    let columns = runs.iter().map(|run| Column::new(format!("run_{}", run.id), format!("Run {}", run.id)));
    let mut grid = Grid::new(std::iter::once(Column::new("key", "Setting or fact")).chain(columns));
    for difference in differences {
        let values = difference.values.iter().map(|value| match value {
            Json::Null => Cell::Missing,
            Json::String(text) => Cell::Text(shortened(text)),
            other => Cell::Text(shortened(&other.to_string())),
        });
        grid.push(std::iter::once(Cell::Text(difference.key.clone())).chain(values));
    }
    grid
}

/// A long text's beginning: a table has to fit a terminal.
fn shortened(text: &str) -> String {
    const MOST: usize = 36;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What a contrast is called where several share a table.
fn name(contrast: &Contrast) -> String {
    let (baseline, other) = (contrast.baseline.name, contrast.other.name);
    match (is_within_run(contrast), baseline.mode == other.mode) {
        (false, true) => format!("{}, run {}", other.mode, other.run),
        _ => other.to_string(),
    }
}

/// Acceptance by place in the proposal, of every contrast that has any.
pub fn positions(contrasts: &[Contrast]) -> Grid {
    let mut grid = Grid::new([
        Column::new("contrast", "Mode"),
        Column::number("position", "Position"),
        Column::number("baseline", "Baseline"),
        Column::number("other", "Compared"),
        Column::number("change", "Change"),
    ]);
    for contrast in contrasts {
        for row in &contrast.positions {
            let change = row.baseline.zip(row.other).map(|(baseline, other)| other - baseline);
            grid.push([
                Cell::Text(name(contrast)),
                Cell::Integer(row.position.into()),
                Cell::float(row.baseline, Style::Percent(1)),
                Cell::float(row.other, Style::Percent(1)),
                Cell::text(change.map(|change| Change::Points.shown(change))),
            ]);
        }
    }
    grid
}

/// The prompts that got worst, of every contrast.
pub fn worst(contrasts: &[Contrast]) -> Grid {
    let mut grid = Grid::new([
        Column::new("contrast", "Mode"),
        Column::new("prompt", "Prompt"),
        Column::number("baseline", "Baseline"),
        Column::number("other", "Compared"),
        Column::number("change", "Change"),
    ]);
    for contrast in contrasts {
        for prompt in &contrast.worst {
            grid.push([
                Cell::Text(name(contrast)),
                Cell::Text(prompt.prompt.clone()),
                Cell::float(Some(prompt.baseline_value), Style::Decimals(1)),
                Cell::float(Some(prompt.value), Style::Decimals(1)),
                Cell::Text(Change::Relative.shown(prompt.change)),
            ]);
        }
    }
    grid
}
