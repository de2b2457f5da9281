//! From stored rows to what the renderers take.

use serde_json::{Map, json};

use crate::config::Spec;
use crate::record::{Role, RunId};
use crate::report::{
    BenchExport, Cell, Column, Grid, Metadata, ModeFigures, ModeSummary, PromptFigures, Style,
};
use crate::store::{Hex, ModeMetrics, Rows, Store, Value};

/// A run's modes, as the console summary shows them.
pub(super) fn summaries(metrics: &[ModeMetrics]) -> Vec<ModeSummary> {
    let summary = |m: &ModeMetrics| ModeSummary {
        mode: m.mode,
        avg_tokens_per_second: m.avg_tokens_per_second,
        avg_time_to_last_token: m.avg_time_to_last_token,
        avg_acceptance_rate: m.avg_acceptance_rate,
        total_tokens: m.total_tokens as i64,
        num_prompts: m.num_prompts as i64,
        min_tokens_per_second: m.min_tokens_per_second,
        max_tokens_per_second: m.max_tokens_per_second,
        median_tokens_per_second: m.median_tokens_per_second,
        median_time_to_last_token: m.median_time_to_last_token,
        median_acceptance_rate: m.median_acceptance_rate,
        avg_decode_tokens_per_second: m.avg_decode_tokens_per_second,
        acceptance_rate: m.acceptance_rate,
        mean_acceptance_length: m.mean_acceptance_length,
        speedup: m.speedup,
        tokens_per_second_gain: m.tokens_per_second_gain,
        acceptance_rate_gain: m.acceptance_rate_gain,
        num_compared: m.num_compared as i64,
        num_lossless: m.num_lossless as i64,
    };
    metrics.iter().map(summary).collect()
}

/// Everything that is exported of a bench run.
pub(super) fn bench_export(store: &Store, run: RunId) -> anyhow::Result<BenchExport> {
    let plan = store.run_plan(run)?;
    let spec = Spec::from_settings(&plan.settings)?;
    let adapter = plan.checkpoint_id.map(|id| store.load_adapter(id)).transpose()?;
    let path =
        |role: Role| plan.models.iter().find(|model| model.role == role).map(|model| model.path.clone());
    let more = json!({
        "run_id": run,
        "name": plan.name,
        "target": path(Role::Target),
        "draft": path(Role::Draft),
        "prompts": plan.prompt_source,
        "settings": plan.settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect::<Map<_, _>>(),
        "environment": plan.environment,
    });
    let mut prompts: Vec<PromptFigures> = (plan.prompts.iter())
        .map(|prompt| PromptFigures { prompt: prompt.text.clone(), modes: vec![] })
        .collect();
    for metrics in store.prompt_metrics(run)? {
        let figures = ModeFigures {
            tokens_per_second: metrics.tokens_per_second,
            time_to_last_token: metrics.time_to_last_token,
            acceptance_rate: metrics.acceptance_rate,
            total_tokens: i64::try_from(metrics.total_tokens).ok(),
        };
        prompts[metrics.prompt_index as usize].modes.push((metrics.mode, figures));
    }
    Ok(BenchExport {
        metadata: Metadata {
            timestamp: started_at(store, run)?,
            num_prompts: plan.prompts.len() as i64,
            max_tokens: spec.max_tokens.into(),
            iterations: spec.iterations.into(),
            adapter_path: adapter.map(|adapter| adapter.source),
            more: more.as_object().cloned().unwrap_or_default(),
        },
        summaries: summaries(&store.mode_metrics(run)?),
        prompts,
    })
}

/// The start of a run, UTC.
fn started_at(store: &Store, run: RunId) -> anyhow::Result<String> {
    let rows = store.query("run_show", &[(":run_id", run.into())])?;
    match rows.get(0, "started_at") {
        Some(Value::Text(text)) => Ok(text.clone()),
        _ => anyhow::bail!("run {run} has no start"),
    }
}

/// A column of a listing: its key in the query, its heading, and how people see its numbers.
pub(super) type Shown = (&'static str, &'static str, Style);

/// The columns of `shown`, for people.
pub(super) fn chosen_grid(rows: &Rows, shown: &[Shown]) -> Grid {
    let index =
        |key: &str| rows.columns.iter().position(|column| column == key).expect("the query has this column");
    let indices: Vec<usize> = shown.iter().map(|(key, ..)| index(key)).collect();
    let mut grid = Grid::new(shown.iter().map(|(key, title, _)| Column::new(*key, *title)));
    for row in &rows.rows {
        grid.push(indices.iter().zip(shown).map(|(&index, (_, _, style))| cell(&row[index], *style)));
    }
    grid
}

/// All columns under their own names, for programs.
pub(super) fn whole_grid(rows: &Rows) -> Grid {
    let mut grid = Grid::new(rows.columns.iter().map(|column| Column::from(column.as_str())));
    for row in &rows.rows {
        grid.push(row.iter().map(|value| cell(value, Style::Decimals(4))));
    }
    grid
}

fn cell(value: &Value, style: Style) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Integer(number) => Cell::Integer(*number),
        Value::Real(number) => Cell::float(Some(*number), style),
        Value::Text(text) => Cell::Text(text.clone()),
        Value::Blob(bytes) => Cell::Text(Hex(bytes).to_string()),
    }
}
