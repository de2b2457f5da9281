-- How fast was each mode of a run, against target_only, and what did the adapter gain?
--
-- :run_id  the run
--
-- The view mode_metrics for one run, with the run bound inside, where it is found by index, and beside it:
--   speedup                 avg_tokens_per_second over that of target_only
--   tokens_per_second_gain  spec_lora alone: relative change of avg_tokens_per_second over spec_base (0.15 for +15 %)
--   acceptance_rate_gain    spec_lora alone: avg_acceptance_rate minus that of spec_base (0.14 for +14 pp)
WITH
ranked AS (
    SELECT
        run_id,
        mode,
        num_iterations,
        num_failed,
        total_tokens,
        num_rounds,
        num_drafted,
        num_accepted,
        num_emitted,
        tokens_per_second,
        decode_tokens_per_second,
        time_to_first_token,
        time_to_last_token,
        acceptance_rate,
        is_lossless,
        row_number() OVER (PARTITION BY mode ORDER BY tokens_per_second NULLS LAST) AS speed_rank,
        count(tokens_per_second) OVER (PARTITION BY mode) AS num_speeds,
        row_number() OVER (PARTITION BY mode ORDER BY time_to_last_token NULLS LAST) AS time_rank,
        count(time_to_last_token) OVER (PARTITION BY mode) AS num_times,
        row_number() OVER (PARTITION BY mode ORDER BY acceptance_rate NULLS LAST) AS acceptance_rank,
        count(acceptance_rate) OVER (PARTITION BY mode) AS num_acceptances
    FROM prompt_metrics
    WHERE run_id = :run_id
),
metrics AS MATERIALIZED (
    SELECT
        run_id,
        mode,
        count(nullif(num_iterations, 0)) AS num_prompts,
        sum(num_iterations + num_failed) AS num_generations,
        sum(num_failed) AS num_failed,
        sum(total_tokens) AS total_tokens,
        avg(tokens_per_second) AS avg_tokens_per_second,
        min(tokens_per_second) AS min_tokens_per_second,
        avg(CASE WHEN speed_rank IN ((num_speeds + 1) / 2, (num_speeds + 2) / 2) THEN tokens_per_second END)
            AS median_tokens_per_second,
        max(tokens_per_second) AS max_tokens_per_second,
        avg(decode_tokens_per_second) AS avg_decode_tokens_per_second,
        avg(time_to_first_token) AS avg_time_to_first_token,
        avg(time_to_last_token) AS avg_time_to_last_token,
        avg(CASE WHEN time_rank IN ((num_times + 1) / 2, (num_times + 2) / 2) THEN time_to_last_token END)
            AS median_time_to_last_token,
        avg(acceptance_rate) AS avg_acceptance_rate,
        avg(
            CASE WHEN acceptance_rank IN ((num_acceptances + 1) / 2, (num_acceptances + 2) / 2) THEN acceptance_rate END
        ) AS median_acceptance_rate,
        1.0 * sum(num_accepted) / nullif(sum(num_drafted), 0) AS acceptance_rate,
        1.0 * sum(num_emitted) / nullif(sum(num_rounds), 0) AS mean_acceptance_length,
        count(is_lossless) AS num_compared,
        coalesce(sum(is_lossless), 0) AS num_lossless
    FROM ranked
    GROUP BY run_id, mode
)
SELECT
    m.run_id,
    m.mode,
    m.num_prompts,
    m.num_generations,
    m.num_failed,
    m.total_tokens,
    m.avg_tokens_per_second,
    m.min_tokens_per_second,
    m.median_tokens_per_second,
    m.max_tokens_per_second,
    m.avg_decode_tokens_per_second,
    m.avg_time_to_first_token,
    m.avg_time_to_last_token,
    m.median_time_to_last_token,
    m.avg_acceptance_rate,
    m.median_acceptance_rate,
    m.acceptance_rate,
    m.mean_acceptance_length,
    m.num_compared,
    m.num_lossless,
    m.avg_tokens_per_second / target.avg_tokens_per_second AS speedup,
    m.avg_tokens_per_second / base.avg_tokens_per_second - 1 AS tokens_per_second_gain,
    m.avg_acceptance_rate - base.avg_acceptance_rate AS acceptance_rate_gain
FROM metrics AS m
JOIN modes ON modes.mode = m.mode
LEFT JOIN metrics AS target ON target.mode = 'target_only'
LEFT JOIN metrics AS base ON base.mode = 'spec_base' AND m.mode = 'spec_lora'
ORDER BY modes.display_order;
