-- With which other runs does a run have examples or an adapter in common?
--
-- :run_id  the run
--
-- One collected what the other learned from, or made what the other used. relation is what the other run is to this one:
--   learned_from     it collected num_examples of the examples that this run has
--   taught           it has num_examples of the examples that this run collected
--   made_adapter     it made checkpoint_id, which this run used, judged or went on from
--   used_adapter     it used checkpoint_id, which this run made
--   judged_adapter   it evaluated checkpoint_id, which this run made
--   continued        it trained on from checkpoint_id, which this run made
-- Runs in the trash are left out.
WITH
of_run AS (
    SELECT r.checkpoint_id
    FROM runs AS r
    WHERE r.id = :run_id AND r.checkpoint_id IS NOT NULL
    UNION
    SELECT pe.checkpoint_id
    FROM prompt_evaluations AS pe
    WHERE pe.run_id = :run_id AND pe.checkpoint_id IS NOT NULL
),
related AS (
    SELECT 'learned_from' AS relation, g.run_id, count(DISTINCT re.example_id) AS num_examples, NULL AS checkpoint_id
    FROM run_examples AS re
    JOIN generation_examples AS ge ON ge.example_id = re.example_id
    JOIN generations AS g ON g.id = ge.generation_id
    WHERE re.run_id = :run_id
    GROUP BY g.run_id
    UNION ALL
    SELECT 'taught', re.run_id, count(DISTINCT re.example_id), NULL
    FROM generations AS g
    JOIN generation_examples AS ge ON ge.generation_id = g.id
    JOIN run_examples AS re ON re.example_id = ge.example_id
    WHERE g.run_id = :run_id
    GROUP BY re.run_id
    UNION ALL
    SELECT DISTINCT 'made_adapter', tc.run_id, NULL, tc.checkpoint_id
    FROM of_run AS o
    JOIN train_checkpoints AS tc ON tc.checkpoint_id = o.checkpoint_id
    UNION ALL
    SELECT
        CASE other.kind WHEN 'train' THEN 'continued' ELSE 'used_adapter' END,
        other.id,
        NULL,
        other.checkpoint_id
    FROM train_checkpoints AS tc
    JOIN runs AS other ON other.checkpoint_id = tc.checkpoint_id
    WHERE tc.run_id = :run_id
    UNION ALL
    SELECT DISTINCT 'judged_adapter', pe.run_id, NULL, pe.checkpoint_id
    FROM train_checkpoints AS tc
    JOIN prompt_evaluations AS pe ON pe.checkpoint_id = tc.checkpoint_id
    WHERE tc.run_id = :run_id
)
SELECT DISTINCT
    x.relation,
    x.run_id,
    r.name,
    r.kind,
    strftime('%Y-%m-%dT%H:%M:%SZ', r.started_at_ms / 1000, 'unixepoch') AS started_at,
    x.num_examples,
    x.checkpoint_id
FROM related AS x
JOIN runs AS r ON r.id = x.run_id
WHERE x.run_id <> :run_id AND r.deleted_at_ms IS NULL
ORDER BY x.run_id, x.relation, x.checkpoint_id;
