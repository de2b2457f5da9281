//! `speclora compare`: whether a run, or a mode, is better than another, by how much, and how sure that is.

mod read;
mod select;

use clap::Args;

use super::context::Context;
use super::{GateFailed, Inconclusive, NotComparable, UsageError, is_closed_pipe};
use crate::compare::{
    Comparison, Gate, GateOutcome, GateResult, Run, Side, SideError, compare, differences, incomparable,
};
use crate::report::{ComparisonReport, Format};
use read::Reader;
use select::Selected;

/// Arguments of `speclora compare`.
#[derive(Debug, Args)]
#[command(
    override_usage = "speclora compare [run] RUN[:MODE] [run] RUN[:MODE]... [OPTIONS]",
    after_help = "\
The first is the baseline; each other is compared with it. RUN is 12, @latest, @latest~1, a name, or the beginning of a uid; \
with a mode, as in 12:spec_base 12:spec_lora, that mode alone is compared; without, every mode that both have.

Prompts are paired by their text. Each prompt counts with the median over its iterations (τ: with the sums). Both values are over \
the prompts that both sides have: means of prompts, of τ all emitted tokens over all rounds, of the decode speedup (time per output \
token of target_only over that of the mode) the geometric mean. With one iteration they are those of speclora runs show.

Change: relative, of acceptance in percentage points (pp). Its 95 % interval is a percentile bootstrap over prompts, 10000 \
resamples with a fixed seed. p: Wilcoxon's signed-rank test of the differences by prompt (of logarithms for the decode speedup), \
two-sided, zeros left out, exact for at most 50 differences without zeros and ties and else by the normal approximation (which \
is rough for a handful of differences), corrected by Holm's method over all rows that are shown. A prompt is the same where it \
changes by at most 1 %, or 1 pp; else it is better or worse.

Marks: + better and − worse where the interval excludes 0, p is below 0.05, and the change is larger than the noise, if a \
run has a control (bench --control); else ~. Fewer than 6 prompts have no interval, no p and no mark.

Not comparable are runs of another target, tokenizer or prompts, or with other max_tokens, context_length, temperature, \
system_prompt, raw or, where sampled, top_p and top_k: exit code 4, unless --force.

--fail-if 'METRIC<-2%' or '[MODE.]METRIC>+5%': exit code 3 where the whole interval of the change is beyond the threshold. \
Where the threshold lies inside it, or there is none: a note, or exit code 5 with --require-conclusive. Metrics: \
tokens_per_second, decode_tokens_per_second, time_to_first_token, time_to_last_token, acceptance_rate (in pp), \
mean_acceptance_length, decode_speedup."
)]
pub struct CompareArgs {
    /// Two runs or more, the baseline first: run 12 run 15, 12 15, 12:spec_base 12:spec_lora
    #[arg(value_name = "RUN[:MODE]", required = true)]
    sides: Vec<String>,
    /// Exits with code 3 if a metric changed by more than this, like 'tokens_per_second<-2%'; may be given more than once
    #[arg(long, value_name = "GATE", value_parser = str::parse::<Gate>)]
    fail_if: Vec<Gate>,
    /// Ends with exit code 5 where a gate cannot be decided
    #[arg(long, requires = "fail_if")]
    require_conclusive: bool,
    /// Compares what is not comparable, and says so
    #[arg(long)]
    force: bool,
    /// Prints the statements that the comparison reads, with their parameters, as sqlite3 takes them
    #[arg(long, conflicts_with = "fail_if")]
    sql: bool,
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs, context: &Context) -> anyhow::Result<()> {
    if args.sql && context.global.format().is_some() {
        return Err(UsageError("--sql prints statements (leave --format out)".to_owned()).into());
    }
    let store = context.open_store()?;
    let selected = select::sides(&store, &args.sides)?;
    let mut reader = Reader::new(&store);
    let runs = runs_of(&selected, &mut reader)?;
    if args.sql {
        return Ok(context.ui.data(&reader.script())?);
    }
    let sides: Vec<Side<'_>> =
        (selected.iter()).map(|side| Side { run: find(&runs, side), mode: side.mode }).collect();
    let comparison = compare(&sides).map_err(|problem| match problem {
        SideError::Twice(..) => anyhow::Error::from(UsageError(problem.to_string())),
        _ => NotComparable(problem.to_string()).into(),
    })?;
    let ignored = check_comparable(&runs, &comparison, args.force)?;
    let runs: Vec<&Run> = runs.iter().collect();
    let gates = judged(&args.fail_if, &comparison)?;
    let report =
        ComparisonReport { differences: differences(&runs), runs, comparison: &comparison, ignored, gates };
    // A gate decides, also where nobody reads the table to its end.
    match print(&report, context) {
        Err(error) if is_closed_pipe(&error) => {}
        printed => printed?,
    }
    decide(&report.gates, args.require_conclusive, context)
}

