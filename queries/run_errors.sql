-- Which generations of a run failed, and why?
--
-- :run_id  the run
SELECT
    g.exec_order,
    g.prompt_index,
    g.mode,
    g.iteration,
    g.is_warmup,
    strftime('%Y-%m-%dT%H:%M:%SZ', g.started_at_ms / 1000, 'unixepoch') AS started_at,
    g.error
FROM generations AS g
WHERE g.run_id = :run_id AND g.error IS NOT NULL
ORDER BY g.exec_order, g.id;
