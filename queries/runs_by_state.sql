-- How many runs of each kind are there, and how did they end?
--
-- :crashed_run_ids  the running ones whose process is known to be gone, as a JSON list; NULL: go by their silence
--                   (view run_states) [default: null]
--
-- in_trash is 1 for runs that were deleted, and can be restored.
SELECT
    r.kind,
    CASE
        WHEN r.status <> 'running' OR :crashed_run_ids IS NULL THEN s.state
        WHEN r.id IN (SELECT value FROM json_each(:crashed_run_ids)) THEN 'crashed'
        ELSE 'running'
    END AS state,
    r.deleted_at_ms IS NOT NULL AS in_trash,
    count(*) AS num_runs
FROM runs AS r
JOIN run_states AS s ON s.run_id = r.id
GROUP BY r.kind, state, in_trash
ORDER BY in_trash, r.kind, state;
