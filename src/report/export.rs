//! The export of a benchmark: JSON with stable keys, and its figures as rows.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::grid::{Cell, Style};
use super::summary::ModeSummary;
use crate::record::{AnswerColumn, ColumnType, Mode};

/// Version of the export's shape; it grows where a key changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// Modes that every export names, null where they were not measured.
const NAMED_MODES: [Mode; 3] = [Mode::TargetOnly, Mode::SpecBase, Mode::SpecLora];

/// Characters of a prompt that `prompt` shows; `full_prompt` has them all.
const PROMPT_PREVIEW_CHARS: usize = 50;

/// Everything that is exported of a benchmark.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchExport {
    /// What was run.
    pub metadata: Metadata,
    /// The modes that were measured.
    pub summaries: Vec<ModeSummary>,
    /// The prompts, in the order of the run.
    pub prompts: Vec<PromptFigures>,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// Start of the run, UTC, ISO 8601.
    pub timestamp: String,
    /// Prompts of the run, measured or not; each mode's summary says how many it has.
    pub num_prompts: i64,
    /// Most tokens that a generation emits.
    pub max_tokens: i64,
    /// Times that each prompt was measured in each mode.
    pub iterations: i64,
    /// Where the adapter of `spec_lora` came from, if there was one.
    pub adapter_path: Option<String>,
    /// What else is known of the run; these keys follow the others.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A prompt's figures by mode.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptFigures {
    /// The whole prompt.
    pub prompt: String,
    /// The modes in which it was measured.
    pub modes: Vec<(Mode, ModeFigures)>,
}

/// A prompt's figures in one mode, averaged over iterations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ModeFigures {
    /// Tokens per second, request to last token.
    pub tokens_per_second: Option<f64>,
    /// Request to last token, in seconds.
    pub time_to_last_token: Option<f64>,
    /// Accepted ÷ drafted; none without a draft.
    pub acceptance_rate: Option<f64>,
    /// Tokens emitted, in all iterations together.
    pub total_tokens: Option<i64>,
    /// Iterations with a result.
    pub num_iterations: Option<i64>,
}

impl BenchExport {
    /// The export as JSON, indented; the text ends with a line feed.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.to_value())
    }

    /// The export as a JSON object.
    pub fn to_value(&self) -> Value {
        json!({
            "schema_version": SCHEMA_VERSION,
            "metadata": self.metadata,
            "summary": by_mode(self.summaries.iter().map(|summary| (summary.mode, json!(summary)))),
            "per_prompt": self.prompts.iter().map(PromptFigures::to_json).collect::<Vec<_>>(),
        })
    }

    /// The columns of [`Self::rows`].
    pub fn columns() -> Vec<AnswerColumn> {
        let columns = [
            ("prompt_index", ColumnType::Integer),
            ("prompt", ColumnType::Text),
            ("mode", ColumnType::Text),
            ("tokens_per_second", ColumnType::Real),
            ("time_to_last_token", ColumnType::Real),
            ("acceptance_rate", ColumnType::Real),
            ("total_tokens", ColumnType::Integer),
            ("num_iterations", ColumnType::Integer),
        ];
        columns.map(|(name, holds)| AnswerColumn { name: name.to_owned(), holds }).to_vec()
    }

    /// One row for each prompt and each mode of the run.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        let prompts = (0..).zip(&self.prompts);
        let measured =
            prompts.flat_map(|prompt| self.summaries.iter().map(move |summary| (prompt, summary.mode)));
        let row = |((index, prompt), mode): ((i64, &PromptFigures), Mode)| {
            let figures = prompt.figures(mode);
            vec![
                Cell::Integer(index),
                Cell::Text(prompt.prompt.clone()),
                Cell::Text(mode.to_string()),
                Cell::float(figures.and_then(|f| f.tokens_per_second), Style::Decimals(1)),
                Cell::float(figures.and_then(|f| f.time_to_last_token), Style::Seconds(2)),
                Cell::float(figures.and_then(|f| f.acceptance_rate), Style::Percent(1)),
                Cell::integer(figures.and_then(|f| f.total_tokens)),
                Cell::integer(figures.and_then(|f| f.num_iterations)),
            ]
        };
        measured.map(row).collect()
    }
}

impl PromptFigures {
    fn figures(&self, mode: Mode) -> Option<&ModeFigures> {
        self.modes.iter().find(|(measured, _)| *measured == mode).map(|(_, figures)| figures)
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("prompt".to_owned(), preview(&self.prompt).into());
        object.insert("full_prompt".to_owned(), self.prompt.as_str().into());
        object.extend(by_mode(self.modes.iter().map(|(mode, figures)| (*mode, json!(figures)))));
        object.into()
    }
}

/// Keys values by their modes; the named modes come first and are never absent.
fn by_mode(values: impl Iterator<Item = (Mode, Value)>) -> Map<String, Value> {
    let mut object: Map<_, _> = NAMED_MODES.map(|mode| (mode.to_string(), Value::Null)).into_iter().collect();
    object.extend(values.map(|(mode, value)| (mode.to_string(), value)));
    object
}

