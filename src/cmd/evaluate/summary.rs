//! What an evaluation says of each draft, for people and programs.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value as Json;

use crate::cmd::context::Context;
use crate::cmd::facts::Facts;
use crate::cmd::present::{Shown, View, chosen_grid, objects, whole_grid};
use crate::record::RunId;
use crate::report::{Format, Style};
use crate::stats::{self, Interval, Share};
use crate::store::{Rows, Store, Value};

const SHOWN: [Shown; 8] = [
    ("draft", "Draft", View::Text),
    ("expected_acceptance", "Expected acceptance", View::Real(Style::Percent(1))),
    ("top1_agreement", "Top-1", View::Real(Style::Percent(1))),
    ("avg_acceptance_rate", "Avg Acceptance", View::Real(Style::Percent(1))),
    ("acceptance_rate", "Pooled", View::Real(Style::Percent(1))),
    ("mean_acceptance_length", "τ", View::Real(Style::Decimals(2))),
    ("num_prompts", "Prompts", View::Integer),
    ("num_positions", "Positions", View::Integer),
];

/// Prints what the database now says of a run.
pub(super) fn print(store: &Store, run: RunId, context: &Context) -> anyhow::Result<()> {
    let parameters = [(":run_id", run.into())];
    let drafts = store.query("draft_evaluations", &parameters)?;
    let prompts = store.query("prompt_evaluations", &parameters)?;
    let gains = gains(&objects(&drafts), &objects(&prompts));
    let text = match context.format() {
        Format::Json => {
            let mut object = Facts::read(store, run)?.into_object();
            object.insert("drafts".to_owned(), objects(&with_gains(drafts, &gains)).into());
            object.insert("prompts".to_owned(), objects(&prompts).into());
            format!("{:#}\n", Json::Object(object))
        }
        format @ (Format::Jsonl | Format::Csv) => whole_grid(&with_gains(drafts, &gains)).render(format),
        format @ (Format::Table | Format::Md) => {
            let incomplete = Facts::read(store, run)?.incomplete();
            let above = incomplete.map(|line| format!("{line}\n")).unwrap_or_default();
            if drafts.rows.is_empty() {
                return Ok(context.ui.data(&above)?);
            }
            let drafts = with_names(drafts);
            let table = chosen_grid(&drafts, &SHOWN).render(format);
            let lines: Vec<String> = (objects(&drafts).iter().zip(&gains))
                .filter_map(|(draft, gain)| Some(gain.as_ref()?.line(draft["draft"].as_str()?)))
                .collect();
            let first = if lines.is_empty() { "" } else { "\n" };
            lines.iter().fold(format!("{above}{table}{first}"), |text, line| format!("{text}{line}\n"))
        }
    };
    Ok(context.ui.data(&text)?)
}

/// A ratio of sums by which drafts are compared: its column in both queries, and what is summed of a prompt.
struct Metric {
    column: &'static str,
    share: fn(&Json) -> Share,
}

const METRICS: [Metric; 4] = [
    Metric {
        column: "acceptance_rate",
        share: |prompt| Share { part: number(prompt, "num_accepted"), whole: number(prompt, "num_drafted") },
    },
    Metric {
        column: "mean_acceptance_length",
        share: |prompt| Share { part: number(prompt, "num_emitted"), whole: number(prompt, "num_rounds") },
    },
    Metric {
        column: "expected_acceptance",
        share: |prompt| {
            let whole = number(prompt, "num_positions");
            Share { part: number(prompt, "expected_acceptance") * whole, whole }
        },
    },
    Metric {
        column: "top1_agreement",
        share: |prompt| Share {
            part: number(prompt, "num_agreements"),
            whole: number(prompt, "num_positions"),
        },
    },
];

fn number(row: &Json, column: &str) -> f64 {
    row[column].as_f64().expect("this column is a number in every row")
}

/// What an adapter gains over the plain draft on the same prompts.
#[derive(Debug, PartialEq)]
struct Gain {
    /// By metric: the difference, and its interval where there are prompts enough.
    metrics: [(Option<f64>, Option<Interval>); METRICS.len()],
    num_prompts: usize,
    num_better: usize,
    num_same: usize,
    num_worse: usize,
}

