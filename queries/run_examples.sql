-- Which examples has a run collected, or learned from, token for token?
--
-- :run_id  the run
--
-- One row an example. purpose: 'collected', or what the example was for in a training run ('train', 'replay', 'held_out').
-- generation_id is where it was first collected, and acceptance_rate and num_disagreements are that generation's; NULL
-- where it is gone. Token ids are little-endian u32, one after the other. split_key: below a training run's holdout, the
-- example is held out.
WITH
wanted (example_id, purpose) AS (
    SELECT DISTINCT ge.example_id, 'collected'
    FROM generations AS g
    JOIN generation_examples AS ge ON ge.generation_id = g.id
    WHERE g.run_id = :run_id
    UNION ALL
    SELECT re.example_id, re.purpose
    FROM run_examples AS re
    WHERE re.run_id = :run_id
)
SELECT
    :run_id AS run_id,
    e.id AS example_id,
    w.purpose,
    e.generation_id,
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
    strftime('%Y-%m-%dT%H:%M:%SZ', e.created_at_ms / 1000, 'unixepoch') AS collected_at,
    e.sha256,
    e.prompt_tokens,
    e.output_tokens,
    g.output_text
FROM wanted AS w
-- CROSS keeps the order of the two: what is wanted is looked up, and not all looked through.
CROSS JOIN examples AS e ON e.id = w.example_id
JOIN prompts AS p ON p.id = e.prompt_id
JOIN models AS m ON m.id = e.target_model_id
LEFT JOIN generations AS g ON g.id = e.generation_id
ORDER BY e.id;
