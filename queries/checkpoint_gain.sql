-- How much did each checkpoint of training gain on held-out examples, over what its run began with?
--
-- :run_id  the training run; NULL for all that are not in the trash [default: null]
--
-- One row a checkpoint that was evaluated. Step 0 of its run is the beginning: the draft as it is where from_checkpoint_id is
-- NULL, else with that adapter. Both figures are over the same examples (view train_evaluations).
--   expected_acceptance_gain  expected_acceptance minus that at step 0 (0.05 for +5 pp); NULL where step 0 was not evaluated
--   num_better, num_worse     examples whose own expected acceptance rose or fell
WITH
wanted (run_id) AS (
    SELECT :run_id
    WHERE :run_id IS NOT NULL
    UNION ALL
    SELECT id
    FROM runs
    WHERE :run_id IS NULL AND deleted_at_ms IS NULL
),
compared AS (
    SELECT
        tc.run_id,
        tc.step,
        tc.checkpoint_id,
        r.checkpoint_id AS from_checkpoint_id,
        ee.num_positions,
        ee.expected_acceptance,
        ee.num_drafted,
        ee.num_accepted,
        start.num_positions AS start_num_positions,
        start.expected_acceptance AS start_expected_acceptance,
        start.num_drafted AS start_num_drafted,
        start.num_accepted AS start_num_accepted
    FROM wanted AS w
    -- CROSS keeps the order: what is wanted is looked up, and not all looked through.
    CROSS JOIN train_checkpoints AS tc ON tc.run_id = w.run_id
    JOIN runs AS r ON r.id = tc.run_id
    CROSS JOIN example_evaluations AS ee ON ee.run_id = tc.run_id AND ee.step = tc.step
    LEFT JOIN example_evaluations AS start
        ON start.run_id = ee.run_id AND start.step = 0 AND start.example_id = ee.example_id
)
SELECT
    c.run_id,
    c.step,
    c.checkpoint_id,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = c.checkpoint_id ORDER BY name) AS a
    ) AS aliases,
    c.from_checkpoint_id,
    count(*) AS num_examples,
    sum(c.start_expected_acceptance) / sum(c.start_num_positions) AS start_expected_acceptance,
    sum(c.expected_acceptance) / sum(c.num_positions) AS expected_acceptance,
    sum(c.expected_acceptance) / sum(c.num_positions) - sum(c.start_expected_acceptance) / sum(c.start_num_positions)
        AS expected_acceptance_gain,
    1.0 * sum(c.start_num_accepted) / nullif(sum(c.start_num_drafted), 0) AS start_acceptance_rate,
    1.0 * sum(c.num_accepted) / nullif(sum(c.num_drafted), 0) AS acceptance_rate,
    count(
        CASE WHEN c.expected_acceptance / c.num_positions > c.start_expected_acceptance / c.start_num_positions THEN 1 END
    ) AS num_better,
    count(
        CASE WHEN c.expected_acceptance / c.num_positions < c.start_expected_acceptance / c.start_num_positions THEN 1 END
    ) AS num_worse
FROM compared AS c
GROUP BY c.run_id, c.step
ORDER BY c.run_id, c.step;
