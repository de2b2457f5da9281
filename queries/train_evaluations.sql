-- How well did a training run's draft match the held-out examples as it learned?
--
-- :run_id  the run
--
-- The view train_evaluations for one run, with the checkpoint of each step and its names, where there is one. Step 0 is
-- before the first. A run without held-out examples has checkpoints alone.
SELECT
    :run_id AS run_id,
    s.step,
    v.num_examples,
    v.num_positions,
    v.expected_acceptance,
    v.top1_agreement,
    v.loss,
    v.acceptance_rate,
    v.mean_acceptance_length,
    tc.checkpoint_id,
    (
        SELECT group_concat(a.name, ', ')
        FROM (SELECT name FROM aliases WHERE checkpoint_id = tc.checkpoint_id ORDER BY name) AS a
    ) AS aliases
FROM (
    SELECT step FROM example_evaluations WHERE run_id = :run_id
    UNION
    SELECT step FROM train_checkpoints WHERE run_id = :run_id
) AS s
LEFT JOIN train_evaluations AS v ON v.run_id = :run_id AND v.step = s.step
LEFT JOIN train_checkpoints AS tc ON tc.run_id = :run_id AND tc.step = s.step
ORDER BY s.step;
