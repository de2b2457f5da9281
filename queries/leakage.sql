-- Which prompts of a run have its adapters seen in training?
--
-- :run_id  the run
--
-- Its adapters are those of the run, its generations and its evaluations, each with all that it continues (view
-- checkpoint_lineage). purpose: 'trained' where steps learned from the prompt (num_steps of them, before the checkpoint was
-- made), 'held_out' where it only decided which checkpoint is best. A run without a row measures prompts that are new.
WITH RECURSIVE
adapters (checkpoint_id) AS (
    SELECT checkpoint_id FROM runs WHERE id = :run_id AND checkpoint_id IS NOT NULL
    UNION
    SELECT checkpoint_id FROM generations WHERE run_id = :run_id AND checkpoint_id IS NOT NULL
    UNION
    SELECT checkpoint_id FROM prompt_evaluations WHERE run_id = :run_id AND checkpoint_id IS NOT NULL
),
lineage (checkpoint_id, ancestor_id) AS (
    SELECT checkpoint_id, checkpoint_id
    FROM adapters
    UNION
    SELECT l.checkpoint_id, parent.checkpoint_id
    FROM lineage AS l
    JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.ancestor_id
    JOIN runs AS parent ON parent.id = tc.run_id
    WHERE parent.checkpoint_id IS NOT NULL
),
training AS (
    SELECT l.checkpoint_id, tc.run_id, max(tc.step) AS last_step
    FROM lineage AS l
    JOIN train_checkpoints AS tc ON tc.checkpoint_id = l.ancestor_id
    GROUP BY l.checkpoint_id, tc.run_id
),
learned AS (
    SELECT t.checkpoint_id, t.run_id, tse.example_id, count(*) AS num_steps
    FROM training AS t
    JOIN train_step_examples AS tse ON tse.run_id = t.run_id AND tse.step <= t.last_step
    GROUP BY t.checkpoint_id, t.run_id, tse.example_id
),
seen AS (
    SELECT
        t.checkpoint_id,
        t.run_id AS train_run_id,
        e.prompt_id,
        CASE re.purpose WHEN 'held_out' THEN 'held_out' ELSE 'trained' END AS purpose,
        coalesce(ln.num_steps, 0) AS num_steps
    FROM training AS t
    JOIN run_examples AS re ON re.run_id = t.run_id
    JOIN examples AS e ON e.id = re.example_id
    LEFT JOIN learned AS ln
        ON ln.checkpoint_id = t.checkpoint_id AND ln.run_id = t.run_id AND ln.example_id = re.example_id
)
SELECT
    rp.prompt_index,
    p.text AS prompt,
    s.checkpoint_id,
    s.train_run_id,
    s.purpose,
    sum(s.num_steps) AS num_steps
FROM run_prompts AS rp
JOIN prompts AS p ON p.id = rp.prompt_id
JOIN seen AS s ON s.prompt_id = rp.prompt_id
WHERE rp.run_id = :run_id AND (s.purpose = 'held_out' OR s.num_steps > 0)
GROUP BY rp.prompt_index, s.checkpoint_id, s.train_run_id, s.purpose
ORDER BY rp.prompt_index, s.checkpoint_id, s.train_run_id, s.purpose;