/// Reads each run once, in the order in which they are named.
fn runs_of(selected: &[Selected], reader: &mut Reader<'_>) -> anyhow::Result<Vec<Run>> {
    let mut runs: Vec<Run> = vec![];
    for side in selected {
        if runs.iter().all(|run| run.id != side.run) {
            runs.push(reader.run(side.run)?);
        }
    }
    Ok(runs)
}

fn find<'a>(runs: &'a [Run], side: &Selected) -> &'a Run {
    runs.iter().find(|run| run.id == side.run).expect("every selected run was read")
}

/// Refuses what is not comparable, or says why it should be.
fn check_comparable(runs: &[Run], comparison: &Comparison, is_forced: bool) -> anyhow::Result<Vec<String>> {
    let (baseline, others) = runs.split_first().expect("a comparison has a baseline");
    let reasons: Vec<String> = others.iter().flat_map(|run| incomparable(baseline, run)).collect();
    if !reasons.is_empty() && !is_forced {
        let reasons = reasons.join("; ");
        return Err(
            NotComparable(format!("not comparable: {reasons} (--force compares all the same)")).into()
        );
    }
    if let Some(contrast) = comparison.contrasts.iter().find(|contrast| contrast.num_prompts == 0) {
        let (baseline, other) = (contrast.baseline.name, contrast.other.name);
        let problem = format!("not comparable: {baseline} and {other} have no prompt with a result in both");
        return Err(NotComparable(problem).into());
    }
    Ok(reasons)
}

/// What the gates make of the rows; each must be about one at least.
fn judged(gates: &[Gate], comparison: &Comparison) -> Result<Vec<GateResult>, UsageError> {
    let mut results = vec![];
    for gate in gates {
        let of_gate = gate.judge(comparison);
        if of_gate.is_empty() {
            let rows = comparison.contrasts.iter().flat_map(|contrast| {
                contrast.rows.iter().map(|row| format!("{}.{}", contrast.other.name.mode, row.metric))
            });
            let rows = rows.collect::<Vec<_>>().join(", ");
            return Err(UsageError(format!("--fail-if '{gate}' matches no row of this comparison ({rows})")));
        }
        results.extend(of_gate);
    }
    Ok(results)
}

fn print(report: &ComparisonReport<'_>, context: &Context) -> anyhow::Result<()> {
    let format = context.format();
    if matches!(format, Format::Csv | Format::Jsonl) {
        report.cautions().iter().for_each(|caution| context.ui.warning(caution));
    }
    let text = report.render(format, context.ui.width());
    match format {
        Format::Table => context.ui.data(&context.ui.with_colored_marks(text.trim_start_matches('\n')))?,
        Format::Md => context.ui.data(text.trim_start_matches('\n'))?,
        _ => context.ui.data(&text)?,
    }
    Ok(())
}

/// Turns what gates said into how the command ends.
fn decide(gates: &[GateResult], requires_conclusive: bool, context: &Context) -> anyhow::Result<()> {
    let having = |outcome| gates.iter().filter(move |gate| gate.outcome == outcome);
    let failed: Vec<String> = having(GateOutcome::Failed).map(ToString::to_string).collect();
    if !failed.is_empty() {
        return Err(GateFailed(failed.join("; ")).into());
    }
    let inconclusive: Vec<String> = having(GateOutcome::Inconclusive).map(ToString::to_string).collect();
    if inconclusive.is_empty() {
        return Ok(());
    }
    if requires_conclusive {
        return Err(Inconclusive(inconclusive.join("; ")).into());
    }
    inconclusive.iter().for_each(|gate| context.ui.note(gate));
    Ok(())
}
