//! From sides to rows.

use std::collections::HashMap;

use super::figures::{Figures, keyed_prompts};
use super::metric::Metric;
use super::noise::{self, Control, NoiseFloor};
use super::pairing::{PairedPrompt, metric_pairs, paired};
use super::rows::{MetricRow, Pairs, SAME, change, value};
use super::run::{EqualOutputs, Run};
use super::sides::{Opponents, Side, SideError, SideName, opponents, unshared_modes};
use crate::record::Mode;
use crate::stats::{Interval, Sample, Share, holm, intervals};

/// Prompts that are listed for having got worse.
const MAX_WORST: usize = 5;

/// Everything that was compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The contrasts, in the order of the sides, and of the modes.
    pub contrasts: Vec<Contrast>,
    /// Modes that one of two runs alone has a result in.
    pub unshared_modes: Vec<SideName>,
    /// What A/A controls say of the noise.
    pub noise_floors: Vec<NoiseFloor>,
}

impl Comparison {
    /// Modes that the baseline has a result in, and another run has not.
    pub fn dropped_modes(&self) -> impl Iterator<Item = SideName> + '_ {
        let baseline = self.contrasts.first().map(|contrast| contrast.baseline.name.run);
        self.unshared_modes.iter().copied().filter(move |side| Some(side.run) == baseline)
    }
}

/// One mode of a run, as a side of a contrast.
#[derive(Debug, Clone, PartialEq)]
pub struct SideOfContrast {
    /// Which it is.
    pub name: SideName,
    /// Labels of prompts that have a result on this side alone.
    pub unpaired: Vec<String>,
    /// How many of its outputs are target_only's.
    pub lossless: EqualOutputs,
}

/// What came of comparing one mode with another.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrast {
    /// What the other is measured by.
    pub baseline: SideOfContrast,
    /// The other.
    pub other: SideOfContrast,
    /// Prompts that have a result on both sides.
    pub num_prompts: usize,
    /// A row for each metric that a side has.
    pub rows: Vec<MetricRow>,
    /// Acceptance by place in the proposal.
    pub positions: Vec<PositionRow>,
    /// The prompts that lost most tokens per second, the worst first.
    pub worst: Vec<PromptChange>,
    /// How many outputs are the same on both sides; none where a side was not greedy, or no prompt has outputs on both.
    pub equal_outputs: Option<EqualOutputs>,
}

/// Acceptance at one place of the proposal, over all generations of each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionRow {
    /// The place, from 1.
    pub position: u32,
    /// The baseline's accepted ÷ proposed.
    pub baseline: Option<f64>,
    /// The other side's.
    pub other: Option<f64>,
}

/// A prompt whose speed changed.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptChange {
    /// What people call it.
    pub prompt: String,
    /// The baseline's tokens per second.
    pub baseline_value: f64,
    /// The other side's.
    pub value: f64,
    /// The relative change.
    pub change: f64,
}

/// Compares each side with the first.
///
/// # Errors
/// If a side has nothing to compare, or not the mode that was asked for.
pub fn compare(sides: &[Side<'_>]) -> Result<Comparison, SideError> {
    let Some((&baseline, others)) = sides.split_first() else {
        return Ok(Comparison { contrasts: vec![], unshared_modes: vec![], noise_floors: vec![] });
    };
    let mut all = vec![];
    let mut unshared: Vec<SideName> = vec![];
    for &other in others {
        all.extend(opponents(baseline, other)?);
        for name in unshared_modes(baseline, other) {
            if !unshared.contains(&name) {
                unshared.push(name);
            }
        }
    }
    let controls: Vec<Control> = distinct_runs(sides).into_iter().flat_map(noise::controls).collect();
    let prompts: Vec<Vec<PairedPrompt>> = all.iter().map(|o| paired(o.baseline, o.other)).collect();
    let pairs: Vec<Vec<Pairs>> = prompts.iter().map(|prompts| metric_pairs(prompts)).collect();
    let samples = pairs.iter().flatten().map(Pairs::sample).chain(controls.iter().map(|c| c.sample.clone()));
    let mut intervals = intervals(&samples.collect::<Vec<Sample>>()).into_iter();
    let mut contrasts: Vec<Contrast> = (all.iter().zip(&prompts).zip(&pairs))
        .map(|((opponents, prompts), pairs)| contrast(opponents, prompts, pairs, &mut intervals))
        .collect();
    let noise_floors: Vec<NoiseFloor> = (controls.into_iter().zip(intervals))
        .filter_map(|(Control { run, metric, num_prompts, .. }, interval)| {
            Some(NoiseFloor { run, metric, num_prompts, interval: interval? })
        })
        .collect();
    judge(&mut contrasts, &noise_floors);
    Ok(Comparison { contrasts, unshared_modes: unshared, noise_floors })
}

/// The runs of the sides, each once.
fn distinct_runs<'a>(sides: &[Side<'a>]) -> Vec<&'a Run> {
    let mut runs: Vec<&Run> = vec![];
    for side in sides {
        if runs.iter().all(|run| run.id != side.run.id) {
            runs.push(side.run);
        }
    }
    runs
}

