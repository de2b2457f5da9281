-- Why did outputs of a run end, and how long were they?
--
-- :run_id  the run
--
-- One row a mode and reason: stop_token (the model ended it), max_tokens (the setting did) or context_length (there was no
-- room); NULL for generations that failed. share is of the mode's generations, warm-ups left out.
SELECT
    g.mode,
    g.stop_reason,
    count(*) AS num_generations,
    1.0 * count(*) / sum(count(*)) OVER (PARTITION BY g.mode) AS share,
    sum(g.total_tokens) AS total_tokens,
    avg(g.total_tokens) AS avg_tokens,
    min(g.total_tokens) AS min_tokens,
    max(g.total_tokens) AS max_tokens
FROM generations AS g
JOIN modes ON modes.mode = g.mode
WHERE g.run_id = :run_id AND g.is_warmup = 0
GROUP BY g.mode, modes.display_order, g.stop_reason
ORDER BY modes.display_order, g.stop_reason NULLS LAST;
