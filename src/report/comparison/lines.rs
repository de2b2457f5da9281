//! The sentences of a comparison: whether it is fair, and how much is noise.

use chrono::DateTime;

use super::{ComparisonReport, is_within_run};
use crate::compare::{
    Contrast, EqualOutputs, ExecutionOrder, Leakage, Metric, MetricRow, NoiseFloor, Run, SAME, SIGNIFICANT,
    Verdict, execution_order, machines_differ,
};
use crate::record::{Mode, RunKind};
use crate::stats::MIN_OBSERVATIONS;

/// Prompts that a sentence names before it only counts.
const MAX_NAMED: usize = 5;

impl ComparisonReport<'_> {
    /// What a contrast is about.
    pub(super) fn title(&self, contrast: &Contrast) -> String {
        let (baseline, other) = (contrast.baseline.name, contrast.other.name);
        let prompts = counted(contrast.num_prompts, "prompt");
        let [first, second] = [baseline, other].map(|name| self.run(name.run).label());
        match (is_within_run(contrast), baseline.mode == other.mode) {
            (true, _) => format!("{} against {} in {second}, {prompts}", other.mode, baseline.mode),
            (false, true) => format!("{}: {second} against {first}, {prompts}", other.mode),
            (false, false) => {
                format!("{} of {second} against {} of {first}, {prompts}", other.mode, baseline.mode)
            }
        }
    }

    /// What each contrast comes to, by its speed from end to end.
    pub(super) fn headlines(&self) -> Vec<String> {
        let headline = |contrast: &Contrast| {
            let row = speed(contrast)?;
            let change = row.metric.change().shown(row.change?);
            let interval = row.interval.map_or(String::new(), |interval| {
                format!(" ({:+.1} to {:+.1})", 100.0 * interval.low, 100.0 * interval.high)
            });
            let verdict = match row.verdict() {
                Some(Verdict::Better) => "faster",
                Some(Verdict::Worse) => "slower",
                Some(Verdict::Unclear) => "cannot be told from chance or noise",
                None => "too few prompts to tell",
            };
            Some(format!("{}: {verdict}, {} {change}{interval}", self.title(contrast), row.metric.title()))
        };
        self.comparison.contrasts.iter().filter_map(headline).collect()
    }

    /// What may mislead, a sentence each.
    pub fn cautions(&self) -> Vec<String> {
        let mut lines = vec![];
        if !self.ignored.is_empty() {
            lines.push(format!(
                "Not comparable, compared all the same (--force): {}",
                self.ignored.join("; ")
            ));
        }
        lines.extend(self.comparison.unshared_modes.iter().map(|name| {
            format!("Not compared: {}, which has a result in run {} alone", name.mode, name.run)
        }));
        lines.extend(self.comparison.contrasts.iter().flat_map(left_out));
        let fewest = self.comparison.contrasts.iter().map(|contrast| contrast.num_prompts).min().unwrap_or(0);
        if fewest < MIN_OBSERVATIONS {
            lines.push(format!(
                "Fewer than {MIN_OBSERVATIONS} prompts: no interval can be trusted, and no mark is given"
            ));
        }
        lines.extend(self.powerless());
        lines.extend(self.comparison.contrasts.iter().filter_map(drift));
        if self.differences.iter().any(|difference| difference.key == "num_draft_tokens") {
            lines.push(
                "num_draft_tokens differs: the more is drafted, the lower is acceptance and the higher is τ, whatever the draft \
                 (compare acceptance by position)"
                    .to_owned(),
            );
        }
        lines.extend(self.runs.iter().flat_map(|run| unfinished(run)));
        let (baseline, others) = self.runs.split_first().expect("there is a baseline");
        let on_others = others.iter().filter(|run| machines_differ(baseline, run));
        lines.extend(on_others.map(|run| {
            format!(
                "Run {} and run {} were measured on different machines: their times say as much of these",
                baseline.id, run.id
            )
        }));
        lines.extend(self.runs.iter().filter_map(|run| leaked(run, self.has_lora(run))));
        lines.extend(
            self.runs.iter().filter(|run| execution_order(run) == ExecutionOrder::ModeAfterMode).map(|run| {
                format!(
                    "Order: run {} measured one mode after the other, so that drift looks like a difference",
                    run.id
                )
            }),
        );
        lines
    }

    /// What else is worth knowing, a sentence each.
    pub(super) fn facts(&self) -> Vec<String> {
        let mut lines = vec![];
        lines.extend(self.lossless());
        lines.extend(self.equal_outputs());
        lines.extend(self.runs.iter().filter_map(|run| unleaked(run, self.has_lora(run))));
        lines.extend(self.order());
        if self.runs.len() > 1 {
            let periods: Vec<String> = self.runs.iter().filter_map(|run| period(run)).collect();
            lines.push(format!("Measured: {}", periods.join("; ")));
        }
        lines.extend(self.noise());
        lines.extend(self.gates.iter().map(ToString::to_string));
        lines.extend(self.runs.iter().filter_map(|run| iterated(run)));
        lines.push(
            "+ better, − worse: the interval excludes 0, p < 0.05, outside known noise; ~ could be chance or noise"
                .to_owned(),
        );
        lines
    }

    /// That there are too few prompts for any mark, where it is so.
    fn powerless(&self) -> Option<String> {
        let rows = || self.comparison.contrasts.iter().flat_map(|contrast| &contrast.rows);
        let num_tests = rows().filter(|row| row.p_value.is_some()).count();
        let num_prompts = rows().filter(|row| row.p_value.is_some()).map(|row| row.num_prompts).max()?;
        // Where differences are equal, p is not exact, and may be lower.
        if rows().any(|row| row.corrected_p_value.is_some_and(|p| p < SIGNIFICANT)) {
            return None;
        }
        // The lowest p is that of the two orders in which all differences have one sign.
        let can_be_marked =
            |num_prompts: usize| num_tests as f64 * 0.5f64.powi(num_prompts as i32 - 1) < SIGNIFICANT;
        let enough = (num_prompts..).find(|num_prompts| can_be_marked(*num_prompts))?;
        (enough > num_prompts).then(|| {
            format!(
                "{num_prompts} prompts are too few for {num_tests} tests: even a change of all of them leaves p (Holm) above \
                 {SIGNIFICANT}, and every mark is ~ (take {enough} prompts or more)"
            )
        })
    }

    /// Whether a run's adapter takes part.
    fn has_lora(&self, run: &Run) -> bool {
        let mut sides = self.comparison.contrasts.iter().flat_map(|c| [c.baseline.name, c.other.name]);
        sides.any(|side| side.run == run.id && side.mode == Mode::SpecLora)
    }

    /// How many outputs equal target_only's, by side.
    fn lossless(&self) -> Option<String> {
        let mut sides: Vec<String> = vec![];
        for side in self.comparison.contrasts.iter().flat_map(|c| [&c.baseline, &c.other]) {
            let shown = match side.lossless {
                _ if side.name.mode == Mode::TargetOnly => continue,
                EqualOutputs { num_compared: 0, .. } => format!("{} was not compared", side.name),
                EqualOutputs { num_compared, num_equal } => {
                    format!("{} {num_equal} of {num_compared}", side.name)
                }
            };
            if !sides.contains(&shown) {
                sides.push(shown);
            }
        }
        (!sides.is_empty())
            .then(|| format!("Lossless (prompts whose output equals target_only's): {}", sides.join(", ")))
    }

    /// How many outputs are the same on both sides, by contrast.
    fn equal_outputs(&self) -> Option<String> {
        let shown = |contrast: &Contrast| {
            let EqualOutputs { num_compared, num_equal } = contrast.equal_outputs?;
            Some(format!("{} {num_equal} of {num_compared}", contrast.other.name))
        };
        let shown: Vec<String> = self.comparison.contrasts.iter().filter_map(shown).collect();
        (!shown.is_empty())
            .then(|| format!("Same output (prompts where it is the baseline's): {}", shown.join(", ")))
    }

    /// In which order modes had their turn, runs that did alike together.
    fn order(&self) -> Vec<String> {
        let orders = [
            (ExecutionOrder::Shuffled, "back to back, in a shuffled order"),
            (ExecutionOrder::Interleaved, "back to back, always in the same order"),
        ];
        let of_order = |(order, how): (ExecutionOrder, &str)| {
            let runs = self.runs.iter().filter(|run| execution_order(run) == order);
            let runs: Vec<String> = runs.map(|run| format!("run {}", run.id)).collect();
            (!runs.is_empty()).then(|| format!("Order: {}: the modes of a prompt {how}", runs.join(", ")))
        };
        orders.into_iter().filter_map(of_order).collect()
    }

    fn noise(&self) -> Vec<String> {
        let floors = &self.comparison.noise_floors;
        let shown = |floor: &NoiseFloor| {
            let (low, high) = (100.0 * floor.interval.low, 100.0 * floor.interval.high);
            let change = 100.0 * floor.interval.estimate;
            format!("{} {change:+.1}% ({low:+.1} to {high:+.1})", floor.metric.title())
        };
        let of_run = |run: &&Run| {
            let own: Vec<String> = floors
                .iter()
                .filter(|floor| floor.run == run.id && floor.metric != Metric::Speedup)
                .map(shown)
                .collect();
            (!own.is_empty())
                .then(|| format!("Noise of run {} (the same work twice): {}", run.id, own.join(", ")))
        };
        let mut lines: Vec<String> = self.runs.iter().filter_map(of_run).collect();
        let within = self.comparison.contrasts.iter().flat_map(|contrast| {
            let rows = contrast.rows.iter().filter(|row| row.is_within_noise() == Some(true));
            rows.map(|row| format!("{} of {}", row.metric.title(), contrast.other.name))
        });
        let within: Vec<String> = within.collect();
        if !within.is_empty() {
            lines.push(format!("No larger than this noise: {}", within.join(", ")));
        }
        lines
    }
}