/// The beginning of a prompt, with `...` where something follows.
fn preview(prompt: &str) -> String {
    match prompt.char_indices().nth(PROMPT_PREVIEW_CHARS) {
        Some((end, _)) => format!("{}...", &prompt[..end]),
        None => prompt.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::bare;
    use super::super::{Column, Format, Grid};
    use super::*;

    fn export() -> BenchExport {
        let summary = ModeSummary {
            avg_tokens_per_second: Some(45.1),
            avg_time_to_last_token: Some(2.5),
            total_tokens: 113,
            num_prompts: 1,
            min_tokens_per_second: Some(45.1),
            max_tokens_per_second: Some(45.1),
            ..bare(Mode::TargetOnly)
        };
        let base = ModeSummary { mode: Mode::SpecBase, avg_tokens_per_second: None, ..summary };
        let figures = ModeFigures {
            tokens_per_second: Some(45.1),
            time_to_last_token: Some(2.5),
            acceptance_rate: None,
            total_tokens: Some(113),
            num_iterations: Some(1),
        };
        BenchExport {
            metadata: Metadata {
                timestamp: "2026-01-02T03:04:05Z".to_owned(),
                num_prompts: 1,
                max_tokens: 256,
                iterations: 1,
                adapter_path: None,
                more: [("run_id".to_owned(), 12.into())].into_iter().collect(),
            },
            summaries: vec![summary, base],
            prompts: vec![PromptFigures {
                prompt: "é".repeat(51), modes: vec![(Mode::TargetOnly, figures)]
            }],
        }
    }

    #[test]
    fn json_has_every_key_and_null_where_there_is_no_value() {
        let short = "é".repeat(50) + "...";
        let expected = json!({
            "schema_version": 1,
            "metadata": {
                "timestamp": "2026-01-02T03:04:05Z", "num_prompts": 1, "max_tokens": 256, "iterations": 1,
                "adapter_path": null, "run_id": 12,
            },
            "summary": {
                "target_only": {
                    "mode": "target_only", "avg_tokens_per_second": 45.1, "avg_time_to_last_token": 2.5,
                    "avg_acceptance_rate": null, "total_tokens": 113, "num_prompts": 1,
                    "min_tokens_per_second": 45.1, "max_tokens_per_second": 45.1,
                },
                "spec_base": {
                    "mode": "spec_base", "avg_tokens_per_second": null, "avg_time_to_last_token": 2.5,
                    "avg_acceptance_rate": null, "total_tokens": 113, "num_prompts": 1,
                    "min_tokens_per_second": 45.1, "max_tokens_per_second": 45.1,
                },
                "spec_lora": null,
            },
            "per_prompt": [{
                "prompt": short, "full_prompt": "é".repeat(51),
                "target_only": {
                    "tokens_per_second": 45.1, "time_to_last_token": 2.5, "acceptance_rate": null,
                    "total_tokens": 113, "num_iterations": 1,
                },
                "spec_base": null, "spec_lora": null,
            }],
        });
        let mut value: Value = serde_json::from_str(&export().to_json()).unwrap();
        // Figures of later versions follow the first eight.
        for mode in ["target_only", "spec_base"] {
            let summary = value["summary"][mode].as_object_mut().unwrap();
            *summary = std::mem::take(summary).into_iter().take(8).collect();
        }
        assert_eq!(value, expected);
    }

    #[test]
    fn keys_keep_their_order() {
        let value: Value = serde_json::from_str(&export().to_json()).unwrap();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&value), ["schema_version", "metadata", "summary", "per_prompt"]);
        assert_eq!(keys(&value["summary"]), ["target_only", "spec_base", "spec_lora"]);
        let prompt = &value["per_prompt"][0];
        assert_eq!(keys(prompt), ["prompt", "full_prompt", "target_only", "spec_base", "spec_lora"]);
    }

    #[test]
    fn control_follows_the_named_modes_only_where_it_was_measured() {
        let mut export = export();
        export.summaries.push(ModeSummary { mode: Mode::Control, ..export.summaries[0] });
        let value: Value = serde_json::from_str(&export.to_json()).unwrap();
        assert_eq!(value["summary"]["control"]["mode"], "control");
        assert_eq!(value["per_prompt"][0].get("control"), None);
    }

    #[test]
    fn rows_are_prompts_by_modes() {
        let export = BenchExport {
            prompts: vec![PromptFigures { prompt: "a, b".to_owned(), ..export().prompts[0].clone() }],
            ..export()
        };
        let mut grid =
            Grid::new(BenchExport::columns().iter().map(|column| Column::from(column.name.as_str())));
        export.rows().into_iter().for_each(|row| grid.push(row));
        assert_eq!(
            grid.render(Format::Csv),
            "prompt_index,prompt,mode,tokens_per_second,time_to_last_token,acceptance_rate,total_tokens,\
             num_iterations\n\
             0,\"a, b\",target_only,45.1,2.5,,113,1\n\
             0,\"a, b\",spec_base,,,,,\n"
        );
    }

    #[test]
    fn short_prompt_is_its_own_preview() {
        assert_eq!(preview("short"), "short");
        assert_eq!(preview(&"x".repeat(50)), "x".repeat(50));
    }
}
