-- From which checkpoints, in which runs, did a checkpoint come?
--
-- :checkpoint_id  the checkpoint
--
-- The view checkpoint_lineage for one checkpoint, with it bound inside, where it is found by index: itself at depth 0, what
-- its run began with at depth 1, and so on to the first. An adapter that was imported has no run. step is how far the run
-- had come.
WITH RECURSIVE
lineage (ancestor_id, depth) AS (
    SELECT id, 0
    FROM checkpoints
    WHERE id = :checkpoint_id
    UNION
    SELECT parent.checkpoint_id, l.depth + 1
    FROM lineage AS l
    JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.ancestor_id
    JOIN runs AS parent ON parent.id = tc.run_id
    WHERE parent.checkpoint_id IS NOT NULL AND parent.checkpoint_id <> l.ancestor_id AND l.depth < 1000
)
SELECT
    :checkpoint_id AS checkpoint_id,
    l.ancestor_id,
    l.depth,
    tc.run_id,
    max(tc.step) AS step,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = l.ancestor_id ORDER BY name) AS a
    ) AS aliases,
    c.source,
    strftime('%Y-%m-%dT%H:%M:%SZ', c.created_at_ms / 1000, 'unixepoch') AS created_at
FROM lineage AS l
JOIN checkpoints AS c ON c.id = l.ancestor_id
LEFT JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.ancestor_id
GROUP BY l.ancestor_id, l.depth, tc.run_id
ORDER BY l.depth, l.ancestor_id, tc.run_id;