/// The row of the speed from end to end.
fn speed(contrast: &Contrast) -> Option<&MetricRow> {
    contrast.rows.iter().find(|row| row.metric == Metric::TokensPerSecond)
}

/// That the target alone, which no draft touches, was not as fast in both runs.
fn drift(contrast: &Contrast) -> Option<String> {
    let (baseline, other) = (contrast.baseline.name, contrast.other.name);
    if is_within_run(contrast) || baseline.mode != Mode::TargetOnly || other.mode != Mode::TargetOnly {
        return None;
    }
    let row = speed(contrast)?;
    let change = row.change.filter(|change| change.abs() > SAME)?;
    row.interval?.excludes_zero().then(|| {
        format!(
            "target_only itself changed by {} from run {} to run {}: whatever the cause (load, heat, machine, threads), it is in \
             all times of these runs; each run's decode speedup is over its own target_only",
            row.metric.change().shown(change),
            baseline.run,
            other.run
        )
    })
}

/// Prompts that have a result on one side alone.
fn left_out(contrast: &Contrast) -> Vec<String> {
    let sides = [&contrast.baseline, &contrast.other];
    let alone = sides.into_iter().filter(|side| !side.unpaired.is_empty());
    let line = alone.map(|side| {
        let named: Vec<&str> = side.unpaired.iter().take(MAX_NAMED).map(String::as_str).collect();
        let more = side.unpaired.len() - named.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let prompts = counted(side.unpaired.len(), "prompt");
        format!("Left out, having a result in {} alone: {prompts}: {}{more}", side.name, named.join(", "))
    });
    line.collect()
}

