//! What there is of a run beside its facts: of each kind what that kind leaves.

use serde_json::{Map, Value as Json, json};

use super::show::part;
use crate::cmd::collect::{Collected, summary as collected};
use crate::cmd::context::Context;
use crate::cmd::measured::{self, lines_below};
use crate::cmd::present::{Shown, View, chosen_grid, labelled_text, objects};
use crate::cmd::train::summary::EVALUATIONS;
use crate::record::RunId;
use crate::report::{ModeSummary, Style, course, details_grid, summary_grid};
use crate::store::{Rows, Store, Value};

const POSITIONS: [Shown; 6] = [
    ("mode", "Mode", View::Text),
    ("position", "Position", View::Integer),
    ("num_proposed", "Proposed", View::Integer),
    ("num_accepted", "Accepted", View::Integer),
    ("acceptance_rate", "Acceptance", View::Real(Style::Percent(1))),
    ("conditional_acceptance_rate", "If reached", View::Real(Style::Percent(1))),
];

const ERRORS: [Shown; 5] = [
    ("prompt_index", "Prompt", View::Integer),
    ("mode", "Mode", View::Text),
    ("iteration", "Iteration", View::Integer),
    ("started_at", "Started", View::Text),
    ("error", "Error", View::Text),
];

/// What drafts made of the target's outputs; the plain draft has no checkpoint.
const DRAFTS: [Shown; 7] = [
    ("checkpoint_id", "Checkpoint", View::Integer),
    ("aliases", "Aliases", View::Text),
    ("num_prompts", "Prompts", View::Integer),
    ("expected_acceptance", "Expected acceptance", View::Real(Style::Percent(1))),
    ("top1_agreement", "Top-1", View::Real(Style::Percent(1))),
    ("acceptance_rate", "Greedy acceptance", View::Real(Style::Percent(1))),
    ("mean_acceptance_length", "τ", View::Real(Style::Decimals(2))),
];

/// The figures of a run.
pub(super) enum Figures {
    /// Of one that measured or generated; `speeds` are those of its generations in their order.
    Modes { summaries: Vec<ModeSummary>, modes: Rows, generated: Generated, speeds: Rows },
    /// Of one that collected.
    Collected { counters: Map<String, Json>, modes: Rows, generated: Generated },
    /// Of one that trained.
    Training { evaluations: Rows, steps: Rows },
    /// Of one that judged drafts.
    Evaluation { drafts: Rows, errors: Rows },
}

/// What is known of a run's generations.
pub(super) struct Generated {
    positions: Rows,
    errors: Rows,
}

/// Asks the database for what a run of this kind leaves.
pub(super) fn figures(kind: &str, run: RunId, store: &Store) -> anyhow::Result<Figures> {
    let query = |name: &str| store.query(name, &[(":run_id", run.into())]);
    let generated = || -> anyhow::Result<Generated> {
        Ok(Generated { positions: query("acceptance_by_position")?, errors: query("run_errors")? })
    };
    Ok(match kind {
        "train" => {
            Figures::Training { evaluations: query("train_evaluations")?, steps: query("train_steps")? }
        }
        "evaluate" => {
            Figures::Evaluation { drafts: query("draft_evaluations")?, errors: query("run_errors")? }
        }
        "collect" => Figures::Collected {
            counters: collected::counters(&Collected::of(store, run)?)?,
            modes: query("mode_metrics")?,
            generated: generated()?,
        },
        _ => Figures::Modes {
            summaries: measured::summaries(store, run)?,
            modes: query("mode_metrics")?,
            generated: generated()?,
            speeds: query("generation_speeds")?,
        },
    })
}