/// The gain of each draft, in their order; the plain one has none.
fn gains(drafts: &[Json], prompts: &[Json]) -> Vec<Option<Gain>> {
    let of_draft = |checkpoint: &Json| -> HashMap<u64, &Json> {
        let own = prompts.iter().filter(|prompt| prompt["checkpoint_id"] == *checkpoint);
        own.filter_map(|prompt| Some((prompt["prompt_index"].as_u64()?, prompt))).collect()
    };
    let plain = of_draft(&Json::Null);
    let gain = |draft: &Json| {
        let checkpoint = draft["checkpoint_id"].as_i64()?;
        let mut pairs: Vec<(u64, (&Json, &Json))> = of_draft(&checkpoint.into())
            .into_iter()
            .filter_map(|(index, prompt)| Some((index, (*plain.get(&index)?, prompt))))
            .collect();
        // Resampling draws by place.
        pairs.sort_unstable_by_key(|(index, _)| *index);
        Some(Gain::of(&pairs.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>()))
    };
    drafts.iter().map(gain).collect()
}

impl Gain {
    /// From the same prompts with the plain draft and with the adapter.
    fn of(pairs: &[(&Json, &Json)]) -> Self {
        let metrics = METRICS.map(|Metric { share, .. }| {
            let shares: Vec<(Share, Share)> =
                pairs.iter().map(|(plain, adapted)| (share(plain), share(adapted))).collect();
            (stats::difference(&shares), stats::bootstrap_difference(&shares))
        });
        let rate = |prompt: &Json| prompt["acceptance_rate"].as_f64();
        let orders: Vec<Ordering> = (pairs.iter())
            .filter_map(|(plain, adapted)| Some(rate(adapted)?.total_cmp(&rate(plain)?)))
            .collect();
        let count = |wanted: Ordering| orders.iter().filter(|&&order| order == wanted).count();
        Self {
            metrics,
            num_prompts: pairs.len(),
            num_better: count(Ordering::Greater),
            num_same: count(Ordering::Equal),
            num_worse: count(Ordering::Less),
        }
    }

    /// One line about the draft that is called `name`.
    fn line(&self, name: &str) -> String {
        let [acceptance, _, expected, _] = &self.metrics;
        let points = |(gain, interval): &(Option<f64>, Option<Interval>)| {
            let gain = gain.map_or("—".to_owned(), |gain| format!("{:+.1} points", 100.0 * gain));
            let interval = interval.map(|Interval { low, high, .. }| {
                format!(" (95 % interval {:+.1} to {:+.1})", 100.0 * low, 100.0 * high)
            });
            format!("{gain}{}", interval.unwrap_or_default())
        };
        let Self { num_better, num_same, num_worse, .. } = self;
        let few = match self.num_prompts < stats::MIN_OBSERVATIONS {
            true => format!("; fewer than {} prompts have no interval", stats::MIN_OBSERVATIONS),
            false => String::new(),
        };
        let prompts = if *num_better == 1 { "prompt" } else { "prompts" };
        format!(
            "{name} over the plain draft: pooled acceptance {}, expected acceptance {}; \
             {num_better} {prompts} better, {num_same} the same, {num_worse} worse{few}",
            points(acceptance),
            points(expected),
        )
    }
}

/// The rows with what each draft gains.
fn with_gains(Rows { mut columns, mut rows }: Rows, gains: &[Option<Gain>]) -> Rows {
    for Metric { column, .. } in METRICS {
        columns.extend(["gain", "gain_low", "gain_high"].map(|part| format!("{column}_{part}")));
    }
    columns.extend(["num_better", "num_same", "num_worse"].map(str::to_owned));
    for (row, gain) in rows.iter_mut().zip(gains) {
        let real = |number: Option<f64>| number.map_or(Value::Null, Value::Real);
        let metrics = gain.as_ref().map_or([(None, None); METRICS.len()], |gain| gain.metrics);
        for (gain, interval) in metrics {
            row.extend([gain, interval.map(|interval| interval.low), interval.map(|i| i.high)].map(real));
        }
        let counts = gain.as_ref().map(|gain| [gain.num_better, gain.num_same, gain.num_worse]);
        row.extend(match counts {
            Some(counts) => counts.map(|count| Value::Integer(count as i64)),
            None => [Value::Null, Value::Null, Value::Null],
        });
    }
    Rows { columns, rows }
}

