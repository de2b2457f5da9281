-- How well did a training run's draft match the held-out examples as it learned?
--
-- :run_id  the run
--
-- The view train_evaluations for one run, with the checkpoint of each step and its names, where there is one. Step 0 is
-- before the first.
SELECT
    v.run_id,
    v.step,
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
FROM train_evaluations AS v
LEFT JOIN train_checkpoints AS tc ON tc.run_id = v.run_id AND tc.step = v.step
WHERE v.run_id = :run_id
ORDER BY v.step;
