-- On which categories of prompts does each mode of a run do well?
--
-- :run_id  the run
--
-- A category is what the prompt file says of a prompt; NULL for prompts without one. Speeds are means over prompts, iterations
-- of a prompt averaged first; acceptance_rate and mean_acceptance_length are pooled. speedup: avg_tokens_per_second over
-- that of target_only in the same category.
WITH
categories AS MATERIALIZED (
    SELECT
        rp.category,
        p.mode,
        count(nullif(p.num_iterations, 0)) AS num_prompts,
        sum(p.num_failed) AS num_failed,
        sum(p.total_tokens) AS total_tokens,
        avg(p.tokens_per_second) AS avg_tokens_per_second,
        sum(p.num_drafted) AS num_drafted,
        sum(p.num_accepted) AS num_accepted,
        sum(p.num_emitted) AS num_emitted,
        sum(p.num_rounds) AS num_rounds
    FROM prompt_metrics AS p
    JOIN run_prompts AS rp ON rp.run_id = p.run_id AND rp.prompt_index = p.prompt_index
    WHERE p.run_id = :run_id
    GROUP BY rp.category, p.mode
)
SELECT
    c.category,
    c.mode,
    c.num_prompts,
    c.num_failed,
    c.total_tokens,
    c.avg_tokens_per_second,
    c.avg_tokens_per_second / target.avg_tokens_per_second AS speedup,
    c.num_drafted,
    c.num_accepted,
    1.0 * c.num_accepted / nullif(c.num_drafted, 0) AS acceptance_rate,
    1.0 * c.num_emitted / nullif(c.num_rounds, 0) AS mean_acceptance_length
FROM categories AS c
JOIN modes ON modes.mode = c.mode
LEFT JOIN categories AS target ON target.category IS c.category AND target.mode = 'target_only'
ORDER BY c.category NULLS LAST, modes.display_order;
