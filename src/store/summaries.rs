//! The summaries of a run's modes, kept beside the rows that they are drawn from.

use rusqlite::Connection;

use super::Result;
use super::queries::MODE_METRICS;
use crate::record::RunId;

/// The columns that the table `mode_summaries` shares with the view `mode_metrics`.
const COLUMNS: &str = "run_id, mode, num_prompts, num_generations, num_failed, total_tokens, avg_tokens_per_second, \
    min_tokens_per_second, median_tokens_per_second, max_tokens_per_second, avg_decode_tokens_per_second, \
    avg_time_to_first_token, avg_time_to_last_token, median_time_to_last_token, avg_acceptance_rate, \
    median_acceptance_rate, acceptance_rate, mean_acceptance_length, num_compared, num_lossless";

/// Stores the summaries of a run that has none. They come from the query that binds the run inside, and not from the
/// view, which would read every other run too.
pub(super) fn insert(connection: &Connection, run: RunId) -> Result<()> {
    let select = MODE_METRICS.sql.trim_end().trim_end_matches(';');
    let sql = format!("INSERT INTO mode_summaries ({COLUMNS}) SELECT {COLUMNS} FROM ({select})");
    connection.execute(&sql, &[(":run_id", &run.0)])?;
    Ok(())
}

/// Deletes the summaries of a run.
pub(super) fn delete(connection: &Connection, run: RunId) -> Result<()> {
    connection.execute("DELETE FROM mode_summaries WHERE run_id = ?1", [run.0])?;
    Ok(())
}
