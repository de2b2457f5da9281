-- Which answers are kept to learn from, of a run or of all, and how well did the draft match them?
--
-- :run_id  the run that collected them; NULL for all runs that are not in the trash [default: null]
--
-- The figures are those of the generation in which an example was first collected; NULL where that is gone. split_key:
-- below a training run's holdout, the example is held out.
WITH
wanted (example_id) AS (
    SELECT ge.example_id
    FROM generations AS g
    JOIN generation_examples AS ge ON ge.generation_id = g.id
    WHERE g.run_id = :run_id
    UNION
    SELECT kept.id
    FROM examples AS kept
    WHERE :run_id IS NULL
        AND EXISTS (
            SELECT 1
            FROM generation_examples AS ge
            JOIN generations AS g ON g.id = ge.generation_id
            JOIN runs AS r ON r.id = g.run_id
            WHERE ge.example_id = kept.id AND r.deleted_at_ms IS NULL
        )
)
SELECT
    e.id AS example_id,
    e.split_key,
    p.text AS prompt,
    m.name AS target_model,
    m.sha256 AS target_model_sha256,
    e.num_prompt_tokens,
    e.num_output_tokens,
    1.0 * g.num_accepted / nullif(g.num_drafted, 0) AS acceptance_rate,
    CASE WHEN g.id IS NOT NULL
        THEN (SELECT count(*) FROM disagreements AS d WHERE d.generation_id = g.id)
    END AS num_disagreements,
    (SELECT count(*) FROM generation_examples AS ge WHERE ge.example_id = e.id) AS num_generations,
    g.run_id,
    strftime('%Y-%m-%dT%H:%M:%SZ', e.created_at_ms / 1000, 'unixepoch') AS collected_at,
    e.sha256
FROM wanted AS w
-- CROSS keeps the order of the two: what is wanted is looked up, and not all looked through.
CROSS JOIN examples AS e ON e.id = w.example_id
JOIN prompts AS p ON p.id = e.prompt_id
JOIN models AS m ON m.id = e.target_model_id
LEFT JOIN generations AS g ON g.id = e.generation_id
ORDER BY e.id;
