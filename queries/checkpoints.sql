-- Which adapters are stored, newest first, under which names, and for which draft model?
--
-- :limit  how many to show; -1 for all [default: -1]
--
-- train_run_id and train_step are those of the run that made it first, and expected_acceptance is what that run's held-out
-- examples said of it then (view train_evaluations); NULL where it was imported, or not evaluated.
SELECT
    c.id AS checkpoint_id,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = c.id ORDER BY name) AS a
    ) AS aliases,
    c.rank,
    c.alpha,
    c.target_modules,
    c.source,
    strftime('%Y-%m-%dT%H:%M:%SZ', c.created_at_ms / 1000, 'unixepoch') AS created_at,
    b.size_bytes,
    b.sha256 AS adapter_sha256,
    m.name AS draft_model,
    m.sha256 AS draft_model_sha256,
    tc.run_id AS train_run_id,
    tc.step AS train_step,
    (
        SELECT sum(ee.expected_acceptance) / sum(ee.num_positions)
        FROM example_evaluations AS ee
        WHERE ee.run_id = tc.run_id AND ee.step = tc.step
    ) AS expected_acceptance,
    c.uid
FROM checkpoints AS c
JOIN blobs AS b ON b.id = c.adapter_blob_id
JOIN models AS m ON m.id = c.draft_model_id
LEFT JOIN train_checkpoints AS tc
    ON tc.checkpoint_id = c.id
    AND (tc.run_id, tc.step) = (
        SELECT first.run_id, first.step
        FROM train_checkpoints AS first
        WHERE first.checkpoint_id = c.id
        ORDER BY first.run_id, first.step
        LIMIT 1
    )
ORDER BY c.id DESC
LIMIT :limit;