impl Figures {
    /// All of them, for programs.
    pub(super) fn into_object(self) -> Map<String, Json> {
        let rows = |rows: &Rows| Json::from(objects(rows));
        let parts = match &self {
            Self::Modes { summaries, modes, generated: Generated { positions, errors }, .. } => {
                let paired = |summary: &ModeSummary| (summary.mode.to_string(), json!(summary.paired));
                let speculative = summaries.iter().filter(|summary| summary.mode.is_speculative());
                vec![
                    ("modes", rows(modes)),
                    ("paired", speculative.map(paired).collect::<Map<_, _>>().into()),
                    ("acceptance_by_position", rows(positions)),
                    ("errors", rows(errors)),
                ]
            }
            Self::Collected { counters, modes, generated: Generated { positions, errors } } => vec![
                ("collected", counters.clone().into()),
                ("modes", rows(modes)),
                ("acceptance_by_position", rows(positions)),
                ("errors", rows(errors)),
            ],
            Self::Training { evaluations, steps } => {
                vec![("evaluations", rows(evaluations)), ("steps", rows(steps))]
            }
            Self::Evaluation { drafts, errors } => {
                vec![("evaluations", rows(drafts)), ("errors", rows(errors))]
            }
        };
        parts.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Those that people look for.
    pub(super) fn text(&self, context: &Context) -> String {
        let format = context.format();
        let table =
            |title: &str, rows: &Rows, shown: &[Shown]| part(title, &chosen_grid(rows, shown), format);
        let generated = |Generated { positions, errors }: &Generated| {
            let positions = table("Acceptance by position in the draft", positions, &POSITIONS);
            positions + &table("Failed generations", errors, &ERRORS)
        };
        match self {
            Self::Modes { summaries, generated: of_generations, speeds, .. } => {
                let summary = part("Summary", &summary_grid(summaries), format);
                let details = part("Pooled figures and medians", &details_grid(summaries), format);
                let title = "Tokens per second, in the order in which generations ran";
                let courses = courses(title, &speeds_by_mode(summaries, speeds), context);
                summary + &details + &generated(of_generations) + &courses + &lines_below(summaries)
            }
            Self::Collected { counters, generated: of_generations, .. } => {
                let counters = labelled_text(&collected::labelled(counters), context);
                format!("\nCollected\n{counters}{}", generated(of_generations))
            }
            Self::Training { evaluations, steps } => {
                let lines = [
                    ("Loss", course(&numbers(steps, "loss"), Style::Decimals(3))),
                    (
                        "Expected acceptance",
                        course(&numbers(evaluations, "expected_acceptance"), Style::Percent(1)),
                    ),
                ];
                let courses = courses("Training curve", &lines, context);
                courses + &table("Evaluations on held-out examples", evaluations, &EVALUATIONS)
            }
            Self::Evaluation { drafts, errors } => {
                table("Drafts", drafts, &DRAFTS) + &table("Failed generations", errors, &ERRORS)
            }
        }
    }
}

/// Figures as they went, each in a line; nothing where none has a course.
fn courses(title: &str, lines: &[(&str, Option<String>)], context: &Context) -> String {
    let lines = lines.iter().filter_map(|(label, line)| Some((*label, line.clone()?)));
    let lines: Vec<(&str, String)> = lines.collect();
    if lines.is_empty() { String::new() } else { format!("\n{title}\n{}", labelled_text(&lines, context)) }
}

/// The speeds of each mode's generations.
fn speeds_by_mode<'a>(summaries: &'a [ModeSummary], speeds: &Rows) -> Vec<(&'a str, Option<String>)> {
    let mode = speeds.columns.iter().position(|column| column == "mode").expect("the query has this column");
    let of_mode = |summary: &'a ModeSummary| {
        let name = summary.mode.as_str();
        let rows = speeds.rows.iter().filter(|row| row[mode] == Value::from(name)).cloned().collect();
        let speeds = Rows { columns: speeds.columns.clone(), rows };
        (name, course(&numbers(&speeds, "tokens_per_second"), Style::Decimals(1)))
    };
    summaries.iter().map(of_mode).collect()
}

/// A column of numbers.
fn numbers(rows: &Rows, column: &str) -> Vec<Option<f64>> {
    let place = rows.columns.iter().position(|name| name == column).expect("the query has this column");
    let number = |row: &Vec<Value>| match row[place] {
        Value::Real(number) => Some(number),
        Value::Integer(number) => Some(number as f64),
        _ => None,
    };
    rows.rows.iter().map(number).collect()
}
