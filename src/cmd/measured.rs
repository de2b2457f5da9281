//! What was measured of a run: its summary, and its export.

use anyhow::Context as _;
use serde_json::{Map, Value as Json, json};

use super::facts::Facts;
use crate::compare::{PairedFigure, PairedGains, PromptAverages, paired_gains};
use crate::config::Spec;
use crate::record::{NewRun, Role, RunId};
use crate::report::{
    BenchExport, Metadata, ModeFigures, ModeSummary, PairedSummary, PromptFigures, comparison_lines,
    paired_lines,
};
use crate::store::{ModeMetrics, Store};

/// A run's modes, as the console summary shows them.
pub(super) fn summaries(store: &Store, run: RunId) -> anyhow::Result<Vec<ModeSummary>> {
    let metrics = store.mode_metrics(run)?;
    let gains = paired(store, run)?;
    let of_mode = |mode| gains.iter().find(|gains| gains.mode == mode).map(paired_summary);
    let summary = |m: &ModeMetrics| ModeSummary {
        paired: of_mode(m.mode).unwrap_or_default(),
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
    Ok(metrics.iter().map(summary).collect())
}

/// What the speculative modes of a run gain, prompt by prompt.
fn paired(store: &Store, run: RunId) -> anyhow::Result<Vec<PairedGains>> {
    let prompts = store.prompt_metrics(run)?.into_iter().map(|prompt| PromptAverages {
        prompt_index: prompt.prompt_index,
        mode: prompt.mode,
        time_per_output_token: prompt.time_per_output_token,
        tokens_per_second: prompt.tokens_per_second,
        acceptance_rate: prompt.acceptance_rate,
    });
    Ok(paired_gains(&prompts.collect::<Vec<_>>()))
}

fn paired_summary(gains: &PairedGains) -> PairedSummary {
    let low = |figure: PairedFigure| figure.interval.map(|interval| interval.low);
    let high = |figure: PairedFigure| figure.interval.map(|interval| interval.high);
    let PairedGains { speedup, tokens_per_second_gain, acceptance_rate_gain, .. } = *gains;
    PairedSummary {
        num_paired_prompts: speedup.num_prompts as i64,
        paired_speedup: speedup.estimate,
        paired_speedup_low: low(speedup),
        paired_speedup_high: high(speedup),
        num_gain_prompts: tokens_per_second_gain.num_prompts as i64,
        paired_tokens_per_second_gain: tokens_per_second_gain.estimate,
        paired_tokens_per_second_gain_low: low(tokens_per_second_gain),
        paired_tokens_per_second_gain_high: high(tokens_per_second_gain),
        paired_acceptance_rate_gain: acceptance_rate_gain.estimate,
        paired_acceptance_rate_gain_low: low(acceptance_rate_gain),
        paired_acceptance_rate_gain_high: high(acceptance_rate_gain),
    }
}

/// The lines under a summary table, after an empty line; nothing where there are none.
pub(super) fn lines_below(summaries: &[ModeSummary]) -> String {
    let lines = [comparison_lines(summaries), paired_lines(summaries)].concat();
    let first = if lines.is_empty() { "" } else { "\n" };
    lines.iter().fold(first.to_owned(), |text, line| format!("{text}{line}\n"))
}

/// What is exported of any run beside its figures.
pub(super) fn run_metadata(plan: &NewRun, facts: &Facts) -> Map<String, Json> {
    let path =
        |role: Role| plan.models.iter().find(|model| model.role == role).map(|model| model.path.clone());
    let metadata = json!({
        "run_id": facts.get("run_id"),
        "uid": facts.get("uid"),
        "name": plan.name,
        "kind": facts.get("kind"),
        "state": facts.get("state"),
        "num_generations": facts.get("num_generations"),
        "num_planned_generations": facts.get("num_planned_generations"),
        "num_failed": facts.get("num_failed"),
        "tags": facts.tags(),
        "notes": facts.get("notes"),
        "target": path(Role::Target),
        "draft": path(Role::Draft),
        "prompts": plan.prompt_source,
        "settings": plan.settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect::<Map<_, _>>(),
        "environment": plan.environment,
    });
    metadata.as_object().cloned().unwrap_or_default()
}

/// Everything that is exported of a bench run.
pub(super) fn bench_export(store: &Store, run: RunId) -> anyhow::Result<BenchExport> {
    let plan = store.run_plan(run)?;
    let spec = Spec::from_settings(&plan.settings)?;
    let adapter = plan.checkpoint_id.map(|id| store.load_adapter(id)).transpose()?;
    let facts = Facts::read(store, run)?;
    let mut prompts: Vec<PromptFigures> = (plan.prompts.iter())
        .map(|prompt| PromptFigures { prompt: prompt.text.clone(), modes: vec![] })
        .collect();
    for metrics in store.prompt_metrics(run)? {
        let figures = ModeFigures {
            tokens_per_second: metrics.tokens_per_second,
            time_to_last_token: metrics.time_to_last_token,
            acceptance_rate: metrics.acceptance_rate,
            total_tokens: i64::try_from(metrics.total_tokens).ok(),
            num_iterations: i64::try_from(metrics.num_iterations).ok(),
        };
        prompts[metrics.prompt_index as usize].modes.push((metrics.mode, figures));
    }
    Ok(BenchExport {
        metadata: Metadata {
            timestamp: facts.get("started_at").as_str().context("a run has a start")?.to_owned(),
            num_prompts: plan.prompts.len() as i64,
            max_tokens: spec.max_tokens.into(),
            iterations: spec.iterations.into(),
            adapter_path: adapter.map(|adapter| adapter.source),
            more: run_metadata(&plan, &facts),
        },
        summaries: summaries(store, run)?,
        prompts,
    })
}