/// Corrects p-values over all rows, and tells each row its noise.
fn judge(contrasts: &mut [Contrast], noise_floors: &[NoiseFloor]) {
    let rows = || contrasts.iter().flat_map(|contrast| &contrast.rows);
    let corrected = holm(&rows().map(|row| row.p_value).collect::<Vec<_>>());
    let mut corrected = corrected.into_iter();
    for Contrast { baseline, other, rows, .. } in contrasts {
        let runs = [baseline.name.run, other.name.run];
        for row in rows {
            row.corrected_p_value = corrected.next().expect("there is one a row");
            let floors = noise_floors.iter().filter(|f| f.metric == row.metric && runs.contains(&f.run));
            row.noise_floor = floors.map(NoiseFloor::size).max_by(f64::total_cmp);
        }
    }
}

fn contrast(
    opponents: &Opponents<'_>,
    prompts: &[PairedPrompt],
    pairs: &[Pairs],
    intervals: &mut impl Iterator<Item = Option<Interval>>,
) -> Contrast {
    let rows = pairs.iter().map(|pairs| {
        let interval = intervals.next().expect("there is one a sample");
        let row = pairs.row();
        if row.num_prompts > 0 {
            return MetricRow { interval, ..row };
        }
        let own = |figures: fn(&PairedPrompt) -> Option<Figures>| {
            let figures: Vec<Share> =
                prompts.iter().filter_map(|prompt| figures(prompt)?[pairs.metric as usize]).collect();
            value(pairs.metric, &figures)
        };
        MetricRow { baseline_value: own(|p| p.baseline), value: own(|p| p.other), ..row }
    });
    let rows = rows.collect();
    let unpaired = |is_unpaired: fn(&PairedPrompt) -> bool| {
        prompts.iter().filter(|prompt| is_unpaired(prompt)).map(|prompt| prompt.label.clone()).collect()
    };
    Contrast {
        baseline: side(opponents.baseline, unpaired(|prompt| prompt.other.is_none())),
        other: side(opponents.other, unpaired(|prompt| prompt.baseline.is_none())),
        num_prompts: prompts.iter().filter(|p| p.baseline.is_some() && p.other.is_some()).count(),
        rows,
        positions: positions(opponents),
        worst: worst(prompts),
        equal_outputs: equal_outputs(opponents),
    }
}

fn side((run, mode): (&Run, Mode), unpaired: Vec<String>) -> SideOfContrast {
    SideOfContrast { name: SideName { run: run.id, mode }, unpaired, lossless: run.lossless(mode) }
}

fn positions(opponents: &Opponents<'_>) -> Vec<PositionRow> {
    let rate = |(run, mode): (&Run, Mode), position: u32| {
        let found = run.positions.iter().find(|p| p.mode == mode && p.position == position);
        found.and_then(|position| position.acceptance_rate)
    };
    let last = |(run, mode): (&Run, Mode)| {
        run.positions.iter().filter(|p| p.mode == mode).map(|p| p.position).max().unwrap_or(0)
    };
    let row = |position| PositionRow {
        position,
        baseline: rate(opponents.baseline, position),
        other: rate(opponents.other, position),
    };
    (1..=last(opponents.baseline).max(last(opponents.other))).map(row).collect()
}

/// The prompts that got slower by more than [`SAME`], the worst first.
fn worst(prompts: &[PairedPrompt]) -> Vec<PromptChange> {
    let metric = Metric::TokensPerSecond;
    let change = |prompt: &PairedPrompt| {
        let (baseline, other) = prompt.of(metric)?;
        let change = change(metric, (baseline, other))?;
        let (baseline_value, value) = (baseline.part, other.part);
        Some(PromptChange { prompt: prompt.label.clone(), baseline_value, value, change })
    };
    let mut worst: Vec<PromptChange> =
        prompts.iter().filter_map(change).filter(|prompt| prompt.change < -SAME).collect();
    worst.sort_by(|a, b| a.change.total_cmp(&b.change));
    worst.truncate(MAX_WORST);
    worst
}

fn equal_outputs(opponents: &Opponents<'_>) -> Option<EqualOutputs> {
    let ((baseline, baseline_mode), (other, other_mode)) = (opponents.baseline, opponents.other);
    if !baseline.is_greedy() || !other.is_greedy() {
        return None;
    }
    let outputs = |run, mode| -> HashMap<_, Vec<&str>> {
        let mut by_prompt: HashMap<u32, Vec<&str>> = HashMap::new();
        let of_mode = Run::generations_of(run, mode);
        of_mode.for_each(|g| by_prompt.entry(g.prompt_index).or_default().extend(g.output_sha256.as_deref()));
        by_prompt.values_mut().for_each(|outputs| {
            outputs.sort_unstable();
            outputs.dedup();
        });
        let keyed = keyed_prompts(run).into_iter();
        keyed.filter_map(|(key, place)| Some((key, by_prompt.remove(&place)?))).collect()
    };
    let (first, second) = (outputs(baseline, baseline_mode), outputs(other, other_mode));
    let both = first.iter().filter_map(|(key, outputs)| Some(second.get(key)? == outputs));
    Some(EqualOutputs::count(both)).filter(|outputs| outputs.num_compared > 0)
}
