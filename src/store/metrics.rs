//! The figures of a run as typed rows. What each means is said at the view of its name, in `migrations/`.

use rusqlite::Row;
use serde::Serialize;

use super::queries::{MODE_METRICS, PROMPT_METRICS, Query};
use super::value::{get_parsed, get_u64};
use super::{Result, Store};
use crate::record::{Mode, RunId};

/// How fast a mode was over the prompts of a run. Times are in seconds; `None` where a figure cannot exist.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModeMetrics {
    /// The mode.
    pub mode: Mode,
    /// Prompts with a result.
    pub num_prompts: u64,
    /// Generations, failed ones included, warm-ups not.
    pub num_generations: u64,
    /// Generations that failed.
    pub num_failed: u64,
    /// Tokens emitted.
    pub total_tokens: u64,
    /// Mean over prompts, end to end.
    pub avg_tokens_per_second: Option<f64>,
    /// The slowest prompt's.
    pub min_tokens_per_second: Option<f64>,
    /// The middle prompt's.
    pub median_tokens_per_second: Option<f64>,
    /// The fastest prompt's.
    pub max_tokens_per_second: Option<f64>,
    /// Mean over prompts, from the first token on.
    pub avg_decode_tokens_per_second: Option<f64>,
    /// Mean over prompts.
    pub avg_time_to_first_token: Option<f64>,
    /// Mean over prompts.
    pub avg_time_to_last_token: Option<f64>,
    /// The middle prompt's.
    pub median_time_to_last_token: Option<f64>,
    /// Mean over prompts.
    pub avg_acceptance_rate: Option<f64>,
    /// The middle prompt's.
    pub median_acceptance_rate: Option<f64>,
    /// Accepted over drafted tokens, all prompts together.
    pub acceptance_rate: Option<f64>,
    /// Emitted tokens over rounds, all prompts together.
    pub mean_acceptance_length: Option<f64>,
    /// Prompts whose output could be compared to that of target_only (greedy runs alone).
    pub num_compared: u64,
    /// Prompts whose output was equal to the token.
    pub num_lossless: u64,
    /// `avg_tokens_per_second` over that of target_only.
    pub speedup: Option<f64>,
    /// For spec_lora: relative change of `avg_tokens_per_second` over spec_base (0.15 for +15 %).
    pub tokens_per_second_gain: Option<f64>,
    /// For spec_lora: `avg_acceptance_rate` minus that of spec_base (0.14 for +14 percentage points).
    pub acceptance_rate_gain: Option<f64>,
}

/// How a prompt fared in a mode, its iterations averaged. Times are in seconds; `None` where a figure cannot exist.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromptMetrics {
    /// Index into the run's prompts.
    pub prompt_index: u32,
    /// Identifier in the prompt file.
    pub external_id: Option<String>,
    /// Category in the prompt file.
    pub category: Option<String>,
    /// The mode.
    pub mode: Mode,
    /// Iterations with a result.
    pub num_iterations: u64,
    /// Iterations that failed.
    pub num_failed: u64,
    /// Tokens emitted in all iterations.
    pub total_tokens: u64,
    /// Rounds in all iterations.
    pub num_rounds: u64,
    /// Tokens proposed in all iterations.
    pub num_drafted: u64,
    /// Tokens accepted in all iterations.
    pub num_accepted: u64,
    /// Tokens that rounds put out in all iterations.
    pub num_emitted: u64,
    /// End to end.
    pub tokens_per_second: Option<f64>,
    /// From the first token on.
    pub decode_tokens_per_second: Option<f64>,
    /// The inverse of it.
    pub time_per_output_token: Option<f64>,
    /// From the request.
    pub time_to_first_token: Option<f64>,
    /// From the request.
    pub time_to_last_token: Option<f64>,
    /// Accepted over drafted tokens.
    pub acceptance_rate: Option<f64>,
    /// Emitted tokens over rounds.
    pub mean_acceptance_length: Option<f64>,
    /// Whether every iteration's output equals that of target_only (greedy runs alone).
    pub is_lossless: Option<bool>,
}

impl Store {
    /// Returns the figures of a run by mode, in the order in which modes are shown.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn mode_metrics(&self, run: RunId) -> Result<Vec<ModeMetrics>> {
        self.rows_of_run(MODE_METRICS, run, |row| {
            Ok(ModeMetrics {
                mode: get_parsed(row, "mode")?,
                num_prompts: get_u64(row, "num_prompts")?,
                num_generations: get_u64(row, "num_generations")?,
                num_failed: get_u64(row, "num_failed")?,
                total_tokens: get_u64(row, "total_tokens")?,
                avg_tokens_per_second: row.get("avg_tokens_per_second")?,
                min_tokens_per_second: row.get("min_tokens_per_second")?,
                median_tokens_per_second: row.get("median_tokens_per_second")?,
                max_tokens_per_second: row.get("max_tokens_per_second")?,
                avg_decode_tokens_per_second: row.get("avg_decode_tokens_per_second")?,
                avg_time_to_first_token: row.get("avg_time_to_first_token")?,
                avg_time_to_last_token: row.get("avg_time_to_last_token")?,
                median_time_to_last_token: row.get("median_time_to_last_token")?,
                avg_acceptance_rate: row.get("avg_acceptance_rate")?,
                median_acceptance_rate: row.get("median_acceptance_rate")?,
                acceptance_rate: row.get("acceptance_rate")?,
                mean_acceptance_length: row.get("mean_acceptance_length")?,
                num_compared: get_u64(row, "num_compared")?,
                num_lossless: get_u64(row, "num_lossless")?,
                speedup: row.get("speedup")?,
                tokens_per_second_gain: row.get("tokens_per_second_gain")?,
                acceptance_rate_gain: row.get("acceptance_rate_gain")?,
            })
        })
    }

    /// Returns the figures of a run by prompt and mode.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn prompt_metrics(&self, run: RunId) -> Result<Vec<PromptMetrics>> {
        self.rows_of_run(PROMPT_METRICS, run, |row| {
            Ok(PromptMetrics {
                prompt_index: row.get("prompt_index")?,
                external_id: row.get("external_id")?,
                category: row.get("category")?,
                mode: get_parsed(row, "mode")?,
                num_iterations: get_u64(row, "num_iterations")?,
                num_failed: get_u64(row, "num_failed")?,
                total_tokens: get_u64(row, "total_tokens")?,
                num_rounds: get_u64(row, "num_rounds")?,
                num_drafted: get_u64(row, "num_drafted")?,
                num_accepted: get_u64(row, "num_accepted")?,
                num_emitted: get_u64(row, "num_emitted")?,
                tokens_per_second: row.get("tokens_per_second")?,
                decode_tokens_per_second: row.get("decode_tokens_per_second")?,
                time_per_output_token: row.get("time_per_output_token")?,
                time_to_first_token: row.get("time_to_first_token")?,
                time_to_last_token: row.get("time_to_last_token")?,
                acceptance_rate: row.get("acceptance_rate")?,
                mean_acceptance_length: row.get("mean_acceptance_length")?,
                is_lossless: row.get("is_lossless")?,
            })
        })
    }

    fn rows_of_run<T>(
        &self,
        query: Query,
        run: RunId,
        from_row: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        self.read(|connection| {
            let mut statement = connection.prepare(query.sql)?;
            let rows = statement.query_map(&[(":run_id", &run.0)], from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

#[cfg(test)]
mod tests;