fn unfinished(run: &Run) -> Vec<String> {
    let Run { id, state, num_generations, num_planned_generations, .. } = run;
    let mut lines = vec![];
    if state != "completed" || num_generations < num_planned_generations {
        lines
            .push(format!("Run {id} is {state}: {num_generations} of {num_planned_generations} generations"));
    }
    if run.num_failed() > 0 {
        let failed = counted(run.num_failed(), "generation");
        lines.push(format!("{failed} of run {id} failed (speclora runs show {id} says why)"));
    }
    if run.kind != RunKind::Bench {
        lines.push(format!(
            "Run {id} is a {} run: its times include what it stores beside the answers",
            run.kind
        ));
    }
    lines
}

/// That an adapter has learned from the prompts it is measured on.
fn leaked(run: &Run, has_lora: bool) -> Option<String> {
    let Leakage { checkpoint_id, num_trained, .. } = run.leakage.filter(|_| has_lora)?;
    (num_trained > 0).then(|| {
        format!(
            "Leakage: adapter {checkpoint_id} of run {} was trained on {num_trained} of its {} prompts: its gain on new ones \
             may be smaller",
            run.id,
            run.prompts.len()
        )
    })
}

fn unleaked(run: &Run, has_lora: bool) -> Option<String> {
    let Leakage { checkpoint_id, is_trained_here, num_trained, num_held_out } =
        run.leakage.filter(|_| has_lora)?;
    let adapter = format!("Leakage: adapter {checkpoint_id} of run {}", run.id);
    match (num_trained, is_trained_here, num_held_out) {
        (1.., ..) => None,
        (_, false, _) => {
            Some(format!("{adapter} was not trained here from the beginning: what it has seen is not known"))
        }
        (_, true, 0) => Some(format!("{adapter} has seen none of its prompts")),
        (_, true, _) => Some(format!(
            "{adapter} was trained on none of its prompts; {num_held_out} of them helped to choose its best checkpoint"
        )),
    }
}

fn period(run: &Run) -> Option<String> {
    let (first, last) = run.period()?;
    let time =
        |ms: i64| DateTime::from_timestamp_millis(ms).map(|time| time.format("%Y-%m-%d %H:%M").to_string());
    let (first, last) = (time(first)?, time(last)?);
    // On the same day, the hour is enough.
    let last = if first[..10] == last[..10] { &last[11..] } else { &last };
    let load = run.load_average().map(|load| format!(", mean load {load:.1}")).unwrap_or_default();
    Some(format!("run {} from {first} to {last} UTC{load}", run.id))
}

/// How iterations count, where there are several.
fn iterated(run: &Run) -> Option<String> {
    let iterations = run.setting("iterations").as_u64().filter(|iterations| *iterations > 1)?;
    Some(format!(
        "Run {} has {iterations} iterations: of each prompt their median counts here, in speclora runs show their mean",
        run.id
    ))
}

fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