/// The rows with what people call each draft.
fn with_names(Rows { mut columns, mut rows }: Rows) -> Rows {
    let index =
        |key: &str| columns.iter().position(|column| column == key).expect("the query has this column");
    let (checkpoint, aliases) = (index("checkpoint_id"), index("aliases"));
    for row in &mut rows {
        let name = match (&row[checkpoint], &row[aliases]) {
            (Value::Integer(id), Value::Text(aliases)) => format!("adapter {id} ({aliases})"),
            (Value::Integer(id), _) => format!("adapter {id}"),
            _ => "plain draft".to_owned(),
        };
        row.push(Value::Text(name));
    }
    columns.push("draft".to_owned());
    Rows { columns, rows }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prompt(index: u32, checkpoint: Option<i64>, num_accepted: u32, num_drafted: u32) -> Json {
        let rate = (num_drafted > 0).then(|| f64::from(num_accepted) / f64::from(num_drafted));
        json!({
            "prompt_index": index, "checkpoint_id": checkpoint, "num_positions": 10, "num_agreements": 5,
            "num_rounds": 4, "num_drafted": num_drafted, "num_accepted": num_accepted, "num_emitted": 9,
            "expected_acceptance": if checkpoint.is_some() { 0.5 } else { 0.25 }, "acceptance_rate": rate,
        })
    }

    #[test]
    fn gains_are_over_the_plain_draft_on_the_prompts_that_both_have() {
        let drafts = [json!({"checkpoint_id": null}), json!({"checkpoint_id": 3})];
        let accepted = [(4, 6), (4, 4), (4, 2), (4, 8), (0, 0), (4, 7)];
        let mut prompts: Vec<Json> = (0..)
            .zip(accepted)
            .flat_map(|(index, (plain, adapted))| {
                let num_drafted = if plain == 0 { 0 } else { 10 };
                [prompt(index, None, plain, num_drafted), prompt(index, Some(3), adapted, num_drafted)]
            })
            .collect();
        prompts.push(prompt(6, None, 10, 10));
        let gains = gains(&drafts, &prompts);
        assert_eq!(gains[0], None);
        let gain = gains[1].as_ref().unwrap();
        assert_eq!([gain.num_prompts, gain.num_better, gain.num_same, gain.num_worse], [6, 3, 1, 1]);
        // 27 of 50 less 20 of 50.
        let (difference, interval) = gain.metrics[0];
        assert!((difference.unwrap() - 0.14).abs() < 1e-12 && interval.is_some());
        let line = gain.line("adapter 3");
        assert!(
            line.starts_with(
                "adapter 3 over the plain draft: pooled acceptance +14.0 points (95 % interval "
            ),
            "{line}"
        );
        assert!(line.ends_with("3 prompts better, 1 the same, 1 worse"), "{line}");
    }

    #[test]
    fn few_prompts_have_a_difference_and_no_interval() {
        let (plain, adapted) = (prompt(0, None, 4, 10), prompt(0, Some(1), 6, 10));
        let gain = Gain::of(&[(&plain, &adapted)]);
        assert_eq!(
            gain.line("adapter 1"),
            "adapter 1 over the plain draft: pooled acceptance +20.0 points, expected acceptance +25.0 points; \
             1 prompt better, 0 the same, 0 worse; fewer than 6 prompts have no interval"
        );
        let rows = Rows { columns: vec![], rows: vec![vec![], vec![]] };
        let Rows { columns, rows } = with_gains(rows, &[None, Some(gain)]);
        assert!(rows.iter().all(|row| row.len() == columns.len()));
        assert_eq!(columns[..2], ["acceptance_rate_gain", "acceptance_rate_gain_low"]);
        assert_eq!((&rows[0][0], &rows[1][1]), (&Value::Null, &Value::Null));
    }
}
