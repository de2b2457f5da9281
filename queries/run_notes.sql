-- What was noted on a run, and when?
--
-- :run_id  the run
SELECT
    strftime('%Y-%m-%dT%H:%M:%SZ', created_at_ms / 1000, 'unixepoch') AS created_at,
    text
FROM run_notes
WHERE run_id = :run_id
ORDER BY id;
