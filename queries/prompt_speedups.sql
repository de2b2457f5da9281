-- How much faster than target_only was each prompt of a run decoded in each other mode?
--
-- :run_id  the run
--
-- speedup: time per output token of target_only over that of the mode, for prompts that have both. The geometric mean
-- of these, with its interval over prompts, is the paired speedup; core SQL has no logarithm for it.
WITH
metrics AS MATERIALIZED (
    SELECT prompt_index, mode, time_per_output_token, acceptance_rate, is_lossless
    FROM prompt_metrics
    WHERE run_id = :run_id
)
SELECT
    m.mode,
    m.prompt_index,
    target.time_per_output_token AS target_time_per_output_token,
    m.time_per_output_token,
    target.time_per_output_token / m.time_per_output_token AS speedup,
    m.acceptance_rate,
    m.is_lossless
FROM metrics AS m
JOIN metrics AS target ON target.prompt_index = m.prompt_index AND target.mode = 'target_only'
JOIN modes ON modes.mode = m.mode
WHERE m.mode <> 'target_only'
    AND m.time_per_output_token IS NOT NULL
    AND target.time_per_output_token IS NOT NULL
ORDER BY modes.display_order, m.prompt_index;
