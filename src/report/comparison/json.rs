//! A comparison as one object, in full precision.

use serde_json::{Map, Value as Json, json};

use super::{ComparisonReport, grids};
use crate::compare::{
    Contrast, GateResult, NoiseFloor, PositionRow, PromptChange, Run, SideOfContrast, execution_order,
};

/// Version of the object's shape; it grows where a key changes its meaning.
const SCHEMA_VERSION: u32 = 1;

impl ComparisonReport<'_> {
    pub(super) fn to_json(&self) -> Json {
        let comparison = self.comparison;
        json!({
            "schema_version": SCHEMA_VERSION,
            "runs": self.runs.iter().map(|run| run_object(run)).collect::<Vec<_>>(),
            "ignored_reasons": self.ignored,
            "differences": self.differences.iter().map(|difference| {
                json!({ "key": difference.key, "values": difference.values })
            }).collect::<Vec<_>>(),
            "unshared_modes": comparison.unshared_modes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "contrasts": comparison.contrasts.iter().map(contrast_object).collect::<Vec<_>>(),
            "noise_floors": comparison.noise_floors.iter().map(noise_object).collect::<Vec<_>>(),
            "gates": self.gates.iter().map(gate_object).collect::<Vec<_>>(),
            "headlines": self.headlines(),
            "cautions": self.cautions(),
            "facts": self.facts(),
        })
    }
}

fn run_object(run: &Run) -> Json {
    json!({
        "run_id": run.id,
        "name": run.name,
        "kind": run.kind,
        "state": run.state,
        "num_generations": run.num_generations,
        "num_planned_generations": run.num_planned_generations,
        "num_failed": run.num_failed(),
        "num_prompts": run.prompts.len(),
        "execution_order": execution_order(run).as_str(),
        "first_started_at_ms": run.period().map(|(first, _)| first),
        "last_started_at_ms": run.period().map(|(_, last)| last),
        "load_average": run.load_average(),
        "leakage": run.leakage.map(|leakage| json!({
            "checkpoint_id": leakage.checkpoint_id,
            "is_trained_here": leakage.is_trained_here,
            "num_trained": leakage.num_trained,
            "num_held_out": leakage.num_held_out,
        })),
        "facts": run.facts.iter().cloned().collect::<Map<_, _>>(),
    })
}

fn contrast_object(contrast: &Contrast) -> Json {
    let rows = grids::rows(std::slice::from_ref(contrast));
    json!({
        "baseline": side_object(&contrast.baseline),
        "other": side_object(&contrast.other),
        "num_prompts": contrast.num_prompts,
        "metrics": rows.objects().collect::<Vec<_>>(),
        "acceptance_by_position": contrast.positions.iter().map(position_object).collect::<Vec<_>>(),
        "worst_prompts": contrast.worst.iter().map(prompt_object).collect::<Vec<_>>(),
        "num_equal_outputs": contrast.equal_outputs.map(|outputs| outputs.num_equal),
        "num_compared_outputs": contrast.equal_outputs.map(|outputs| outputs.num_compared),
    })
}

fn side_object(side: &SideOfContrast) -> Json {
    json!({
        "run_id": side.name.run,
        "mode": side.name.mode,
        "unpaired_prompts": side.unpaired,
        "num_compared": side.lossless.num_compared,
        "num_lossless": side.lossless.num_equal,
    })
}

fn position_object(row: &PositionRow) -> Json {
    json!({ "position": row.position, "baseline": row.baseline, "other": row.other })
}

fn prompt_object(prompt: &PromptChange) -> Json {
    json!({
        "prompt": prompt.prompt,
        "baseline_value": prompt.baseline_value,
        "value": prompt.value,
        "change": prompt.change,
    })
}

fn noise_object(floor: &NoiseFloor) -> Json {
    json!({
        "run_id": floor.run,
        "metric": floor.metric.as_str(),
        "num_prompts": floor.num_prompts,
        "change": floor.interval.estimate,
        "change_low": floor.interval.low,
        "change_high": floor.interval.high,
        "size": floor.size(),
    })
}

fn gate_object(result: &GateResult) -> Json {
    json!({
        "gate": result.gate,
        "run_id": result.side.run,
        "mode": result.side.mode,
        "metric": result.metric.as_str(),
        "change": result.change,
        "change_low": result.interval.map(|interval| interval.low),
        "change_high": result.interval.map(|interval| interval.high),
        "outcome": result.outcome.as_str(),
    })
}
