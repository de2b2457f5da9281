-- Which prompts is speculation worst at: those with the lowest acceptance, or those that it speeds up least?
--
-- :run_id  the run; NULL for all runs that are not in the trash [default: null]
-- :mode    a speculative mode [one of: spec_base, spec_lora] [default: spec_base]
-- :by      what is sorted by, the lowest first [one of: acceptance_rate, speedup] [default: acceptance_rate]
-- :limit   how many prompts to show; -1 for all [default: 20]
--
-- Over all generations of the prompt's text in that mode, those of collecting included, warm-ups and failures left out:
--   acceptance_rate, mean_acceptance_length   pooled: accepted over drafted tokens, emitted tokens over rounds
--   avg_tokens_per_second  mean over generations, end to end
--   speedup                time per output token of target_only over that of the mode, each the mean over the generations
--                          of a run, and then the mean over runs that have both; NULL where none has
WITH
wanted (run_id) AS (
    SELECT :run_id
    WHERE :run_id IS NOT NULL
    UNION ALL
    SELECT id
    FROM runs
    WHERE :run_id IS NULL AND deleted_at_ms IS NULL
),
by_run AS (
    SELECT
        g.run_id,
        rp.prompt_id,
        count(CASE WHEN g.mode = :mode THEN 1 END) AS num_generations,
        sum(CASE WHEN g.mode = :mode THEN g.num_drafted END) AS num_drafted,
        sum(CASE WHEN g.mode = :mode THEN g.num_accepted END) AS num_accepted,
        sum(CASE WHEN g.mode = :mode THEN g.num_emitted END) AS num_emitted,
        sum(CASE WHEN g.mode = :mode THEN g.num_rounds END) AS num_rounds,
        sum(
            CASE WHEN g.mode = :mode
                THEN nullif(g.total_tokens, 0) * 1e9 / nullif(g.time_to_last_token_ns, 0)
            END
        ) AS sum_tokens_per_second,
        avg(
            CASE WHEN g.mode = 'target_only' AND g.total_tokens > 1
                THEN nullif(g.time_to_last_token_ns - g.time_to_first_token_ns, 0) / 1e9 / (g.total_tokens - 1)
            END
        ) AS target_time_per_output_token,
        avg(
            CASE WHEN g.mode = :mode AND g.total_tokens > 1
                THEN nullif(g.time_to_last_token_ns - g.time_to_first_token_ns, 0) / 1e9 / (g.total_tokens - 1)
            END
        ) AS time_per_output_token
    FROM wanted AS w
    -- CROSS keeps the order of the two: a run's generations are looked up, and not all looked through.
    CROSS JOIN generations AS g ON g.run_id = w.run_id
    JOIN run_prompts AS rp ON rp.run_id = g.run_id AND rp.prompt_index = g.prompt_index
    WHERE g.mode IN (:mode, 'target_only') AND g.is_warmup = 0 AND g.error IS NULL
    GROUP BY g.run_id, rp.prompt_id
    HAVING count(CASE WHEN g.mode = :mode THEN 1 END) > 0
),
by_prompt AS (
    SELECT
        prompt_id,
        count(*) AS num_runs,
        sum(num_generations) AS num_generations,
        1.0 * sum(num_accepted) / nullif(sum(num_drafted), 0) AS acceptance_rate,
        1.0 * sum(num_emitted) / nullif(sum(num_rounds), 0) AS mean_acceptance_length,
        sum(sum_tokens_per_second) / sum(num_generations) AS avg_tokens_per_second,
        avg(target_time_per_output_token / time_per_output_token) AS speedup
    FROM by_run
    GROUP BY prompt_id
)
SELECT
    p.text AS prompt,
    b.num_runs,
    b.num_generations,
    b.acceptance_rate,
    b.mean_acceptance_length,
    b.avg_tokens_per_second,
    b.speedup,
    p.sha256 AS prompt_sha256
FROM by_prompt AS b
JOIN prompts AS p ON p.id = b.prompt_id
ORDER BY CASE :by WHEN 'acceptance_rate' THEN b.acceptance_rate WHEN 'speedup' THEN b.speedup END NULLS LAST, p.id
LIMIT :limit;
